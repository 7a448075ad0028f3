/* The macro assembler on x86-64: integers. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

bool masm_const_fits(int64_t value)
{
    return value == (int32_t)value;
}

void x64_alu_imm(struct x64_enc *e, uint32_t width, unsigned digit, reg r, int32_t value)
{
    if (value >= -128 && value < 128) {
        x64_rr(e, X64_ALU_IMM8 | width, digit, r);
        x64_imm8(e, value);
    } else {
        x64_op_imm32(e, X64_ALU_IMM32 | width, digit, r, value);
    }
}

static void note_flags(struct masm *m, bool wide, reg result)
{
    m->flags.at = x64_offset(enc(m));
    m->flags.result = result;
    m->flags.wide = wide;
}

static const uint8_t alu_ops[] = {
    [ALU_ADD] = X64_ADD, [ALU_SUB] = X64_SUB, [ALU_AND] = X64_AND, [ALU_OR] = X64_OR, [ALU_XOR] = X64_XOR};
static const uint8_t alu_digits[] = {[ALU_ADD] = X64_DIGIT_ADD,
                                     [ALU_SUB] = X64_DIGIT_SUB,
                                     [ALU_AND] = X64_DIGIT_AND,
                                     [ALU_OR] = X64_DIGIT_OR,
                                     [ALU_XOR] = X64_DIGIT_XOR};

void masm_alu(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide), code = op == ALU_MUL ? X64_IMUL : alu_ops[op];

    if (dst == a) {
        x64_rr(e, code | width, dst, b);
    } else if (dst == b && op == ALU_SUB) {
        x64_rr(e, X64_GROUP3 | width, X64_DIGIT_NEG, dst);
        x64_rr(e, X64_ADD | width, dst, a);
    } else if (dst == b) {
        x64_rr(e, code | width, dst, a);
    } else if (op == ALU_ADD) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, b, 0, 0});
        return;
    } else {
        x64_rr(e, X64_MOV | width, dst, a);
        x64_rr(e, code | width, dst, b);
    }
    if (op != ALU_MUL)
        note_flags(m, wide, dst);
}

void masm_alu_memory(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, struct masm_address b)
{
    masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), (op == ALU_MUL ? X64_IMUL : alu_ops[op]) | x64_wide(wide), dst, x64_mem_of(b));
    if (op != ALU_MUL)
        note_flags(m, wide, dst);
}

static void multiply_const(struct masm *m, uint32_t width, reg dst, reg a, int32_t b)
{
    struct x64_enc *e = enc(m);

    if (b == 3 || b == 5 || b == 9) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, a, (uint8_t)__builtin_ctz((unsigned)b - 1), 0});
    } else if (b > 0 && (b & (b - 1)) == 0) {
        masm_shift_const(m, SHIFT_SHL, width != 0, dst, a, (unsigned)__builtin_ctz((unsigned)b));
    } else if (b >= -128 && b < 128) {
        x64_rr(e, X64_IMUL_IMM8 | width, dst, a);
        x64_imm8(e, b);
    } else {
        x64_op_imm32(e, X64_IMUL_IMM32 | width, dst, a, b);
    }
}

void masm_alu_const(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, int64_t b)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);
    int32_t value = (int32_t)b;

    if (op == ALU_MUL) {
        multiply_const(m, width, dst, a, value);
    } else if (op == ALU_AND && (value == 0xff || value == 0xffff)) {
        x64_rr(e, value == 0xff ? X64_MOVZX8 : X64_MOVZX16, dst, a);
    } else if (dst != a && (op == ALU_ADD || (op == ALU_SUB && value != INT32_MIN))) {
        x64_rm(e, X64_LEA | width, dst, x64_at(a, op == ALU_ADD ? value : -value));
    } else {
        masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
        x64_alu_imm(e, width, alu_digits[op], dst, value);
        note_flags(m, wide, dst);
    }
}

void masm_add_shifted(struct masm *m, bool wide, reg dst, reg a, reg b, unsigned shift)
{
    x64_rm(enc(m), X64_LEA | x64_wide(wide), dst, (struct x64_mem){a, b, (uint8_t)shift, 0});
}

void masm_lea(struct masm *m, bool wide, reg dst, struct masm_address address)
{
    x64_rm(enc(m), X64_LEA | x64_wide(wide), dst, x64_mem_of(address));
}

void masm_add_or_trap(struct masm *m, reg sum, reg a, uint64_t value, enum trap_kind kind)
{
    struct x64_enc *e = enc(m);

    assert(sum != a);
    x64_mov_imm(e, sum, value);
    x64_rr(e, X64_ADD | X64_W, sum, a);
    x64_trap_cc(m, CC_B, kind);
}

/* --- shifts ------------------------------------------------------------------------------------------------------- */
static const uint8_t shift_digits[] = {[SHIFT_SHL] = X64_DIGIT_SHL,
                                       [SHIFT_SHR_S] = X64_DIGIT_SAR,
                                       [SHIFT_SHR_U] = X64_DIGIT_SHR,
                                       [SHIFT_ROTL] = X64_DIGIT_ROL,
                                       [SHIFT_ROTR] = X64_DIGIT_ROR};

bool masm_shift_is_free(const struct masm *m, enum masm_shift op)
{
    return (m->features & TARGET_X64_BMI2) != 0 && op != SHIFT_ROTL && op != SHIFT_ROTR;
}

void masm_shift(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, reg count)
{
    static const uint32_t bmi2[] = {[SHIFT_SHL] = X64_66 | X64_0F38 | 0xf7,
                                    [SHIFT_SHR_S] = X64_F3 | X64_0F38 | 0xf7,
                                    [SHIFT_SHR_U] = X64_F2 | X64_0F38 | 0xf7};
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);
    reg work = dst == RCX ? X64_SCRATCH : dst;

    if (masm_shift_is_free(m, op)) {
        x64_vex_rrr(e, bmi2[op] | width, dst, count, a);
        return;
    }
    assert(count == RCX);
    if (work != a)
        x64_rr(e, X64_MOV | width, work, a);
    x64_rr(e, X64_SHIFT_CL | width, shift_digits[op], work);
    if (work != dst)
        x64_rr(e, X64_MOV | width, dst, work);
}

void masm_shift_const(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, unsigned count)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);

    count &= wide ? 63 : 31;
    if ((m->features & TARGET_X64_BMI2) != 0 && dst != a && count != 0 && (op == SHIFT_ROTL || op == SHIFT_ROTR)) {
        x64_vex_rrr(e, X64_F2 | X64_0F3A | 0xf0 | width, dst, 0, a); /* rorx */
        x64_imm8(e, (int)(op == SHIFT_ROTR ? count : (wide ? 64 : 32) - count));
        return;
    }
    if (op == SHIFT_SHL && count == 1 && dst != a) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, a, 0, 0});
        return;
    }
    masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
    if (count == 0)
        return;
    x64_rr(e, X64_SHIFT_IMM8 | width, shift_digits[op], dst);
    x64_imm8(e, (int)count);
}

/* --- division, and what is wider than a register ------------------------------------------------------------------ */
void masm_divide(struct masm *m, enum masm_divide op, bool wide, reg dst, reg a, reg b, bool divisor_safe)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide), ordinary = 0, done = 0;
    bool is_signed = op == DIVIDE_DIV_S || op == DIVIDE_REM_S;

    assert(a == RAX && dst == (op == DIVIDE_DIV_S || op == DIVIDE_DIV_U ? RAX : RDX));
    if (is_signed && !divisor_safe) { /* MIN / -1 faults like a division by zero: overflow, or remainder 0 */
        x64_alu_imm(e, width, X64_DIGIT_CMP, b, -1);
        ordinary = x64_jcc_short(e, CC_NE);
        if (op == DIVIDE_DIV_S) {
            x64_alu_imm(e, width, X64_DIGIT_CMP, RAX, 1); /* overflows for MIN only */
            x64_trap_cc(m, CC_O, TRAP_INTEGER_OVERFLOW);
        } else {
            x64_rr(e, X64_XOR, RDX, RDX);
            done = x64_jmp_short(e);
        }
        x64_bind_short(e, ordinary);
    }
    if (is_signed) {
        if (wide)
            x64_byte(e, 0x48);
        x64_byte(e, 0x99); /* cdq, cqo */
    } else {
        x64_rr(e, X64_XOR, RDX, RDX);
    }
    masm_site(m, TRAP_INTEGER_DIVIDE_BY_ZERO);
    x64_rr(e, X64_GROUP3 | width, is_signed ? X64_DIGIT_IDIV : X64_DIGIT_DIV, b);
    if (done != 0)
        x64_bind_short(e, done);
}

void masm_multiply_wide(struct masm *m, bool is_signed, reg low, reg high, reg a, reg b)
{
    assert(low == RAX && high == RDX && a == RAX);
    x64_rr(enc(m), X64_GROUP3 | X64_W, is_signed ? X64_DIGIT_IMUL : X64_DIGIT_MUL, b);
}

void masm_add_wide(struct masm *m, bool subtract, reg low, reg high, reg a_low, reg a_high, reg b_low, reg b_high)
{
    struct x64_enc *e = enc(m);

    x64_rr(e, X64_MOV | X64_W, low, a_low);
    x64_rr(e, (subtract ? X64_SUB : X64_ADD) | X64_W, low, b_low);
    x64_rr(e, X64_MOV | X64_W, high, a_high);
    x64_rr(e, (subtract ? X64_SBB : X64_ADC) | X64_W, high, b_high);
}

/* --- of one operand ----------------------------------------------------------------------------------------------- */
/* The base level has bsr and bsf, which leave their destination undefined for zero. */
static void scan_bits(struct masm *m, enum masm_unary op, uint32_t width, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    bool leading = op == UNARY_CLZ;
    unsigned bits = width != 0 ? 64 : 32;

    if ((m->features & (leading ? TARGET_X64_LZCNT : TARGET_X64_BMI1)) != 0) {
        x64_rr(e, (leading ? X64_LZCNT : X64_TZCNT) | width, dst, a);
        return;
    }
    x64_mov_imm(e, X64_SCRATCH, leading ? 2 * bits - 1 : bits);
    x64_rr(e, (leading ? X64_BSR : X64_BSF) | width, dst, a);
    x64_cmov(e, width, CC_E, dst, X64_SCRATCH);
    if (leading)
        x64_alu_imm(e, 0, X64_DIGIT_XOR, dst, (int32_t)bits - 1);
}

void masm_unary(struct masm *m, enum masm_unary op, bool wide, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);

    switch (op) {
    case UNARY_CLZ:
    case UNARY_CTZ: scan_bits(m, op, width, dst, a); break;
    case UNARY_POPCNT: x64_rr(e, X64_POPCNT | width, dst, a); break;
    case UNARY_EXTEND8: x64_rr(e, X64_MOVSX8 | width, dst, a); break;
    case UNARY_EXTEND16: x64_rr(e, X64_MOVSX16 | width, dst, a); break;
    case UNARY_EXTEND32: x64_rr(e, X64_MOVSXD, dst, a); break;
    }
}

void masm_zero_extend(struct masm *m, reg dst, reg src)
{
    x64_rr(enc(m), X64_MOV, dst, src);
}
