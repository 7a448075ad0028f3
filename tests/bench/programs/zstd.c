/* Zstandard: text compressed at a fast and at a thorough level, and got back. */
#include "programs.h"
#include "zstd.h"

enum { TEXT_BYTES = 1 << 18 };

static void make_text(char *text)
{
    static const char *const words[] = {"container", "runtime", "the",    "of",  "module", "memory",
                                        "a",         "is",      "kernel", "and", "limit",  "start"};
    size_t at = 0;

    while (at < TEXT_BYTES - 32)
        at += (size_t)sprintf(text + at, "%s%c", words[program_random() % 12], program_random() % 9 == 0 ? '\n' : ' ') +
              (program_random() % 20 == 0 ? (size_t)sprintf(text + at, "%u ", (unsigned)program_random()) : 0);
}

int main(int argc, char **argv)
{
    static char text[TEXT_BYTES], back[TEXT_BYTES];
    static char packed[TEXT_BYTES * 2];
    int n = program_count(argc, argv);
    uint32_t sum = 2166136261u;

    for (int i = 0; i < n; i++) {
        make_text(text);
        for (int level = 1; level <= 12; level += 4) {
            size_t size = ZSTD_compress(packed, sizeof packed, text, sizeof text, level);
            if (ZSTD_isError(size) || ZSTD_decompress(back, sizeof back, packed, size) != sizeof text ||
                memcmp(text, back, sizeof text) != 0)
                program_fail("zstd does not give back what it got");
            sum = program_sum(sum, packed, size);
        }
    }
    return program_end("zstd", n, sum);
}
