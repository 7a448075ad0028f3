/* Arithmetic, comparisons and conversions.
 *
 * A comparison whose result the next instruction consumes as a condition leaves it in the flags; only br_if, if, select and eqz
 * do, and none of them emits anything before its own branch that would change them. */
#include "engine/baseline/compiler.h"
#include <assert.h>

static uint8_t int_type(bool wide)
{
    return wide ? VT_I64 : VT_I32;
}

static uint8_t float_type(bool wide)
{
    return wide ? VT_F64 : VT_F32;
}

static int64_t const_value(const struct value *v)
{
    return v->type == VT_I32 ? (int32_t)v->bits : (int64_t)v->bits;
}

static bool is_small_const(const struct value *v)
{
    return v->kind == VALUE_CONST && masm_const_fits(const_value(v));
}

static uint8_t next_opcode(const struct compiler *c)
{
    return *c->body.at; /* there is always an end */
}

/* --- integers ------------------------------------------------------------------------------------------------------------------ */
static bool finish_in_flags(struct compiler *c, enum masm_cond cond)
{
    uint8_t next = next_opcode(c);

    if (next != OP_BR_IF && next != OP_IF && next != OP_SELECT && next != OP_I32_EQZ)
        return false;
    vstack_push_flags(c, cond);
    return true;
}

static void finish_compare(struct compiler *c, enum masm_cond cond)
{
    reg dst;

    if (finish_in_flags(c, cond))
        return;
    dst = vstack_destination(c, VT_I32, NULL, NULL);
    masm_set(&c->m, cond, dst);
    vstack_push_result(c, VT_I32, dst);
}

static enum masm_cond exchanged(enum masm_cond cond)
{
    static const uint8_t map[] = {
        [COND_EQ] = COND_EQ, [COND_NE] = COND_NE, [COND_LT_S] = COND_GT_S, [COND_GE_S] = COND_LE_S, [COND_LT_U] = COND_GT_U,
        [COND_GE_U] = COND_LE_U, [COND_GT_S] = COND_LT_S, [COND_LE_S] = COND_GE_S, [COND_GT_U] = COND_LT_U, [COND_LE_U] = COND_GE_U};
    return map[cond];
}

static void compare(struct compiler *c, bool wide, enum masm_cond cond)
{
    struct value *b = vstack_top(c), *a = b - 1;

    if (is_small_const(b) || is_small_const(a)) {
        bool a_is_const = !is_small_const(b);
        int64_t value = const_value(a_is_const ? a : b);
        struct operand o;
        if (!a_is_const)
            vstack_drop(c);
        o = vstack_pop(c);
        if (a_is_const)
            vstack_drop(c);
        masm_compare_const(&c->m, wide, o.reg, value);
        finish_compare(c, a_is_const ? exchanged(cond) : cond);
    } else {
        struct operand y = vstack_pop(c), x = vstack_pop(c);
        masm_compare(&c->m, wide, x.reg, y.reg);
        finish_compare(c, cond);
    }
}

static void equal_zero(struct compiler *c, bool wide)
{
    if (vstack_top(c)->kind == VALUE_FLAGS) {
        enum masm_cond cond = vstack_top(c)->cond ^ 1;
        vstack_drop(c);
        finish_compare(c, cond);
        return;
    }
    masm_compare_const(&c->m, wide, vstack_pop(c).reg, 0);
    finish_compare(c, COND_EQ);
}

void compile_ref_is_null(struct compiler *c)
{
    equal_zero(c, false);
}

/* An `and` that is only asked whether it is zero. */
static bool and_as_test(struct compiler *c, bool wide)
{
    uint8_t next = next_opcode(c);
    struct operand b, a;

    if (wide ? next != OP_I64_EQZ : next != OP_I32_EQZ && next != OP_BR_IF && next != OP_IF)
        return false;
    if (is_small_const(vstack_top(c))) {
        int64_t value = const_value(vstack_top(c));
        vstack_drop(c);
        masm_test_const(&c->m, wide, vstack_pop(c).reg, value);
    } else {
        b = vstack_pop(c);
        a = vstack_pop(c);
        masm_test(&c->m, wide, a.reg, b.reg);
    }
    vstack_push_flags(c, COND_NE);
    return true;
}

static void alu(struct compiler *c, enum masm_alu op, bool wide)
{
    struct value *y = vstack_top(c), *x = y - 1;
    struct operand a, b;
    reg dst;

    if (op == ALU_AND && and_as_test(c, wide))
        return;
    if (is_small_const(y) || (is_small_const(x) && op != ALU_SUB)) {
        bool x_is_const = !is_small_const(y);
        int64_t value = const_value(x_is_const ? x : y);
        if (!x_is_const)
            vstack_drop(c);
        a = vstack_pop(c);
        if (x_is_const)
            vstack_drop(c);
        dst = vstack_destination(c, int_type(wide), &a, NULL);
        masm_alu_const(&c->m, op, wide, dst, a.reg, value);
    } else {
        b = vstack_pop(c);
        a = vstack_pop(c);
        dst = vstack_destination(c, int_type(wide), &a, op == ALU_SUB ? NULL : &b);
        masm_alu(&c->m, op, wide, dst, a.reg, b.reg);
    }
    vstack_push_result(c, int_type(wide), dst);
}

/* `base, index, const, shl, add`: the usual address of an array element, one instruction. */
static bool shift_and_add(struct compiler *c, bool wide, unsigned count)
{
    struct operand index, base;
    reg dst;

    if (count > 3 || next_opcode(c) != (wide ? OP_I64_ADD : OP_I32_ADD))
        return false;
    c->body.at++;
    index = vstack_pop(c);
    base = vstack_pop(c);
    dst = vstack_destination(c, int_type(wide), &base, &index);
    masm_add_shifted(&c->m, wide, dst, base.reg, index.reg, count);
    vstack_push_result(c, int_type(wide), dst);
    return true;
}

/* Pops a shift count to where the machine wants it. */
static reg pop_count(struct compiler *c, enum masm_shift op)
{
    struct operand o = vstack_pop(c);
    reg place = target_native.shift_count;

    if (place == REG_NONE || o.reg == place || masm_shift_is_free(&c->m, op))
        return o.reg;
    vstack_vacate(c, place);
    masm_move(&c->m, VT_I64, place, o.reg);
    if (o.owned)
        c->pinned &= ~regset_of(o.reg);
    return place;
}

static void shift(struct compiler *c, enum masm_shift op, bool wide)
{
    struct operand a;
    reg dst;

    if (vstack_top_is_const(c)) {
        unsigned count = (unsigned)vstack_top(c)->bits & (wide ? 63 : 31);
        vstack_drop(c);
        if (op == SHIFT_SHL && shift_and_add(c, wide, count))
            return;
        a = vstack_pop(c);
        dst = vstack_destination(c, int_type(wide), &a, NULL);
        masm_shift_const(&c->m, op, wide, dst, a.reg, count);
    } else {
        reg count = pop_count(c, op);
        a = vstack_pop(c);
        dst = vstack_destination(c, int_type(wide), &a, NULL);
        masm_shift(&c->m, op, wide, dst, a.reg, count);
    }
    vstack_push_result(c, int_type(wide), dst);
}

static void divide(struct compiler *c, enum masm_divide op, bool wide)
{
    reg low = target_native.quotient, high = target_native.remainder;
    const struct value *divisor = vstack_top(c);
    bool safe = divisor->kind == VALUE_CONST && const_value(divisor) != 0 && const_value(divisor) != -1;
    struct operand b = vstack_pop(c), a;

    if (b.reg == low || b.reg == high) {
        regset both = regset_of(low) | regset_of(high);
        regset mine = both & ~c->pinned;
        reg other;
        c->pinned |= both;
        other = vstack_alloc(c, false);
        masm_move(&c->m, VT_I64, other, b.reg);
        c->pinned &= ~(mine | regset_of(b.reg));
        b.reg = other;
    }
    vstack_vacate(c, low);
    vstack_vacate(c, high);
    a = vstack_pop(c);
    masm_move(&c->m, int_type(wide), low, a.reg);
    masm_divide(&c->m, op, wide, b.reg, safe);
    vstack_push_reg(c, int_type(wide), op == DIVIDE_DIV_S || op == DIVIDE_DIV_U ? low : high);
}

static void unary(struct compiler *c, enum masm_unary op, bool wide)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, int_type(wide), &a, NULL);

    masm_unary(&c->m, op, wide, dst, a.reg);
    vstack_push_result(c, int_type(wide), dst);
}

/* The lower half stays where it is, if that register is free to take; what is above it is then unknown. */
static void wrap(struct compiler *c)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, VT_I32, &a, NULL);

    if (dst == a.reg && c->destination == NO_LOCAL) {
        vstack_push_reg(c, VT_I32, dst);
        c->regs.upper |= regset_of(dst);
        return;
    }
    masm_zero_extend(&c->m, dst, a.reg);
    vstack_push_result(c, VT_I32, dst);
}

static void extend(struct compiler *c, bool is_signed)
{
    struct operand a;
    reg dst;

    if (vstack_top_is_const(c)) {
        uint32_t value = (uint32_t)vstack_top(c)->bits;
        vstack_drop(c);
        vstack_push_const(c, VT_I64, is_signed ? (uint64_t)(int32_t)value : value);
        return;
    }
    a = is_signed ? vstack_pop(c) : vstack_pop_extended(c);
    dst = vstack_destination(c, VT_I64, &a, NULL);
    if (is_signed)
        masm_unary(&c->m, UNARY_EXTEND32, true, dst, a.reg);
    else if (dst != a.reg)
        masm_zero_extend(&c->m, dst, a.reg);
    vstack_push_result(c, VT_I64, dst);
}

/* --- floats --------------------------------------------------------------------------------------------------------------------- */
static void float_binary(struct compiler *c, enum masm_float op, bool wide)
{
    bool commutes = op == FLOAT_ADD || op == FLOAT_MUL;
    struct operand b = vstack_pop(c), a = vstack_pop(c);
    reg dst = vstack_destination(c, float_type(wide), &a, commutes ? &b : NULL);

    masm_float(&c->m, op, wide, dst, a.reg, b.reg);
    vstack_push_result(c, float_type(wide), dst);
}

static void float_unary(struct compiler *c, enum masm_float_unary op, bool wide)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, float_type(wide), &a, NULL);

    masm_float_unary(&c->m, op, wide, dst, a.reg);
    vstack_push_result(c, float_type(wide), dst);
}

static void float_compare(struct compiler *c, bool wide, enum masm_cond cond)
{
    struct operand b = vstack_pop(c), a = vstack_pop(c);

    masm_float_compare(&c->m, wide, cond, a.reg, b.reg);
    finish_compare(c, cond);
}

static void float_resize(struct compiler *c, bool to_wide)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, float_type(to_wide), &a, NULL);

    masm_float_resize(&c->m, to_wide, dst, a.reg);
    vstack_push_result(c, float_type(to_wide), dst);
}

/* --- between integers and floats -------------------------------------------------------------------------------------------------- */
static void from_int(struct compiler *c, bool wide, bool int_wide, bool is_signed)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, float_type(wide), NULL, NULL);
    reg temporary = a.owned || is_signed || !int_wide ? a.reg : vstack_alloc(c, false);

    masm_from_int(&c->m, wide, int_wide, is_signed, dst, a.reg, temporary);
    vstack_push_result(c, float_type(wide), dst);
}

static void to_int(struct compiler *c, bool wide, bool int_wide, bool is_signed, bool saturate)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, int_type(int_wide), NULL, NULL);
    reg temporary = int_wide && !is_signed ? vstack_alloc(c, true) : REG_NONE;

    masm_to_int(&c->m, wide, int_wide, is_signed, saturate, dst, a.reg, temporary);
    vstack_push_result(c, int_type(int_wide), dst);
}

static void reinterpret(struct compiler *c, bool wide, uint8_t type)
{
    struct operand a;
    reg dst;

    if (vstack_top_is_const(c)) {
        uint64_t bits = vstack_top(c)->bits;
        vstack_drop(c);
        vstack_push_const(c, type, bits);
        return;
    }
    a = vstack_pop(c);
    dst = vstack_destination(c, type, NULL, NULL);
    masm_reinterpret(&c->m, wide, dst, a.reg);
    vstack_push_result(c, type, dst);
}

/* --- the table -------------------------------------------------------------------------------------------------------------------- */
#define BOTH_INT(name, call_narrow, call_wide)                                                                                     \
    case OP_I32_##name: call_narrow; return true;                                                                                  \
    case OP_I64_##name: call_wide; return true;
#define COMPARE(name, cond) BOTH_INT(name, compare(c, false, cond), compare(c, true, cond))
#define ALU(name, op) BOTH_INT(name, alu(c, op, false), alu(c, op, true))
#define SHIFT(name, op) BOTH_INT(name, shift(c, op, false), shift(c, op, true))
#define DIVIDE(name, op) BOTH_INT(name, divide(c, op, false), divide(c, op, true))
#define UNARY(name, op) BOTH_INT(name, unary(c, op, false), unary(c, op, true))
#define BOTH_FLOAT(name, call_narrow, call_wide)                                                                                   \
    case OP_F32_##name: call_narrow; return true;                                                                                  \
    case OP_F64_##name: call_wide; return true;
#define FLOAT(name, op) BOTH_FLOAT(name, float_binary(c, op, false), float_binary(c, op, true))
#define FLOAT_UNARY(name, op) BOTH_FLOAT(name, float_unary(c, op, false), float_unary(c, op, true))
#define FLOAT_COMPARE(name, cond) BOTH_FLOAT(name, float_compare(c, false, cond), float_compare(c, true, cond))

static bool int_op(struct compiler *c, enum opcode op)
{
    switch (op) {
        BOTH_INT(EQZ, equal_zero(c, false), equal_zero(c, true))
        COMPARE(EQ, COND_EQ)
        COMPARE(NE, COND_NE)
        COMPARE(LT_S, COND_LT_S)
        COMPARE(LT_U, COND_LT_U)
        COMPARE(GT_S, COND_GT_S)
        COMPARE(GT_U, COND_GT_U)
        COMPARE(LE_S, COND_LE_S)
        COMPARE(LE_U, COND_LE_U)
        COMPARE(GE_S, COND_GE_S)
        COMPARE(GE_U, COND_GE_U)
        ALU(ADD, ALU_ADD)
        ALU(SUB, ALU_SUB)
        ALU(MUL, ALU_MUL)
        ALU(AND, ALU_AND)
        ALU(OR, ALU_OR)
        ALU(XOR, ALU_XOR)
        SHIFT(SHL, SHIFT_SHL)
        SHIFT(SHR_S, SHIFT_SHR_S)
        SHIFT(SHR_U, SHIFT_SHR_U)
        SHIFT(ROTL, SHIFT_ROTL)
        SHIFT(ROTR, SHIFT_ROTR)
        DIVIDE(DIV_S, DIVIDE_DIV_S)
        DIVIDE(DIV_U, DIVIDE_DIV_U)
        DIVIDE(REM_S, DIVIDE_REM_S)
        DIVIDE(REM_U, DIVIDE_REM_U)
        UNARY(CLZ, UNARY_CLZ)
        UNARY(CTZ, UNARY_CTZ)
        UNARY(POPCNT, UNARY_POPCNT)
        UNARY(EXTEND8_S, UNARY_EXTEND8)
        UNARY(EXTEND16_S, UNARY_EXTEND16)
    case OP_I64_EXTEND32_S: unary(c, UNARY_EXTEND32, true); return true;
    case OP_I32_WRAP_I64: wrap(c); return true;
    case OP_I64_EXTEND_I32_S: extend(c, true); return true;
    case OP_I64_EXTEND_I32_U: extend(c, false); return true;
    default: return false;
    }
}

static bool float_op(struct compiler *c, enum opcode op)
{
    switch (op) {
        FLOAT_COMPARE(EQ, COND_FLOAT_EQ)
        FLOAT_COMPARE(NE, COND_FLOAT_NE)
        FLOAT_COMPARE(LT, COND_FLOAT_LT)
        FLOAT_COMPARE(GT, COND_FLOAT_GT)
        FLOAT_COMPARE(LE, COND_FLOAT_LE)
        FLOAT_COMPARE(GE, COND_FLOAT_GE)
        FLOAT_UNARY(ABS, FLOAT_ABS)
        FLOAT_UNARY(NEG, FLOAT_NEG)
        FLOAT_UNARY(CEIL, FLOAT_CEIL)
        FLOAT_UNARY(FLOOR, FLOAT_FLOOR)
        FLOAT_UNARY(TRUNC, FLOAT_TRUNC)
        FLOAT_UNARY(NEAREST, FLOAT_NEAREST)
        FLOAT_UNARY(SQRT, FLOAT_SQRT)
        FLOAT(ADD, FLOAT_ADD)
        FLOAT(SUB, FLOAT_SUB)
        FLOAT(MUL, FLOAT_MUL)
        FLOAT(DIV, FLOAT_DIV)
        FLOAT(MIN, FLOAT_MIN)
        FLOAT(MAX, FLOAT_MAX)
        FLOAT(COPYSIGN, FLOAT_COPYSIGN)
    case OP_F32_DEMOTE_F64: float_resize(c, false); return true;
    case OP_F64_PROMOTE_F32: float_resize(c, true); return true;
    default: return false;
    }
}

#define FROM_INT(name, int_wide, is_signed)                                                                                        \
    case OP_F32_CONVERT_##name: from_int(c, false, int_wide, is_signed); return true;                                              \
    case OP_F64_CONVERT_##name: from_int(c, true, int_wide, is_signed); return true;
#define TO_INT(name, wide, is_signed)                                                                                              \
    case OP_I32_TRUNC_##name: to_int(c, wide, false, is_signed, false); return true;                                               \
    case OP_I64_TRUNC_##name: to_int(c, wide, true, is_signed, false); return true;                                                \
    case OP_I32_TRUNC_SAT_##name: to_int(c, wide, false, is_signed, true); return true;                                            \
    case OP_I64_TRUNC_SAT_##name: to_int(c, wide, true, is_signed, true); return true;

static bool conversion_op(struct compiler *c, enum opcode op)
{
    switch (op) {
        FROM_INT(I32_S, false, true)
        FROM_INT(I32_U, false, false)
        FROM_INT(I64_S, true, true)
        FROM_INT(I64_U, true, false)
        TO_INT(F32_S, false, true)
        TO_INT(F32_U, false, false)
        TO_INT(F64_S, true, true)
        TO_INT(F64_U, true, false)
    case OP_I32_REINTERPRET_F32: reinterpret(c, false, VT_I32); return true;
    case OP_I64_REINTERPRET_F64: reinterpret(c, true, VT_I64); return true;
    case OP_F32_REINTERPRET_I32: reinterpret(c, false, VT_F32); return true;
    case OP_F64_REINTERPRET_I64: reinterpret(c, true, VT_F64); return true;
    default: return false;
    }
}

bool numeric_op(struct compiler *c, enum opcode op)
{
    return int_op(c, op) || float_op(c, op) || conversion_op(c, op);
}
