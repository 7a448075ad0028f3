/* wherry delete */
#include "oci/cmd.h"

int cmd_delete_container(struct cmd *cmd, const char *id, bool force)
{
    int ret = container_delete(cmd->root, id, force, &cmd->err);

    if (ret == 0)
        cmd_warn(cmd);
    return ret;
}

/* One that cannot be deleted does not keep the others. */
static int delete_matches(struct cmd *cmd, const char *pattern, bool force)
{
    struct option_texts *ids = arena_new(&cmd->arena, struct option_texts);
    int status = cmd_match(cmd, pattern, ids) < 0 ? cmd_fail(cmd, 1) : 0;

    for (unsigned i = 0; i < ids->count; i++)
        if (cmd_delete_container(cmd, ids->data[i], force) < 0)
            status = cmd_fail(cmd, 1);
    return status;
}

int cmd_delete(struct cmd *cmd, int argc, char **argv)
{
    bool force = false, regex = false;
    const struct option_spec specs[] = {
        {"force", 'f', OPTION_FLAG, &force, "kill it first if it still runs"},
        {"regex", 'r', OPTION_FLAG, &regex, "ID is a regular expression: all that it matches"},
        {0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "delete [--force] [--regex] ID", 1, 1, &status) < 0)
        return status;
    if (regex)
        return delete_matches(cmd, argv[1], force);
    return cmd_delete_container(cmd, argv[1], force) < 0 ? cmd_fail(cmd, 1) : 0;
}
