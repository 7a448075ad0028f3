/* See exec.h. The init of create is used as it is: an exec is a plan with other steps (plan_exec), carried out by init.c. */
#include "oci/exec.h"
#include "base/fd.h"
#include "oci/container.h"
#include "oci/lsm.h"
#include "oci/process.h"
#include "oci/rdt.h"
#include "oci/seccomp.h"
#include "oci/socket.h"
#include "oci/target.h"

static int check_status(const struct container_exec *request, const struct state *state, struct err *e)
{
    enum state_status status = state_status(request->root, state);

    if (status == STATE_STOPPED || status == STATE_CREATING)
        return err_set(e, ESRCH, "cannot exec in a stopped container: container not running");
    if (cgroup_is_frozen(&state->cgroup) && !request->ignore_paused)
        return err_set(e, EBUSY, "cannot exec in a paused container (use --ignore-paused to override)");
    return 0;
}

static int connect_console(const struct container_exec *request, int *console, struct err *e)
{
    bool given = request->console_socket != NULL || request->console >= 0;

    if (!request->process->terminal && request->console_socket != NULL)
        return err_set(e, EINVAL, "--console-socket is of use only with process.terminal");
    if (request->process->terminal && !given)
        return err_set(e, EINVAL, "process.terminal: a terminal needs --console-socket when the runtime does not stay");
    if (!request->process->terminal)
        return 0;
    if (request->console < 0)
        *console = socket_connect(request->console_socket, "console socket", e);
    else if ((*console = fcntl(request->console, F_DUPFD_CLOEXEC, 3)) < 0)
        return err_sys(e, "cannot use the console socket");
    return *console < 0 ? *console : 0;
}

static void as_create(const struct container_exec *request, const struct state *state, struct container_create *out)
{
    *out = (struct container_create){
        .root = request->root,
        .id = request->id,
        .bundle = state->bundle,
        .console = -1,
        .plain_output = request->plain_output,
        .module = request->module,
        .module_digest = request->module_digest,
        .stdio = {request->stdio[0], request->stdio[1], request->stdio[2]},
        .preserve_fds = request->preserve_fds,
        .clone_parent = request->clone_parent,
        .cgroups_disabled = state->cgroup.count == 0,
        .libexec = request->libexec,
        .cache = request->cache,
    };
}

static int choose_cgroup(const struct container_exec *request, const struct cgroup *own, struct arena *arena,
                         struct cgroup *out, struct err *e)
{
    for (unsigned i = 0; i < request->cgroups.count; i++) {
        int ret = cgroup_enter_below(own, request->cgroups.data[i], arena, out, e);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int exec_in(const struct container_exec *request, const struct config *config, struct state *state,
                   struct arena *arena, const struct target *target, pid_t *pid, struct err *e)
{
    struct container_create create;
    struct plan plan;
    struct buf filter = {0};
    struct cgroup cgroup = state->cgroup;
    cleanup_fd int rdt = -1;
    int console = -1, ret = plan_exec(config, state->bundle, arena, &plan, e);

    as_create(request, state, &create);
    if (ret == 0 && config->seccomp.set)
        ret = seccomp_prepare(&config->seccomp, request->libexec, request->cache, &filter, e);
    if (ret == 0)
        ret = choose_cgroup(request, &state->cgroup, arena, &cgroup, e);
    if (ret == 0 && config->intel_rdt.set)
        ret = rdt = rdt_open(e);
    if (ret >= 0)
        ret = connect_console(request, &console, e);
    struct init init = {.request = &create,
                        .plan = &plan,
                        .cgroup = &cgroup,
                        .filter = &filter,
                        .root = target->root,
                        .state = -1,
                        .start_fifo = -1,
                        .result_fifo = -1,
                        .console = console,
                        .rdt = rdt,
                        .namespaces = target->namespaces};
    if (ret == 0)
        ret = process_exec(&init, state, pid, e);
    fd_close(&console);
    arena_free(&init.arena);
    buf_done(&filter);
    return ret;
}

static int announce(const struct container_exec *request, pid_t pid, struct err *e)
{
    int ret = request->pid_file != NULL ? container_write_pid_file(request->pid_file, pid, e) : 0;

    if (ret == 0 && request->pidfd_socket != NULL)
        ret = container_send_pidfd(request->pidfd_socket, pid, e);
    if (ret < 0)
        process_kill(&(struct container_create){.clone_parent = request->clone_parent}, pid);
    return ret;
}

int container_exec(const struct container_exec *request, pid_t *pid, struct err *e)
{
    struct arena arena = {0};
    struct config config;
    struct state state;
    struct target target = TARGET_NONE;
    int ret = state_read(request->root, request->id, &arena, &state, e);

    if (ret == 0)
        ret = check_status(request, &state, e);
    if (ret == 0)
        ret = state_read_config(request->root, request->id, &arena, &config, e);
    if (ret == 0) {
        config.process = *request->process;
        ret = target_open(request->root, &state, &target, e);
    }
    if (ret == 0)
        ret = exec_in(request, &config, &state, &arena, &target, pid, e);
    if (ret == 0)
        ret = announce(request, *pid, e);
    target_close(&target);
    arena_free(&arena);
    return ret;
}

int exec_default_process(const char *root, const char *id, struct arena *arena, struct config_process *out,
                         struct err *e)
{
    struct state state;
    struct config config;
    int ret = state_read(root, id, arena, &state, e);

    if (ret == 0)
        ret = state_read_config(root, id, arena, &config, e);
    if (ret == 0)
        *out = config.process;
    return ret;
}
