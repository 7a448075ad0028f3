/* Many starts at once, and deaths at every moment: one job a key, bounded slots, nothing left, nobody hangs. */
#include "cache_test.h"
#include "engine/cache/slot.h"
#include "engine/digest.h"
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

enum { STARTS = 64 };

/* A child that starts the module in FD, and ends with 0 when it was cached, 1 when it compiled, 2 after an error. */
static pid_t start_in_child(int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct err err;
        int artifact = -1;
        bool was_cached;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cache_open_artifact(fd, &options, &settings, &artifact, &was_cached, &err) != 0)
            _exit(2);
        _exit(!cache_holds(artifact) ? 3 : !was_cached);
    }
    assert_true(pid > 0);
    return pid;
}

static void expect_nothing_left(unsigned artifacts)
{
    assert_int_equal(count_files(""), artifacts);
    assert_int_equal(count_files(".lock"), 0);
    assert_int_equal(count_files(".new"), 0);
}

static void test_one_module(void **state)
{
    cleanup_fd int fd = big_module_fd(1 << 20, 1);
    pid_t pids[STARTS];
    int compiled = 0;

    for (int i = 0; i < STARTS; i++)
        pids[i] = start_in_child(fd);
    for (int i = 0; i < STARTS; i++) {
        int status = status_of(pids[i]);
        assert_true(status <= 1);
        compiled += status;
    }
    assert_int_equal(compiled, 1);
    expect_nothing_left(1);
}

/* The most slots that were seen taken until PID has ended, which has compiled. */
static unsigned busy_until_end(pid_t pid)
{
    struct cache_totals totals;
    unsigned most = 0;
    struct err err;
    siginfo_t ended = {0};

    while (ended.si_pid == 0) {
        assert_int_equal(cache_stat(&settings, &totals, &err), 0);
        most = totals.busy > most ? totals.busy : most;
        assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        usleep(1000);
    }
    assert_int_equal(status_of(pid), 1);
    return most;
}

/* How many slots are taken, looked at while they run; and every one of them gets its turn. */
static void test_many_modules(void **state)
{
    pid_t pids[STARTS];
    struct cache_totals totals;
    unsigned most = 0;
    struct err err;

    for (int i = 0; i < STARTS; i++) {
        cleanup_fd int fd = big_module_fd(1 << 15, (unsigned)i);
        pids[i] = start_in_child(fd);
    }
    for (int i = 0; i < STARTS; i++) {
        unsigned busy = busy_until_end(pids[i]);
        most = busy > most ? busy : most;
    }
    assert_true(most >= 1 && most <= slot_count());
    expect_nothing_left(STARTS);
    assert_int_equal(cache_stat(&settings, &totals, &err), 0);
    assert_int_equal(totals.busy, 0);
}

/* The slot's place in the queue is kept by nobody who has died. */
static void test_slots(void **state)
{
    struct cache_directory d;
    struct err err;
    int fds[64];
    unsigned count = slot_count(), number;
    pid_t pid;

    assert_int_equal(cache_directory_open(&settings, false, &d, &err), 0);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = slot_take(&d, NULL, &number);
        assert_true(fds[i] >= 0);
        assert_int_equal(number, i);
    }
    assert_int_equal(slot_busy(&d), count);
    pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < count; i++)
            close(fds[i]);
        slot_take(&d, NULL, &number); /* waits, and is killed meanwhile */
        _exit(0);
    }
    usleep(20000);
    kill(pid, SIGKILL);
    assert_int_equal(status_of(pid), 128 + SIGKILL);
    close(fds[0]);
    fds[0] = slot_take(&d, NULL, &number);
    assert_true(fds[0] >= 0);
    assert_int_equal(number, 0);
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    cache_directory_close(&d);
}

static void test_failure_is_everybodys(void **state)
{
    struct buf bytes = {0};
    pid_t pids[8];
    cleanup_fd int fd = -1;

    big_module(&bytes, 1 << 20, 1);
    bytes.data[bytes.len - 1] = 0x6a; /* no end */
    fd = module_fd(bytes.data, bytes.len);
    buf_done(&bytes);
    for (int i = 0; i < 8; i++)
        pids[i] = start_in_child(fd);
    for (int i = 0; i < 8; i++)
        assert_int_equal(status_of(pids[i]), 2);
    expect_nothing_left(0);
}

/* The launcher of a job dies, and its worker with it; one of those who wait does the work. */
static void test_launcher_killed(void **state)
{
    for (unsigned round = 0; round < 4; round++) {
        cleanup_fd int fd = big_module_fd(1 << 18, round);
        const struct timespec delay = {.tv_nsec = 1000000L * (round * 4)};
        pid_t first = start_in_child(fd), others[3];
        int compiled = 0;
        usleep(500);
        for (int i = 0; i < 3; i++)
            others[i] = start_in_child(fd);
        nanosleep(&delay, NULL);
        kill(first, SIGKILL);
        status_of(first);
        for (int i = 0; i < 3; i++) {
            int status = status_of(others[i]);
            assert_true(status <= 1);
            compiled += status;
        }
        assert_true(compiled <= 1);
        assert_int_equal(count_files(""), round + 1);
    }
    {
        struct cache_prune prune = {.limit_bytes = UINT64_MAX};
        struct err err;
        assert_int_equal(cache_prune(&settings, &prune, &err), 0);
    }
    expect_nothing_left(4);
}

/* The child of PID that is the compile worker; 0 if it has none. */
static pid_t worker_of(pid_t pid)
{
    char path[64], text[64] = "", name[32] = "";
    cleanup_fd int fd = -1, comm = -1;
    int child = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_full(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%d", &child) != 1)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/comm", child);
    comm = open(path, O_RDONLY | O_CLOEXEC);
    return comm >= 0 && fd_read_full(comm, name, sizeof name - 1) > 0 && strncmp(name, "compile", 7) == 0 ? child : 0;
}

/* Somebody kills the worker: its launcher says so, and the next in line does the work. */
static void test_worker_killed(void **state)
{
    cleanup_fd int fd = big_module_fd(6 << 20, 1);
    pid_t first = start_in_child(fd), second, worker;

    while ((worker = worker_of(first)) == 0)
        usleep(200);
    second = start_in_child(fd);
    kill(worker, SIGKILL);
    assert_int_equal(status_of(first), 2);
    assert_int_equal(status_of(second), 1);
    expect_nothing_left(1);
}

static void expect_error(int fd, int code, const char *text)
{
    struct err err = {0};
    int artifact;

    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, NULL, &err), -code);
    if (strstr(err.text, text) == NULL)
        fail_msg("%s", err.text);
    assert_null(strchr(err.text, '\n'));
    expect_nothing_left(0);
}

static void test_too_much_memory(void **state)
{
    cleanup_fd int fd = big_module_fd(20 << 20, 1);

    settings.worker_memory_bytes = 40 << 20;
    expect_error(fd, ENOMEM, "takes more than the 40 MiB of memory");
    settings.disabled = true; /* and without a cache the same */
    expect_error(fd, ENOMEM, "takes more than the 40 MiB of memory");
}

static void test_too_much_time(void **state)
{
    cleanup_fd int fd = big_module_fd(120 << 20, 1);

    settings.worker_cpu_seconds = 1;
    expect_error(fd, ETIME, "takes more than the 1 s of CPU time");
}

static enum cache_phase phases[4096];
static unsigned phase_count;
static uint64_t most_done, last_total;

static void note_phase(void *context, enum cache_phase phase, uint64_t done, uint64_t total)
{
    if (phase_count < sizeof phases / sizeof phases[0])
        phases[phase_count++] = phase;
    most_done = done > most_done ? done : most_done;
    last_total = total != 0 ? total : last_total;
}

/* Who waits for another process's job hears how far that is. */
static void test_progress(void **state)
{
    cleanup_fd int fd = big_module_fd(16 << 20, 1), artifact = -1;
    pid_t first = start_in_child(fd);
    struct err err;
    bool was_cached;

    while (worker_of(first) == 0)
        usleep(200);
    settings.progress = note_phase;
    phase_count = 0;
    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, &was_cached, &err), 0);
    assert_int_equal(status_of(first), 1);
    assert_true(was_cached);
    assert_true(phase_count > 0);
    for (unsigned i = 0; i < phase_count; i++)
        assert_int_equal(phases[i], CACHE_WAITING);
    assert_true(most_done > 0 && most_done <= last_total);
}

static void test_own_progress(void **state)
{
    cleanup_fd int fd = big_module_fd(4 << 20, 1), artifact = -1;
    struct err err;

    settings.progress = note_phase;
    phase_count = 0;
    most_done = 0;
    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, NULL, &err), 0);
    assert_true(phase_count > 10);
    assert_int_equal(phases[phase_count - 1], CACHE_COMPILING);
    assert_true(most_done > last_total / 2 && most_done <= last_total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_one_module),      cache_test(test_many_modules),
        cache_test(test_slots),           cache_test(test_failure_is_everybodys),
        cache_test(test_launcher_killed), cache_test(test_worker_killed),
        cache_test(test_too_much_memory), cache_test(test_too_much_time),
        cache_test(test_progress),        cache_test(test_own_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
