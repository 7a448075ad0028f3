/* Operands, locals and registers while a function is compiled (see compiler.h).
 *
 * A register is free, holds a local (c->regs.locals), holds an operand (c->temps), or is pinned by the instruction
 * being compiled. Operands popped into registers are only pinned: the end of the instruction frees them. */
#include "engine/baseline/compiler.h"
#include <assert.h>

/* Operands deeper than this are in slots, so that a search of the stack for the users of a local is short. */
enum { VSTACK_LIVE_DEPTH = 32 };

static void release_reference(struct compiler *c, const struct value *v)
{
    if (v->kind == VALUE_LOCAL)
        c->locals[v->local].refs--;
    else if (v->kind == VALUE_REG)
        c->temps &= ~regset_of(v->reg);
}

static void note_slot(struct compiler *c, const struct value *v)
{
    if (value_end_slot(v) > c->max_slots)
        c->max_slots = value_end_slot(v);
}

/* Writes an operand into its own slot. */
static void spill(struct compiler *c, struct value *v)
{
    struct masm_address slot = vstack_slot(c, v);

    switch ((enum value_kind)v->kind) {
    case VALUE_SLOT: return;
    case VALUE_CONST: masm_store_const(&c->m, v->type, slot, v->bits); break;
    case VALUE_REG: masm_store(&c->m, v->type, slot, v->reg); break;
    case VALUE_LOCAL:
        if (c->locals[v->local].reg != REG_NONE)
            masm_store(&c->m, v->type, slot, c->locals[v->local].reg);
        else
            masm_copy(&c->m, v->type, slot, vstack_local_slot(c, v->local));
        break;
    case VALUE_FLAGS: assert(!"flags are consumed by the next instruction");
    }
    release_reference(c, v);
    note_slot(c, v);
    v->kind = VALUE_SLOT;
}

/* --- pushing ------------------------------------------------------------------------------------------------------ */
void vstack_push_slow(struct compiler *c)
{
    struct value *deep;

    if (c->height == c->stack_capacity) {
        size_t capacity = c->stack_capacity;
        c->stack = vec_grow(c->stack, &capacity, c->height + 1, sizeof *c->stack);
        c->stack_capacity = (uint32_t)capacity;
        c->easy_height = c->stack_capacity < VSTACK_LIVE_DEPTH ? c->stack_capacity : VSTACK_LIVE_DEPTH;
    }
    if (c->height <= VSTACK_LIVE_DEPTH)
        return;
    deep = &c->stack[c->height - VSTACK_LIVE_DEPTH];
    if (deep->kind == VALUE_LOCAL || deep->kind == VALUE_REG)
        spill(c, deep);
}

void vstack_push_slot(struct compiler *c, uint8_t type)
{
    note_slot(c, vstack_push(c, VALUE_SLOT, type));
}

void vstack_truncate(struct compiler *c, uint32_t height)
{
    assert(c->height >= height);
    while (c->height > height)
        vstack_drop(c);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */
static void forget_local_register(struct compiler *c, reg r)
{
    c->locals[c->regs.local_of[r]].reg = REG_NONE;
    c->regs.locals &= ~regset_of(r);
    c->regs.dirty &= ~regset_of(r);
}

static void hold_local(struct compiler *c, uint32_t local, reg r, bool dirty)
{
    c->locals[local].reg = r;
    c->locals[local].zero = false;
    c->regs.local_of[r] = (uint16_t)local;
    c->regs.locals |= regset_of(r);
    c->regs.dirty = dirty ? c->regs.dirty | regset_of(r) : c->regs.dirty & ~regset_of(r);
}

static void save_local(struct compiler *c, reg r)
{
    uint32_t local = c->regs.local_of[r];

    if (regset_has(c->regs.dirty, r))
        masm_store(&c->m, c->locals[local].type, vstack_local_slot(c, local), r);
    c->regs.dirty &= ~regset_of(r);
}

static reg pick_in_turn(struct compiler *c, regset set)
{
    regset later = set >> c->turn << c->turn;
    reg r = regset_first(later != 0 ? later : set);

    c->turn = (r + 1u) % REG_COUNT;
    return r;
}

static reg deepest_operand(const struct compiler *c, regset set)
{
    reg best = regset_first(set);

    for (regset left = set; left != 0; left &= left - 1)
        if (c->value_of[regset_first(left)] < c->value_of[best])
            best = regset_first(left);
    return best;
}

/* What is cheapest to lose first: a copy, then what must be written once, then operands, then a loop's own locals. */
static reg evict(struct compiler *c, regset set)
{
    regset homes = c->home_set, candidates = set & ~c->pinned;
    regset locals = candidates & c->regs.locals, operands = candidates & c->temps;
    const regset order[] = {locals & ~homes & ~c->regs.dirty, locals & ~homes, 0, locals & ~c->regs.dirty, locals};

    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (i == 2 && operands != 0) {
            reg r = deepest_operand(c, operands);
            spill(c, &c->stack[c->value_of[r]]);
            return r;
        }
        if (order[i] != 0) {
            reg r = pick_in_turn(c, order[i]);
            save_local(c, r);
            forget_local_register(c, r);
            return r;
        }
    }
    assert(!"an instruction pins few registers");
    return REG_NONE;
}

static regset free_registers(const struct compiler *c, bool vector)
{
    regset set = vector ? target_native.vectors : target_native.ints;
    return set & ~(c->regs.locals | c->temps | c->pinned);
}

reg vstack_alloc(struct compiler *c, bool vector)
{
    regset unused = free_registers(c, vector);
    regset better = unused & ~c->home_set;
    reg r;

    if (better != 0)
        r = regset_first(better);
    else if (unused != 0)
        r = regset_first(unused);
    else
        r = evict(c, vector ? target_native.vectors : target_native.ints);
    c->pinned |= regset_of(r);
    c->regs.upper &= ~regset_of(r);
    return r;
}

/* A register to hold LOCAL: its home where that is free. */
static reg alloc_for_local(struct compiler *c, uint32_t local)
{
    const struct local *l = &c->locals[local];
    bool vector = type_is_vector(l->type);

    if (l->home == REG_NONE || !regset_has(free_registers(c, vector), l->home))
        return vstack_alloc(c, vector);
    c->pinned |= regset_of(l->home);
    c->regs.upper &= ~regset_of(l->home);
    return l->home;
}

void vstack_vacate(struct compiler *c, reg r)
{
    bool vector = reg_is_vector(r);
    regset bit = regset_of(r), unused = free_registers(c, vector) & ~bit;
    regset better = unused & ~c->home_set;
    reg other = better != 0 ? regset_first(better) : unused != 0 ? regset_first(unused) : REG_NONE;

    assert(!regset_has(c->pinned, r));
    if (regset_has(c->regs.locals, r)) {
        uint32_t local = c->regs.local_of[r];
        bool dirty = regset_has(c->regs.dirty, r);
        if (other == REG_NONE)
            save_local(c, r);
        forget_local_register(c, r);
        if (other != REG_NONE) {
            masm_move(&c->m, c->locals[local].type, other, r);
            hold_local(c, local, other, dirty);
            c->regs.upper &= ~regset_of(other);
        }
    } else if (regset_has(c->temps, r)) {
        struct value *v = &c->stack[c->value_of[r]];
        if (other == REG_NONE) {
            spill(c, v);
        } else {
            masm_move(&c->m, v->type, other, r);
            v->reg = other;
            c->value_of[other] = c->value_of[r];
            c->temps = (c->temps & ~bit) | regset_of(other);
            c->regs.upper &= ~regset_of(other);
        }
    }
    c->pinned |= bit;
    c->regs.upper &= ~bit;
}

/* --- popping ------------------------------------------------------------------------------------------------------ */
static __attribute__((noinline)) reg load_local(struct compiler *c, uint32_t local)
{
    reg r = alloc_for_local(c, local);

    masm_load(&c->m, c->locals[local].type, r, vstack_local_slot(c, local));
    hold_local(c, local, r, false);
    return r;
}

/* What is in no register gets one. */
static __attribute__((noinline)) reg load_operand(struct compiler *c, const struct value *v)
{
    reg r = vstack_alloc(c, type_is_vector(v->type));

    switch ((enum value_kind)v->kind) {
    case VALUE_CONST: masm_const(&c->m, v->type, r, v->bits); break;
    case VALUE_SLOT: masm_load(&c->m, v->type, r, vstack_slot(c, v)); break;
    case VALUE_FLAGS: masm_set(&c->m, v->cond, r); break;
    case VALUE_REG:
    case VALUE_LOCAL: assert(!"these have one");
    }
    return r;
}

struct operand vstack_pop(struct compiler *c)
{
    const struct value *v = &c->stack[--c->height];
    struct operand o = {v->reg, true};

    if (v->kind == VALUE_LOCAL) {
        struct local *l = &c->locals[v->local];
        l->refs--;
        o = (struct operand){l->reg != REG_NONE ? l->reg : load_local(c, v->local), false};
    } else if (v->kind == VALUE_REG) {
        c->temps &= ~regset_of(o.reg);
    } else {
        o.reg = load_operand(c, v);
    }
    c->pinned |= regset_of(o.reg);
    return o;
}

struct operand vstack_pop_extended(struct compiler *c)
{
    struct operand o = vstack_pop(c);

    if (regset_has(c->regs.upper, o.reg)) {
        masm_zero_extend(&c->m, o.reg, o.reg);
        c->regs.upper &= ~regset_of(o.reg);
    }
    return o;
}

/* --- setting locals ----------------------------------------------------------------------------------------------- */
/* The operands that are the local's present value get it for themselves, since the local is about to change. */
static void detach_operands(struct compiler *c, uint32_t local)
{
    struct local *l = &c->locals[local];

    for (uint32_t i = c->height; l->refs != 0; i--) {
        struct value *v;
        assert(i != 0);
        v = &c->stack[i - 1];
        if (v->kind != VALUE_LOCAL || v->local != local)
            continue;
        if (l->reg == REG_NONE || free_registers(c, type_is_vector(l->type)) == 0) {
            spill(c, v);
        } else {
            reg r = vstack_alloc(c, type_is_vector(l->type));
            masm_move(&c->m, l->type, r, l->reg);
            l->refs--;
            v->kind = VALUE_REG;
            v->reg = r;
            c->temps |= regset_of(r);
            c->value_of[r] = i - 1;
        }
    }
}

/* Notes in c->destination which local the next instruction sets, if it does. */
static inline uint32_t peek_destination(struct compiler *c)
{
    const uint8_t *at = c->body.at; /* there is always an end behind the instructions looked at here */
    uint32_t local;

    if (at[0] != OP_LOCAL_SET && at[0] != OP_LOCAL_TEE)
        return NO_LOCAL;
    local = at[1] & 0x7f;
    if (at[1] >= 0x80) {
        if (at[2] >= 0x80)
            return NO_LOCAL; /* rare: the slow way */
        local |= (uint32_t)at[2] << 7;
    }
    c->destination_next = at + (at[1] >= 0x80 ? 3 : 2);
    c->destination_tee = at[0] == OP_LOCAL_TEE;
    return local;
}

static __attribute__((noinline)) reg destination_local(struct compiler *c, uint32_t local, const struct operand *a,
                                                       const struct operand *b)
{
    struct local *l = &c->locals[local];
    bool vector = type_is_vector(l->type);

    if (l->refs != 0)
        detach_operands(c, local);
    c->destination = local;
    if (l->reg != REG_NONE) {
        c->pinned |= regset_of(l->reg);
        return l->reg;
    }
    if (l->home == REG_NONE || !regset_has(free_registers(c, vector), l->home)) {
        if (a != NULL && a->owned && reg_is_vector(a->reg) == vector)
            return a->reg;
        if (b != NULL && b->owned && reg_is_vector(b->reg) == vector)
            return b->reg;
    }
    return alloc_for_local(c, local);
}

reg vstack_destination(struct compiler *c, uint8_t type, const struct operand *a, const struct operand *b)
{
    bool vector = type_is_vector(type);
    uint32_t local = peek_destination(c);

    if (local != NO_LOCAL)
        return destination_local(c, local, a, b);
    c->destination = NO_LOCAL;
    if (a != NULL && a->owned && reg_is_vector(a->reg) == vector)
        return a->reg;
    if (b != NULL && b->owned && reg_is_vector(b->reg) == vector)
        return b->reg;
    return vstack_alloc(c, vector);
}

static __attribute__((noinline)) void set_destination(struct compiler *c, reg r)
{
    uint32_t local = c->destination;

    c->destination = NO_LOCAL;
    assert(c->locals[local].reg == REG_NONE || c->locals[local].reg == r);
    hold_local(c, local, r, true);
    c->body.at = c->destination_next;
    if (c->destination_tee)
        vstack_push_local(c, local);
}

void vstack_push_result(struct compiler *c, uint8_t type, reg r)
{
    c->regs.upper &= ~regset_of(r);
    if (c->destination == NO_LOCAL)
        vstack_push_reg(c, type, r);
    else
        set_destination(c, r);
}

static void set_local_from_register(struct compiler *c, uint32_t local, reg from)
{
    struct local *l = &c->locals[local];

    c->temps &= ~regset_of(from);
    c->pinned |= regset_of(from);
    if (l->refs != 0)
        detach_operands(c, local);
    if (l->reg == REG_NONE &&
        (l->home == REG_NONE || !regset_has(free_registers(c, type_is_vector(l->type)), l->home))) {
        hold_local(c, local, from, true);
        return;
    }
    if (l->reg == REG_NONE)
        hold_local(c, local, l->home, true);
    masm_move(&c->m, l->type, l->reg, from);
    c->regs.upper &= ~regset_of(l->reg);
    c->regs.dirty |= regset_of(l->reg);
}

void vstack_set_local(struct compiler *c, uint32_t local, bool tee)
{
    struct local *l = &c->locals[local];
    struct value v = *vstack_top(c);

    if (v.kind == VALUE_LOCAL && v.local == local) { /* its own value */
        if (!tee)
            vstack_drop(c);
        return;
    }
    if (v.kind == VALUE_REG) {
        c->height--;
        set_local_from_register(c, local, v.reg);
    } else {
        struct operand o = {REG_NONE, true};
        reg to;
        if (v.kind == VALUE_LOCAL)
            o = vstack_pop(c);
        else
            vstack_drop(c);
        if (l->refs != 0)
            detach_operands(c, local);
        to = l->reg != REG_NONE ? l->reg : alloc_for_local(c, local);
        hold_local(c, local, to, true);
        c->pinned |= regset_of(to);
        c->regs.upper &= ~regset_of(to);
        if (v.kind == VALUE_LOCAL)
            masm_move(&c->m, l->type, to, o.reg);
        else if (v.kind == VALUE_CONST)
            masm_const(&c->m, l->type, to, v.bits);
        else
            masm_load(&c->m, l->type, to, vstack_slot(c, &v));
    }
    if (tee)
        vstack_push_local(c, local);
}

void vstack_settle_zeros(struct compiler *c)
{
    uint32_t i = c->type->param_count;

    while (i < c->local_count) {
        uint32_t first = i;
        for (; i < c->local_count && c->locals[i].zero; i++)
            c->locals[i].zero = false;
        if (i != first) /* later locals have the lower slots; none of these is a vector */
            masm_zero_slots(&c->m, c->locals[i - 1].slot, i - first);
        else
            i++;
    }
    c->zeros = false;
}

/* --- whole states ------------------------------------------------------------------------------------------------- */
/* Below this index every operand is a constant or in its slot. */
static uint32_t live_from(const struct compiler *c, uint32_t from)
{
    uint32_t live = c->height > VSTACK_LIVE_DEPTH + 1 ? c->height - VSTACK_LIVE_DEPTH - 1 : 0;
    return live > from ? live : from;
}

void vstack_flush(struct compiler *c, uint32_t from, uint32_t to, bool constants_too)
{
    for (uint32_t i = constants_too ? from : live_from(c, from); i < to; i++)
        if (c->stack[i].kind != VALUE_CONST || constants_too)
            spill(c, &c->stack[i]);
}

void vstack_save_all(struct compiler *c, uint32_t to)
{
    uint32_t from = live_from(c, c->controls.data[c->controls.len - 1].height);

    for (uint32_t i = from; i < to; i++)
        if (c->stack[i].kind == VALUE_REG)
            spill(c, &c->stack[i]);
    for (regset left = c->regs.dirty; left != 0; left &= left - 1)
        save_local(c, regset_first(left));
}

void vstack_forget_registers(struct compiler *c)
{
    for (regset left = c->regs.locals; left != 0; left &= left - 1)
        c->locals[c->regs.local_of[regset_first(left)]].reg = REG_NONE;
    c->regs.locals = c->regs.dirty = c->regs.upper = 0;
}

void regfile_copy(struct regfile *to, const struct regfile *from)
{
    to->locals = from->locals;
    to->dirty = from->dirty;
    to->upper = from->upper & from->locals;
    for (regset left = from->locals; left != 0; left &= left - 1)
        to->local_of[regset_first(left)] = from->local_of[regset_first(left)];
}

void vstack_set_regfile(struct compiler *c, const struct regfile *state)
{
    vstack_forget_registers(c);
    c->regs.locals = state->locals;
    c->regs.dirty = state->dirty;
    c->regs.upper = state->upper & state->locals;
    for (regset left = state->locals; left != 0; left &= left - 1) {
        reg r = regset_first(left);
        c->regs.local_of[r] = state->local_of[r];
        c->locals[state->local_of[r]].reg = r;
    }
}
