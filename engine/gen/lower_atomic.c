/* Selecting atomic instructions: what changes its value in place gets a copy of it, a compare-exchange and the loops
 * around one have a register of their own. */
#include "engine/gen/lower.h"
#include <assert.h>

enum { SHAPES = 7 }; /* the two types, and the narrower accesses of each */

static const uint8_t accesses[SHAPES] = {ACCESS_32_U, ACCESS_64,   ACCESS_8_U, ACCESS_16_U,
                                         ACCESS_8_U,  ACCESS_16_U, ACCESS_32_U};

static void use_fixed_address(struct lower *l, struct mach *m, const struct ir_inst *i, enum mach_use_kind kind)
{
    lower_address(l, m, i);
    for (uint32_t k = 0; k < m->use_count; k++)
        l->mf->uses.data[m->use_first + k].kind = (uint8_t)kind;
}

static void lower_access(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);
    enum lower_atomic_kind kind = lower_atomic_kind(i->op);
    bool in_place = kind == ATOMIC_ADD || kind == ATOMIC_SUB || kind == ATOMIC_EXCHANGE;
    bool unused = i->uses == 0 && kind >= ATOMIC_ADD && kind <= ATOMIC_XOR;

    m.access = accesses[(i->op - OP_I32_ATOMIC_LOAD) % SHAPES];
    m.imm = unused;
    use_fixed_address(l, &m, i, in_place ? MACH_KEPT : MACH_OPERAND);
    if (kind != ATOMIC_LOAD)
        lower_use(l, &m, i->arg[2], MACH_OPERAND);
    if (kind == ATOMIC_STORE)
        m.temp = lower_new_vreg(l, ir_inst(l->f, i->arg[2])->type);
    if (kind == ATOMIC_COMPARE_EXCHANGE) {
        lower_push_fixed(l, &m, v, i->arg[3], target_native.exchange);
        return;
    }
    if (kind >= ATOMIC_AND && kind <= ATOMIC_XOR && !unused)
        lower_reserve(l, target_native.exchange, false);
    lower_push_def(l, &m, kind == ATOMIC_STORE ? IR_NONE : v);
}

enum lower_atomic_kind lower_atomic_kind(unsigned op)
{
    assert(op >= OP_I32_ATOMIC_LOAD && op <= OP_I64_ATOMIC_RMW32_CMPXCHG_U);
    return (enum lower_atomic_kind)((op - OP_I32_ATOMIC_LOAD) / SHAPES);
}

void lower_atomic(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, VT_BOTTOM);

    if (i->op == OP_ATOMIC_FENCE)
        lower_push_def(l, &m, IR_NONE);
    else
        lower_access(l, v, i);
}
