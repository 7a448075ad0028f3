/* File descriptors: closing them on every way out, and reading and writing whole pieces. */
#ifndef WHERRY_BASE_FD_H
#define WHERRY_BASE_FD_H

#include "base/buf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
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

/* Closes FIRST and all above it, between fork and exec. By name where the kernel has no close_range (before 5.9). */
static inline void fd_close_from(int first)
{
    DIR *dir = syscall(SYS_close_range, first, ~0u, 0) == 0 ? NULL : opendir("/proc/self/fd");

    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        int fd = atoi(d->d_name);
        if (fd >= first && fd != dirfd(dir))
            close(fd);
    }
    if (dir != NULL)
        closedir(dir);
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
    enum { FIRST_BYTES = 32 * 1024 }; /* the files of a start end before it, so two reads do; what is not filled costs nothing */

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
