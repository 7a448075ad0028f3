/* What a file is, by its first eight bytes (core specification, binary modules; component model, Binary.md preamble). */
#include "wherry/engine.h"
#include <string.h>

enum engine_kind engine_detect(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    if (len < 4 || memcmp(p, "\0asm", 4) != 0)
        return ENGINE_NOT_WASM;
    if (len < 8)
        return ENGINE_UNKNOWN_VERSION;
    if (memcmp(p + 4, "\1\0\0\0", 4) == 0)
        return ENGINE_MODULE;
    if (p[6] == 1 && p[7] == 0) /* layer 1: a component, whatever its pre-release version */
        return ENGINE_COMPONENT;
    return ENGINE_UNKNOWN_VERSION;
}
