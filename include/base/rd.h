/* A bounded reader over untrusted bytes.
 *
 * The first failure sticks: later reads return zero and do not move, so a section is read straight through and checked
 * once. `fault` names what was wrong, `fault_at` the offset from the reader's origin. */
#ifndef WHERRY_BASE_RD_H
#define WHERRY_BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
    const uint8_t *start, *at, *end; /* start: origin of offsets; start <= at <= end */
    const char *fault;               /* NULL while all is well; a static string */
    size_t fault_at;
};

static inline struct rd rd_over(const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;
    return (struct rd){.start = p, .at = p, .end = p + len};
}

static inline size_t rd_offset(const struct rd *r)
{
    return (size_t)(r->at - r->start);
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->at);
}

/* Records a failure at OFFSET unless there is one already; the reader then stands at its end. */
static inline void rd_fail_at(struct rd *r, size_t offset, const char *fault)
{
    if (r->fault == NULL) {
        r->fault = fault;
        r->fault_at = offset;
    }
    r->at = r->end;
}

static inline void rd_fail(struct rd *r, const char *fault)
{
    rd_fail_at(r, rd_offset(r), fault);
}

static inline bool rd_done(const struct rd *r)
{
    return r->at == r->end;
}

static inline uint8_t rd_u8(struct rd *r)
{
    if (r->at == r->end) {
        rd_fail(r, "unexpected end");
        return 0;
    }
    return *r->at++;
}

/* LEN bytes in place, or NULL (and a failure) when fewer are left. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t len)
{
    const uint8_t *p = r->at;
    if (len > rd_left(r)) {
        rd_fail(r, "unexpected end");
        return NULL;
    }
    r->at += len;
    return p;
}

static inline uint32_t rd_u32(struct rd *r) /* little-endian, fixed width */
{
    uint32_t v = 0;
    const uint8_t *p = rd_bytes(r, 4);
    if (p != NULL)
        memcpy(&v, p, 4);
    return v;
}

static inline uint64_t rd_u64(struct rd *r) /* little-endian, fixed width */
{
    uint64_t v = 0;
    const uint8_t *p = rd_bytes(r, 8);
    if (p != NULL)
        memcpy(&v, p, 8);
    return v;
}

/* Unsigned LEB128 of at most BITS bits (1..64), as the Wasm binary format bounds it. */
static inline uint64_t rd_uleb(struct rd *r, unsigned bits)
{
    size_t begin = rd_offset(r);
    uint64_t v = 0;
    unsigned shift = 0;

    for (;;) {
        uint8_t b = rd_u8(r);
        if (r->fault != NULL)
            return 0;
        if (shift + 7 > bits) {
            unsigned room = bits - shift;
            if ((b & 0x80) != 0) {
                rd_fail_at(r, begin, "integer representation too long");
                return 0;
            }
            if (room < 7 && (b >> room) != 0) {
                rd_fail_at(r, begin, "integer too large");
                return 0;
            }
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0)
            return v;
        shift += 7;
        if (shift >= bits) {
            rd_fail_at(r, begin, "integer representation too long");
            return 0;
        }
    }
}

/* Signed LEB128 of at most BITS bits (2..64). */
static inline int64_t rd_sleb(struct rd *r, unsigned bits)
{
    size_t begin = rd_offset(r);
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        b = rd_u8(r);
        if (r->fault != NULL)
            return 0;
        if (shift + 7 > bits) { /* the last byte: the bits beyond must repeat the sign */
            unsigned room = bits - shift;
            uint8_t sign_and_beyond = (uint8_t)((b & 0x7f) >> (room - 1));
            if ((b & 0x80) != 0) {
                rd_fail_at(r, begin, "integer representation too long");
                return 0;
            }
            if (sign_and_beyond != 0 && sign_and_beyond != (0x7f >> (room - 1))) {
                rd_fail_at(r, begin, "integer too large");
                return 0;
            }
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
        if ((b & 0x80) != 0 && shift >= bits) {
            rd_fail_at(r, begin, "integer representation too long");
            return 0;
        }
    } while ((b & 0x80) != 0);
    if (shift < 64 && (b & 0x40) != 0)
        v |= ~(uint64_t)0 << shift;
    return (int64_t)v;
}

static inline uint32_t rd_uleb32(struct rd *r)
{
    return (uint32_t)rd_uleb(r, 32);
}

#endif
