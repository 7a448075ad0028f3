/* Throughput of decoder and validator: MB (10^6 bytes) of code section per second of CPU, the best of ROUNDS.
 *
 * usage: validate MODULE... */
#include "base/fd.h"
#include "engine/feature.h"
#include "engine/module.h"
#include <time.h>

enum { ROUNDS = 15 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static uint64_t code_bytes(const struct module *m)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = m->imported_func_count; i < m->func_count; i++)
        sum += m->funcs[i].body.len;
    return sum;
}

static int measure(const char *path, const struct buf *bytes)
{
    double decode_ms = 1e9, validate_ms = 1e9;
    uint64_t code = 0;
    struct err err;
    int round, rc = 0;

    for (round = 0; round < ROUNDS && rc == 0; round++) {
        struct module m;
        double begin = cpu_ms(), middle;
        rc = module_decode(&m, bytes->data, bytes->len, FEATURES_ALL, &err);
        middle = cpu_ms();
        if (rc == 0)
            rc = module_validate(&m, FEATURES_ALL, &err);
        validate_ms = smaller(validate_ms, cpu_ms() - middle);
        decode_ms = smaller(decode_ms, middle - begin);
        code = code_bytes(&m);
        module_free(&m);
    }
    if (rc != 0) {
        fprintf(stderr, "validate: %s: %s\n", path, err.text);
        return 1;
    }
    path = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    printf("%-24s %6.2f MB of code, decoded in %6.2f ms, validated in %7.2f ms: %4.0f MB/s\n", path, (double)code / 1e6,
           decode_ms, validate_ms, (double)code / 1e3 / validate_ms);
    return 0;
}

int main(int argc, char **argv)
{
    int i, status = argc < 2;

    for (i = 1; i < argc; i++) {
        cleanup_fd int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        struct buf bytes = {0};
        if (fd < 0 || fd_read_to_end(fd, &bytes, 1 << 30) != 0) {
            fprintf(stderr, "validate: %s: %s\n", argv[i], strerror(errno));
            status = 1;
        } else {
            status |= measure(argv[i], &bytes);
        }
        buf_done(&bytes);
    }
    return status;
}
