/* The longer forms behind body.h. */
#include "engine/body.h"

enum leb_fault { LEB_UNEXPECTED_END, LEB_TOO_LONG, LEB_TOO_LARGE };

const char *body_leb_fault(uint64_t value)
{
    static const char *const texts[] = {"unexpected end", "integer representation too long", "integer too large"};
    return texts[value];
}

struct body_leb body_leb_long(const uint8_t *at, const uint8_t *end, unsigned bits, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;

    for (; at != end; shift += 7) {
        uint8_t b = *at++;
        if (shift + 7 >= bits) { /* the last byte that may come: what does not fit repeats the sign, or is zero */
            unsigned room = bits - shift;
            uint8_t beyond = (uint8_t)((b & 0x7f) >> (is_signed ? room - 1 : room));
            uint8_t all_ones = (uint8_t)(0x7f >> (room - 1));
            if ((b & 0x80) != 0)
                return (struct body_leb){LEB_TOO_LONG, NULL};
            if (beyond != 0 && !(is_signed && beyond == all_ones))
                return (struct body_leb){LEB_TOO_LARGE, NULL};
        }
        value |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            if (is_signed && shift + 7 < 64 && (b & 0x40) != 0)
                value |= ~(uint64_t)0 << (shift + 7);
            return (struct body_leb){value, at};
        }
    }
    return (struct body_leb){LEB_UNEXPECTED_END, NULL};
}

/* --- types -------------------------------------------------------------------------------------------------------- */
static bool is_abstract_heap(uint8_t code)
{
    return code >= (HEAP_EXN & 0xff) && code <= (HEAP_NOEXN & 0xff);
}

heaptype body_heaptype(struct rd *r)
{
    size_t begin = rd_offset(r);
    int64_t v = body_signed(r, 33);

    if (r->fault != NULL)
        return HEAP_FUNC;
    if (v >= 0 && v < HEAP_ABSTRACT)
        return (heaptype)v;
    if (v < 0 && v >= -64 && is_abstract_heap((uint8_t)(v & 0x7f)))
        return HEAP_ABSTRACT | (heaptype)(v & 0x7f);
    rd_fail_at(r, begin, v >= 0 ? "unknown type" : "malformed heap type");
    return HEAP_FUNC;
}

static valtype type_of(struct rd *r, bool reference_only)
{
    size_t begin = rd_offset(r);
    uint8_t code = rd_u8(r);

    if (r->fault != NULL)
        return VT_I32;
    if (code == VT_REF || code == VT_REF_NULL)
        return valtype_ref(code == VT_REF_NULL, body_heaptype(r));
    if (is_abstract_heap(code))
        return valtype_ref(true, HEAP_ABSTRACT | code);
    if (code >= VT_V128 && code <= VT_I32 && !reference_only)
        return code;
    rd_fail_at(r, begin, reference_only ? "malformed reference type" : "malformed value type");
    return VT_I32;
}

valtype body_valtype(struct rd *r)
{
    return type_of(r, false);
}

valtype body_reftype(struct rd *r)
{
    return type_of(r, true);
}

/* --- immediates --------------------------------------------------------------------------------------------------- */
struct block_type body_block_type(struct rd *r)
{
    struct block_type type = {MODULE_NONE, VT_BOTTOM};
    size_t begin = rd_offset(r);
    int64_t index;

    if (r->at != r->end && (*r->at & 0xc0) == 0x40) { /* one byte, negative as an s33 */
        if (*r->at == 0x40)
            r->at++;
        else
            type.result = body_valtype(r);
        return type;
    }
    index = body_signed(r, 33);
    if (r->fault == NULL && (index < 0 || index >= MODULE_NONE))
        rd_fail_at(r, begin, "unknown type");
    else
        type.type_index = (uint32_t)index;
    return type;
}

struct catch_clause body_catch_clause(struct rd *r)
{
    struct catch_clause clause = {0};
    size_t begin = rd_offset(r);
    uint8_t kind = rd_u8(r);

    if (kind > CATCH_ALL_REF) {
        rd_fail_at(r, begin, "malformed catch clause");
        return clause;
    }
    clause.kind = (enum catch_kind)kind;
    if (kind == CATCH_TAG || kind == CATCH_TAG_REF)
        clause.tag = body_u32(r);
    clause.label = body_u32(r);
    return clause;
}

struct cast_branch body_cast_branch(struct rd *r)
{
    struct cast_branch cast;
    size_t begin = rd_offset(r);
    uint8_t flags = rd_u8(r); /* bit 0: the operand may be null; bit 1: the target may */

    if (flags > 3)
        rd_fail_at(r, begin, "malformed br_on_cast flags");
    cast.label = body_u32(r);
    cast.from = valtype_ref((flags & 1) != 0, body_heaptype(r));
    cast.to = valtype_ref((flags & 2) != 0, body_heaptype(r));
    return cast;
}

static void skip_u32s(struct rd *r, uint32_t count)
{
    while (count-- != 0 && r->fault == NULL)
        body_u32(r);
}

void body_skip_immediate(struct rd *r, enum opcode op)
{
    uint32_t count;

    switch ((enum immediate)opcode_infos[op].immediate) {
    case IMMEDIATE_ILLEGAL:
    case IMMEDIATE_NONE: break;
    case IMMEDIATE_BLOCK: body_block_type(r); break;
    case IMMEDIATE_LABEL:
    case IMMEDIATE_FUNC:
    case IMMEDIATE_LOCAL:
    case IMMEDIATE_GLOBAL:
    case IMMEDIATE_TABLE:
    case IMMEDIATE_ELEM:
    case IMMEDIATE_DATA:
    case IMMEDIATE_MEMORY:
    case IMMEDIATE_TAG:
    case IMMEDIATE_TYPE: body_u32(r); break;
    case IMMEDIATE_TYPE_TABLE:
    case IMMEDIATE_TABLE_TABLE:
    case IMMEDIATE_ELEM_TABLE:
    case IMMEDIATE_DATA_MEMORY:
    case IMMEDIATE_MEMORY_MEMORY:
    case IMMEDIATE_TYPE_FIELD:
    case IMMEDIATE_TYPE_COUNT:
    case IMMEDIATE_TYPE_DATA:
    case IMMEDIATE_TYPE_ELEM:
    case IMMEDIATE_TYPE_TYPE: skip_u32s(r, 2); break;
    case IMMEDIATE_LABELS:
        skip_u32s(r, body_u32(r));
        body_u32(r);
        break;
    case IMMEDIATE_TRY_TABLE:
        body_block_type(r);
        for (count = body_u32(r); count != 0 && r->fault == NULL; count--)
            body_catch_clause(r);
        break;
    case IMMEDIATE_MEMARG: body_memarg(r); break;
    case IMMEDIATE_MEMARG_LANE:
        body_memarg(r);
        rd_u8(r);
        break;
    case IMMEDIATE_LANE:
    case IMMEDIATE_FENCE: rd_u8(r); break;
    case IMMEDIATE_SHUFFLE:
    case IMMEDIATE_V128: rd_bytes(r, 16); break;
    case IMMEDIATE_I32: body_s32(r); break;
    case IMMEDIATE_I64: body_s64(r); break;
    case IMMEDIATE_F32: rd_bytes(r, 4); break;
    case IMMEDIATE_F64: rd_bytes(r, 8); break;
    case IMMEDIATE_VALTYPES:
        for (count = body_u32(r); count != 0 && r->fault == NULL; count--)
            body_valtype(r);
        break;
    case IMMEDIATE_HEAP: body_heaptype(r); break;
    case IMMEDIATE_CAST_BRANCH: body_cast_branch(r); break;
    }
}
