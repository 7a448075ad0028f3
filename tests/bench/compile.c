/* Throughput of the compiler: MB (10^6 bytes) of code section per second, from a module's bytes to its artifact's, as
 * the compile worker does it.
 *
 * usage: compile [--rounds N] [--cores N] [--compiler optimizing] MODULE...: one line a module: size of the code section in
 * MB, MB a CPU second of validation alone, of everything; the same by the clock with all cores; size of the machine code
 * over that of the code section; peak memory in MB, and over the module's size, of the installed compile worker, all cores. Every
 * round runs in a process of its own, the best counts. Ends with 1 if the artifact depends on the number of cores, or the worker
 * fails. */
#include "base/fd.h"
#include "engine/feature.h"
#include "engine/module.h"
#include "engine/options.h"
#include "engine/worker_protocol.h"
#include "wherry/engine.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

struct result { /* shared with the process that measures */
    double seconds;
    uint64_t module_bytes, code_bytes, artifact_bytes, hash;
    int status;
    struct err err;
};

enum what { VALIDATE, COMPILE };

static enum engine_compiler compiler = ENGINE_BASELINE;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t hash_of(const struct buf *b)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < b->len; i++)
        hash = (hash ^ b->data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void validate(const struct buf *bytes, struct result *out)
{
    struct module m = {0};
    double begin = now(CLOCK_PROCESS_CPUTIME_ID);

    out->status = module_decode(&m, bytes->data, bytes->len, FEATURES_ALL, &out->err);
    if (out->status == 0)
        out->status = module_validate(&m, FEATURES_ALL, &out->err);
    out->seconds = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    for (uint32_t i = m.imported_func_count; i < m.func_count; i++)
        out->code_bytes += m.funcs[i].body.len;
}

static void compile(const struct buf *bytes, unsigned cores, struct result *out)
{
    static const uint8_t key[32];
    const struct engine_options options = {.compiler = compiler, .cores = cores, .features = FEATURES_ALL};
    clockid_t clock = cores > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    struct buf artifact = {0};
    double begin = now(clock);

    out->status = engine_compile(bytes->data, bytes->len, key, &options, &artifact, &out->err);
    out->seconds = now(clock) - begin;
    out->module_bytes = bytes->len;
    out->artifact_bytes = artifact.len;
    out->hash = hash_of(&artifact);
}

static void measure_once(const char *path, enum what what, unsigned cores, struct result *out)
{
    int status, fd;
    struct buf bytes = {0};
    pid_t pid = fork();

    if (pid != 0) {
        waitpid(pid, &status, 0);
        if (status != 0 && out->status == 0)
            out->status = err_set(&out->err, EIO, "the process died: wait status %d", status);
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_to_end(fd, &bytes, SIZE_MAX) != 0)
        out->status = err_sys(&out->err, "cannot read it");
    else if (what == VALIDATE)
        validate(&bytes, out);
    else
        compile(&bytes, cores, out);
    _exit(0);
}

static struct result measure(const char *path, enum what what, unsigned cores, unsigned rounds, struct result *shared)
{
    struct result best = {.seconds = 1e9};

    for (unsigned i = 0; i < rounds; i++) {
        memset(shared, 0, sizeof *shared);
        measure_once(path, what, cores, shared);
        if (shared->status != 0)
            return *shared;
        if (shared->seconds < best.seconds)
            best = *shared;
    }
    return best;
}

static _Noreturn void become_worker(const char *worker, const char *path)
{
    const struct engine_options options = {.compiler = compiler, .features = FEATURES_ALL};
    char text[ENGINE_OPTIONS_TEXT_BYTES], key[65];
    int module = open(path, O_RDONLY), out = open("/dev/null", O_WRONLY);

    engine_options_print(&options, text);
    memset(key, '0', 64);
    key[64] = 0;
    /* first above the numbers that are wanted, which may be their own */
    module = fcntl(module, F_DUPFD, WORKER_REPORT_FD + 1);
    out = fcntl(out, F_DUPFD, WORKER_REPORT_FD + 1);
    if (dup2(module, WORKER_MODULE_FD) >= 0 && dup2(out, WORKER_OUT_FD) >= 0 && dup2(out, WORKER_REPORT_FD) >= 0)
        execl(worker, "compile", key, text, "4294967296,600", NULL);
    _exit(127);
}

/* Peak memory of the process that compiles modules for people; 0: it did not. This one has another libc, and a copy of the
 * module. */
static uint64_t worker_peak_kib(const char *worker, const char *path)
{
    struct rusage usage;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        become_worker(worker, path);
    return wait4(pid, &status, 0, &usage) == pid && status == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

static bool measure_module(const char *worker, const char *path, unsigned cores, unsigned rounds, struct result *shared)
{
    struct result check = measure(path, VALIDATE, 1, rounds, shared);
    struct result one = measure(path, COMPILE, 1, rounds, shared), all = measure(path, COMPILE, cores, rounds, shared);
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    double mb = (double)check.code_bytes * 1e-6, peak_bytes = (double)worker_peak_kib(worker, path) * 1024;

    if (check.status != 0 || one.status != 0 || all.status != 0) {
        printf("%-24s %s\n", name, check.status != 0 ? check.err.text : one.err.text);
        return true;
    }
    printf("%-24s %8.2f %10.0f %10.2f %12.2f %10.2f %9.0f %8.1f\n", name, mb, mb / check.seconds, mb / one.seconds,
           mb / all.seconds, (double)one.artifact_bytes * 1e-6 / mb, peak_bytes * 1e-6,
           peak_bytes / (double)one.module_bytes);
    if (one.hash != all.hash)
        printf("%-24s its artifact depends on the number of cores\n", name);
    if (peak_bytes == 0)
        printf("%-24s %s does not compile it\n", name, worker);
    return one.hash == all.hash && peak_bytes != 0;
}

int main(int argc, char **argv)
{
    unsigned rounds = 3, cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    struct result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *slash = strrchr(argv[0], '/');
    char worker[4096]; /* beside this program's folder */
    bool same = true;
    int at = 1;

    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "--rounds") == 0)
            rounds = (unsigned)atoi(argv[at + 1]);
        else if (strcmp(argv[at], "--cores") == 0)
            cores = (unsigned)atoi(argv[at + 1]);
        else if (strcmp(argv[at], "--compiler") == 0 && strcmp(argv[at + 1], "optimizing") == 0)
            compiler = ENGINE_OPTIMIZING;
    }
    snprintf(worker, sizeof worker, "%.*s/../libexec/wherry/compile", slash != NULL ? (int)(slash - argv[0]) : 1,
             slash != NULL ? argv[0] : ".");
    printf("%-24s %8s %10s %10s %6s(%u) %10s %9s %8s\n", "module", "code MB", "validate", "compile", "clock", cores,
           "artifact", "peak MB", "/ module");
    for (; at < argc; at++)
        same &= measure_module(worker, argv[at], cores, rounds, shared);
    return same ? 0 : 1;
}
