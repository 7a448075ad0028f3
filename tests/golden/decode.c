/* Golden tests of decoder and dump. The input is a module behind its header: bytes in hexadecimal, "text" for a name with its
 * length, ( ... ) for bytes with their length in front, "#" for a comment up to the end of the line. */
#include "engine/dump.h"
#include "engine/feature.h"
#include "tests/golden/golden.h"
#include <ctype.h>

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Appends the bytes that TEXT stands for up to its end or ")"; returns what follows. Lengths are below 128. */
static const char *read_bytes(const char *text, struct buf *out)
{
    while (*text != 0 && *text != ')') {
        if (*text == '#') {
            text += strcspn(text, "\n");
        } else if (*text == '(' || *text == '"') {
            size_t at = out->len, len;
            const char *quoted = text + 1;
            buf_put_u8(out, 0);
            if (*text == '(') {
                text = read_bytes(text + 1, out);
            } else {
                text = quoted + strcspn(quoted, "\"");
                buf_put(out, quoted, (size_t)(text - quoted));
            }
            len = out->len - at - 1;
            assert(len < 128 && *text != 0);
            out->data[at] = (uint8_t)len;
            text++;
        } else if (isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1])) {
            buf_put_u8(out, (uint8_t)(digit(text[0]) << 4 | digit(text[1])));
            text += 2;
        } else {
            text++;
        }
    }
    return text;
}

static void produce(const char *input, struct buf *out)
{
    struct buf bytes = {0};
    struct module m;
    struct err err;

    buf_put(&bytes, "\0asm\1\0\0\0", 8);
    read_bytes(input, &bytes);
    if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) != 0)
        buf_printf(out, "error: %s\n", err.text);
    else
        dump_module(&m, out);
    module_free(&m);
    buf_done(&bytes);
}

int main(void)
{
    return golden_run("tests/golden/decode", produce);
}
