/* wherry start */
#include "oci/cmd.h"

int cmd_start(struct cmd *cmd, int argc, char **argv)
{
    const struct option_spec specs[] = {{0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "start ID", 1, 1, &status) < 0)
        return status;
    return container_start(cmd->root, argv[1], &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}
