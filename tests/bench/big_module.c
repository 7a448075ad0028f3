/* big_module [sleeping]: a module of 10 MB, most of which is never run, on standard output: what a start from the cache costs
 * when the module is big. Its _start does nothing, or sleeps: 100,000 s by poll_oneoff. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FUNCTIONS = 5200, ADDS = 250 };

static uint8_t bytes[16 << 20];
static size_t len;

static void put(const void *data, size_t n)
{
    memcpy(bytes + len, data, n);
    len += n;
}

static void put_leb(uint32_t value)
{
    uint8_t byte;
    for (; value >= 128; value >>= 7) {
        byte = (uint8_t)(value | 128);
        put(&byte, 1);
    }
    byte = (uint8_t)value;
    put(&byte, 1);
}

/* Writes the section gathered since BEGIN with its number and size in front. */
static void end_section(size_t begin, uint8_t number)
{
    static uint8_t content[sizeof bytes];
    size_t size = len - begin;

    memcpy(content, bytes + begin, size);
    len = begin;
    put(&number, 1);
    put_leb((uint32_t)size);
    put(content, size);
}

static void put_function(void)
{
    put_leb(3 + ADDS * 8 + 1);
    put("\1\1\177", 3); /* one local, i32 */
    for (int i = 0; i < ADDS; i++) {
        const uint8_t add[] = {0x20, 0, 0x41, (uint8_t)(i % 64), 0x6a, 0x21, 0, 1};
        put(add, sizeof add);
    }
    put("\13", 1);
}

/* (data (i32.const 0) ...): one subscription, to the monotonic clock. */
static void put_subscription(void)
{
    uint8_t subscription[48] = {0};
    uint64_t timeout_ns = UINT64_C(100000000000000);
    size_t begin = len;

    subscription[16] = 1; /* the clock's id */
    memcpy(subscription + 24, &timeout_ns, sizeof timeout_ns);
    put("\1\0\101\0\13\60", 6);
    put(subscription, sizeof subscription);
    end_section(begin, 11);
}

int main(int argc, char **argv)
{
    int sleeping = argc > 1 && strcmp(argv[1], "sleeping") == 0;
    size_t begin;

    put("\0asm\1\0\0\0", 8);
    begin = len;
    put("\2\140\0\0\140\4\177\177\177\177\1\177", 12);
    end_section(begin, 1);
    begin = len;
    put("\1\26wasi_snapshot_preview1\13poll_oneoff\0\1", 1 + 23 + 12 + 2);
    end_section(begin, 2);
    begin = len;
    put_leb(FUNCTIONS + 1);
    memset(bytes + len, 0, FUNCTIONS + 1);
    len += FUNCTIONS + 1;
    end_section(begin, 3);
    begin = len;
    put("\1\0\1", 3); /* one memory of a page */
    end_section(begin, 5);
    begin = len;
    put("\2\6_start\0\1\6memory\2\0", 1 + 9 + 9);
    end_section(begin, 7);
    begin = len;
    put_leb(FUNCTIONS + 1);
    if (sleeping)
        put("\17\0\101\0\101\200\1\101\1\101\200\2\20\0\32\13", 16);
    else
        put("\2\0\13", 3);
    for (int i = 0; i < FUNCTIONS; i++)
        put_function();
    end_section(begin, 10);
    put_subscription();
    return fwrite(bytes, 1, len, stdout) == len ? 0 : 1;
}
