/* The macro assembler's floating point, on SSE2 and SSE4.1 scalars. NaN and signed zero rules: core specification,
 * "Numerics". */
#include "engine/x64/masm_x64.h"
#include <assert.h>

static uint32_t scalar(uint32_t op, bool wide)
{
    return wide ? op ^ X64_DOUBLE : op;
}

static void compare(struct masm *m, bool wide, reg a, reg b)
{
    x64_rr(enc(m), wide ? X64_UCOMISD : X64_UCOMISS, a, b);
}

static void compare_const(struct masm *m, bool wide, reg a, double value)
{
    x64_rm_constant(m, wide ? X64_UCOMISD : X64_UCOMISS, a, masm_float_bits(wide, value), 0);
}

void masm_float_compare(struct masm *m, bool wide, enum masm_cond cond, reg a, reg b)
{
    bool exchanged =
        cond == COND_FLOAT_LT || cond == COND_FLOAT_NOT_LT || cond == COND_FLOAT_LE || cond == COND_FLOAT_NOT_LE;

    if (exchanged)
        compare(m, wide, b, a);
    else
        compare(m, wide, a, b);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
static void arithmetic(struct masm *m, uint32_t op, bool commutes, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);

    if (dst == a) {
        x64_rr(e, op, dst, b);
    } else if (dst == b && commutes) {
        x64_rr(e, op, dst, a);
    } else if (dst == b) {
        x64_rr(e, X64_MOVAPS, X64_VECTOR_SCRATCH, a);
        x64_rr(e, op, X64_VECTOR_SCRATCH, b);
        x64_rr(e, X64_MOVAPS, dst, X64_VECTOR_SCRATCH);
    } else {
        x64_rr(e, X64_MOVAPS, dst, a);
        x64_rr(e, op, dst, b);
    }
}

/* minsd and maxsd give their second operand for NaN and for zeros of either sign; both cases are sorted out before. */
static void min_max(struct masm *m, bool is_min, bool wide, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);
    uint32_t differ, nan, done1, done2;

    x64_rr(e, X64_MOVAPS, X64_VECTOR_SCRATCH, a);
    compare(m, wide, X64_VECTOR_SCRATCH, b);
    differ = x64_jcc_short(e, CC_NE);
    nan = x64_jcc_short(e, CC_P);
    x64_rr(e, is_min ? X64_ORPS : X64_ANDPS, X64_VECTOR_SCRATCH, b);
    done1 = x64_jmp_short(e);
    x64_bind_short(e, nan);
    x64_rr(e, scalar(X64_ADDS, wide), X64_VECTOR_SCRATCH, b);
    done2 = x64_jmp_short(e);
    x64_bind_short(e, differ);
    x64_rr(e, scalar(is_min ? X64_MINS : X64_MAXS, wide), X64_VECTOR_SCRATCH, b);
    x64_bind_short(e, done1);
    x64_bind_short(e, done2);
    x64_rr(e, X64_MOVAPS, dst, X64_VECTOR_SCRATCH);
}

static uint64_t sign_mask(bool wide)
{
    return wide ? 0x8000000000000000u : 0x80000000u;
}

static void copysign_of(struct masm *m, bool wide, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);
    uint64_t sign = sign_mask(wide), rest = wide ? ~sign : (uint32_t)~sign;

    x64_rr(e, X64_MOVAPS, X64_VECTOR_SCRATCH, b);
    x64_rm_constant(m, X64_ANDPS, X64_VECTOR_SCRATCH, sign, 0);
    masm_move(m, VT_F64, dst, a);
    x64_rm_constant(m, X64_ANDPS, dst, rest, 0);
    x64_rr(e, X64_ORPS, dst, X64_VECTOR_SCRATCH);
}

static const uint32_t arithmetic_ops[] = {
    [FLOAT_ADD] = X64_ADDS, [FLOAT_SUB] = X64_SUBS, [FLOAT_MUL] = X64_MULS, [FLOAT_DIV] = X64_DIVS};

void masm_float(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, reg b)
{
    switch (op) {
    case FLOAT_ADD:
    case FLOAT_MUL: arithmetic(m, scalar(arithmetic_ops[op], wide), true, dst, a, b); break;
    case FLOAT_SUB:
    case FLOAT_DIV: arithmetic(m, scalar(arithmetic_ops[op], wide), false, dst, a, b); break;
    case FLOAT_MIN: min_max(m, true, wide, dst, a, b); break;
    case FLOAT_MAX: min_max(m, false, wide, dst, a, b); break;
    case FLOAT_COPYSIGN: copysign_of(m, wide, dst, a, b); break;
    }
}

void masm_float_memory(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, struct masm_address b)
{
    assert(op <= FLOAT_DIV);
    masm_move(m, VT_F64, dst, a);
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), scalar(arithmetic_ops[op], wide), dst, (struct x64_mem){b.base, b.index, b.scale_log2, b.disp});
}

void masm_float_const(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, uint64_t bits)
{
    assert(op <= FLOAT_DIV);
    masm_move(m, VT_F64, dst, a);
    x64_rm_constant(m, scalar(arithmetic_ops[op], wide), dst, bits, 0);
}

static void round_to(struct masm *m, bool wide, reg dst, reg a, unsigned mode)
{
    if (dst != a) /* the instruction keeps the upper part of dst: do not wait for it */
        x64_rr(enc(m), X64_XORPS, dst, dst);
    x64_rr(enc(m), wide ? X64_ROUNDSD : X64_ROUNDSS, dst, a);
    x64_imm8(enc(m), (int)(mode | 8)); /* no precision exception */
}

void masm_float_unary(struct masm *m, enum masm_float_unary op, bool wide, reg dst, reg a)
{
    uint64_t sign = sign_mask(wide);

    switch (op) {
    case FLOAT_ABS:
        masm_move(m, VT_F64, dst, a);
        x64_rm_constant(m, X64_ANDPS, dst, wide ? ~sign : (uint32_t)~sign, 0);
        break;
    case FLOAT_NEG:
        masm_move(m, VT_F64, dst, a);
        x64_rm_constant(m, X64_XORPS, dst, sign, 0);
        break;
    case FLOAT_NEAREST: round_to(m, wide, dst, a, 0); break;
    case FLOAT_FLOOR: round_to(m, wide, dst, a, 1); break;
    case FLOAT_CEIL: round_to(m, wide, dst, a, 2); break;
    case FLOAT_TRUNC: round_to(m, wide, dst, a, 3); break;
    case FLOAT_SQRT:
        if (dst != a)
            x64_rr(enc(m), X64_XORPS, dst, dst);
        x64_rr(enc(m), scalar(X64_SQRTS, wide), dst, a);
        break;
    }
}

/* --- conversions -------------------------------------------------------------------------------------------------- */
void masm_float_resize(struct masm *m, bool to_wide, reg dst, reg a)
{
    if (dst != a)
        x64_rr(enc(m), X64_XORPS, dst, dst);
    x64_rr(enc(m), scalar(X64_CVTS2S, !to_wide), dst, a);
}

void masm_reinterpret(struct masm *m, bool wide, reg dst, reg src)
{
    if (reg_is_vector(dst))
        x64_rr(enc(m), X64_MOVD | x64_wide(wide), dst, src);
    else
        x64_rr(enc(m), X64_MOVD_STORE | x64_wide(wide), src, dst);
}

/* 2^63 and above do not fit the signed conversion: halve, keeping the lowest bit sticky for the rounding, and
 * double. */
static void from_u64(struct masm *m, bool wide, reg dst, reg src, reg temporary)
{
    struct x64_enc *e = enc(m);
    uint32_t convert = scalar(X64_CVTSI2S, wide) | X64_W, big, done;

    x64_rr(e, X64_TEST | X64_W, src, src);
    big = x64_jcc_short(e, CC_S);
    x64_rr(e, convert, dst, src);
    done = x64_jmp_short(e);
    x64_bind_short(e, big);
    x64_rr(e, X64_MOV | X64_W, temporary, src);
    x64_rr(e, X64_MOV, X64_SCRATCH, src);
    x64_rr(e, X64_SHIFT_1 | X64_W, X64_DIGIT_SHR, temporary);
    x64_rr(e, X64_ALU_IMM8, X64_DIGIT_AND, X64_SCRATCH);
    x64_imm8(e, 1);
    x64_rr(e, X64_OR | X64_W, temporary, X64_SCRATCH);
    x64_rr(e, convert, dst, temporary);
    x64_rr(e, scalar(X64_ADDS, wide), dst, dst);
    x64_bind_short(e, done);
}

void masm_from_int(struct masm *m, bool wide, bool int_wide, bool is_signed, reg dst, reg src, reg temporary)
{
    struct x64_enc *e = enc(m);

    x64_rr(e, X64_XORPS, dst, dst);
    if (is_signed) {
        x64_rr(e, scalar(X64_CVTSI2S, wide) | x64_wide(int_wide), dst, src);
    } else if (int_wide) {
        from_u64(m, wide, dst, src, temporary);
    } else {
        x64_rr(e, X64_MOV, X64_SCRATCH, src); /* as a 64-bit number it is not negative */
        x64_rr(e, scalar(X64_CVTSI2S, wide) | X64_W, dst, X64_SCRATCH);
    }
}

/* Everything that cannot be represented converts to the integer's minimum. Jumps over the rest otherwise; returns
 * for x64_bind_short. */
static uint32_t convert_or_fall_through(struct masm *m, bool wide, bool int_wide, reg dst, reg a)
{
    struct x64_enc *e = enc(m);

    x64_rr(e, scalar(X64_CVTTS2SI, wide) | x64_wide(int_wide), dst, a);
    x64_rr(e, X64_ALU_IMM8 | x64_wide(int_wide), X64_DIGIT_CMP, dst);
    x64_imm8(e, 1); /* overflows for the minimum only */
    return x64_jcc_short(e, CC_NO);
}

/* The double just below the i32 range is representable, the float just below it is not: then the minimum is the
 * bound. */
static void to_signed(struct masm *m, bool wide, bool int_wide, reg dst, reg a)
{
    double limit = int_wide ? 9223372036854775808.0 : 2147483648.0;
    bool lower_excluded = wide && !int_wide;
    uint32_t done = convert_or_fall_through(m, wide, int_wide, dst, a);

    compare(m, wide, a, a);
    x64_trap_cc(m, CC_P, TRAP_INVALID_CONVERSION);
    compare_const(m, wide, a, limit);
    x64_trap_cc(m, CC_AE, TRAP_INTEGER_OVERFLOW);
    compare_const(m, wide, a, lower_excluded ? -limit - 1 : -limit);
    x64_trap_cc(m, lower_excluded ? CC_BE : CC_B, TRAP_INTEGER_OVERFLOW);
    x64_bind_short(enc(m), done);
}

static void to_signed_saturating(struct masm *m, bool wide, bool int_wide, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    uint32_t done = convert_or_fall_through(m, wide, int_wide, dst, a), ordered, negative;

    compare(m, wide, a, a);
    ordered = x64_jcc_short(e, CC_NP);
    x64_rr(e, X64_XOR, dst, dst);
    x64_bind_short(e, ordered);
    compare_const(m, wide, a, 0);
    negative = x64_jcc_short(e, CC_B); /* also for NaN */
    x64_mov_imm(e, dst, int_wide ? INT64_MAX : INT32_MAX);
    x64_bind_short(e, negative);
    x64_bind_short(e, done);
}

static void to_u32(struct masm *m, bool wide, bool saturate, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    uint32_t fits;

    x64_rr(e, scalar(X64_CVTTS2SI, wide) | X64_W, dst, a);
    x64_rr(e, X64_MOV | X64_W, X64_SCRATCH, dst);
    x64_rr(e, X64_SHIFT_IMM8 | X64_W, X64_DIGIT_SHR, X64_SCRATCH);
    x64_imm8(e, 32);
    fits = x64_jcc_short(e, CC_E);
    compare_const(m, wide, a, 0);
    if (saturate) {
        uint32_t above;
        x64_mov_imm(e, dst, UINT32_MAX);
        above = x64_jcc_short(e, CC_A);
        x64_mov_imm(e, dst, 0);
        x64_bind_short(e, above);
    } else {
        x64_trap_cc(m, CC_P, TRAP_INVALID_CONVERSION);
        x64_trap_cc(m, CC_NP, TRAP_INTEGER_OVERFLOW);
    }
    x64_bind_short(e, fits);
}

/* Above 2^63: subtract it, convert, put the bit back. */
static void to_u64(struct masm *m, bool wide, bool saturate, reg dst, reg a, reg vector_temporary)
{
    struct x64_enc *e = enc(m);
    uint32_t convert = scalar(X64_CVTTS2SI, wide) | X64_W, big, done1, done2, done3 = 0;

    compare_const(m, wide, a, 9223372036854775808.0);
    big = x64_jcc_short(e, CC_AE);
    x64_rr(e, convert, dst, a); /* also NaN (unordered sets the carry): the minimum, negative */
    x64_rr(e, X64_TEST | X64_W, dst, dst);
    done1 = x64_jcc_short(e, CC_NS);
    if (saturate) {
        x64_rr(e, X64_XOR, dst, dst);
        done3 = x64_jmp_short(e);
    } else {
        compare(m, wide, a, a);
        x64_trap_cc(m, CC_P, TRAP_INVALID_CONVERSION);
        x64_trap_cc(m, CC_NP, TRAP_INTEGER_OVERFLOW);
    }
    x64_bind_short(e, big);
    x64_rr(e, X64_MOVAPS, vector_temporary, a);
    x64_rm_constant(m, scalar(X64_SUBS, wide), vector_temporary, masm_float_bits(wide, 9223372036854775808.0), 0);
    x64_rr(e, convert, dst, vector_temporary);
    x64_mov_imm(e, X64_SCRATCH, (uint64_t)1 << 63);
    x64_rr(e, X64_XOR | X64_W, dst, X64_SCRATCH); /* the minimum, which says overflow, becomes 0 */
    done2 = x64_jcc_short(e, CC_S);
    if (saturate)
        x64_mov_imm(e, dst, UINT64_MAX);
    else
        x64_trap_cc(m, CC_NS, TRAP_INTEGER_OVERFLOW);
    x64_bind_short(e, done1);
    x64_bind_short(e, done2);
    if (saturate)
        x64_bind_short(e, done3);
}

void masm_to_int(struct masm *m, bool wide, bool int_wide, bool is_signed, bool saturate, reg dst, reg a,
                 reg vector_temporary)
{
    if (is_signed && saturate)
        to_signed_saturating(m, wide, int_wide, dst, a);
    else if (is_signed)
        to_signed(m, wide, int_wide, dst, a);
    else if (int_wide)
        to_u64(m, wide, saturate, dst, a, vector_temporary);
    else
        to_u32(m, wide, saturate, dst, a);
}
