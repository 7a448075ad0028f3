/* wherry delete */
#include "oci/cmd.h"

int cmd_delete(struct cmd *cmd, int argc, char **argv)
{
    bool force = false;
    const struct option_spec specs[] = {{"force", 'f', OPTION_FLAG, &force, "kill it first if it still runs"},
                                        {"regex", 'r', OPTION_REFUSED, NULL, NULL},
                                        {0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "delete [--force] ID", 1, 1, &status) < 0)
        return status;
    return container_delete(cmd->root, argv[1], force, &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}
