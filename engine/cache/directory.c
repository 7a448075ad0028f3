#include "engine/cache/directory.h"
#include "base/fd.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

/* Whether the user ids here are those of the whole machine and not of some user namespace, as rootless managers give it. Asked
 * once: no program changes its user namespace and uses the cache afterwards. */
static bool has_all_users(void)
{
    static const char whole[] = "         0          0 4294967295";
    static enum { UNKNOWN, ALL, SOME } known;
    char map[sizeof whole];

    if (known == UNKNOWN) {
        cleanup_fd int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        bool all = fd < 0 || (fd_read_full(fd, map, sizeof map - 1) == (ssize_t)sizeof map - 1 &&
                              memcmp(map, whole, sizeof map - 1) == 0);
        known = all ? ALL : SOME;
    }
    return known == ALL;
}

static bool default_path(char *path, size_t path_bytes)
{
    const char *base = getenv("XDG_CACHE_HOME");

    if (geteuid() == 0 && has_all_users())
        return snprintf(path, path_bytes, "/var/lib/wherry/cache") > 0;
    if (base != NULL && base[0] == '/')
        return (size_t)snprintf(path, path_bytes, "%s/wherry", base) < path_bytes;
    base = getenv("HOME");
    return base != NULL && base[0] == '/' && (size_t)snprintf(path, path_bytes, "%s/.cache/wherry", base) < path_bytes;
}

static int find_path(const struct cache_settings *settings, char *path, size_t path_bytes, struct err *err)
{
    size_t len;

    if (settings->directory == NULL && !default_path(path, path_bytes))
        return err_set(err, ENOENT, "there is no place for a cache: neither XDG_CACHE_HOME nor HOME is set");
    if (settings->directory != NULL && (size_t)snprintf(path, path_bytes, "%s", settings->directory) >= path_bytes)
        return err_set(err, ENAMETOOLONG, "the name of the cache directory is longer than %zu bytes", path_bytes - 1);
    for (len = strlen(path); len > 1 && path[len - 1] == '/';) /* behind "link/" a link would be followed */
        path[--len] = 0;
    return 0;
}

/* mkdir -p, each made folder for the owner alone. */
static void make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
}

static int check(struct cache_directory *d, struct err *err)
{
    struct statvfs fs;
    struct stat st;

    if (fstat(d->fd, &st) != 0 || fstatvfs(d->fd, &fs) != 0)
        return err_sys(err, "cannot look at the cache directory %s", d->path);
    if (st.st_uid != geteuid())
        return err_set(err, EPERM, "the cache directory %s belongs to user %u, not to user %u who would run its code",
                       d->path, st.st_uid, geteuid());
    if ((st.st_mode & 022) != 0)
        return err_set(err, EPERM,
                       "the cache directory %s can be written by others (mode %o): it must not, it holds "
                       "code; chmod it to 0700",
                       d->path, st.st_mode & 07777);
    d->owner = st.st_uid;
    d->device = st.st_dev;
    d->no_exec = (fs.f_flag & ST_NOEXEC) != 0;
    return 0;
}

int cache_directory_open(const struct cache_settings *settings, bool create, struct cache_directory *d, struct err *err)
{
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    int status = find_path(settings, d->path, sizeof d->path, err);

    d->fd = -1;
    if (status != 0)
        return status;
    d->fd = open(d->path, flags);
    if (d->fd < 0 && errno == ENOENT && create) {
        make_directories(d->path);
        d->fd = open(d->path, flags);
    }
    if (d->fd < 0 && errno == ENOTDIR && lstat(d->path, &st) == 0 && S_ISLNK(st.st_mode))
        return err_set(err, ENOTDIR,
                       "the cache directory %s is a symbolic link; it must be a directory itself, or a "
                       "bind mount of one",
                       d->path);
    if (d->fd < 0)
        return err_sys(err, "cannot open the cache directory %s", d->path);
    status = check(d, err);
    if (status != 0)
        cache_directory_close(d);
    return status;
}

void cache_directory_close(struct cache_directory *d)
{
    fd_close(&d->fd);
}

int cache_directory_list(const struct cache_directory *d)
{
    return openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
