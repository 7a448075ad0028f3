/* A guest without an engine: a memory, and calls of preview 1's functions through the host module's own table.
 *
 * Defines instance_memory, so a test that includes this links no instance. Paths and small results lie at fixed places
 * of the memory; each call of text() overwrites what the one before the last put there. */
#ifndef WHERRY_TESTS_WASI_GUEST_H
#define WHERRY_TESTS_WASI_GUEST_H

#include "engine/wasi/p1.h"
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    GUEST_MEMORY_BYTES = 1 << 18,
    GUEST_RESULT = 64,   /* results of calls */
    GUEST_IOVECS = 1024, /* lists of iovecs */
    GUEST_TEXT = 8192,   /* two paths, taking turns */
    GUEST_TEXT_BYTES = 8192,
    GUEST_DATA = 1 << 16, /* buffers */
};

static uint8_t guest_memory[GUEST_MEMORY_BYTES];
static struct wasi_context *guest_context;
static const struct host_module *guest_module = &wasi_p1_module;

uint8_t *instance_memory(struct instance *instance, uint64_t *size_bytes)
{
    (void)instance;
    *size_bytes = sizeof guest_memory;
    return guest_memory;
}

/* Calls the function NAME with arguments as its signature says: i as unsigned, I as uint64_t. Returns WASI's errno. */
static inline enum wasi_errno guest_call(const char *name, ...)
{
    union vm_value values[16] = {0};
    struct host_call call = {.context = guest_context, .values = values};
    const struct host_function_def *def = NULL;
    va_list ap;

    for (uint32_t i = 0; i < guest_module->def_count; i++)
        if (strcmp(guest_module->defs[i].name, name) == 0)
            def = &guest_module->defs[i];
    assert_non_null(def);
    va_start(ap, name);
    for (int i = 0; def->signature[i] != ':'; i++)
        if (def->signature[i] == 'I')
            values[i].i64 = va_arg(ap, uint64_t);
        else
            values[i].i32 = va_arg(ap, unsigned);
    va_end(ap);
    assert_int_equal(def->function(&call), TRAP_NONE);
    return (enum wasi_errno)values[0].i32;
}

static inline uint32_t guest_u32(uint32_t at)
{
    uint32_t value;
    memcpy(&value, guest_memory + at, sizeof value);
    return value;
}

static inline uint64_t guest_u64(uint32_t at)
{
    uint64_t value;
    memcpy(&value, guest_memory + at, sizeof value);
    return value;
}

static inline uint16_t guest_u16(uint32_t at)
{
    uint16_t value;
    memcpy(&value, guest_memory + at, sizeof value);
    return value;
}

/* Puts S into the memory without its NUL; its address. The length is strlen(S). */
static inline unsigned text(const char *s)
{
    static unsigned turn;
    unsigned at = GUEST_TEXT + (turn++ % 2) * GUEST_TEXT_BYTES;
    assert_true(strlen(s) < GUEST_TEXT_BYTES);
    memcpy(guest_memory + at, s, strlen(s));
    return at;
}
#define TEXT(s) text(s), (unsigned)strlen(s)

/* A list of one iovec: LEN bytes at AT. */
static inline unsigned one_iovec(unsigned at, unsigned len)
{
    memcpy(guest_memory + GUEST_IOVECS, &at, 4);
    memcpy(guest_memory + GUEST_IOVECS + 4, &len, 4);
    return GUEST_IOVECS;
}

enum {
    RIGHTS_READ = WASI_RIGHT_FD_READ,
    RIGHTS_WRITE = WASI_RIGHT_FD_WRITE,
    RIGHTS_READ_WRITE = WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE,
};

/* path_open, links followed. The number of the new descriptor goes to *FD. */
static inline enum wasi_errno guest_open(unsigned dir, const char *path, unsigned oflags, uint64_t rights,
                                         unsigned fdflags, unsigned *fd)
{
    enum wasi_errno error = guest_call("path_open", dir, (unsigned)WASI_LOOKUP_SYMLINK_FOLLOW, TEXT(path), oflags,
                                       rights, (uint64_t)0, fdflags, (unsigned)GUEST_RESULT);
    *fd = guest_u32(GUEST_RESULT);
    return error;
}

static inline enum wasi_errno guest_write(unsigned fd, const char *s)
{
    memcpy(guest_memory + GUEST_DATA, s, strlen(s));
    return guest_call("fd_write", fd, one_iovec(GUEST_DATA, (unsigned)strlen(s)), 1u, (unsigned)GUEST_RESULT);
}

/* Reads up to 1000 bytes; what came, as a string valid until the next call, or the error in words. */
static inline const char *guest_read(unsigned fd)
{
    static char got[1001];
    enum wasi_errno error = guest_call("fd_read", fd, one_iovec(GUEST_DATA, 1000), 1u, (unsigned)GUEST_RESULT);
    if (error != WASI_SUCCESS)
        snprintf(got, sizeof got, "error %d", (int)error);
    else
        snprintf(got, sizeof got, "%.*s", (int)guest_u32(GUEST_RESULT), (const char *)guest_memory + GUEST_DATA);
    return got;
}

/* Opens PATH for reading and returns its content, "error N" if it cannot be opened. */
static inline const char *guest_content(unsigned dir, const char *path)
{
    static char got[1001];
    unsigned fd;
    enum wasi_errno error = guest_open(dir, path, 0, RIGHTS_READ, 0, &fd);

    if (error != WASI_SUCCESS) {
        snprintf(got, sizeof got, "error %d", (int)error);
        return got;
    }
    snprintf(got, sizeof got, "%s", guest_read(fd));
    assert_int_equal(guest_call("fd_close", fd), WASI_SUCCESS);
    return got;
}

/* --- trees on the disk -----------------------------------------------------------------------------------------------
 */

static char tree[64]; /* a temporary directory, "" for none */

static inline void tree_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(tree, sizeof tree, "%.40s/wherry-wasi-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(tree));
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void tree_remove(void)
{
    nftw(tree, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    tree[0] = 0;
}

static inline const char *tree_path(const char *path)
{
    static char full[2][1024];
    static unsigned turn;
    char *out = full[turn++ % 2];
    snprintf(out, sizeof full[0], "%s/%s", tree, path);
    return out;
}

static inline void tree_directory(const char *path)
{
    assert_int_equal(mkdir(tree_path(path), 0777), 0);
}

static inline void tree_file(const char *path, const char *content)
{
    FILE *file = fopen(tree_path(path), "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static inline void tree_link(const char *target, const char *path)
{
    assert_int_equal(symlink(target, tree_path(path)), 0);
}

static inline int tree_open(const char *path)
{
    int fd = open(tree_path(path), O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

#endif
