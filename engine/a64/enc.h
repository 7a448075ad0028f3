/* Encoder of aarch64 instructions: words, no policy.
 *
 * An instruction is one number, the word with all its operand fields zero (enum a64_op), and its operands; a function
 * for each arrangement of fields puts them in. Where an operand may not fit, the caller asks first (a64_*_fits). */
#ifndef WHERRY_ENGINE_A64_ENC_H
#define WHERRY_ENGINE_A64_ENC_H

#include "engine/a64/regs.h"
#include <stddef.h>
#include <string.h>

struct a64_enc {
    uint8_t *start, *at, *end;
};

enum { A64_ROOM_BYTES = 4 };

void a64_grow(struct a64_enc *e, size_t more_bytes);

static inline uint32_t a64_offset(const struct a64_enc *e)
{
    return (uint32_t)(e->at - e->start);
}

static inline void a64_word(struct a64_enc *e, uint32_t word)
{
    if (__builtin_expect(e->end - e->at < A64_ROOM_BYTES, 0))
        a64_grow(e, A64_ROOM_BYTES);
    memcpy(e->at, &word, sizeof word);
    e->at += sizeof word;
}

/* --- instructions ------------------------------------------------------------------------------------------------- */
#define A64_X      (1u << 31) /* 64-bit operands */
#define A64_N      (1u << 22) /* with A64_X, in bit-field instructions */
#define A64_DOUBLE (1u << 22) /* scalar floats: double */

static inline uint32_t a64_wide(bool wide)
{
    return wide ? A64_X : 0;
}

enum a64_op {
    /* register, register, register: a64_rrr */
    A64_ADD = 0x0b000000,
    A64_ADDS = 0x2b000000,
    A64_SUB = 0x4b000000,
    A64_SUBS = 0x6b000000,
    A64_AND = 0x0a000000,
    A64_ORR = 0x2a000000,
    A64_EOR = 0x4a000000,
    A64_ANDS = 0x6a000000,
    A64_ADC = 0x1a000000,
    A64_SBC = 0x5a000000,
    A64_MUL = 0x1b007c00,
    A64_SMULH = 0x9b407c00,
    A64_UMULH = 0x9bc07c00,
    A64_MSUB = 0x1b008000, /* the minuend from bit 10 */
    A64_UDIV = 0x1ac00800,
    A64_SDIV = 0x1ac00c00,
    A64_LSLV = 0x1ac02000,
    A64_LSRV = 0x1ac02400,
    A64_ASRV = 0x1ac02800,
    A64_RORV = 0x1ac02c00,
    A64_FADD = 0x1e202800,
    A64_FSUB = 0x1e203800,
    A64_FMUL = 0x1e200800,
    A64_FDIV = 0x1e201800,
    A64_FMAX = 0x1e204800,
    A64_FMIN = 0x1e205800,
    A64_BIT_8B = 0x2ea01c00,
    A64_BIF_8B = 0x2ee01c00,
    A64_ORR_16B = 0x4ea01c00,
    /* register, register: a64_rr */
    A64_RBIT = 0x5ac00000,
    A64_CLZ = 0x5ac01000,
    A64_FMOV = 0x1e204000,
    A64_FABS = 0x1e20c000,
    A64_FNEG = 0x1e214000,
    A64_FSQRT = 0x1e21c000,
    A64_FRINTN = 0x1e244000,
    A64_FRINTP = 0x1e24c000,
    A64_FRINTM = 0x1e254000,
    A64_FRINTZ = 0x1e25c000,
    A64_FCVT_TO_D = 0x1e22c000,
    A64_FCVT_TO_S = 0x1e624000,
    A64_FMOV_FROM_W = 0x1e270000,
    A64_FMOV_TO_W = 0x1e260000,
    A64_FMOV_FROM_X = 0x9e670000,
    A64_FMOV_TO_X = 0x9e660000,
    A64_SCVTF = 0x1e220000,
    A64_UCVTF = 0x1e230000,
    A64_FCVTZS = 0x1e380000,
    A64_FCVTZU = 0x1e390000,
    A64_CNT_8B = 0x0e205800,
    A64_ADDV_8B = 0x0e31b800,
    A64_BR = 0xd61f0000,
    A64_BLR = 0xd63f0000,
    A64_RET = 0xd65f0000,
    /* the second and third only: a64_rrr with rd 0 */
    A64_FCMP = 0x1e202000,
    A64_FCMP_ZERO = 0x1e202008,
    /* with a condition in bits 12-15 */
    A64_CSEL = 0x1a800000,
    A64_CSINC = 0x1a800400,
    A64_FCSEL = 0x1e200c00,
    A64_CCMP_IMM = 0x7a400800, /* a constant of 5 bits instead of rm; if the condition fails, no flag is set */
    /* with a constant of 12 bits: a64_rri; 1 << 22: shifted by 12 */
    A64_ADD_IMM = 0x11000000,
    A64_ADDS_IMM = 0x31000000,
    A64_SUB_IMM = 0x51000000,
    A64_SUBS_IMM = 0x71000000,
    /* with a pattern of bits: a64_logical */
    A64_AND_IMM = 0x12000000,
    A64_ORR_IMM = 0x32000000,
    A64_EOR_IMM = 0x52000000,
    A64_ANDS_IMM = 0x72000000,
    /* with 16 bits of a constant: a64_move_wide */
    A64_MOVN = 0x12800000,
    A64_MOVZ = 0x52800000,
    A64_MOVK = 0x72800000,
    /* bit fields: a64_bits */
    A64_SBFM = 0x13000000,
    A64_UBFM = 0x53000000,
    A64_EXTR = 0x13800000,
    /* loads and stores: a64_mem and its like */
    A64_STRB = 0x39000000,
    A64_LDRB = 0x39400000,
    A64_LDRSB_X = 0x39800000,
    A64_LDRSB = 0x39c00000,
    A64_STRH = 0x79000000,
    A64_LDRH = 0x79400000,
    A64_LDRSH_X = 0x79800000,
    A64_LDRSH = 0x79c00000,
    A64_STR_W = 0xb9000000,
    A64_LDR_W = 0xb9400000,
    A64_LDRSW = 0xb9800000,
    A64_STR_X = 0xf9000000,
    A64_LDR_X = 0xf9400000,
    A64_STR_S = 0xbd000000,
    A64_LDR_S = 0xbd400000,
    A64_STR_D = 0xfd000000,
    A64_LDR_D = 0xfd400000,
    A64_STR_Q = 0x3d800000,
    A64_LDR_Q = 0x3dc00000,
    /* pairs: a64_pair */
    A64_STP = 0xa9000000,
    A64_STP_BEFORE = 0xa9800000,
    A64_LDP_AFTER = 0xa8c00000,
    A64_STP_AFTER = 0xa8800000,
    /* exclusive and ordered accesses, of a byte; the size's logarithm goes to bit 30 */
    A64_LDAXR = 0x085ffc00,
    A64_STLXR = 0x0800fc00,
    A64_LDAR = 0x08dffc00,
    A64_NOP = 0xd503201f,
    A64_DMB_ISH = 0xd5033bbf,
    A64_CLREX = 0xd5033f5f,
    /* to a place in the code: a64_patch */
    A64_B = 0x14000000,
    A64_BL = 0x94000000,
    A64_B_COND = 0x54000000,
    A64_CBZ = 0x34000000,
    A64_CBNZ = 0x35000000,
    A64_ADRP = 0x90000000,
    A64_ADR = 0x10000000,
    A64_LDR_S_LITERAL = 0x1c000000,
    A64_LDR_D_LITERAL = 0x5c000000,
    A64_LDR_Q_LITERAL = 0x9c000000,
    A64_UDF = 0x00000000,
    A64_FMOV_IMM = 0x1e201000,
    A64_INS_D1 = 0x4e181c00, /* a64_rr: the upper half from an integer */
    A64_MOVI_ZERO = 0x6f00e400,
    A64_MOVI_SIGN_2S = 0x0f046400, /* 0x80000000 in both */
};

enum a64_cc { CC_EQ, CC_NE, CC_HS, CC_LO, CC_MI, CC_PL, CC_VS, CC_VC, CC_HI, CC_LS, CC_GE, CC_LT, CC_GT, CC_LE };

/* --- emitting ----------------------------------------------------------------------------------------------------- */
static inline uint32_t a64_field(reg r)
{
    return r & 31u;
}

static inline void a64_rrr(struct a64_enc *e, uint32_t op, reg rd, reg rn, reg rm)
{
    a64_word(e, op | a64_field(rm) << 16 | a64_field(rn) << 5 | a64_field(rd));
}

static inline void a64_rr(struct a64_enc *e, uint32_t op, reg rd, reg rn)
{
    a64_word(e, op | a64_field(rn) << 5 | a64_field(rd));
}

static inline void a64_rrr_cc(struct a64_enc *e, uint32_t op, reg rd, reg rn, reg rm, enum a64_cc cc)
{
    a64_rrr(e, op | (uint32_t)cc << 12, rd, rn, rm);
}

/* The last operand shifted left by COUNT. */
static inline void a64_rrr_shifted(struct a64_enc *e, uint32_t op, reg rd, reg rn, reg rm, unsigned count)
{
    a64_rrr(e, op | count << 10, rd, rn, rm);
}

/* Of the last operand the lower 32 bits, shifted left by COUNT below 5; RN (and RD, without flags) may be SP. ADD, ADDS,
 * SUB, SUBS. */
static inline void a64_rrr_extended(struct a64_enc *e, uint32_t op, reg rd, reg rn, reg rm, unsigned count)
{
    a64_rrr(e, op | 1u << 21 | 2u << 13 | count << 10, rd, rn, rm);
}

/* The same with all 64 bits. */
static inline void a64_rrr_sp(struct a64_enc *e, uint32_t op, reg rd, reg rn, reg rm, unsigned count)
{
    a64_rrr(e, op | A64_X | 1u << 21 | 3u << 13 | count << 10, rd, rn, rm);
}

/* A constant below 4096, or with SHIFTED one below 2^24 whose lower 12 bits are zero, by its upper ones. */
static inline void a64_rri(struct a64_enc *e, uint32_t op, reg rd, reg rn, uint32_t value, bool shifted)
{
    a64_word(e, op | (uint32_t)shifted << 22 | value << 10 | a64_field(rn) << 5 | a64_field(rd));
}

enum { A64_NO_FIELDS = UINT32_MAX };

/* Fields of an AND, ORR, EOR or ANDS with VALUE, or A64_NO_FIELDS (zero and all ones never have any). */
uint32_t a64_logical_fields(uint64_t value, bool wide);

static inline void a64_logical(struct a64_enc *e, uint32_t op, reg rd, reg rn, uint32_t fields)
{
    a64_word(e, op | fields | a64_field(rn) << 5 | a64_field(rd));
}

static inline void a64_move_wide(struct a64_enc *e, uint32_t op, reg rd, uint16_t value, unsigned quarter)
{
    a64_word(e, op | quarter << 21 | (uint32_t)value << 5 | a64_field(rd));
}

/* SBFM, UBFM: shifts and extensions. */
static inline void a64_bits(struct a64_enc *e, uint32_t op, bool wide, reg rd, reg rn, unsigned rotate, unsigned last)
{
    a64_word(e, op | (wide ? A64_X | A64_N : 0) | rotate << 16 | last << 10 | a64_field(rn) << 5 | a64_field(rd));
}

/* dst = VALUE in as few instructions as move it; flags stay. */
void a64_mov_imm(struct a64_enc *e, bool wide, reg rd, uint64_t value);

/* A float that is 8 bits of an FMOV_IMM; -1: it is none. */
int a64_float_bits(bool wide, uint64_t bits);

/* --- memory --- */
/* OP is one of the loads and stores. Its size's logarithm: */
static inline unsigned a64_scale(uint32_t op)
{
    return (op & 0x04800000) == 0x04800000 ? 4 : op >> 30;
}

static inline bool a64_offset_fits(uint32_t op, int64_t offset)
{
    unsigned scale = a64_scale(op);
    return (offset >= -256 && offset < 256) ||
           (offset >= 0 && (offset & ((1 << scale) - 1)) == 0 && offset >> scale < 4096);
}

/* RT with memory at RN + OFFSET, which fits. */
void a64_mem(struct a64_enc *e, uint32_t op, reg rt, reg rn, int32_t offset);

/* RT with memory at RN + RM, all 64 bits of it, SCALED by the access's size. */
static inline void a64_mem_reg(struct a64_enc *e, uint32_t op, reg rt, reg rn, reg rm, bool scaled)
{
    a64_rrr(e, (op & ~(1u << 24)) | 1u << 21 | 3u << 13 | (uint32_t)scaled << 12 | 2u << 10, rt, rn, rm);
}

/* OFFSET: of 8-byte registers, -512 to 504. */
static inline void a64_pair(struct a64_enc *e, uint32_t op, reg rt, reg rt2, reg rn, int32_t offset)
{
    a64_word(e, op | ((uint32_t)(offset / 8) & 0x7f) << 15 | a64_field(rt2) << 10 | a64_field(rn) << 5 | a64_field(rt));
}

/* --- places in the code ---
 * An instruction that names one is emitted with an offset of 0 and filled in by a64_patch. Which field that is follows
 * from the instruction; a word whose upper six bits are zero is an entry of a table, of as many bits as a B has. */
static inline uint32_t a64_refer(struct a64_enc *e, uint32_t word)
{
    a64_word(e, word);
    return a64_offset(e) - 4;
}

/* The distance (in instructions) that the instruction at offset AT holds, and another one in its place; false: it does
 * not reach so far. */
int32_t a64_distance(const struct a64_enc *e, uint32_t at);
bool a64_set_distance(struct a64_enc *e, uint32_t at, int32_t distance);

static inline bool a64_patch(struct a64_enc *e, uint32_t at, uint32_t target)
{
    return a64_set_distance(e, at, ((int32_t)target - (int32_t)at) / 4);
}

#endif
