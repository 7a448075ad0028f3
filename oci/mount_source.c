/* See mount_source.h. */
#include "oci/mount_source.h"
#include "base/fd.h"
#include "oci/sys.h"
#include "oci/userns.h"
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static bool same_maps(const struct config_id_maps *a, const struct config_id_maps *b)
{
    return a->count == b->count && memcmp(a->data, b->data, a->count * sizeof *a->data) == 0;
}

/* A user namespace with the mappings of ENTRY. The container's own serves where they are the same, as in Kubernetes. */
static int open_mappings(const struct config *config, const struct mount_entry *m, pid_t pid, struct err *e)
{
    if (m->uid_mappings == NULL ||
        (config->uid_mappings.count != 0 && same_maps(m->uid_mappings, &config->uid_mappings) &&
         same_maps(m->gid_mappings, &config->gid_mappings)))
        return userns_open(pid, e);
    return userns_make(m->uid_mappings, m->gid_mappings, e);
}

static int id_map(const struct config *config, const struct mount_entry *m, pid_t pid, int tree, struct err *e)
{
    cleanup_fd int namespace = open_mappings(config, m, pid, e);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) namespace};

    if (namespace < 0)
        return namespace;
    if (sys.mount_setattr(tree, "", AT_EMPTY_PATH | (m->options->id_map_tree ? AT_RECURSIVE : 0), &attr) == 0)
        return 0;
    if (errno == ENOSYS)
        return err_set(e, ENOTSUP, "an id-mapped mount needs mount_setattr, Linux 5.12");
    if (errno == EINVAL)
        return err_set(e, EINVAL, "its file system cannot be id-mapped%s (or it is id-mapped already)",
                       m->options->id_map_tree ? ", or one below it" : "");
    if (errno == EPERM)
        return err_set(e, EPERM, "id-mapping a mount takes CAP_SYS_ADMIN where its file system was mounted: %s",
                       strerror(EPERM));
    return err_sys(e, "cannot id-map it");
}

/* Opens PATH as the process PID sees it, which has begun to mount: a child enters its mount namespace. It shares our table of
 * descriptors, so what it opens is ours. Returns a descriptor or a negative errno. */
static int open_tree_of(pid_t pid, const char *path, unsigned flags)
{
    char name[64];
    int ends[2], status, result = -EIO;
    long child;

    snprintf(name, sizeof name, "/proc/%d/ns/mnt", (int)pid);
    cleanup_fd int namespace = open(name, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        if (sys.setns(namespace, CLONE_NEWNS) == 0)
            result = (int)sys.open_tree(AT_FDCWD, path, flags);
        result = result < 0 ? -errno : result;
        _exit(write(ends[1], &result, sizeof result) != (ssize_t)sizeof result);
    }
    if (child < 0)
        result = -errno;
    while (child > 0 && waitpid((pid_t)child, &status, 0) < 0 && errno == EINTR)
        ;
    fd_close(&ends[1]);
    if (child > 0 && read(ends[0], &result, sizeof result) != (ssize_t)sizeof result)
        result = -EIO;
    fd_close(&ends[0]);
    return result;
}

static bool lies_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);
    return strncmp(path, directory, len) == 0 && path[len] == '/';
}

int mount_source_open(const struct plan *plan, const struct mount_entry *m, pid_t pid, int *tree, struct err *e)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | ((m->options->flags & MS_REC) != 0 ? AT_RECURSIVE : 0);
    bool inside = lies_below(m->source, plan->rootfs); /* where earlier mounts of the container count */
    cleanup_fd int fd = inside ? open_tree_of(pid, m->source, flags) : (int)sys.open_tree(AT_FDCWD, m->source, flags);
    int ret = 0;

    if (inside && fd < 0)
        errno = -fd;
    *tree = -1;
    if (fd < 0 && (errno == ENOSYS || errno == EPERM) && !m->id_mapped)
        return 0;
    if (fd < 0 && errno == ENOSYS)
        ret = err_set(e, ENOTSUP, "an id-mapped mount needs open_tree and mount_setattr, Linux 5.12");
    else if (fd < 0)
        ret = err_sys(e, "cannot open the source");
    else if (m->id_mapped)
        ret = id_map(plan->config, m, pid, fd, e);
    if (ret < 0)
        return err_prefix(e, "mount '%s' at '%s'", m->source, m->destination);
    *tree = fd_take(&fd);
    return 0;
}
