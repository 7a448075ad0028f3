/* The code cache (contract: wherry/cache.h). Eviction and a memo of digests come on top of this, not into it: both
 * only need the directory and the names.
 *
 * Names: <hex of SHA-256 over everything an artifact depends on>, ".lock" beside it, ".<pid>" while it is being
 * written. */
#include "wherry/cache.h"
#include "base/fd.h"
#include "engine/digest.h"
#include "wherry/worker.h"
#include <linux/mount.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MODULE_BYTES_MAX (UINT64_C(1) << 30)

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

struct entry {
    int directory_fd;
    char path[1024]; /* of the directory */
    char name[65];
    uint8_t key[DIGEST_BYTES]; /* of the module's bytes */
    struct engine_options options;
    bool kept_private;
};

/* --- the directory -------------------------------------------------------------------------------------------- */

static bool default_directory(char *path, size_t path_bytes)
{
    const char *base = getenv("XDG_CACHE_HOME");

    if (geteuid() == 0)
        return snprintf(path, path_bytes, "/var/lib/wherry/cache") > 0;
    if (base != NULL && base[0] == '/')
        return (size_t)snprintf(path, path_bytes, "%s/wherry", base) < path_bytes;
    base = getenv("HOME");
    return base != NULL && base[0] == '/' && (size_t)snprintf(path, path_bytes, "%s/.cache/wherry", base) < path_bytes;
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

/* Opens the directory, making it if it is missing. It must be ours and nobody else may write to it: what lies in it
 * is code. */
static int open_directory(const struct cache_settings *settings, struct entry *e)
{
    struct stat st;

    if (settings->directory != NULL)
        snprintf(e->path, sizeof e->path, "%s", settings->directory);
    else if (!default_directory(e->path, sizeof e->path))
        return -ENOENT;
    e->directory_fd = open(e->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (e->directory_fd < 0 && errno == ENOENT) {
        make_directories(e->path);
        e->directory_fd = open(e->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (e->directory_fd < 0)
        return -errno;
    if (fstat(e->directory_fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        fd_close(&e->directory_fd);
        return -EPERM;
    }
    return 0;
}

static void name_entry(struct entry *e)
{
    struct buf all = {0};
    uint8_t name[DIGEST_BYTES];

    buf_put(&all, e->key, sizeof e->key);
    buf_printf(&all, "%s,%u,%u,%d,%d", engine_build_id, e->options.features, engine_cpu_features(),
               (int)e->options.compiler, e->options.explicit_bounds_checks);
    digest_bytes(all.data, all.len, name);
    buf_done(&all);
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(e->name + 2 * i, 3, "%02x", name[i]);
}

/* --- opening -------------------------------------------------------------------------------------------------- */

/* A descriptor of the file on a detached clone of the directory's mount, which is read-only for ever: /proc/self/fd
 * of whoever gets it leads to EROFS. Needs Linux 5.12 and CAP_SYS_ADMIN; a caller without them gets -1 and opens
 * plainly, which keeps writers away by the file's mode and owner only. */
static int open_on_clone(const struct entry *e)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    cleanup_fd int tree =
        (int)syscall(SYS_open_tree, e->directory_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
        return -1;
    return openat(tree, e->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* The entry's artifact if it is there and fits; else -1. */
static int open_entry(const struct entry *e)
{
    cleanup_fd int fd = e->kept_private ? -1 : open_on_clone(e);

    if (fd < 0)
        fd = openat(e->directory_fd, e->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || engine_artifact_check(fd, e->key, &e->options, NULL) != 0)
        return -1;
    return fd_take(&fd);
}

/* --- making --------------------------------------------------------------------------------------------------- */

/* A sealed copy of the module, so that nobody can change it between digest and compilation. */
static int copy_module(int module_fd, const uint8_t key[DIGEST_BYTES], int *copy_fd, struct err *err)
{
    uint8_t digest[DIGEST_BYTES];
    uint64_t size_bytes;
    int status;

    *copy_fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*copy_fd < 0)
        return err_sys(err, "cannot copy the module");
    status = digest_file(module_fd, *copy_fd, digest, &size_bytes);
    if (status != 0)
        return err_set(err, -status, "cannot copy the module: %s", strerror(-status));
    if (memcmp(digest, key, sizeof digest) != 0)
        return err_set(err, EBUSY, "the module changed while it was read");
    if (fcntl(*copy_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return err_sys(err, "cannot seal the copy of the module");
    return 0;
}

static int compile_to(const struct entry *e, int module_fd, int out_fd, const char *libexec, struct err *err)
{
    cleanup_fd int copy_fd = -1;
    int status = copy_module(module_fd, e->key, &copy_fd, err);

    if (status == 0)
        status = compile_artifact(copy_fd, e->key, &e->options, out_fd, libexec, err);
    if (status == 0)
        status = engine_artifact_check(out_fd, e->key, &e->options, err);
    return status;
}

static int make_in_memory(const struct entry *e, int module_fd, const char *libexec, int *artifact_fd, struct err *err)
{
    cleanup_fd int fd = memfd_create("artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int status = fd < 0 ? err_sys(err, "cannot create a file in memory") : compile_to(e, module_fd, fd, libexec, err);

    if (status != 0)
        return status;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return err_sys(err, "cannot seal the artifact");
    *artifact_fd = fd_take(&fd);
    return 0;
}

static int write_entry(const struct entry *e, int module_fd, const char *temporary, const char *libexec,
                       struct err *err)
{
    cleanup_fd int fd = openat(e->directory_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    int status = fd < 0 ? err_sys(err, "cannot create a file in the cache %s", e->path)
                        : compile_to(e, module_fd, fd, libexec, err);

    if (status == 0 && renameat(e->directory_fd, temporary, e->directory_fd, e->name) != 0)
        status = err_sys(err, "cannot publish an artifact in the cache %s", e->path);
    return status;
}

/* Makes the entry under its lock, unless another process has done so in the meantime. */
static int make_entry(const struct entry *e, int module_fd, const char *libexec, int *artifact_fd, bool *was_cached,
                      struct err *err)
{
    char lock_name[80], temporary[80];
    cleanup_fd int lock_fd = -1;
    int status;

    snprintf(lock_name, sizeof lock_name, "%s.lock", e->name);
    snprintf(temporary, sizeof temporary, "%s.%d", e->name, (int)getpid());
    lock_fd = openat(e->directory_fd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd < 0)
        return err_sys(err, "cannot write to the cache %s", e->path);
    while (flock(lock_fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return err_sys(err, "cannot lock an entry of the cache %s", e->path);
    *artifact_fd = open_entry(e);
    *was_cached = *artifact_fd >= 0;
    if (*was_cached)
        return 0;
    unlinkat(e->directory_fd, temporary, 0); /* of a process that died and whose pid is ours now */
    status = write_entry(e, module_fd, temporary, libexec, err);
    if (status != 0) {
        unlinkat(e->directory_fd, temporary, 0);
        return status;
    }
    *artifact_fd = open_entry(e);
    return *artifact_fd >= 0 ? 0 : err_set(err, EIO, "an artifact just made cannot be opened in the cache %s", e->path);
}

static bool cannot_write(int status)
{
    return status == -EROFS || status == -EACCES || status == -EPERM || status == -ENOSPC || status == -EDQUOT;
}

int cache_open_artifact(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                        int *artifact_fd, bool *was_cached, struct err *err)
{
    struct entry e = {
        .directory_fd = -1, .options = engine_options_resolved(options), .kept_private = settings->kept_private};
    uint64_t size_bytes;
    bool ignored;
    int status = digest_file(module_fd, -1, e.key, &size_bytes);

    if (was_cached == NULL)
        was_cached = &ignored;
    *was_cached = false;
    if (status != 0)
        return err_set(err, -status, "cannot read the module: %s", strerror(-status));
    if (size_bytes > MODULE_BYTES_MAX)
        return err_set(err, EFBIG, "the module is larger than %llu bytes", (unsigned long long)MODULE_BYTES_MAX);
    if (settings->disabled || open_directory(settings, &e) != 0)
        return make_in_memory(&e, module_fd, settings->libexec, artifact_fd, err);
    name_entry(&e);
    *artifact_fd = open_entry(&e);
    *was_cached = *artifact_fd >= 0;
    if (!*was_cached) {
        status = make_entry(&e, module_fd, settings->libexec, artifact_fd, was_cached, err);
        if (cannot_write(status))
            status = make_in_memory(&e, module_fd, settings->libexec, artifact_fd, err);
    }
    fd_close(&e.directory_fd);
    return status;
}
