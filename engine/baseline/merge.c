/* From the state at a jump to the state at its label.
 *
 * A label's state is settled by what first jumps to it, and as long as the label is ahead it can still be weakened
 * at no cost: a register may turn from clean to dirty, and a clean copy may be dropped. A loop's label is behind, so
 * its state stands. */
#include "engine/baseline/compiler.h"
#include <assert.h>

/* --- parallel moves ----------------------------------------------------------------------------------------------- */
void moves_add(struct moves *moves, uint8_t type, reg to, reg from)
{
    if (to == from)
        return;
    moves->targets |= regset_of(to);
    moves->source[to] = from;
    moves->type[to] = type;
}

static regset sources_of(const struct moves *moves, regset targets)
{
    regset sources = 0;

    for (; targets != 0; targets &= targets - 1)
        sources |= regset_of(moves->source[regset_first(targets)]);
    return sources;
}

/* A register may be written once no move is left that reads it. When only circles are left, one register moves to
 * the scratch register, which opens its circle. */
static __attribute__((noinline)) void emit_moves(struct compiler *c, struct moves *moves)
{
    regset left = moves->targets;

    while (left != 0) {
        regset ready = left & ~sources_of(moves, left);
        for (regset now = ready; now != 0; now &= now - 1) {
            reg to = regset_first(now);
            masm_move(&c->m, moves->type[to], to, moves->source[to]);
        }
        left &= ~ready;
        if (ready == 0) {
            reg first = regset_first(left), scratch = masm_scratch(reg_is_vector(first));
            masm_move(&c->m, reg_is_vector(first) ? VT_V128 : VT_I64, scratch, first);
            for (regset all = left; all != 0; all &= all - 1)
                if (moves->source[regset_first(all)] == first)
                    moves->source[regset_first(all)] = scratch;
        }
    }
    moves->targets = 0;
}

void moves_emit(struct compiler *c, struct moves *moves)
{
    if (moves->targets != 0)
        emit_moves(c, moves);
}

/* --- edges -------------------------------------------------------------------------------------------------------- */
static reg choose_result_register(struct compiler *c, const struct control *control)
{
    const struct value *v = vstack_top(c);
    uint8_t type = control_result_type(control, 0);
    regset homes = c->homes.data[control->homes].set;
    regset set = type_is_vector(type) ? target_native.vectors : target_native.ints;
    regset unused = set & ~(c->regs.locals | homes);

    if (v->kind == VALUE_REG && regset_has(unused, v->reg))
        return v->reg;
    return unused != 0 ? regset_first(unused) : REG_NONE;
}

/* The label takes over the state of the first jump, with its loop's homes filled. */
static void settle(struct compiler *c, struct control *control)
{
    const struct homes *homes = &c->homes.data[control->homes];

    regfile_copy(&control->state, &c->regs);
    control->result = control->result_count == 1 ? choose_result_register(c, control) : REG_NONE;
    for (regset left = homes->set & ~c->regs.locals; left != 0; left &= left - 1) {
        reg home = regset_first(left);
        uint32_t local = homes->local_of[home];
        if (c->locals[local].reg == REG_NONE && home != control->result) {
            control->state.locals |= regset_of(home);
            control->state.local_of[home] = (uint16_t)local;
        }
    }
    control->reached = true;
}

static bool is_home(const struct compiler *c, const struct control *control, reg r, uint32_t local)
{
    const struct homes *homes = &c->homes.data[control->homes];
    return regset_has(homes->set, r) && homes->local_of[r] == local;
}

/* Brings the label's local in R, which is not there now, there; returns the register that holds it, or REG_NONE. */
static reg plan_local(struct compiler *c, struct control *control, struct edge *edge, reg r)
{
    uint32_t local = control->state.local_of[r];
    reg now = c->locals[local].reg;
    bool ahead = control->kind != CONTROL_LOOP;

    if (now == REG_NONE) {
        if (!ahead || regset_has(control->state.dirty, r) || is_home(c, control, r, local))
            edge->loads |= regset_of(r);
        else
            control->state.locals &= ~regset_of(r);
        return REG_NONE;
    }
    moves_add(&edge->moves, c->locals[local].type, r, now);
    if (regset_has(c->regs.dirty, now) && !regset_has(control->state.dirty, r)) {
        if (ahead)
            control->state.dirty |= regset_of(r);
        else
            edge->stores |= regset_of(now);
    }
    return now;
}

/* For the registers in SAME, which hold what they hold at the label. */
static void plan_same(struct compiler *c, struct control *control, struct edge *edge, regset same)
{
    regset dirty = c->regs.dirty & ~control->state.dirty & same, upper = c->regs.upper & ~control->state.upper & same;

    if (control->kind != CONTROL_LOOP) {
        control->state.dirty |= dirty;
        control->state.upper |= upper;
    } else {
        edge->stores |= dirty;
        edge->extends |= upper;
    }
}

static regset same_locals(const struct compiler *c, const struct regfile *state)
{
    regset same = 0;

    for (regset left = state->locals & c->regs.locals; left != 0; left &= left - 1) {
        reg r = regset_first(left);
        same |= (regset)(state->local_of[r] == c->regs.local_of[r]) << r;
    }
    return same;
}

static void plan_result(struct compiler *c, const struct control *control, struct edge *edge)
{
    const struct value *v = vstack_top(c);
    reg from = vstack_register_of(c, v);

    if (from == REG_NONE) {
        edge->results = true;
        return;
    }
    moves_add(&edge->moves, v->type, control->result, from);
    if (from == control->result && regset_has(c->regs.upper, from))
        edge->extends |= regset_of(from);
}

static uint32_t label_arity(const struct control *control)
{
    return control->kind == CONTROL_LOOP ? control->param_count : control->result_count;
}

void merge_plan(struct compiler *c, struct control *control, struct edge *edge)
{
    regset kept;

    edge->moves.targets = edge->stores = edge->extends = edge->loads = 0;
    edge->results = false;
    if (!control->reached)
        settle(c, control);
    kept = same_locals(c, &control->state);
    plan_same(c, control, edge, kept);
    for (regset left = control->state.locals & ~kept; left != 0; left &= left - 1) {
        reg now = plan_local(c, control, edge, regset_first(left));
        if (now != REG_NONE)
            kept |= regset_of(now);
    }
    edge->stores |= c->regs.dirty & ~kept;
    if (control->result != REG_NONE)
        plan_result(c, control, edge);
    else
        edge->results = label_arity(control) != 0;
    edge->empty = (edge->moves.targets | edge->stores | edge->extends | edge->loads) == 0 && !edge->results;
}

/* Where operand V's value is in memory. */
static struct masm_address value_address(const struct compiler *c, const struct value *v)
{
    return v->kind == VALUE_LOCAL ? vstack_local_slot(c, v->local) : vstack_slot(c, v);
}

static void store_value(struct compiler *c, const struct value *v, struct masm_address to)
{
    reg r = vstack_register_of(c, v);
    struct masm_address from;

    if (r != REG_NONE) {
        masm_store(&c->m, v->type, to, r);
    } else if (v->kind == VALUE_CONST) {
        masm_store_const(&c->m, v->type, to, v->bits);
    } else {
        from = value_address(c, v);
        if (from.base != to.base || from.disp != to.disp)
            masm_copy(&c->m, v->type, to, from);
    }
}

/* Results go to the label's slots in ascending order: each lies at or below where its value is now. */
static void store_results(struct compiler *c, const struct control *control)
{
    uint32_t count = label_arity(control), first = c->height - count;
    struct value at = {0};

    if (control->height != 0) {
        const struct value *below = &c->stack[control->height - 1];
        at.slot = value_end_slot(below);
    }
    for (uint32_t i = 0; i < count; i++) {
        at.type = c->stack[first + i].type;
        store_value(c, &c->stack[first + i], vstack_slot(c, &at));
        at.slot = value_end_slot(&at);
        if (at.slot > c->max_slots)
            c->max_slots = at.slot;
    }
}

void merge_emit(struct compiler *c, const struct control *control, struct edge *edge)
{
    for (regset left = edge->stores; left != 0; left &= left - 1) {
        uint32_t local = c->regs.local_of[regset_first(left)];
        masm_store(&c->m, c->locals[local].type, vstack_local_slot(c, local), regset_first(left));
    }
    if (edge->results && control->result == REG_NONE)
        store_results(c, control);
    moves_emit(c, &edge->moves);
    for (regset left = edge->extends; left != 0; left &= left - 1)
        masm_zero_extend(&c->m, regset_first(left), regset_first(left));
    for (regset left = edge->loads; left != 0; left &= left - 1) {
        uint32_t local = control->state.local_of[regset_first(left)];
        masm_load(&c->m, c->locals[local].type, regset_first(left), vstack_local_slot(c, local));
    }
    if (edge->results && control->result != REG_NONE) {
        const struct value *v = vstack_top(c);
        if (v->kind == VALUE_CONST)
            masm_const(&c->m, v->type, control->result, v->bits);
        else
            masm_load(&c->m, v->type, control->result, value_address(c, v));
    }
}

void merge_arrive(struct compiler *c, struct control *control)
{
    vstack_truncate(c, control->height);
    vstack_set_regfile(c, &control->state);
    for (uint32_t i = 0; i < control->result_count; i++) {
        uint8_t type = control_result_type(control, i);
        if (control->result != REG_NONE)
            vstack_push_reg(c, type, control->result);
        else
            vstack_push_slot(c, type);
    }
}

/* --- calls and returns -------------------------------------------------------------------------------------------- */
static struct masm_address area_slot(struct masm_address area, uint32_t slot)
{
    area.disp += (int32_t)(slot * 8);
    return area;
}

void merge_place(struct compiler *c, const valtype *types, uint32_t count, const reg *ints, const reg *vectors,
                 struct masm_address area)
{
    struct abi_walk walk = {0};
    struct moves moves;
    struct {
        reg to;
        uint32_t index;
    } late[ABI_INT_REGISTERS + ABI_VECTOR_REGISTERS];
    unsigned late_count = 0;
    uint32_t first = c->height - count;

    moves.targets = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct value *v = &c->stack[first + i];
        struct abi_place place = abi_next(&walk, types[i]);
        reg to, from = vstack_register_of(c, v);
        if (place.kind == ABI_SLOT) {
            store_value(c, v, area_slot(area, place.index));
            continue;
        }
        to = place.kind == ABI_INT ? ints[place.index] : vectors[place.index];
        if (from != REG_NONE) {
            moves_add(&moves, v->type, to, from);
        } else {
            late[late_count].to = to;
            late[late_count++].index = first + i;
        }
    }
    moves_emit(c, &moves);
    for (unsigned i = 0; i < late_count; i++) {
        const struct value *v = &c->stack[late[i].index];
        if (v->kind == VALUE_CONST)
            masm_const(&c->m, v->type, late[i].to, v->bits);
        else
            masm_load(&c->m, v->type, late[i].to, value_address(c, v));
    }
}
