/* See target.h. */
#include "oci/target.h"
#include "base/fd.h"
#include <sys/stat.h>

void target_close(struct target *target)
{
    for (int i = 0; i < NAMESPACE_COUNT; i++)
        fd_close(&target->namespaces[i]);
    fd_close(&target->root);
}

/* Opens the namespaces of the init that are not ours; one that we share needs no joining, and for the user namespace joining
 * one's own is an error. */
static int open_namespaces(const struct state *state, int fds[NAMESPACE_COUNT], struct err *e)
{
    static const char *const names[NAMESPACE_COUNT] = {
        [NAMESPACE_PID] = "pid", [NAMESPACE_MOUNT] = "mnt", [NAMESPACE_NETWORK] = "net",   [NAMESPACE_IPC] = "ipc",
        [NAMESPACE_UTS] = "uts", [NAMESPACE_USER] = "user", [NAMESPACE_CGROUP] = "cgroup", [NAMESPACE_TIME] = "time",
    };

    for (int type = 0; type < NAMESPACE_COUNT; type++) {
        char theirs[64], ours[64];
        struct stat their_stat, our_stat;
        snprintf(theirs, sizeof theirs, "/proc/%d/ns/%s", (int)state->pid, names[type]);
        snprintf(ours, sizeof ours, "/proc/self/ns/%s", names[type]);
        if (stat(ours, &our_stat) < 0)
            continue; /* this kernel has no such namespaces */
        if (stat(theirs, &their_stat) < 0)
            return err_sys(e, "cannot look at the container's %s namespace", names[type]);
        if (our_stat.st_ino == their_stat.st_ino && our_stat.st_dev == their_stat.st_dev)
            continue;
        fds[type] = open(theirs, O_RDONLY | O_CLOEXEC);
        if (fds[type] < 0)
            return err_sys(e, "cannot open the container's %s namespace", names[type]);
    }
    return 0;
}

static int open_root(const struct state *state, int *fd, struct err *e)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/root", (int)state->pid);
    *fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? err_sys(e, "cannot open the container's root") : 0;
}

/* An init that lives when all is open had its number all the while, so nothing is a later process's of that number. */
int target_open(const char *root, const struct state *state, struct target *target, struct err *e)
{
    int ret = open_root(state, &target->root, e);

    if (ret == 0)
        ret = open_namespaces(state, target->namespaces, e);
    if (ret == 0 && state_status(root, state) == STATE_STOPPED)
        ret = err_set(e, ESRCH, "container not running");
    return ret;
}
