/* Parallel moves between registers, frame slots and stack arguments.
 *
 * A move whose destination nobody else reads is made first; when only circles are left, one destination is saved in a
 * scratch register. One is free for that: copies from memory to memory go through the integer scratch register, so
 * when there are any, the vector one holds what is saved. */
#include "engine/gen/mach.h"
#include <assert.h>

static struct masm_address address_of(const struct place *p)
{
    return masm_at(p->kind == PLACE_STACK ? target_native.stack : target_native.frame, p->disp);
}

static bool in_memory(const struct place *p)
{
    return p->kind == PLACE_SLOT || p->kind == PLACE_STACK;
}

static void copy_memory(struct masm *m, uint8_t type, const struct place *to, const struct place *from)
{
    struct masm_address a = address_of(to), b = address_of(from);

    if (type == VT_V128) { /* in halves: the vector scratch register may be in use */
        masm_copy(m, VT_I64, a, b);
        a.disp += 8;
        b.disp += 8;
        type = VT_I64;
    }
    masm_copy(m, type, a, b);
}

static void make_const(struct masm *m, const struct move *move)
{
    if (move->type == VT_V128) {
        reg r = move->to.kind == PLACE_REG ? move->to.reg : masm_scratch(true);
        masm_v128_const(m, r, move->from.bits, move->from.high);
        if (move->to.kind != PLACE_REG)
            masm_store(m, VT_V128, address_of(&move->to), r);
    } else if (move->to.kind == PLACE_REG) {
        masm_const(m, move->type, move->to.reg, move->from.bits);
    } else {
        masm_store_const(m, move->type, address_of(&move->to), move->from.bits);
    }
}

static void register_to_register(struct masm *m, uint8_t type, reg to, reg from)
{
    if (reg_is_vector(to) != reg_is_vector(from)) /* what was saved in the other class */
        masm_reinterpret(m, type == VT_I64, to, from);
    else
        masm_move(m, type, to, from);
}

static void make(struct masm *m, const struct move *move)
{
    const struct place *to = &move->to, *from = &move->from;

    if (from->kind == PLACE_CONST)
        make_const(m, move);
    else if (to->kind == PLACE_REG && from->kind == PLACE_REG)
        register_to_register(m, move->type, to->reg, from->reg);
    else if (to->kind == PLACE_REG)
        masm_load(m, move->type, to->reg, address_of(from));
    else if (from->kind == PLACE_REG && reg_is_vector(from->reg) && !mach_type_is_vector(move->type))
        masm_store(m, move->type == VT_I64 ? VT_F64 : VT_F32, address_of(to), from->reg);
    else if (from->kind == PLACE_REG)
        masm_store(m, move->type, address_of(to), from->reg);
    else
        copy_memory(m, move->type, to, from);
}

static bool is_source(const struct moves_list *moves, size_t except, const struct place *p)
{
    for (size_t i = 0; i < moves->list.len; i++)
        if (i != except && place_equal(&moves->list.data[i].from, p))
            return true;
    return false;
}

/* Something still reads the first move's destination: from a scratch register instead. */
static void break_circle(struct masm *m, struct moves_list *moves)
{
    struct place at = moves->list.data[0].to, held = {.kind = PLACE_REG};
    bool memory = false;
    uint8_t type = VT_BOTTOM;

    for (size_t i = 0; i < moves->list.len; i++) {
        const struct move *move = &moves->list.data[i];
        memory |= in_memory(&move->to) && in_memory(&move->from);
        if (place_equal(&move->from, &at))
            type = move->type;
    }
    held.reg = masm_scratch(memory || mach_type_is_vector(type));
    if (at.kind == PLACE_REG)
        register_to_register(m, type, held.reg, at.reg);
    else
        masm_load(m, type == VT_V128 ? VT_V128 : reg_is_vector(held.reg) ? VT_F64 : VT_I64, held.reg, address_of(&at));
    for (size_t i = 0; i < moves->list.len; i++)
        if (place_equal(&moves->list.data[i].from, &at))
            moves->list.data[i].from = held;
}

void moves_resolve(struct masm *m, struct moves_list *moves)
{
    while (moves->list.len != 0) {
        bool progress = false;
        for (size_t i = 0; i < moves->list.len;) {
            struct move move = moves->list.data[i];
            bool same = place_equal(&move.to, &move.from);
            if (!same && is_source(moves, i, &move.to)) {
                i++;
                continue;
            }
            if (!same)
                make(m, &move);
            moves->list.data[i] = moves->list.data[--moves->list.len];
            progress = true;
        }
        if (!progress)
            break_circle(m, moves);
    }
}
