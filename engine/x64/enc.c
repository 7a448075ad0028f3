/* See enc.h. Layout of an instruction: prefixes, REX, opcode map, opcode, ModRM, SIB, displacement (Intel SDM vol.
 * 2, ch. 2). */
#include "engine/x64/enc.h"
#include "base/arena.h"
#include <assert.h>

__attribute__((cold)) void x64_grow(struct x64_enc *e, size_t more_bytes)
{
    size_t used = (size_t)(e->at - e->start), capacity = (size_t)(e->end - e->start);

    capacity = capacity < 4096 ? 4096 : capacity * 2;
    if (capacity - used < more_bytes)
        capacity = used + more_bytes;
    e->start = realloc(e->start, capacity);
    if (e->start == NULL)
        out_of_memory();
    e->at = e->start + used;
    e->end = e->start + capacity;
}

__attribute__((cold)) void x64_put_far(struct x64_enc *e, uint64_t word, unsigned bytes)
{
    x64_grow(e, X64_ROOM_BYTES);
    memcpy(e->at, &word, sizeof word);
    e->at += bytes;
}

/* Prefix, REX and opcode. REX_BITS: R, X and B in their places, or with EMPTY_REX a REX that says nothing but names a
 * byte register. Most instructions have neither a prefix nor another map than the first; whether they have a REX is
 * not worth a branch: it is written in any case, and overwritten. */
enum { EMPTY_REX = 0x40 };

static inline uint8_t *opcode(uint8_t *p, uint32_t op, unsigned rex_bits)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};

    rex_bits |= op >> 9 & 8; /* X64_W */
    if ((op & X64_F2) != 0)
        *p++ = prefixes[op >> 10 & 3];
    *p = (uint8_t)(0x40 | rex_bits);
    p += rex_bits != 0;
    if ((op & X64_0F3A) != 0) {
        *p++ = 0x0f;
        if ((op & X64_0F38) != 0)
            *p++ = (op & X64_0F) != 0 ? 0x3a : 0x38;
    }
    *p++ = (uint8_t)op;
    return p;
}

/* EMPTY_REX where the byte register R needs one: spl, bpl, sil, dil. */
static inline unsigned byte_register_rex(unsigned r)
{
    return (r & 12) == 4 ? EMPTY_REX : 0;
}

void x64_rr_any(struct x64_enc *e, uint32_t op, unsigned reg_field, reg rm)
{
    unsigned rex = (reg_field & 8) >> 1 | (rm & 8) >> 3;
    uint8_t *p;

    if ((op & (X64_REG8 | X64_RM8)) != 0)
        rex |= ((op & X64_REG8) != 0 ? byte_register_rex(reg_field & 15) : 0) |
               ((op & X64_RM8) != 0 ? byte_register_rex(rm & 15) : 0);
    x64_reserve(e);
    p = opcode(e->at, op, rex);
    *p = (uint8_t)(0xc0 | (reg_field & 7) << 3 | (rm & 7));
    e->at = p + 1;
}

static uint8_t *rip_operand(uint8_t *p, unsigned r, int32_t disp)
{
    *p++ = (uint8_t)((r & 7) << 3 | 5);
    memcpy(p, &disp, 4);
    return p + 4;
}

/* No displacement, one of a byte, or one of four: the upper bits of ModRM. rbp and r13 as base have no form without. */
static inline unsigned displacement_mode(unsigned base, int32_t disp)
{
    if (disp == 0 && (base & 7) != RBP)
        return 0;
    return disp == (int8_t)disp ? 1 : 2;
}

static inline uint8_t *displacement(uint8_t *p, unsigned mode, int32_t disp)
{
    memcpy(p, &disp, 4);
    return p + (mode == 2 ? 4 : mode);
}

void x64_rm_any(struct x64_enc *e, uint32_t op, unsigned reg_field, struct x64_mem mem)
{
    unsigned rex = (reg_field & 8) >> 1, mode;
    uint8_t *p;

    x64_reserve(e);
    if ((op & X64_REG8) != 0)
        rex |= byte_register_rex(reg_field & 15);
    if (__builtin_expect(mem.base == REG_NONE, 0)) {
        assert(mem.index == REG_NONE);
        e->at = rip_operand(opcode(e->at, op, rex), reg_field, mem.disp);
        return;
    }
    rex |= (mem.base & 8) >> 3;
    mode = displacement_mode(mem.base, mem.disp);
    if (mem.index != REG_NONE) {
        assert(mem.index != RSP);
        p = opcode(e->at, op, rex | (mem.index & 8) >> 2);
        *p++ = (uint8_t)(mode << 6 | (reg_field & 7) << 3 | RSP);
        *p++ = (uint8_t)(mem.scale_log2 << 6 | (mem.index & 7) << 3 | (mem.base & 7));
    } else {
        p = opcode(e->at, op, rex);
        *p++ = (uint8_t)(mode << 6 | (reg_field & 7) << 3 | (mem.base & 7));
        if ((mem.base & 7) == RSP) /* rsp and r12 need a SIB byte, in which rsp as an index means none */
            *p++ = RSP << 3 | RSP;
    }
    e->at = displacement(p, mode, mem.disp);
}

void x64_vex_rrr(struct x64_enc *e, uint32_t op, reg dst, reg second, reg rm)
{
    static const uint8_t prefixes[] = {0, 1, 2, 3};
    unsigned d = dst & 15, m = rm & 15;
    uint8_t *p;

    x64_reserve(e);
    p = e->at;
    *p++ = 0xc4;
    *p++ = (uint8_t)((~d >> 3 & 1) << 7 | 1 << 6 | (~m >> 3 & 1) << 5 | (op >> 8 & 3)); /* R, X, B inverted; map */
    *p++ = (uint8_t)(((op & X64_W) != 0) << 7 | (~second & 15) << 3 | prefixes[op >> 10 & 3]);
    *p++ = (uint8_t)op;
    *p++ = (uint8_t)(0xc0 | (d & 7) << 3 | (m & 7));
    e->at = p;
}

void x64_mov_imm(struct x64_enc *e, reg dst, uint64_t value)
{
    unsigned d = dst & 15;

    x64_reserve(e);
    if (value <= UINT32_MAX) {
        if (d >= 8)
            *e->at++ = 0x41;
        *e->at++ = (uint8_t)(0xb8 | (d & 7));
        x64_imm32(e, (uint32_t)value);
    } else if ((int64_t)value == (int32_t)value) {
        x64_rr(e, X64_MOV_IMM32 | X64_W, 0, dst);
        x64_imm32(e, (uint32_t)value);
    } else {
        *e->at++ = (uint8_t)(0x48 | d >> 3);
        *e->at++ = (uint8_t)(0xb8 | (d & 7));
        memcpy(e->at, &value, 8);
        e->at += 8;
    }
}

void x64_jmp_back(struct x64_enc *e, uint32_t target)
{
    int64_t rel = (int64_t)target - (x64_offset(e) + 2);

    if (rel < -128) {
        x64_patch32(e, x64_jmp32(e), target);
        return;
    }
    x64_byte(e, 0xeb);
    x64_imm8(e, (int)rel);
}

void x64_jcc_back(struct x64_enc *e, enum x64_cc cc, uint32_t target)
{
    int64_t rel = (int64_t)target - (x64_offset(e) + 2);

    if (rel < -128) {
        x64_patch32(e, x64_jcc32(e, cc), target);
        return;
    }
    x64_byte(e, 0x70 | cc);
    x64_imm8(e, (int)rel);
}

uint32_t x64_jcc_short(struct x64_enc *e, enum x64_cc cc)
{
    x64_byte(e, 0x70 | cc);
    x64_imm8(e, 0);
    return x64_offset(e);
}

uint32_t x64_jmp_short(struct x64_enc *e)
{
    x64_byte(e, 0xeb);
    x64_imm8(e, 0);
    return x64_offset(e);
}

void x64_bind_short(struct x64_enc *e, uint32_t at)
{
    uint32_t distance = x64_offset(e) - at;
    assert(distance < 128);
    e->start[at - 1] = (uint8_t)distance;
}
