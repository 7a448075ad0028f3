/* The macro assembler on aarch64: integers. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

bool masm_const_fits(int64_t value)
{
    return value == (int32_t)value; /* what has no short form goes by the scratch register */
}

static const uint32_t alu_ops[] = {[ALU_ADD] = A64_ADD, [ALU_SUB] = A64_SUB, [ALU_AND] = A64_AND,
                                   [ALU_OR] = A64_ORR,  [ALU_XOR] = A64_EOR, [ALU_MUL] = A64_MUL};

void masm_alu(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, reg b)
{
    a64_rrr(enc(m), alu_ops[op] | a64_wide(wide), dst, a, b);
}

void masm_alu_memory(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, struct masm_address b)
{
    a64_access(m, wide ? A64_LDR_X : A64_LDR_W, A64_SCRATCH, b, TRAP_MEMORY_OUT_OF_BOUNDS);
    masm_alu(m, op, wide, dst, a, A64_SCRATCH);
}

void a64_add_const(struct masm *m, bool wide, reg dst, reg a, int64_t value)
{
    struct a64_enc *e = enc(m);
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint32_t op = (value < 0 ? A64_SUB_IMM : A64_ADD_IMM) | a64_wide(wide), bits;
    bool shifted;

    if (a64_fits_add(size, &bits, &shifted)) {
        a64_rri(e, op, dst, a, bits, shifted);
    } else if (size < 1 << 24) {
        a64_rri(e, op, dst, a, (uint32_t)(size >> 12), true);
        a64_rri(e, op, dst, dst, size & 0xfff, false);
    } else {
        a64_mov_imm(e, wide, A64_SCRATCH, wide ? (uint64_t)value : (uint32_t)value);
        a64_rrr_extended(e, A64_ADD | a64_wide(wide) | (wide ? 1u << 13 : 0), dst, a, A64_SCRATCH, 0);
    }
}

void masm_alu_const(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, int64_t b)
{
    static const uint32_t logical[] = {[ALU_AND] = A64_AND_IMM, [ALU_OR] = A64_ORR_IMM, [ALU_XOR] = A64_EOR_IMM};
    uint64_t value = wide ? (uint64_t)(int64_t)(int32_t)b : (uint32_t)b;
    bool is_logical = op == ALU_AND || op == ALU_OR || op == ALU_XOR;
    uint32_t fields = is_logical ? a64_logical_fields(value, wide) : A64_NO_FIELDS;

    if (op == ALU_ADD || op == ALU_SUB) {
        a64_add_const(m, wide, dst, a, op == ALU_ADD ? (int32_t)b : -(int64_t)(int32_t)b);
    } else if (fields != A64_NO_FIELDS) {
        a64_logical(enc(m), logical[op] | a64_wide(wide), dst, a, fields);
    } else if (op == ALU_MUL && value != 0 && (value & (value - 1)) == 0) {
        masm_shift_const(m, SHIFT_SHL, wide, dst, a, (unsigned)__builtin_ctzll(value));
    } else {
        a64_mov_imm(enc(m), wide, A64_SCRATCH, value);
        masm_alu(m, op, wide, dst, a, A64_SCRATCH);
    }
}

void masm_add_shifted(struct masm *m, bool wide, reg dst, reg a, reg b, unsigned shift)
{
    a64_rrr_shifted(enc(m), A64_ADD | a64_wide(wide), dst, a, b, shift);
}

void masm_lea(struct masm *m, bool wide, reg dst, struct masm_address address)
{
    reg base = address.base;

    if (address.index != REG_NONE) {
        base = address.disp == 0 ? dst : A64_ADDRESS;
        masm_add_shifted(m, wide, base, address.base, address.index, address.scale_log2);
    }
    if (base != dst || address.disp != 0)
        a64_add_const(m, wide, dst, base, address.disp);
}

void masm_add_or_trap(struct masm *m, reg sum, reg a, uint64_t value, enum trap_kind kind)
{
    assert(sum != a);
    a64_mov_imm(enc(m), true, sum, value);
    a64_rrr(enc(m), A64_ADDS | A64_X, sum, sum, a);
    a64_trap_cc(m, CC_HS, kind);
}

/* --- shifts ------------------------------------------------------------------------------------------------------- */
bool masm_shift_is_free(const struct masm *m, enum masm_shift op)
{
    return true;
}

void masm_shift(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, reg count)
{
    static const uint32_t ops[] = {[SHIFT_SHL] = A64_LSLV,
                                   [SHIFT_SHR_S] = A64_ASRV,
                                   [SHIFT_SHR_U] = A64_LSRV,
                                   [SHIFT_ROTL] = A64_RORV,
                                   [SHIFT_ROTR] = A64_RORV};

    if (op == SHIFT_ROTL) { /* to the right by what is left to a whole turn */
        a64_rrr(enc(m), A64_SUB, A64_SCRATCH, XZR, count);
        count = A64_SCRATCH;
    }
    a64_rrr(enc(m), ops[op] | a64_wide(wide), dst, a, count);
}

void masm_shift_const(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, unsigned count)
{
    struct a64_enc *e = enc(m);
    unsigned bits = wide ? 64 : 32, back;

    count &= bits - 1;
    back = (bits - count) & (bits - 1);
    switch (op) {
    case SHIFT_SHL: a64_bits(e, A64_UBFM, wide, dst, a, back, bits - 1 - count); break;
    case SHIFT_SHR_S: a64_bits(e, A64_SBFM, wide, dst, a, count, bits - 1); break;
    case SHIFT_SHR_U: a64_bits(e, A64_UBFM, wide, dst, a, count, bits - 1); break;
    case SHIFT_ROTL:
    case SHIFT_ROTR:
        a64_rrr_shifted(e, A64_EXTR | (wide ? A64_X | A64_N : 0), dst, a, a, op == SHIFT_ROTR ? count : back);
        break;
    }
}

/* --- division, and what is wider than a register ------------------------------------------------------------------ */
/* A division by zero gives zero, and the smallest number by -1 itself: so both are asked for. */
void masm_divide(struct masm *m, enum masm_divide op, bool wide, reg dst, reg a, reg b, bool divisor_safe)
{
    struct a64_enc *e = enc(m);
    uint32_t width = a64_wide(wide);
    bool is_signed = op == DIVIDE_DIV_S || op == DIVIDE_REM_S, remainder = op == DIVIDE_REM_S || op == DIVIDE_REM_U;
    reg quotient = remainder ? A64_SCRATCH : dst;

    if (!divisor_safe)
        a64_trap_word(m, A64_CBZ | width | b, TRAP_INTEGER_DIVIDE_BY_ZERO);
    if (!divisor_safe && op == DIVIDE_DIV_S) {
        a64_rri(e, A64_ADDS_IMM | width, XZR, b, 1, false); /* is it -1? then a - 1 overflows for the smallest only */
        a64_rrr_cc(e, A64_CCMP_IMM | width, 0, a, 1, CC_EQ);
        a64_trap_cc(m, CC_VS, TRAP_INTEGER_OVERFLOW);
    }
    a64_rrr(e, (is_signed ? A64_SDIV : A64_UDIV) | width, quotient, a, b);
    if (remainder)
        a64_rrr(e, A64_MSUB | width | (uint32_t)a << 10, dst, quotient, b);
}

void masm_multiply_wide(struct masm *m, bool is_signed, reg low, reg high, reg a, reg b)
{
    struct a64_enc *e = enc(m);

    a64_rrr(e, A64_MUL | A64_X, A64_SCRATCH, a, b);
    a64_rrr(e, is_signed ? A64_SMULH : A64_UMULH, high, a, b);
    masm_move(m, VT_I64, low, A64_SCRATCH);
}

void masm_add_wide(struct masm *m, bool subtract, reg low, reg high, reg a_low, reg a_high, reg b_low, reg b_high)
{
    a64_rrr(enc(m), (subtract ? A64_SUBS : A64_ADDS) | A64_X, low, a_low, b_low);
    a64_rrr(enc(m), (subtract ? A64_SBC : A64_ADC) | A64_X, high, a_high, b_high);
}

/* --- of one operand ----------------------------------------------------------------------------------------------- */
/* Bits are counted by the vectors only. */
static void count_bits(struct masm *m, bool wide, reg dst, reg a)
{
    struct a64_enc *e = enc(m);

    a64_rr(e, wide ? A64_FMOV_FROM_X : A64_FMOV_FROM_W, A64_VECTOR_SCRATCH, a);
    a64_rr(e, A64_CNT_8B, A64_VECTOR_SCRATCH, A64_VECTOR_SCRATCH);
    a64_rr(e, A64_ADDV_8B, A64_VECTOR_SCRATCH, A64_VECTOR_SCRATCH);
    a64_rr(e, A64_FMOV_TO_W, dst, A64_VECTOR_SCRATCH);
}

void masm_unary(struct masm *m, enum masm_unary op, bool wide, reg dst, reg a)
{
    struct a64_enc *e = enc(m);
    uint32_t width = a64_wide(wide);

    switch (op) {
    case UNARY_CLZ: a64_rr(e, A64_CLZ | width, dst, a); break;
    case UNARY_CTZ:
        a64_rr(e, A64_RBIT | width, A64_SCRATCH, a);
        a64_rr(e, A64_CLZ | width, dst, A64_SCRATCH);
        break;
    case UNARY_POPCNT: count_bits(m, wide, dst, a); break;
    case UNARY_EXTEND8: a64_bits(e, A64_SBFM, wide, dst, a, 0, 7); break;
    case UNARY_EXTEND16: a64_bits(e, A64_SBFM, wide, dst, a, 0, 15); break;
    case UNARY_EXTEND32: a64_bits(e, A64_SBFM, true, dst, a, 0, 31); break;
    }
}

void masm_zero_extend(struct masm *m, reg dst, reg src)
{
    a64_rrr(enc(m), A64_ORR, dst, XZR, src);
}
