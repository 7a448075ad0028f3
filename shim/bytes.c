/* See bytes.h. Idle connections hold no memory: what is read or sent completely is given back. */
#include "shim/bytes.h"
#include <assert.h>

bool bytes_reserve(struct bytes *b, size_t more)
{
    size_t want, doubled = b->capacity * 2;
    uint8_t *grown;

    if (more <= b->capacity - b->len)
        return true;
    if (__builtin_add_overflow(b->len, more, &want))
        return false;
    if (want < doubled)
        want = doubled;
    if (want < 512)
        want = 512;
    grown = realloc(b->data, want);
    if (grown == NULL)
        return false;
    b->data = grown;
    b->capacity = want;
    return true;
}

bool bytes_put(struct bytes *b, const void *data, size_t len)
{
    if (!bytes_reserve(b, len))
        return false;
    if (len != 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    return true;
}

void bytes_drop(struct bytes *b, size_t len)
{
    assert(len <= b->len);
    b->len -= len;
    if (b->len == 0)
        bytes_done(b);
    else if (len != 0)
        memmove(b->data, b->data + len, b->len);
}

void bytes_done(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}
