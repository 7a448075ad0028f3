/* File descriptors: closing them on every way out, and reading and writing whole pieces. */
#ifndef WHERRY_BASE_FD_H
#define WHERRY_BASE_FD_H

#include "base/buf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static inline void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

/* `cleanup_fd int fd = open(...)`: closed when the scope ends; set to -1 to keep it open. */
#define cleanup_fd __attribute__((cleanup(fd_close)))

static inline int fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Closes FIRST to LAST, between fork and exec. Kernels before 5.9 have no close_range: there by name, or where no /proc is to
 * be seen by every number there may be. */
static inline void fd_close_between(unsigned first, unsigned last)
{
    enum { DESCRIPTORS_MOST = 1 << 20 }; /* fs.nr_open, unless somebody has raised it */
    struct statfs fs;
    DIR *dir;

    if (syscall(SYS_close_range, first, last, 0) == 0)
        return;
    dir = opendir("/proc/self/fd");
    if (dir == NULL || fstatfs(dirfd(dir), &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
        for (unsigned fd = first; fd <= last && fd < DESCRIPTORS_MOST; fd++)
            if (dir == NULL || (int)fd != dirfd(dir))
                close((int)fd);
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        unsigned fd = (unsigned)atoi(d->d_name);
        if (d->d_name[0] != '.' && fd >= first && fd <= last && (int)fd != dirfd(dir))
            close((int)fd);
    }
    if (dir != NULL)
        closedir(dir);
}

/* The same for FIRST and all above it. */
static inline void fd_close_from(unsigned first)
{
    fd_close_between(first, ~0u);
}

/* Writes all of it, across short writes and EINTR. Returns 0 or -1 with errno. */
static inline int fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *p = (const char *)bytes;
    while (len != 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Reads until LEN bytes or the end of the file. Returns the count or -1 with errno. */
static inline ssize_t fd_read_full(int fd, void *bytes, size_t len)
{
    char *p = (char *)bytes;
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, p + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* Appends everything up to the end of the file to OUT. Returns 0, or -1 with errno (EFBIG above LIMIT_BYTES). */
static inline int fd_read_to_end(int fd, struct buf *out, size_t limit_bytes)
{
    enum {
        FIRST_BYTES = 32 * 1024
    }; /* the files of a start end before it, so two reads do; what is not filled costs nothing */

    buf_reserve(out, FIRST_BYTES);
    for (;;) {
        ssize_t n;
        buf_reserve(out, 1);
        n = read(fd, out->data + out->len, out->capacity - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        if (out->len > limit_bytes) {
            errno = EFBIG;
            return -1;
        }
    }
}

#endif
