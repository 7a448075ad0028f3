/* A running instance moves to better code through the live file: what it computes, catches, traps by and says of it stays
 * the same, the file cannot be written through what a container has of it, and a writer may be killed at any moment. */
#include "cache_test.h"
#include "engine/cache/live.h"
#include "engine/gen/live_file.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "exception_module.h"
#include <signal.h>
#include <sys/resource.h>

struct running {
    struct store *store;
    struct code *code;
    struct instance *instance;
    uint32_t to_call; /* by the host function */
};

static enum trap_kind host_call(struct host_call *call)
{
    struct running *r = call->context;
    return call_func(r->store, r->to_call, call->values);
}

static const struct host_function_def defs[] = {{"call", ":", host_call}};
static const struct host_module host = {"host", defs, 1};

static uint32_t exported(const struct running *r, const char *name)
{
    struct external e;
    assert_true(instance_export(r->instance, name_of(name), &e));
    return e.func;
}

static int hold_lock(void)
{
    char path[320];
    struct flock lock = {.l_type = F_WRLCK};
    int fd;

    snprintf(path, sizeof path, "%s/optimize", directory);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fcntl(fd, F_OFD_SETLKW, &lock), 0);
    return fd;
}

/* As a first start does it, but that nobody optimizes yet. */
static void start(struct running *r)
{
    cleanup_fd int module = module_fd(exception_module, sizeof exception_module), lock = hold_lock();
    cleanup_fd int artifact = -1, live = -1;
    const struct artifact_identity any = {0};
    struct linker linker = {0};
    struct external imports[1];
    struct err err = {0};

    settings.optimizes = true;
    if (cache_open_live(module, &options, &settings, &artifact, &live, NULL, &err) != 0 ||
        code_map_with_live(artifact, live, &any, &r->code, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_new(&r->store, 0, &err), 0);
    linker.store = r->store;
    vec_push(&linker.sources, ((struct link_source){.module = name_of("host"), .host = &host, .context = r}));
    assert_int_equal(link_imports(&linker, r->code, imports, &err), 0);
    assert_int_equal(instance_new(r->store, r->code, artifact, imports, &r->instance, &err), 0);
    vec_done(&linker.sources);
    r->to_call = exported(r, "throw");
}

static void stop(struct running *r)
{
    store_free(r->store);
    code_unmap(r->code);
}

static enum trap_kind call(struct running *r, const char *name, uint32_t *result)
{
    union vm_value values[1] = {{0}};
    enum trap_kind trap = call_func(r->store, exported(r, name), values);

    *result = values[0].i32;
    return trap;
}

static bool is_live(const struct running *r, const void *pc)
{
    const uint8_t *code = (const uint8_t *)r->code->live + r->code->live_layout.code;
    return (const uint8_t *)pc >= code && (const uint8_t *)pc < code + r->code->live_layout.code_bytes;
}

/* What every form of the code must do. */
static void expect_right(struct running *r, bool better)
{
    struct buf text = {0};
    uint32_t result;

    store_attach(r->store); /* there are others on this thread */
    assert_int_equal(call(r, "catch", &result), TRAP_NONE);
    assert_int_equal(result, 7);
    assert_int_equal(call(r, "legacy", &result), TRAP_NONE);
    assert_int_equal(result, 107);
    assert_int_equal(call(r, "all", &result), TRAP_NONE);
    assert_int_equal(result, 2);
    assert_int_equal(call(r, "trap", &result), TRAP_UNREACHABLE);
    assert_int_equal(r->store->frame_count, 1);
    assert_int_equal(is_live(r, r->store->frames[0].pc), better);
    backtrace_print(r->store, &text);
    assert_string_equal(buf_cstr(&text), "   0: function 6 (at 0xbc)\n");
    buf_done(&text);
    assert_int_equal(call(r, "throw", &result), TRAP_UNCAUGHT_EXCEPTION);
    assert_int_equal(r->store->frame_count, 1);
    assert_int_equal(is_live(r, r->store->frames[0].pc), better);
}

static unsigned optimize(void)
{
    unsigned made = 0;
    struct err err;

    if (cache_optimize(&settings, &made, &err) != 0)
        fail_msg("%s", err.text);
    return made;
}

static void test_moves(void **state)
{
    struct running r = {0}, other = {0};

    start(&r);
    start(&other);
    assert_non_null(r.code->live);
    assert_int_equal(count_files(".live"), 1);
    expect_right(&r, false);
    assert_int_equal(optimize(), 1);
    expect_right(&r, true);
    expect_right(&other, true);
    assert_int_equal(count_files(".live"), 0);
    assert_int_equal(count_files(""), 2);
    stop(&r);
    start(&r); /* the next one has optimized code from the beginning, and nothing to move to */
    assert_null(r.code->live);
    assert_int_equal(r.code->artifact.header->compiler, ENGINE_OPTIMIZING);
    stop(&r);
    stop(&other);
}

/* No page of it is writable, or can be made so. */
static void test_cannot_be_written(void **state)
{
    struct running r = {0};
    uint8_t *live, *slots;

    start(&r);
    live = (uint8_t *)r.code->live;
    slots = (uint8_t *)r.code->mapping + r.code->artifact.header->sections[ARTIFACT_slots].offset;
    for (uint64_t at = 0; at < r.code->live_layout.file_bytes; at += 1 << 20) {
        assert_int_equal(mprotect(live + (at & ~UINT64_C(4095)), 4096, PROT_READ | PROT_WRITE), -1);
        assert_int_equal(errno, EACCES);
    }
    assert_int_equal(mprotect(slots, 4096, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(mprotect(live + r.code->live_layout.code, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), -1);
    expect_right(&r, false);
    stop(&r);
}

/* The writer is killed at many moments: what runs stays right, whichever code it has. */
static void test_writer_killed(void **state)
{
    for (unsigned delay_us = 0; delay_us < 30000; delay_us += 3000) {
        struct running r = {0};
        uint32_t result;
        pid_t pid;
        start(&r);
        pid = r.code->live == NULL ? 0 : fork();
        if (pid == 0) {
            if (r.code->live == NULL) { /* the one before was done */
                stop(&r);
                return;
            }
            optimize();
            _exit(0);
        }
        usleep(delay_us);
        kill(pid, SIGKILL);
        status_of(pid);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(call(&r, "catch", &result), TRAP_NONE);
            assert_int_equal(result, 7);
            assert_int_equal(call(&r, "trap", &result), TRAP_UNREACHABLE);
        }
        stop(&r);
    }
}

/* A live file that is not what it should be is made anew, or done without. */
static void test_damaged(void **state)
{
    struct running r = {0};
    char artifact[400], path[512];
    struct live_header header = {.magic = "wherryLV", .is_published = 1};
    cleanup_fd int fd = -1;

    start(&r);
    stop(&r);
    find_entry(artifact, sizeof artifact, NULL);
    snprintf(path, sizeof path, "%s.live", artifact);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header); /* of no artifact of ours */
    start(&r);
    assert_non_null(r.code->live);
    assert_int_equal(((const struct live_header *)r.code->live)->artifact_digest, r.code->artifact.header->body_digest);
    expect_right(&r, false);
    stop(&r);
    assert_int_equal(chmod(path, 0666), 0); /* somebody else could write it */
    start(&r);
    assert_non_null(r.code->live);
    assert_int_equal(optimize(), 1);
    expect_right(&r, true);
    stop(&r);
}

/* In a process that may have MORE_BYTES of address space more than it has. */
static bool has_live_within(rlim_t more_bytes)
{
    cleanup_fd int module = module_fd(exception_module, sizeof exception_module), lock = hold_lock();
    cleanup_fd int artifact = -1, live = -1;
    const struct artifact_identity any = {0};
    unsigned long pages = 0;
    struct err err = {0};
    struct code *code;
    pid_t pid;

    settings.optimizes = true;
    assert_int_equal(cache_open_live(module, &options, &settings, &artifact, &live, NULL, &err), 0);
    pid = fork();
    if (pid == 0) {
        FILE *statm = fopen("/proc/self/statm", "r");
        struct rlimit now = {.rlim_max = RLIM_INFINITY};
        if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
            _exit(2);
        now.rlim_cur = pages * 4096 + more_bytes;
        if (setrlimit(RLIMIT_AS, &now) != 0 || code_map_with_live(artifact, live, &any, &code, &err) != 0)
            _exit(3);
        _exit(code->live != NULL);
    }
    switch (status_of(pid)) {
    case 0: return false;
    case 1: return true;
    default: fail_msg("it does not run");
    }
    return false;
}

/* Where there is no room for it the artifact runs without. */
static void test_no_room(void **state)
{
    assert_false(has_live_within(1 << 20));
    assert_true(has_live_within(16 << 20));
}

static void test_none(void **state)
{
    cleanup_fd int module = module_fd(exception_module, sizeof exception_module), artifact = -1;
    const struct artifact_identity any = {0};
    struct err err = {0};
    struct code *code;

    assert_int_equal(cache_open_artifact(module, &options, &settings, &artifact, NULL, &err), 0);
    for (int live = -1; live <= artifact; live = live < 0 ? artifact : artifact + 1) {
        assert_int_equal(code_map_with_live(artifact, live, &any, &code, &err), 0);
        assert_null(code->live);
        code_unmap(code);
    }
}

/* Tables that a damaged header places outside of the file are no tables. */
static void test_tables_outside(void **state)
{
    struct artifact_header artifact = {0};
    struct live_layout layout;
    struct code_tables tables;
    struct live_header *file;

    artifact.sections[ARTIFACT_slots].size_bytes = 4096;
    assert_true(live_layout(&artifact, &layout));
    file = calloc(1, layout.file_bytes);
    assert_false(live_tables(file, &layout, &tables));
    file->is_published = 1;
    assert_true(live_tables(file, &layout, &tables));
    file->published.code_count = layout.code_bytes + 1;
    assert_false(live_tables(file, &layout, &tables));
    file->published.code_count = 16;
    file->published.sites = layout.code - 8;
    file->published.sites_count = 3;
    assert_false(live_tables(file, &layout, &tables));
    file->published.sites_count = UINT64_MAX / 2;
    assert_false(live_tables(file, &layout, &tables));
    file->published.sites = layout.tables;
    file->published.sites_count = 1;
    assert_true(live_tables(file, &layout, &tables));
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_moves),
        cache_test(test_cannot_be_written),
        cache_test(test_writer_killed),
        cache_test(test_damaged),
        cache_test(test_no_room),
        cache_test(test_none),
        cmocka_unit_test(test_tables_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
