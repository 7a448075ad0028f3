#include "engine/text.h"

static const char *heap_text(heaptype heap)
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
    default: return NULL;
    }
}

static void text_reftype(struct buf *out, valtype type)
{
    const char *heap = heap_text(valtype_heap(type));
    bool nullable = valtype_code(type) == VT_REF_NULL;

    if (heap == NULL)
        buf_printf(out, "(ref %s%u)", nullable ? "null " : "", valtype_heap(type));
    else if (!nullable)
        buf_printf(out, "(ref %s)", heap);
    else
        buf_printf(out, "%sref", heap);
}

void text_valtype(struct buf *out, valtype type)
{
    switch (valtype_code(type)) {
    case VT_I32: buf_put_str(out, "i32"); break;
    case VT_I64: buf_put_str(out, "i64"); break;
    case VT_F32: buf_put_str(out, "f32"); break;
    case VT_F64: buf_put_str(out, "f64"); break;
    case VT_V128: buf_put_str(out, "v128"); break;
    case VT_I8: buf_put_str(out, "i8"); break;
    case VT_I16: buf_put_str(out, "i16"); break;
    case VT_REF:
    case VT_REF_NULL: text_reftype(out, type); break;
    default: buf_put_str(out, "?"); break;
    }
}

void text_func_type(struct buf *out, const valtype *types, uint32_t param_count, uint32_t result_count)
{
    buf_put_str(out, "(");
    for (uint32_t i = 0; i < param_count; i++) {
        buf_put_str(out, i == 0 ? "" : ", ");
        text_valtype(out, types[i]);
    }
    buf_put_str(out, ") -> ");
    if (result_count != 1)
        buf_put_str(out, "(");
    for (uint32_t i = 0; i < result_count; i++) {
        buf_put_str(out, i == 0 ? "" : ", ");
        text_valtype(out, types[param_count + i]);
    }
    if (result_count != 1)
        buf_put_str(out, ")");
}

void text_name(struct buf *out, struct name name)
{
    buf_put_str(out, "\"");
    for (uint32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            buf_printf(out, "\\%02x", c);
        else
            buf_put_u8(out, c);
    }
    buf_put_str(out, "\"");
}

const char *text_external_kind(uint32_t kind)
{
    static const char *const texts[] = {"function", "table", "memory", "global", "tag"};
    return kind < sizeof texts / sizeof texts[0] ? texts[kind] : "unknown kind";
}
