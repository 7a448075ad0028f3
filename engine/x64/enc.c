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

/* Prefix, REX and opcode. REX_BITS: R, X and B in their places; FORCE: an empty REX is needed to name a byte
 * register. Bytes are written whether they count or not, and the ones that do not are overwritten: no branch depends
 * on the instruction. */
static inline uint8_t *opcode(uint8_t *p, uint32_t op, unsigned rex_bits, bool force)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2}, map_bytes[] = {0, 1, 2, 2};
    static const uint16_t maps[] = {0, 0x0f, 0x380f, 0x3a0f};
    unsigned prefix = op >> 10 & 3, map = op >> 8 & 3;

    rex_bits |= op >> 9 & 8; /* X64_W */
    *p = prefixes[prefix];
    p += prefix != 0;
    *p = (uint8_t)(0x40 | rex_bits);
    p += (rex_bits | force) != 0;
    memcpy(p, &maps[map], 2);
    p += map_bytes[map];
    *p++ = (uint8_t)op;
    return p;
}

static inline bool byte_register_needs_rex(unsigned r)
{
    return (r & 12) == 4;
}

void x64_rr(struct x64_enc *e, uint32_t op, unsigned reg_field, reg rm)
{
    unsigned r = reg_field & 15, m = rm & 15;
    bool force =
        ((op & X64_REG8) != 0 && byte_register_needs_rex(r)) || ((op & X64_RM8) != 0 && byte_register_needs_rex(m));
    uint8_t *p;

    x64_reserve(e);
    p = opcode(e->at, op, (r >> 3) << 2 | m >> 3, force);
    *p++ = (uint8_t)(0xc0 | (r & 7) << 3 | (m & 7));
    e->at = p;
}

static uint8_t *rip_operand(uint8_t *p, unsigned r, int32_t disp)
{
    *p++ = (uint8_t)((r & 7) << 3 | 5);
    memcpy(p, &disp, 4);
    return p + 4;
}

void x64_rm(struct x64_enc *e, uint32_t op, unsigned reg_field, struct x64_mem mem)
{
    static const uint8_t disp_bytes[] = {0, 1, 4};
    unsigned r = reg_field & 15, b = mem.base & 15, x, mode, has_sib;
    bool force = (op & X64_REG8) != 0 && byte_register_needs_rex(r), has_index = mem.index != REG_NONE;
    uint8_t *p;

    x64_reserve(e);
    if (__builtin_expect(mem.base == REG_NONE, 0)) {
        assert(!has_index);
        e->at = rip_operand(opcode(e->at, op, (r >> 3) << 2, force), r, mem.disp);
        return;
    }
    x = has_index ? mem.index & 15 : RSP; /* no index is what rsp in its place means */
    assert(!has_index || x != RSP);
    p = opcode(e->at, op, (r >> 3) << 2 | (x >> 3) << 1 | b >> 3, force);
    /* rbp and r13 as base have no form without displacement; rsp and r12 need a SIB byte */
    mode = mem.disp == (int8_t)mem.disp ? (mem.disp != 0 || (b & 7) == RBP) : 2;
    has_sib = has_index || (b & 7) == RSP;
    *p++ = (uint8_t)(mode << 6 | (r & 7) << 3 | (has_sib ? 4 : b & 7));
    *p = (uint8_t)(mem.scale_log2 << 6 | (x & 7) << 3 | (b & 7));
    p += has_sib;
    memcpy(p, &mem.disp, 4);
    e->at = p + disp_bytes[mode];
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

static uint32_t disp32(struct x64_enc *e)
{
    uint32_t at = x64_offset(e);
    x64_imm32(e, 0);
    return at;
}

uint32_t x64_jmp32(struct x64_enc *e)
{
    x64_byte(e, 0xe9);
    return disp32(e);
}

uint32_t x64_jcc32(struct x64_enc *e, enum x64_cc cc)
{
    x64_byte(e, 0x0f);
    x64_imm8(e, 0x80 | cc);
    return disp32(e);
}

uint32_t x64_call32(struct x64_enc *e)
{
    x64_byte(e, 0xe8);
    return disp32(e);
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
