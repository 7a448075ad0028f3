/* wherry start */
#include "oci/cmd.h"

static void await_ready(const struct state *state, struct notify *notify)
{
    if (state->is_wasm)
        notify_ready(notify, state->pid);
    else
        notify_await(notify, state->pid);
}

int cmd_start_container(struct cmd *cmd, const char *id)
{
    struct notify notify;
    struct state state;
    int ret = notify_open(cmd->root, id, getenv("NOTIFY_SOCKET"), &notify, &cmd->err);

    if (ret == 0)
        ret = container_start(cmd->root, id, &cmd->err);
    if (ret == 0 && notify.socket >= 0)
        ret = state_read(cmd->root, id, &cmd->arena, &state, &cmd->err);
    if (ret == 0 && notify.socket >= 0)
        await_ready(&state, &notify);
    notify_close(&notify);
    return ret;
}

int cmd_start(struct cmd *cmd, int argc, char **argv)
{
    const struct option_spec specs[] = {{0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "start ID", 1, 1, &status) < 0)
        return status;
    return cmd_start_container(cmd, argv[1]) < 0 ? cmd_fail(cmd, 1) : 0;
}
