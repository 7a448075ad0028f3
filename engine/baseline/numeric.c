/* Arithmetic, comparisons and conversions.
 *
 * A comparison whose result the next instruction consumes as a condition leaves it in the flags; only br_if, if,
 * select and eqz do, and none of them emits anything before its own branch that would change them. */
#include "engine/baseline/compiler.h"
#include "engine/gen/numeric.h"
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

/* --- integers ----------------------------------------------------------------------------------------------------- */
/* The next instruction takes a condition from the flags. Not an `if` that must write zeros first, which may need a
 * loop. */
static bool flags_are_taken(const struct compiler *c)
{
    uint8_t next = next_opcode(c);
    return next == OP_BR_IF || (next == OP_IF && !c->zeros) || next == OP_SELECT || next == OP_I32_EQZ;
}

void numeric_push_condition(struct compiler *c, enum masm_cond cond)
{
    reg dst;

    if (flags_are_taken(c)) {
        vstack_push_flags(c, cond);
        return;
    }
    dst = vstack_destination(c, VT_I32, NULL, NULL);
    masm_set(&c->m, cond, dst);
    vstack_push_result(c, VT_I32, dst);
}

static enum masm_cond exchanged(enum masm_cond cond)
{
    static const uint8_t map[] = {
        [COND_EQ] = COND_EQ,     [COND_NE] = COND_NE,     [COND_LT_S] = COND_GT_S, [COND_GE_S] = COND_LE_S,
        [COND_LT_U] = COND_GT_U, [COND_GE_U] = COND_LE_U, [COND_GT_S] = COND_LT_S, [COND_LE_S] = COND_GE_S,
        [COND_GT_U] = COND_LT_U, [COND_LE_U] = COND_GE_U};
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
        numeric_push_condition(c, a_is_const ? exchanged(cond) : cond);
    } else {
        struct operand y = vstack_pop(c), x = vstack_pop(c);
        masm_compare(&c->m, wide, x.reg, y.reg);
        numeric_push_condition(c, cond);
    }
}

static void equal_zero(struct compiler *c, bool wide)
{
    if (vstack_top(c)->kind == VALUE_FLAGS) {
        enum masm_cond cond = vstack_top(c)->cond ^ 1;
        vstack_drop(c);
        numeric_push_condition(c, cond);
        return;
    }
    masm_compare_zero(&c->m, wide, vstack_pop(c).reg);
    numeric_push_condition(c, COND_EQ);
}

void compile_ref_is_null(struct compiler *c)
{
    equal_zero(c, false);
}

/* An `and` that is only asked whether it is zero. */
static bool and_as_test(struct compiler *c, bool wide)
{
    struct operand b, a;

    if (wide ? next_opcode(c) != OP_I64_EQZ : !flags_are_taken(c))
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

/* Pops two operands: the lower into target->quotient, the upper into a register that is neither that nor
 * target->remainder, which is vacated too. Returns the upper's register. */
static reg pop_for_pair(struct compiler *c, bool wide)
{
    reg low = target_native.quotient, high = target_native.remainder;
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
    return b.reg;
}

static void divide_anywhere(struct compiler *c, enum masm_divide op, bool wide, bool safe)
{
    struct operand b = vstack_pop(c), a = vstack_pop(c);
    reg dst = vstack_destination(c, int_type(wide), &a, &b);

    masm_divide(&c->m, op, wide, dst, a.reg, b.reg, safe);
    vstack_push_result(c, int_type(wide), dst);
}

static void divide(struct compiler *c, enum masm_divide op, bool wide)
{
    bool quotient = op == DIVIDE_DIV_S || op == DIVIDE_DIV_U;
    const struct value *divisor = vstack_top(c);
    bool safe = divisor->kind == VALUE_CONST && const_value(divisor) != 0 && const_value(divisor) != -1;
    reg dst;

    dst = quotient ? target_native.quotient : target_native.remainder;
    if (dst == REG_NONE) {
        divide_anywhere(c, op, wide, safe);
        return;
    }
    masm_divide(&c->m, op, wide, dst, target_native.quotient, pop_for_pair(c, wide), safe);
    vstack_push_reg(c, int_type(wide), dst);
}

/* --- 128 bits in two halves --------------------------------------------------------------------------------------- */
static void multiply_wide(struct compiler *c, bool is_signed)
{
    reg low = target_native.quotient, high = target_native.remainder, a = low, b;

    if (low != REG_NONE) {
        b = pop_for_pair(c, true);
    } else {
        b = vstack_pop(c).reg;
        a = vstack_pop(c).reg;
        low = vstack_alloc(c, false);
        high = vstack_alloc(c, false);
    }
    masm_multiply_wide(&c->m, is_signed, low, high, a, b);
    vstack_push_reg(c, VT_I64, low);
    vstack_push_reg(c, VT_I64, high);
}

static void add_wide(struct compiler *c, bool subtract)
{
    struct operand b_high = vstack_pop(c), b_low = vstack_pop(c), a_high = vstack_pop(c), a_low = vstack_pop(c);
    reg low = vstack_alloc(c, false), high = vstack_alloc(c, false);

    masm_add_wide(&c->m, subtract, low, high, a_low.reg, a_high.reg, b_low.reg, b_high.reg);
    vstack_push_reg(c, VT_I64, low);
    vstack_push_reg(c, VT_I64, high);
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

/* --- floats ------------------------------------------------------------------------------------------------------- */
static void float_binary(struct compiler *c, enum masm_float op, bool wide)
{
    bool commutes = op == FLOAT_ADD || op == FLOAT_MUL;
    struct operand b, a;
    uint64_t bits;
    reg dst;

    if (op <= FLOAT_DIV && vstack_top_is_const(c)) {
        bits = vstack_top(c)->bits;
        vstack_drop(c);
        a = vstack_pop(c);
        dst = vstack_destination(c, float_type(wide), &a, NULL);
        masm_float_const(&c->m, op, wide, dst, a.reg, bits);
    } else {
        b = vstack_pop(c);
        a = vstack_pop(c);
        dst = vstack_destination(c, float_type(wide), &a, commutes ? &b : NULL);
        masm_float(&c->m, op, wide, dst, a.reg, b.reg);
    }
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
    numeric_push_condition(c, cond);
}

static void float_resize(struct compiler *c, bool to_wide)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, float_type(to_wide), &a, NULL);

    masm_float_resize(&c->m, to_wide, dst, a.reg);
    vstack_push_result(c, float_type(to_wide), dst);
}

/* --- between integers and floats ---------------------------------------------------------------------------------- */
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

/* --- by the table -------------------------------------------------------------------------------------------------- */
bool numeric_with_memory(struct compiler *c, uint8_t type, struct masm_address b)
{
    const struct numeric *n = &numerics[next_opcode(c)];
    bool is_float = n->kind == NUMERIC_FLOAT && n->op <= FLOAT_DIV && type == float_type(n->wide);
    struct operand a;
    reg dst;

    if (!is_float && !(n->kind == NUMERIC_ALU && type == int_type(n->wide)))
        return false;
    c->body.at++;
    a = vstack_pop(c);
    dst = vstack_destination(c, type, &a, NULL);
    if (is_float) {
        masm_float_memory(&c->m, n->op, n->wide, dst, a.reg, b);
    } else if (dst != a.reg && (dst == b.index || dst == b.base)) {
        /* the result goes to the local that is the address, which must be read before `a` is moved there */
        masm_memory_load(&c->m, n->wide ? ACCESS_64 : ACCESS_32_U, n->wide, dst, b);
        masm_alu(&c->m, n->op, n->wide, dst, a.reg, dst);
    } else {
        masm_alu_memory(&c->m, n->op, n->wide, dst, a.reg, b);
    }
    vstack_push_result(c, type, dst);
    return true;
}

bool numeric_op(struct compiler *c, enum opcode op)
{
    const struct numeric *n = &numerics[(unsigned)op < OPCODE_SPACE_VECTOR ? op : 0];

    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_NONE: return false;
    case NUMERIC_COMPARE: compare(c, n->wide, n->op); break;
    case NUMERIC_EQZ: equal_zero(c, n->wide); break;
    case NUMERIC_ALU: alu(c, n->op, n->wide); break;
    case NUMERIC_SHIFT: shift(c, n->op, n->wide); break;
    case NUMERIC_DIVIDE: divide(c, n->op, n->wide); break;
    case NUMERIC_UNARY: unary(c, n->op, n->wide); break;
    case NUMERIC_WRAP: wrap(c); break;
    case NUMERIC_EXTEND: extend(c, n->op != 0); break;
    case NUMERIC_FLOAT: float_binary(c, n->op, n->wide); break;
    case NUMERIC_FLOAT_UNARY: float_unary(c, n->op, n->wide); break;
    case NUMERIC_FLOAT_COMPARE: float_compare(c, n->wide, n->op); break;
    case NUMERIC_FLOAT_RESIZE: float_resize(c, n->wide); break;
    case NUMERIC_FROM_INT: from_int(c, n->wide, (n->op & INT_WIDE) != 0, (n->op & IS_SIGNED) != 0); break;
    case NUMERIC_TO_INT:
        to_int(c, n->wide, (n->op & INT_WIDE) != 0, (n->op & IS_SIGNED) != 0, (n->op & SATURATE) != 0);
        break;
    case NUMERIC_REINTERPRET: reinterpret(c, n->wide, n->op); break;
    case NUMERIC_ADD_WIDE: add_wide(c, n->op != 0); break;
    case NUMERIC_MULTIPLY_WIDE: multiply_wide(c, n->op != 0); break;
    }
    return true;
}
