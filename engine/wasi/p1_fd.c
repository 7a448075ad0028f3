/* Preview 1: data through descriptors, and their state.
 *
 * Most of what can go wrong is left to the kernel's own answer. WASI's rights are reported and not enforced: the access
 * mode of the descriptor is what holds (wasmtime does the same, and its tests need it). */
#include "engine/wasi/p1.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int p1_wait_shared(const struct wasi_fd *entry, short events)
{
    struct pollfd poll_fd = {.fd = entry->fd, .events = events};

    if (!entry->nonblock)
        return 0;
    return poll(&poll_fd, 1, 0) == 0 ? -EAGAIN : 0;
}

/* --- reading and writing ---------------------------------------------------------------------------------------------
 */

/* readv or writev. A standard stream may have been made non-blocking by somebody else who shares it; a guest that did not
 * ask for that waits all the same. */
static ssize_t transfer(struct wasi_context *context, const struct wasi_fd *entry, const struct p1_iovecs *iovecs,
                        short events, ssize_t (*call)(int fd, const struct iovec *pieces, int count))
{
    bool waits = entry->shared && !entry->nonblock, is_file = entry->filetype == WASI_FILETYPE_REGULAR_FILE;
    int own = entry->fd, fd = is_file ? own : wasi_wait_begin(context, own);
    struct pollfd poll_fd = {.fd = fd, .events = events};
    ssize_t count;

    if (fd < 0)
        return -1;
    do
        count = call(fd, iovecs->pieces, iovecs->count);
    while (count < 0 && errno == EAGAIN && waits && (poll(&poll_fd, 1, -1) >= 0 || errno == EINTR));
    if (!is_file)
        wasi_wait_end(context, own, fd);
    return count;
}

static int finish_transfer(struct p1_call *call, ssize_t count, unsigned result)
{
    return count < 0 ? -errno : p1_store_u32(call, p1_u32(call, result), (uint32_t)count);
}

int p1_fd_read(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    struct p1_iovecs iovecs;
    int ret = entry != NULL ? p1_iovecs(call, p1_u32(call, 1), p1_u32(call, 2), &iovecs) : -EBADF;

    if (ret == 0)
        ret = p1_wait_shared(entry, POLLIN);
    if (ret < 0)
        return ret;
    return finish_transfer(call, transfer(call->context, entry, &iovecs, POLLIN, readv), 3);
}

int p1_fd_write(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    struct p1_iovecs iovecs;
    int ret = entry != NULL ? p1_iovecs(call, p1_u32(call, 1), p1_u32(call, 2), &iovecs) : -EBADF;

    if (ret == 0)
        ret = p1_wait_shared(entry, POLLOUT);
    if (ret < 0)
        return ret;
    return finish_transfer(call, transfer(call->context, entry, &iovecs, POLLOUT, writev), 3);
}

int p1_fd_pread(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    struct p1_iovecs iovecs;
    int ret = entry != NULL ? p1_iovecs(call, p1_u32(call, 1), p1_u32(call, 2), &iovecs) : -EBADF;

    if (ret < 0)
        return ret;
    return finish_transfer(call, preadv(entry->fd, iovecs.pieces, iovecs.count, (off_t)p1_u64(call, 3)), 4);
}

/* On a descriptor with APPEND the offset is ignored, which is Linux's way (and not POSIX's). */
int p1_fd_pwrite(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    struct p1_iovecs iovecs;
    int ret = entry != NULL ? p1_iovecs(call, p1_u32(call, 1), p1_u32(call, 2), &iovecs) : -EBADF;

    if (ret < 0)
        return ret;
    return finish_transfer(call, pwritev(entry->fd, iovecs.pieces, iovecs.count, (off_t)p1_u64(call, 3)), 4);
}

static int store_position(struct p1_call *call, off_t position, unsigned result)
{
    return position < 0 ? -errno : p1_store_u64(call, p1_u32(call, result), (uint64_t)position);
}

int p1_fd_seek(struct p1_call *call)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END}, unstable_whences[] = {SEEK_CUR, SEEK_END, SEEK_SET};
    struct wasi_fd *entry = p1_stream(call);
    uint32_t whence = p1_u32(call, 2);

    if (entry == NULL)
        return -EBADF;
    if (whence > WASI_WHENCE_END)
        return -EINVAL;
    return store_position(
        call, lseek(entry->fd, (off_t)p1_u64(call, 1), (call->unstable ? unstable_whences : whences)[whence]), 3);
}

int p1_fd_tell(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    return entry != NULL ? store_position(call, lseek(entry->fd, 0, SEEK_CUR), 1) : -EBADF;
}

/* --- what is on the disk ---------------------------------------------------------------------------------------------
 */

int p1_fd_sync(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    if (entry == NULL)
        return -EBADF;
    return fsync(wasi_fd_real(entry)) < 0 ? -errno : 0;
}

int p1_fd_datasync(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    if (entry == NULL)
        return -EBADF;
    return fdatasync(wasi_fd_real(entry)) < 0 ? -errno : 0;
}

int p1_fd_advise(struct p1_call *call)
{
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    struct wasi_fd *entry = p1_stream(call);
    uint32_t advice = p1_u32(call, 3);

    if (entry == NULL)
        return -EBADF;
    if (advice >= sizeof advices / sizeof *advices)
        return -EINVAL;
    return -posix_fadvise(entry->fd, (off_t)p1_u64(call, 1), (off_t)p1_u64(call, 2), advices[advice]);
}

int p1_fd_allocate(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    if (entry == NULL)
        return -EBADF;
    return fallocate(entry->fd, 0, (off_t)p1_u64(call, 1), (off_t)p1_u64(call, 2)) < 0 ? -errno : 0;
}

/* --- the table -------------------------------------------------------------------------------------------------------
 */

int p1_fd_close(struct p1_call *call)
{
    return wasi_fd_close(call->context, p1_u32(call, 0));
}

int p1_fd_renumber(struct p1_call *call)
{
    return wasi_fd_renumber(call->context, p1_u32(call, 0), p1_u32(call, 1));
}

int p1_fd_prestat_get(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    uint8_t prestat[WASI_PRESTAT_BYTES] = {0};

    if (entry == NULL || entry->preopen_name == NULL)
        return -EBADF;
    p1_set_u32(prestat, WASI_PRESTAT_NAME_LEN, (uint32_t)strlen(entry->preopen_name));
    return p1_store(call, p1_u32(call, 1), prestat, sizeof prestat);
}

int p1_fd_prestat_dir_name(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    size_t len;

    if (entry == NULL || entry->preopen_name == NULL)
        return -EBADF;
    len = strlen(entry->preopen_name);
    if (len > p1_u32(call, 2))
        return -ENAMETOOLONG;
    return p1_store(call, p1_u32(call, 1), entry->preopen_name, len);
}

/* --- flags and rights ------------------------------------------------------------------------------------------------
 */

static uint16_t reported_flags(const struct wasi_fd *entry, int status)
{
    uint16_t flags = 0;

    if ((status & O_APPEND) != 0)
        flags |= WASI_FDFLAG_APPEND;
    if ((status & O_SYNC) == O_SYNC)
        flags |= WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC;
    else if ((status & O_DSYNC) != 0)
        flags |= WASI_FDFLAG_DSYNC;
    if (entry->shared ? entry->nonblock : (status & O_NONBLOCK) != 0)
        flags |= WASI_FDFLAG_NONBLOCK;
    return flags;
}

enum {
    RIGHTS_OF_STREAMS = WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_POLL_FD_READWRITE,
    RIGHTS_OF_SOCKETS = WASI_RIGHT_SOCK_SHUTDOWN | WASI_RIGHT_SOCK_ACCEPT,
    RIGHTS_OF_FILES =
        WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC | WASI_RIGHT_FD_ADVISE | WASI_RIGHT_FD_FILESTAT_SET_TIMES,
    RIGHTS_TO_SEEK = WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL,
    RIGHTS_TO_WRITE = WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE,
    /* without PATH_FILESTAT_SET_SIZE: preview 1 has no call for it, and who sees it expects to take it away */
    RIGHTS_OF_DIRECTORIES = WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC |
                            WASI_RIGHT_FD_READDIR | WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_FD_FILESTAT_SET_TIMES |
                            WASI_RIGHT_PATH_CREATE_DIRECTORY | WASI_RIGHT_PATH_CREATE_FILE |
                            WASI_RIGHT_PATH_LINK_SOURCE | WASI_RIGHT_PATH_LINK_TARGET | WASI_RIGHT_PATH_OPEN |
                            WASI_RIGHT_PATH_READLINK | WASI_RIGHT_PATH_RENAME_SOURCE | WASI_RIGHT_PATH_RENAME_TARGET |
                            WASI_RIGHT_PATH_FILESTAT_GET | WASI_RIGHT_PATH_FILESTAT_SET_TIMES |
                            WASI_RIGHT_PATH_SYMLINK | WASI_RIGHT_PATH_REMOVE_DIRECTORY | WASI_RIGHT_PATH_UNLINK_FILE,
    RIGHTS_ALL_OF_FILES = RIGHTS_OF_STREAMS | RIGHTS_OF_FILES | RIGHTS_TO_SEEK | RIGHTS_TO_WRITE | WASI_RIGHT_FD_READ,
};

/* wasi-libc takes the access mode from these (F_GETFL), and for a terminal what is a character device without SEEK and
 * TELL: so both say what is really so. */
static uint64_t stream_rights(const struct wasi_fd *entry, int status)
{
    uint64_t rights = RIGHTS_OF_STREAMS;
    bool is_socket = entry->filetype == WASI_FILETYPE_SOCKET_STREAM || entry->filetype == WASI_FILETYPE_SOCKET_DGRAM;

    if ((status & O_ACCMODE) != O_WRONLY)
        rights |= WASI_RIGHT_FD_READ;
    if ((status & O_ACCMODE) != O_RDONLY)
        rights |= entry->filetype == WASI_FILETYPE_REGULAR_FILE ? RIGHTS_TO_WRITE : WASI_RIGHT_FD_WRITE;
    if (is_socket)
        rights |= RIGHTS_OF_SOCKETS;
    if (entry->filetype == WASI_FILETYPE_REGULAR_FILE)
        rights |= RIGHTS_OF_FILES;
    if (lseek(entry->fd, 0, SEEK_CUR) >= 0)
        rights |= RIGHTS_TO_SEEK;
    return rights;
}

int p1_fd_fdstat_get(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    uint8_t fdstat[WASI_FDSTAT_BYTES] = {0};
    int status = 0;

    if (entry == NULL)
        return -EBADF;
    if (entry->fd >= 0 && (status = fcntl(entry->fd, F_GETFL)) < 0)
        return -errno;
    fdstat[WASI_FDSTAT_FILETYPE] = entry->filetype;
    if (entry->kind == WASI_FD_DIRECTORY) {
        p1_set_u64(fdstat, WASI_FDSTAT_RIGHTS_BASE, RIGHTS_OF_DIRECTORIES);
        p1_set_u64(fdstat, WASI_FDSTAT_RIGHTS_INHERITING, RIGHTS_OF_DIRECTORIES | RIGHTS_ALL_OF_FILES);
    } else {
        p1_set_u16(fdstat, WASI_FDSTAT_FLAGS, reported_flags(entry, status));
        p1_set_u64(fdstat, WASI_FDSTAT_RIGHTS_BASE, stream_rights(entry, status));
    }
    return p1_store(call, p1_u32(call, 1), fdstat, sizeof fdstat);
}

/* APPEND and NONBLOCK can change, as with F_SETFL; the sync flags are fixed at open. Of a shared description only
 * NONBLOCK can, and only for this guest. */
int p1_fd_fdstat_set_flags(struct p1_call *call)
{
    enum { FIXED = WASI_FDFLAG_DSYNC | WASI_FDFLAG_RSYNC | WASI_FDFLAG_SYNC };
    struct wasi_fd *entry = p1_stream(call);
    uint32_t flags = p1_u32(call, 1);
    int status;

    if (entry == NULL)
        return -EBADF;
    if (flags > (FIXED | WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK))
        return -EINVAL;
    status = fcntl(entry->fd, F_GETFL);
    if (status < 0)
        return -errno;
    if (((flags ^ reported_flags(entry, status)) & (FIXED | (entry->shared ? WASI_FDFLAG_APPEND : 0))) != 0)
        return -EOPNOTSUPP;
    if (entry->shared) {
        entry->nonblock = (flags & WASI_FDFLAG_NONBLOCK) != 0;
        return 0;
    }
    status &= ~(O_APPEND | O_NONBLOCK);
    status |= (flags & WASI_FDFLAG_APPEND) != 0 ? O_APPEND : 0;
    status |= (flags & WASI_FDFLAG_NONBLOCK) != 0 ? O_NONBLOCK : 0;
    return fcntl(entry->fd, F_SETFL, status) < 0 ? -errno : 0;
}

int p1_fd_fdstat_set_rights(struct p1_call *call)
{
    return p1_fd(call) != NULL ? -EOPNOTSUPP : -EBADF;
}
