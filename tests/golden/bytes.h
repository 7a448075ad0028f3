/* A module behind its header, as golden tests write it: bytes in hexadecimal, "text" for a name with its length, ( ... ) for
 * bytes with their length in front, "#" for a comment up to the end of the line. */
#ifndef WHERRY_TESTS_GOLDEN_BYTES_H
#define WHERRY_TESTS_GOLDEN_BYTES_H

#include "base/buf.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

static inline int golden_digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Appends the bytes that TEXT stands for up to its end or ")"; returns what follows. Lengths are below 128. */
static inline const char *golden_read_bytes(const char *text, struct buf *out)
{
    while (*text != 0 && *text != ')') {
        if (*text == '#') {
            text += strcspn(text, "\n");
        } else if (*text == '(' || *text == '"') {
            size_t at = out->len, len;
            const char *quoted = text + 1;
            buf_put_u8(out, 0);
            if (*text == '(') {
                text = golden_read_bytes(text + 1, out);
            } else {
                text = quoted + strcspn(quoted, "\"");
                buf_put(out, quoted, (size_t)(text - quoted));
            }
            len = out->len - at - 1;
            assert(len < 128 && *text != 0);
            out->data[at] = (uint8_t)len;
            text++;
        } else if (isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1])) {
            buf_put_u8(out, (uint8_t)(golden_digit(text[0]) << 4 | golden_digit(text[1])));
            text += 2;
        } else {
            text++;
        }
    }
    return text;
}

/* Appends the whole module. */
static inline void golden_module_bytes(const char *input, struct buf *out)
{
    buf_put(out, "\0asm\1\0\0\0", 8);
    golden_read_bytes(input, out);
}

#endif
