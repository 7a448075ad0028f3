/* A growing byte buffer whose growth can fail: the shim outlives a failed allocation (struct buf of include/base ends the
 * process). A zeroed one is empty. Bytes are appended at the end and taken from the front. */
#ifndef WHERRY_SHIM_BYTES_H
#define WHERRY_SHIM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t len, capacity;
};

/* Makes room for MORE bytes behind the content. Returns false, with the content untouched, when memory is short. */
bool bytes_reserve(struct bytes *b, size_t more);

/* Appends LEN bytes. Returns false, with the content untouched, when memory is short. */
bool bytes_put(struct bytes *b, const void *data, size_t len);

/* Takes LEN (<= b->len) bytes away from the front; gives the memory back when nothing is left. */
void bytes_drop(struct bytes *b, size_t len);

void bytes_done(struct bytes *b);

#endif
