/* Typed growing arrays. VEC(T) declares one; a zeroed one is empty. Elements move on growth: keep indexes. */
#ifndef WHERRY_BASE_VEC_H
#define WHERRY_BASE_VEC_H

#include "base/arena.h"

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *data;                                                                                                    \
        size_t len, capacity;                                                                                          \
    }

/* Out of line, so that who only appends needs no frame for it. */
static __attribute__((noinline, unused)) void *vec_grow(void *data, size_t *capacity, size_t need, size_t element_bytes)
{
    size_t want = *capacity * 2 > need ? *capacity * 2 : need, total;
    if (want < 8)
        want = 8;
    if (__builtin_mul_overflow(want, element_bytes, &total))
        out_of_memory();
    data = realloc(data, total);
    if (data == NULL)
        out_of_memory();
    *capacity = want;
    return data;
}

/* Makes room for COUNT more elements. */
#define vec_reserve(v, count)                                                                                          \
    ((v)->len + (count) > (v)->capacity                                                                                \
         ? (void)((v)->data = vec_grow((v)->data, &(v)->capacity, (v)->len + (count), sizeof *(v)->data))              \
         : (void)0)

/* Appends VALUE (any expression of the element type, braces in parentheses). */
#define vec_push(v, ...) (vec_reserve((v), 1), (void)((v)->data[(v)->len++] = (__VA_ARGS__)))

#define vec_last(v) (assert((v)->len != 0), &(v)->data[(v)->len - 1])
#define vec_pop(v)  (assert((v)->len != 0), (v)->data[--(v)->len])
#define vec_done(v) (free((v)->data), (v)->data = NULL, (v)->len = (v)->capacity = 0)

#endif
