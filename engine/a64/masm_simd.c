/* The macro assembler's vectors, on Advanced SIMD, operations named by the Wasm instruction.
 *
 * Nearly all are one instruction, listed in tables. The others are computed in v30 and v31 and reach `dst` last, since it
 * may be one of the operands; so none needs a register of the compiler's. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

#define AT(name) [OP_##name - OPCODE_SPACE_VECTOR]

enum { S = A64_VECTOR_SCRATCH, R = V30, VECTOR_OPCODES = OPCODE_SPACE_ATOMIC - OPCODE_SPACE_VECTOR };
enum { B, H, W, D }; /* lanes: of 8, 16, 32, 64 bits */

/* Groups of instructions as the Arm ARM has them (C4.1, "Advanced SIMD"); U: the bit that mostly means unsigned. */
#define U                        (1u << 29)
#define SAME(size, code)         (0x4e200400u | (uint32_t)(size) << 22 | (uint32_t)(code) << 11)
#define MISC(size, code)         (0x4e200800u | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define WIDENING(size, code)     (0x0e200000u | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define ACROSS(size, code)       (0x4e300800u | (uint32_t)(size) << 22 | (uint32_t)(code) << 12)
#define SHIFTED(code, immediate) (0x4f000400u | (uint32_t)(immediate) << 16 | (uint32_t)(code) << 11)
#define LANE(size, lane)         ((uint32_t)((lane)*2 + 1) << (size) << 16)
#define LOW_HALF                 (1u << 30) /* exclusive or: of the source, or of the result */
#define HIGH_HALF                (1u << 30)

enum {
    AND = SAME(0, 3),
    BIC = SAME(1, 3),
    ORR = SAME(2, 3),
    EOR = SAME(0, 3) | U,
    BSL = SAME(1, 3) | U, /* of dst's ones the first, of its zeros the second */
    NOT = MISC(0, 5) | U,
    TBL = 0x4e000000,
    TBL_OF_TWO = 0x4e002000,
    ZIP1_B = 0x4e003800,
    DUP = 0x4e000c00, /* from an integer; with LANE */
    DUP_LANE = 0x4e000400,
    DUP_TO_SCALAR = 0x5e000400,
    INSERT = 0x4e001c00,
    INSERT_LANE_0 = 0x6e000400, /* from lane 0 of another vector */
    UMOV = 0x0e003c00,
    UMOV_X = 0x4e003c00,
    SMOV = 0x0e002c00,
    LDR_B = 0x3d400000,
    LDR_H = 0x7d400000,
    STR_B = 0x3d000000,
    STR_H = 0x7d000000,
};

static void rr(struct masm *m, uint32_t op, reg dst, reg a)
{
    a64_rr(enc(m), op, dst, a);
}

static void rrr(struct masm *m, uint32_t op, reg dst, reg a, reg b)
{
    a64_rrr(enc(m), op, dst, a, b);
}

static void mov(struct masm *m, reg dst, reg src)
{
    masm_move(m, VT_V128, dst, src);
}

bool masm_vector_is_direct(enum opcode op)
{
    return true; /* or by registers of the macro assembler's own */
}

/* --- two operands ------------------------------------------------------------------------------------------------- */
enum { EXCHANGED = 1, INVERTED = 2 };

#define PLAIN(name, op) AT(name) = {op, 0}
#define COMPARE_S(shape, size)                                                                                         \
    AT(shape##_EQ) = {SAME(size, 17) | U, 0}, AT(shape##_NE) = {SAME(size, 17) | U, INVERTED},                         \
    AT(shape##_GT_S) = {SAME(size, 6), 0}, AT(shape##_LT_S) = {SAME(size, 6), EXCHANGED},                              \
    AT(shape##_GE_S) = {SAME(size, 7), 0}, AT(shape##_LE_S) = {SAME(size, 7), EXCHANGED}
#define COMPARE_U(shape, size)                                                                                         \
    AT(shape##_GT_U) = {SAME(size, 6) | U, 0}, AT(shape##_LT_U) = {SAME(size, 6) | U, EXCHANGED},                      \
    AT(shape##_GE_U) = {SAME(size, 7) | U, 0}, AT(shape##_LE_U) = {SAME(size, 7) | U, EXCHANGED}
#define COMPARE_F(shape, is_f64)                                                                                       \
    AT(shape##_EQ) = {SAME(is_f64, 28), 0}, AT(shape##_NE) = {SAME(is_f64, 28), INVERTED},                             \
    AT(shape##_GT) = {SAME(2 | is_f64, 28) | U, 0}, AT(shape##_LT) = {SAME(2 | is_f64, 28) | U, EXCHANGED},            \
    AT(shape##_GE) = {SAME(is_f64, 28) | U, 0}, AT(shape##_LE) = {SAME(is_f64, 28) | U, EXCHANGED}
#define SUMS(shape, size) PLAIN(shape##_ADD, SAME(size, 16)), PLAIN(shape##_SUB, SAME(size, 16) | U)
#define LIMITS(shape, size)                                                                                            \
    PLAIN(shape##_MIN_S, SAME(size, 13)), PLAIN(shape##_MIN_U, SAME(size, 13) | U),                                    \
        PLAIN(shape##_MAX_S, SAME(size, 12)), PLAIN(shape##_MAX_U, SAME(size, 12) | U)
#define SATURATING(shape, size)                                                                                        \
    PLAIN(shape##_ADD_SAT_S, SAME(size, 1)), PLAIN(shape##_ADD_SAT_U, SAME(size, 1) | U),                              \
        PLAIN(shape##_SUB_SAT_S, SAME(size, 5)), PLAIN(shape##_SUB_SAT_U, SAME(size, 5) | U),                          \
        PLAIN(shape##_AVGR_U, SAME(size, 2) | U)
#define PRODUCTS(shape, from, size)                                                                                    \
    PLAIN(shape##_EXTMUL_LOW_##from##_S, WIDENING(size, 12)),                                                          \
        PLAIN(shape##_EXTMUL_LOW_##from##_U, WIDENING(size, 12) | U),                                                  \
        PLAIN(shape##_EXTMUL_HIGH_##from##_S, WIDENING(size, 12) | HIGH_HALF),                                         \
        PLAIN(shape##_EXTMUL_HIGH_##from##_U, WIDENING(size, 12) | HIGH_HALF | U)
#define FLOATS(shape, is_f64)                                                                                          \
    PLAIN(shape##_ADD, SAME(is_f64, 26)), PLAIN(shape##_SUB, SAME(2 | is_f64, 26)),                                    \
        PLAIN(shape##_MUL, SAME(is_f64, 27) | U), PLAIN(shape##_DIV, SAME(is_f64, 31) | U),                            \
        PLAIN(shape##_MIN, SAME(2 | is_f64, 30)), PLAIN(shape##_MAX, SAME(is_f64, 30)),                                \
        PLAIN(shape##_RELAXED_MIN, SAME(2 | is_f64, 30)), PLAIN(shape##_RELAXED_MAX, SAME(is_f64, 30))

static const struct {
    uint32_t op;
    uint8_t flags;
} direct_binaries[VECTOR_OPCODES] = {
    COMPARE_S(I8X16, B),
    COMPARE_S(I16X8, H),
    COMPARE_S(I32X4, W),
    COMPARE_S(I64X2, D),
    COMPARE_U(I8X16, B),
    COMPARE_U(I16X8, H),
    COMPARE_U(I32X4, W),
    COMPARE_F(F32X4, 0),
    COMPARE_F(F64X2, 1),
    PLAIN(V128_AND, AND),
    PLAIN(V128_ANDNOT, BIC),
    PLAIN(V128_OR, ORR),
    PLAIN(V128_XOR, EOR),
    SUMS(I8X16, B),
    SUMS(I16X8, H),
    SUMS(I32X4, W),
    SUMS(I64X2, D),
    SATURATING(I8X16, B),
    SATURATING(I16X8, H),
    LIMITS(I8X16, B),
    LIMITS(I16X8, H),
    LIMITS(I32X4, W),
    PLAIN(I16X8_MUL, SAME(H, 19)),
    PLAIN(I32X4_MUL, SAME(W, 19)),
    PLAIN(I16X8_Q15MULR_SAT_S, SAME(H, 22) | U),
    PLAIN(I16X8_RELAXED_Q15MULR_S, SAME(H, 22) | U),
    PRODUCTS(I16X8, I8X16, B),
    PRODUCTS(I32X4, I16X8, H),
    PRODUCTS(I64X2, I32X4, W),
    FLOATS(F32X4, 0),
    FLOATS(F64X2, 1),
    PLAIN(I8X16_SWIZZLE, TBL),
    PLAIN(I8X16_RELAXED_SWIZZLE, TBL),
};

static void direct_binary(struct masm *m, enum opcode op, reg dst, reg a, reg b)
{
    unsigned n = (unsigned)op - OPCODE_SPACE_VECTOR;
    bool exchanged = (direct_binaries[n].flags & EXCHANGED) != 0;

    rrr(m, direct_binaries[n].op, dst, exchanged ? b : a, exchanged ? a : b);
    if ((direct_binaries[n].flags & INVERTED) != 0)
        rr(m, NOT, dst, dst);
}

/* The lanes of A in the lower half, those of B in the upper one, narrowed by CODE. */
static void narrow(struct masm *m, uint32_t code, reg dst, reg a, reg b)
{
    rr(m, code ^ LOW_HALF, S, a);
    rr(m, code, S, b);
    mov(m, dst, S);
}

/* Products of lanes of SIZE, of which neighbours are added. */
static void dot(struct masm *m, unsigned size, reg dst, reg a, reg b)
{
    rrr(m, WIDENING(size, 12), S, a, b);
    rrr(m, WIDENING(size, 12) | HIGH_HALF, R, a, b);
    rrr(m, SAME(size + 1, 23), dst, S, R);
}

static void mul_i64(struct masm *m, reg dst, reg a, reg b)
{
    for (unsigned lane = 0; lane < 2; lane++) {
        rr(m, UMOV_X | LANE(D, lane), A64_SCRATCH, a);
        rr(m, UMOV_X | LANE(D, lane), A64_ADDRESS, b);
        rrr(m, A64_MUL | A64_X, A64_SCRATCH, A64_SCRATCH, A64_ADDRESS);
        rr(m, INSERT | LANE(D, lane), S, A64_SCRATCH);
    }
    mov(m, dst, S);
}

/* The second operand where YES says so, else the first. */
static void choose(struct masm *m, uint32_t compare, reg dst, reg x, reg y, reg a, reg b)
{
    rrr(m, compare, S, x, y);
    rrr(m, BSL, S, b, a);
    mov(m, dst, S);
}

void masm_vector_binary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg t)
{
    if (direct_binaries[(unsigned)op - OPCODE_SPACE_VECTOR].op != 0) {
        direct_binary(m, op, dst, a, b);
        return;
    }
    switch (op) {
    case OP_I8X16_NARROW_I16X8_S: narrow(m, MISC(B, 20), dst, a, b); break;
    case OP_I8X16_NARROW_I16X8_U: narrow(m, MISC(B, 18) | U, dst, a, b); break;
    case OP_I16X8_NARROW_I32X4_S: narrow(m, MISC(H, 20), dst, a, b); break;
    case OP_I16X8_NARROW_I32X4_U: narrow(m, MISC(H, 18) | U, dst, a, b); break;
    case OP_I32X4_DOT_I16X8_S: dot(m, H, dst, a, b); break;
    case OP_I16X8_RELAXED_DOT_I8X16_I7X16_S: dot(m, B, dst, a, b); break;
    case OP_I64X2_MUL: mul_i64(m, dst, a, b); break;
    case OP_F32X4_PMIN: choose(m, SAME(2, 28) | U, dst, a, b, a, b); break;
    case OP_F32X4_PMAX: choose(m, SAME(2, 28) | U, dst, b, a, a, b); break;
    case OP_F64X2_PMIN: choose(m, SAME(3, 28) | U, dst, a, b, a, b); break;
    case OP_F64X2_PMAX: choose(m, SAME(3, 28) | U, dst, b, a, a, b); break;
    default: assert(!"a vector instruction with two operands");
    }
}

bool masm_vector_takes_const(enum opcode op)
{
    return direct_binaries[(unsigned)op - OPCODE_SPACE_VECTOR].op != 0;
}

void masm_vector_binary_const(struct masm *m, enum opcode op, reg dst, reg a, uint64_t low, uint64_t high)
{
    masm_v128_const(m, S, low, high);
    direct_binary(m, op, dst, a, S);
}

void masm_shuffle(struct masm *m, reg dst, reg a, reg b, const uint8_t lanes[16])
{
    uint64_t halves[2];

    memcpy(halves, lanes, sizeof halves);
    mov(m, R, a); /* the table's registers are neighbours */
    mov(m, S, b);
    masm_v128_const(m, dst, halves[0], halves[1]);
    rrr(m, TBL_OF_TWO, dst, R, dst);
}

/* --- one operand -------------------------------------------------------------------------------------------------- */
#define UNARY(name, op)    AT(name) = op
#define SIGNS(shape, size) UNARY(shape##_ABS, MISC(size, 11)), UNARY(shape##_NEG, MISC(size, 11) | U)
#define EXTENSIONS(shape, from, size)                                                                                  \
    UNARY(shape##_EXTEND_LOW_##from##_S, SHIFTED(20, 8 << size) ^ LOW_HALF),                                           \
        UNARY(shape##_EXTEND_LOW_##from##_U, (SHIFTED(20, 8 << size) ^ LOW_HALF) | U),                                 \
        UNARY(shape##_EXTEND_HIGH_##from##_S, SHIFTED(20, 8 << size)),                                                 \
        UNARY(shape##_EXTEND_HIGH_##from##_U, SHIFTED(20, 8 << size) | U)
#define FLOAT_UNARIES(shape, is_f64)                                                                                   \
    UNARY(shape##_ABS, MISC(2 | is_f64, 15)), UNARY(shape##_NEG, MISC(2 | is_f64, 15) | U),                            \
        UNARY(shape##_SQRT, MISC(2 | is_f64, 31) | U), UNARY(shape##_NEAREST, MISC(is_f64, 24)),                       \
        UNARY(shape##_FLOOR, MISC(is_f64, 25)), UNARY(shape##_CEIL, MISC(2 | is_f64, 24)),                             \
        UNARY(shape##_TRUNC, MISC(2 | is_f64, 25))

static const uint32_t direct_unaries[VECTOR_OPCODES] = {
    UNARY(V128_NOT, NOT),
    UNARY(I8X16_POPCNT, MISC(B, 5)),
    SIGNS(I8X16, B),
    SIGNS(I16X8, H),
    SIGNS(I32X4, W),
    SIGNS(I64X2, D),
    EXTENSIONS(I16X8, I8X16, B),
    EXTENSIONS(I32X4, I16X8, H),
    EXTENSIONS(I64X2, I32X4, W),
    UNARY(I16X8_EXTADD_PAIRWISE_I8X16_S, MISC(B, 2)),
    UNARY(I16X8_EXTADD_PAIRWISE_I8X16_U, MISC(B, 2) | U),
    UNARY(I32X4_EXTADD_PAIRWISE_I16X8_S, MISC(H, 2)),
    UNARY(I32X4_EXTADD_PAIRWISE_I16X8_U, MISC(H, 2) | U),
    FLOAT_UNARIES(F32X4, 0),
    FLOAT_UNARIES(F64X2, 1),
    UNARY(F32X4_CONVERT_I32X4_S, MISC(0, 29)),
    UNARY(F32X4_CONVERT_I32X4_U, MISC(0, 29) | U),
    UNARY(I32X4_TRUNC_SAT_F32X4_S, MISC(2, 27)),
    UNARY(I32X4_TRUNC_SAT_F32X4_U, MISC(2, 27) | U),
    UNARY(I32X4_RELAXED_TRUNC_F32X4_S, MISC(2, 27)),
    UNARY(I32X4_RELAXED_TRUNC_F32X4_U, MISC(2, 27) | U),
    UNARY(F32X4_DEMOTE_F64X2_ZERO, MISC(1, 22) ^ LOW_HALF),
    UNARY(F64X2_PROMOTE_LOW_F32X4, MISC(1, 23) ^ LOW_HALF),
};

void masm_vector_unary(struct masm *m, enum opcode op, reg dst, reg a, reg t)
{
    uint32_t direct = direct_unaries[(unsigned)op - OPCODE_SPACE_VECTOR];

    if (direct != 0) {
        rr(m, direct, dst, a);
        return;
    }
    switch (op) {
    case OP_I32X4_TRUNC_SAT_F64X2_S_ZERO:
    case OP_I32X4_RELAXED_TRUNC_F64X2_S_ZERO:
        rr(m, MISC(3, 27), S, a);
        rr(m, MISC(W, 20) ^ LOW_HALF, dst, S);
        break;
    case OP_I32X4_TRUNC_SAT_F64X2_U_ZERO:
    case OP_I32X4_RELAXED_TRUNC_F64X2_U_ZERO:
        rr(m, MISC(3, 27) | U, S, a);
        rr(m, (MISC(W, 20) | U) ^ LOW_HALF, dst, S);
        break;
    case OP_F64X2_CONVERT_LOW_I32X4_S:
        rr(m, SHIFTED(20, 32) ^ LOW_HALF, dst, a);
        rr(m, MISC(1, 29), dst, dst);
        break;
    case OP_F64X2_CONVERT_LOW_I32X4_U:
        rr(m, (SHIFTED(20, 32) | U) ^ LOW_HALF, dst, a);
        rr(m, MISC(1, 29) | U, dst, dst);
        break;
    default: assert(!"a vector instruction with one operand");
    }
}

/* --- three operands ----------------------------------------------------------------------------------------------- */
static void through_scratch(struct masm *m, uint32_t op, reg dst, reg first, reg a, reg b)
{
    mov(m, S, first);
    rrr(m, op, S, a, b);
    mov(m, dst, S);
}

void masm_vector_ternary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg c)
{
    switch (op) {
    case OP_F32X4_RELAXED_MADD: through_scratch(m, SAME(0, 25), dst, c, a, b); break;
    case OP_F64X2_RELAXED_MADD: through_scratch(m, SAME(1, 25), dst, c, a, b); break;
    case OP_F32X4_RELAXED_NMADD: through_scratch(m, SAME(2, 25), dst, c, a, b); break;
    case OP_F64X2_RELAXED_NMADD: through_scratch(m, SAME(3, 25), dst, c, a, b); break;
    case OP_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S:
        dot(m, B, S, a, b);
        rr(m, MISC(H, 2), S, S);
        rrr(m, SAME(W, 16), dst, S, c);
        break;
    default: through_scratch(m, BSL, dst, c, a, b); /* bitselect, and the lane selects as that */
    }
}

/* --- shifts ------------------------------------------------------------------------------------------------------- */
struct shift {
    uint8_t size;
    bool left, is_unsigned;
};

static struct shift shift_of(enum opcode op)
{
    switch (op) {
    case OP_I8X16_SHL: return (struct shift){B, true, false};
    case OP_I8X16_SHR_S: return (struct shift){B, false, false};
    case OP_I8X16_SHR_U: return (struct shift){B, false, true};
    case OP_I16X8_SHL: return (struct shift){H, true, false};
    case OP_I16X8_SHR_S: return (struct shift){H, false, false};
    case OP_I16X8_SHR_U: return (struct shift){H, false, true};
    case OP_I32X4_SHL: return (struct shift){W, true, false};
    case OP_I32X4_SHR_S: return (struct shift){W, false, false};
    case OP_I32X4_SHR_U: return (struct shift){W, false, true};
    case OP_I64X2_SHL: return (struct shift){D, true, false};
    case OP_I64X2_SHR_S: return (struct shift){D, false, false};
    default: assert(op == OP_I64X2_SHR_U); return (struct shift){D, false, true};
    }
}

/* To the right is to the left by less than nothing. */
void masm_vector_shift(struct masm *m, enum opcode op, reg dst, reg a, reg count, reg t)
{
    struct shift s = shift_of(op);

    masm_alu_const(m, ALU_AND, false, A64_SCRATCH, count, (8 << s.size) - 1);
    if (!s.left)
        rrr(m, A64_SUB | A64_X, A64_SCRATCH, XZR, A64_SCRATCH);
    rr(m, DUP | LANE(s.size, 0), S, A64_SCRATCH);
    rrr(m, SAME(s.size, 8) | (s.is_unsigned ? U : 0), dst, a, S);
}

void masm_vector_shift_const(struct masm *m, enum opcode op, reg dst, reg a, unsigned count)
{
    struct shift s = shift_of(op);
    unsigned bits = 8u << s.size;

    count &= bits - 1;
    if (s.left)
        rr(m, SHIFTED(10, bits + count), dst, a);
    else if (count != 0)
        rr(m, SHIFTED(0, 2 * bits - count) | (s.is_unsigned ? U : 0), dst, a);
    else
        mov(m, dst, a);
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */
void masm_splat(struct masm *m, enum opcode op, reg dst, reg a)
{
    switch (op) {
    case OP_I8X16_SPLAT: rr(m, DUP | LANE(B, 0), dst, a); break;
    case OP_I16X8_SPLAT: rr(m, DUP | LANE(H, 0), dst, a); break;
    case OP_I32X4_SPLAT: rr(m, DUP | LANE(W, 0), dst, a); break;
    case OP_I64X2_SPLAT: rr(m, DUP | LANE(D, 0), dst, a); break;
    case OP_F32X4_SPLAT: rr(m, DUP_LANE | LANE(W, 0), dst, a); break;
    default: assert(op == OP_F64X2_SPLAT); rr(m, DUP_LANE | LANE(D, 0), dst, a);
    }
}

void masm_extract_lane(struct masm *m, enum opcode op, reg dst, reg a, unsigned lane)
{
    switch (op) {
    case OP_I8X16_EXTRACT_LANE_S: rr(m, SMOV | LANE(B, lane), dst, a); break;
    case OP_I8X16_EXTRACT_LANE_U: rr(m, UMOV | LANE(B, lane), dst, a); break;
    case OP_I16X8_EXTRACT_LANE_S: rr(m, SMOV | LANE(H, lane), dst, a); break;
    case OP_I16X8_EXTRACT_LANE_U: rr(m, UMOV | LANE(H, lane), dst, a); break;
    case OP_I32X4_EXTRACT_LANE: rr(m, UMOV | LANE(W, lane), dst, a); break;
    case OP_I64X2_EXTRACT_LANE: rr(m, UMOV_X | LANE(D, lane), dst, a); break;
    case OP_F32X4_EXTRACT_LANE: rr(m, DUP_TO_SCALAR | LANE(W, lane), dst, a); break;
    default: assert(op == OP_F64X2_EXTRACT_LANE); rr(m, DUP_TO_SCALAR | LANE(D, lane), dst, a);
    }
}

/* FROM may be DST. */
static void insert(struct masm *m, uint32_t op, reg dst, reg a, reg from)
{
    if (from == dst) {
        mov(m, S, from);
        from = S;
    }
    mov(m, dst, a);
    rr(m, op, dst, from);
}

void masm_replace_lane(struct masm *m, enum opcode op, reg dst, reg a, reg b, unsigned lane)
{
    switch (op) {
    case OP_I8X16_REPLACE_LANE: insert(m, INSERT | LANE(B, lane), dst, a, b); break;
    case OP_I16X8_REPLACE_LANE: insert(m, INSERT | LANE(H, lane), dst, a, b); break;
    case OP_I32X4_REPLACE_LANE: insert(m, INSERT | LANE(W, lane), dst, a, b); break;
    case OP_I64X2_REPLACE_LANE: insert(m, INSERT | LANE(D, lane), dst, a, b); break;
    case OP_F32X4_REPLACE_LANE: insert(m, INSERT_LANE_0 | LANE(W, lane), dst, a, b); break;
    default: assert(op == OP_F64X2_REPLACE_LANE); insert(m, INSERT_LANE_0 | LANE(D, lane), dst, a, b);
    }
}

/* --- to integers -------------------------------------------------------------------------------------------------- */
/* Each lane's sign becomes the lane's own bit, by SHIFT and BITS; then all are added. */
static void gather_signs(struct masm *m, unsigned size, uint64_t low, uint64_t high, reg a)
{
    rr(m, SHIFTED(0, (16u << size) - ((8u << size) - 1)), S, a);
    masm_v128_const(m, R, low, high);
    rrr(m, AND, S, S, R);
}

void masm_bitmask(struct masm *m, enum opcode op, reg dst, reg a)
{
    switch (op) {
    case OP_I8X16_BITMASK: /* the halves' bytes go beside each other */
        gather_signs(m, B, 0x8040201008040201, 0x8040201008040201, a);
        rr(m, DUP_TO_SCALAR | LANE(D, 1), R, S);
        rrr(m, ZIP1_B, S, S, R);
        rr(m, ACROSS(H, 27), S, S);
        rr(m, UMOV | LANE(H, 0), dst, S);
        break;
    case OP_I16X8_BITMASK:
        gather_signs(m, H, 0x0008000400020001, 0x0080004000200010, a);
        rr(m, ACROSS(H, 27), S, S);
        rr(m, UMOV | LANE(H, 0), dst, S);
        break;
    case OP_I32X4_BITMASK:
        gather_signs(m, W, 0x0000000200000001, 0x0000000800000004, a);
        rr(m, ACROSS(W, 27), S, S);
        rr(m, UMOV | LANE(W, 0), dst, S);
        break;
    default:
        assert(op == OP_I64X2_BITMASK);
        rr(m, UMOV_X | LANE(D, 0), A64_SCRATCH, a);
        rr(m, UMOV_X | LANE(D, 1), A64_ADDRESS, a);
        masm_shift_const(m, SHIFT_SHR_U, true, A64_SCRATCH, A64_SCRATCH, 63);
        masm_shift_const(m, SHIFT_SHR_U, true, A64_ADDRESS, A64_ADDRESS, 63);
        masm_add_shifted(m, false, dst, A64_SCRATCH, A64_ADDRESS, 1);
    }
}

enum masm_cond masm_vector_test(struct masm *m, enum opcode op, reg a)
{
    const uint32_t maximum = ACROSS(W, 10) | U;
    bool wide_lanes = op == OP_I64X2_ALL_TRUE;

    switch (op) {
    case OP_V128_ANY_TRUE: rr(m, maximum, S, a); break;
    case OP_I8X16_ALL_TRUE: rr(m, ACROSS(B, 26) | U, S, a); break;
    case OP_I16X8_ALL_TRUE: rr(m, ACROSS(H, 26) | U, S, a); break;
    case OP_I32X4_ALL_TRUE: rr(m, ACROSS(W, 26) | U, S, a); break;
    default: /* is some lane zero? */
        assert(wide_lanes);
        rr(m, MISC(D, 9), S, a);
        rr(m, maximum, S, S);
    }
    rr(m, A64_FMOV_TO_W, A64_SCRATCH, S);
    masm_compare_zero(m, false, A64_SCRATCH);
    return wide_lanes ? COND_EQ : COND_NE;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
static const uint32_t scalar_loads[] = {LDR_B, LDR_H, A64_LDR_S, A64_LDR_D};
static const uint32_t scalar_stores[] = {STR_B, STR_H, A64_STR_S, A64_STR_D};

static void load(struct masm *m, uint32_t op, reg dst, struct masm_address from)
{
    a64_access(m, op, dst, from, TRAP_MEMORY_OUT_OF_BOUNDS);
}

static void load_splat(struct masm *m, unsigned size, reg dst, struct masm_address from)
{
    load(m, scalar_loads[size], dst, from);
    rr(m, DUP_LANE | LANE(size, 0), dst, dst);
}

static void load_extended(struct masm *m, unsigned size, bool is_unsigned, reg dst, struct masm_address from)
{
    load(m, A64_LDR_D, dst, from);
    rr(m, (SHIFTED(20, 8u << size) ^ LOW_HALF) | (is_unsigned ? U : 0), dst, dst);
}

void masm_vector_load(struct masm *m, enum opcode op, reg dst, struct masm_address from)
{
    switch (op) {
    case OP_V128_LOAD: load(m, A64_LDR_Q, dst, from); break;
    case OP_V128_LOAD8X8_S: load_extended(m, B, false, dst, from); break;
    case OP_V128_LOAD8X8_U: load_extended(m, B, true, dst, from); break;
    case OP_V128_LOAD16X4_S: load_extended(m, H, false, dst, from); break;
    case OP_V128_LOAD16X4_U: load_extended(m, H, true, dst, from); break;
    case OP_V128_LOAD32X2_S: load_extended(m, W, false, dst, from); break;
    case OP_V128_LOAD32X2_U: load_extended(m, W, true, dst, from); break;
    case OP_V128_LOAD8_SPLAT: load_splat(m, B, dst, from); break;
    case OP_V128_LOAD16_SPLAT: load_splat(m, H, dst, from); break;
    case OP_V128_LOAD32_SPLAT: load_splat(m, W, dst, from); break;
    case OP_V128_LOAD64_SPLAT: load_splat(m, D, dst, from); break;
    case OP_V128_LOAD32_ZERO: load(m, A64_LDR_S, dst, from); break;
    default: assert(op == OP_V128_LOAD64_ZERO); load(m, A64_LDR_D, dst, from);
    }
}

static unsigned size_of(enum opcode op)
{
    return opcode_infos[op].width_log2;
}

void masm_vector_load_lane(struct masm *m, enum opcode op, reg dst, reg a, struct masm_address from, unsigned lane)
{
    unsigned size = size_of(op);

    load(m, scalar_loads[size], S, from);
    mov(m, dst, a);
    rr(m, INSERT_LANE_0 | LANE(size, lane), dst, S);
}

void masm_vector_store_lane(struct masm *m, enum opcode op, reg a, struct masm_address to, unsigned lane)
{
    unsigned size = size_of(op);

    if (lane != 0) {
        rr(m, DUP_LANE | LANE(size, lane), S, a);
        a = S;
    }
    a64_access(m, scalar_stores[size], a, to, TRAP_MEMORY_OUT_OF_BOUNDS);
}
