/* wherry create */
#include "oci/cmd.h"
#include "oci/rootless.h"

/* Sockets that systemd's socket activation passes to us are meant for the container. */
static unsigned count_sockets(void)
{
    const char *listen = getenv("LISTEN_FDS");
    unsigned long count = listen != NULL && listen[0] >= '0' && listen[0] <= '9' ? strtoul(listen, NULL, 10) : 0;

    return count < 1024 ? (unsigned)count : 0;
}

int cmd_create_prepare(struct cmd *cmd, struct cmd_create_options *o, const char *id)
{
    struct container_create *request = &o->request;
    const char *notify = getenv("NOTIFY_SOCKET");
    char resolved[PATH_MAX];

    if (realpath(o->bundle != NULL ? o->bundle : ".", resolved) == NULL)
        return err_sys(&cmd->err, "cannot open the bundle '%s'", o->bundle != NULL ? o->bundle : ".");
    request->root = cmd->root;
    request->id = id;
    request->bundle = arena_strdup(&cmd->arena, resolved);
    request->config = o->config;
    request->systemd_cgroup = cmd->systemd_cgroup;
    request->cgroups_disabled = cmd->cgroups_disabled;
    request->cache = rootless() ? rootless_cache_directory(&cmd->arena) : NULL;
    request->console = request->module = -1;
    for (int i = 0; i < 3; i++)
        request->stdio[i] = -1;
    request->listen_fds = count_sockets();
    request->notify = notify != NULL && notify[0] != 0;
    return 0;
}

int cmd_create_container(struct cmd *cmd, const struct container_create *request, struct state *state)
{
    int ret = container_create(request, &cmd->arena, state, &cmd->err);

    if (ret == 0)
        cmd_warn(cmd);
    return ret;
}

int cmd_create(struct cmd *cmd, int argc, char **argv)
{
    struct cmd_create_options o = {0};
    const struct option_spec specs[] = {CMD_CREATE_OPTIONS(&o), {0}};
    struct state state;
    int status, ret;

    if (cmd_options(cmd, argc, argv, specs, "create [options] ID", 1, 1, &status) < 0)
        return status;
    ret = cmd_create_prepare(cmd, &o, argv[1]);
    if (ret == 0)
        ret = cmd_create_container(cmd, &o.request, &state);
    return ret < 0 ? cmd_fail(cmd, 1) : 0;
}
