/* Making and changing the IR: instructions, blocks, edges, constants. */
#include "engine/ir/ir.h"
#include <assert.h>

enum { LOAD = IR_READS | IR_TRAPS, STORE = IR_WRITES | IR_TRAPS };

const uint8_t ir_effect_table[IR_OP_COUNT] = {[OP_I32_DIV_S... OP_I32_REM_U] = IR_TRAPS,
                                              [OP_I64_DIV_S... OP_I64_REM_U] = IR_TRAPS,
                                              [OP_I32_TRUNC_F32_S... OP_I32_TRUNC_F64_U] = IR_TRAPS,
                                              [OP_I64_TRUNC_F32_S... OP_I64_TRUNC_F64_U] = IR_TRAPS,
                                              [OP_REF_AS_NON_NULL] = IR_TRAPS,
                                              [OP_I32_LOAD... OP_I64_LOAD32_U] = LOAD,
                                              [OP_V128_LOAD... OP_V128_LOAD64_SPLAT] = LOAD,
                                              [OP_V128_LOAD32_ZERO] = LOAD,
                                              [OP_V128_LOAD64_ZERO] = LOAD,
                                              [OP_V128_LOAD8_LANE... OP_V128_LOAD64_LANE] = LOAD,
                                              [OP_I32_STORE... OP_I64_STORE32] = STORE,
                                              [OP_V128_STORE] = STORE,
                                              [OP_V128_STORE8_LANE... OP_V128_STORE64_LANE] = STORE,
                                              [OPCODE_SPACE_ATOMIC... OPCODE_COUNT - 1] = LOAD | STORE,
#define X(id, text, effects) [IR_##id] = effects,
                                              IR_OPS(X)
#undef X
};

static const char *const own_names[IR_OP_COUNT - OPCODE_COUNT] = {
#define X(id, text, effects) [IR_##id - OPCODE_COUNT] = text,
    IR_OPS(X)
#undef X
};

const char *ir_op_name(unsigned op)
{
    return op >= OPCODE_COUNT ? own_names[op - OPCODE_COUNT] : opcode_name((enum opcode)op);
}

uint8_t ir_wasm_type(unsigned op)
{
    const struct signature *s = &signatures[opcode_infos[op].signature];
    return s->result_count == 1 ? s->results[0] : VT_BOTTOM;
}

/* --- instructions ------------------------------------------------------------------------------------------------- */
void ir_func_init(struct ir_func *f, const struct module *m, uint32_t index)
{
    f->insts.len = f->blocks.len = f->loops.len = f->order.len = f->inlinings.len = 0;
    arena_reset(&f->arena);
    arena_reset(&f->scratch);
    if (f->constants.count != 0)
        memset(f->constants.slots, 0, (f->constants.mask + 1) * sizeof *f->constants.slots);
    f->constants.count = 0;
    f->explicit_bounds_checks = false;
    if (f->module != m) {
        free(f->callees);
        f->callees = calloc(m->func_count != 0 ? m->func_count : 1, 1);
        if (f->callees == NULL)
            out_of_memory();
    }
    f->module = m;
    f->index = index;
    f->type = &m->types[m->funcs[index].type];
    vec_push(&f->insts, (struct ir_inst){.op = IR_COPY});
    vec_push(&f->blocks, (struct ir_block){0});
    vec_push(&f->loops, (struct ir_loop){0});
}

void ir_func_done(struct ir_func *f)
{
    vec_done(&f->insts);
    vec_done(&f->blocks);
    vec_done(&f->loops);
    vec_done(&f->order);
    vec_done(&f->inlinings);
    free(f->constants.slots);
    free(f->callees);
    validator_free(f->validator);
    arena_free(&f->arena);
    arena_free(&f->scratch);
}

void ir_leave_scratch(struct ir_func *f)
{
    enum { LARGE_BYTES = 128 << 10 }; /* below it page faults would cost more than it is worth */

    if (f->scratch.chunks != NULL && f->scratch.chunks->size_bytes > LARGE_BYTES)
        arena_free(&f->scratch);
    else
        arena_reset(&f->scratch);
}

uint32_t ir_new_block(struct ir_func *f)
{
    vec_push(&f->blocks, (struct ir_block){0});
    return (uint32_t)f->blocks.len - 1;
}

static void link_between(struct ir_func *f, uint32_t b, ir_value prev, ir_value v, ir_value next)
{
    struct ir_block *block = ir_block(f, b);
    struct ir_inst *i = ir_inst(f, v);

    i->block = b;
    i->prev = prev;
    i->next = next;
    if (prev != IR_NONE)
        ir_inst(f, prev)->next = v;
    else
        block->first = v;
    if (next != IR_NONE)
        ir_inst(f, next)->prev = v;
    else
        block->last = v;
}

void ir_append_as(struct ir_func *f, ir_value v, uint32_t b, unsigned op, uint8_t type, const ir_value *args,
                  uint32_t arg_count, uint64_t imm)
{
    struct ir_inst *i = ir_inst(f, v);

    memset(i, 0, sizeof *i);
    i->op = (uint16_t)op;
    i->type = type;
    i->imm = imm;
    i->arg_count = arg_count;
    if (ir_is_variadic(op)) {
        i->capacity = arg_count;
        i->args = arena_array(&f->arena, ir_value, arg_count);
    }
    assert(ir_is_variadic(op) || arg_count <= IR_FIXED_ARGS);
    if (arg_count != 0)
        memcpy(ir_args(i), args, arg_count * sizeof *args);
    if (b != 0)
        link_between(f, b, ir_block(f, b)->last, v, IR_NONE);
}

ir_value ir_append(struct ir_func *f, uint32_t b, unsigned op, uint8_t type, const ir_value *args, uint32_t arg_count,
                   uint64_t imm)
{
    ir_value v = (ir_value)f->insts.len;

    vec_reserve(&f->insts, 1);
    f->insts.len++;
    ir_append_as(f, v, b, op, type, args, arg_count, imm);
    return v;
}

void ir_insert_before(struct ir_func *f, ir_value v, ir_value before)
{
    struct ir_inst *i = ir_inst(f, before);
    link_between(f, i->block, i->prev, v, before);
}

void ir_insert_first(struct ir_func *f, uint32_t b, ir_value v)
{
    link_between(f, b, IR_NONE, v, ir_block(f, b)->first);
}

void ir_insert_last(struct ir_func *f, uint32_t b, ir_value v)
{
    ir_insert_before(f, v, ir_block(f, b)->last);
}

void ir_unlink(struct ir_func *f, ir_value v)
{
    struct ir_inst *i = ir_inst(f, v);
    struct ir_block *b = ir_block(f, i->block);

    if (i->prev != IR_NONE)
        ir_inst(f, i->prev)->next = i->next;
    else
        b->first = i->next;
    if (i->next != IR_NONE)
        ir_inst(f, i->next)->prev = i->prev;
    else
        b->last = i->prev;
    i->prev = i->next = IR_NONE;
    i->block = 0;
}

void ir_push_arg(struct ir_func *f, ir_value v, ir_value arg)
{
    struct ir_inst *i = ir_inst(f, v);

    assert(ir_is_variadic(i->op));
    if (i->arg_count == i->capacity) {
        uint32_t capacity = i->capacity < 4 ? 4 : i->capacity * 2;
        ir_value *args = arena_array(&f->arena, ir_value, capacity);
        memcpy(args, i->args, i->arg_count * sizeof *args);
        i->args = args;
        i->capacity = capacity;
    }
    i->args[i->arg_count++] = arg;
}

/* --- constants ---------------------------------------------------------------------------------------------------- */
static uint32_t constant_slot(const struct ir_func *f, uint8_t type, uint64_t bits)
{
    uint64_t hash = (bits ^ type) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 32) & f->constants.mask;

    for (;; at = (at + 1) & f->constants.mask) {
        ir_value v = f->constants.slots[at];
        if (v == IR_NONE || (ir_inst(f, v)->imm == bits && ir_inst(f, v)->type == type))
            return at;
    }
}

static void grow_constants(struct ir_func *f)
{
    ir_value *old = f->constants.slots;
    uint32_t old_count = old != NULL ? f->constants.mask + 1 : 0, count = old_count != 0 ? old_count * 2 : 32;

    f->constants.slots = calloc(count, sizeof *old);
    if (f->constants.slots == NULL)
        out_of_memory();
    f->constants.mask = count - 1;
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i] != IR_NONE)
            f->constants.slots[constant_slot(f, ir_inst(f, old[i])->type, ir_inst(f, old[i])->imm)] = old[i];
    free(old);
}

/* Where a constant is known, or is to be. */
static ir_value *find_constant(struct ir_func *f, uint8_t type, uint64_t bits)
{
    if (f->constants.slots == NULL || f->constants.count * 2 > f->constants.mask)
        grow_constants(f);
    return &f->constants.slots[constant_slot(f, type, bits)];
}

void ir_note_const(struct ir_func *f, ir_value v)
{
    ir_value *known = find_constant(f, ir_inst(f, v)->type, ir_inst(f, v)->imm);

    assert(ir_inst(f, v)->op == IR_CONST && ir_inst(f, v)->type != VT_V128);
    if (*known == IR_NONE) {
        *known = v;
        f->constants.count++;
    }
}

ir_value ir_const(struct ir_func *f, uint8_t type, uint64_t bits)
{
    ir_value v;

    assert(type != VT_V128);
    if (type == VT_I32 || type == VT_F32 || type == VT_REF_NULL)
        bits = (uint32_t)bits;
    v = *find_constant(f, type, bits);
    if (v != IR_NONE)
        return v;
    v = ir_append(f, 0, IR_CONST, type, NULL, 0, bits);
    ir_insert_first(f, f->entry, v);
    ir_note_const(f, v);
    return v;
}

/* --- edges -------------------------------------------------------------------------------------------------------- */
static uint32_t *push_block(struct ir_func *f, uint32_t *list, uint32_t *count, uint32_t *capacity, uint32_t b)
{
    if (*count == *capacity) {
        uint32_t more = *capacity < 2 ? 2 : *capacity * 2;
        uint32_t *grown = arena_array(&f->arena, uint32_t, more);
        if (*count != 0)
            memcpy(grown, list, *count * sizeof *list);
        list = grown;
        *capacity = more;
    }
    list[(*count)++] = b;
    return list;
}

void ir_add_edge(struct ir_func *f, uint32_t from, uint32_t to)
{
    struct ir_block *a = ir_block(f, from), *b = ir_block(f, to);
    uint32_t capacity = a->succ_count;

    a->succs = push_block(f, a->succs, &a->succ_count, &capacity, to);
    b->preds = push_block(f, b->preds, &b->pred_count, &b->pred_capacity, from);
}

void ir_remove_pred(struct ir_func *f, uint32_t b, uint32_t pred)
{
    struct ir_block *block = ir_block(f, b);
    uint32_t at = 0;

    while (block->preds[at] != pred)
        at++;
    block->pred_count--;
    memmove(block->preds + at, block->preds + at + 1, (block->pred_count - at) * sizeof *block->preds);
    for (ir_value v = block->first; v != IR_NONE && ir_inst(f, v)->op == IR_PHI; v = ir_inst(f, v)->next) {
        struct ir_inst *i = ir_inst(f, v);
        i->arg_count--;
        memmove(i->args + at, i->args + at + 1, (i->arg_count - at) * sizeof *i->args);
    }
}

/* --- replacing ---------------------------------------------------------------------------------------------------- */
ir_value ir_resolve(const struct ir_func *f, ir_value v)
{
    while (v != IR_NONE && f->insts.data[v].op == IR_COPY)
        v = f->insts.data[v].arg[0];
    return v;
}

void ir_replace(struct ir_func *f, ir_value v, ir_value by)
{
    struct ir_inst *i = ir_inst(f, v);

    by = ir_resolve(f, by);
    assert(by != v);
    if (i->block != 0)
        ir_unlink(f, v);
    i->op = IR_COPY;
    i->arg_count = 1;
    i->arg[0] = by;
}

/* Shortens chains on the way, so that long ones are walked once. */
static ir_value resolve_short(struct ir_func *f, ir_value v)
{
    ir_value end = ir_resolve(f, v);

    while (v != end) {
        ir_value next = f->insts.data[v].arg[0];
        f->insts.data[v].arg[0] = end;
        v = next;
    }
    return end;
}

void ir_apply_copies(struct ir_func *f)
{
    for (size_t n = 0; n < f->order.len; n++) {
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            struct ir_inst *i = ir_inst(f, v);
            ir_value *args = ir_args(i);
            for (uint32_t k = 0; k < i->arg_count; k++)
                if (args[k] != IR_NONE)
                    args[k] = resolve_short(f, args[k]);
        }
    }
}

void ir_count_uses(struct ir_func *f)
{
    for (size_t v = 0; v < f->insts.len; v++)
        f->insts.data[v].uses = 0;
    for (size_t n = 0; n < f->order.len; n++) {
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            struct ir_inst *i = ir_inst(f, v);
            ir_value *args = ir_args(i);
            for (uint32_t k = 0; k < i->arg_count; k++)
                f->insts.data[args[k]].uses++;
        }
    }
}
