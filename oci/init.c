/* The only code that runs in the container's init: one function per step of the plan.
 *
 * It runs as the runtime's copy inside new namespaces, first with all rights, and step by step with fewer. Every descriptor
 * is close-on-exec; what is closed at the end closes even so, whatever the caller leaked into us (CVE-2024-21626). The
 * process is not dumpable, so that a container whose namespaces it has joined cannot trace it (CVE-2016-9962). */
#include "oci/init.h"
#include "base/fd.h"
#include "oci/caps.h"
#include "oci/channel.h"
#include "oci/dev.h"
#include "oci/environment.h"
#include "oci/hook_stage.h"
#include "oci/inherited.h"
#include "oci/loopback.h"
#include "oci/lsm.h"
#include "oci/mount_cgroup.h"
#include "oci/mount_tree.h"
#include "oci/netlink.h"
#include "oci/path.h"
#include "oci/rlimit.h"
#include "oci/rootfs.h"
#include "oci/sched.h"
#include "oci/seccomp.h"
#include "oci/seccomp_notify.h"
#include "oci/sys.h"
#include "oci/sysctl.h"
#include "oci/tty.h"
#include "oci/user.h"
#include "oci/userns.h"
#include "oci/wasm_grant.h"
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- namespaces, session ---------------------------------------------------------------------------------------------- */

static int step_session(struct init *in, const struct plan_step *step, struct err *e)
{
    char name[64];

    if (setsid() < 0)
        return err_sys(e, "cannot make a session");
    if (in->request->no_new_keyring)
        return 0;
    snprintf(name, sizeof name, "_ses.%.50s", in->request->id);
    /* kernels and filters without keyrings are no reason to fail; a keyring of the caller's would be shared */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS && errno != EPERM)
        return err_sys(e, "cannot make a session keyring");
    return 0;
}

static int step_oom_score(struct init *in, const struct plan_step *step, struct err *e)
{
    return sched_set_oom_score((int)in->plan->config->process.oom_score_adj.value, e);
}

static int join(const struct plan_join *join, struct err *e)
{
    cleanup_fd int fd = open(join->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "cannot open the %s namespace '%s'", config_namespace_name(join->type), join->path);
    if (sys.setns(fd, config_namespace_flag(join->type)) < 0)
        return err_sys(e, "cannot join the %s namespace '%s'", config_namespace_name(join->type), join->path);
    return 0;
}

static int step_affinity(struct init *in, const struct plan_step *step, struct err *e)
{
    return sched_set_affinity(step->cpus, e);
}

/* Returns when the parent has attached us to our cgroups; at once if it did so by cloning, or has said so already. */
static int wait_for_cgroup(struct init *in, struct err *e)
{
    struct message answer;
    int ret = in->in_cgroup ? 0 : channel_ask(in->channel, MESSAGE_CGROUP, 0, &answer, e);

    in->in_cgroup = in->in_cgroup || ret == 0;
    return ret;
}

/* A mount namespace is entered at its own root. That is the container's, unless the runtime that made it ran in a chroot:
 * pivot_root then exchanged the chroot's root only, and the namespace's is the host's. So where it is not the directory that
 * ROOTFS was to us, the root that the container's init has is taken; it is not always, for an init may chroot itself. */
static int enter_root(struct init *in, const struct stat *rootfs, struct err *e)
{
    struct stat root;

    if (stat("/", &root) == 0 && root.st_dev == rootfs->st_dev && root.st_ino == rootfs->st_ino)
        return 0;
    if (fchdir(in->root) < 0 || sys.chroot(".") < 0)
        return err_sys(e, "cannot enter the container's root");
    return 0;
}

/* For a further process: the container's namespaces but for those that the stage has joined (clone.h), all at once. That of
 * mounts last, for it sets root and working directory. The one of pids is the parent's affair, that of users the stage's. */
static int step_enter(struct init *in, const struct plan_step *step, struct err *e)
{
    static const enum config_namespace_type order[] = {NAMESPACE_IPC,    NAMESPACE_UTS,  NAMESPACE_NETWORK,
                                                       NAMESPACE_CGROUP, NAMESPACE_TIME, NAMESPACE_MOUNT};
    struct stat rootfs = {0}; /* stays so, which no directory is, where the runtime does not see it any more */
    int ret = wait_for_cgroup(in, e);

    (void)!stat(in->plan->rootfs, &rootfs);
    for (size_t i = 0; ret == 0 && i < sizeof order / sizeof order[0]; i++) {
        bool joined = in->plan->stage && order[i] != NAMESPACE_CGROUP && order[i] != NAMESPACE_MOUNT;
        int fd = joined ? -1 : in->namespaces[order[i]];
        if (fd >= 0 && sys.setns(fd, config_namespace_flag(order[i])) < 0)
            ret = err_sys(e, "cannot enter the container's %s namespace", config_namespace_name(order[i]));
    }
    if (ret == 0)
        ret = enter_root(in, &rootfs, e);
    fd_close(&in->root);
    return ret;
}

static int step_join(struct init *in, const struct plan_step *step, struct err *e)
{
    return join(&step->join, e);
}

/* A cgroup namespace is rooted where its maker is at that moment, and clone would take the parent's place for it. */
static int step_cgroup_namespace(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = wait_for_cgroup(in, e);

    if (ret < 0)
        return ret;
    if (step->join.path != NULL)
        return join(&step->join, e);
    return sys.unshare(CLONE_NEWCGROUP) < 0 ? err_sys(e, "cannot make a cgroup namespace") : 0;
}

/* The host's devices are the runtime's to give; the socket lets it reach into our network namespace. */
static int step_net_devices(struct init *in, const struct plan_step *step, struct err *e)
{
    cleanup_fd int netlink = netlink_open();
    struct message message = {.kind = MESSAGE_NET_DEVICES, .fds = {netlink, -1}};
    int ret;

    if (netlink < 0)
        return err_set(e, -netlink, "cannot make a route socket for linux.netDevices: %s", strerror(-netlink));
    ret = channel_send(in->channel, &message, e);
    return ret < 0 ? ret : channel_receive_go(in->channel, &message, e);
}

/* --- the mount tree ----------------------------------------------------------------------------------------------------- */

static int step_root(struct init *in, const struct plan_step *step, struct err *e)
{
    struct message answer;

    in->root = in->plan->shares_mounts ? rootfs_prepare_shared(in->plan->rootfs, e)
                                       : rootfs_prepare(in->plan->rootfs, step->propagation, e);
    if (in->root < 0)
        return in->root;
    return in->plan->shares_mounts ? channel_ask(in->channel, MESSAGE_MOUNTED, 0, &answer, e) : 0;
}

/* Until here the init is the caller, unmapped, with all rights in its user namespace: so it could still open a root file
 * system below directories that are the caller's alone. What it makes from now on belongs to the container's root. */
static int step_become_root(struct init *in, const struct plan_step *step, struct err *e)
{
    return userns_become_root(e);
}

static int step_open_root(struct init *in, const struct plan_step *step, struct err *e)
{
    in->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return in->root < 0 ? err_sys(e, "cannot open the container's root") : 0;
}

static int step_unmount(struct init *in, const struct plan_step *step, struct err *e)
{
    return mount_remove(in->root, step->mount->destination, e);
}

static int step_mount(struct init *in, const struct plan_step *step, struct err *e)
{
    struct mount_entry entry = *step->mount;
    struct message answer;
    bool away = in->plan->is_live || in->plan->config->namespaces[NAMESPACE_USER].set;
    bool passed = entry.id_mapped || (away && mount_is_bind(&entry));
    int ret = 0;

    if (passed && (entry.options->flags & MS_REMOUNT) == 0) {
        ret = channel_ask(in->channel, MESSAGE_SOURCE, (int)(step - in->plan->steps), &answer, e);
        entry.tree = ret == 0 ? answer.fds[0] : -1;
    }
    if (ret == 0 && in->plan->is_live && entry.tree < 0) {
        entry.tree = mount_tree_make(&entry, e);
        ret = entry.tree < 0 ? entry.tree : 0;
    }
    if (ret == 0)
        ret = mount_apply(in->root, &entry, e);
    fd_close(&entry.tree);
    return ret;
}

static int step_cgroup_mount(struct init *in, const struct plan_step *step, struct err *e)
{
    return mount_cgroup(in->root, step->mount, in->plan->config->namespaces[NAMESPACE_CGROUP].set, in->cgroup, e);
}

static int step_device(struct init *in, const struct plan_step *step, struct err *e)
{
    cleanup_fd int elsewhere = -1;
    struct message answer;

    if (in->plan->config->namespaces[NAMESPACE_USER].set && !dev_is_default(step->device)) {
        int ret = channel_ask(in->channel, MESSAGE_SOURCE, (int)(step - in->plan->steps), &answer, e);
        if (ret < 0)
            return ret;
        elsewhere = answer.fds[0];
    }
    return dev_make(in->root, step->device, elsewhere, e);
}

static int step_device_links(struct init *in, const struct plan_step *step, struct err *e)
{
    return dev_make_links(in->root, e);
}

/* A new terminal for the process; the container's first one is its console too. */
static int open_terminal(struct init *in, int root, bool console, struct err *e)
{
    const struct config_process *process = &in->plan->config->process;
    int slave = -1, ret;
    cleanup_fd int master = tty_open(root, process, in->request->plain_output, &slave, e);

    if (master < 0)
        return master;
    ret = console ? tty_bind_console(root, slave, e) : 0;
    if (ret == 0)
        ret = tty_send(in->console, master, e);
    return ret < 0 ? ret : tty_become(slave, e);
}

static int step_console(struct init *in, const struct plan_step *step, struct err *e)
{
    return open_terminal(in, in->root, true, e);
}

static int step_terminal(struct init *in, const struct plan_step *step, struct err *e)
{
    cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? err_sys(e, "cannot open the container's root") : open_terminal(in, root, false, e);
}

static int step_sysctl(struct init *in, const struct plan_step *step, struct err *e)
{
    cleanup_fd int proc = path_private_proc(e);
    return proc < 0 ? proc : sysctl_apply(proc, &in->plan->config->sysctl, e);
}

/* process.cwd is made if it is missing, as runc does; on a read-only file system the later chdir says what is wrong. */
static int step_make_directory(struct init *in, const struct plan_step *step, struct err *e)
{
    cleanup_fd int fd = path_open(in->root, in->plan->config->process.cwd, O_PATH);

    if (fd < 0)
        fd = path_make(in->root, in->plan->config->process.cwd, PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, e);
    return 0;
}

static int step_mask(struct init *in, const struct plan_step *step, struct err *e)
{
    const struct strings *paths = &in->plan->config->masked_paths;
    return rootfs_mask(in->root, (const char *const *)paths->data, paths->count, in->plan->mount_label, e);
}

static int step_readonly_paths(struct init *in, const struct plan_step *step, struct err *e)
{
    const struct strings *paths = &in->plan->config->readonly_paths;
    return rootfs_make_readonly(in->root, (const char *const *)paths->data, paths->count, e);
}

static int step_root_readonly(struct init *in, const struct plan_step *step, struct err *e)
{
    return rootfs_readonly(in->root, e);
}

static int step_pivot(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = rootfs_pivot(in->root, e);
    fd_close(&in->root);
    return ret;
}

static int step_move_root(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = rootfs_move(in->root, e);
    fd_close(&in->root);
    return ret;
}

static int step_change_root(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = rootfs_change(in->root, e);
    fd_close(&in->root);
    return ret;
}

static int step_propagate(struct init *in, const struct plan_step *step, struct err *e)
{
    return rootfs_propagate(step->propagation, e);
}

static int step_loopback(struct init *in, const struct plan_step *step, struct err *e)
{
    return loopback_up(e);
}

static int step_hostname(struct init *in, const struct plan_step *step, struct err *e)
{
    const char *name = in->plan->config->hostname;
    return sys.sethostname(name, strlen(name)) < 0 ? err_sys(e, "cannot set the host name '%s'", name) : 0;
}

static int step_domainname(struct init *in, const struct plan_step *step, struct err *e)
{
    const char *name = in->plan->config->domainname;
    return sys.setdomainname(name, strlen(name)) < 0 ? err_sys(e, "cannot set the domain name '%s'", name) : 0;
}

/* --- hooks ---------------------------------------------------------------------------------------------------------------- */

/* The state holds our pid as the host sees it, which only the parent knows. */
static int ask_state(struct init *in, struct err *e)
{
    struct message answer;
    int ret;

    if (in->state >= 0)
        return 0;
    ret = channel_ask(in->channel, MESSAGE_STATE, 0, &answer, e);
    if (ret == 0 && answer.fds[0] < 0)
        return err_set(e, EPROTO, "the container's state is missing");
    in->state = ret == 0 ? answer.fds[0] : -1;
    return ret;
}

static int step_runtime_hooks(struct init *in, const struct plan_step *step, struct err *e)
{
    struct message answer;
    return channel_ask(in->channel, MESSAGE_HOOKS, 0, &answer, e);
}

/* They find the container's root in their working directory: its path is one that other hooks may have mounted over. */
static int step_container_hooks(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = ask_state(in, e);
    if (ret == 0 && fchdir(in->root) < 0)
        ret = err_sys(e, "cannot enter the root file system for its hooks");
    return ret < 0 ? ret
                   : hook_stage_run(&in->plan->config->hooks[HOOK_CREATE_CONTAINER], "createContainer", in->state, e);
}

/* One without an env of its own has the process's, as with runc: it stands in for a part of it. */
static int step_start_hooks(struct init *in, const struct plan_step *step, struct err *e)
{
    environ = in->environment;
    return hook_stage_run(&in->plan->config->hooks[HOOK_START_CONTAINER], "startContainer", in->state, e);
}

/* --- the process ------------------------------------------------------------------------------------------------------------ */

static int step_personality(struct init *in, const struct plan_step *step, struct err *e)
{
    return sched_set_personality(in->plan->config->personality, e);
}

/* A v1 cpu cgroup takes no process that is a real-time one already. */
static int step_scheduler(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = wait_for_cgroup(in, e);
    return ret < 0 ? ret : sched_set_policy(&in->plan->config->process.scheduler, e);
}

static int step_io_priority(struct init *in, const struct plan_step *step, struct err *e)
{
    return sched_set_io_priority(&in->plan->config->process.io_priority, e);
}

static int step_memory_policy(struct init *in, const struct plan_step *step, struct err *e)
{
    return sched_set_memory_policy(&in->plan->config->memory_policy, e);
}

static int step_labels(struct init *in, const struct plan_step *step, struct err *e)
{
    const struct config_process *process = &in->plan->config->process;
    cleanup_fd int proc = path_private_proc(e);

    return proc < 0 ? proc : lsm_set(proc, process->selinux_label, process->apparmor_profile, e);
}

static int step_rlimit(struct init *in, const struct plan_step *step, struct err *e)
{
    int ret = rlimit_set(0, step->rlimit->resource, step->rlimit->soft, step->rlimit->hard, e);
    struct message answer;

    /* raising one is a right of the first user namespace's, which the runtime may have */
    if (ret == -EPERM && in->plan->config->namespaces[NAMESPACE_USER].set)
        return channel_ask(in->channel, MESSAGE_LIMITS, 0, &answer, e);
    return ret;
}

static int step_bounding(struct init *in, const struct plan_step *step, struct err *e)
{
    return caps_limit(in->plan->config->process.capabilities.bounding, e);
}

/* A process that opens /dev/stdout again by name needs to own the pipe behind it. Devices and files are the host's. */
static void give_stdio(uid_t uid, gid_t gid)
{
    struct stat st;

    for (int fd = 0; fd < 3; fd++)
        if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && st.st_uid != uid)
            (void)!fchown(fd, uid, gid);
}

/* As it is in the user namespace of an ordinary user who has mapped no more than himself. */
static bool setgroups_denied(void)
{
    struct err ignored;
    cleanup_fd int proc = path_private_proc(&ignored);
    cleanup_fd int fd = proc < 0 ? -1 : path_open_proc_self(proc, "setgroups", O_RDONLY, &ignored);
    char text[8] = "";

    return fd >= 0 && fd_read_full(fd, text, sizeof text - 1) > 0 && strncmp(text, "deny", 4) == 0;
}

static int step_user(struct init *in, const struct plan_step *step, struct err *e)
{
    const struct config_user *user = &in->plan->config->process.user;
    /* crun's annotation, which podman writes for --group-add keep-groups: files that only the caller's groups may read */
    const char *keep = config_annotation(in->plan->config, "run.oci.keep_original_groups");
    int ret = caps_keep(true, e);

    umask(user->umask.set ? (mode_t)user->umask.value : 0022);
    give_stdio(user->uid, user->gid);
    if (ret == 0 && keep != NULL && strcmp(keep, "1") == 0)
        ret = user_become(user->uid, user->gid, NULL, 0, false, e);
    else if (ret == 0)
        ret = user_become(user->uid, user->gid, user->additional_gids, user->additional_gid_count, true, e);
    if (ret == -EPERM && setgroups_denied())
        ret = user_become(user->uid, user->gid, user->additional_gids, user->additional_gid_count, false, e);
    return ret == 0 ? caps_keep(false, e) : ret;
}

/* CVE-2024-21626: a working directory that is reached through a leaked descriptor lies outside the root, and getcwd then
 * says "(unreachable)". */
static int step_working_directory(struct init *in, const struct plan_step *step, struct err *e)
{
    const char *cwd = in->plan->config->process.cwd;
    char path[PATH_MAX];

    if (chdir(cwd) < 0)
        return err_sys(e, "cannot enter process.cwd '%s'", cwd);
    if (syscall(SYS_getcwd, path, sizeof path) < 0 || path[0] != '/')
        return err_set(e, EPERM, "process.cwd '%s' lies outside the container", cwd);
    return 0;
}

static bool is_null_device(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* A standard stream that is the host's null device becomes the container's own: as nothing of the host's it can be
 * checkpointed, and keeps no file system of the host's busy. */
static void reopen_null(void)
{
    cleanup_fd int own = -1, opened = -1;
    int opened_mode = -1;

    for (int fd = 0; fd < 3; fd++) {
        int mode = is_null_device(fd) ? fcntl(fd, F_GETFL) & O_ACCMODE : -1;
        if (mode >= 0 && own < 0)
            own = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (mode < 0 || own < 0 ||
            !is_null_device(own)) /* the image may have anything there: looked at before it is opened */
            continue;
        if (mode != opened_mode) {
            fd_close(&opened);
            opened = open("/dev/null", mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
            opened_mode = opened >= 0 && is_null_device(opened) && fcntl(opened, F_SETFL, 0) == 0 ? mode : -1;
        }
        if (opened_mode >= 0)
            (void)!dup2(opened, fd);
    }
}

/* The module goes up to the parent, which has the cache; what comes back is an artifact and the engine to run it. */
static int prepare_wasm(struct init *in, struct err *e)
{
    struct message message = {.kind = MESSAGE_MODULE, .fds = {in->workload.module, -1}};
    struct grant grant;
    int ret = wasm_grant_make(in->plan, &in->arena, &grant, e);

    if (ret < 0)
        return ret;
    snprintf(message.path, sizeof message.path, "%s", in->workload.path);
    ret = channel_send(in->channel, &message, e);
    if (ret == 0)
        ret = channel_receive_go(in->channel, &message, e);
    if (ret < 0)
        return ret;
    fd_close(&in->workload.module);
    in->workload.engine = message.fds[0];
    in->workload.artifact = message.fds[1];
    in->workload.live = message.fds[2];
    in->workload.mounts[0] = message.fds[3];
    in->workload.mounts[1] = message.fds[3] < 0 ? -1 : message.fds[4];
    in->workload.network = grant.network;
    ret = workload_wasm_prepare(&grant, in->request->listen_fds, &in->arena, &in->workload, e);
    if (ret == 0)
        ret = workload_move_fd(&in->start_fifo, e);
    return ret == 0 ? workload_move_fd(&in->result_fifo, e) : ret;
}

/* Before the container's filter is loaded, which may not know the call (profiles are older than it); everything that is opened
 * later is ours and close-on-exec. */
static void close_inherited(const struct init *in)
{
    const struct container_create *request = in->request;

    inherited_close(in, in->workload.decision.is_wasm ? 3 : 3 + request->preserve_fds + request->listen_fds);
}

static int step_workload(struct init *in, const struct plan_step *step, struct err *e)
{
    bool hooked = in->plan->config->hooks[HOOK_START_CONTAINER].count != 0;
    int module = in->request->module, ret;

    reopen_null();
    ret = module >= 0 ? workload_take(in->plan->config, module, &in->workload, e)
                      : workload_find(in->plan->config, &in->workload, e);

    if (ret == 0 && in->workload.decision.is_wasm)
        ret = prepare_wasm(in, e);
    if (ret == 0 && (hooked || !in->workload.decision.is_wasm))
        in->environment =
            environment_make(&in->plan->config->process, in->request->listen_fds, in->request->notify, &in->arena);
    if (ret == 0 && hooked)
        ret = ask_state(in, e);
    if (ret == 0)
        close_inherited(in);
    return ret;
}

/* The change of user emptied the effective set; what is still permitted may be used until the capabilities are set. */
static int raise_effective(struct err *e)
{
    struct sys_cap_header header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct sys_cap_data data[2] = {{0}};

    if (sys.capget(&header, data) < 0)
        return err_sys(e, "cannot read the own capabilities");
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted;
    return sys.capset(&header, data) < 0 ? err_sys(e, "cannot raise the permitted capabilities") : 0;
}

static int load_filter(struct init *in, struct err *e)
{
    const struct config_seccomp *profile = &in->plan->config->seccomp;
    struct message message = {.kind = MESSAGE_LISTENER, .fds = {-1, -1}};
    int listener = -1, ret = seccomp_load(in->filter, profile->flags, seccomp_notifies(profile) ? &listener : NULL, e);

    if (ret < 0 || listener < 0)
        return ret;
    message.fds[0] = listener;
    ret = channel_send(in->channel, &message, e);
    if (ret == 0)
        ret = channel_receive_go(in->channel, &message, e);
    fd_close(&listener);
    return ret;
}

static int step_seccomp(struct init *in, const struct plan_step *step, struct err *e)
{
    const struct config_process *process = &in->plan->config->process;
    int ret = process->user.uid != 0 && !process->no_new_privileges ? raise_effective(e) : 0;

    return ret < 0 ? ret : load_filter(in, e);
}

static int step_capabilities(struct init *in, const struct plan_step *step, struct err *e)
{
    struct caps caps = in->plan->config->process.capabilities;

    if (in->workload.decision.is_wasm) {
        uint64_t useful = wasm_grant_capabilities(in->workload.network);
        caps.effective &= useful;
        caps.permitted &= useful;
        caps.inheritable &= useful;
        caps.ambient &= useful;
    }
    return caps_apply(&caps, e);
}

static int step_no_new_privileges(struct init *in, const struct plan_step *step, struct err *e)
{
    return sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(e, "cannot set no_new_privs") : 0;
}

/* After READY nothing of the creating process is needed any more. The FIFO is open for writing here too, so that the read
 * waits for the byte of `start` and never sees an end. */
static int step_wait(struct init *in, const struct plan_step *step, struct err *e)
{
    struct message ready = {.kind = MESSAGE_READY, .fds = {-1, -1}};
    char byte;
    ssize_t n;
    int ret = channel_send(in->channel, &ready, e);

    if (ret < 0)
        return ret;
    fd_close(&in->channel);
    in->ready = true;
    workload_leave_mounts(&in->workload);
    do
        n = read(in->start_fifo, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : err_sys(e, "cannot wait for start");
}

static int step_end(struct init *in, const struct plan_step *step, struct err *e)
{
    _exit(0);
}

static int step_execute(struct init *in, const struct plan_step *step, struct err *e)
{
    if (!in->plan->config->process.set)
        return err_set(e, EINVAL, "config.json: process: it is missing, and required to start a container");
    if (in->workload.decision.is_wasm)
        return workload_wasm_exec(in->plan->config, &in->workload, e);
    return workload_exec(in->plan->config, &in->workload, in->environment, e);
}

/* --- the run through the plan ------------------------------------------------------------------------------------------------- */

static int (*const steps[])(struct init *, const struct plan_step *, struct err *) = {
    [PLAN_SESSION] = step_session,
    [PLAN_AFFINITY] = step_affinity,
    [PLAN_ENTER] = step_enter,
    [PLAN_TERMINAL] = step_terminal,
    [PLAN_JOIN] = step_join,
    [PLAN_LOOPBACK] = step_loopback,
    [PLAN_NET_DEVICES] = step_net_devices,
    [PLAN_ROOT] = step_root,
    [PLAN_BECOME_ROOT] = step_become_root,
    [PLAN_MOUNT] = step_mount,
    [PLAN_CGROUP_NAMESPACE] = step_cgroup_namespace,
    [PLAN_CGROUP_MOUNT] = step_cgroup_mount,
    [PLAN_DEVICE] = step_device,
    [PLAN_DEVICE_LINKS] = step_device_links,
    [PLAN_CONSOLE] = step_console,
    [PLAN_RUNTIME_HOOKS] = step_runtime_hooks,
    [PLAN_CONTAINER_HOOKS] = step_container_hooks,
    [PLAN_SYSCTL] = step_sysctl,
    [PLAN_OPEN_ROOT] = step_open_root,
    [PLAN_UNMOUNT] = step_unmount,
    [PLAN_MAKE_DIRECTORY] = step_make_directory,
    [PLAN_MASK] = step_mask,
    [PLAN_READONLY_PATHS] = step_readonly_paths,
    [PLAN_ROOT_READONLY] = step_root_readonly,
    [PLAN_PIVOT] = step_pivot,
    [PLAN_MOVE_ROOT] = step_move_root,
    [PLAN_CHANGE_ROOT] = step_change_root,
    [PLAN_PROPAGATE] = step_propagate,
    [PLAN_HOSTNAME] = step_hostname,
    [PLAN_DOMAINNAME] = step_domainname,
    [PLAN_OOM_SCORE] = step_oom_score,
    [PLAN_PERSONALITY] = step_personality,
    [PLAN_SCHEDULER] = step_scheduler,
    [PLAN_IO_PRIORITY] = step_io_priority,
    [PLAN_MEMORY_POLICY] = step_memory_policy,
    [PLAN_LABELS] = step_labels,
    [PLAN_RLIMIT] = step_rlimit,
    [PLAN_BOUNDING] = step_bounding,
    [PLAN_USER] = step_user,
    [PLAN_WORKING_DIRECTORY] = step_working_directory,
    [PLAN_WORKLOAD] = step_workload,
    [PLAN_SECCOMP] = step_seccomp,
    [PLAN_CAPABILITIES] = step_capabilities,
    [PLAN_NO_NEW_PRIVILEGES] = step_no_new_privileges,
    [PLAN_WAIT] = step_wait,
    [PLAN_START_HOOKS] = step_start_hooks,
    [PLAN_EXECUTE] = step_execute,
    [PLAN_END] = step_end,
};

_Noreturn static void end(int signal)
{
    _exit(128 + signal);
}

/* Signals as a fresh process has them: what the caller blocks or ignores is not the container's business. But the first process
 * of a pid namespace ignores what it has no handler for, and a container that is not started yet shall end as the caller asks
 * all the same; execve sets these to the default again. By the kernel's own call, since the libc keeps some to itself. */
static void reset_signals(void)
{
    static const uint64_t ending = 1ull << SIGHUP | 1ull << SIGINT | 1ull << SIGQUIT | 1ull << SIGUSR1 |
                                   1ull << SIGUSR2 | 1ull << SIGALRM | 1ull << SIGTERM;
    static const uint64_t kernels_default[4]; /* SIG_DFL, no flags, no mask */
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        if (signal < 64 && (ending >> signal & 1) != 0)
            (void)!sigaction(signal, &(struct sigaction){.sa_handler = end}, NULL);
        else
            (void)!syscall(SYS_rt_sigaction, signal, kernels_default, NULL, sizeof(uint64_t));
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int take_stdio(const struct container_create *request, struct err *e)
{
    for (int i = 0; i < 3; i++)
        if (request->stdio[i] >= 0 && dup2(request->stdio[i], i) < 0)
            return err_sys(e, "cannot take descriptor %d as standard stream %d", request->stdio[i], i);
    return 0;
}

_Noreturn static void give_up(struct init *in, const struct err *e)
{
    struct message message = {.kind = MESSAGE_ERROR, .fds = {-1, -1}, .error = *e};

    if (in->ready)
        (void)!write(in->result_fifo, e, sizeof *e); /* below PIPE_BUF: whole or not at all */
    else
        (void)!channel_send(in->channel, &message, NULL);
    _exit(1);
}

void init_run(struct init *in)
{
    struct err e = {0};
    int ret;

    reset_signals();
    sched_reset_affinity();
    clearenv(); /* the runtime's environment is for its own hooks, not for those in the container */
    fd_close(&in->parent_channel);
    ret = sys.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_sys(&e, "cannot make the init undumpable") : 0;
    if (ret == 0)
        ret = take_stdio(in->request, &e);
    umask(0); /* mount points and devices get the modes that the config says */
    for (uint32_t i = 0; ret == 0 && i < in->plan->step_count; i++)
        ret = steps[in->plan->steps[i].kind](in, &in->plan->steps[i], &e);
    give_up(in, &e);
}
