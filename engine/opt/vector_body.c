/* The new loop's instructions: vectors in the place of lanes. */
#include "engine/opt/fold.h"
#include "engine/opt/vectorize.h"
#include <assert.h>

ir_value vector_emit(struct vectorizer *v, uint32_t b, unsigned op, uint8_t type, ir_value x, ir_value y, uint64_t imm)
{
    ir_value args[] = {x, y}, last = ir_block(v->f, b)->last, made, equal;
    bool ended = last != IR_NONE && (ir_effects(ir_inst(v->f, last)->op) & IR_TERMINATOR) != 0;

    made = ir_append(v->f, ended ? 0 : b, op, type, args, x == IR_NONE ? 0 : y == IR_NONE ? 1 : 2, imm);
    ir_inst(v->f, made)->origin = v->origin;
    if (ended)
        ir_insert_last(v->f, b, made);
    equal = fold_instruction(v->f, made);
    if (equal == IR_NONE)
        return made;
    ir_unlink(v->f, made);
    return equal;
}

static ir_value emit_vector(struct vectorizer *v, uint32_t b, unsigned op, ir_value x, ir_value y)
{
    return vector_emit(v, b, op, VT_V128, x, y, 0);
}

/* --- in front of the loop ------------------------------------------------------------------------------------------- */
static unsigned splat_of(uint8_t type)
{
    return type == VT_I32   ? OP_I32X4_SPLAT
           : type == VT_I64 ? OP_I64X2_SPLAT
           : type == VT_F32 ? OP_F32X4_SPLAT
                            : OP_F64X2_SPLAT;
}

static ir_value copy_constant(struct vectorizer *v, uint32_t b, ir_value constant)
{
    ir_value made = ir_append(v->f, b, IR_CONST, VT_V128, NULL, 0, ir_inst(v->f, constant)->imm);

    memcpy(ir_inst(v->f, made)->arg, ir_inst(v->f, constant)->arg, 8);
    return made;
}

/* VALUE in each lane. */
static ir_value emit_splat(struct vectorizer *v, uint32_t b, uint8_t type, ir_value value)
{
    if (type != VT_V128)
        return emit_vector(v, b, splat_of(type), value, IR_NONE);
    return ir_is_const(v->f, value) ? copy_constant(v, b, value) : value;
}

static ir_value emit_access(struct vectorizer *v, uint32_t b, unsigned op, uint8_t type, const struct vector_access *a,
                            ir_value offset, uint32_t element, ir_value value)
{
    ir_value args[] = {offset, v->roots[a->root].base, value};
    ir_value made = ir_append(v->f, b, op, type, args, value != IR_NONE ? 3 : 2,
                              (uint64_t)(a->offset + element * (int64_t)v->element_bytes));

    ir_inst(v->f, made)->origin = ir_inst(v->f, a->inst)->origin;
    return made;
}

void vector_make_splats(struct vectorizer *v, uint32_t b)
{
    for (uint32_t r = 0; r < v->root_count; r++)
        v->roots[r].base = vector_emit(v, b, IR_ADDRESS, VT_I64, v->roots[r].first, IR_NONE, 0);
    for (uint32_t n = 0; n < v->lanes_count; n++) {
        struct lanes *l = &v->lanes[n];
        if (l->kind == LANES_SPLAT && l->access != 0)
            l->scalar = emit_access(v, b, ir_inst(v->f, l->member[0])->op, l->type, &v->accesses[l->access - 1],
                                    IR_NONE, 0, IR_NONE);
        if (l->kind == LANES_SPLAT)
            l->made[0] = emit_splat(v, b, l->type, l->scalar);
        else if (l->kind == LANES_OPERATION && l->scalar != IR_NONE && ir_inst(v->f, l->scalar)->type == VT_I64)
            l->scalar = vector_emit(v, b, OP_I32_WRAP_I64, VT_I32, l->scalar, IR_NONE, 0);
        if (l->kind == LANES_PREVIOUS) /* only its last lane counts */
            l->carried = emit_splat(v, b, l->type, ir_inst(v->f, l->member[0])->args[v->loop.entry]);
    }
}

/* --- the loop ------------------------------------------------------------------------------------------------------- */
/* The last lane of BEFORE, then all but the last of VECTOR. */
static ir_value shift_in(struct vectorizer *v, uint32_t b, ir_value before, ir_value vector)
{
    uint8_t lanes[VECTOR_BYTES];
    struct ir_inst *i;
    ir_value made;

    if (v->element_bytes == VECTOR_BYTES)
        return before;
    made = ir_append(v->f, b, OP_I8X16_SHUFFLE, VT_V128, (ir_value[]){before, vector}, 2, 0);
    i = ir_inst(v->f, made);
    for (unsigned n = 0; n < VECTOR_BYTES; n++)
        lanes[n] = (uint8_t)(VECTOR_BYTES - v->element_bytes + n);
    memcpy(&i->imm, lanes, 8);
    memcpy(&i->arg[2], lanes + 8, 8);
    i->origin = v->origin;
    return made;
}

/* No store of the round changes what a load of it, even a later one, reads (vector_memory.c): so none is made twice. */
static ir_value make_load(struct vectorizer *v, uint32_t b, ir_value offset, const struct vector_access *a, uint32_t m)
{
    int64_t at = a->offset + m * VECTOR_BYTES;
    ir_value made;

    for (uint32_t n = 0; n < v->loaded_count; n++)
        if (v->loaded[n].root == a->root && v->loaded[n].offset == at)
            return v->loaded[n].vector;
    made = emit_access(v, b, OP_V128_LOAD, VT_V128, a, offset, m * v->lane_count, IR_NONE);
    v->loaded[v->loaded_count].vector = made;
    v->loaded[v->loaded_count].offset = at;
    v->loaded[v->loaded_count++].root = a->root;
    return made;
}

ir_value vector_make(struct vectorizer *v, uint32_t b, ir_value offset, uint32_t number, uint32_t m)
{
    struct lanes *l = &v->lanes[number];
    ir_value x;

    if (l->kind == LANES_SPLAT)
        return l->made[0];
    if (l->made[m] != IR_NONE)
        return l->made[m];
    switch ((enum lanes_kind)l->kind) {
    case LANES_LOAD: l->made[m] = make_load(v, b, offset, &v->accesses[l->access], m); break;
    case LANES_PREVIOUS:
        x = vector_make(v, b, offset, l->arg[0], m);
        l->made[m] = shift_in(v, b, m == 0 ? l->carried : vector_make(v, b, offset, l->arg[0], m - 1), x);
        break;
    default:
        x = vector_make(v, b, offset, l->arg[0], m);
        if (l->op == 0)
            l->made[m] = x;
        else if (l->scalar != IR_NONE)
            l->made[m] = emit_vector(v, b, l->op, x, l->scalar);
        else
            l->made[m] =
                emit_vector(v, b, l->op, x, l->arg_count == 2 ? vector_make(v, b, offset, l->arg[1], m) : IR_NONE);
    }
    return l->made[m];
}

void vector_make_body(struct vectorizer *v, uint32_t b, ir_value offset)
{
    const uint32_t stores = v->store_count;

    for (uint32_t m = 0; m < v->vectors; m++) {
        ir_value values[VECTOR_ACCESSES_MAX];
        for (uint32_t s = 0; s < stores; s++)
            values[s] = vector_make(v, b, offset, v->stores[s].value, m);
        for (uint32_t n = 0; n < v->lanes_count; n++) /* what a phi needs, though nothing that is stored does */
            if (v->lanes[n].kind == LANES_PREVIOUS)
                vector_make(v, b, offset, n, m);
        for (uint32_t s = 0; s < stores; s++)
            emit_access(v, b, OP_V128_STORE, VT_BOTTOM, &v->accesses[v->stores[s].access[0]], offset, m * v->lane_count,
                        values[s]);
    }
}
