/* gc COMPILER MODULE SIZE: compiles MODULE with that compiler (baseline, optimizing), calls its export "run" with SIZE, and
 * prints CPU milliseconds of that call, the number of collections, the longest and the mean pause in milliseconds. */
#include "base/fd.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "wherry/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "gc: %s\n", what);
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct code *load(const char *path, enum engine_compiler compiler, int *artifact_fd, struct err *err)
{
    static const uint8_t key[32];
    struct engine_options options = {.compiler = compiler};
    struct artifact_identity identity = {0};
    struct buf bytes = {0}, artifact = {0};
    struct code *code;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fd_read_to_end(fd, &bytes, 1 << 30) != 0)
        die(path);
    if (engine_compile(bytes.data, bytes.len, key, &options, &artifact, err) != 0)
        die(err->text);
    *artifact_fd = memfd_create("artifact", MFD_CLOEXEC);
    if (fd_write_all(*artifact_fd, artifact.data, artifact.len) != 0 ||
        code_map(*artifact_fd, &identity, &code, err) != 0)
        die("the artifact cannot be mapped");
    return code;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct store *store;
    struct instance *instance;
    struct external run;
    union vm_value value = {.i64 = 0};
    double begin_ms;
    int fd;
    struct code *code;

    if (argc != 4 || (strcmp(argv[1], "baseline") != 0 && strcmp(argv[1], "optimizing") != 0))
        die("usage: gc baseline|optimizing MODULE SIZE");
    code = load(argv[2], argv[1][0] == 'b' ? ENGINE_BASELINE : ENGINE_OPTIMIZING, &fd, &err);
    if (store_new(&store, 0, &err) != 0 || instance_new(store, code, fd, NULL, &instance, &err) != 0)
        die(err.text);
    if (!instance_export(instance, (struct name){"run", 3}, &run) || run.kind != EXTERNAL_FUNC)
        die("no export \"run\"");
    value.i32 = (uint32_t)strtoul(argv[3], NULL, 10);
    begin_ms = cpu_ms();
    if (call_func(store, run.func, &value) != TRAP_NONE)
        die("it trapped");
    printf("%.1f %llu %.2f %.2f\n", cpu_ms() - begin_ms, (unsigned long long)store->heap.collections,
           (double)store->heap.pause_max_ns / 1e6,
           (double)store->heap.pause_total_ns / 1e6 /
               (double)(store->heap.collections + (store->heap.collections == 0)));
    return 0;
}
