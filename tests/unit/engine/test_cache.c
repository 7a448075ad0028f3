/* The code cache and the compile worker behind it: what is kept, what is made anew, what is refused. */
#include "base/fd.h"
#include "wherry/cache.h"
#include "wherry/worker.h"
#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

/* (module (func (export "_start"))), and the same with one nop more. */
static const uint8_t module_a[] = {0, 'a', 's', 'm', 1,   0,   0,   0,   1,   4,   1, 0x60, 0,  0, 3, 2, 1, 0,
                                   7, 10,  1,   6,   '_', 's', 't', 'a', 'r', 't', 0, 0,    10, 4, 1, 2, 0, 0x0b};
static const uint8_t module_b[] = {0,  'a', 's', 'm', 1,   0,   0,   0,   1,   4, 1, 0x60, 0, 0, 3, 2, 1, 0,   7,
                                   10, 1,   6,   '_', 's', 't', 'a', 'r', 't', 0, 0, 10,   5, 1, 3, 0, 1, 0x0b};

static char directory[64], libexec[4096];
static struct cache_settings settings = {.directory = directory, .libexec = libexec};
static const struct engine_options options;

static int module_fd(const void *bytes, size_t len)
{
    int fd = memfd_create("module", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes, len), 0);
    return fd;
}

static int open_artifact(const void *bytes, size_t len, bool *was_cached)
{
    cleanup_fd int fd = module_fd(bytes, len);
    struct err err = {0};
    int artifact = -1;

    if (cache_open_artifact(fd, &options, &settings, &artifact, was_cached, &err) != 0)
        fail_msg("%s", err.text);
    return artifact;
}

static bool is_cached(const void *bytes, size_t len)
{
    bool was_cached;
    close(open_artifact(bytes, len, &was_cached));
    return was_cached;
}

/* The only file in the directory that is not a lock. */
static void find_entry(char *path, size_t path_bytes)
{
    DIR *d = opendir(directory);
    struct dirent *e;
    int count = 0;

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || strstr(e->d_name, ".lock") != NULL)
            continue;
        snprintf(path, path_bytes, "%s/%s", directory, e->d_name);
        count++;
    }
    closedir(d);
    assert_int_equal(count, 1);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

static int set_up(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/wherry-cache-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int tear_down(void **state)
{
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_hit_and_miss(void **state)
{
    assert_false(is_cached(module_a, sizeof module_a));
    assert_true(is_cached(module_a, sizeof module_a));
    assert_false(is_cached(module_b, sizeof module_b));
    assert_true(is_cached(module_a, sizeof module_a));
}

/* Each change of the file on disk means: made anew, then right again. */
static void test_damaged_entry(void **state)
{
    char path[512];
    struct stat st;
    uint8_t byte;

    assert_false(is_cached(module_a, sizeof module_a));
    find_entry(path, sizeof path);
    assert_int_equal(truncate(path, 4096), 0);
    assert_false(is_cached(module_a, sizeof module_a));
    assert_true(is_cached(module_a, sizeof module_a));
    for (unsigned at = 0; at < 1000; at += 97) {
        cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            break; /* not root: the file is read-only to its owner too */
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(is_cached(module_a, sizeof module_a));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_false(is_cached(module_a, sizeof module_a));
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0400);
}

static void test_other_module_in_its_place(void **state)
{
    char a[512], b[640];

    assert_false(is_cached(module_a, sizeof module_a));
    find_entry(a, sizeof a);
    snprintf(b, sizeof b, "%s.kept", a);
    assert_int_equal(rename(a, b), 0);
    assert_false(is_cached(module_b, sizeof module_b));
    assert_int_equal(rename(b, a), 0);
    assert_true(is_cached(module_a, sizeof module_a));
    assert_true(is_cached(module_b, sizeof module_b));
    for (DIR *d = opendir(directory); d != NULL;) { /* module a's bytes under module b's name */
        struct dirent *e = readdir(d);
        if (e == NULL) {
            closedir(d);
            break;
        }
        snprintf(b, sizeof b, "%s/%s", directory, e->d_name);
        if (e->d_name[0] != '.' && strstr(e->d_name, ".lock") == NULL && strcmp(a, b) != 0)
            assert_int_equal(rename(a, b), 0);
    }
    assert_false(is_cached(module_b, sizeof module_b));
}

static void test_writable_directory_is_not_used(void **state)
{
    struct stat st;
    bool was_cached;
    int fd;

    assert_int_equal(chmod(directory, 0777), 0);
    fd = open_artifact(module_a, sizeof module_a, &was_cached);
    assert_false(was_cached);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0); /* a memfd */
    assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
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
    int artifact, count = 0;
    DIR *d;

    memcpy(bytes, module_a, sizeof bytes);
    bytes[sizeof bytes - 1] = 0x6a; /* i32.add where the end should be */
    fd = module_fd(bytes, sizeof bytes);
    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "offset"));
    d = opendir(directory);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.' && strstr(e->d_name, ".lock") == NULL;
    closedir(d);
    assert_int_equal(count, 0);
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
        cmocka_unit_test_setup_teardown(test_hit_and_miss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_module_in_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writable_directory_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_compiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_invalid_module, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cannot_be_reopened_for_writing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_missing, set_up, tear_down),
    };
    const char *build = getenv("BUILD");

    snprintf(libexec, sizeof libexec, "%s/libexec/wherry", build != NULL ? build : "build");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
