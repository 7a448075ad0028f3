/* Memory with one clear lifetime: everything allocated from an arena goes away together.
 *
 * Allocation never returns NULL: short-lived programs have nothing better to do than to say so and leave. What must
 * survive a failed allocation (the shim) owns its memory explicitly instead. Memory is zeroed. */
#ifndef WHERRY_BASE_ARENA_H
#define WHERRY_BASE_ARENA_H

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used_bytes, size_bytes;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct arena_chunk *chunks; /* newest first */
};

_Noreturn static inline void out_of_memory(void)
{
    static const char text[] = "wherry: out of memory\n";
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

/* Returns SIZE_BYTES zeroed bytes aligned to ALIGN (a power of two, at most 16). */
static inline void *arena_alloc(struct arena *a, size_t size_bytes, size_t align)
{
    struct arena_chunk *c = a->chunks;
    size_t at = 0;

    assert(align != 0 && (align & (align - 1)) == 0 && align <= 16);
    if (c != NULL)
        at = (c->used_bytes + align - 1) & ~(align - 1);
    if (c == NULL || at > c->size_bytes || size_bytes > c->size_bytes - at) {
        size_t grown = c != NULL && c->size_bytes < (1u << 20) ? c->size_bytes * 2 : 4096 - sizeof *c;
        size_t want = c != NULL && c->size_bytes >= (1u << 20) ? 1u << 20 : grown;
        if (want < size_bytes)
            want = size_bytes;
        if (want > SIZE_MAX - sizeof *c)
            out_of_memory();
        c = (struct arena_chunk *)calloc(1, sizeof *c + want);
        if (c == NULL)
            out_of_memory();
        c->size_bytes = want;
        c->next = a->chunks;
        a->chunks = c;
        at = 0;
    }
    c->used_bytes = at + size_bytes;
    return c->data + at;
}

static inline void *arena_alloc_array(struct arena *a, size_t count, size_t size_bytes, size_t align)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        out_of_memory();
    return arena_alloc(a, total, align);
}

#define arena_new(a, type)          ((type *)arena_alloc((a), sizeof(type), _Alignof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type), _Alignof(type)))

/* Copies LEN bytes and a terminating NUL. */
static inline char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = (char *)arena_alloc(a, len + 1, 1);
    if (len != 0)
        memcpy(copy, s, len);
    return copy;
}

static inline char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

__attribute__((format(printf, 2, 3))) static inline char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap, again;
    char *s;
    int len;

    va_start(ap, format);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (len < 0)
        out_of_memory();
    s = (char *)arena_alloc(a, (size_t)len + 1, 1);
    vsnprintf(s, (size_t)len + 1, format, again);
    va_end(again);
    return s;
}

/* Releases everything; the arena is empty and usable afterwards. */
static inline void arena_free(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
}

/* The same as arena_free, but keeps the newest chunk, which is the largest as a rule, for what comes next. */
static inline void arena_reset(struct arena *a)
{
    struct arena rest = {a->chunks != NULL ? a->chunks->next : NULL};

    if (a->chunks == NULL)
        return;
    memset(a->chunks->data, 0, a->chunks->used_bytes);
    a->chunks->used_bytes = 0;
    a->chunks->next = NULL;
    arena_free(&rest);
}

#endif
