/* See mount_source.h. */
#include "oci/mount_source.h"
#include "base/fd.h"
#include "oci/sys.h"
#include "oci/userns.h"

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

int mount_source_open(const struct config *config, const struct mount_entry *m, pid_t pid, int *tree, struct err *e)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | ((m->options->flags & MS_REC) != 0 ? AT_RECURSIVE : 0);
    cleanup_fd int fd = (int)sys.open_tree(AT_FDCWD, m->source, flags);
    int ret = 0;

    *tree = -1;
    if (fd < 0 && (errno == ENOSYS || errno == EPERM) && !m->id_mapped)
        return 0;
    if (fd < 0 && errno == ENOSYS)
        ret = err_set(e, ENOTSUP, "an id-mapped mount needs open_tree and mount_setattr, Linux 5.12");
    else if (fd < 0)
        ret = err_sys(e, "cannot open the source");
    else if (m->id_mapped)
        ret = id_map(config, m, pid, fd, e);
    if (ret < 0)
        return err_prefix(e, "mount '%s' at '%s'", m->source, m->destination);
    *tree = fd_take(&fd);
    return 0;
}
