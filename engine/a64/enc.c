/* What of the encoder is more than putting fields together: constants and distances. */
#include "engine/a64/enc.h"
#include "base/buf.h"
#include <stdlib.h>

void a64_grow(struct a64_enc *e, size_t more_bytes)
{
    struct buf code = {e->start, (size_t)(e->at - e->start), (size_t)(e->end - e->start)};

    buf_reserve(&code, more_bytes > code.capacity ? more_bytes : code.capacity);
    e->start = code.data;
    e->at = code.data + code.len;
    e->end = code.data + code.capacity;
}

/* --- constants ---------------------------------------------------------------------------------------------------- */
static uint64_t rotate_right(uint64_t value, unsigned count, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return count == 0 ? value : (value >> count | value << (bits - count)) & mask;
}

/* A pattern is an element of 2, 4, ... 64 bits, repeated: a run of ones, rotated (Arm ARM, DecodeBitMasks). */
uint32_t a64_logical_fields(uint64_t value, bool wide)
{
    unsigned size = 64, ones, rotation = 0;
    uint64_t element;

    if (!wide)
        value = (uint32_t)value | value << 32;
    if (value == 0 || value == UINT64_MAX)
        return A64_NO_FIELDS;
    while (size > 2 && ((value ^ value >> size / 2) & ((UINT64_C(1) << size / 2) - 1)) == 0)
        size /= 2;
    element = size == 64 ? value : value & ((UINT64_C(1) << size) - 1);
    ones = (unsigned)__builtin_popcountll(element);
    while (rotation < size && rotate_right(element, rotation, size) != (UINT64_C(1) << ones) - 1)
        rotation++;
    if (rotation == size)
        return A64_NO_FIELDS;
    return (uint32_t)(size == 64) << 22 | ((size - rotation) % size) << 16 |
           (((~(size * 2 - 1) & 0x3f) | (ones - 1)) & 0x3f) << 10;
}

static unsigned quarters_that_are(uint64_t value, unsigned quarters, uint16_t what)
{
    unsigned count = 0;
    for (unsigned i = 0; i < quarters; i++)
        count += (uint16_t)(value >> 16 * i) == what;
    return count;
}

void a64_mov_imm(struct a64_enc *e, bool wide, reg rd, uint64_t value)
{
    unsigned quarters = wide ? 4 : 2, i = 0;
    uint32_t width = a64_wide(wide), fields;
    bool inverted;
    uint16_t rest;

    if (wide && value <= UINT32_MAX) { /* the upper half becomes zero by itself */
        a64_mov_imm(e, false, rd, value);
        return;
    }
    inverted = quarters_that_are(value, quarters, 0xffff) > quarters_that_are(value, quarters, 0);
    rest = inverted ? 0xffff : 0;
    if (quarters_that_are(value, quarters, rest) + 1 < quarters &&
        (fields = a64_logical_fields(value, wide)) != A64_NO_FIELDS) {
        a64_logical(e, A64_ORR_IMM | width, rd, XZR, fields);
        return;
    }
    while (i < quarters && (uint16_t)(value >> 16 * i) == rest)
        i++;
    if (i == quarters)
        i = 0;
    a64_move_wide(e, (inverted ? A64_MOVN : A64_MOVZ) | width, rd, (uint16_t)((value >> 16 * i) ^ rest), i);
    for (i++; i < quarters; i++)
        if ((uint16_t)(value >> 16 * i) != rest)
            a64_move_wide(e, A64_MOVK | width, rd, (uint16_t)(value >> 16 * i), i);
}

/* Sign, three bits of exponent, four of fraction. */
int a64_float_bits(bool wide, uint64_t bits)
{
    unsigned exponent_bits = wide ? 11 : 8, fraction_bits = wide ? 52 : 23;
    uint64_t exponent = bits >> fraction_bits & ((1u << exponent_bits) - 1);
    uint64_t low = bits & ((UINT64_C(1) << (fraction_bits - 4)) - 1);
    unsigned bias = (1u << (exponent_bits - 1)) - 1;

    if (low != 0 || exponent < bias - 3 || exponent > bias + 4)
        return -1;
    return (int)((bits >> (exponent_bits + fraction_bits) & 1) << 7 | ((exponent - bias + 3) ^ 4) << 4 |
                 (bits >> (fraction_bits - 4) & 15));
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
void a64_mem(struct a64_enc *e, uint32_t op, reg rt, reg rn, int32_t offset)
{
    unsigned scale = a64_scale(op);

    if (offset >= 0 && (offset & ((1 << scale) - 1)) == 0)
        a64_word(e, op | (uint32_t)(offset >> scale) << 10 | a64_field(rn) << 5 | a64_field(rt));
    else
        a64_word(e, (op & ~(1u << 24)) | ((uint32_t)offset & 0x1ff) << 12 | a64_field(rn) << 5 | a64_field(rt));
}

/* --- distances ---------------------------------------------------------------------------------------------------- */
/* B, BL and tables have 26 bits at the bottom, everything else (but ADR, which is never patched) 19 bits from bit 5. */
static bool is_long(uint32_t word)
{
    return (word & 0x7c000000) == A64_B || word >> 26 == 0;
}

static uint32_t word_at(const struct a64_enc *e, uint32_t at)
{
    uint32_t word;
    memcpy(&word, e->start + at, sizeof word);
    return word;
}

int32_t a64_distance(const struct a64_enc *e, uint32_t at)
{
    uint32_t word = word_at(e, at);
    return is_long(word) ? (int32_t)(word << 6) >> 6 : (int32_t)(word << 8) >> 13;
}

bool a64_set_distance(struct a64_enc *e, uint32_t at, int32_t distance)
{
    uint32_t word = word_at(e, at);
    unsigned bits = is_long(word) ? 26 : 19;

    if (distance < -(1 << (bits - 1)) || distance >= 1 << (bits - 1))
        return false;
    if (bits == 26)
        word = (word & 0xfc000000) | ((uint32_t)distance & 0x03ffffff);
    else
        word = (word & 0xff00001f) | ((uint32_t)distance & 0x7ffff) << 5;
    memcpy(e->start + at, &word, sizeof word);
    return true;
}
