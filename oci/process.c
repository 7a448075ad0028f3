/* See process.h. */
#include "oci/process.h"
#include "base/fd.h"
#include "oci/clone.h"
#include "oci/cgroup_owner.h"
#include "oci/channel.h"
#include "oci/hook_stage.h"
#include "oci/mount_source.h"
#include "oci/net_devices.h"
#include "oci/rdt.h"
#include "oci/rlimit.h"
#include "oci/seccomp_check.h"
#include "oci/seccomp_notify.h"
#include "oci/sys.h"
#include "oci/systemd.h"
#include "oci/userns.h"
#include "oci/wasm_grant.h"
#include "wherry/cache.h"
#include "wherry/engine.h"
#include "wherry/worker.h"
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- answers to the init ---------------------------------------------------------------------------------------------- */

static int answer(int channel, int fd, struct err *e)
{
    struct message go = {.kind = MESSAGE_GO, .fds = {fd, -1}};
    return channel_send(channel, &go, e);
}

static int answer_state(int channel, const struct state *state, struct err *e)
{
    cleanup_fd int fd = hook_stage_open_state(state, STATE_CREATED, e);
    return fd < 0 ? fd : answer(channel, fd, e);
}

static int answer_hooks(int channel, const struct plan *plan, const struct state *state, struct err *e)
{
    cleanup_fd int fd = hook_stage_open_state(state, STATE_CREATED, e);
    int ret = fd < 0 ? fd : hook_stage_run(&plan->config->hooks[HOOK_PRESTART], "prestart", fd, e);

    if (ret == 0)
        ret = hook_stage_run(&plan->config->hooks[HOOK_CREATE_RUNTIME], "createRuntime", fd, e);
    return ret == 0 ? answer(channel, -1, e) : ret;
}

/* The engine's file through a read-only mount of its own, in *MOUNT: a guest that is root in there could otherwise open
 * /proc/self/exe for writing (CVE-2019-5736). Kernels before 5.12 cannot; there the rights of the file must do. */
static int open_engine(const char *libexec, int *mount, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    char path[PATH_MAX];
    int ret = libexec_find(libexec, "engine", path, sizeof path, e);

    if (ret < 0)
        return ret;
    cleanup_fd int fd = (int)sys.open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd >= 0 && sys.mount_setattr(fd, "", AT_EMPTY_PATH, &attr) == 0)
        *mount = fd_take(&fd);
    fd_close(&fd);
    /* not the mount's own descriptor: who closes that one waits */
    fd = *mount >= 0 ? (int)sys.open_tree(*mount, "", AT_EMPTY_PATH | OPEN_TREE_CLOEXEC)
                     : open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "cannot open the engine '%s'", path) : fd_take(&fd);
}

/* Whether the container's limit on its address space (its own or the caller's, which it inherits) leaves no room for guard
 * regions around a memory: then its code compares instead. */
static bool needs_explicit_checks(const struct config_process *process)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

    getrlimit(RLIMIT_AS, &limit);
    for (uint32_t i = 0; i < process->rlimit_count; i++)
        if (process->rlimits[i].resource == RLIMIT_AS)
            limit.rlim_cur = process->rlimits[i].soft;
    return limit.rlim_cur != RLIM_INFINITY && engine_needs_explicit_checks(limit.rlim_cur);
}

/* What a module needs whichever it is: so it can be made while the init still mounts. */
struct engine_start {
    bool made, answered;
    int ret; /* of making it; then err says why */
    struct err err;
    struct engine_options options;
    struct grant grant;
    int engine, mount; /* see open_engine; -1: not open */
};

static void engine_start_make(struct init *init, struct engine_start *s)
{
    const struct config *config = init->plan->config;

    s->made = true;
    s->options = (struct engine_options){.explicit_bounds_checks = needs_explicit_checks(&config->process)};
    s->ret = wasm_grant_make(init->plan, &init->arena, &s->grant, &s->err);
    if (s->ret == 0)
        s->ret = wasm_grant_compiler(config, &s->options.compiler, &s->err);
    if (s->ret == 0)
        s->ret = seccomp_check_engine(init->filter, &s->err);
    if (s->ret == 0 && (s->engine = open_engine(init->request->libexec, &s->mount, &s->err)) < 0)
        s->ret = s->engine;
    cache_expect(&(struct cache_settings){.directory = init->request->cache});
}

static void engine_start_leave(struct engine_start *s)
{
    fd_close(&s->engine);
    fd_close(&s->mount);
}

/* A guess from the name, which decides when something is made and written and nothing else: what the file is the init sees. */
static bool expects_module(const struct init *init)
{
    static const char suffix[] = ".wasm";
    const struct strings *args = &init->plan->config->process.args;
    size_t len = args->count != 0 ? strlen(args->data[0]) : 0;

    return len >= sizeof suffix && strcmp(args->data[0] + len - (sizeof suffix - 1), suffix) == 0;
}

/* What the state says of it. It was first written with the guess, which is right but for a link to something else. */
static int note_module(struct init *init, bool is_wasm, struct state *state, struct err *e)
{
    /* a further process does not make the container another */
    if (init->namespaces != NULL || state->is_wasm == is_wasm)
        return 0;
    state->is_wasm = is_wasm;
    return state_write(init->request->root, state, e);
}

static int answer_module(struct init *init, struct engine_start *start, struct state *state, pid_t pid,
                         struct message *message, struct err *e)
{
    cleanup_fd int mount = -1; /* the init lets go of it and of the engine's too, later */
    const struct cache_settings settings = {.directory = init->request->cache,
                                            .libexec = init->request->libexec,
                                            .optimizes = true,
                                            .mount_fd = &mount,
                                            .digest = init->request->module_digest,
                                            .mounts_of = init->request->module >= 0 ? 0 : pid};
    cleanup_fd int module = message->fds[0];
    cleanup_fd int artifact = -1, live = -1;
    struct message go = {.kind = MESSAGE_GO};
    int ret;

    if (module < 0)
        return err_set(e, EPROTO, "the module is missing");
    if (!start->made)
        engine_start_make(init, start);
    ret = start->ret;
    if (ret < 0)
        *e = start->err;
    if (ret == 0)
        ret = cache_open_live(module, &start->options, &settings, &artifact, &live, NULL, e);
    if (ret == 0)
        ret = engine_artifact_check_imports(artifact, &start->grant, e);
    if (ret < 0)
        return err_prefix(e, "exec: \"%s\"", message->path);
    go.fds[0] = start->engine;
    go.fds[1] = artifact;
    go.fds[2] = live >= 0 ? live : artifact;
    go.fds[3] = mount >= 0 ? mount : start->mount;
    go.fds[4] = mount >= 0 ? start->mount : -1;
    ret = channel_send(init->channel, &go, e);
    engine_start_leave(start); /* before the init does: whoever is the last waits */
    start->answered = true;
    return ret == 0 ? note_module(init, true, state, e) : ret; /* while the init goes on */
}

/* A device of config.json for a user namespace, owned by its ids. -1 where the caller may not make devices either. */
static int make_device(const struct device *wanted, pid_t pid, int *tree, struct err *e)
{
    struct device device = *wanted;
    struct err ignored;
    int ret = userns_host_id(pid, "uid_map", wanted->uid, &device.uid, e);

    if (ret == 0)
        ret = userns_host_id(pid, "gid_map", wanted->gid, &device.gid, e);
    if (ret < 0)
        return err_prefix(e, "device '%s'", wanted->path);
    *tree = dev_make_elsewhere(&device, &ignored);
    return 0;
}

static int answer_source(struct init *init, uint32_t step, pid_t pid, struct err *e)
{
    enum plan_step_kind kind = step < init->plan->step_count ? init->plan->steps[step].kind : PLAN_EXECUTE;
    cleanup_fd int tree = -1;
    int ret;

    if (kind == PLAN_DEVICE)
        ret = make_device(init->plan->steps[step].device, pid, &tree, e);
    else if (kind == PLAN_MOUNT)
        ret = mount_source_open(init->plan, init->plan->steps[step].mount, pid, &tree, e);
    else
        ret = err_set(e, EPROTO, "the container's init asked for a mount that is none");
    return ret < 0 ? ret : answer(init->channel, tree, e);
}

static int answer_mounted(struct init *init, struct state *state, struct err *e)
{
    int ret;

    state->shares_mounts = true;
    ret = state_write(init->request->root, state, e);
    return ret < 0 ? ret : answer(init->channel, -1, e);
}

/* The filter is in force in the init when its listener comes here; the agent may have to answer for it from now on. */
static int answer_listener(struct init *init, const struct state *state, struct message *message, pid_t pid,
                           struct err *e)
{
    enum state_status status = init->namespaces != NULL ? STATE_RUNNING : STATE_CREATING;
    cleanup_fd int listener = message->fds[0];
    int ret;

    if (listener < 0)
        return err_set(e, EPROTO, "the seccomp listener is missing");
    ret = seccomp_notify_agent(&init->plan->config->seccomp, state, status, pid, listener, e);
    return ret < 0 ? ret : answer(init->channel, -1, e);
}

static int answer_net_devices(struct init *init, struct message *message, pid_t pid, struct err *e)
{
    cleanup_fd int netlink = message->fds[0];
    int ret = netlink < 0 ? err_set(e, EPROTO, "the route socket is missing")
                          : net_devices_move(init->plan->config, pid, netlink, e);
    return ret < 0 ? ret : answer(init->channel, -1, e);
}

static int answer_limits(struct init *init, pid_t pid, struct err *e)
{
    const struct config_process *process = &init->plan->config->process;
    int ret = 0;

    for (uint32_t i = 0; ret == 0 && i < process->rlimit_count; i++)
        ret = rlimit_set(pid, process->rlimits[i].resource, process->rlimits[i].soft, process->rlimits[i].hard, e);
    return ret < 0 ? ret : answer(init->channel, -1, e);
}

/* Serves the init until it is ready. */
static int serve_with(struct init *init, struct engine_start *start, struct state *state, pid_t pid, struct err *e)
{
    for (;;) {
        struct message message;
        int ret = channel_receive(init->channel, &message, e);
        if (ret == 0) /* its end is closed on exec, which is what a further process ends with */
            return init->namespaces != NULL
                       ? 0
                       : err_set(e, ESHUTDOWN, "the container's init ended while it was being prepared");
        if (ret < 0)
            return ret;
        switch (message.kind) {
        case MESSAGE_READY: return 0;
        case MESSAGE_ERROR: *e = message.error; return -e->code;
        case MESSAGE_CGROUP: ret = answer(init->channel, -1, e); break; /* attached before we began to serve */
        case MESSAGE_STATE: ret = answer_state(init->channel, state, e); break;
        case MESSAGE_HOOKS: ret = answer_hooks(init->channel, init->plan, state, e); break;
        case MESSAGE_MODULE: ret = answer_module(init, start, state, pid, &message, e); break;
        case MESSAGE_SOURCE: ret = answer_source(init, (uint32_t)message.number, pid, e); break;
        case MESSAGE_MOUNTED: ret = answer_mounted(init, state, e); break;
        case MESSAGE_LISTENER: ret = answer_listener(init, state, &message, pid, e); break;
        case MESSAGE_NET_DEVICES: ret = answer_net_devices(init, &message, pid, e); break;
        case MESSAGE_LIMITS: ret = answer_limits(init, pid, e); break;
        default: ret = err_set(e, EPROTO, "the container's init sent a message that makes no sense"); break;
        }
        if (ret < 0)
            return ret;
    }
}

static int serve(struct init *init, struct state *state, pid_t pid, struct err *e)
{
    struct engine_start start = {.engine = -1, .mount = -1};
    int ret;

    if (expects_module(init))
        engine_start_make(init, &start);
    ret = serve_with(init, &start, state, pid, e);
    engine_start_leave(&start);
    return ret == 0 && !start.answered ? note_module(init, false, state, e) : ret;
}

/* --- as a whole --------------------------------------------------------------------------------------------------------- */

enum { SIBLING_END_MS = 10000 };

void process_await_end(pid_t sibling)
{
    cleanup_fd int fd = (int)sys.pidfd_open(sibling, 0); /* 5.3; before it, whoever reaps has to look twice */
    struct pollfd end = {.fd = fd, .events = POLLIN};

    while (fd >= 0 && poll(&end, 1, SIBLING_END_MS) < 0 && errno == EINTR)
        ;
}

int process_kill(const struct container_create *request, pid_t pid)
{
    int status = 0;

    kill(pid, SIGKILL);
    if (request->clone_parent)
        process_await_end(pid);
    else
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    return status;
}

/* Says what became of an init that ended by itself. */
static void explain(int status, struct err *e)
{
    if (e->code == ESHUTDOWN && WIFSIGNALED(status))
        err_set(e, ESHUTDOWN, "the container's init was killed by signal %d while it was being prepared%s",
                WTERMSIG(status), WTERMSIG(status) == SIGKILL ? " (is the memory limit too low?)" : "");
}

/* Clones the init and lets go of its end of the channel. The rest of the way is the caller's. */
static int begin(struct init *init, int *channel, pid_t *pid, struct err *e)
{
    int ends[2], ret = channel_open(ends, e);

    if (ret < 0)
        return ret;
    *channel = ends[0];
    cleanup_fd int other = ends[1];
    cleanup_fd int cgroup_fd = cgroup_clone_fd(init->cgroup);
    init->channel = other;
    init->parent_channel = *channel;
    ret = clone_run(init, cgroup_fd, pid, e);
    init->channel = *channel;
    return ret;
}

/* Pipes and sockets behind the standard streams become the container's user's, as without a user namespace; in one the init
 * cannot do it itself (init.c, give_stdio). */
static void give_stdio(const struct init *init, pid_t pid)
{
    const struct config_user *user = &init->plan->config->process.user;
    struct err ignored;
    uint32_t uid, gid;

    if (userns_host_id(pid, "uid_map", user->uid, &uid, &ignored) < 0 ||
        userns_host_id(pid, "gid_map", user->gid, &gid, &ignored) < 0)
        return; /* the init says so itself when it is to become that user */
    for (int i = 0; i < 3; i++) {
        int fd = init->request->stdio[i] >= 0 ? init->request->stdio[i] : i;
        struct stat st;
        if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
            (void)!fchown(fd, uid, gid);
    }
}

/* What can only be done once there is an init in its user namespace. */
static int prepare_user_namespace(const struct init *init, pid_t pid, struct err *e)
{
    const struct config *config = init->plan->config;

    if (!config->namespaces[NAMESPACE_USER].set)
        return 0;
    give_stdio(init, pid);
    return init->namespaces == NULL ? userns_check_maps(pid, &config->uid_mappings, &config->gid_mappings, e) : 0;
}

/* Of the user that the container's first process is, as the host counts. */
static int give_cgroup(const struct init *init, pid_t pid, struct err *e)
{
    const struct config *config = init->plan->config;
    uint32_t uid = config->process.user.uid;
    int ret = 0;

    if (!cgroup_owner_wanted(init->cgroup, config))
        return 0;
    if (config->namespaces[NAMESPACE_USER].set)
        ret = userns_host_id(pid, "uid_map", uid, &uid, e);
    return ret < 0 ? ret : cgroup_owner_set(init->cgroup, uid, e);
}

static int attach_rdt(const struct init *init, pid_t pid, struct err *e)
{
    return init->rdt < 0 ? 0 : rdt_attach(init->rdt, &init->plan->config->intel_rdt, init->request->id, pid, e);
}

int process_create(struct init *init, struct state *state, struct err *e)
{
    cleanup_fd int channel = -1;
    bool zombie;
    pid_t pid = -1;
    int ret = begin(init, &channel, &pid, e);

    if (pid < 0)
        return ret;
    state->pid = pid;
    state->start_time = state_start_time(pid, &zombie);
    if (ret == 0 && state->start_time == 0) /* without it nobody could tell later that it is this process */
        ret = err_sys(e, "cannot read when the container's init was started");
    /* Before any hook or program of the container runs: those wait for our answers. And before the init is in a v1 cgroup, where
     * for a moment, between "deny all" and what is allowed, it could not open its terminal. */
    if (ret == 0)
        ret = cgroup_make_devices(init->cgroup, &init->plan->config->resources, e);
    if (ret == 0 && !init->in_cgroup) /* the init mounts meanwhile */
        ret = cgroup_attach(init->cgroup, pid, e);
    if (init->scope != NULL)
        systemd_scope_leave(init->scope);
    if (ret == 0)
        ret = attach_rdt(init, pid, e);
    if (ret == 0)
        ret = prepare_user_namespace(init, pid, e);
    if (ret == 0)
        ret = give_cgroup(init, pid, e);
    state->is_wasm = expects_module(init);
    if (ret == 0)
        ret = state_write(init->request->root, state, e);
    if (ret == 0)
        ret = serve(init, state, pid, e);
    if (ret < 0)
        explain(process_kill(init->request, pid), e);
    return ret;
}

int process_exec(struct init *init, struct state *state, pid_t *pid, struct err *e)
{
    cleanup_fd int channel = -1;
    pid_t started = -1;
    int ret = begin(init, &channel, &started, e);

    if (started < 0)
        return ret;
    if (ret == 0 && !init->in_cgroup)
        ret = cgroup_attach(init->cgroup, started, e);
    if (ret == 0)
        ret = attach_rdt(init, started, e);
    if (ret == 0)
        ret = prepare_user_namespace(init, started, e);
    if (ret == 0)
        ret = serve(init, state, started, e);
    if (ret < 0)
        process_kill(init->request, started);
    else
        *pid = started;
    return ret;
}
