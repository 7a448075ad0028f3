/* What the tests of the code cache share: two small modules, a cache directory of their own, and looking into it. */
#ifndef WHERRY_TESTS_CACHE_TEST_H
#define WHERRY_TESTS_CACHE_TEST_H

#include "base/buf.h"
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

static char directory[256], libexec[4096];
static struct cache_settings settings = {.directory = directory, .libexec = libexec};
static const struct engine_options options;

static inline int module_fd(const void *bytes, size_t len)
{
    int fd = memfd_create("module", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes, len), 0);
    return fd;
}

static inline int open_artifact(const void *bytes, size_t len, bool *was_cached)
{
    cleanup_fd int fd = module_fd(bytes, len);
    struct err err = {0};
    int artifact = -1;

    if (cache_open_artifact(fd, &options, &settings, &artifact, was_cached, &err) != 0)
        fail_msg("%s", err.text);
    return artifact;
}

static inline bool is_cached(const void *bytes, size_t len)
{
    bool was_cached;
    close(open_artifact(bytes, len, &was_cached));
    return was_cached;
}

/* Files in the cache whose names end so and are as long as an artifact's with it. */
static inline unsigned count_files(const char *suffix)
{
    DIR *d = opendir(directory);
    unsigned count = 0;

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strlen(e->d_name) == 64 + strlen(suffix) && strcmp(e->d_name + 64, suffix) == 0;
    closedir(d);
    return count;
}

/* The path of the artifact that is not SKIP (may be NULL); there must be exactly one. */
static inline void find_entry(char *path, size_t path_bytes, const char *skip)
{
    DIR *d = opendir(directory);
    int count = 0;

    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strlen(e->d_name) != 64 || (skip != NULL && strstr(skip, e->d_name) != NULL))
            continue;
        snprintf(path, path_bytes, "%s/%s", directory, e->d_name);
        count++;
    }
    closedir(d);
    assert_int_equal(count, 1);
}

/* As if the machine had been booted since. */
static inline void forget_facts(const char *table)
{
    char path[512];
    DIR *d;

    snprintf(path, sizeof path, "%s/%s", directory, table);
    d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
    if (d != NULL)
        closedir(d);
}

static inline void put_leb(struct buf *out, uint32_t value)
{
    for (; value >= 128; value >>= 7)
        buf_put_u8(out, (uint8_t)(value | 128));
    buf_put_u8(out, (uint8_t)value);
}

/* A module of about CODE_BYTES, different for each NUMBER: _start, which does nothing, and functions that add. */
static inline void big_module(struct buf *out, size_t code_bytes, unsigned number)
{
    enum { FUNCTION_BYTES = 2006 };
    uint32_t functions = (uint32_t)(code_bytes / FUNCTION_BYTES), count = functions + 2;
    struct buf section = {0};

    buf_put(out, module_a, 8 + 6); /* header and types */
    put_leb(&section, count);
    for (uint32_t i = 0; i < count; i++)
        buf_put_u8(&section, 0);
    buf_put_u8(out, 3);
    put_leb(out, (uint32_t)section.len);
    buf_put(out, section.data, section.len);
    buf_put(out, module_a + 18, 12); /* the export of function 0 */
    section.len = 0;
    put_leb(&section, count);
    buf_put(&section, "\2\0\13", 3);
    for (uint32_t i = 0; i < functions; i++) {
        put_leb(&section, FUNCTION_BYTES - 2);
        buf_put(&section, "\1\1\177", 3); /* one local, i32 */
        for (int k = 0; k < 250; k++) {
            const uint8_t add[] = {0x20, 0, 0x41, (uint8_t)(k % 64), 0x6a, 0x21, 0, 1};
            buf_put(&section, add, sizeof add);
        }
        buf_put_u8(&section, 0x0b);
    }
    const uint8_t different[] = {7, 0, 0x41, (uint8_t)(number | 0x80), 0x80, 0, 0x1a, 0x0b};
    buf_put(&section, different, sizeof different);
    buf_put_u8(out, 10);
    put_leb(out, (uint32_t)section.len);
    buf_put(out, section.data, section.len);
    buf_done(&section);
}

static inline int big_module_fd(size_t code_bytes, unsigned number)
{
    struct buf bytes = {0};
    int fd;

    big_module(&bytes, code_bytes, number);
    fd = module_fd(bytes.data, bytes.len);
    buf_done(&bytes);
    return fd;
}

static inline int status_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

static int set_up(void **state)
{
    const char *build = getenv("BUILD");

    snprintf(libexec, sizeof libexec, "%s/libexec/wherry", build != NULL ? build : "build");
    snprintf(directory, sizeof directory, "/tmp/cache-test-XXXXXX");
    settings = (struct cache_settings){.directory = directory, .libexec = libexec};
    return mkdtemp(directory) == NULL;
}

static int tear_down(void **state)
{
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define cache_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
