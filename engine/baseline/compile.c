/* The baseline compiler: one pass over each body, straight to machine code (see compiler.h for how values are
 * tracked). */
#include "engine/baseline/compiler.h"
#include "engine/feature.h"
#include <assert.h>

/* --- a function's frame ------------------------------------------------------------------------------------------- */
static struct local *add_local(struct compiler *c, valtype type)
{
    struct local *l;

    if (c->local_count == c->local_capacity) {
        size_t capacity = c->local_capacity;
        c->locals = vec_grow(c->locals, &capacity, c->local_count + 1, sizeof *c->locals);
        c->local_capacity = (uint32_t)capacity;
    }
    l = &c->locals[c->local_count++];
    *l = (struct local){.type = value_type(type), .reg = REG_NONE, .home = REG_NONE};
    return l;
}

static void add_local_slot(struct compiler *c, struct local *l)
{
    c->fixed_bytes += valtype_size_bytes(l->type) == 16 ? 16 : 8;
    l->slot = -(int32_t)c->fixed_bytes;
}

/* Parameters stay where the caller put them: in registers, or in the slots above the return address. */
static void add_params(struct compiler *c)
{
    struct abi_walk walk = {0};

    for (uint32_t i = 0; i < c->type->param_count; i++) {
        struct local *l = add_local(c, c->type->params[i]);
        struct abi_place place = abi_next(&walk, c->type->params[i]);
        reg r;
        if (place.kind == ABI_SLOT) {
            l->slot = (int32_t)(16 + place.index * 8);
            continue;
        }
        add_local_slot(c, l);
        r = place.kind == ABI_INT ? target_native.int_args[place.index] : target_native.vector_args[place.index];
        l->reg = r;
        c->regs.locals |= regset_of(r);
        c->regs.dirty |= regset_of(r);
        c->regs.local_of[r] = (uint16_t)i;
        if (l->type == VT_I32 || l->type == VT_REF_NULL)
            c->regs.upper |= regset_of(r);
    }
}

/* They are zero, which most functions overwrite before the first block: vstack_settle_zeros. */
static void add_declared_locals(struct compiler *c)
{
    for (uint32_t groups = read_u32(&c->body); groups != 0; groups--) {
        uint32_t count = read_u32(&c->body);
        valtype type = body_valtype(&c->body);
        for (uint32_t i = 0; i < count; i++) {
            struct local *l = add_local(c, type);
            add_local_slot(c, l);
            l->zero = l->type != VT_V128;
            if (!l->zero)
                masm_zero_slots(&c->m, l->slot, 2);
        }
        c->zeros |= count != 0;
    }
}

static void open_function(struct compiler *c)
{
    struct control *k;

    vec_reserve(&c->controls, 1);
    k = &c->controls.data[0];
    memset(k, 0, sizeof *k);
    k->kind = CONTROL_FUNCTION;
    k->result_count = c->type->result_count;
    k->results = c->type->results;
    c->controls.len = 1;
}

/* --- one instruction ---------------------------------------------------------------------------------------------- */
static int unsupported(struct compiler *c, enum opcode op)
{
    uint32_t feature = opcode_infos[op].feature;

    return err_set(c->err, ENOTSUP, "function %u at byte %u: the instruction %s%s%s is not built yet for %s", c->func,
                   c->m.origin.wasm_offset, opcode_name(op), feature != 0 ? " of the feature " : "",
                   feature != 0 ? feature_name(feature) : "", target_native.name);
}

static void select_typed(struct compiler *c)
{
    for (uint32_t count = read_u32(&c->body); count != 0; count--)
        body_valtype(&c->body);
    control_select(c);
}

static bool compile_instruction(struct compiler *c, enum opcode op)
{
    struct rd *r = &c->body;
    uint32_t a;

    switch (op) {
    case OP_LOCAL_GET: vstack_push_local(c, read_u32(r)); return true;
    case OP_LOCAL_SET: vstack_set_local(c, read_u32(r), false); return true;
    case OP_LOCAL_TEE: vstack_set_local(c, read_u32(r), true); return true;
    case OP_GLOBAL_GET: compile_global_get(c, read_u32(r)); return true;
    case OP_GLOBAL_SET: compile_global_set(c, read_u32(r)); return true;
    case OP_I32_CONST: vstack_push_const(c, VT_I32, (uint32_t)read_signed(r)); return true;
    case OP_I64_CONST: vstack_push_const(c, VT_I64, (uint64_t)read_signed(r)); return true;
    case OP_F32_CONST: vstack_push_const(c, VT_F32, rd_u32(r)); return true;
    case OP_F64_CONST: vstack_push_const(c, VT_F64, rd_u64(r)); return true;
    case OP_DROP: vstack_drop(c); return true;
    case OP_SELECT: control_select(c); return true;
    case OP_SELECT_T: select_typed(c); return true;

    case OP_UNREACHABLE:
        masm_trap(&c->m, TRAP_UNREACHABLE);
        control_set_unreachable(c);
        return true;
    case OP_NOP: return true;
    case OP_BLOCK: control_block(c); return true;
    case OP_LOOP: control_loop(c); return true;
    case OP_IF: control_if(c); return true;
    case OP_ELSE: control_else(c); return true;
    case OP_END: control_end(c); return true;
    case OP_BR: control_br(c, read_u32(r)); return true;
    case OP_BR_IF: control_br_if(c, read_u32(r)); return true;
    case OP_BR_TABLE: control_br_table(c); return true;
    case OP_BR_ON_NULL: control_br_on_null(c, read_u32(r)); return true;
    case OP_BR_ON_NON_NULL: control_br_on_non_null(c, read_u32(r)); return true;
    case OP_RETURN: control_return(c); return true;
    case OP_CALL: call_function(c, read_u32(r), false); return true;
    case OP_RETURN_CALL: call_function(c, read_u32(r), true); return true;
    case OP_CALL_INDIRECT:
    case OP_RETURN_CALL_INDIRECT:
        a = read_u32(r);
        call_indirect(c, a, read_u32(r), op == OP_RETURN_CALL_INDIRECT);
        return true;
    case OP_CALL_REF:
    case OP_RETURN_CALL_REF: call_reference(c, read_u32(r), op == OP_RETURN_CALL_REF); return true;

    case OP_TRY_TABLE: compile_try_table(c); return true;
    case OP_THROW: compile_throw(c, read_u32(r)); return true;
    case OP_THROW_REF: compile_throw_ref(c); return true;
    case OP_TRY: compile_try(c); return true;
    case OP_CATCH: compile_catch(c, read_u32(r)); return true;
    case OP_CATCH_ALL: compile_catch(c, CODE_CATCH_ALL); return true;
    case OP_DELEGATE: compile_delegate(c, read_u32(r)); return true;
    case OP_RETHROW: compile_rethrow(c, read_u32(r)); return true;

    case OP_I32_LOAD ... OP_I64_LOAD32_U: compile_load(c, op); return true;
    case OP_I32_STORE ... OP_I64_STORE32: compile_store(c, op); return true;
    case OP_I32_EQZ ... OP_I64_EXTEND32_S: return numeric_op(c, op);

    case OP_MEMORY_SIZE: compile_memory_size(c, read_u32(r)); return true;
    case OP_MEMORY_GROW: compile_memory_grow(c, read_u32(r)); return true;
    case OP_MEMORY_FILL: compile_memory_fill(c, read_u32(r)); return true;
    case OP_MEMORY_COPY:
        a = read_u32(r);
        compile_memory_copy(c, a, read_u32(r));
        return true;
    case OP_MEMORY_INIT:
        a = read_u32(r);
        compile_memory_init(c, a, read_u32(r));
        return true;
    case OP_DATA_DROP: call_builtin(c, BUILTIN_DATA_DROP, read_u32(r), 0, VT_BOTTOM); return true;

    case OP_TABLE_GET: compile_table_get(c, read_u32(r)); return true;
    case OP_TABLE_SET: compile_table_set(c, read_u32(r)); return true;
    case OP_TABLE_SIZE: compile_table_size(c, read_u32(r)); return true;
    case OP_TABLE_GROW: compile_table_grow(c, read_u32(r)); return true;
    case OP_TABLE_FILL: compile_table_fill(c, read_u32(r)); return true;
    case OP_TABLE_COPY:
        a = read_u32(r);
        compile_table_copy(c, a, read_u32(r));
        return true;
    case OP_TABLE_INIT:
        a = read_u32(r);
        compile_table_init(c, a, read_u32(r));
        return true;
    case OP_ELEM_DROP: call_builtin(c, BUILTIN_ELEM_DROP, read_u32(r), 0, VT_BOTTOM); return true;

    case OP_REF_NULL:
        body_heaptype(r);
        vstack_push_const(c, VT_REF_NULL, 0);
        return true;
    case OP_REF_IS_NULL: compile_ref_is_null(c); return true;
    case OP_REF_FUNC: compile_ref_func(c, read_u32(r)); return true;
    case OP_REF_AS_NON_NULL: compile_ref_as_non_null(c); return true;
    default: return numeric_op(c, op) || vector_op(c, op) || gc_op(c, op) || atomic_op(c, op);
    }
}

/* --- functions and modules ---------------------------------------------------------------------------------------- */
enum { CONTROLS_EXPECTED = 512 }; /* deeper nesting is rare, and what grows is copied */

static int compile_body(struct compiler *c)
{
    while (c->controls.len != 0) {
        enum opcode op;
        if (c->unreachable)
            control_skip(c);
        c->m.origin.wasm_offset = (uint32_t)rd_offset(&c->body);
        op = read_opcode(&c->body);
        if (!compile_instruction(c, op))
            return unsupported(c, op);
        vstack_end_instruction(c);
    }
    assert(c->body.fault == NULL);
    return 0;
}

static void reset_function(struct compiler *c, uint32_t func)
{
    c->func = func;
    c->type = &c->module->types[c->module->funcs[func].type];
    c->body = body_of(c->module, func);
    c->local_count = c->height = c->max_slots = 0;
    c->fixed_bytes = 8; /* the instance, gen/abi.h */
    c->regs.locals = c->regs.dirty = c->regs.upper = c->temps = c->pinned = 0;
    c->turn = 0;
    c->destination = NO_LOCAL;
    c->homes.len = 1;
    c->homes.data[0].set = c->home_set = 0;
    c->next_loop = c->loops->functions.data[func - c->m.first_func];
    c->handlers.len = 0;
    c->unreachable = c->zeros = false;
}

/* ENDED: false if it must be done again (masm_end). */
static int compile_with_frame(struct compiler *c, bool *ended)
{
    size_t first_try = c->m.out->tries.len;
    uint32_t pop_bytes, entry;
    int result;

    c->m.origin = (struct site_origin){(uint32_t)rd_offset(&c->body), 0};
    pop_bytes = abi_types_area_bytes(c->type->params, c->type->param_count);
    if (c->options->replaceable) {
        entry = masm_replaceable(&c->m);
        masm_begin(&c->m, pop_bytes);
    } else {
        entry = masm_begin(&c->m, pop_bytes);
    }
    vec_push(&c->m.out->entries, entry);
    add_params(c);
    add_declared_locals(c);
    open_function(c);
    result = compile_body(c);
    if (result == 0) {
        uint32_t frame_bytes = (c->fixed_bytes + c->max_slots * 8 + 15) & ~15u;
        *ended = masm_end(&c->m, frame_bytes);
        try_end_function(c, first_try, frame_bytes);
    }
    return result;
}

static int compile_function(struct compiler *c, uint32_t func)
{
    bool ended = true;
    int result;

    reset_function(c, func);
    if (c->options->compile_function != NULL &&
        c->options->compile_function(&c->optimizer, &c->m, c->module, c->options, func))
        return 0;
    while ((result = compile_with_frame(c, &ended)) == 0 && !ended)
        reset_function(c, func);
    return result;
}

static int check_size(struct compiler *c)
{
    if ((uint64_t)(c->m.code.at - c->m.code.start) <= target_native.code_bytes_max)
        return 0;
    return err_set(c->err, E2BIG, "function %u: the module's machine code exceeds %u MiB", c->func,
                   target_native.code_bytes_max >> 20);
}

static struct compiler *compiler_new(void)
{
    struct compiler *c = calloc(1, sizeof *c);

    if (c == NULL)
        out_of_memory();
    vec_reserve(&c->homes, 1);
    vec_reserve(&c->controls, CONTROLS_EXPECTED);
    return c;
}

int baseline_compile(struct compiler **kept, const struct module *m, const struct code_options *options, uint32_t first,
                     uint32_t end, const struct loops *loops, struct code_object *out, struct err *err)
{
    struct compiler *c = *kept != NULL ? *kept : (*kept = compiler_new());
    int result = 0;

    c->module = m;
    c->options = options;
    c->loops = loops;
    c->err = err;
    masm_init(&c->m, out, options->cpu_features, first);
    for (uint32_t i = first; i < end && result == 0; i++) {
        result = compile_function(c, i);
        if (result == 0)
            result = check_size(c);
    }
    if (result == 0)
        masm_finish(&c->m);
    masm_done(&c->m);
    optimizer_free(c->optimizer);
    c->optimizer = NULL;
    return result;
}

void baseline_free(struct compiler *kept)
{
    if (kept == NULL)
        return;
    free(kept->locals);
    free(kept->stack);
    vec_done(&kept->controls);
    vec_done(&kept->handlers);
    vec_done(&kept->homes);
    vec_done(&kept->table_labels);
    free(kept);
}
