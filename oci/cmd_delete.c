/* wherry delete */
#include "oci/cmd.h"

int cmd_delete_container(struct cmd *cmd, const char *id, bool force)
{
    int ret = container_delete(cmd->root, id, force, &cmd->err);

    if (ret == 0 && cmd->err.code != 0) {
        if (cmd->log.fd >= 0)
            log_write(&cmd->log, LOG_WARNING, "%s", cmd->err.text);
        fprintf(stderr, "wherry: warning: %s\n", cmd->err.text);
    }
    return ret;
}

int cmd_delete(struct cmd *cmd, int argc, char **argv)
{
    bool force = false;
    const struct option_spec specs[] = {{"force", 'f', OPTION_FLAG, &force, "kill it first if it still runs"},
                                        {"regex", 'r', OPTION_REFUSED, NULL, NULL},
                                        {0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "delete [--force] ID", 1, 1, &status) < 0)
        return status;
    return cmd_delete_container(cmd, argv[1], force) < 0 ? cmd_fail(cmd, 1) : 0;
}
