/* Constants folded, and algebra on integers: one instruction at a time, its operands already simplified. Floats are
 * left alone: NaN payloads and rounding are the machine's business. */
#include "engine/gen/numeric.h"
#include "engine/opt/fold.h"

static uint64_t sign_extend(uint64_t value, bool wide)
{
    return wide ? value : (uint64_t)(int64_t)(int32_t)value;
}

static ir_value constant(struct ir_func *f, bool wide, uint64_t value)
{
    return ir_const(f, wide ? VT_I64 : VT_I32, value);
}

bool fold_holds(enum masm_cond cond, bool wide, uint64_t a, uint64_t b)
{
    int64_t x, y;

    a = sign_extend(a, wide);
    b = sign_extend(b, wide);
    x = (int64_t)a;
    y = (int64_t)b;
    switch (cond) {
    case COND_EQ: return a == b;
    case COND_NE: return a != b;
    case COND_LT_S: return x < y;
    case COND_GE_S: return x >= y;
    case COND_GT_S: return x > y;
    case COND_LE_S: return x <= y;
    case COND_LT_U: return a < b;
    case COND_GE_U: return a >= b;
    case COND_GT_U: return a > b;
    default: return a <= b;
    }
}

static uint64_t alu_constants(enum masm_alu op, uint64_t a, uint64_t b)
{
    switch (op) {
    case ALU_ADD: return a + b;
    case ALU_SUB: return a - b;
    case ALU_AND: return a & b;
    case ALU_OR: return a | b;
    case ALU_XOR: return a ^ b;
    default: return a * b;
    }
}

static uint64_t shift_constants(enum masm_shift op, bool wide, uint64_t a, unsigned count)
{
    unsigned bits = wide ? 64 : 32;

    count &= bits - 1;
    if (!wide)
        a = (uint32_t)a;
    switch (op) {
    case SHIFT_SHL: return a << count;
    case SHIFT_SHR_U: return a >> count;
    case SHIFT_SHR_S: return (uint64_t)((int64_t)sign_extend(a, wide) >> count);
    case SHIFT_ROTL: return count == 0 ? a : a << count | a >> (bits - count);
    default: return count == 0 ? a : a >> count | a << (bits - count);
    }
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static void turn_into(struct ir_inst *i, unsigned op, ir_value a, ir_value b)
{
    i->op = (uint16_t)op;
    i->arg[0] = a;
    i->arg[1] = b;
}

/* (x op c) op d = x op (c op d), for what associates. Returns x if that is left, else none. */
static ir_value reassociate(struct ir_func *f, ir_value v, bool wide, enum masm_alu op)
{
    struct ir_inst *i = ir_inst(f, v);
    const struct ir_inst *a = ir_inst(f, i->arg[0]);
    ir_value x, c;

    if (op == ALU_SUB || a->op != i->op || !ir_is_const(f, a->arg[1]))
        return IR_NONE;
    x = a->arg[0];
    c = constant(f, wide, alu_constants(op, ir_inst(f, a->arg[1])->imm, ir_inst(f, i->arg[1])->imm));
    i = ir_inst(f, v);
    i->arg[0] = x;
    i->arg[1] = c;
    return ir_inst(f, c)->imm == 0 && (op == ALU_ADD || op == ALU_OR || op == ALU_XOR) ? x : IR_NONE;
}

/* The second operand is the constant B. Returns what the instruction equals, or none. */
static ir_value alu_with_constant(struct ir_func *f, ir_value v, bool wide, enum masm_alu op, uint64_t b)
{
    struct ir_inst *i = ir_inst(f, v);
    ir_value a = i->arg[0];
    uint64_t ones = wide ? UINT64_MAX : UINT32_MAX;

    if (!wide)
        b = (uint32_t)b;
    if (b == 0)
        return op == ALU_AND || op == ALU_MUL ? constant(f, wide, 0) : a;
    if ((op == ALU_MUL && b == 1) || (op == ALU_AND && b == ones))
        return a;
    if (op == ALU_SUB) {
        ir_value negated = constant(f, wide, 0 - b);
        turn_into(ir_inst(f, v), wide ? OP_I64_ADD : OP_I32_ADD, a, negated);
        return reassociate(f, v, wide, ALU_ADD);
    } else if (op == ALU_MUL && is_power_of_two(b)) {
        ir_value count = constant(f, wide, (unsigned)__builtin_ctzll(b));
        turn_into(ir_inst(f, v), wide ? OP_I64_SHL : OP_I32_SHL, a, count);
    } else {
        return reassociate(f, v, wide, op);
    }
    return IR_NONE;
}

static ir_value fold_alu(struct ir_func *f, ir_value v, bool wide, enum masm_alu op)
{
    struct ir_inst *i = ir_inst(f, v);
    ir_value a = i->arg[0], b = i->arg[1];

    if (op != ALU_SUB && ir_is_const(f, a) && !ir_is_const(f, b)) {
        i->arg[0] = b;
        i->arg[1] = a;
        a = i->arg[0];
        b = i->arg[1];
    }
    if (ir_is_const(f, a) && ir_is_const(f, b))
        return constant(f, wide, alu_constants(op, ir_inst(f, a)->imm, ir_inst(f, b)->imm));
    if (a == b && (op == ALU_AND || op == ALU_OR))
        return a;
    if (a == b && (op == ALU_SUB || op == ALU_XOR))
        return constant(f, wide, 0);
    return ir_is_const(f, b) ? alu_with_constant(f, v, wide, op, ir_inst(f, b)->imm) : IR_NONE;
}

static ir_value fold_shift(struct ir_func *f, ir_value v, bool wide, enum masm_shift op)
{
    const struct ir_inst *i = ir_inst(f, v);
    unsigned count;

    if (!ir_is_const(f, i->arg[1]))
        return IR_NONE;
    count = (unsigned)ir_inst(f, i->arg[1])->imm & (wide ? 63 : 31);
    if (count == 0)
        return i->arg[0];
    if (ir_is_const(f, i->arg[0]))
        return constant(f, wide, shift_constants(op, wide, ir_inst(f, i->arg[0])->imm, count));
    return IR_NONE;
}

/* Unsigned division by powers of two. */
static ir_value fold_divide(struct ir_func *f, ir_value v, bool wide, enum masm_divide op)
{
    struct ir_inst *i = ir_inst(f, v);
    ir_value a = i->arg[0], other;
    uint64_t b;

    if (!ir_is_const(f, i->arg[1]) || (op != DIVIDE_DIV_U && op != DIVIDE_REM_U))
        return IR_NONE;
    b = ir_inst(f, i->arg[1])->imm;
    if (!is_power_of_two(b))
        return IR_NONE;
    other = constant(f, wide, op == DIVIDE_DIV_U ? (unsigned)__builtin_ctzll(b) : b - 1);
    turn_into(ir_inst(f, v),
              op == DIVIDE_DIV_U ? (wide ? OP_I64_SHR_U : OP_I32_SHR_U) : (wide ? OP_I64_AND : OP_I32_AND), a, other);
    return b == 1 && op == DIVIDE_DIV_U ? a : IR_NONE;
}

static ir_value fold_compare(struct ir_func *f, ir_value v, bool wide, enum masm_cond cond)
{
    const struct ir_inst *i = ir_inst(f, v), *a = ir_inst(f, i->arg[0]), *b = ir_inst(f, i->arg[1]);
    bool holds_for_equal =
        cond == COND_EQ || cond == COND_GE_S || cond == COND_LE_S || cond == COND_GE_U || cond == COND_LE_U;

    if (a->op == IR_CONST && b->op == IR_CONST)
        return constant(f, false, fold_holds(cond, wide, a->imm, b->imm));
    if (i->arg[0] == i->arg[1])
        return constant(f, false, holds_for_equal);
    return IR_NONE;
}

static ir_value fold_conversion(struct ir_func *f, ir_value v)
{
    const struct ir_inst *i = ir_inst(f, v), *a = ir_inst(f, i->arg[0]);

    switch (i->op) {
    case OP_I32_WRAP_I64:
        if (a->op == IR_CONST)
            return ir_const(f, VT_I32, a->imm);
        return a->op == OP_I64_EXTEND_I32_U || a->op == OP_I64_EXTEND_I32_S ? a->arg[0] : IR_NONE;
    case OP_I64_EXTEND_I32_U: return a->op == IR_CONST ? ir_const(f, VT_I64, (uint32_t)a->imm) : IR_NONE;
    case OP_I64_EXTEND_I32_S: return a->op == IR_CONST ? ir_const(f, VT_I64, (uint64_t)(int32_t)a->imm) : IR_NONE;
    case OP_I32_EQZ:
    case OP_I64_EQZ: return a->op == IR_CONST ? ir_const(f, VT_I32, a->imm == 0) : IR_NONE;
    case OP_I32_REINTERPRET_F32: return a->op == IR_CONST ? ir_const(f, VT_I32, a->imm) : IR_NONE;
    case OP_I64_REINTERPRET_F64: return a->op == IR_CONST ? ir_const(f, VT_I64, a->imm) : IR_NONE;
    case OP_F32_REINTERPRET_I32: return a->op == IR_CONST ? ir_const(f, VT_F32, a->imm) : IR_NONE;
    case OP_F64_REINTERPRET_I64: return a->op == IR_CONST ? ir_const(f, VT_F64, a->imm) : IR_NONE;
    default: return IR_NONE;
    }
}

ir_value fold_instruction(struct ir_func *f, ir_value v)
{
    const struct ir_inst *i = ir_inst(f, v);
    const struct numeric *n = numeric_of(i->op);

    if (i->op == OP_SELECT && i->arg[0] == i->arg[1])
        return i->arg[0];
    if (i->op == OP_SELECT && ir_is_const(f, i->arg[2]))
        return i->arg[ir_inst(f, i->arg[2])->imm == 0];
    if (i->op == IR_TRAP_IF && ir_is_const(f, i->arg[0]) && ir_inst(f, i->arg[0])->imm == 0)
        return i->arg[0]; /* it never does */
    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_ALU: return fold_alu(f, v, n->wide, n->op);
    case NUMERIC_SHIFT: return fold_shift(f, v, n->wide, n->op);
    case NUMERIC_DIVIDE: return fold_divide(f, v, n->wide, n->op);
    case NUMERIC_COMPARE: return fold_compare(f, v, n->wide, n->op);
    case NUMERIC_WRAP:
    case NUMERIC_EXTEND:
    case NUMERIC_EQZ:
    case NUMERIC_REINTERPRET: return fold_conversion(f, v);
    default: return IR_NONE;
    }
}
