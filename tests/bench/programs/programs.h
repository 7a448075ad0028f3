/* What the drivers of tests/bench/programs.sh share: PROGRAM N does N times its work on data that it makes itself, the
 * same on every machine, and prints "PROGRAM n=N sum=S". S is over all that it computed, so that two engines that agree
 * on it did the same. */
#ifndef WHERRY_TESTS_PROGRAMS_H
#define WHERRY_TESTS_PROGRAMS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t program_state = 88172645463325252u;

/* xorshift64: Marsaglia 2003 */
static inline uint32_t program_random(void)
{
    program_state ^= program_state << 13;
    program_state ^= program_state >> 7;
    program_state ^= program_state << 17;
    return (uint32_t)(program_state >> 32);
}

/* FNV-1a */
static inline uint32_t program_sum(uint32_t sum, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 16777619u;
    return sum;
}

static inline int program_count(int argc, char **argv)
{
    return argc > 1 ? atoi(argv[1]) : 1;
}

static inline int program_end(const char *name, int n, uint32_t sum)
{
    printf("%s n=%d sum=%08x\n", name, n, (unsigned)sum);
    return 0;
}

_Noreturn static inline void program_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#endif
