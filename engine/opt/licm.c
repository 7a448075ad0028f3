/* What is the same in all rounds of a loop is made in front of it.
 *
 * An instruction goes out of as many loops as none of its operands is made in, if it runs in each of their rounds. What makes the
 * modules has done that with arithmetic already, but for what only shows here: the instance's structures, sizes, globals,
 * loads that its knowledge of aliases did not reach. A load that may trap goes out if nothing in the loop stores or
 * calls and the loop begins with it, so that it would be the first to trap anyway. What costs nothing where it is used
 * (small sums in addresses, comparisons in branches) stays, and over a call only what takes several loads is worth the slot
 * that it is kept in. */
#include "engine/gen/numeric.h"
#include "engine/opt/pass.h"

struct loop_facts {
    uint32_t preheader; /* 0: nothing can be moved there */
    bool stores, stores_internal, calls;
};

struct mover {
    struct ir_func *f;
    struct loop_facts *loops; /* by number */
    bool shared;              /* some memory is */
};

enum worth { STAYS, IN_A_REGISTER, EVEN_IN_A_SLOT };

static bool lies_in(const struct ir_func *f, uint32_t b, uint32_t loop)
{
    uint32_t l = ir_block(f, b)->loop;

    while (l > loop) /* loops inside have higher numbers */
        l = f->loops.data[l].parent;
    return l == loop;
}

/* --- facts -------------------------------------------------------------------------------------------------------- */
static uint32_t find_preheader(const struct ir_func *f, uint32_t loop)
{
    const struct ir_block *head = ir_block(f, f->loops.data[loop].head);
    uint32_t found = 0;

    for (uint32_t p = 0; p < head->pred_count; p++) {
        if (lies_in(f, head->preds[p], loop))
            continue;
        if (found != 0)
            return 0;
        found = head->preds[p];
    }
    return found != 0 && ir_inst(f, ir_block(f, found)->last)->op == IR_JUMP ? found : 0;
}

static void note_effects(struct loop_facts *l, unsigned op)
{
    unsigned effects = ir_effects(op);
    bool store = ir_is_store(op);

    if (op == IR_FIELD_STORE) /* into an object: nothing that goes out of a loop reads there */
        return;

    l->stores |= (effects & IR_WRITES) != 0 && op != IR_STORE;
    l->stores_internal |= (effects & IR_WRITES) != 0 && !store;
    l->calls |= (effects & IR_WRITES) != 0 && !store && op != IR_STORE;
}

static void find_facts(struct mover *m)
{
    const struct ir_func *f = m->f;

    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        struct loop_facts here = {0};
        if (b->loop == 0)
            continue;
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next)
            note_effects(&here, ir_inst(f, v)->op);
        for (uint32_t l = b->loop; l != 0; l = f->loops.data[l].parent) {
            m->loops[l].stores |= here.stores;
            m->loops[l].stores_internal |= here.stores_internal;
            m->loops[l].calls |= here.calls;
        }
    }
    for (uint32_t l = 1; l < f->loops.len; l++)
        if (ir_block(f, f->loops.data[l].head)->pred_count > 1)
            m->loops[l].preheader = find_preheader(f, l);
}

/* --- what is worth it --------------------------------------------------------------------------------------------- */
static enum worth worth_of_pure(const struct ir_func *f, const struct ir_inst *i)
{
    const struct numeric *n = numeric_of(i->op);

    switch (i->op) {
    case IR_MEMORY_STRUCT: return i->imm == 0 ? IN_A_REGISTER : EVEN_IN_A_SLOT;
    case IR_SPACE:
    case IR_OBJECT_ADDRESS: return IN_A_REGISTER;
    case IR_TYPE_ID:
    case IR_MEMORY_BASE:
    case IR_TABLE_STRUCT:
    case IR_GLOBAL_ADDRESS: return EVEN_IN_A_SLOT;
    default: break;
    }
    if (i->op >= OPCODE_COUNT)
        return STAYS;
    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_COMPARE:
    case NUMERIC_FLOAT_COMPARE:
    case NUMERIC_EQZ:
    case NUMERIC_WRAP:
    case NUMERIC_EXTEND: return STAYS;
    case NUMERIC_ALU:
    case NUMERIC_SHIFT: return ir_is_const(f, i->arg[1]) ? STAYS : IN_A_REGISTER;
    default: return IN_A_REGISTER;
    }
}

/* Loads from a shared memory stay: what waits for another thread in a loop shall see it. */
static enum worth worth_of(const struct mover *m, const struct ir_inst *i)
{
    if (i->op == IR_LOAD || (ir_is_load(i->op) && !m->shared))
        return IN_A_REGISTER;
    return ir_effects(i->op) == IR_PURE ? worth_of_pure(m->f, i) : STAYS;
}

/* --- moving ------------------------------------------------------------------------------------------------------- */
static bool runs_each_round(const struct ir_func *f, uint32_t b, uint32_t loop)
{
    const struct ir_block *head = ir_block(f, f->loops.data[loop].head);

    for (uint32_t p = 0; p < head->pred_count; p++)
        if (lies_in(f, head->preds[p], loop) && !ir_dominates(f, b, head->preds[p]))
            return false;
    return true;
}

static bool operands_lie_in(const struct ir_func *f, const struct ir_inst *i, uint32_t loop)
{
    for (uint32_t k = 0; k < i->arg_count; k++)
        if (i->arg[k] != IR_NONE && lies_in(f, ir_inst(f, i->arg[k])->block, loop))
            return true;
    return false;
}

/* Nothing that has an effect or may trap stands before V in the head of its loop. */
static bool is_first_to_trap(const struct ir_func *f, ir_value v, uint32_t loop)
{
    if (ir_inst(f, v)->block != f->loops.data[loop].head)
        return false;
    for (ir_value at = ir_inst(f, v)->prev; at != IR_NONE; at = ir_inst(f, at)->prev)
        if ((ir_effects(ir_inst(f, at)->op) & IR_TRAPS) != 0)
            return false;
    return true;
}

static bool may_leave(const struct mover *m, ir_value v, uint32_t loop, enum worth worth)
{
    const struct ir_inst *i = ir_inst(m->f, v);
    const struct loop_facts *l = &m->loops[loop];

    if (l->preheader == 0 || (l->calls && worth != EVEN_IN_A_SLOT) || operands_lie_in(m->f, i, loop))
        return false;
    if (i->op == IR_LOAD)
        return !l->stores_internal && runs_each_round(m->f, i->block, loop);
    if (ir_is_load(i->op))
        return !l->stores && is_first_to_trap(m->f, v, loop);
    return runs_each_round(m->f, i->block, loop);
}

static void move_out(struct mover *m, ir_value v)
{
    enum worth worth = worth_of(m, ir_inst(m->f, v));

    if (worth == STAYS)
        return;
    for (uint32_t l = ir_block(m->f, ir_inst(m->f, v)->block)->loop; l != 0; l = m->f->loops.data[l].parent) {
        if (!may_leave(m, v, l, worth))
            return;
        ir_unlink(m->f, v);
        ir_insert_last(m->f, m->loops[l].preheader, v);
    }
}

void pass_licm(struct ir_func *f)
{
    struct mover m = {.f = f};

    if (f->loops.len == 1)
        return;
    m.loops = arena_array(&f->scratch, struct loop_facts, f->loops.len);
    for (uint32_t n = 0; n < f->module->memory_count; n++)
        m.shared |= f->module->memories[n].limits.shared;
    find_facts(&m);
    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        if (b->loop == 0)
            continue;
        for (ir_value v = b->first, next; v != IR_NONE; v = next) {
            next = ir_inst(f, v)->next;
            move_out(&m, v);
        }
    }
}
