/* Validation of one instruction, in general: every rule of the core specification's chapter "Instructions" but the
 * typed references and aggregates (validate_gc.c). The fast loop of validate_body.c comes here for whatever it does not
 * take. */
#include "engine/validator.h"
#include "wherry/engine.h"

/* --- blocks ------------------------------------------------------------------------------------------------------- */
static void push_frame(struct validator *v, enum opcode op, struct frame f)
{
    f.op = (uint8_t)op;
    f.height = (uint32_t)(v->sp - v->stack);
    f.init_height = (uint32_t)v->initialised.len;
    vec_push(&v->frames, f);
    v->base = v->sp;
    push_list(v, frame_params(&f));
}

static struct frame read_block_type(struct validator *v)
{
    struct frame f = {.single = VT_BOTTOM};
    struct block_type t;

    if (v->r.at != v->r.end && *v->r.at > 0x40 && *v->r.at < 0x80) {
        f.single = read_valtype(v);
        return f;
    }
    t = body_block_type(&v->r);
    if (t.type_index == MODULE_NONE)
        return f;
    if (t.type_index >= v->m->type_count || v->m->types[t.type_index].kind != TYPE_FUNC)
        validator_fail(v, "unknown type %u", t.type_index);
    else
        f.type = &v->m->types[t.type_index];
    return f;
}

static void validate_block(struct validator *v, enum opcode op)
{
    struct frame f = read_block_type(v);

    if (op == OP_IF)
        pop(v, VT_I32);
    pop_list(v, frame_params(&f));
    if (op == OP_LOOP)
        loop_log_open(&v->log, v->op_at);
    push_frame(v, op, f);
}

static void undo_initialisations(struct validator *v, const struct frame *f)
{
    while (v->initialised.len > f->init_height)
        v->locals[vec_pop(&v->initialised)] = VT_UNINITIALISED;
}

/* Checks what the innermost block leaves behind; the operand stack is then as below the block. */
static struct frame *finish_block(struct validator *v)
{
    struct frame *f = vec_last(&v->frames);

    pop_list(v, frame_results(f));
    if (v->sp != v->base)
        validator_fail(v, "type mismatch: %zu values remain on the stack at the end of the block",
                       (size_t)(v->sp - v->base));
    undo_initialisations(v, f);
    return f;
}

/* The innermost block goes on with another arm (else, catch), whose stack holds START. */
static void next_arm(struct validator *v, struct frame *f, enum opcode op, struct type_list start)
{
    f->op = (uint8_t)op;
    f->unreachable = false;
    v->sp = v->base;
    push_list(v, start);
}

static void validate_else(struct validator *v)
{
    struct frame *f = finish_block(v);

    if (f->op != OP_IF)
        validator_fail(v, "else without if");
    next_arm(v, f, OP_ELSE, frame_params(f));
}

static void leave_frame(struct validator *v)
{
    struct frame f = vec_pop(&v->frames);

    v->sp = v->stack + f.height;
    rebase(v);
    push_list(v, frame_results(&f));
}

static bool list_is_subtype(struct validator *v, struct type_list sub, struct type_list super)
{
    uint32_t i;

    if (sub.count != super.count)
        return false;
    for (i = 0; i < sub.count; i++)
        if (!valtype_is_subtype(v->m, sub.types[i], super.types[i]))
            return false;
    return true;
}

static void validate_end(struct validator *v)
{
    struct frame *f = finish_block(v);

    if (f->op == OP_IF && !list_is_subtype(v, frame_params(f), frame_results(f)))
        validator_fail(v, "type mismatch: an if without else must give back its parameters");
    if (f->op == OP_LOOP)
        loop_log_close(&v->log, v->op_at, v->locals);
    leave_frame(v);
}

/* --- exceptions --------------------------------------------------------------------------------------------------- */
static struct type_list read_tag(struct validator *v)
{
    uint32_t tag = body_u32(&v->r);

    if (tag < v->m->tag_count)
        return type_params(&v->m->types[v->m->tags[tag].type]);
    validator_fail(v, "unknown tag %u", tag);
    return (struct type_list){NULL, 0};
}

static void validate_catch_clause(struct validator *v)
{
    struct catch_clause clause = body_catch_clause(&v->r);
    bool has_ref = clause.kind == CATCH_TAG_REF || clause.kind == CATCH_ALL_REF;
    struct type_list caught = {NULL, 0}, label;
    uint32_t i;

    if (clause.kind <= CATCH_TAG_REF && clause.tag >= v->m->tag_count)
        validator_fail(v, "unknown tag %u", clause.tag);
    else if (clause.label >= v->frames.len)
        validator_fail(v, "unknown label %u", clause.label);
    if (v->failed)
        return;
    if (clause.kind <= CATCH_TAG_REF)
        caught = type_params(&v->m->types[v->m->tags[clause.tag].type]);
    label = frame_label(&v->frames.data[v->frames.len - 1 - clause.label]);
    if (label.count != caught.count + has_ref) {
        validator_fail(v, "type mismatch: the clause catches %u values, its label takes %u", caught.count + has_ref,
                       label.count);
        return;
    }
    if (label.count == 0)
        return;
    for (i = 0; i < caught.count; i++)
        if (!valtype_is_subtype(v->m, caught.types[i], label.types[i]))
            validator_fail(v, "type mismatch: the clause catches %s, its label takes %s",
                           valtype_text(caught.types[i]).text, valtype_text(label.types[i]).text);
    if (has_ref && !valtype_is_subtype(v->m, valtype_ref(false, HEAP_EXN), label.types[i]))
        validator_fail(v, "type mismatch: the clause catches an exnref, its label takes %s",
                       valtype_text(label.types[i]).text);
}

/* Labels of the catch clauses are counted from outside the block. */
static void validate_try_table(struct validator *v)
{
    struct frame f = read_block_type(v);
    uint32_t count = body_u32(&v->r);

    while (count-- != 0 && !v->failed && v->r.fault == NULL)
        validate_catch_clause(v);
    pop_list(v, frame_params(&f));
    push_frame(v, OP_BLOCK, f);
}

static void validate_legacy_catch(struct validator *v, enum opcode op)
{
    struct type_list caught = op == OP_CATCH ? read_tag(v) : (struct type_list){NULL, 0};
    struct frame *f = finish_block(v);

    if (f->op != OP_TRY && f->op != OP_CATCH)
        validator_fail(v, "catch without try");
    next_arm(v, f, op, caught);
}

static void validate_delegate(struct validator *v)
{
    struct frame *f = finish_block(v);

    if (f->op != OP_TRY)
        validator_fail(v, "delegate without try");
    leave_frame(v);
    if (v->frames.len == 0)
        validator_fail(v, "unexpected end: delegate ends the function");
    else
        read_label(v);
}

static void validate_rethrow(struct validator *v)
{
    const struct frame *f = read_label(v);

    if (f->op != OP_CATCH && f->op != OP_CATCH_ALL)
        validator_fail(v, "invalid rethrow label: it is not a catch");
    set_unreachable(v);
}

/* --- branches ----------------------------------------------------------------------------------------------------- */
static void validate_br_if(struct validator *v)
{
    struct type_list label = frame_label(read_label(v));

    pop(v, VT_I32);
    pop_list(v, label);
    push_list(v, label);
}

/* Whether the operands on top, left in place, are what LABEL takes. */
static void peek_list(struct validator *v, struct type_list label)
{
    const valtype *at = v->sp;
    bool unreachable = vec_last(&v->frames)->unreachable;
    uint32_t i;

    for (i = label.count; i != 0; i--) {
        if (at == v->base && unreachable)
            return;
        if (at == v->base || !valtype_is_subtype(v->m, at[-1], label.types[i - 1])) {
            validator_fail(v, "type mismatch: expected %s, found %s", valtype_text(label.types[i - 1]).text,
                           at == v->base ? "nothing on the stack" : valtype_text(at[-1]).text);
            return;
        }
        at--;
    }
}

/* A label that is named again costs nothing: else a table of N labels with M values each would cost N times M. */
static void validate_br_table(struct validator *v)
{
    uint32_t count = body_u32(&v->r), i;
    uint32_t arity = 0;

    pop(v, VT_I32);
    if (count > rd_left(&v->r)) {
        rd_fail(&v->r, "unexpected end of section or function");
        return;
    }
    for (i = 0; i <= count && !v->failed; i++) {
        struct frame *f = read_label(v);
        struct type_list label = frame_label(f);
        if (i != 0 && label.count != arity)
            validator_fail(v, "type mismatch: the labels of br_table take different numbers of values");
        arity = label.count;
        if (f->seen_at != (uint32_t)v->op_at)
            peek_list(v, label);
        f->seen_at = (uint32_t)v->op_at;
    }
    set_unreachable(v);
}

static void validate_br(struct validator *v)
{
    pop_list(v, frame_label(read_label(v)));
    set_unreachable(v);
}

static void validate_return(struct validator *v)
{
    pop_list(v, frame_results(&v->frames.data[0]));
    set_unreachable(v);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */
static void apply_call(struct validator *v, const struct type_def *t)
{
    v->log.calls++;
    pop_list(v, type_params(t));
    push_list(v, type_results(t));
}

static void apply_tail_call(struct validator *v, const struct type_def *t)
{
    pop_list(v, type_params(t));
    if (!list_is_subtype(v, type_results(t), frame_results(&v->frames.data[0])))
        validator_fail(v, "type mismatch: the callee's results are not the function's");
    set_unreachable(v);
}

static const struct type_def *validate_callee_in_table(struct validator *v)
{
    uint32_t canonical;
    const struct type_def *t = read_type(v, TYPE_FUNC, &canonical);
    const struct table_decl *table = read_table(v);

    if (!valtype_is_subtype(v->m, table->type, valtype_ref(true, HEAP_FUNC)))
        validator_fail(v, "type mismatch: expected a table of funcref, found %s", valtype_text(table->type).text);
    pop(v, address_type(&table->limits));
    return t;
}

static const struct type_def *validate_callee_reference(struct validator *v)
{
    uint32_t canonical;
    const struct type_def *t = read_type(v, TYPE_FUNC, &canonical);

    pop(v, valtype_ref(true, canonical));
    return t;
}

/* --- parametric and variable instructions ------------------------------------------------------------------------- */
static void validate_select(struct validator *v)
{
    valtype second, first;

    pop(v, VT_I32);
    second = pop_any(v);
    first = pop_any(v);
    if (valtype_is_ref(first) || valtype_is_ref(second))
        validator_fail(v, "type mismatch: select without a type takes numbers and vectors only");
    else if (first != second && first != VT_BOTTOM && second != VT_BOTTOM)
        validator_fail(v, "type mismatch: expected %s, found %s", valtype_text(first).text, valtype_text(second).text);
    push(v, first == VT_BOTTOM ? second : first);
}

static void validate_select_typed(struct validator *v)
{
    valtype t;

    if (body_u32(&v->r) != 1)
        validator_fail(v, "invalid result arity");
    t = read_valtype(v);
    pop(v, VT_I32);
    pop(v, t);
    pop(v, t);
    push(v, t);
}

static const struct late_local *find_late_local(const struct validator *v, uint32_t index)
{
    size_t low = 0, high = v->late_locals.len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (v->late_locals.data[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->late_locals.len && v->late_locals.data[low].index == index ? &v->late_locals.data[low] : NULL;
}

static void validate_local(struct validator *v, enum opcode op)
{
    uint32_t index = body_u32(&v->r);
    const struct late_local *late;
    valtype t;

    if (index >= v->local_count) {
        validator_fail(v, "unknown local %u", index);
        return;
    }
    t = v->locals[index];
    if (t == VT_UNINITIALISED && op == OP_LOCAL_GET) {
        validator_fail(v, "uninitialized local %u", index);
        return;
    }
    if (t == VT_UNINITIALISED && (late = find_late_local(v, index)) != NULL) {
        t = late->type;
        v->locals[index] = t;
        vec_push(&v->initialised, index);
    }
    loop_log_use(&v->log, op == OP_LOCAL_GET ? index : index | LOOP_USE_WRITES);
    if (op != OP_LOCAL_GET)
        pop(v, t);
    if (op != OP_LOCAL_SET)
        push(v, t);
}

static void validate_global(struct validator *v, enum opcode op)
{
    uint32_t index = body_u32(&v->r);
    const struct global_decl *g;

    if (index >= v->m->global_count) {
        validator_fail(v, "unknown global %u", index);
        return;
    }
    g = &v->m->globals[index];
    if (op == OP_GLOBAL_GET)
        push(v, g->type);
    else if (!g->mutable)
        validator_fail(v, "immutable global %u", index);
    else
        pop(v, g->type);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */
static void validate_table_init(struct validator *v)
{
    const struct element_segment *segment = read_element_segment(v);
    const struct table_decl *table = read_table(v);

    if (!valtype_is_subtype(v->m, segment->type, table->type))
        validator_fail(v, "type mismatch: elements of type %s for a table of %s", valtype_text(segment->type).text,
                       valtype_text(table->type).text);
    pop(v, VT_I32);
    pop(v, VT_I32);
    pop(v, address_type(&table->limits));
}

static void pop_copy(struct validator *v, const struct limits *to, const struct limits *from)
{
    pop(v, to->is64 && from->is64 ? VT_I64 : VT_I32);
    pop(v, address_type(from));
    pop(v, address_type(to));
}

static void validate_table_copy(struct validator *v)
{
    const struct table_decl *to = read_table(v), *from = read_table(v);

    if (!valtype_is_subtype(v->m, from->type, to->type))
        validator_fail(v, "type mismatch: elements of type %s for a table of %s", valtype_text(from->type).text,
                       valtype_text(to->type).text);
    pop_copy(v, &to->limits, &from->limits);
}

static void validate_table(struct validator *v, enum opcode op)
{
    const struct table_decl *table = read_table(v);
    valtype address = address_type(&table->limits);

    switch (op) {
    case OP_TABLE_GET:
        pop(v, address);
        push(v, table->type);
        break;
    case OP_TABLE_SET:
        pop(v, table->type);
        pop(v, address);
        break;
    case OP_TABLE_SIZE: push(v, address); break;
    case OP_TABLE_GROW:
        pop(v, address);
        pop(v, table->type);
        push(v, address);
        break;
    default: /* table.fill */
        pop(v, address);
        pop(v, table->type);
        pop(v, address);
        break;
    }
}

/* --- memories ----------------------------------------------------------------------------------------------------- */
static void validate_memory(struct validator *v, enum opcode op)
{
    valtype address = address_type(&read_memory(v)->limits);

    v->log.calls += op != OP_MEMORY_SIZE;
    if (op == OP_MEMORY_FILL) {
        pop(v, address);
        pop(v, VT_I32);
        pop(v, address);
        return;
    }
    if (op == OP_MEMORY_GROW)
        pop(v, address);
    push(v, address);
}

static void validate_memory_init(struct validator *v)
{
    const struct memory_decl *memory;

    read_data_segment(v);
    memory = read_memory(v);
    pop(v, VT_I32);
    pop(v, VT_I32);
    pop(v, address_type(&memory->limits));
}

static void validate_memory_copy(struct validator *v)
{
    const struct memory_decl *to = read_memory(v), *from = read_memory(v);
    v->log.calls++;
    pop_copy(v, &to->limits, &from->limits);
}

/* Returns the type of the address. */
static valtype validate_memarg(struct validator *v, const struct opcode_info *info)
{
    struct memarg arg = body_memarg(&v->r);
    const struct limits *limits;

    if (arg.memory >= v->m->memory_count) {
        validator_fail(v, "unknown memory %u", arg.memory);
        return VT_I32;
    }
    limits = &v->m->memories[arg.memory].limits;
    if (arg.align_log2 > info->width_log2)
        validator_fail(v, "alignment must not be larger than natural");
    else if (info->feature == ENGINE_FEATURE_THREADS && arg.align_log2 != info->width_log2)
        validator_fail(v, "atomic alignment must be natural");
    else if (!limits->is64 && arg.offset > UINT32_MAX)
        validator_fail(v, "offset out of range");
    return address_type(limits);
}

/* --- instructions with a fixed signature -------------------------------------------------------------------------- */
static void validate_lane(struct validator *v, uint8_t lane, unsigned bound)
{
    if (lane >= bound)
        validator_fail(v, "invalid lane index %u", lane);
}

static void validate_shuffle(struct validator *v)
{
    const uint8_t *lanes = body_v128(&v->r);
    unsigned i;

    for (i = 0; lanes != NULL && i < 16; i++)
        validate_lane(v, lanes[i], 32);
}

/* Reads the immediate. Returns the type of the address if the instruction has one. */
static valtype validate_immediate(struct validator *v, enum opcode op, const struct opcode_info *info)
{
    valtype address = VT_I32;

    switch ((enum immediate)info->immediate) {
    case IMMEDIATE_MEMARG: return validate_memarg(v, info);
    case IMMEDIATE_MEMARG_LANE:
        address = validate_memarg(v, info);
        validate_lane(v, rd_u8(&v->r), 16u >> info->width_log2);
        return address;
    case IMMEDIATE_LANE: validate_lane(v, rd_u8(&v->r), 16u >> info->width_log2); break;
    case IMMEDIATE_SHUFFLE: validate_shuffle(v); break;
    case IMMEDIATE_FENCE:
        if (rd_u8(&v->r) != 0)
            validator_fail(v, "zero byte expected");
        break;
    case IMMEDIATE_DATA: read_data_segment(v); break;
    case IMMEDIATE_ELEM: read_element_segment(v); break;
    default: body_skip_immediate(&v->r, op); break;
    }
    return address;
}

static void validate_fixed(struct validator *v, enum opcode op, const struct opcode_info *info)
{
    const struct signature *s = &signatures[info->signature];
    valtype address = validate_immediate(v, op, info);
    unsigned i;

    for (i = s->param_count; i != 0; i--)
        pop(v, s->params[i - 1] == SIGNATURE_ADDRESS ? address : s->params[i - 1]);
    for (i = 0; i < s->result_count; i++)
        push(v, s->results[i]);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */
void validate_op(struct validator *v, enum opcode op)
{
    const struct opcode_info *info;

    if (op == OP_ILLEGAL) {
        validator_fail(v, "illegal opcode");
        return;
    }
    info = &opcode_infos[op];
    if (info->feature != 0)
        validator_need(v, info->feature);
    if (info->signature != SIGNATURE_special) {
        validate_fixed(v, op, info);
        return;
    }
    switch (op) {
    case OP_UNREACHABLE: set_unreachable(v); break;
    case OP_BLOCK:
    case OP_LOOP:
    case OP_IF:
    case OP_TRY: validate_block(v, op); break;
    case OP_ELSE: validate_else(v); break;
    case OP_END: validate_end(v); break;
    case OP_TRY_TABLE: validate_try_table(v); break;
    case OP_CATCH:
    case OP_CATCH_ALL: validate_legacy_catch(v, op); break;
    case OP_DELEGATE: validate_delegate(v); break;
    case OP_RETHROW: validate_rethrow(v); break;
    case OP_THROW:
        pop_list(v, read_tag(v));
        set_unreachable(v);
        break;
    case OP_THROW_REF:
        pop(v, valtype_ref(true, HEAP_EXN));
        set_unreachable(v);
        break;
    case OP_BR: validate_br(v); break;
    case OP_BR_IF: validate_br_if(v); break;
    case OP_BR_TABLE: validate_br_table(v); break;
    case OP_RETURN: validate_return(v); break;
    case OP_CALL: apply_call(v, func_type(v, read_func(v))); break;
    case OP_CALL_INDIRECT: apply_call(v, validate_callee_in_table(v)); break;
    case OP_CALL_REF: apply_call(v, validate_callee_reference(v)); break;
    case OP_RETURN_CALL: apply_tail_call(v, func_type(v, read_func(v))); break;
    case OP_RETURN_CALL_INDIRECT: apply_tail_call(v, validate_callee_in_table(v)); break;
    case OP_RETURN_CALL_REF: apply_tail_call(v, validate_callee_reference(v)); break;
    case OP_DROP: pop_any(v); break;
    case OP_SELECT: validate_select(v); break;
    case OP_SELECT_T: validate_select_typed(v); break;
    case OP_LOCAL_GET:
    case OP_LOCAL_SET:
    case OP_LOCAL_TEE: validate_local(v, op); break;
    case OP_GLOBAL_GET:
    case OP_GLOBAL_SET: validate_global(v, op); break;
    case OP_TABLE_GET:
    case OP_TABLE_SET:
    case OP_TABLE_SIZE:
    case OP_TABLE_GROW:
    case OP_TABLE_FILL: validate_table(v, op); break;
    case OP_TABLE_INIT: validate_table_init(v); break;
    case OP_TABLE_COPY: validate_table_copy(v); break;
    case OP_MEMORY_SIZE:
    case OP_MEMORY_GROW:
    case OP_MEMORY_FILL: validate_memory(v, op); break;
    case OP_MEMORY_INIT: validate_memory_init(v); break;
    case OP_MEMORY_COPY: validate_memory_copy(v); break;
    default: validate_gc_op(v, op); break;
    }
}
