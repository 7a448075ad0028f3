/* The code cache and the compile worker behind it: what is kept, what is made anew, what is refused. */
#include "cache_test.h"

static void test_hit_and_miss(void **state)
{
    assert_false(is_cached(module_a, sizeof module_a));
    assert_true(is_cached(module_a, sizeof module_a));
    assert_false(is_cached(module_b, sizeof module_b));
    assert_true(is_cached(module_a, sizeof module_a));
}

static void test_writable_directory_is_not_used(void **state)
{
    bool was_cached;
    int fd;

    assert_int_equal(chmod(directory, 0777), 0);
    fd = open_artifact(module_a, sizeof module_a, &was_cached);
    assert_false(was_cached);
    assert_true(!cache_holds(fd));
    close(fd);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_false(is_cached(module_a, sizeof module_a));
}

static void test_one_compiles(void **state)
{
    enum { PROCESSES = 8 };
    int compiled = 0, status;

    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0)
            _exit(is_cached(module_a, sizeof module_a) ? 0 : 1);
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        compiled += WEXITSTATUS(status);
    }
    assert_int_equal(compiled, 1);
}

static void test_invalid_module(void **state)
{
    uint8_t bytes[sizeof module_a];
    cleanup_fd int fd = -1;
    struct err err = {0};
    int artifact;

    memcpy(bytes, module_a, sizeof bytes);
    bytes[sizeof bytes - 1] = 0x6a; /* i32.add where the end should be */
    fd = module_fd(bytes, sizeof bytes);
    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "offset"));
    assert_int_equal(count_files(""), 0);
    assert_int_equal(count_files(".lock"), 0);
    assert_int_equal(count_files(".new"), 0);
}

/* A guest that is root could reopen a descriptor for writing through /proc/self/fd: not on a mount that is read-only
 * for ever. */
static void test_cannot_be_reopened_for_writing(void **state)
{
    char path[64];
    int fd;

    if (geteuid() != 0)
        skip();
    for (int round = 0; round < 2; round++) {
        fd = open_artifact(module_a, sizeof module_a, NULL);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        assert_int_equal(open(path, O_RDWR), -1);
        assert_int_equal(errno, EROFS);
        assert_int_equal(fchmod(fd, 0777), -1);
        assert_int_equal(errno, EROFS);
        close(fd);
    }
}

static void test_worker_missing(void **state)
{
    struct cache_settings without = {.directory = directory, .libexec = "/nonexistent"};
    cleanup_fd int fd = module_fd(module_a, sizeof module_a);
    struct err err = {0};
    int artifact;

    assert_int_equal(cache_open_artifact(fd, &options, &without, &artifact, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "helper program compile"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_hit_and_miss),
        cache_test(test_writable_directory_is_not_used),
        cache_test(test_one_compiles),
        cache_test(test_invalid_module),
        cache_test(test_cannot_be_reopened_for_writing),
        cache_test(test_worker_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
