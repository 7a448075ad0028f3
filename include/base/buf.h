/* A growing byte buffer. Growth never fails visibly (see arena.h on out_of_memory). Contents are owned by the buffer
 * until buf_done or buf_take. A zeroed struct buf is an empty buffer. */
#ifndef WHERRY_BASE_BUF_H
#define WHERRY_BASE_BUF_H

#include "base/arena.h"
#include <sys/mman.h>

struct buf {
    uint8_t *data;
    size_t len, capacity;
};

static inline void buf_reserve(struct buf *b, size_t more)
{
    size_t want;
    if (more <= b->capacity - b->len)
        return;
    if (__builtin_add_overflow(b->len, more, &want))
        out_of_memory();
    if (want < b->capacity * 2)
        want = b->capacity * 2;
    if (want < 64)
        want = 64;
    b->data = (uint8_t *)realloc(b->data, want);
    if (b->data == NULL)
        out_of_memory();
    b->capacity = want;
}

enum { BUF_HUGE_PAGE_BYTES = 2 << 20 };

/* Room that will be filled soon, some MB of it, had better be found in huge pages: a page fault costs as much as some
 * kilobytes of copying. Only a hint. */
static inline void buf_advise_huge(const struct buf *b)
{
    const uintptr_t huge = BUF_HUGE_PAGE_BYTES;
    uintptr_t from = ((uintptr_t)b->data + huge - 1) & ~(huge - 1),
              to = ((uintptr_t)b->data + b->capacity) & ~(huge - 1);
    if (to > from)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

/* Makes room for BYTES in an empty buffer that has none, from the beginning of a huge page if half of one will be filled. */
static inline void buf_reserve_huge(struct buf *b, size_t bytes)
{
    const size_t huge = BUF_HUGE_PAGE_BYTES;

    if (bytes < huge / 2 || bytes > SIZE_MAX - huge) {
        buf_reserve(b, bytes);
        return;
    }
    b->capacity = (bytes + huge - 1) & ~(huge - 1);
    b->data = (uint8_t *)aligned_alloc(huge, b->capacity);
    if (b->data == NULL)
        out_of_memory();
    buf_advise_huge(b);
}

/* Appends LEN bytes of unspecified content and returns where they start (valid until the next append). */
static inline uint8_t *buf_extend(struct buf *b, size_t len)
{
    buf_reserve(b, len);
    b->len += len;
    return b->data + b->len - len;
}

static inline void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (len != 0)
        memcpy(buf_extend(b, len), bytes, len);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    *buf_extend(b, 1) = v;
}

static inline void buf_put_u16(struct buf *b, uint16_t v)
{
    buf_put(b, &v, sizeof v);
}

static inline void buf_put_u32(struct buf *b, uint32_t v)
{
    buf_put(b, &v, sizeof v);
}

static inline void buf_put_u64(struct buf *b, uint64_t v)
{
    buf_put(b, &v, sizeof v);
}

static inline void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

/* Appends zero bytes until the length is a multiple of ALIGN (a power of two). */
static inline void buf_align(struct buf *b, size_t align)
{
    size_t pad = (0 - b->len) & (align - 1);
    if (pad != 0)
        memset(buf_extend(b, pad), 0, pad);
}

__attribute__((format(printf, 2, 3))) static inline void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap, again;
    int len;

    va_start(ap, format);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (len < 0)
        out_of_memory();
    buf_reserve(b, (size_t)len + 1);
    vsnprintf((char *)b->data + b->len, (size_t)len + 1, format, again);
    va_end(again);
    b->len += (size_t)len;
}

/* The content as a C string; valid until the next append. */
static inline const char *buf_cstr(struct buf *b)
{
    buf_reserve(b, 1);
    b->data[b->len] = 0;
    return (const char *)b->data;
}

static inline void buf_done(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

#endif
