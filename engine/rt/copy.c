/* memory.copy. musl's memmove goes backwards one byte at a time (1 byte/ns where this does 40), and `engine` is a musl
 * program; vectors of 16 bytes are in every x86-64 and aarch64. */
#include "engine/rt/copy.h"
#include <string.h>

enum { BY_LIBC_BYTES = 512 }; /* from here on rep movs or wider vectors win, where ranges do not overlap */

typedef uint8_t v16 __attribute__((vector_size(16)));

static inline v16 load(const uint8_t *at)
{
    v16 v;
    memcpy(&v, at, sizeof v);
    return v;
}

static inline void store(uint8_t *at, v16 v)
{
    memcpy(at, &v, sizeof v);
}

/* Everything is read before anything is written, so overlap does not matter: ends may cover each other. */
static void copy_small(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len >= 16) {
        v16 head = load(from), tail = load(from + len - 16);
        store(to, head);
        store(to + len - 16, tail);
    } else if (len >= 8) {
        uint64_t head, tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + len - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + len - 8, &tail, 8);
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + len - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + len - 4, &tail, 4);
    } else if (len != 0) {
        uint8_t head = from[0], middle = from[len / 2], tail = from[len - 1];
        to[0] = head;
        to[len / 2] = middle;
        to[len - 1] = tail;
    }
}

/* TO is below FROM or beyond its end. The last 32 bytes are read first: the loop may overwrite them. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t len)
{
    v16 tail0 = load(from + len - 32), tail1 = load(from + len - 16);
    size_t at = 0;

    for (; len - at > 64; at += 64) {
        v16 a = load(from + at), b = load(from + at + 16), c = load(from + at + 32), d = load(from + at + 48);
        store(to + at, a);
        store(to + at + 16, b);
        store(to + at + 32, c);
        store(to + at + 48, d);
    }
    if (len - at > 32) {
        v16 a = load(from + at), b = load(from + at + 16);
        store(to + at, a);
        store(to + at + 16, b);
    }
    store(to + len - 32, tail0);
    store(to + len - 16, tail1);
}

/* TO lies inside FROM's range: from the end downwards, the first 32 bytes read first. */
static void copy_down(uint8_t *to, const uint8_t *from, size_t len)
{
    v16 head0 = load(from), head1 = load(from + 16);
    size_t left = len;

    for (; left > 64; left -= 64) {
        v16 a = load(from + left - 16), b = load(from + left - 32), c = load(from + left - 48),
            d = load(from + left - 64);
        store(to + left - 16, a);
        store(to + left - 32, b);
        store(to + left - 48, c);
        store(to + left - 64, d);
    }
    if (left > 32) {
        v16 a = load(from + left - 16), b = load(from + left - 32);
        store(to + left - 16, a);
        store(to + left - 32, b);
    }
    store(to, head0);
    store(to + 16, head1);
}

void copy_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len <= 32)
        copy_small(to, from, len);
    else if (len >= BY_LIBC_BYTES && (size_t)(to - from) >= len && (size_t)(from - to) >= len)
        memcpy(to, from, len);
    else if ((size_t)(to - from) >= len)
        copy_up(to, from, len);
    else
        copy_down(to, from, len);
}
