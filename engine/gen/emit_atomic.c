/* Emitting atomic instructions. */
#include "engine/gen/emit.h"
#include "engine/gen/lower.h"

static enum masm_alu alu_of(enum lower_atomic_kind kind)
{
    static const uint8_t ops[] = {[ATOMIC_ADD] = ALU_ADD,
                                  [ATOMIC_SUB] = ALU_SUB,
                                  [ATOMIC_AND] = ALU_AND,
                                  [ATOMIC_OR] = ALU_OR,
                                  [ATOMIC_XOR] = ALU_XOR};
    return (enum masm_alu)ops[kind];
}

/* The value in a register that the access may change. */
static reg copy_value(struct emitter *e, const struct mach *i, reg to)
{
    masm_move(e->m, i->access == ACCESS_64 ? VT_I64 : VT_I32, to, emit_operand(e, i, i->use_count - 1u));
    return to;
}

static void fetch(struct emitter *e, const struct mach *i, enum lower_atomic_kind kind, struct masm_address at)
{
    reg value = emit_operand(e, i, i->use_count - 1u);

    if (i->imm != 0) { /* nobody wants what was there */
        masm_atomic_update(e->m, alu_of(kind), i->access, value, at);
    } else if (kind == ATOMIC_ADD || kind == ATOMIC_SUB) {
        masm_atomic_add(e->m, kind == ATOMIC_SUB, i->access, copy_value(e, i, emit_result(e, i)), at);
    } else {
        masm_atomic_fetch(e->m, alu_of(kind), i->access, value, at);
        masm_move(e->m, i->type, emit_result(e, i), target_native.exchange);
    }
}

void emit_atomic(struct emitter *e, const struct mach *i)
{
    struct masm_address at;
    enum lower_atomic_kind kind;

    if (i->op == OP_ATOMIC_FENCE) {
        masm_fence(e->m);
        return;
    }
    at = emit_address(e, i);
    kind = lower_atomic_kind(i->op);
    switch (kind) {
    case ATOMIC_LOAD: masm_atomic_load(e->m, i->access, emit_result(e, i), at); break;
    case ATOMIC_STORE: masm_atomic_exchange(e->m, i->access, copy_value(e, i, emit_temporary(e, i)), at); break;
    case ATOMIC_EXCHANGE: masm_atomic_exchange(e->m, i->access, copy_value(e, i, emit_result(e, i)), at); break;
    case ATOMIC_COMPARE_EXCHANGE:
        masm_atomic_compare_exchange(e->m, i->access, emit_operand(e, i, i->use_count - 1u), at);
        masm_move(e->m, i->type, emit_result(e, i), target_native.exchange);
        break;
    default: fetch(e, i, kind, at);
    }
}
