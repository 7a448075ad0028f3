/* A copy of one tree through descriptors; see copy_up.h. The stack grows by one buffer a level, so depth is bounded. */
#include "oci/copy_up.h"
#include "base/fd.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <dirent.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 64, ENTRIES_BYTES = 8192, COPY_BYTES = 1 << 20 };

static int copy_directory(int from, int to, int depth, struct err *e);

static int copy_file(int from, const char *name, int to, const struct stat *st, struct err *e)
{
    cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    cleanup_fd int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t n;

    if (in < 0 || out < 0)
        return err_sys(e, "cannot copy '%s'", name);
    while ((n = sendfile(out, in, NULL, COPY_BYTES)) > 0)
        ;
    if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
        return err_sys(e, "cannot copy '%s'", name);
    return 0;
}

static int copy_link(int from, const char *name, int to, const struct stat *st, struct err *e)
{
    char text[PATH_MAX];
    ssize_t len = readlinkat(from, name, text, sizeof text - 1);

    if (len < 0)
        return err_sys(e, "cannot read the link '%s'", name);
    text[len] = 0;
    if (sys.symlinkat(text, to, name) < 0 || sys.fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "cannot copy the link '%s'", name);
    return 0;
}

static int copy_node(int from, const char *name, int to, const struct stat *st, struct err *e)
{
    (void)from;
    if (sys.mknodat(to, name, st->st_mode, st->st_rdev) < 0 ||
        sys.fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to, name, st->st_mode & 07777, 0) < 0)
        return err_sys(e, "cannot copy the node '%s'", name);
    return 0;
}

static int copy_subdirectory(int from, const char *name, int to, const struct stat *st, int depth, struct err *e)
{
    cleanup_fd int in = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || sys.mkdirat(to, name, 0700) < 0)
        return err_sys(e, "cannot copy the directory '%s'", name);
    cleanup_fd int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0)
        return err_sys(e, "cannot copy the directory '%s'", name);
    int ret = copy_directory(in, out, depth + 1, e);
    if (ret == 0 && (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0))
        ret = err_sys(e, "cannot copy the directory '%s'", name);
    return ret;
}

static int copy_entry(int from, const char *name, int to, int depth, struct err *e)
{
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "cannot stat '%s'", name);
    switch (st.st_mode & S_IFMT) {
    case S_IFDIR: return copy_subdirectory(from, name, to, &st, depth, e);
    case S_IFREG: return copy_file(from, name, to, &st, e);
    case S_IFLNK: return copy_link(from, name, to, &st, e);
    case S_IFSOCK: return 0;
    default: return copy_node(from, name, to, &st, e);
    }
}

static int copy_directory(int from, int to, int depth, struct err *e)
{
    _Alignas(struct dirent) char entries[ENTRIES_BYTES];
    cleanup_fd int dir = path_reopen(from, O_RDONLY | O_DIRECTORY);
    ssize_t len;

    if (depth > DEPTH_MAX)
        return err_set(e, ELOOP, "directories are nested more than %d deep", DEPTH_MAX);
    if (dir < 0)
        return err_sys(e, "cannot open the directory to copy");
    while ((len = syscall(SYS_getdents64, dir, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < len;) {
            const struct dirent *d = (const struct dirent *)(entries + at); /* on 64-bit machines the kernel's */
            int ret = copy_entry(dir, d->d_name, to, depth, e);
            if (ret < 0)
                return ret;
            at += d->d_reclen;
        }
    }
    return len < 0 ? err_sys(e, "cannot read the directory to copy") : 0;
}

int copy_up(int from, int to, struct err *e)
{
    int ret = copy_directory(from, to, 0, e);
    return ret < 0 ? err_prefix(e, "tmpcopyup") : 0;
}
