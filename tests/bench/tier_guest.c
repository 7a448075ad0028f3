/* A service that never rests: argv[1] seconds of arithmetic, matrices and sorting through a comparison function; prints how
 * many units of it each second brought. Its time is the clock's, so that a slow second is seen as one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORDS = 8192, SIDE = 48, SORTED = 2048 };

static uint32_t words[WORDS];
static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
static int sorted[SORTED];

static __attribute__((noinline)) uint32_t mix(uint32_t seed)
{
    for (int i = 0; i < WORDS; i++) {
        seed = (seed << 13 | seed >> 19) ^ words[i];
        words[i] = seed * 2654435761u + (uint32_t)i;
    }
    return seed;
}

static __attribute__((noinline)) void multiply(void)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
}

static int compare(const void *x, const void *y)
{
    return *(const int *)x < *(const int *)y ? -1 : *(const int *)x > *(const int *)y;
}

static __attribute__((noinline)) void sort(uint32_t seed)
{
    for (int i = 0; i < SORTED; i++)
        sorted[i] = (int)(seed = seed * 1103515245u + 12345u);
    qsort(sorted, SORTED, sizeof sorted[0], compare);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 60;
    double start = now();
    uint32_t seed = 1;

    for (int i = 0; i < SIDE * SIDE; i++)
        a[i / SIDE][i % SIDE] = b[i / SIDE][i % SIDE] = i;
    for (int second = 1; second <= seconds; second++) {
        unsigned units = 0;
        for (; now() < start + second; units++) {
            seed = mix(seed);
            multiply();
            sort(seed);
        }
        printf("%d %u\n", second, units);
        fflush(stdout);
    }
    return seed == 0;
}
