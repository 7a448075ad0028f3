/* Where arguments and results travel, and where fields lie in an object: gen/abi.h's rules as code, for both compilers
 * and the runtime.
 *
 * A struct abi_walk, zeroed, is asked once per value in order; arguments and results each need a walk of their own.
 * Slots are 8 bytes, numbered from the lowest address of their area: the argument area begins directly above the
 * return address, the result area directly above the (padded) argument area. */
#ifndef WHERRY_ENGINE_GEN_LAYOUT_H
#define WHERRY_ENGINE_GEN_LAYOUT_H

#include "engine/types.h"
#include <stdint.h>

enum { OBJECT_HEADER_BYTES = 8 }; /* struct vm_object */

/* Where a field of TYPE lies in an object that is filled up to *END, which moves behind it. */
static inline uint32_t object_place(uint32_t *end, valtype type)
{
    uint32_t size_bytes = valtype_size_bytes(type), align = size_bytes < 8 ? size_bytes : 8;
    uint32_t at = (*end + align - 1) & ~(align - 1);

    *end = at + size_bytes;
    return at;
}

enum { ABI_INT_REGISTERS = 6, ABI_VECTOR_REGISTERS = 8 };

enum abi_place_kind { ABI_INT, ABI_VECTOR, ABI_SLOT };

struct abi_place {
    enum abi_place_kind kind;
    uint32_t index; /* ordinal of the register, or number of the first slot */
};

struct abi_walk {
    uint32_t ints, vectors, slots;
};

static inline struct abi_place abi_next(struct abi_walk *walk, valtype type)
{
    uint8_t code = valtype_code(type);
    uint32_t at = walk->slots;

    if (code == VT_F32 || code == VT_F64 || code == VT_V128) {
        if (walk->vectors < ABI_VECTOR_REGISTERS)
            return (struct abi_place){ABI_VECTOR, walk->vectors++};
    } else if (walk->ints < ABI_INT_REGISTERS) {
        return (struct abi_place){ABI_INT, walk->ints++};
    }
    walk->slots += code == VT_V128 ? 2 : 1;
    return (struct abi_place){ABI_SLOT, at};
}

/* Bytes of the walked area, padded so that the stack keeps its 16-byte alignment. */
static inline uint32_t abi_area_bytes(const struct abi_walk *walk)
{
    return (walk->slots * 8 + 15) & ~15u;
}

static inline uint32_t abi_types_area_bytes(const valtype *types, uint32_t count)
{
    struct abi_walk walk = {0};

    if (count <= ABI_INT_REGISTERS) /* there are no fewer for vectors */
        return 0;
    for (uint32_t i = 0; i < count; i++)
        abi_next(&walk, types[i]);
    return abi_area_bytes(&walk);
}

#endif
