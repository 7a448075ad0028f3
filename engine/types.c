/* Types as text, for messages and dumps. */
#include "engine/types.h"
#include <stdio.h>
#include <string.h>

static const char *heap_name(heaptype heap)
{
    switch (heap) {
    case HEAP_NOEXN: return "noexn";
    case HEAP_NOFUNC: return "nofunc";
    case HEAP_NOEXTERN: return "noextern";
    case HEAP_NONE: return "none";
    case HEAP_FUNC: return "func";
    case HEAP_EXTERN: return "extern";
    case HEAP_ANY: return "any";
    case HEAP_EQ: return "eq";
    case HEAP_I31: return "i31";
    case HEAP_STRUCT: return "struct";
    case HEAP_ARRAY: return "array";
    case HEAP_EXN: return "exn";
    default: return "bottom"; /* only in unreachable code */
    }
}

static const char *number_name(valtype t)
{
    switch (t) {
    case VT_I32: return "i32";
    case VT_I64: return "i64";
    case VT_F32: return "f32";
    case VT_F64: return "f64";
    case VT_V128: return "v128";
    case VT_I8: return "i8";
    case VT_I16: return "i16";
    default: return "any type";
    }
}

struct valtype_text valtype_text(valtype t)
{
    struct valtype_text out;
    bool nullable = valtype_code(t) == VT_REF_NULL;
    heaptype heap = valtype_heap(t);

    if (!valtype_is_ref(t))
        snprintf(out.text, sizeof out.text, "%s", number_name(t));
    else if (heap < HEAP_ABSTRACT)
        snprintf(out.text, sizeof out.text, "(ref %s%u)", nullable ? "null " : "", heap);
    else if (nullable && strncmp(heap_name(heap), "no", 2) != 0) /* nullref and its like are rare: spelled out */
        snprintf(out.text, sizeof out.text, "%sref", heap_name(heap));
    else
        snprintf(out.text, sizeof out.text, "(ref %s%s)", nullable ? "null " : "", heap_name(heap));
    return out;
}
