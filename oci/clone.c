/* See clone.h. */
#include "oci/clone.h"
#include "base/fd.h"
#include "oci/channel.h"
#include "oci/process.h"
#include "oci/sched.h"
#include "oci/sys.h"
#include "oci/userns.h"
#include <inttypes.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A sibling has its parent's exit signal. Kernels before 5.3 have no clone3. */
static pid_t clone_process(uint64_t flags, bool sibling, int cgroup_fd)
{
    const struct clone_args args = {
        .flags = flags | (sibling ? CLONE_PARENT : 0) | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
        .exit_signal = sibling ? 0 : SIGCHLD,
        .cgroup = (uint64_t)(cgroup_fd >= 0 ? cgroup_fd : 0),
    };
    long pid = sys.clone3(&args, sizeof args);

    if (pid < 0 && errno == ENOSYS && cgroup_fd < 0)
        pid = syscall(SYS_clone, (unsigned long)args.flags | args.exit_signal, 0, 0, 0, 0);
    return (pid_t)pid;
}

/* Kernels before 5.7 have no CLONE_INTO_CGROUP; and who clones may not have the right to, where the runtime has. */
static pid_t clone_init(struct init *init, int cgroup_fd, bool sibling)
{
    uint64_t flags = (unsigned)init->plan->clone_flags;
    pid_t pid;

    if (cgroup_fd >= 0) {
        init->in_cgroup = true;
        pid = clone_process(flags, sibling, cgroup_fd);
        if (pid >= 0 || (errno != ENOSYS && errno != E2BIG && errno != EINVAL && errno != EACCES))
            return pid;
    }
    init->in_cgroup = init->cgroup->count == 0;
    return clone_process(flags, sibling, -1);
}

/* The pid namespace that the init is to be born in, in *FD; -1: the caller's or a new one. */
static int open_pid_namespace(const struct init *init, int *fd, struct err *e)
{
    const char *path = init->plan->pid_namespace;
    bool entered = init->namespaces != NULL && init->namespaces[NAMESPACE_PID] >= 0;

    *fd = -1;
    if (!entered && path == NULL)
        return 0;
    *fd = entered ? fcntl(init->namespaces[NAMESPACE_PID], F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? err_sys(e, "cannot open the pid namespace '%s'", entered ? "of the container" : path) : 0;
}

static int clone_directly(struct init *init, int cgroup_fd, pid_t *pid, struct err *e)
{
    cleanup_fd int theirs = -1, own = -1;
    int ret = open_pid_namespace(init, &theirs, e);

    if (ret < 0)
        return ret;
    if (theirs >= 0) { /* joined for children only, so the caller's own setting is put back at once */
        own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own < 0 || sys.setns(theirs, CLONE_NEWPID) < 0)
            return err_sys(e, "cannot join the pid namespace");
    }
    *pid = clone_init(init, cgroup_fd, init->request->clone_parent);
    if (*pid == 0)
        init_run(init);
    if (*pid < 0)
        ret = err_sys(e, "cannot clone the container's init with its namespaces");
    if (own >= 0 && sys.setns(own, CLONE_NEWPID) < 0 && ret == 0)
        ret = err_sys(e, "cannot return to the own pid namespace");
    return ret;
}

/* --- the stage ----------------------------------------------------------------------------------------------------------- */

/* What the stage joins, as descriptors; -1: nothing. The cgroup namespace is the init's affair, after its attach; and for a
 * further process the mount namespace too, which comes with a change of root. */
struct joins {
    int fds[NAMESPACE_COUNT];
};

/* Joining one's own user namespace is an error. */
static bool is_own_user_namespace(int fd)
{
    struct stat theirs, ours;
    return fstat(fd, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino &&
           theirs.st_dev == ours.st_dev;
}

static int open_joins(const struct init *init, struct joins *joins, struct err *e)
{
    for (int type = 0; type < NAMESPACE_COUNT; type++) {
        bool ours = type != NAMESPACE_PID && type != NAMESPACE_CGROUP && type != NAMESPACE_MOUNT;
        joins->fds[type] = ours && init->namespaces != NULL && init->plan->stage ? init->namespaces[type] : -1;
    }
    for (uint32_t i = 0; i < init->plan->join_count; i++) {
        const struct plan_join *join = &init->plan->joins[i];
        int fd = open(join->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(e, "cannot open the %s namespace '%s'", config_namespace_name(join->type), join->path);
        joins->fds[join->type] = join->type == NAMESPACE_USER && is_own_user_namespace(fd) ? -1 : fd;
    }
    return open_pid_namespace(init, &joins->fds[NAMESPACE_PID], e);
}

/* LATER: what the runtime's own rights do not suffice for may be the user namespace's own, to be joined in it. */
static int join(struct joins *joins, enum config_namespace_type type, bool later, struct err *e)
{
    int fd = joins->fds[type];

    if (fd < 0)
        return 0;
    if (sys.setns(fd, config_namespace_flag(type)) < 0)
        return later && errno == EPERM ? 0 : err_sys(e, "cannot join the %s namespace", config_namespace_name(type));
    joins->fds[type] = -1;
    return 0;
}

static int join_all(struct joins *joins, bool later, struct err *e)
{
    static const enum config_namespace_type order[] = {NAMESPACE_IPC, NAMESPACE_UTS, NAMESPACE_NETWORK, NAMESPACE_TIME};
    int ret = 0;

    for (size_t i = 0; ret == 0 && i < sizeof order / sizeof order[0]; i++)
        ret = join(joins, order[i], later, e);
    return ret;
}

/* Nothing of a container's is joined while this process can still be traced (CVE-2016-9962); but whoever writes the maps of a
 * new namespace without being root needs it so. */
static int become_undumpable(struct err *e)
{
    return sys.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_sys(e, "cannot make the stage undumpable") : 0;
}

static int enter_user_namespace(const struct init *init, struct joins *joins, int channel, struct err *e)
{
    struct message answer;
    int ret;

    if (!config_is_new_namespace(init->plan->config, NAMESPACE_USER) || init->namespaces != NULL) {
        ret = become_undumpable(e);
        return ret < 0 ? ret : join(joins, NAMESPACE_USER, false, e);
    }
    if (sys.unshare(CLONE_NEWUSER) < 0)
        return err_sys(e, "cannot make a user namespace%s",
                       errno == ENOSPC ? " (is the number in /proc/sys/user/max_user_namespaces 0?)" : "");
    return channel_ask(channel, MESSAGE_ID_MAPS, 0, &answer, e);
}

static int put_offset(int fd, const char *clock, const struct config_time_offset *offset, struct err *e)
{
    char text[64];
    int len;

    if (!offset->set)
        return 0;
    len = snprintf(text, sizeof text, "%s %" PRId64 " %" PRIu32 "\n", clock, offset->secs, offset->nanosecs);
    if (fd_write_all(fd, text, (size_t)len) < 0)
        return err_sys(e, "cannot set linux.timeOffsets.%s%s", clock,
                       errno == ERANGE ? " (the clock would be negative, or beyond 146 years)" : "");
    return 0;
}

static int make_time_namespace(const struct config *config, struct err *e)
{
    int ret;

    if (sys.unshare(CLONE_NEWTIME) < 0)
        return err_sys(e, "cannot make a time namespace%s", errno == EINVAL ? " (Linux 5.6 can)" : "");
    if (!config->boottime.set && !config->monotonic.set)
        return 0;
    cleanup_fd int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "cannot open /proc/self/timens_offsets");
    ret = put_offset(fd, "boottime", &config->boottime, e);
    return ret < 0 ? ret : put_offset(fd, "monotonic", &config->monotonic, e);
}

/* The score first: lowering it is a right of the first user namespace's. The mount namespace last, since files are opened
 * by name here. */
static int prepare(const struct init *init, int channel, struct err *e)
{
    const struct config *config = init->plan->config;
    struct joins joins;
    bool scored = init->plan->stage && config->process.oom_score_adj.set; /* else a step of the init */
    int ret = scored ? sched_set_oom_score((int)config->process.oom_score_adj.value, e) : 0;

    if (ret == 0)
        ret = open_joins(init, &joins, e);
    if (ret == 0)
        ret = join_all(&joins, config->namespaces[NAMESPACE_USER].set, e);
    if (ret == 0 && config->namespaces[NAMESPACE_USER].set)
        ret = enter_user_namespace(init, &joins, channel, e);
    if (ret == 0)
        ret = join_all(&joins, false, e);
    if (ret == 0 && init->namespaces == NULL && config_is_new_namespace(config, NAMESPACE_TIME))
        ret = make_time_namespace(config, e);
    if (ret == 0)
        ret = become_undumpable(e);
    if (ret == 0)
        ret = join(&joins, NAMESPACE_PID, false, e);
    return ret != 0 ? ret : join(&joins, NAMESPACE_MOUNT, false, e);
}

_Noreturn static void stage_run(struct init *init, int cgroup_fd, int channel)
{
    struct message message = {.kind = MESSAGE_BORN, .fds = {-1, -1}};
    pid_t pid = -1;
    int ret = prepare(init, channel, &message.error);

    if (ret == 0) {
        pid = clone_init(init, cgroup_fd, true);
        if (pid == 0) {
            fd_close(&channel);
            init_run(init);
        }
        if (pid < 0)
            err_sys(&message.error, "cannot clone the container's init with its namespaces");
    }
    message.kind = pid < 0 ? MESSAGE_ERROR : MESSAGE_BORN;
    message.number = (int)pid; /* in the stage's own pid namespace, which is the runtime's */
    message.in_cgroup = init->in_cgroup;
    (void)!channel_send(channel, &message, NULL);
    _exit(0);
}

static int serve_stage(struct init *init, int channel, pid_t stage, pid_t *pid, struct err *e)
{
    const struct config *config = init->plan->config;

    for (;;) {
        struct message message, go = {.kind = MESSAGE_GO, .fds = {-1, -1}};
        int ret = channel_receive(channel, &message, e);
        if (ret == 0)
            return err_set(e, ESHUTDOWN, "the stage of the container's init ended while it was preparing namespaces");
        if (ret < 0)
            return ret;
        switch (message.kind) {
        case MESSAGE_ERROR: *e = message.error; return -e->code;
        case MESSAGE_BORN:
            *pid = (pid_t)message.number;
            init->in_cgroup = message.in_cgroup;
            return 0;
        case MESSAGE_ID_MAPS:
            ret = userns_write_maps(stage, &config->uid_mappings, &config->gid_mappings, e);
            if (ret == 0)
                ret = channel_send(channel, &go, e);
            break;
        default: ret = err_set(e, EPROTO, "the stage of the container's init sent a message that makes no sense");
        }
        if (ret < 0)
            return ret;
    }
}

/* The stage must be a sibling where the init is to be one; then whoever reaps our siblings reaps it too. */
static int clone_by_stage(struct init *init, int cgroup_fd, pid_t *pid, struct err *e)
{
    bool sibling = init->request->clone_parent;
    int ends[2], ret = channel_open(ends, e);
    pid_t stage;

    if (ret < 0)
        return ret;
    stage = clone_process(0, sibling, -1);
    if (stage == 0) {
        fd_close(&ends[0]);
        fd_close(&init->parent_channel);
        stage_run(init, cgroup_fd, ends[1]);
    }
    fd_close(&ends[1]);
    ret = stage < 0 ? err_sys(e, "cannot clone the stage of the container's init")
                    : serve_stage(init, ends[0], stage, pid, e);
    fd_close(&ends[0]);
    if (stage > 0 && ret < 0)
        kill(stage, SIGKILL);
    if (stage > 0 && sibling)
        process_await_end(stage);
    else if (stage > 0)
        while (waitpid(stage, NULL, 0) < 0 && errno == EINTR)
            ;
    return ret;
}

/* "Root" of a user namespace that podman has made for an ordinary user has rights over the container's pid namespace, but none
 * over the host's, which it is in itself: once it has joined another for its children there is no way back. */
static bool may_return(void)
{
    cleanup_fd int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    return own >= 0 && sys.setns(own, CLONE_NEWPID) == 0;
}

int clone_run(struct init *init, int cgroup_fd, pid_t *pid, struct err *e)
{
    bool joins_pids =
        init->plan->pid_namespace != NULL || (init->namespaces != NULL && init->namespaces[NAMESPACE_PID] >= 0);

    if (init->plan->stage || (joins_pids && !may_return()))
        return clone_by_stage(init, cgroup_fd, pid, e);
    return clone_directly(init, cgroup_fd, pid, e);
}
