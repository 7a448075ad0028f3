/* What is remembered is remembered of one state of one file: device, inode, size and both times.
 *
 * So it only holds where that is proof enough. The file system must be of this machine's own disks: on FUSE and network
 * file systems whoever serves them chooses inode numbers and times. It must be the one that the cache itself lies on, or
 * hold layers of an overlay, which a manager made: a volume that a tenant brought may be an image with
 * whatever inodes he likes, on a device number that somebody else's volume had before. And the times must be two seconds
 * old when the bytes are read: two changes within a tick of the clock leave the same time. A clock that was set back
 * makes times look young, which costs a hash. */
#include "engine/cache/memo.h"
#include "engine/cache/fact.h"
#include "engine/cache/layer.h"
#include <linux/magic.h>
#include <sys/vfs.h>
#include <time.h>

enum {
    SIZE_BYTES_MIN = 4096, /* a first hash of a process costs 40 µs in a virtual machine (cpuid traps), a fact 10 */
    AGE_SECONDS_MIN = 2,
    XFS_MAGIC = 0x58465342,
};

static bool is_local(long magic)
{
    return magic == EXT4_SUPER_MAGIC || magic == XFS_MAGIC || magic == BTRFS_SUPER_MAGIC || magic == F2FS_SUPER_MAGIC ||
           magic == TMPFS_MAGIC;
}

/* The file whose state stands for FD's content: itself, or the one of a layer below it. */
static bool find_subject(const struct cache_directory *d, int fd, const struct stat *st, pid_t mounts_of,
                         struct stat *subject)
{
    struct statfs fs;
    long magic;

    if (fstatfs(fd, &fs) != 0)
        return false;
    if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
        return layer_find(fd, st, mounts_of, subject, &magic) && is_local(magic);
    *subject = *st;
    return is_local((long)fs.f_type) && st->st_dev == d->device;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_digest(const char *text, uint8_t digest[DIGEST_BYTES])
{
    if (strlen(text) != 2 * DIGEST_BYTES)
        return false;
    for (int i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool same_times(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool is_old(const struct stat *st, time_t now)
{
    return st->st_mtim.tv_sec <= now - AGE_SECONDS_MIN && st->st_ctim.tv_sec <= now - AGE_SECONDS_MIN;
}

int memo_digest(const struct cache_directory *d, int fd, pid_t mounts_of, uint8_t digest[DIGEST_BYTES],
                uint64_t *size_bytes, struct err *err)
{
    char text[FACT_VALUE_BYTES];
    struct stat before, after, subject;
    bool memorable;
    time_t now;
    int status;

    if (fstat(fd, &before) != 0)
        return err_sys(err, "cannot look at the module");
    memorable = d != NULL && before.st_size >= SIZE_BYTES_MIN && find_subject(d, fd, &before, mounts_of, &subject);
    if (memorable && fact_read(d, FACT_DIGEST, &subject, text) && parse_digest(text, digest)) {
        *size_bytes = (uint64_t)before.st_size;
        return 0;
    }
    now = time(NULL);
    status = digest_file(fd, -1, digest, size_bytes);
    if (status != 0)
        return err_set(err, -status, "cannot read the module: %s", strerror(-status));
    if (memorable && is_old(&before, now) && fstat(fd, &after) == 0 && same_times(&before, &after)) {
        digest_text(digest, text);
        fact_write(d, FACT_DIGEST, &subject, text);
    }
    return 0;
}
