#include "engine/text.h"

void text_valtype(struct buf *out, valtype type)
{
    buf_put_str(out, valtype_text(type).text);
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
