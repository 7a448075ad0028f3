/* memory.copy and array.copy: like memmove, fast in both directions whichever libc is below. */
#ifndef WHERRY_ENGINE_RT_COPY_H
#define WHERRY_ENGINE_RT_COPY_H

#include <stddef.h>
#include <stdint.h>

void copy_bytes(uint8_t *to, const uint8_t *from, size_t len);

#endif
