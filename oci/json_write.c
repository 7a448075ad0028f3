/* See json_write.h. */
#include "oci/json_write.h"
#include <assert.h>

static void put_line(struct json_writer *w)
{
    if (w->indent == 0)
        return;
    buf_put_u8(w->out, '\n');
    for (unsigned i = 0; i < w->indent * w->depth; i++)
        buf_put_u8(w->out, ' ');
}

/* What stands before a value or a key: the comma, and in the long form a new line. */
static void put_separator(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->filled)
        buf_put_u8(w->out, ',');
    if (w->depth != 0)
        put_line(w);
    w->filled = true;
}

/* The length of the UTF-8 sequence at S, or 0 if it is none. Strings from the kernel and from argv may be anything. */
static size_t utf8_len(const unsigned char *s)
{
    size_t len = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static void put_quoted(struct buf *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    buf_put_u8(out, '"');
    while (*s != 0) {
        size_t len = *s < 0x80 ? 1 : utf8_len(s);
        if (*s == '"' || *s == '\\')
            buf_printf(out, "\\%c", *s);
        else if (*s == '\n')
            buf_put_str(out, "\\n");
        else if (*s == '\t')
            buf_put_str(out, "\\t");
        else if (*s < 0x20)
            buf_printf(out, "\\u%04x", *s);
        else if (len == 0)
            buf_put_str(out, "\\ufffd");
        else
            buf_put(out, s, len);
        s += len != 0 ? len : 1;
    }
    buf_put_u8(out, '"');
}

void json_open(struct json_writer *w, char bracket)
{
    put_separator(w);
    buf_put_u8(w->out, (uint8_t)bracket);
    w->depth++;
    w->filled = false;
}

void json_close(struct json_writer *w, char bracket)
{
    assert(w->depth != 0);
    w->depth--;
    if (w->filled)
        put_line(w);
    buf_put_u8(w->out, (uint8_t)bracket);
    w->filled = true;
}

void json_key(struct json_writer *w, const char *key)
{
    put_separator(w);
    put_quoted(w->out, key);
    buf_put_str(w->out, w->indent != 0 ? ": " : ":");
    w->after_key = true;
}

void json_put_string(struct json_writer *w, const char *text)
{
    put_separator(w);
    put_quoted(w->out, text != NULL ? text : "");
}

void json_put_int(struct json_writer *w, int64_t value)
{
    put_separator(w);
    buf_printf(w->out, "%lld", (long long)value);
}

void json_put_bool(struct json_writer *w, bool value)
{
    put_separator(w);
    buf_put_str(w->out, value ? "true" : "false");
}

void json_put_raw(struct json_writer *w, const char *json)
{
    put_separator(w);
    buf_put_str(w->out, json);
}

void json_put_strings(struct json_writer *w, const char *const *strings, size_t count)
{
    json_open(w, '[');
    for (size_t i = 0; i < count; i++)
        json_put_string(w, strings[i]);
    json_close(w, ']');
}
