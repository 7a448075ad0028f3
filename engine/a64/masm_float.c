/* The macro assembler's floating point. The machine's minimum, maximum, rounding and saturating conversions are
 * Wasm's (core specification, "Numerics"); what it lacks are conversions that trap and the copying of a sign. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

static uint32_t scalar(uint32_t op, bool wide)
{
    return wide ? op | A64_DOUBLE : op;
}

void masm_float_compare(struct masm *m, bool wide, enum masm_cond cond, reg a, reg b)
{
    a64_rrr(enc(m), scalar(A64_FCMP, wide), 0, a, b);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
static void copysign_of(struct masm *m, bool wide, reg dst, reg a, reg b)
{
    struct a64_enc *e = enc(m);

    if (wide) { /* -0 */
        a64_rr(e, A64_MOVI_ZERO, A64_VECTOR_SCRATCH, 0);
        a64_rr(e, A64_FNEG | A64_DOUBLE, A64_VECTOR_SCRATCH, A64_VECTOR_SCRATCH);
    } else {
        a64_rr(e, A64_MOVI_SIGN_2S, A64_VECTOR_SCRATCH, 0);
    }
    if (dst == b) {
        a64_rrr(e, A64_BIF_8B, dst, a, A64_VECTOR_SCRATCH);
    } else {
        masm_move(m, VT_F64, dst, a);
        a64_rrr(e, A64_BIT_8B, dst, b, A64_VECTOR_SCRATCH);
    }
}

void masm_float(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, reg b)
{
    static const uint32_t ops[] = {[FLOAT_ADD] = A64_FADD, [FLOAT_SUB] = A64_FSUB, [FLOAT_MUL] = A64_FMUL,
                                   [FLOAT_DIV] = A64_FDIV, [FLOAT_MIN] = A64_FMIN, [FLOAT_MAX] = A64_FMAX};

    if (op == FLOAT_COPYSIGN)
        copysign_of(m, wide, dst, a, b);
    else
        a64_rrr(enc(m), scalar(ops[op], wide), dst, a, b);
}

void masm_float_memory(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, struct masm_address b)
{
    assert(op <= FLOAT_DIV);
    a64_access(m, wide ? A64_LDR_D : A64_LDR_S, A64_VECTOR_SCRATCH, b, TRAP_MEMORY_OUT_OF_BOUNDS);
    masm_float(m, op, wide, dst, a, A64_VECTOR_SCRATCH);
}

void masm_float_const(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, uint64_t bits)
{
    assert(op <= FLOAT_DIV);
    masm_const(m, wide ? VT_F64 : VT_F32, A64_VECTOR_SCRATCH, bits);
    masm_float(m, op, wide, dst, a, A64_VECTOR_SCRATCH);
}

void masm_float_unary(struct masm *m, enum masm_float_unary op, bool wide, reg dst, reg a)
{
    static const uint32_t ops[] = {
        [FLOAT_ABS] = A64_FABS,     [FLOAT_NEG] = A64_FNEG,       [FLOAT_CEIL] = A64_FRINTP, [FLOAT_FLOOR] = A64_FRINTM,
        [FLOAT_TRUNC] = A64_FRINTZ, [FLOAT_NEAREST] = A64_FRINTN, [FLOAT_SQRT] = A64_FSQRT};

    a64_rr(enc(m), scalar(ops[op], wide), dst, a);
}

/* --- conversions -------------------------------------------------------------------------------------------------- */
void masm_float_resize(struct masm *m, bool to_wide, reg dst, reg a)
{
    a64_rr(enc(m), to_wide ? A64_FCVT_TO_D : A64_FCVT_TO_S, dst, a);
}

void masm_reinterpret(struct masm *m, bool wide, reg dst, reg src)
{
    if (reg_is_vector(dst))
        a64_rr(enc(m), wide ? A64_FMOV_FROM_X : A64_FMOV_FROM_W, dst, src);
    else
        a64_rr(enc(m), wide ? A64_FMOV_TO_X : A64_FMOV_TO_W, dst, src);
}

void masm_from_int(struct masm *m, bool wide, bool int_wide, bool is_signed, reg dst, reg src, reg temporary)
{
    a64_rr(enc(m), scalar(is_signed ? A64_SCVTF : A64_UCVTF, wide) | a64_wide(int_wide), dst, src);
}

static void trap_against(struct masm *m, bool wide, reg a, double limit, enum a64_cc cc)
{
    masm_const(m, wide ? VT_F64 : VT_F32, A64_VECTOR_SCRATCH, masm_float_bits(wide, limit));
    a64_rrr(enc(m), scalar(A64_FCMP, wide), 0, a, A64_VECTOR_SCRATCH);
    a64_trap_cc(m, cc, TRAP_INTEGER_OVERFLOW);
}

/* The double just below the i32 range is representable, the float just below it is not: then the minimum is the
 * bound. */
static void check_range(struct masm *m, bool wide, bool int_wide, bool is_signed, reg a)
{
    double size = int_wide ? 18446744073709551616.0 : 4294967296.0;
    bool lower_excluded = !is_signed || (wide && !int_wide);

    a64_rrr(enc(m), scalar(A64_FCMP, wide), 0, a, a);
    a64_trap_cc(m, CC_VS, TRAP_INVALID_CONVERSION);
    trap_against(m, wide, a, is_signed ? size / 2 : size, CC_GE);
    trap_against(m, wide, a, (is_signed ? -size / 2 : 0) - (lower_excluded ? 1 : 0), lower_excluded ? CC_LS : CC_MI);
}

void masm_to_int(struct masm *m, bool wide, bool int_wide, bool is_signed, bool saturate, reg dst, reg a,
                 reg vector_temporary)
{
    if (!saturate)
        check_range(m, wide, int_wide, is_signed, a);
    a64_rr(enc(m), scalar(is_signed ? A64_FCVTZS : A64_FCVTZU, wide) | a64_wide(int_wide), dst, a);
}
