/* The second tier: asked for by a start, made by one process, used by the next start, and killed at any moment harmless. */
#include "cache_test.h"
#include "engine/cache/tier.h"
#include "engine/gen/artifact.h"
#include <signal.h>
#include <sys/prctl.h>

static uint32_t compiler_of(int artifact)
{
    union artifact_page page;
    assert_int_equal(pread(artifact, &page, sizeof page, 0), sizeof page);
    return page.header.compiler;
}

static uint32_t start_with(int fd, const struct engine_options *wanted)
{
    cleanup_fd int artifact = -1;
    struct err err;

    if (cache_open_artifact(fd, wanted, &settings, &artifact, NULL, &err) != 0)
        fail_msg("%s", err.text);
    return compiler_of(artifact);
}

static uint32_t start(int fd)
{
    return start_with(fd, &options);
}

/* The lock of who optimizes, taken: so that starts make no process, and the test decides when one runs. */
static int hold_lock(void)
{
    char path[320];
    struct flock lock = {.l_type = F_WRLCK};
    int fd;

    snprintf(path, sizeof path, "%s/optimize", directory);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLKW, &lock), 0); /* a killed one has it until its worker has been executed */
    return fd;
}

/* A start that asks and makes no process. */
static void ask(int fd)
{
    cleanup_fd int lock = hold_lock();

    settings.optimizes = true;
    assert_int_equal(start(fd), ENGINE_BASELINE);
    assert_int_equal(count_files(".want"), 1);
}

static unsigned optimize(void)
{
    unsigned made = 0;
    struct err err;

    if (cache_optimize(&settings, &made, &err) != 0)
        fail_msg("%s", err.text);
    return made;
}

static void expect_no_leftovers(void)
{
    assert_int_equal(count_files(".want"), 0);
    assert_int_equal(count_files(".lock"), 0);
    assert_int_equal(count_files(".new"), 0);
}

/* The process that a start makes does it all; the test is not its parent. */
static void test_afterwards(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 14, 1);

    settings.optimizes = true;
    assert_int_equal(start(fd), ENGINE_BASELINE);
    for (int i = 0; i < 3000 && (count_files("") != 2 || count_files(".want") != 0); i++)
        usleep(20000);
    assert_int_equal(start(fd), ENGINE_OPTIMIZING);
    expect_no_leftovers();
}

static void test_who_asks(void **state)
{
    const struct engine_options baseline = {.compiler = ENGINE_BASELINE}, optimizing = {.compiler = ENGINE_OPTIMIZING};
    cleanup_fd int fd = big_module_fd(1 << 12, 1), lock = hold_lock();

    assert_int_equal(start(fd), ENGINE_BASELINE);
    settings.optimizes = true;
    assert_int_equal(start_with(fd, &baseline), ENGINE_BASELINE);
    assert_int_equal(count_files(".want"), 0);
    assert_int_equal(start(fd), ENGINE_BASELINE); /* also where baseline code was there already */
    assert_int_equal(count_files(".want"), 1);
    assert_int_equal(start_with(fd, &optimizing), ENGINE_OPTIMIZING);
    assert_int_equal(start(fd), ENGINE_OPTIMIZING);
    assert_int_equal(start_with(fd, &baseline), ENGINE_BASELINE);
    close(lock);
    lock = -1;
    assert_int_equal(optimize(), 0); /* somebody else has made it */
    expect_no_leftovers();
}

/* What was killed is gone on with by the next; until then starts run baseline code. */
static void test_killed(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 17, 1);

    ask(fd);
    for (unsigned delay_ms = 0; delay_ms < 80; delay_ms += 10) {
        pid_t pid = fork();
        if (pid == 0) {
            optimize();
            _exit(0);
        }
        usleep(delay_ms * 1000);
        kill(pid, SIGKILL);
        status_of(pid);
        if (count_files("") == 2)
            break;
        ask(fd);
    }
    if (count_files(".want") != 0)
        assert_true(optimize() <= 1);
    assert_int_equal(start(fd), ENGINE_OPTIMIZING);
    expect_no_leftovers();
}

/* A module that was being left when its start was killed. */
static void test_halves(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 12, 1), half = -1;
    struct cache_prune prune = {.limit_bytes = UINT64_MAX};
    char artifact[400], path[512];
    struct err err;

    ask(fd);
    find_entry(artifact, sizeof artifact, NULL);
    snprintf(path, sizeof path, "%s.want.4711", artifact);
    half = open(path, O_WRONLY | O_CREAT, 0400);
    assert_true(half >= 0);
    assert_int_equal(cache_prune(&settings, &prune, &err), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(optimize(), 1);
    expect_no_leftovers();
}

static void test_one_job(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 16, 1);
    pid_t pids[8];
    int made = 0;

    ask(fd);
    for (int i = 0; i < 8; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit((int)optimize());
        }
    }
    for (int i = 0; i < 8; i++)
        made += status_of(pids[i]);
    assert_int_equal(made, 1);
    assert_int_equal(start(fd), ENGINE_OPTIMIZING);
    expect_no_leftovers();
}

/* A module that takes more than it may is asked for once a boot. */
static void test_refused(void **state)
{
    cleanup_fd int fd = big_module_fd(4 << 20, 1), lock = -1;

    ask(fd);
    settings.worker_memory_bytes = 16 << 20;
    assert_int_equal(optimize(), 0);
    expect_no_leftovers();
    settings.worker_memory_bytes = 0;
    lock = hold_lock();
    assert_int_equal(start(fd), ENGINE_BASELINE);
    assert_int_equal(count_files(".want"), 0);
    forget_facts("tier");
    assert_int_equal(start(fd), ENGINE_BASELINE);
    assert_int_equal(count_files(".want"), 1);
}

/* What waits is not the module that the artifact was made from: nothing is made of it, and the next start asks again. */
static void test_foreign_module(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 12, 1), other = -1;
    char artifact[400], path[512];

    ask(fd);
    find_entry(artifact, sizeof artifact, NULL);
    snprintf(path, sizeof path, "%s.want", artifact);
    assert_int_equal(chmod(path, 0600), 0);
    other = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(fd_write_all(other, module_a, sizeof module_a), 0);
    assert_int_equal(optimize(), 0);
    expect_no_leftovers();
    assert_int_equal(count_files(""), 1);
    ask(fd);
    assert_int_equal(optimize(), 1);
}

static void test_evicted(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 12, 1);
    struct cache_prune prune = {.limit_bytes = UINT64_MAX, .all = true};
    struct cache_totals totals;
    struct err err;

    ask(fd);
    assert_int_equal(cache_stat(&settings, &totals, &err), 0);
    assert_int_equal(totals.wanted, 1);
    assert_false(totals.optimizing);
    assert_int_equal(cache_prune(&settings, &prune, &err), 0);
    expect_no_leftovers();
    ask(fd);
    {
        char path[400];
        find_entry(path, sizeof path, NULL);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(optimize(), 0);
    expect_no_leftovers();
    assert_int_equal(count_files(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_afterwards), cache_test(test_who_asks),       cache_test(test_killed),
        cache_test(test_halves),     cache_test(test_one_job),        cache_test(test_refused),
        cache_test(test_evicted),    cache_test(test_foreign_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
