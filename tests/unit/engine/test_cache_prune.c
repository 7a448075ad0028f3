/* Eviction: what goes, what stays, and which clocks do harm. */
#include "cache_test.h"
#include "engine/cache/prune.h"
#include <time.h>

enum { MODULES = 6 };

/* (module (func (export "_start"))) with NUMBER nops. */
static size_t make_module(uint8_t *out, unsigned number)
{
    size_t len = sizeof module_a - 5;

    memcpy(out, module_a, len);
    out[len++] = (uint8_t)(4 + number); /* size of the code section */
    out[len++] = 1;
    out[len++] = (uint8_t)(2 + number);
    out[len++] = 0;
    memset(out + len, 1, number);
    len += number;
    out[len++] = 0x0b;
    return len;
}

static bool number_is_cached(unsigned number)
{
    uint8_t bytes[128];
    return is_cached(bytes, make_module(bytes, number));
}

static char paths[MODULES][400];

/* One of each, used at NOW + age[i] seconds. */
static void fill(const int64_t age[MODULES])
{
    struct buf names = {0};

    for (unsigned i = 0; i < MODULES; i++) {
        struct timespec times[2] = {{time(NULL) + age[i], 0}, {0, UTIME_OMIT}};
        uint8_t bytes[128];
        assert_false(is_cached(bytes, make_module(bytes, i)));
        find_entry(paths[i], sizeof paths[i], buf_cstr(&names));
        buf_put_str(&names, paths[i]);
        assert_int_equal(utimensat(AT_FDCWD, paths[i], times, 0), 0);
    }
    buf_done(&names);
}

static bool is_there(unsigned i)
{
    return access(paths[i], F_OK) == 0;
}

static uint64_t size_of(unsigned count)
{
    struct cache_totals totals;
    struct err err;

    assert_int_equal(cache_stat(&settings, &totals, &err), 0);
    return totals.size_bytes / totals.count * count;
}

static unsigned prune_to_count(unsigned count)
{
    struct cache_prune prune = {.limit_bytes = size_of(count)};
    struct err err;

    assert_int_equal(cache_prune(&settings, &prune, &err), 0);
    return prune.removed;
}

static void test_least_recently_used(void **state)
{
    const int64_t age[MODULES] = {-10000, -60000, -20000, -50000, -30000, -40000};

    fill(age);
    assert_int_equal(prune_to_count(6), 0);
    assert_int_equal(prune_to_count(4), 2);
    assert_true(is_there(0) && is_there(2) && is_there(4) && is_there(5));
    assert_false(is_there(1) || is_there(3));
}

/* A start renews the mark of what it uses: once an hour, and then writes nothing. */
static void test_marks(void **state)
{
    const int64_t age[MODULES] = {-10000, -60000, -20000, -50000, -30000, -600};
    struct stat before, after;

    fill(age);
    assert_int_equal(stat(paths[5], &before), 0);
    assert_true(number_is_cached(5));
    assert_int_equal(stat(paths[5], &after), 0);
    assert_int_equal(before.st_atim.tv_sec, after.st_atim.tv_sec);
    assert_int_equal(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
    assert_true(number_is_cached(1));
    assert_int_equal(stat(paths[1], &after), 0);
    assert_true(after.st_atim.tv_sec >= before.st_atim.tv_sec);
    assert_int_equal(prune_to_count(2), 4);
    assert_true(is_there(1) && is_there(5));
}

/* A clock that was years ahead and was set right: what was marked then goes first, unless it is used again. */
static void test_clock_set_back(void **state)
{
    const int64_t year = 365 * 86400;
    const int64_t age[MODULES] = {year, -60000, 2 * year, -50000, year + 10, -40000};

    fill(age);
    assert_true(number_is_cached(2));
    assert_int_equal(prune_to_count(4), 2);
    assert_false(is_there(0) || is_there(4));
    assert_true(is_there(2));
}

static void test_added_one_stays(void **state)
{
    const int64_t age[MODULES] = {0, 0, 0, 0, 0, 0};
    struct cache_totals totals;
    struct err err;

    fill(age);
    prune_to_count(3);
    for (unsigned i = 10; i < 16; i++) {
        assert_false(number_is_cached(i));
        assert_true(number_is_cached(i));
        assert_int_equal(cache_stat(&settings, &totals, &err), 0);
        assert_true(totals.size_bytes <= totals.limit_bytes);
        assert_true(totals.limit_is_set);
    }
    prune_to_count(0); /* even where nothing fits */
    assert_false(number_is_cached(20));
    assert_int_equal(count_files(""), 1);
}

/* Who has it open keeps it: a running container. */
static void test_open_ones_live_on(void **state)
{
    int fd = open_artifact(module_a, sizeof module_a, NULL);
    struct cache_prune all = {.limit_bytes = UINT64_MAX, .all = true};
    struct err err;
    char byte;

    assert_int_equal(cache_prune(&settings, &all, &err), 0);
    assert_int_equal(all.removed, 1);
    assert_int_equal(engine_artifact_check(fd, NULL, &options, &err), 0);
    assert_int_equal(pread(fd, &byte, 1, 4096), 1);
    close(fd);
    assert_false(is_cached(module_a, sizeof module_a));
}

/* Artifacts of another build go by the same rule and are never run; downgrading finds its own again. */
static void test_other_build(void **state)
{
    struct cache_totals totals;
    struct err err;
    char foreign[400];
    cleanup_fd int fd = -1;

    assert_false(is_cached(module_a, sizeof module_a));
    snprintf(foreign, sizeof foreign, "%s/%064d", directory, 7);
    fd = open(foreign, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
    assert_int_equal(fd_write_all(fd, "wherryAR\1\0\0\0\1\0\0\0another build", 29), 0);
    assert_int_equal(ftruncate(fd, 40960), 0);
    assert_int_equal(cache_stat(&settings, &totals, &err), 0);
    assert_int_equal(totals.count, 2);
    assert_int_equal(totals.other_build, 1);
    assert_true(is_cached(module_a, sizeof module_a));
}

static void put_file(const char *name)
{
    char path[800];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void test_leftovers(void **state)
{
    struct cache_prune prune = {.limit_bytes = UINT64_MAX};
    char name[400];
    struct err err;

    assert_false(is_cached(module_a, sizeof module_a));
    snprintf(name, sizeof name, "%064d.lock", 3);
    put_file(name);
    snprintf(name, sizeof name, "%064d.new", 3);
    put_file(name);
    put_file("body/123.4567");
    assert_int_equal(cache_prune(&settings, &prune, &err), 0);
    assert_int_equal(count_files(".lock"), 0);
    assert_int_equal(count_files(".new"), 0);
    assert_int_equal(count_files(""), 1);
    snprintf(name, sizeof name, "%s/body/123.4567", directory);
    assert_int_equal(access(name, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_least_recently_used), cache_test(test_marks),
        cache_test(test_clock_set_back),      cache_test(test_added_one_stays),
        cache_test(test_open_ones_live_on),   cache_test(test_other_build),
        cache_test(test_leftovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
