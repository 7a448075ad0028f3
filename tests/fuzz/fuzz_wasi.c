/* Fuzzes preview 1's functions: calls with any arguments over a memory of any content, in a small tree that cannot be written
 * and an empty one that can. A call is a function's number, then two bytes an argument: mostly small numbers, so that they
 * point into the memory. Left out are calls that end the process; waiting takes no time. */
#include <poll.h>
#include <time.h>
#define ppoll(fds, count, timeout, mask)           ((void)(timeout), fuzz_ppoll(fds, count))
#define clock_nanosleep(clock, flags, until, rest) ((void)(until), 0)
#define clock_gettime(clock, time)                 fuzz_time(clock, time)
static int fuzz_ppoll(void *fds, unsigned long count);
static int fuzz_time(clockid_t clock, struct timespec *time);
#include "engine/wasi/p1_poll.c"
#include "tests/fuzz/fuzz.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_BYTES = 4096, CALLS_MAX = 24, ARGUMENT_BYTES = 2 };

static uint8_t *memory;

uint8_t *instance_memory(struct instance *instance, uint64_t *size_bytes)
{
    *size_bytes = MEMORY_BYTES;
    return memory;
}

/* After a wait, all that was waited for is past. */
static bool has_waited;

static int fuzz_ppoll(void *fds, unsigned long count)
{
    has_waited = true;
    for (unsigned long i = 0; i < count; i++)
        ((struct pollfd *)fds)[i].revents = POLLIN | POLLOUT;
    return (int)count;
}

static int fuzz_time(clockid_t clock, struct timespec *time)
{
    *time = has_waited ? (struct timespec){UINT64_MAX / 1000000000, UINT64_MAX % 1000000000} : (struct timespec){1, 0};
    return 0;
}

static bool is_left_out(const char *name)
{
    return strcmp(name, "proc_exit") == 0 || strcmp(name, "proc_raise") == 0;
}

static int make_tree(void)
{
    char path[] = "/tmp/wherry-fuzz-XXXXXX";
    int fd;

    if (mkdtemp(path) == NULL || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        abort();
    rmdir(path); /* an empty one: nothing can be made in it any more */
    return fd;
}

/* Some of the machine's own tree, which has files, directories and links. */
static struct grant *make_grant(void)
{
    static const char *const words[] = {"program", "argument"}, *const environment[] = {"NAME=value"};
    static struct grant_path paths[] = {{GRANT_DIRECTORY, "/", NULL, -1, false},
                                        {GRANT_DIRECTORY, "/a/b", NULL, -1, true},
                                        {GRANT_DEVICES, "/dev", NULL, -1, false}};
    static struct grant grant = {.args = words,
                                 .environment = environment,
                                 .paths = paths,
                                 .arg_count = 2,
                                 .environment_count = 1,
                                 .path_count = 3};

    if (paths[0].fd < 0) {
        paths[0].fd = open("/usr/include/asm-generic", O_PATH | O_DIRECTORY | O_CLOEXEC);
        paths[1].fd = make_tree();
        if (paths[0].fd < 0 || paths[1].fd < 0)
            abort();
    }
    return &grant;
}

static size_t call_one(struct wasi_context *context, const uint8_t *data, size_t size)
{
    const struct host_module *module = (data[0] & 0x80) != 0 ? &wasi_unstable_module : &wasi_p1_module;
    const struct host_function_def *def = &module->defs[(data[0] & 0x7f) % module->def_count];
    union vm_value values[16] = {0};
    struct host_call call = {.context = context, .values = values};
    size_t at = 1;

    for (unsigned i = 0; def->signature[i] != ':'; i++, at += ARGUMENT_BYTES) {
        uint16_t word = 0;
        if (at + ARGUMENT_BYTES <= size)
            memcpy(&word, data + at, sizeof word);
        /* the last eighth of the numbers are negative ones */
        values[i].i64 = word >= 0xe000 ? (uint64_t)(int64_t)(int16_t)word : word;
        if (def->signature[i] == 'i')
            values[i].i64 = (uint32_t)values[i].i64;
    }
    has_waited = false;
    if (!is_left_out(def->name))
        assert(def->function(&call) == TRAP_NONE);
    return at < size ? at : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wasi_context *context;
    struct err e;

    if (size < 2)
        return 0;
    memory = malloc(MEMORY_BYTES); /* of its own, so that ASan sees its ends */
    if (memory == NULL)
        abort();
    for (size_t i = 0; i < MEMORY_BYTES; i++)
        memory[i] = data[i % size];
    if (wasi_context_new(make_grant(), &context, &e) != 0)
        abort();
    for (uint32_t number = 0; number < 3; number++)
        context->fds[number].kind = WASI_FD_FREE; /* the fuzzer's own */
    for (unsigned calls = 0; size != 0 && calls < CALLS_MAX; calls++) {
        size_t used = call_one(context, data, size);
        data += used;
        size -= used;
    }
    wasi_context_free(context);
    free(memory);
    return 0;
}
