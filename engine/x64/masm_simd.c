/* The macro assembler's vectors, on SSE up to 4.2, operations named by the Wasm instruction.
 *
 * Most are one instruction, listed in tables. The others are computed in xmm15 (S below) and a temporary, and reach
 * `dst` last, since it may be one of the operands. Where the sequence is not obvious the reason stands with it. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

#define P(code)   (X64_66 | X64_0F | 0x##code)
#define P38(code) (X64_66 | X64_0F38 | 0x##code)
#define P3A(code) (X64_66 | X64_0F3A | 0x##code)
#define PS(code)  (X64_0F | 0x##code)
#define AT(name)  [OP_##name - OPCODE_SPACE_VECTOR]

enum { S = X64_VECTOR_SCRATCH, VECTOR_OPCODES = OPCODE_SPACE_ATOMIC - OPCODE_SPACE_VECTOR };

enum {
    PAND = P(db),
    PANDN = P(df),
    POR = P(eb),
    PXOR = P(ef),
    PSHUFB = P38(00),
    PSHUFD = P(70),
    PCMPEQB = P(74),
    PCMPEQW = P(75),
    PCMPEQD = P(76),
    PCMPEQQ = P38(29),
    PADDD = P(fe),
    PADDQ = P(d4),
    PSUBB = P(f8),
    PSUBW = P(f9),
    PSUBD = P(fa),
    PSUBQ = P(fb),
    PTEST = P38(17),
    PMADDWD = P(f5),
    PMADDUBSW = P38(04),
    PUNPCKLWD = P(61),
    PUNPCKHWD = P(69),
    PMULUDQ = P(f4),
    PSRLW = P(d1),
    PSRLD = P(d2),
    PSRLQ = P(d3),
    PSRAW = P(e1),
    PSRAD = P(e2),
    PSLLW = P(f1),
    PSLLD = P(f2),
    PSLLQ = P(f3),
    CMPPS = PS(c2),
    CMPPD = P(c2),
    CVTTPS2DQ = X64_F3 | X64_0F | 0x5b,
};

enum { CMP_EQ = 0, CMP_LT = 1, CMP_LE = 2, CMP_UNORDERED = 3, CMP_NE = 4 };

static void rr(struct masm *m, uint32_t op, reg dst, reg src)
{
    x64_rr(enc(m), op, dst, src);
}

static void rri(struct masm *m, uint32_t op, unsigned dst, reg src, unsigned imm)
{
    x64_rr(enc(m), op, dst, src);
    x64_imm8(enc(m), (int)imm);
}

static void mov(struct masm *m, reg dst, reg src)
{
    masm_move(m, VT_V128, dst, src);
}

static uint64_t repeat8(uint8_t v)
{
    return v * 0x0101010101010101u;
}

static uint64_t repeat16(uint16_t v)
{
    return v * 0x0001000100010001u;
}

static uint64_t repeat32(uint32_t v)
{
    return v * 0x0000000100000001u;
}

/* OP with a constant that repeats BITS in both halves. */
static void rc(struct masm *m, uint32_t op, reg dst, uint64_t bits)
{
    x64_rm_constant(m, op, dst, bits, bits);
}

static void zero(struct masm *m, reg dst)
{
    rr(m, PXOR, dst, dst);
}

static void all_ones(struct masm *m, reg dst)
{
    rr(m, PCMPEQD, dst, dst);
}

void masm_v128_const(struct masm *m, reg dst, uint64_t low, uint64_t high)
{
    if ((low | high) == 0)
        zero(m, dst);
    else if ((low & high) == UINT64_MAX)
        all_ones(m, dst);
    else
        x64_rm_constant(m, X64_MOVAPS, dst, low, high);
}

/* --- one instruction ---------------------------------------------------------------------------------------------- */
enum { COMMUTES = 1, EXCHANGED = 2, INVERTED = 4, HAS_IMMEDIATE = 8 };

#define COMPARE_S(shape, eq, gt)                                                                                       \
    AT(shape##_EQ) = {eq, COMMUTES, 0}, AT(shape##_NE) = {eq, COMMUTES | INVERTED, 0}, AT(shape##_GT_S) = {gt, 0, 0},  \
    AT(shape##_LT_S) = {gt, EXCHANGED, 0}, AT(shape##_GE_S) = {gt, EXCHANGED | INVERTED, 0},                           \
    AT(shape##_LE_S) = {gt, INVERTED, 0}
#define COMPARE_F(shape, op)                                                                                           \
    AT(shape##_EQ) = {op, COMMUTES | HAS_IMMEDIATE, CMP_EQ}, AT(shape##_NE) = {op, COMMUTES | HAS_IMMEDIATE, CMP_NE},  \
    AT(shape##_LT) = {op, HAS_IMMEDIATE, CMP_LT}, AT(shape##_GT) = {op, EXCHANGED | HAS_IMMEDIATE, CMP_LT},            \
    AT(shape##_LE) = {op, HAS_IMMEDIATE, CMP_LE}, AT(shape##_GE) = {op, EXCHANGED | HAS_IMMEDIATE, CMP_LE}
#define COMMUTING(name, op) AT(name) = {op, COMMUTES, 0}
#define PLAIN(name, op)     AT(name) = {op, 0, 0}

static const struct direct_binary {
    uint32_t op;
    uint8_t flags, immediate;
} direct_binaries[VECTOR_OPCODES] = {
    COMPARE_S(I8X16, PCMPEQB, P(64)),
    COMPARE_S(I16X8, PCMPEQW, P(65)),
    COMPARE_S(I32X4, PCMPEQD, P(66)),
    COMPARE_S(I64X2, PCMPEQQ, P38(37)),
    COMPARE_F(F32X4, CMPPS),
    COMPARE_F(F64X2, CMPPD),
    COMMUTING(V128_AND, PAND),
    COMMUTING(V128_OR, POR),
    COMMUTING(V128_XOR, PXOR),
    AT(V128_ANDNOT) = {PANDN, EXCHANGED, 0},
    PLAIN(I8X16_NARROW_I16X8_S, P(63)),
    PLAIN(I8X16_NARROW_I16X8_U, P(67)),
    PLAIN(I16X8_NARROW_I32X4_S, P(6b)),
    PLAIN(I16X8_NARROW_I32X4_U, P38(2b)),
    COMMUTING(I8X16_ADD, P(fc)),
    COMMUTING(I8X16_ADD_SAT_S, P(ec)),
    COMMUTING(I8X16_ADD_SAT_U, P(dc)),
    PLAIN(I8X16_SUB, PSUBB),
    PLAIN(I8X16_SUB_SAT_S, P(e8)),
    PLAIN(I8X16_SUB_SAT_U, P(d8)),
    COMMUTING(I8X16_MIN_S, P38(38)),
    COMMUTING(I8X16_MIN_U, P(da)),
    COMMUTING(I8X16_MAX_S, P38(3c)),
    COMMUTING(I8X16_MAX_U, P(de)),
    COMMUTING(I8X16_AVGR_U, P(e0)),
    COMMUTING(I16X8_ADD, P(fd)),
    COMMUTING(I16X8_ADD_SAT_S, P(ed)),
    COMMUTING(I16X8_ADD_SAT_U, P(dd)),
    PLAIN(I16X8_SUB, PSUBW),
    PLAIN(I16X8_SUB_SAT_S, P(e9)),
    PLAIN(I16X8_SUB_SAT_U, P(d9)),
    COMMUTING(I16X8_MUL, P(d5)),
    COMMUTING(I16X8_MIN_S, P(ea)),
    COMMUTING(I16X8_MIN_U, P38(3a)),
    COMMUTING(I16X8_MAX_S, P(ee)),
    COMMUTING(I16X8_MAX_U, P38(3e)),
    COMMUTING(I16X8_AVGR_U, P(e3)),
    COMMUTING(I32X4_ADD, PADDD),
    PLAIN(I32X4_SUB, PSUBD),
    COMMUTING(I32X4_MUL, P38(40)),
    COMMUTING(I32X4_MIN_S, P38(39)),
    COMMUTING(I32X4_MIN_U, P38(3b)),
    COMMUTING(I32X4_MAX_S, P38(3d)),
    COMMUTING(I32X4_MAX_U, P38(3f)),
    COMMUTING(I32X4_DOT_I16X8_S, PMADDWD),
    COMMUTING(I64X2_ADD, PADDQ),
    PLAIN(I64X2_SUB, PSUBQ),
    COMMUTING(F32X4_ADD, PS(58)),
    PLAIN(F32X4_SUB, PS(5c)),
    COMMUTING(F32X4_MUL, PS(59)),
    PLAIN(F32X4_DIV, PS(5e)),
    COMMUTING(F64X2_ADD, P(58)),
    PLAIN(F64X2_SUB, P(5c)),
    COMMUTING(F64X2_MUL, P(59)),
    PLAIN(F64X2_DIV, P(5e)),
    /* min and max give the second operand when they cannot decide: with exchanged operands that is what pmin and
     * pmax want */
    AT(F32X4_PMIN) = {PS(5d), EXCHANGED, 0},
    AT(F32X4_PMAX) = {PS(5f), EXCHANGED, 0},
    AT(F64X2_PMIN) = {P(5d), EXCHANGED, 0},
    AT(F64X2_PMAX) = {P(5f), EXCHANGED, 0},
    PLAIN(F32X4_RELAXED_MIN, PS(5d)),
    PLAIN(F32X4_RELAXED_MAX, PS(5f)),
    PLAIN(F64X2_RELAXED_MIN, P(5d)),
    PLAIN(F64X2_RELAXED_MAX, P(5f)),
    PLAIN(I8X16_RELAXED_SWIZZLE, PSHUFB),
    COMMUTING(I16X8_RELAXED_Q15MULR_S, P38(0b)),
    AT(I16X8_RELAXED_DOT_I8X16_I7X16_S) = {PMADDUBSW, EXCHANGED, 0},
};

static void invert(struct masm *m, reg dst)
{
    all_ones(m, S);
    rr(m, PXOR, dst, S);
}

static void direct_binary(struct masm *m, const struct direct_binary *d, reg dst, reg a, reg b)
{
    reg x = (d->flags & EXCHANGED) != 0 ? b : a, y = (d->flags & EXCHANGED) != 0 ? a : b, to = dst;

    if (dst == y && (d->flags & COMMUTES) != 0) {
        y = x;
        x = dst;
    }
    if (dst == y && dst != x)
        to = S;
    mov(m, to, x);
    rr(m, d->op, to, y);
    if ((d->flags & HAS_IMMEDIATE) != 0)
        x64_imm8(enc(m), d->immediate);
    mov(m, dst, to);
    if ((d->flags & INVERTED) != 0)
        invert(m, dst);
}

bool masm_vector_takes_const(enum opcode op)
{
    const struct direct_binary *d = &direct_binaries[op - OPCODE_SPACE_VECTOR];
    return d->op != 0 && (d->flags & (EXCHANGED | HAS_IMMEDIATE)) == 0; /* x64_rm_constant has its displacement last */
}

void masm_vector_binary_const(struct masm *m, enum opcode op, reg dst, reg a, uint64_t low, uint64_t high)
{
    const struct direct_binary *d = &direct_binaries[op - OPCODE_SPACE_VECTOR];

    assert(masm_vector_takes_const(op));
    mov(m, dst, a);
    x64_rm_constant(m, d->op, dst, low, high);
    if ((d->flags & INVERTED) != 0)
        invert(m, dst);
}

static const struct direct_unary {
    uint32_t op;
    uint8_t has_immediate, immediate;
} direct_unaries[VECTOR_OPCODES] = {
    PLAIN(I8X16_ABS, P38(1c)),
    PLAIN(I16X8_ABS, P38(1d)),
    PLAIN(I32X4_ABS, P38(1e)),
    PLAIN(I16X8_EXTEND_LOW_I8X16_S, P38(20)),
    PLAIN(I16X8_EXTEND_LOW_I8X16_U, P38(30)),
    PLAIN(I32X4_EXTEND_LOW_I16X8_S, P38(23)),
    PLAIN(I32X4_EXTEND_LOW_I16X8_U, P38(33)),
    PLAIN(I64X2_EXTEND_LOW_I32X4_S, P38(25)),
    PLAIN(I64X2_EXTEND_LOW_I32X4_U, P38(35)),
    PLAIN(F32X4_SQRT, PS(51)),
    PLAIN(F64X2_SQRT, P(51)),
    AT(F32X4_NEAREST) = {P3A(08), 1, 8},
    AT(F32X4_FLOOR) = {P3A(08), 1, 9},
    AT(F32X4_CEIL) = {P3A(08), 1, 10},
    AT(F32X4_TRUNC) = {P3A(08), 1, 11},
    AT(F64X2_NEAREST) = {P3A(09), 1, 8},
    AT(F64X2_FLOOR) = {P3A(09), 1, 9},
    AT(F64X2_CEIL) = {P3A(09), 1, 10},
    AT(F64X2_TRUNC) = {P3A(09), 1, 11},
    PLAIN(F32X4_CONVERT_I32X4_S, PS(5b)),
    PLAIN(F64X2_CONVERT_LOW_I32X4_S, X64_F3 | X64_0F | 0xe6),
    PLAIN(F32X4_DEMOTE_F64X2_ZERO, P(5a)),
    PLAIN(F64X2_PROMOTE_LOW_F32X4, PS(5a)),
    PLAIN(I32X4_RELAXED_TRUNC_F32X4_S, CVTTPS2DQ),
    PLAIN(I32X4_RELAXED_TRUNC_F64X2_S_ZERO, P(e6)),
};

bool masm_vector_is_direct(enum opcode op)
{
    return direct_binaries[op - OPCODE_SPACE_VECTOR].op != 0 || direct_unaries[op - OPCODE_SPACE_VECTOR].op != 0;
}

/* --- binary ------------------------------------------------------------------------------------------------------- */
/* There is no unsigned comparison, but a >= b exactly if a is the greater of both. */
static void compare_unsigned(struct masm *m, uint32_t max, uint32_t equal, bool inverted, reg dst, reg a, reg b)
{
    mov(m, S, a);
    rr(m, max, S, b);
    rr(m, equal, S, a);
    mov(m, dst, S);
    if (inverted)
        invert(m, dst);
}

/* minps gives its second operand for NaN and for zeros of different sign: so both orders, merged, the sign bits by
 * or; then NaNs, which the or may have made odd, become canonical. maxps likewise, where subtracting the difference
 * clears the sign of zero. */
static void float_min_max(struct masm *m, bool is_min, bool wide, reg dst, reg a, reg b, reg t)
{
    uint32_t prefix = wide ? X64_66 : 0, op = (is_min ? PS(5d) : PS(5f)) | prefix;

    mov(m, S, a);
    rr(m, op, S, b);
    mov(m, t, b);
    rr(m, op, t, a);
    if (!is_min)
        rr(m, X64_XORPS, t, S);
    rr(m, X64_ORPS, S, t);
    if (!is_min)
        rr(m, PS(5c) | prefix, S, t);
    rri(m, CMPPS | prefix, t, S, CMP_UNORDERED);
    if (is_min)
        rr(m, X64_ORPS, S, t);
    rri(m, wide ? P(73) : P(72), 2, t, wide ? 13 : 10); /* logical shift right: leaves the payload's lower bits set */
    rr(m, X64_ANDNPS, t, S);
    mov(m, dst, t);
}

static void multiply_i64(struct masm *m, reg dst, reg a, reg b, reg t)
{
    mov(m, S, a);
    rri(m, P(73), 2, S, 32);
    rr(m, PMULUDQ, S, b);
    mov(m, t, b);
    rri(m, P(73), 2, t, 32);
    rr(m, PMULUDQ, t, a);
    rr(m, PADDQ, S, t);
    rri(m, P(73), 6, S, 32);
    mov(m, t, a);
    rr(m, PMULUDQ, t, b);
    rr(m, PADDQ, S, t);
    mov(m, dst, S);
}

static void extend_and_multiply(struct masm *m, uint32_t extend, bool high, reg dst, reg a, reg b, reg t)
{
    if (high) {
        rri(m, PSHUFD, S, a, 0xee);
        rri(m, PSHUFD, t, b, 0xee);
        a = S;
        b = t;
    }
    rr(m, extend, S, a);
    rr(m, extend, t, b);
    rr(m, P(d5), S, t);
    mov(m, dst, S);
}

static void multiply_i16_long(struct masm *m, bool is_signed, bool high, reg dst, reg a, reg b, reg t)
{
    mov(m, S, a);
    rr(m, P(d5), S, b);
    mov(m, t, a);
    rr(m, is_signed ? P(e5) : P(e4), t, b);
    rr(m, high ? PUNPCKHWD : PUNPCKLWD, S, t);
    mov(m, dst, S);
}

static void multiply_i32_long(struct masm *m, bool is_signed, bool high, reg dst, reg a, reg b, reg t)
{
    unsigned lanes = high ? 0xfa : 0x50; /* to the even places */

    rri(m, PSHUFD, S, a, lanes);
    rri(m, PSHUFD, t, b, lanes);
    rr(m, is_signed ? P38(28) : PMULUDQ, S, t);
    mov(m, dst, S);
}

static void q15_multiply(struct masm *m, reg dst, reg a, reg b)
{
    mov(m, S, a);
    rr(m, P38(0b), S, b);
    mov(m, dst, S);
    rc(m, PCMPEQW, dst, repeat16(0x8000)); /* only -1 * -1 gives that, and should saturate */
    rr(m, PXOR, dst, S);
}

static void swizzle(struct masm *m, reg dst, reg a, reg b)
{
    mov(m, S, b);
    rc(m, P(dc), S, repeat8(0x70)); /* saturating: 16 and more get bit 7, which pshufb turns into zero */
    mov(m, dst, a);
    rr(m, PSHUFB, dst, S);
}

#define UNSIGNED(shape, max, equal)                                                                                    \
    case OP_##shape##_GE_U: compare_unsigned(m, max, equal, false, dst, a, b); break;                                  \
    case OP_##shape##_LE_U: compare_unsigned(m, max, equal, false, dst, b, a); break;                                  \
    case OP_##shape##_LT_U: compare_unsigned(m, max, equal, true, dst, a, b); break;                                   \
    case OP_##shape##_GT_U: compare_unsigned(m, max, equal, true, dst, b, a); break

void masm_vector_binary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg t)
{
    const struct direct_binary *d = &direct_binaries[op - OPCODE_SPACE_VECTOR];

    if (d->op != 0) {
        direct_binary(m, d, dst, a, b);
        return;
    }
    switch (op) {
        UNSIGNED(I8X16, P(de), PCMPEQB);
        UNSIGNED(I16X8, P38(3e), PCMPEQW);
        UNSIGNED(I32X4, P38(3f), PCMPEQD);
    case OP_I8X16_SWIZZLE: swizzle(m, dst, a, b); break;
    case OP_F32X4_MIN: float_min_max(m, true, false, dst, a, b, t); break;
    case OP_F32X4_MAX: float_min_max(m, false, false, dst, a, b, t); break;
    case OP_F64X2_MIN: float_min_max(m, true, true, dst, a, b, t); break;
    case OP_F64X2_MAX: float_min_max(m, false, true, dst, a, b, t); break;
    case OP_I64X2_MUL: multiply_i64(m, dst, a, b, t); break;
    case OP_I16X8_Q15MULR_SAT_S: q15_multiply(m, dst, a, b); break;
    case OP_I16X8_EXTMUL_LOW_I8X16_S: extend_and_multiply(m, P38(20), false, dst, a, b, t); break;
    case OP_I16X8_EXTMUL_HIGH_I8X16_S: extend_and_multiply(m, P38(20), true, dst, a, b, t); break;
    case OP_I16X8_EXTMUL_LOW_I8X16_U: extend_and_multiply(m, P38(30), false, dst, a, b, t); break;
    case OP_I16X8_EXTMUL_HIGH_I8X16_U: extend_and_multiply(m, P38(30), true, dst, a, b, t); break;
    case OP_I32X4_EXTMUL_LOW_I16X8_S: multiply_i16_long(m, true, false, dst, a, b, t); break;
    case OP_I32X4_EXTMUL_HIGH_I16X8_S: multiply_i16_long(m, true, true, dst, a, b, t); break;
    case OP_I32X4_EXTMUL_LOW_I16X8_U: multiply_i16_long(m, false, false, dst, a, b, t); break;
    case OP_I32X4_EXTMUL_HIGH_I16X8_U: multiply_i16_long(m, false, true, dst, a, b, t); break;
    case OP_I64X2_EXTMUL_LOW_I32X4_S: multiply_i32_long(m, true, false, dst, a, b, t); break;
    case OP_I64X2_EXTMUL_HIGH_I32X4_S: multiply_i32_long(m, true, true, dst, a, b, t); break;
    case OP_I64X2_EXTMUL_LOW_I32X4_U: multiply_i32_long(m, false, false, dst, a, b, t); break;
    case OP_I64X2_EXTMUL_HIGH_I32X4_U: multiply_i32_long(m, false, true, dst, a, b, t); break;
    default: assert(!"a binary vector operation");
    }
}

/* --- shuffles: one instruction where there is one ------------------------------------------------------------------------ */
/* LANES as numbers of units of BYTES, if they move only such units. */
static bool lanes_in_units(const uint8_t lanes[16], unsigned bytes, uint8_t *units)
{
    for (unsigned i = 0; i < 16; i++)
        if (lanes[i] % bytes != i % bytes || lanes[i] / bytes != lanes[i / bytes * bytes] / bytes)
            return false;
    for (unsigned i = 0; i < 16 / bytes; i++)
        units[i] = lanes[i * bytes] / (uint8_t)bytes;
    return true;
}

/* Every lane from where it is, or from the same place of the other vector. */
static bool lanes_stay(const uint8_t lanes[16])
{
    for (unsigned i = 0; i < 16; i++)
        if (lanes[i] % 16 != i)
            return false;
    return true;
}

/* 16 bytes that follow one another in both vectors, or in the one (SIZE 32 or 16), round and round. */
static bool lanes_are_a_run(const uint8_t lanes[16], unsigned size)
{
    for (unsigned i = 0; i < 16; i++)
        if (lanes[i] != (lanes[0] + i) % size)
            return false;
    return true;
}

/* Units of BYTES from the lower or upper halves of both in turn. */
static bool lanes_alternate(const uint8_t lanes[16], unsigned size, unsigned bytes, bool high)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned unit = i / bytes, from = (high ? 8 : 0) + unit / 2 * bytes + i % bytes + (unit % 2) * 16;
        if (lanes[i] != from % size)
            return false;
    }
    return true;
}

/* The instruction that does what LANES say, the first of which is below 16. */
static bool shuffle_direct(const uint8_t lanes[16], unsigned size, struct direct_binary *out)
{
    uint8_t u[8];

    for (unsigned log2 = 0; log2 < 3; log2++) {
        for (unsigned high = 0; high < 2; high++) {
            *out = (struct direct_binary){P(60) + log2 + high * 8, 0, 0}; /* punpck */
            if (lanes_alternate(lanes, size, 1u << log2, high != 0))
                return true;
        }
    }
    if (lanes_in_units(lanes, 8, u) && u[0] < 2 && u[1] >= 2) {
        *out = (struct direct_binary){P(c6), HAS_IMMEDIATE, (uint8_t)(u[0] | (u[1] - 2) << 1)}; /* shufpd */
        return true;
    }
    if (lanes_in_units(lanes, 4, u) && u[0] < 4 && u[1] < 4 && u[2] >= 4 && u[3] >= 4) {
        *out = (struct direct_binary){PS(c6), HAS_IMMEDIATE,
                                      (uint8_t)(u[0] | u[1] << 2 | (u[2] - 4) << 4 | (u[3] - 4) << 6)}; /* shufps */
        return true;
    }
    if (lanes_stay(lanes) && lanes_in_units(lanes, 2, u)) {
        *out = (struct direct_binary){P3A(0e), HAS_IMMEDIATE, 0}; /* pblendw */
        for (unsigned i = 0; i < 8; i++)
            out->immediate |= (uint8_t)((u[i] >= 8) << i);
        return true;
    }
    *out =
        (struct direct_binary){P3A(0f), HAS_IMMEDIATE | EXCHANGED, lanes[0]}; /* palignr: the upper half stands first */
    return lanes_are_a_run(lanes, size);
}

static void shuffle_one(struct masm *m, reg dst, reg a, const uint8_t lanes[16])
{
    struct direct_binary direct;
    uint64_t control[2];
    uint8_t u[4];

    if (lanes_stay(lanes)) {
        mov(m, dst, a);
    } else if (lanes_in_units(lanes, 4, u)) {
        rri(m, PSHUFD, dst, a, (unsigned)(u[0] | u[1] << 2 | u[2] << 4 | u[3] << 6));
    } else if (shuffle_direct(lanes, 16, &direct)) {
        direct_binary(m, &direct, dst, a, a);
    } else {
        memcpy(control, lanes, sizeof control);
        mov(m, dst, a);
        x64_rm_constant(m, PSHUFB, dst, control[0], control[1]);
    }
}

static void shuffle_two(struct masm *m, reg dst, reg a, reg b, const uint8_t lanes[16])
{
    const uint64_t none = 0x80; /* pshufb makes zero of it */
    uint64_t from_a[2] = {0, 0}, from_b[2] = {0, 0};
    struct direct_binary direct;

    if (shuffle_direct(lanes, 32, &direct)) {
        direct_binary(m, &direct, dst, a, b);
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        from_a[i / 8] |= (lanes[i] >= 16 ? none : lanes[i]) << i % 8 * 8;
        from_b[i / 8] |= (lanes[i] >= 16 ? lanes[i] & 15u : none) << i % 8 * 8;
    }
    mov(m, S, a);
    x64_rm_constant(m, PSHUFB, S, from_a[0], from_a[1]);
    mov(m, dst, b);
    x64_rm_constant(m, PSHUFB, dst, from_b[0], from_b[1]);
    rr(m, POR, dst, S);
}

void masm_shuffle(struct masm *m, reg dst, reg a, reg b, const uint8_t lanes[16])
{
    bool first_is_b = lanes[0] >= 16, one = true;
    uint8_t normal[16]; /* begins with a lane of the first vector */

    for (unsigned i = 0; i < 16; i++) {
        normal[i] = lanes[i] ^ (first_is_b ? 16 : 0);
        one &= normal[i] < 16;
    }
    for (unsigned i = 0; a == b && i < 16; i++)
        normal[i] &= 15;
    if (one || a == b)
        shuffle_one(m, dst, first_is_b ? b : a, normal);
    else
        shuffle_two(m, dst, first_is_b ? b : a, first_is_b ? a : b, normal);
}

/* --- unary -------------------------------------------------------------------------------------------------------- */
static void negate(struct masm *m, uint32_t subtract, reg dst, reg a)
{
    zero(m, S);
    rr(m, subtract, S, a);
    mov(m, dst, S);
}

static void absolute_i64(struct masm *m, reg dst, reg a)
{
    rri(m, PSHUFD, S, a, 0xf5); /* the upper words, twice */
    rri(m, P(72), 4, S, 31);
    mov(m, dst, a);
    rr(m, PXOR, dst, S);
    rr(m, PSUBQ, dst, S);
}

/* Two lookups of four bits each. */
static void popcnt(struct masm *m, reg dst, reg a, reg t)
{
    const uint64_t low = 0x0302020102010100, high = 0x0403030203020201;

    mov(m, S, a);
    rri(m, P(71), 2, S, 4);
    rc(m, PAND, S, repeat8(0x0f));
    x64_rm_constant(m, X64_MOVAPS, t, low, high);
    rr(m, PSHUFB, t, S);
    mov(m, S, a);
    rc(m, PAND, S, repeat8(0x0f));
    x64_rm_constant(m, X64_MOVAPS, dst, low, high);
    rr(m, PSHUFB, dst, S);
    rr(m, P(fc), dst, t);
}

static void extend_high(struct masm *m, uint32_t extend, reg dst, reg a)
{
    rri(m, PSHUFD, dst, a, 0xee);
    rr(m, extend, dst, dst);
}

static void add_pairs_i8(struct masm *m, bool is_signed, reg dst, reg a)
{
    if (is_signed) { /* pmaddubsw: unsigned times signed */
        x64_rm_constant(m, X64_MOVAPS, S, repeat8(1), repeat8(1));
        rr(m, PMADDUBSW, S, a);
        mov(m, dst, S);
    } else {
        mov(m, dst, a);
        rc(m, PMADDUBSW, dst, repeat8(1));
    }
}

static void add_pairs_i16(struct masm *m, bool is_signed, reg dst, reg a)
{
    mov(m, dst, a);
    if (!is_signed)
        rc(m, PXOR, dst, repeat16(0x8000)); /* minus 0x8000 each, put back below */
    rc(m, PMADDWD, dst, repeat16(1));
    if (!is_signed)
        rc(m, PADDD, dst, repeat32(0x10000));
}

/* The halves of each lane convert exactly; their sum rounds once. */
static void convert_u32(struct masm *m, reg dst, reg a, reg t)
{
    mov(m, S, a);
    rri(m, P(72), 6, S, 16);
    rri(m, P(72), 2, S, 16);
    mov(m, t, a);
    rr(m, PSUBD, t, S);
    rr(m, PS(5b), S, S);
    rri(m, P(72), 2, t, 1); /* so that the conversion finds it positive */
    rr(m, PS(5b), t, t);
    rr(m, PS(58), t, t);
    rr(m, PS(58), t, S);
    mov(m, dst, t);
}

/* The bits of 2^52 above a 32-bit integer make the double 2^52 + integer. */
static void convert_low_u32(struct masm *m, reg dst, reg a)
{
    mov(m, dst, a);
    rc(m, PS(14), dst, repeat32(0x43300000));
    rc(m, P(5c), dst, 0x4330000000000000);
}

static void truncate_f32_signed(struct masm *m, reg dst, reg a, reg t)
{
    mov(m, t, a);
    rri(m, CMPPS, t, t, CMP_EQ);
    rr(m, X64_ANDPS, t, a); /* NaN becomes 0 */
    x64_rm_constant(m, X64_MOVAPS, S, repeat32(0x4f000000), repeat32(0x4f000000));
    rri(m, CMPPS, S, t, CMP_LE); /* 2^31 and above converts to the minimum; inverted it is the maximum */
    rr(m, CVTTPS2DQ, t, t);
    rr(m, PXOR, t, S);
    mov(m, dst, t);
}

/* x < 2^31 converts as it is, else both 2^31 (as the minimum) and the rest are added; the rest saturates like a
 * signed number. */
static void truncate_f32_unsigned(struct masm *m, reg dst, reg a, reg t)
{
    mov(m, t, a);
    zero(m, S);
    rr(m, PS(5f), t, S); /* NaN and negative become 0 */
    mov(m, dst, t);
    rc(m, PS(5c), dst, repeat32(0x4f000000));
    x64_rm_constant(m, X64_MOVAPS, S, repeat32(0x4f000000), repeat32(0x4f000000));
    rri(m, CMPPS, S, dst, CMP_LE);
    rr(m, CVTTPS2DQ, dst, dst);
    rr(m, PXOR, dst, S);
    zero(m, S);
    rr(m, P38(3d), dst, S);
    rr(m, CVTTPS2DQ, t, t);
    rr(m, PADDD, dst, t);
}

static void truncate_f64_signed(struct masm *m, reg dst, reg a, reg t)
{
    mov(m, S, a);
    rri(m, CMPPD, S, S, CMP_EQ);
    rc(m, X64_ANDPS, S, 0x41dfffffffc00000); /* 2^31 - 1, or 0 where there is NaN */
    mov(m, t, a);
    rr(m, P(5d), t, S);
    rr(m, P(e6), dst, t);
}

/* Adding 2^52 leaves the integer in the lower bits. */
static void truncate_f64_unsigned(struct masm *m, reg dst, reg a, reg t)
{
    mov(m, t, a);
    zero(m, S);
    rr(m, P(5f), t, S);
    rc(m, P(5d), t, 0x41efffffffe00000);
    rri(m, P3A(09), t, t, 11);
    rc(m, P(58), t, 0x4330000000000000);
    rri(m, PS(c6), t, S, 0x88);
    mov(m, dst, t);
}

void masm_vector_unary(struct masm *m, enum opcode op, reg dst, reg a, reg t)
{
    const struct direct_unary *d = &direct_unaries[op - OPCODE_SPACE_VECTOR];

    if (d->op != 0) {
        rr(m, d->op, dst, a);
        if (d->has_immediate != 0)
            x64_imm8(enc(m), d->immediate);
        return;
    }
    switch (op) {
    case OP_V128_NOT:
        all_ones(m, S);
        rr(m, PXOR, S, a);
        mov(m, dst, S);
        break;
    case OP_I8X16_NEG: negate(m, PSUBB, dst, a); break;
    case OP_I16X8_NEG: negate(m, PSUBW, dst, a); break;
    case OP_I32X4_NEG: negate(m, PSUBD, dst, a); break;
    case OP_I64X2_NEG: negate(m, PSUBQ, dst, a); break;
    case OP_I64X2_ABS: absolute_i64(m, dst, a); break;
    case OP_I8X16_POPCNT: popcnt(m, dst, a, t); break;
    case OP_F32X4_ABS:
        mov(m, dst, a);
        rc(m, X64_ANDPS, dst, repeat32(0x7fffffff));
        break;
    case OP_F64X2_ABS:
        mov(m, dst, a);
        rc(m, X64_ANDPS, dst, INT64_MAX);
        break;
    case OP_F32X4_NEG:
        mov(m, dst, a);
        rc(m, X64_XORPS, dst, repeat32(0x80000000));
        break;
    case OP_F64X2_NEG:
        mov(m, dst, a);
        rc(m, X64_XORPS, dst, (uint64_t)1 << 63);
        break;
    case OP_I16X8_EXTEND_HIGH_I8X16_S: extend_high(m, P38(20), dst, a); break;
    case OP_I16X8_EXTEND_HIGH_I8X16_U: extend_high(m, P38(30), dst, a); break;
    case OP_I32X4_EXTEND_HIGH_I16X8_S: extend_high(m, P38(23), dst, a); break;
    case OP_I32X4_EXTEND_HIGH_I16X8_U: extend_high(m, P38(33), dst, a); break;
    case OP_I64X2_EXTEND_HIGH_I32X4_S: extend_high(m, P38(25), dst, a); break;
    case OP_I64X2_EXTEND_HIGH_I32X4_U: extend_high(m, P38(35), dst, a); break;
    case OP_I16X8_EXTADD_PAIRWISE_I8X16_S: add_pairs_i8(m, true, dst, a); break;
    case OP_I16X8_EXTADD_PAIRWISE_I8X16_U: add_pairs_i8(m, false, dst, a); break;
    case OP_I32X4_EXTADD_PAIRWISE_I16X8_S: add_pairs_i16(m, true, dst, a); break;
    case OP_I32X4_EXTADD_PAIRWISE_I16X8_U: add_pairs_i16(m, false, dst, a); break;
    case OP_F32X4_CONVERT_I32X4_U: convert_u32(m, dst, a, t); break;
    case OP_F64X2_CONVERT_LOW_I32X4_U: convert_low_u32(m, dst, a); break;
    case OP_I32X4_TRUNC_SAT_F32X4_S: truncate_f32_signed(m, dst, a, t); break;
    case OP_I32X4_TRUNC_SAT_F32X4_U:
    case OP_I32X4_RELAXED_TRUNC_F32X4_U: truncate_f32_unsigned(m, dst, a, t); break;
    case OP_I32X4_TRUNC_SAT_F64X2_S_ZERO: truncate_f64_signed(m, dst, a, t); break;
    case OP_I32X4_TRUNC_SAT_F64X2_U_ZERO:
    case OP_I32X4_RELAXED_TRUNC_F64X2_U_ZERO: truncate_f64_unsigned(m, dst, a, t); break;
    default: assert(!"a unary vector operation");
    }
}

/* --- ternary ------------------------------------------------------------------------------------------------------ */
static void multiply_add(struct masm *m, bool wide, bool negated, reg dst, reg a, reg b, reg c)
{
    uint32_t prefix = wide ? X64_66 : 0;

    mov(m, S, a);
    rr(m, PS(59) | prefix, S, b);
    if (negated) {
        mov(m, dst, c);
        rr(m, PS(5c) | prefix, dst, S);
    } else {
        rr(m, PS(58) | prefix, S, c);
        mov(m, dst, S);
    }
}

void masm_vector_ternary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg c)
{
    switch (op) {
    case OP_V128_BITSELECT:
    case OP_I8X16_RELAXED_LANESELECT:
    case OP_I16X8_RELAXED_LANESELECT:
    case OP_I32X4_RELAXED_LANESELECT:
    case OP_I64X2_RELAXED_LANESELECT:
        mov(m, S, a);
        rr(m, PXOR, S, b);
        rr(m, PAND, S, c);
        rr(m, PXOR, S, b);
        mov(m, dst, S);
        break;
    case OP_F32X4_RELAXED_MADD: multiply_add(m, false, false, dst, a, b, c); break;
    case OP_F32X4_RELAXED_NMADD: multiply_add(m, false, true, dst, a, b, c); break;
    case OP_F64X2_RELAXED_MADD: multiply_add(m, true, false, dst, a, b, c); break;
    case OP_F64X2_RELAXED_NMADD: multiply_add(m, true, true, dst, a, b, c); break;
    default:
        assert(op == OP_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S);
        mov(m, S, b);
        rr(m, PMADDUBSW, S, a);
        rc(m, PMADDWD, S, repeat16(1));
        rr(m, PADDD, S, c);
        mov(m, dst, S);
    }
}

/* --- shifts ------------------------------------------------------------------------------------------------------- */
struct vector_shift {
    enum masm_shift kind;
    unsigned lane_bits;
};

static struct vector_shift shift_of(enum opcode op)
{
    switch (op) {
    case OP_I8X16_SHL: return (struct vector_shift){SHIFT_SHL, 8};
    case OP_I8X16_SHR_S: return (struct vector_shift){SHIFT_SHR_S, 8};
    case OP_I8X16_SHR_U: return (struct vector_shift){SHIFT_SHR_U, 8};
    case OP_I16X8_SHL: return (struct vector_shift){SHIFT_SHL, 16};
    case OP_I16X8_SHR_S: return (struct vector_shift){SHIFT_SHR_S, 16};
    case OP_I16X8_SHR_U: return (struct vector_shift){SHIFT_SHR_U, 16};
    case OP_I32X4_SHL: return (struct vector_shift){SHIFT_SHL, 32};
    case OP_I32X4_SHR_S: return (struct vector_shift){SHIFT_SHR_S, 32};
    case OP_I32X4_SHR_U: return (struct vector_shift){SHIFT_SHR_U, 32};
    case OP_I64X2_SHL: return (struct vector_shift){SHIFT_SHL, 64};
    case OP_I64X2_SHR_S: return (struct vector_shift){SHIFT_SHR_S, 64};
    default: assert(op == OP_I64X2_SHR_U); return (struct vector_shift){SHIFT_SHR_U, 64};
    }
}

/* Lanes of a byte are shifted as words and cleared of what came from their neighbours. */
static void shift_const_i8(struct masm *m, enum masm_shift kind, reg dst, unsigned count)
{
    uint8_t sign = (uint8_t)(0x80 >> count);

    rri(m, P(71), kind == SHIFT_SHL ? 6 : 2, dst, count);
    rc(m, PAND, dst, repeat8((uint8_t)(kind == SHIFT_SHL ? 0xff << count : 0xff >> count)));
    if (kind == SHIFT_SHR_S) {
        rc(m, PXOR, dst, repeat8(sign));
        rc(m, PSUBB, dst, repeat8(sign));
    }
}

void masm_vector_shift_const(struct masm *m, enum opcode op, reg dst, reg a, unsigned count)
{
    struct vector_shift s = shift_of(op);
    uint64_t sign;

    count &= s.lane_bits - 1;
    mov(m, dst, a);
    if (count == 0)
        return;
    if (s.lane_bits == 8) {
        shift_const_i8(m, s.kind, dst, count);
    } else if (s.lane_bits == 64 && s.kind == SHIFT_SHR_S) {
        sign = (uint64_t)1 << (63 - count);
        rri(m, P(73), 2, dst, count);
        rc(m, PXOR, dst, sign);
        rc(m, PSUBQ, dst, sign);
    } else {
        uint32_t group = s.lane_bits == 16 ? P(71) : s.lane_bits == 32 ? P(72) : P(73);
        rri(m, group, s.kind == SHIFT_SHL ? 6 : s.kind == SHIFT_SHR_U ? 2 : 4, dst, count);
    }
}

/* S holds the count. */
static void shift_i8(struct masm *m, enum masm_shift kind, reg dst, reg a, reg t)
{
    if (kind == SHIFT_SHR_S) { /* each byte into the upper half of a word, which brings the sign along */
        mov(m, t, a);
        mov(m, dst, a);
        rr(m, P(60), t, t);
        rr(m, P(68), dst, dst);
        rr(m, PSRAW, t, S);
        rr(m, PSRAW, dst, S);
        rri(m, P(71), 4, t, 8);
        rri(m, P(71), 4, dst, 8);
        rr(m, P(63), t, dst);
        mov(m, dst, t);
        return;
    }
    mov(m, dst, a);
    rr(m, kind == SHIFT_SHL ? PSLLW : PSRLW, dst, S);
    all_ones(m, t);
    rr(m, kind == SHIFT_SHL ? PSLLW : PSRLW, t, S);
    if (kind == SHIFT_SHR_U)
        rri(m, P(71), 2, t, 8);
    zero(m, S);
    rr(m, PSHUFB, t, S); /* the lowest byte is the mask, everywhere */
    rr(m, PAND, dst, t);
}

void masm_vector_shift(struct masm *m, enum opcode op, reg dst, reg a, reg count, reg t)
{
    static const uint32_t ops[][3] = {{PSLLW, PSRAW, PSRLW}, {PSLLD, PSRAD, PSRLD}, {PSLLQ, 0, PSRLQ}};
    struct vector_shift s = shift_of(op);

    x64_rr(enc(m), X64_MOV, X64_SCRATCH, count);
    x64_rr(enc(m), X64_ALU_IMM8, X64_DIGIT_AND, X64_SCRATCH);
    x64_imm8(enc(m), (int)s.lane_bits - 1);
    x64_rr(enc(m), X64_MOVD, S, X64_SCRATCH);
    if (s.lane_bits == 8) {
        shift_i8(m, s.kind, dst, a, t);
    } else if (s.lane_bits == 64 && s.kind == SHIFT_SHR_S) {
        mov(m, dst, a);
        rr(m, PSRLQ, dst, S);
        x64_rm_constant(m, X64_MOVAPS, t, (uint64_t)1 << 63, (uint64_t)1 << 63);
        rr(m, PSRLQ, t, S);
        rr(m, PXOR, dst, t);
        rr(m, PSUBQ, dst, t);
    } else {
        mov(m, dst, a);
        rr(m, ops[s.lane_bits == 16 ? 0 : s.lane_bits == 32 ? 1 : 2][s.kind], dst, S);
    }
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */
void masm_splat(struct masm *m, enum opcode op, reg dst, reg a)
{
    switch (op) {
    case OP_I8X16_SPLAT:
        rr(m, X64_MOVD, dst, a);
        zero(m, S);
        rr(m, PSHUFB, dst, S);
        break;
    case OP_I16X8_SPLAT:
        rr(m, X64_MOVD, dst, a);
        rri(m, X64_F2 | X64_0F | 0x70, dst, dst, 0);
        rri(m, PSHUFD, dst, dst, 0);
        break;
    case OP_I32X4_SPLAT:
        rr(m, X64_MOVD, dst, a);
        rri(m, PSHUFD, dst, dst, 0);
        break;
    case OP_I64X2_SPLAT:
        rr(m, X64_MOVD | X64_W, dst, a);
        rri(m, PSHUFD, dst, dst, 0x44);
        break;
    case OP_F32X4_SPLAT: rri(m, PSHUFD, dst, a, 0); break;
    default: assert(op == OP_F64X2_SPLAT); rri(m, PSHUFD, dst, a, 0x44);
    }
}

void masm_extract_lane(struct masm *m, enum opcode op, reg dst, reg a, unsigned lane)
{
    switch (op) {
    case OP_I8X16_EXTRACT_LANE_S:
        rri(m, P3A(14), a, dst, lane);
        rr(m, X64_MOVSX8, dst, dst);
        break;
    case OP_I8X16_EXTRACT_LANE_U: rri(m, P3A(14), a, dst, lane); break;
    case OP_I16X8_EXTRACT_LANE_S:
        rri(m, P(c5), dst, a, lane);
        rr(m, X64_MOVSX16, dst, dst);
        break;
    case OP_I16X8_EXTRACT_LANE_U: rri(m, P(c5), dst, a, lane); break;
    case OP_I32X4_EXTRACT_LANE: rri(m, P3A(16), a, dst, lane); break;
    case OP_I64X2_EXTRACT_LANE: rri(m, P3A(16) | X64_W, a, dst, lane); break;
    case OP_F32X4_EXTRACT_LANE: rri(m, PSHUFD, dst, a, lane); break;
    default: assert(op == OP_F64X2_EXTRACT_LANE); rri(m, PSHUFD, dst, a, lane == 0 ? 0x44 : 0xee);
    }
}

void masm_replace_lane(struct masm *m, enum opcode op, reg dst, reg a, reg b, unsigned lane)
{
    if (dst == b && dst != a) {
        mov(m, S, b);
        b = S;
    }
    mov(m, dst, a);
    switch (op) {
    case OP_I8X16_REPLACE_LANE: rri(m, P3A(20), dst, b, lane); break;
    case OP_I16X8_REPLACE_LANE: rri(m, P(c4), dst, b, lane); break;
    case OP_I32X4_REPLACE_LANE: rri(m, P3A(22), dst, b, lane); break;
    case OP_I64X2_REPLACE_LANE: rri(m, P3A(22) | X64_W, dst, b, lane); break;
    case OP_F32X4_REPLACE_LANE: rri(m, P3A(21), dst, b, lane << 4); break;
    default: assert(op == OP_F64X2_REPLACE_LANE); rr(m, lane == 0 ? X64_F2 | X64_0F | 0x10 : P(14), dst, b);
    }
}

enum masm_cond masm_vector_test(struct masm *m, enum opcode op, reg a)
{
    uint32_t equal = op == OP_I8X16_ALL_TRUE   ? PCMPEQB
                     : op == OP_I16X8_ALL_TRUE ? PCMPEQW
                     : op == OP_I32X4_ALL_TRUE ? PCMPEQD
                                               : PCMPEQQ;

    if (op == OP_V128_ANY_TRUE) {
        rr(m, PTEST, a, a);
        return COND_NE;
    }
    zero(m, S);
    rr(m, equal, S, a); /* lanes that are zero */
    rr(m, PTEST, S, S);
    return COND_EQ;
}

void masm_bitmask(struct masm *m, enum opcode op, reg dst, reg a)
{
    switch (op) {
    case OP_I8X16_BITMASK: rr(m, P(d7), dst, a); break;
    case OP_I16X8_BITMASK:
        mov(m, S, a);
        rr(m, P(63), S, S);
        rr(m, P(d7), dst, S);
        rr(m, X64_MOVZX8, dst, dst);
        break;
    case OP_I32X4_BITMASK: rr(m, PS(50), dst, a); break;
    default: assert(op == OP_I64X2_BITMASK); rr(m, P(50), dst, a);
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
static struct x64_mem mem_of(struct masm_address a)
{
    return (struct x64_mem){a.base, a.index, a.scale_log2, a.disp};
}

static void load(struct masm *m, uint32_t op, reg dst, struct masm_address from)
{
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), op, dst, mem_of(from));
}

void masm_vector_load(struct masm *m, enum opcode op, reg dst, struct masm_address from)
{
    switch (op) {
    case OP_V128_LOAD: load(m, X64_MOVUPS, dst, from); break;
    case OP_V128_LOAD8X8_S: load(m, P38(20), dst, from); break;
    case OP_V128_LOAD8X8_U: load(m, P38(30), dst, from); break;
    case OP_V128_LOAD16X4_S: load(m, P38(23), dst, from); break;
    case OP_V128_LOAD16X4_U: load(m, P38(33), dst, from); break;
    case OP_V128_LOAD32X2_S: load(m, P38(25), dst, from); break;
    case OP_V128_LOAD32X2_U: load(m, P38(35), dst, from); break;
    case OP_V128_LOAD8_SPLAT:
        load(m, X64_MOVZX8, X64_SCRATCH, from);
        masm_splat(m, OP_I8X16_SPLAT, dst, X64_SCRATCH);
        break;
    case OP_V128_LOAD16_SPLAT:
        load(m, X64_MOVZX16, X64_SCRATCH, from);
        masm_splat(m, OP_I16X8_SPLAT, dst, X64_SCRATCH);
        break;
    case OP_V128_LOAD32_SPLAT:
        load(m, X64_MOVS_LOAD, dst, from);
        rri(m, PSHUFD, dst, dst, 0);
        break;
    case OP_V128_LOAD64_SPLAT: load(m, X64_F2 | X64_0F | 0x12, dst, from); break;
    case OP_V128_LOAD32_ZERO: load(m, X64_MOVS_LOAD, dst, from); break;
    default: assert(op == OP_V128_LOAD64_ZERO); load(m, X64_MOVS_LOAD ^ X64_DOUBLE, dst, from);
    }
}

void masm_vector_load_lane(struct masm *m, enum opcode op, reg dst, reg a, struct masm_address from, unsigned lane)
{
    static const uint32_t ops[] = {P3A(20), P(c4), P3A(22), P3A(22) | X64_W};

    mov(m, dst, a);
    load(m, ops[op - OP_V128_LOAD8_LANE], dst, from);
    x64_imm8(enc(m), (int)lane);
}

void masm_vector_store_lane(struct masm *m, enum opcode op, reg a, struct masm_address to, unsigned lane)
{
    static const uint32_t ops[] = {P3A(14), P3A(15), P3A(16), P3A(16) | X64_W};

    load(m, ops[op - OP_V128_STORE8_LANE], a, to);
    x64_imm8(enc(m), (int)lane);
}
