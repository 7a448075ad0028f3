/* Blocks, branches and inlined calls: where SSA values meet. See build.h. */
#include "engine/ir/build.h"
#include <assert.h>

enum {
    INLINE_INSTRUCTIONS = 40, /* a callee with more is called, */
    INLINE_SOLITARY = 16,     /* or with more than this, outside of loops in a function that has */
    INLINE_LARGE = 100,       /* so many instructions */
    INLINE_DEPTH = 4,
    INLINE_RECURSION = 2, /* levels */
    INLINE_BUDGET = 2000, /* instructions that a function may grow by */
    /* a function with more is left to the baseline compiler: not all work is linear */
    MAX_INSTRUCTIONS = 200000,
    MAX_WORK = 100000000, /* instructions by locals */
};

ir_value build_emit(struct builder *b, unsigned op, uint8_t type, const ir_value *args, uint32_t count, uint64_t imm)
{
    ir_value v = ir_append(b->f, b->block, op, type, args, count, imm);
    ir_inst(b->f, v)->origin = b->origin;
    return v;
}

ir_value build_const_i64(struct builder *b, uint64_t bits)
{
    return ir_const(b->f, VT_I64, bits);
}

static struct build_label *innermost(struct builder *b)
{
    return vec_last(&b->labels);
}

struct build_label *build_label_at(struct builder *b, uint32_t depth)
{
    assert(depth < b->labels.len - b->frame->first_label);
    return &b->labels.data[b->labels.len - 1 - depth];
}

void build_start_block(struct builder *b, uint32_t block)
{
    b->block = block;
    ir_block(b->f, block)->order = (uint32_t)b->f->order.len;
    ir_block(b->f, block)->loop = b->loop;
    vec_push(&b->f->order, block);
}

void build_set_unreachable(struct builder *b)
{
    b->stack.len = innermost(b)->height;
    b->block = 0;
}

/* --- values at labels --------------------------------------------------------------------------------------------- */
static uint32_t label_operands(const struct build_label *l)
{
    return l->kind == BUILD_LOOP ? l->param_count : l->result_count;
}

/* An inlined function's results leave its locals behind. */
static uint32_t label_locals(const struct builder *b, const struct build_label *l)
{
    return l->kind == BUILD_INLINED ? 0 : b->frame->local_count;
}

static ir_value *current_values(struct builder *b, uint32_t locals, uint32_t operands)
{
    ir_value *values = arena_array(&b->f->scratch, ir_value, (size_t)locals + operands);

    if (locals != 0)
        memcpy(values, b->frame->locals, locals * sizeof *values);
    assert(b->stack.len >= operands && (operands == 0 || b->stack.data != NULL));
    if (operands != 0)
        memcpy(values + locals, b->stack.data + b->stack.len - operands, operands * sizeof *values);
    return values;
}

void build_take_values(struct builder *b, const ir_value *values, uint32_t locals, uint32_t operands)
{
    if (locals != 0)
        memcpy(b->frame->locals, values, locals * sizeof *values);
    for (uint32_t i = 0; i < operands; i++)
        build_push(b, values[locals + i]);
}

static ir_value new_phi(struct builder *b, uint32_t block, ir_value value, uint32_t preds)
{
    ir_value phi = ir_append(b->f, block, IR_PHI, ir_inst(b->f, value)->type, NULL, 0, 0);

    for (uint32_t i = 0; i < preds; i++)
        ir_push_arg(b->f, phi, value);
    return phi;
}

static void merge_value(struct builder *b, const struct build_label *l, ir_value *at, ir_value v, uint32_t preds)
{
    const struct ir_inst *i = ir_inst(b->f, *at);

    if (i->op == IR_PHI && i->block == l->block) {
        ir_push_arg(b->f, *at, v);
    } else if (*at != v) {
        assert(l->kind != BUILD_LOOP);
        *at = new_phi(b, l->block, *at, preds);
        ir_push_arg(b->f, *at, v);
    }
}

void build_arrive(struct builder *b, struct build_label *l)
{
    uint32_t locals = label_locals(b, l), operands = label_operands(l), preds;

    assert(b->block != 0);
    build_emit(b, IR_JUMP, VT_BOTTOM, NULL, 0, 0);
    if (l->block == 0) {
        l->block = ir_new_block(b->f);
        l->values = current_values(b, locals, operands);
    } else {
        const ir_value *top = b->stack.data + b->stack.len - operands;
        preds = ir_block(b->f, l->block)->pred_count;
        for (uint32_t i = 0; i < locals; i++)
            merge_value(b, l, &l->values[i], b->frame->locals[i], preds);
        for (uint32_t i = 0; i < operands; i++)
            merge_value(b, l, &l->values[locals + i], top[i], preds);
    }
    ir_add_edge(b->f, b->block, l->block);
    b->block = 0;
}

/* --- opening blocks ----------------------------------------------------------------------------------------------- */
struct build_label *build_open_label(struct builder *b, enum build_label_kind kind, struct block_type type)
{
    struct build_label l = {
        .kind = (uint8_t)kind, .loop = b->loop, .try_outside = b->try_number, .try_inside = b->try_number};

    if (type.type_index != MODULE_NONE) {
        const struct type_def *t = &b->module->types[type.type_index];
        l.param_count = t->param_count;
        l.params = t->params;
        l.result_count = t->result_count;
        l.results = t->results;
    } else if (type.result != VT_BOTTOM) {
        l.single = type.result;
        l.result_count = 1;
    }
    l.height = (uint32_t)b->stack.len - l.param_count;
    vec_push(&b->labels, l);
    return vec_last(&b->labels);
}

static const struct build_scan_loop *find_scan_loop(struct builder *b, uint32_t offset)
{
    struct build_frame *frame = b->frame;

    while (frame->scan.loops.data[frame->next_loop].offset != offset)
        frame->next_loop++;
    return &frame->scan.loops.data[frame->next_loop++];
}

const struct build_scan_try *build_find_scan_try(struct builder *b, uint32_t offset)
{
    struct build_frame *frame = b->frame;

    while (frame->scan.tries.data[frame->next_try].offset != offset)
        frame->next_try++;
    return &frame->scan.tries.data[frame->next_try++];
}

static void open_loop(struct builder *b)
{
    const struct build_scan_loop *scan = find_scan_loop(b, (uint32_t)rd_offset(&b->frame->body));
    struct build_label *l = build_open_label(b, BUILD_LOOP, body_block_type(&b->frame->body));
    uint32_t locals = b->frame->local_count, head = ir_new_block(b->f), from = b->block;

    build_emit(b, IR_JUMP, VT_BOTTOM, NULL, 0, 0);
    ir_add_edge(b->f, from, head);
    vec_push(&b->f->loops, (struct ir_loop){head, b->loop, 0, (uint32_t)b->f->order.len, 0});
    b->loop = l->loop = (uint32_t)b->f->loops.len - 1;
    build_start_block(b, head);
    l->block = head;
    l->values = current_values(b, locals, l->param_count);
    for (uint32_t i = 0; i < scan->count; i++) {
        uint32_t local = b->frame->scan.written.data[scan->first + i];
        l->values[local] = new_phi(b, head, l->values[local], 1);
    }
    for (uint32_t i = 0; i < l->param_count; i++)
        l->values[locals + i] = new_phi(b, head, l->values[locals + i], 1);
    b->stack.len = l->height;
    build_take_values(b, l->values, locals, l->param_count);
}

void build_jump(struct builder *b, uint32_t to)
{
    uint32_t from = b->block;

    build_emit(b, IR_JUMP, VT_BOTTOM, NULL, 0, 0);
    ir_add_edge(b->f, from, to);
    b->block = 0;
}

void build_branch(struct builder *b, ir_value condition, uint32_t *yes, uint32_t *no)
{
    uint32_t from = b->block;

    build_emit(b, IR_BRANCH, VT_BOTTOM, &condition, 1, 0);
    *yes = ir_new_block(b->f);
    *no = ir_new_block(b->f);
    ir_add_edge(b->f, from, *yes);
    ir_add_edge(b->f, from, *no);
    b->block = 0;
}

static void open_if(struct builder *b)
{
    ir_value condition = build_pop(b);
    struct build_label *l = build_open_label(b, BUILD_IF, body_block_type(&b->frame->body));
    uint32_t then;

    l->entry = current_values(b, b->frame->local_count, l->param_count);
    build_branch(b, condition, &then, &l->otherwise);
    build_start_block(b, then);
}

/* --- closing blocks ----------------------------------------------------------------------------------------------- */
static void enter_otherwise(struct builder *b, struct build_label *l)
{
    build_start_block(b, l->otherwise);
    b->stack.len = l->height;
    build_take_values(b, l->entry, b->frame->local_count, l->param_count);
}

static void open_else(struct builder *b)
{
    struct build_label *l = innermost(b);

    assert(l->kind == BUILD_IF);
    if (b->block != 0)
        build_arrive(b, l);
    enter_otherwise(b, l);
    l->kind = BUILD_ELSE;
}

static void emit_return(struct builder *b)
{
    uint32_t count = b->labels.data[b->frame->first_label].result_count;

    build_emit(b, IR_RETURN, VT_BOTTOM, b->stack.data + b->stack.len - count, count, 0);
    b->block = 0;
}

/* What follows the block: its label, if anything leads there. */
static void close_label(struct builder *b, struct build_label *l)
{
    uint32_t locals = label_locals(b, l);

    b->stack.len = l->height;
    if (l->block != 0) {
        b->loop = l->loop;
        build_start_block(b, l->block);
        build_take_values(b, l->values, locals, l->result_count);
    }
}

static void close_block(struct builder *b)
{
    struct build_label *l = innermost(b);

    if (l->kind == BUILD_LOOP) {
        struct ir_loop *loop = &b->f->loops.data[l->loop];
        loop->end = (uint32_t)b->f->order.len;
        b->loop = loop->parent;
        if (b->block != 0) { /* the newest block; it goes on behind the loop and has no way back: not part of it */
            loop->end--;
            ir_block(b->f, b->block)->loop = loop->parent;
        }
    } else if (l->kind == BUILD_FUNCTION) {
        if (b->block != 0)
            emit_return(b);
    } else {
        if (b->block != 0)
            build_arrive(b, l);
        if (l->kind == BUILD_IF) {
            enter_otherwise(b, l);
            build_arrive(b, l);
        }
        if (l->own_try != 0)
            build_put_handlers(b, l);
        close_label(b, l);
    }
    if (b->block == 0 && b->labels.len > b->frame->first_label + 1)
        b->stack.len = b->labels.data[b->labels.len - 2].height;
    b->labels.len--;
}

/* --- branches ----------------------------------------------------------------------------------------------------- */
static void leave_to(struct builder *b, struct build_label *l)
{
    if (l->kind == BUILD_FUNCTION)
        emit_return(b);
    else
        build_arrive(b, l);
}

void build_go_to(struct builder *b, struct build_label *l)
{
    struct ir_block *block = ir_block(b->f, b->block);

    if (l->loop < block->loop)
        block->loop = l->loop;
    leave_to(b, l);
}

static void br_if(struct builder *b, ir_value condition, struct build_label *l)
{
    uint32_t yes, no;

    build_branch(b, condition, &yes, &no);
    build_start_block(b, yes);
    build_go_to(b, l);
    build_start_block(b, no);
}

static void br_if_not(struct builder *b, ir_value condition, struct build_label *l)
{
    uint32_t yes, no;

    build_branch(b, condition, &yes, &no);
    build_start_block(b, no);
    build_go_to(b, l);
    build_start_block(b, yes);
}

void build_return(struct builder *b)
{
    leave_to(b, &b->labels.data[b->frame->first_label]);
}

static void br(struct builder *b, struct build_label *l)
{
    leave_to(b, l);
    build_set_unreachable(b);
}

static void br_table(struct builder *b)
{
    struct rd *r = &b->frame->body;
    ir_value index = build_pop(b);
    uint32_t count = body_u32(r) + 1, from = b->block, targets = 0;
    uint32_t *table = arena_array(&b->f->arena, uint32_t, count),
             *depths = arena_array(&b->f->scratch, uint32_t, count);
    struct ir_block *block;

    b->stamps++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t depth = body_u32(r);
        struct build_label *l = build_label_at(b, depth);
        if (l->stamp != b->stamps) {
            l->stamp = b->stamps;
            l->table_slot = targets;
            depths[targets++] = depth;
        }
        table[i] = l->table_slot;
    }
    if (targets == 1) {
        br(b, build_label_at(b, depths[0]));
        return;
    }
    build_emit(b, IR_SWITCH, VT_BOTTOM, &index, 1, 0);
    for (uint32_t i = 0; i < targets; i++)
        ir_add_edge(b->f, from, ir_new_block(b->f));
    block = ir_block(b->f, from);
    block->table = table;
    block->table_count = count;
    for (uint32_t i = 0; i < targets; i++) {
        build_start_block(b, ir_block(b->f, from)->succs[i]);
        build_go_to(b, build_label_at(b, depths[i]));
    }
    build_set_unreachable(b);
}

static ir_value is_null(struct builder *b, ir_value reference)
{
    return build_emit(b, OP_I32_EQZ, VT_I32, &reference, 1, 0);
}

static void br_on_null(struct builder *b, struct build_label *l)
{
    ir_value reference = build_pop(b);

    br_if(b, is_null(b, reference), l);
    build_push(b, reference);
}

static void br_on_non_null(struct builder *b, struct build_label *l)
{
    br_if_not(b, is_null(b, *vec_last(&b->stack)), l);
    b->stack.len--;
}

bool build_control(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;
    ir_value condition;

    switch (op) {
    case OP_UNREACHABLE:
        build_emit(b, IR_TRAP, VT_BOTTOM, NULL, 0, TRAP_UNREACHABLE);
        build_set_unreachable(b);
        return true;
    case OP_NOP: return true;
    case OP_BLOCK: build_open_label(b, BUILD_BLOCK, body_block_type(r)); return true;
    case OP_LOOP: open_loop(b); return true;
    case OP_IF: open_if(b); return true;
    case OP_ELSE: open_else(b); return true;
    case OP_END: close_block(b); return true;
    case OP_DELEGATE:
        body_u32(r);
        close_block(b);
        return true;
    case OP_BR: br(b, build_label_at(b, body_u32(r))); return true;
    case OP_BR_IF:
        condition = build_pop(b);
        br_if(b, condition, build_label_at(b, body_u32(r)));
        return true;
    case OP_BR_TABLE: br_table(b); return true;
    case OP_BR_ON_NULL: br_on_null(b, build_label_at(b, body_u32(r))); return true;
    case OP_BR_ON_NON_NULL: br_on_non_null(b, build_label_at(b, body_u32(r))); return true;
    case OP_RETURN:
        build_return(b);
        build_set_unreachable(b);
        return true;
    default: return build_try_op(b, op);
    }
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */
static bool opens_block(enum opcode op)
{
    return op == OP_BLOCK || op == OP_LOOP || op == OP_IF || op == OP_TRY_TABLE || op == OP_TRY;
}

static bool closes_block(enum opcode op)
{
    return op == OP_END || op == OP_DELEGATE;
}

static bool continues_block(enum opcode op)
{
    return op == OP_ELSE || op == OP_CATCH || op == OP_CATCH_ALL;
}

static void skip_unreachable(struct rd *r)
{
    uint32_t depth = 0;

    for (;;) {
        const uint8_t *at = r->at;
        enum opcode op = body_opcode(r);
        if (depth == 0 && (closes_block(op) || continues_block(op))) {
            r->at = at;
            return;
        }
        depth += opens_block(op);
        depth -= closes_block(op);
        body_skip_immediate(r, op);
    }
}

void build_function_body(struct builder *b)
{
    struct rd *r = &b->frame->body;

    while (b->labels.len != b->frame->first_label) {
        enum opcode op;
        if (b->block == 0)
            skip_unreachable(r);
        b->origin.wasm_offset = (uint32_t)rd_offset(r);
        op = body_opcode(r);
        if (!build_control(b, op) && !build_instruction(b, op))
            assert(!"the scan has seen every instruction");
    }
}

static ir_value zero_of(struct builder *b, uint8_t type)
{
    ir_value v;

    if (type != VT_V128)
        return ir_const(b->f, type, 0);
    v = ir_append(b->f, 0, IR_CONST, VT_V128, NULL, 0, 0);
    ir_insert_first(b->f, b->f->entry, v);
    return v;
}

/* Locals behind the parameters, which the caller has filled in. */
static void read_locals(struct builder *b, struct build_frame *frame)
{
    uint32_t at = frame->type->param_count;

    for (uint32_t groups = body_u32(&frame->body); groups != 0; groups--) {
        uint32_t count = body_u32(&frame->body);
        uint8_t type = build_type(body_valtype(&frame->body));
        ir_value zero = count != 0 ? zero_of(b, type) : IR_NONE;
        while (count-- != 0)
            frame->locals[at++] = zero;
    }
    assert(at == frame->local_count);
}

static void frame_init(struct builder *b, struct build_frame *frame, uint32_t func)
{
    frame->func = func;
    frame->type = &b->module->types[b->module->funcs[func].type];
    frame->body = body_of(b->module, func);
    frame->local_count = frame->scan.local_count;
    frame->locals = arena_array(&b->f->scratch, ir_value, frame->local_count);
    frame->first_label = b->labels.len;
    frame->outer = b->frame;
    frame->try_outside = b->try_number;
}

static struct build_label *open_function(struct builder *b, struct build_frame *frame, enum build_label_kind kind)
{
    struct build_label *l = build_open_label(b, kind, (struct block_type){MODULE_NONE, VT_BOTTOM});

    l->result_count = frame->type->result_count;
    l->results = frame->type->results;
    return l;
}

/* How often FUNC is being translated at this point: once more for each level of its recursion that is inlined. */
static unsigned times_open(const struct builder *b, uint32_t func)
{
    unsigned times = 0;

    for (const struct build_frame *frame = b->frame; frame != NULL; frame = frame->outer)
        times += frame->func == func;
    return times;
}

static bool find_small(const struct builder *b, uint32_t func)
{
    struct build_scan scan;
    uint32_t features_used;
    struct err err;
    bool small;

    if (b->module->funcs[func].body.len > INLINE_INSTRUCTIONS * 4)
        return false;
    /* another thread's part of the module, perhaps, which nobody has looked at yet */
    if (module_validate_bodies(&b->f->validator, b->module, UINT32_MAX, func, func + 1, &features_used, NULL, &err) !=
        0)
        return false;
    build_scan(&scan, b->module, func);
    small = scan.unsupported == NULL && scan.instructions <= INLINE_INSTRUCTIONS;
    build_scan_done(&scan);
    return small;
}

/* Whether a function may be inlined at all. Asked once for each: its body has to be validated first. */
static bool is_small(const struct builder *b, uint32_t func)
{
    uint8_t *known = &b->f->callees[func];

    if (*known == IR_CALLEE_UNKNOWN)
        *known = find_small(b, func) ? IR_CALLEE_SMALL : IR_CALLEE_CALLED;
    return *known == IR_CALLEE_SMALL;
}

static const struct build_frame *outermost(const struct builder *b)
{
    const struct build_frame *frame = b->frame;

    while (frame->outer != NULL)
        frame = frame->outer;
    return frame;
}

bool build_inline(struct builder *b, uint32_t func)
{
    struct build_frame frame = {0};
    struct site_origin call = b->origin;

    if (ir_leaves_out(b->f, OPT_inline) || func < b->module->imported_func_count || b->depth == INLINE_DEPTH ||
        times_open(b, func) > INLINE_RECURSION || !is_small(b, func))
        return false;
    build_scan(&frame.scan, b->module, func);
    if (b->inlined_instructions + frame.scan.instructions > INLINE_BUDGET ||
        (b->loop == 0 && frame.scan.instructions > INLINE_SOLITARY && outermost(b)->scan.instructions > INLINE_LARGE)) {
        build_scan_done(&frame.scan);
        return false;
    }
    b->inlined_instructions += frame.scan.instructions;
    frame_init(b, &frame, func);
    b->stack.len -= frame.type->param_count;
    if (frame.type->param_count != 0)
        memcpy(frame.locals, b->stack.data + b->stack.len, frame.type->param_count * sizeof *frame.locals);
    read_locals(b, &frame);
    open_function(b, &frame, BUILD_INLINED);
    vec_push(&b->f->inlinings, (struct code_inlining){func, call});
    b->origin.inlining = (uint32_t)b->f->inlinings.len;
    b->frame = &frame;
    b->depth++;
    build_function_body(b);
    b->depth--;
    b->frame = frame.outer;
    b->origin = call;
    build_scan_done(&frame.scan);
    if (b->block == 0)
        build_set_unreachable(b);
    return true;
}

static void add_params(struct builder *b, struct build_frame *frame)
{
    for (uint32_t i = 0; i < frame->type->param_count; i++)
        frame->locals[i] = build_emit(b, IR_PARAM, build_type(frame->type->params[i]), NULL, 0, i);
}

/* A loop that nothing leads back to is none. */
static uint32_t real_loop(const struct ir_func *f, uint32_t loop)
{
    while (loop != 0 && ir_block(f, f->loops.data[loop].head)->pred_count < 2)
        loop = f->loops.data[loop].parent;
    return loop;
}

static void settle_loops(struct ir_func *f)
{
    for (size_t i = 0; i < f->order.len; i++)
        ir_block(f, f->order.data[i])->loop = real_loop(f, ir_block(f, f->order.data[i])->loop);
    for (size_t i = 1; i < f->loops.len; i++) {
        struct ir_loop *loop = &f->loops.data[i];
        loop->parent = real_loop(f, loop->parent);
        loop->depth = f->loops.data[loop->parent].depth + 1;
    }
}

static bool is_too_large(const struct build_scan *scan)
{
    return scan->instructions > MAX_INSTRUCTIONS || (uint64_t)scan->instructions * scan->local_count > MAX_WORK;
}

bool ir_build(struct ir_func *f, const char **unsupported)
{
    struct builder b = {.f = f, .module = f->module};
    struct build_frame frame = {0};
    bool supported;

    build_scan(&frame.scan, f->module, f->index);
    *unsupported = is_too_large(&frame.scan) ? "a body of its size" : frame.scan.unsupported;
    supported = *unsupported == NULL;
    if (supported) {
        frame_init(&b, &frame, f->index);
        b.frame = &frame;
        b.origin.wasm_offset = (uint32_t)rd_offset(&frame.body);
        f->entry = ir_new_block(f);
        build_start_block(&b, f->entry);
        add_params(&b, &frame);
        read_locals(&b, &frame);
        open_function(&b, &frame, BUILD_FUNCTION);
        build_function_body(&b);
        settle_loops(f);
    }
    build_scan_done(&frame.scan);
    vec_done(&b.stack);
    vec_done(&b.labels);
    vec_done(&b.tries);
    vec_done(&b.handlers);
    arena_reset(&f->scratch);
    return supported;
}
