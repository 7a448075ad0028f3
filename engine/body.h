/* Reading function bodies and constant expressions: the one place that parses instructions and their immediates.
 *
 * Everything reads through a struct rd whose origin is the module's first byte, so that offsets in messages are the
 * module's. Faults stick (base/rd.h): a validator checks `fault` where it matters, a compiler, which only sees valid
 * bodies, never. Short forms are read inline and everything longer out of line by value, so that a reader that is a
 * local variable stays in registers in a hot loop. */
#ifndef WHERRY_ENGINE_BODY_H
#define WHERRY_ENGINE_BODY_H

#include "base/rd.h"
#include "engine/module.h"
#include "engine/opcodes.h"
#include "engine/types.h"

struct body_leb {
    uint64_t value;
    const uint8_t *next; /* NULL: a fault, value says which */
};

/* The long forms of body_u32 and its like; internal. */
struct body_leb body_leb_long(const uint8_t *at, const uint8_t *end, unsigned bits, bool is_signed);
const char *body_leb_fault(uint64_t value);

static inline uint64_t body_leb_accept(struct rd *r, struct body_leb leb)
{
    if (leb.next == NULL) {
        rd_fail(r, body_leb_fault(leb.value));
        return 0;
    }
    r->at = leb.next;
    return leb.value;
}

static inline bool body_leb_is_short(const struct rd *r)
{
    return __builtin_expect(r->at != r->end && *r->at < 0x80, 1);
}

static inline uint32_t body_u32(struct rd *r)
{
    if (body_leb_is_short(r))
        return *r->at++;
    return (uint32_t)body_leb_accept(r, body_leb_long(r->at, r->end, 32, false));
}

static inline uint64_t body_u64(struct rd *r)
{
    if (body_leb_is_short(r))
        return *r->at++;
    return body_leb_accept(r, body_leb_long(r->at, r->end, 64, false));
}

static inline int64_t body_signed(struct rd *r, unsigned bits)
{
    if (body_leb_is_short(r)) {
        uint8_t b = *r->at++;
        return (int64_t)(b ^ 0x40) - 0x40;
    }
    return (int64_t)body_leb_accept(r, body_leb_long(r->at, r->end, bits, true));
}

static inline int32_t body_s32(struct rd *r)
{
    return (int32_t)body_signed(r, 32);
}

static inline int64_t body_s64(struct rd *r)
{
    return body_signed(r, 64);
}

/* The next opcode, OP_ILLEGAL if there is no such instruction (its byte or bytes are then read) or no byte left. */
static inline enum opcode body_opcode(struct rd *r)
{
    static const uint16_t base[] = {OPCODE_SPACE_GC, OPCODE_SPACE_MISC, OPCODE_SPACE_VECTOR, OPCODE_SPACE_ATOMIC,
                                    OPCODE_COUNT};
    unsigned op = rd_u8(r), space, code;

    if (r->fault != NULL)
        return OP_ILLEGAL;
    if (op >= 0xfb && op <= 0xfe) {
        space = op - 0xfb;
        code = body_u32(r);
        if (r->fault != NULL || code >= (unsigned)(base[space + 1] - base[space]))
            return OP_ILLEGAL;
        op = base[space] + code;
    }
    return opcode_infos[op].immediate == IMMEDIATE_ILLEGAL ? OP_ILLEGAL : (enum opcode)op;
}

/* --- types, also used by the decoder of the type section ---------------------------------------------------------- */
valtype body_valtype(struct rd *r);
valtype body_reftype(struct rd *r);
heaptype body_heaptype(struct rd *r);

/* --- immediates --------------------------------------------------------------------------------------------------- */
struct block_type {
    uint32_t type_index; /* or MODULE_NONE: no parameters, and one or no result */
    valtype result;      /* VT_BOTTOM: none; only without a type index */
};

struct block_type body_block_type(struct rd *r);

struct memarg {
    uint32_t align_log2;
    uint32_t memory;
    uint64_t offset;
};

/* Bit 6 of the flags says that a memory index follows (core specification, binary format, memarg). */
static inline struct memarg body_memarg(struct rd *r)
{
    struct memarg arg = {0};
    if (__builtin_expect(r->end - r->at >= 2 && r->at[0] < 0x40 && r->at[1] < 0x80, 1)) {
        arg.align_log2 = r->at[0];
        arg.offset = r->at[1];
        r->at += 2;
        return arg;
    }
    arg.align_log2 = body_u32(r);
    if (arg.align_log2 >= 0x40) {
        if (arg.align_log2 >= 0x80) {
            rd_fail(r, "malformed memop flags");
            return arg;
        }
        arg.align_log2 -= 0x40;
        arg.memory = body_u32(r);
    }
    arg.offset = body_u64(r);
    return arg;
}

enum catch_kind { CATCH_TAG, CATCH_TAG_REF, CATCH_ALL, CATCH_ALL_REF };

struct catch_clause {
    enum catch_kind kind;
    uint32_t tag; /* CATCH_TAG and CATCH_TAG_REF */
    uint32_t label;
};

struct catch_clause body_catch_clause(struct rd *r);

struct cast_branch { /* br_on_cast, br_on_cast_fail */
    uint32_t label;
    valtype from, to;
};

struct cast_branch body_cast_branch(struct rd *r);

static inline const uint8_t *body_v128(struct rd *r) /* also the 16 lanes of i8x16.shuffle */
{
    return rd_bytes(r, 16);
}

/* Reads past the immediate of OP. */
void body_skip_immediate(struct rd *r, enum opcode op);

/* A reader at the start of a defined function's body, which is its local declarations:
 * body_u32 groups, then per group body_u32 count and body_valtype; then instructions up to the end of the body. */
static inline struct rd body_of(const struct module *m, uint32_t func)
{
    const struct byte_range *body = &m->funcs[func].body;
    struct rd r = rd_over(m->bytes, body->offset + body->len);
    r.at += body->offset;
    return r;
}

#endif
