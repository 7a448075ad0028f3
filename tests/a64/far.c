/* far X: writes a module whose _start calls a function of some MiB of machine code with X and ends with `unreachable` if
 * the outcome is wrong: what an aarch64 instruction cannot reach in one step. X: 0, 1, 2 take a way of a table each, 7 jumps
 * over the first half, 5 divides by zero at the top, whose trap lies behind the end. */
#include "base/buf.h"
#include <stdbool.h>
#include <stdlib.h>

enum { PADDINGS = 150000 /* 1.2 MB of code each time */ };

/* Opcodes, as bytes. */
enum { BLOCK = 0x02, IF = 0x04, END = 0x0b, BR_IF = 0x0d, BR_TABLE = 0x0e, RETURN = 0x0f, GET = 0x20, SET = 0x21 };

static void put(struct buf *b, const char *bytes, size_t len)
{
    buf_put(b, bytes, len);
}

#define PUT(b, ...) put(b, (const char[]){__VA_ARGS__}, sizeof((const char[]){__VA_ARGS__}))

static void put_signed(struct buf *b, int64_t value)
{
    bool more = true;

    while (more) {
        uint8_t byte = value & 0x7f;
        value >>= 7;
        more = !((value == 0 && (byte & 0x40) == 0) || (value == -1 && (byte & 0x40) != 0));
        buf_put_u8(b, more ? byte | 0x80 : byte);
    }
}

/* Padded to five bytes: any such number will do. */
static void put_size(struct buf *b, size_t size)
{
    for (unsigned i = 0; i < 5; i++)
        buf_put_u8(b, (uint8_t)((size >> 7 * i & 0x7f) | (i < 4 ? 0x80 : 0)));
}

static void put_i32(struct buf *b, int32_t value)
{
    buf_put_u8(b, 0x41);
    put_signed(b, value);
}

static void put_tenth(struct buf *b)
{
    const double tenth = 0.1;
    buf_put_u8(b, 0x44);
    buf_put(b, &tenth, sizeof tenth);
}

/* v = rotl(v ^ x, 3), many times. */
static void put_padding(struct buf *b)
{
    for (unsigned i = 0; i < PADDINGS; i++)
        PUT(b, GET, 1, GET, 0, 0x73, 0x41, 3, 0x77, SET, 1);
}

static uint32_t padding(uint32_t v, uint32_t x)
{
    for (unsigned i = 0; i < PADDINGS; i++) {
        v ^= x;
        v = v << 3 | v >> 29;
    }
    return v;
}

static uint32_t expected(uint32_t x)
{
    uint32_t v = x == 7 ? 0 : padding(0, x);

    if (x == 0)
        return padding(v, x) + 1;
    return x == 1 ? v + 2 : v;
}

static void put_far(struct buf *b)
{
    PUT(b, 2, 1, 0x7f, 1, 0x7c); /* locals: v, and a double */
    put_tenth(b);
    PUT(b, SET, 2);
    put_i32(b, 1000);
    PUT(b, GET, 0);
    put_i32(b, 5);
    PUT(b, 0x6b, 0x6d, 0x1a, BLOCK, 0x40, GET, 0); /* sub, div_s, drop */
    put_i32(b, 7);
    PUT(b, 0x46, BR_IF, 0);
    put_padding(b);
    PUT(b, END, BLOCK, 0x40, BLOCK, 0x40, BLOCK, 0x40, GET, 0, BR_TABLE, 2, 0, 1, 2, END);
    put_padding(b);
    PUT(b, GET, 1, 0x41, 1, 0x6a, RETURN, END, GET, 1, 0x41, 2, 0x6a, RETURN, END, GET, 1, GET, 2);
    put_tenth(b);
    PUT(b, 0x62, 0x6a, END); /* f64.ne, add */
}

static void put_start(struct buf *b, int32_t x)
{
    PUT(b, 0);
    put_i32(b, x);
    PUT(b, 0x10, 0);
    put_i32(b, (int32_t)expected((uint32_t)x));
    PUT(b, 0x47, IF, 0x40, 0x00, END, END);
}

int main(int argc, char **argv)
{
    struct buf module = {0}, far = {0}, start = {0}, code = {0};

    if (argc != 2)
        return 2;
    put_far(&far);
    put_start(&start, atoi(argv[1]));
    buf_put_u8(&code, 2);
    put_size(&code, far.len);
    buf_put(&code, far.data, far.len);
    put_size(&code, start.len);
    buf_put(&code, start.data, start.len);
    PUT(&module, 0, 'a', 's', 'm', 1, 0, 0, 0);
    PUT(&module, 1, 9, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 0); /* types */
    PUT(&module, 3, 3, 2, 0, 1);
    PUT(&module, 7, 10, 1, 6, '_', 's', 't', 'a', 'r', 't', 0, 1);
    buf_put_u8(&module, 10);
    put_size(&module, code.len);
    buf_put(&module, code.data, code.len);
    return fwrite(module.data, 1, module.len, stdout) != module.len;
}
