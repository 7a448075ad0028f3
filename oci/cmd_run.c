/* wherry run: create, start, and, unless detached, stay until the program ends and end as it did. */
#include "base/fd.h"
#include "oci/cmd.h"
#include <signal.h>
#include <sys/prctl.h>

/* The service's main process is then this one. Signals are blocked: the container's messages come as SIGIO, one of them. */
static int start_foreground(struct cmd *cmd, const struct state *state, struct notify *notify)
{
    int ret = notify_open(cmd->root, state->id, getenv("NOTIFY_SOCKET"), notify, &cmd->err);

    if (ret == 0 && notify->socket >= 0 &&
        (fcntl(notify->socket, F_SETOWN, getpid()) < 0 || fcntl(notify->socket, F_SETFL, O_ASYNC | O_NONBLOCK) < 0))
        ret = err_sys(&cmd->err, "cannot listen to what the container notifies");
    if (ret == 0)
        ret = container_start(cmd->root, state->id, &cmd->err);
    if (ret == 0 && state->is_wasm)
        notify_ready(notify, getpid());
    return ret;
}

/* The error is that of start. */
static int fail_start(struct cmd *cmd, const char *id)
{
    struct err cause = cmd->err;

    container_delete(cmd->root, id, true, &cmd->err);
    cmd->err = cause;
    return cmd_fail(cmd, 1);
}

static int run_foreground(struct cmd *cmd, const struct cmd_create_options *o, const struct state *state, int master)
{
    struct notify notify;
    sigset_t signals;
    int status;

    cmd_block_signals(&signals);
    if (start_foreground(cmd, state, &notify) < 0)
        return fail_start(cmd, state->id);
    status = master >= 0 ? cmd_terminal_wait(state->pid, &signals, &notify, master)
                         : cmd_wait(state->pid, &signals, &notify);
    notify_pass(&notify, getpid()); /* its last words may have come with its end */
    notify_close(&notify);
    if (!o->keep && cmd_delete_container(cmd, state->id, true) < 0)
        return cmd_fail(cmd, 1);
    return status;
}

static int offer_terminal(struct cmd *cmd, struct container_create *request, int *own, int *theirs)
{
    int ends[2], ret = cmd_terminal_offer(ends, &cmd->err);

    if (ret < 0)
        return ret;
    *own = ends[0];
    request->console = *theirs = ends[1];
    request->plain_output = true;
    return 0;
}

int cmd_run(struct cmd *cmd, int argc, char **argv)
{
    struct cmd_create_options o = {0};
    const struct option_spec specs[] = {CMD_CREATE_OPTIONS(&o),
                                        {"detach", 'd', OPTION_FLAG, &o.detach, "do not wait"},
                                        {"keep", 0, OPTION_FLAG, &o.keep, "do not delete the container at its end"},
                                        {0}};
    cleanup_fd int own = -1, theirs = -1, master = -1;
    struct state state;
    int status, ret;

    if (cmd_options(cmd, argc, argv, specs, "run [options] ID", 1, 1, &status) < 0)
        return status;
    ret = cmd_create_prepare(cmd, &o, argv[1]);
    if (ret == 0 && !o.detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        ret = err_sys(&cmd->err, "cannot become a subreaper");
    if (ret == 0 && !o.detach && o.request.console_socket == NULL)
        ret = offer_terminal(cmd, &o.request, &own, &theirs);
    if (ret == 0)
        ret = cmd_create_container(cmd, &o.request, &state);
    if (ret != 0)
        return cmd_fail(cmd, 1);
    master = own >= 0 ? cmd_terminal_take(own) : -1;
    if (!o.detach)
        return run_foreground(cmd, &o, &state, master);
    return cmd_start_container(cmd, state.id) < 0 ? fail_start(cmd, state.id) : 0;
}
