#include "engine/cache/entry.h"
#include "base/fd.h"
#include "engine/cache/fact.h"
#include "engine/gen/artifact.h"
#include "engine/options.h"
#include <linux/mount.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { TOUCH_SECONDS = 3600 };

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* FNV-1a. What is mixed is our own; two texts that share a number, which no header would tell apart, are not to be had by
 * chance. */
static uint64_t mix(const char *text)
{
    uint64_t mixed = UINT64_C(0xcbf29ce484222325);

    for (; *text != 0; text++)
        mixed = (mixed ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return mixed;
}

/* Made without hashing: nettle would ask the CPU what it can do, which costs more than all else here. Half is the module's
 * digest, half stands for what made the artifact; a file whose header does not say the same of both is not run. */
void entry_name(struct cache_entry *e)
{
    char options[ENGINE_OPTIONS_TEXT_BYTES], all[ENGINE_OPTIONS_TEXT_BYTES + 16];
    uint8_t name[DIGEST_BYTES];
    uint64_t maker[2];

    engine_options_print(&e->options, options);
    snprintf(all, sizeof all, "%u,%s", engine_cpu_features(e->options.compiler), options);
    maker[0] = mix(engine_build_id);
    maker[1] = mix(all);
    memcpy(name, e->key, DIGEST_BYTES / 2);
    memcpy(name + DIGEST_BYTES / 2, maker, sizeof maker);
    digest_text(name, e->name);
}

/* --- the file ------------------------------------------------------------------------------------------------- */

/* A detached clone of the directory's mount, which is read-only for ever: /proc/self/fd of whoever gets the descriptor of a
 * file on it leads to EROFS. Needs Linux 5.12 and CAP_SYS_ADMIN; a caller without them gets -1 and opens plainly, which keeps
 * writers away by the file's mode and owner only. */
static int clone_mount(const struct cache_entry *e)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                    .attr_clr = MOUNT_ATTR_NOEXEC};
    cleanup_fd int tree =
        (int)syscall(SYS_open_tree, e->directory->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
        return -1;
    return fd_take(&tree);
}

static int open_on_clone(const struct cache_entry *e, const char *name)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    cleanup_fd int tree = -1;

    if (e->mount_fd != NULL && *e->mount_fd >= 0)
        return openat(*e->mount_fd, name, flags);
    tree = clone_mount(e);
    if (tree >= 0 && e->mount_fd != NULL)
        return openat(*e->mount_fd = fd_take(&tree), name, flags);
    return tree < 0 ? -1 : openat(tree, name, flags);
}

/* O_NOATIME: a start writes nothing. Refused to whoever does not own the file, which then is not ours anyway. */
int entry_open_file(const struct cache_entry *e, const char *name)
{
    int fd = -1;

    if (!e->kept_private || e->directory->no_exec)
        fd = open_on_clone(e, name);
    if (fd < 0 && errno != ENOENT && e->directory->no_exec)
        return -ENODEV;
    if (fd < 0)
        fd = openat(e->directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
    return fd < 0 ? -errno : fd;
}

bool entry_exists(const struct cache_entry *e)
{
    return faccessat(e->directory->fd, e->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

const char *entry_odd_file(const struct cache_directory *d, const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "is no regular file";
    if (st->st_uid != d->owner)
        return "belongs to another user";
    if ((st->st_mode & 07777) != 0400)
        return "has another mode than 0400";
    if (st->st_nlink > 1) /* 0: evicted since it was opened */
        return "has a second link";
    return NULL;
}

/* --- what is in it -------------------------------------------------------------------------------------------- */

static int check_header(const struct cache_entry *e, int fd, const struct stat *st, struct err *err)
{
    const struct artifact_identity identity = {.key = e->key,
                                               .compiler = e->options.compiler,
                                               .features = e->options.features,
                                               .cpu_features = engine_cpu_features(e->options.compiler),
                                               .explicit_bounds_checks = e->options.explicit_bounds_checks};
    union artifact_page page;

    if (pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
        return err_set(err, ESTALE, "the artifact is truncated");
    return artifact_check_header(&page.header, (uint64_t)st->st_size, &identity, err);
}

/* Reads it all. Where it cannot be mapped as code (a noexec mount, a file system without mmap) no artifact can. */
static int check_body(int fd, const struct stat *st, struct err *err)
{
    size_t len = (size_t)st->st_size;
    const struct artifact_header *header = mmap(NULL, len, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    bool intact;

    if (header == MAP_FAILED)
        return errno == ENOMEM ? err_sys(err, "cannot map the artifact")
                               : err_set(err, ENODEV, "code cannot be mapped from the cache: %s", strerror(errno));
    intact = artifact_body_digest(header, len) == header->body_digest;
    munmap((void *)header, len);
    return intact ? 0 : err_set(err, ESTALE, "the artifact is damaged");
}

static int check_body_once(const struct cache_entry *e, int fd, const struct stat *st, struct err *err)
{
    char value[FACT_VALUE_BYTES];
    struct stat subject = *st;
    int status;

    subject.st_ctim = (struct timespec){0}; /* marking it as used changes that */
    if (fact_read(e->directory, FACT_INTACT, &subject, value))
        return 0;
    status = check_body(fd, st, err);
    if (status == 0)
        fact_write(e->directory, FACT_INTACT, &subject, "intact");
    return status;
}

/* The access time says when it was last used, to the hour: so most starts write nothing. A time in the future is that of
 * a clock that was wrong, then or now. */
static void mark_used(const struct cache_entry *e, const struct stat *st)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    time_t age = time(NULL) - st->st_atim.tv_sec;

    if (age > TOUCH_SECONDS || age < -TOUCH_SECONDS)
        utimensat(e->directory->fd, e->name, times, AT_SYMLINK_NOFOLLOW);
}

int entry_open(const struct cache_entry *e, int *out, struct err *err)
{
    cleanup_fd int fd = entry_open_file(e, e->name);
    const char *odd;
    struct stat st;
    int status;

    if (fd == -ENOENT)
        return err_set(err, ENOENT, "it is not in the cache");
    if (fd == -ENODEV)
        return err_set(err, ENODEV, "code cannot be mapped from the cache: its mount is noexec");
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(err, ESTALE, "it cannot be opened: %s", strerror(fd < 0 ? -fd : errno));
    if ((odd = entry_odd_file(e->directory, &st)) != NULL)
        return err_set(err, ESTALE, "it %s", odd);
    if ((status = check_header(e, fd, &st, err)) != 0 || (status = check_body_once(e, fd, &st, err)) != 0)
        return status;
    mark_used(e, &st);
    *out = fd_take(&fd);
    return 0;
}
