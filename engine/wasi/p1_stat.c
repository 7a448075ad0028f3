/* Preview 1: what files are like, and their times and sizes. */
#include "engine/wasi/p1.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static uint64_t time_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

int p1_store_filestat(const struct p1_call *call, uint32_t at, const struct stat *st, uint8_t filetype)
{
    uint8_t filestat[WASI_FILESTAT_BYTES] = {0};
    unsigned shift = call->unstable ? WASI_FILESTAT_SIZE - WASI_UNSTABLE_FILESTAT_SIZE : 0;

    p1_set_u64(filestat, WASI_FILESTAT_DEV, st->st_dev);
    p1_set_u64(filestat, WASI_FILESTAT_INO, st->st_ino);
    filestat[WASI_FILESTAT_FILETYPE] = filetype;
    if (call->unstable)
        p1_set_u32(filestat, WASI_UNSTABLE_FILESTAT_NLINK, (uint32_t)st->st_nlink);
    else
        p1_set_u64(filestat, WASI_FILESTAT_NLINK, st->st_nlink);
    p1_set_u64(filestat, WASI_FILESTAT_SIZE - shift, (uint64_t)st->st_size);
    p1_set_u64(filestat, WASI_FILESTAT_ATIM - shift, time_ns(&st->st_atim));
    p1_set_u64(filestat, WASI_FILESTAT_MTIM - shift, time_ns(&st->st_mtim));
    p1_set_u64(filestat, WASI_FILESTAT_CTIM - shift, time_ns(&st->st_ctim));
    return p1_store(call, at, filestat, sizeof filestat - shift);
}

/* A directory that exists nowhere: no device number, the same inode always, no times. */
int p1_store_devices_filestat(const struct p1_call *call, uint32_t at)
{
    struct stat st = {.st_ino = 1, .st_nlink = 2};
    return p1_store_filestat(call, at, &st, WASI_FILETYPE_DIRECTORY);
}

static void set_time(struct timespec *time, uint64_t ns, bool set, bool now)
{
    time->tv_sec = set ? (time_t)(ns / 1000000000u) : 0;
    time->tv_nsec = set ? (long)(ns % 1000000000u) : now ? UTIME_NOW : UTIME_OMIT;
}

int p1_times(uint64_t atim_ns, uint64_t mtim_ns, uint32_t fstflags, struct timespec times[2])
{
    bool atim = (fstflags & WASI_FST_ATIM) != 0, atim_now = (fstflags & WASI_FST_ATIM_NOW) != 0;
    bool mtim = (fstflags & WASI_FST_MTIM) != 0, mtim_now = (fstflags & WASI_FST_MTIM_NOW) != 0;

    if ((atim && atim_now) || (mtim && mtim_now) || fstflags > (WASI_FST_MTIM_NOW << 1) - 1)
        return -EINVAL;
    set_time(&times[0], atim_ns, atim, atim_now);
    set_time(&times[1], mtim_ns, mtim, mtim_now);
    return 0;
}

int p1_fd_filestat_get(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    struct stat st;

    if (entry == NULL)
        return -EBADF;
    if (entry->kind == WASI_FD_DIRECTORY && entry->fd < 0)
        return p1_store_devices_filestat(call, p1_u32(call, 1));
    if (fstat(entry->fd, &st) < 0)
        return -errno;
    return p1_store_filestat(call, p1_u32(call, 1), &st, entry->filetype);
}

/* A descriptor that was opened for reading would do for some changes; in a read-only grant it does not. */
static int check_writable(const struct wasi_fd *entry)
{
    if (entry->place == NULL)
        return 0;
    return entry->place->refused ? -EPERM : entry->place->writable ? 0 : -EROFS;
}

int p1_fd_filestat_set_size(struct p1_call *call)
{
    struct wasi_fd *entry = p1_stream(call);
    int ret = entry != NULL ? check_writable(entry) : -EBADF;

    if (ret == 0 && ftruncate(entry->fd, (off_t)p1_u64(call, 1)) < 0)
        ret = -errno;
    return ret;
}

int p1_fd_filestat_set_times(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    struct timespec times[2];
    int ret = entry != NULL ? check_writable(entry) : -EBADF;

    if (ret == 0)
        ret = p1_times(p1_u64(call, 1), p1_u64(call, 2), p1_u32(call, 3), times);
    if (ret < 0)
        return ret;
    if (entry->kind == WASI_FD_DIRECTORY && entry->fd < 0)
        return -EROFS;
    /* a preopen's descriptor is O_PATH, which futimens does not take */
    if (entry->kind == WASI_FD_DIRECTORY)
        return utimensat(entry->fd, ".", times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    return futimens(entry->fd, times) < 0 ? -errno : 0;
}
