/* See cgroup_owner.h. */
#include "oci/cgroup_owner.h"
#include "base/fd.h"
#include "oci/mount.h"
#include "oci/sys.h"
#include <limits.h>

enum { LIST_MAX_BYTES = 4096 };

static bool is_writable_cgroup(const struct config_mount *m)
{
    if (!mount_is_cgroup(m))
        return false;
    for (uint32_t i = 0; i < m->options.count; i++)
        if (strcmp(m->options.data[i], "ro") == 0)
            return false;
    return true;
}

bool cgroup_owner_wanted(const struct cgroup *c, const struct config *config)
{
    bool writable = false;

    for (uint32_t i = 0; i < config->mount_count; i++)
        writable = writable || is_writable_cgroup(&config->mounts[i]);
    return writable && c->unified && c->count != 0 && config_is_new_namespace(config, NAMESPACE_CGROUP);
}

/* A file that this kernel does not have is no error, nor that an ordinary user cannot give his cgroup to another. */
static int give(int directory, const char *name, uid_t uid, struct err *e)
{
    if (sys.fchownat(directory, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW | (name[0] == 0 ? AT_EMPTY_PATH : 0)) == 0 ||
        errno == ENOENT || errno == EPERM)
        return 0;
    return err_sys(e, "cannot give the cgroup's '%s' to user %u", name, uid);
}

int cgroup_owner_set(const struct cgroup *c, uid_t uid, struct err *e)
{
    /* kernels before 4.15 have no list, and these three */
    char list[LIST_MAX_BYTES] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n", *rest = NULL;
    cleanup_fd int directory = open(c->hierarchies[0].directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int known = open("/sys/kernel/cgroup/delegate", O_RDONLY | O_CLOEXEC);
    ssize_t n = known < 0 ? 0 : fd_read_full(known, list, sizeof list - 1);
    int ret;

    if (directory < 0)
        return err_sys(e, "cannot open the cgroup '%s'", c->hierarchies[0].directory);
    if (n > 0)
        list[n] = 0;
    ret = give(directory, "", uid, e);
    for (char *name = strtok_r(list, "\n", &rest); ret == 0 && name != NULL; name = strtok_r(NULL, "\n", &rest))
        ret = give(directory, name, uid, e);
    return ret;
}
