/* wherry state */
#include "base/fd.h"
#include "oci/cmd.h"

int cmd_state(struct cmd *cmd, int argc, char **argv)
{
    const struct option_spec specs[] = {{0}};
    struct buf text = {0};
    struct state state;
    int status;

    if (cmd_options(cmd, argc, argv, specs, "state ID", 1, 1, &status) < 0)
        return status;
    if (container_check_id(argv[1], &cmd->err) < 0 ||
        state_read(cmd->root, argv[1], &cmd->arena, &state, &cmd->err) < 0)
        return cmd_fail(cmd, 1);
    state_print(&state, state_status(cmd->root, &state), true, 2, &text);
    buf_put_u8(&text, '\n');
    fd_write_all(1, text.data, text.len);
    buf_done(&text);
    return 0;
}
