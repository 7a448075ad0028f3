/* Types of the Wasm language, in the few bits that both compilers and the runtime pass around. */
#ifndef WHERRY_ENGINE_TYPES_H
#define WHERRY_ENGINE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* A value type in 32 bits: the binary format's code in bits 0-7 and, for references, the heap type in bits 8-31. */
typedef uint32_t valtype;

enum {
    VT_BOTTOM = 0, /* validation only: the type of an operand in unreachable code */
    VT_I32 = 0x7f,
    VT_I64 = 0x7e,
    VT_F32 = 0x7d,
    VT_F64 = 0x7c,
    VT_V128 = 0x7b,
    VT_I8 = 0x78,  /* packed, storage only */
    VT_I16 = 0x77, /* packed, storage only */
    VT_REF = 0x64, /* non-null reference */
    VT_REF_NULL = 0x63,
};

/* A heap type in 24 bits: a type index below HEAP_ABSTRACT, or HEAP_ABSTRACT | the binary format's code. */
typedef uint32_t heaptype;

enum {
    HEAP_ABSTRACT = 0x800000,
    HEAP_NOEXN = HEAP_ABSTRACT | 0x74,
    HEAP_NOFUNC = HEAP_ABSTRACT | 0x73,
    HEAP_NOEXTERN = HEAP_ABSTRACT | 0x72,
    HEAP_NONE = HEAP_ABSTRACT | 0x71,
    HEAP_FUNC = HEAP_ABSTRACT | 0x70,
    HEAP_EXTERN = HEAP_ABSTRACT | 0x6f,
    HEAP_ANY = HEAP_ABSTRACT | 0x6e,
    HEAP_EQ = HEAP_ABSTRACT | 0x6d,
    HEAP_I31 = HEAP_ABSTRACT | 0x6c,
    HEAP_STRUCT = HEAP_ABSTRACT | 0x6b,
    HEAP_ARRAY = HEAP_ABSTRACT | 0x6a,
    HEAP_EXN = HEAP_ABSTRACT | 0x69,
};

static inline valtype valtype_ref(bool nullable, heaptype heap)
{
    return (heap << 8) | (nullable ? VT_REF_NULL : VT_REF);
}

static inline uint8_t valtype_code(valtype t)
{
    return (uint8_t)t;
}

static inline heaptype valtype_heap(valtype t)
{
    return t >> 8;
}

static inline bool valtype_is_ref(valtype t)
{
    return valtype_code(t) == VT_REF || valtype_code(t) == VT_REF_NULL;
}

struct valtype_text {
    char text[24];
};

/* T as the text format writes it: "i32", "funcref", "(ref null 5)". */
struct valtype_text valtype_text(valtype t);

/* Whether a value of a type with this code lives in a vector register. */
static inline bool type_is_vector(uint8_t code)
{
    return code == VT_F32 || code == VT_F64 || code == VT_V128;
}

/* Bytes a value takes in a global, a spill slot or a call's argument array. References are 32-bit offsets (gen/abi.h). */
static inline unsigned valtype_size_bytes(valtype t)
{
    switch (valtype_code(t)) {
    case VT_I64:
    case VT_F64: return 8;
    case VT_V128: return 16;
    case VT_I8: return 1;
    case VT_I16: return 2;
    default: return 4;
    }
}

#endif
