/* Encoder of x86-64 instructions: bytes, no policy.
 *
 * An instruction is described by one number (opcode, opcode map, mandatory prefix, operand size), so that a few
 * functions encode all of them: register with register, register with memory, and the forms with an opcode extension
 * (/digit) in the register field. Immediates follow with x64_imm8 and its like. */
#ifndef WHERRY_ENGINE_X64_ENC_H
#define WHERRY_ENGINE_X64_ENC_H

#include "engine/x64/regs.h"
#include <stddef.h>
#include <string.h>

struct x64_enc {
    uint8_t *start, *at, *end;
};

/* The longest instruction is 15 bytes; an immediate is asked for together with its instruction. */
enum { X64_ROOM_BYTES = 32 };

void x64_grow(struct x64_enc *e, size_t more_bytes);

static inline void x64_reserve(struct x64_enc *e)
{
    if (__builtin_expect(e->end - e->at < X64_ROOM_BYTES, 0))
        x64_grow(e, X64_ROOM_BYTES);
}

static inline uint32_t x64_offset(const struct x64_enc *e)
{
    return (uint32_t)(e->at - e->start);
}

/* --- describing an instruction ------------------------------------------------------------------------------------ */
enum {
    X64_0F = 1 << 8, /* opcode map */
    X64_0F38 = 2 << 8,
    X64_0F3A = 3 << 8,
    X64_66 = 1 << 10, /* mandatory or operand-size prefix */
    X64_F3 = 2 << 10,
    X64_F2 = 3 << 10,
    X64_W = 1 << 12,    /* 64-bit operands */
    X64_REG8 = 1 << 13, /* the register operand is a byte: spl, bpl, sil, dil need an empty REX */
    X64_RM8 = 1 << 14,  /* the same for the r/m operand when it is a register */
};

static inline uint32_t x64_wide(bool wide)
{
    return wide ? X64_W : 0;
}

enum x64_op {
    /* "reg, r/m" unless the name says store */
    X64_ADD = 0x03,
    X64_OR = 0x0b,
    X64_AND = 0x23,
    X64_SUB = 0x2b,
    X64_XOR = 0x33,
    X64_CMP = 0x3b,
    X64_ADC = 0x13,
    X64_SBB = 0x1b,
    X64_TEST = 0x85,
    X64_IMUL = X64_0F | 0xaf,
    X64_IMUL_IMM32 = 0x69,
    X64_IMUL_IMM8 = 0x6b,
    X64_MOV = 0x8b,
    X64_MOV_STORE = 0x89,
    X64_MOV8_STORE = 0x88 | X64_REG8,
    X64_MOV16_STORE = 0x89 | X64_66,
    X64_MOVZX8 = X64_0F | 0xb6 | X64_RM8,
    X64_MOVZX16 = X64_0F | 0xb7,
    X64_MOVSX8 = X64_0F | 0xbe | X64_RM8,
    X64_MOVSX16 = X64_0F | 0xbf,
    X64_MOVSXD = 0x63 | X64_W,
    X64_LEA = 0x8d,
    X64_CMOV = X64_0F | 0x40,
    X64_XCHG = 0x87,
    X64_XCHG8 = 0x86 | X64_REG8,
    X64_CMPXCHG_STORE = X64_0F | 0xb1,
    X64_CMPXCHG8_STORE = X64_0F | 0xb0 | X64_REG8,
    X64_XADD_STORE = X64_0F | 0xc1,
    X64_XADD8_STORE = X64_0F | 0xc0 | X64_REG8,
    X64_BSR = X64_0F | 0xbd,
    X64_BSF = X64_0F | 0xbc,
    X64_POPCNT = X64_F3 | X64_0F | 0xb8,
    X64_LZCNT = X64_F3 | X64_0F | 0xbd,
    X64_TZCNT = X64_F3 | X64_0F | 0xbc,
    /* with an opcode extension */
    X64_ALU_IMM8 = 0x83,
    X64_ALU_IMM32 = 0x81,
    X64_GROUP3 = 0xf7,
    X64_SHIFT_IMM8 = 0xc1,
    X64_SHIFT_1 = 0xd1,
    X64_SHIFT_CL = 0xd3,
    X64_GROUP5 = 0xff,
    X64_MOV_IMM32 = 0xc7,
    X64_MOV8_IMM8 = 0xc6,
    X64_MOV16_IMM16 = 0xc7 | X64_66,
    X64_SETCC = X64_0F | 0x90 | X64_RM8,
    /* scalar floats: single; double adds X64_DOUBLE */
    X64_MOVS_LOAD = X64_F3 | X64_0F | 0x10,
    X64_MOVS_STORE = X64_F3 | X64_0F | 0x11,
    X64_ADDS = X64_F3 | X64_0F | 0x58,
    X64_MULS = X64_F3 | X64_0F | 0x59,
    X64_SUBS = X64_F3 | X64_0F | 0x5c,
    X64_DIVS = X64_F3 | X64_0F | 0x5e,
    X64_MINS = X64_F3 | X64_0F | 0x5d,
    X64_MAXS = X64_F3 | X64_0F | 0x5f,
    X64_SQRTS = X64_F3 | X64_0F | 0x51,
    X64_CVTSI2S = X64_F3 | X64_0F | 0x2a,
    X64_CVTTS2SI = X64_F3 | X64_0F | 0x2c,
    X64_CVTS2S = X64_F3 | X64_0F | 0x5a,
    X64_DOUBLE = X64_F3 ^ X64_F2,
    X64_UCOMISS = X64_0F | 0x2e,
    X64_UCOMISD = X64_66 | X64_0F | 0x2e,
    X64_ROUNDSS = X64_66 | X64_0F3A | 0x0a,
    X64_ROUNDSD = X64_66 | X64_0F3A | 0x0b,
    X64_MOVAPS = X64_0F | 0x28,
    X64_MOVUPS = X64_0F | 0x10,
    X64_MOVUPS_STORE = X64_0F | 0x11,
    X64_MOVAPS_STORE = X64_0F | 0x29,
    X64_ANDPS = X64_0F | 0x54,
    X64_ANDNPS = X64_0F | 0x55,
    X64_ORPS = X64_0F | 0x56,
    X64_XORPS = X64_0F | 0x57,
    X64_MOVD = X64_66 | X64_0F | 0x6e,
    X64_MOVD_STORE = X64_66 | X64_0F | 0x7e, /* vector in the register field; W: movq */
};

/* Opcode extensions */
enum x64_digit {
    X64_DIGIT_ADD = 0,
    X64_DIGIT_OR = 1,
    X64_DIGIT_AND = 4,
    X64_DIGIT_SUB = 5,
    X64_DIGIT_XOR = 6,
    X64_DIGIT_CMP = 7, /* ALU_IMM */
    X64_DIGIT_ROL = 0,
    X64_DIGIT_ROR = 1,
    X64_DIGIT_SHL = 4,
    X64_DIGIT_SHR = 5,
    X64_DIGIT_SAR = 7, /* SHIFT */
    X64_DIGIT_TEST = 0,
    X64_DIGIT_NOT = 2,
    X64_DIGIT_NEG = 3,
    X64_DIGIT_MUL = 4,
    X64_DIGIT_IMUL = 5,
    X64_DIGIT_DIV = 6,
    X64_DIGIT_IDIV = 7, /* GROUP3 */
    X64_DIGIT_CALL = 2,
    X64_DIGIT_JMP = 4, /* GROUP5 */
};

enum x64_cc { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

struct x64_mem {
    reg base;  /* REG_NONE: relative to the next instruction (rip) */
    reg index; /* or REG_NONE; not rsp */
    uint8_t scale_log2;
    int32_t disp;
};

static inline struct x64_mem x64_at(reg base, int32_t disp)
{
    return (struct x64_mem){base, REG_NONE, 0, disp};
}

/* --- emitting ----------------------------------------------------------------------------------------------------- */
/* Any instruction; the same as the functions below without their short way. */
void x64_rr_any(struct x64_enc *e, uint32_t op, unsigned reg_field, reg rm);
void x64_rm_any(struct x64_enc *e, uint32_t op, unsigned reg_field, struct x64_mem mem);

/* One byte of opcode, neither prefix nor byte register: most of what is emitted. Such an instruction is put together in
 * one word, its REX shifted out again where that says nothing, and stored at once, with whatever follows it. */
static inline bool x64_is_plain(uint32_t op)
{
    return (op & (X64_F2 | X64_0F3A | X64_REG8 | X64_RM8)) == 0;
}

/* Where there is no room: instead of the short way, so that who takes that keeps nothing over a call. */
void x64_put_far(struct x64_enc *e, uint64_t word, unsigned bytes);

static inline void x64_put_plain(struct x64_enc *e, uint64_t word, unsigned bytes)
{
    unsigned no_rex = (word & 0xff) == 0x40;

    word >>= no_rex * 8;
    bytes -= no_rex;
    if (__builtin_expect(e->end - e->at < X64_ROOM_BYTES, 0)) {
        x64_put_far(e, word, bytes);
    } else {
        memcpy(e->at, &word, sizeof word);
        e->at += bytes;
    }
}

/* REX with R for REG_FIELD, and the opcode. */
static inline uint32_t x64_plain_opcode(uint32_t op, unsigned reg_field)
{
    return 0x40 | (op >> 9 & 8) | (reg_field & 8) >> 1 | (op & 0xff) << 8;
}

/* REG (or an opcode extension) with register RM. */
static inline void x64_rr(struct x64_enc *e, uint32_t op, unsigned reg_field, reg rm)
{
    if (x64_is_plain(op))
        x64_put_plain(
            e, x64_plain_opcode(op, reg_field) | (rm & 8) >> 3 | (0xc0 | (reg_field & 7) << 3 | (rm & 7)) << 16, 3);
    else
        x64_rr_any(e, op, reg_field, rm);
}

/* REG with [rbp + DISP]. */
static inline void x64_frame(struct x64_enc *e, uint32_t op, unsigned reg_field, int32_t disp)
{
    bool is_short = disp == (int8_t)disp;
    uint32_t modrm = (is_short ? 1u : 2u) << 6 | (reg_field & 7) << 3 | RBP;

    if (x64_is_plain(op))
        x64_put_plain(e, x64_plain_opcode(op, reg_field) | modrm << 16 | (uint64_t)(uint32_t)disp << 24,
                      is_short ? 4 : 7);
    else
        x64_rm_any(e, op, reg_field, x64_at(RBP, disp));
}

/* REG with memory. For a rip-relative operand the displacement are the four bytes before the end of the instruction. */
static inline void x64_rm(struct x64_enc *e, uint32_t op, unsigned reg_field, struct x64_mem mem)
{
    bool is_short = mem.disp == (int8_t)mem.disp;
    uint64_t word = x64_plain_opcode(op, reg_field) | (mem.base & 8) >> 3;
    uint32_t modrm = (mem.disp == 0 ? 0u : is_short ? 1u : 2u) << 6 | (reg_field & 7) << 3;
    unsigned disp_bytes = mem.disp == 0 ? 0 : is_short ? 1 : 4;

    /* without a displacement rbp and r13 mean something else, without an index rsp and r12 */
    if (!x64_is_plain(op) || mem.base == REG_NONE || (mem.disp == 0 && (mem.base & 7) == RBP)) {
        x64_rm_any(e, op, reg_field, mem);
    } else if (mem.index != REG_NONE) {
        uint32_t sib = (uint32_t)mem.scale_log2 << 6 | (mem.index & 7u) << 3 | (mem.base & 7u);
        word |= (mem.index & 8) >> 2 | (modrm | RSP) << 16 | sib << 24 | (uint64_t)(uint32_t)mem.disp << 32;
        x64_put_plain(e, word, 4 + disp_bytes);
    } else if ((mem.base & 7) == RSP) {
        x64_rm_any(e, op, reg_field, mem);
    } else {
        word |= (modrm | (mem.base & 7u)) << 16 | (uint64_t)(uint32_t)mem.disp << 24;
        x64_put_plain(e, word, 3 + disp_bytes);
    }
}

/* VEX-encoded three-operand forms of BMI2: OP is F3|66|F2 with map 0F38 or 0F3A. */
void x64_vex_rrr(struct x64_enc *e, uint32_t op, reg dst, reg second, reg rm);

void x64_mov_imm(struct x64_enc *e, reg dst, uint64_t value); /* the shortest form; leaves the flags alone */

static inline void x64_imm8(struct x64_enc *e, int v)
{
    *e->at++ = (uint8_t)v;
}

static inline void x64_imm16(struct x64_enc *e, uint16_t v)
{
    memcpy(e->at, &v, sizeof v);
    e->at += sizeof v;
}

static inline void x64_imm32(struct x64_enc *e, uint32_t v)
{
    memcpy(e->at, &v, sizeof v);
    e->at += sizeof v;
}

static inline void x64_byte(struct x64_enc *e, uint8_t v)
{
    x64_reserve(e);
    *e->at++ = v;
}

static inline void x64_ud2(struct x64_enc *e)
{
    x64_reserve(e);
    *e->at++ = 0x0f;
    *e->at++ = 0x0b;
}

/* Jumps and calls with a 32-bit displacement yet to be filled in; return the offset of that displacement. */
static inline uint32_t x64_jmp32(struct x64_enc *e)
{
    x64_byte(e, 0xe9);
    x64_imm32(e, 0);
    return x64_offset(e) - 4;
}

static inline uint32_t x64_jcc32(struct x64_enc *e, enum x64_cc cc)
{
    x64_reserve(e);
    x64_imm16(e, (uint16_t)(0x800f | cc << 8));
    x64_imm32(e, 0);
    return x64_offset(e) - 4;
}

static inline uint32_t x64_call32(struct x64_enc *e)
{
    x64_byte(e, 0xe8);
    x64_imm32(e, 0);
    return x64_offset(e) - 4;
}

/* Jumps to an offset already emitted, in the shorter of both forms. */
void x64_jmp_back(struct x64_enc *e, uint32_t target);
void x64_jcc_back(struct x64_enc *e, enum x64_cc cc, uint32_t target);
/* A short jump forward over less than 128 bytes; returns what x64_bind_short wants. */
uint32_t x64_jcc_short(struct x64_enc *e, enum x64_cc cc);
uint32_t x64_jmp_short(struct x64_enc *e);
void x64_bind_short(struct x64_enc *e, uint32_t at);

static inline void x64_patch32(struct x64_enc *e, uint32_t at, uint32_t target)
{
    uint32_t rel = target - (at + 4);
    memcpy(e->start + at, &rel, sizeof rel);
}

#endif
