/* wherry pause, wherry resume */
#include "oci/cmd.h"
#include "oci/control.h"

int cmd_pause(struct cmd *cmd, int argc, char **argv)
{
    static const struct option_spec none[] = {{0}};
    int status;

    if (cmd_options(cmd, argc, argv, none, "pause ID", 1, 1, &status) < 0)
        return status;
    return control_pause(cmd->root, argv[1], &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}

int cmd_resume(struct cmd *cmd, int argc, char **argv)
{
    static const struct option_spec none[] = {{0}};
    int status;

    if (cmd_options(cmd, argc, argv, none, "resume ID", 1, 1, &status) < 0)
        return status;
    return control_resume(cmd->root, argv[1], &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}
