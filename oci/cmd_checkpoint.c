/* wherry checkpoint, wherry restore: with runc's and crun's flags. */
#include "oci/checkpoint.h"
#include "oci/cmd.h"
#include <sys/prctl.h>

#define COMMON_OPTIONS(o)                                                                                              \
    {"image-path", 0, OPTION_TEXT, &(o).image_path, "directory of the images (default: checkpoint)"},                  \
        {"work-path", 0, OPTION_TEXT, &(o).work_path, "directory of criu's log (default: that of the images)"},        \
        {"tcp-established", 0, OPTION_FLAG, &(o).tcp_established, "with open TCP connections"},                        \
        {"ext-unix-sk", 0, OPTION_FLAG, &(o).ext_unix_sk, "with sockets connected to others'"},                        \
        {"shell-job", 0, OPTION_FLAG, &(o).shell_job, "with a session that begins outside of the container"},          \
        {"link-remap", 0, OPTION_FLAG, &(o).link_remap, "with files that have no name any more"},                      \
        {"file-locks", 0, OPTION_FLAG, &(o).file_locks, "with file locks"},                                            \
        {"manage-cgroups-mode", 0, OPTION_TEXT, &(o).manage_cgroups, "criu's: soft, full, strict, ignore ..."},        \
        {"empty-ns", 0, OPTION_TEXT, &(o).empty_ns, "leave a namespace's content out (network)"},                      \
        {"network-lock", 0, OPTION_TEXT, &(o).network_lock, "criu's: iptables, nftables, skip"},                       \
        {"auto-dedup", 0, OPTION_FLAG, &(o).auto_dedup, "drop pages of earlier images that are not needed"},           \
    {                                                                                                                  \
        "lazy-pages", 0, OPTION_REFUSED, NULL, NULL                                                                    \
    }

static void complete(struct cmd *cmd, struct checkpoint_options *o)
{
    o->criu = cmd->criu;
    o->image_path = cmd_absolute(cmd, o->image_path != NULL ? o->image_path : "checkpoint");
    o->work_path = cmd_absolute(cmd, o->work_path);
}

int cmd_checkpoint(struct cmd *cmd, int argc, char **argv)
{
    struct checkpoint_options o = {0};
    const struct option_spec specs[] = {
        COMMON_OPTIONS(o),
        {"parent-path", 0, OPTION_TEXT, &o.parent_path, "images of an earlier pre-dump, relative to the image path"},
        {"leave-running", 'R', OPTION_FLAG, &o.leave_running, "the container goes on"},
        {"pre-dump", 0, OPTION_FLAG, &o.pre_dump, "only its memory, and it goes on"},
        {"tcp-skip-in-flight", 0, OPTION_FLAG, &o.tcp_skip_in_flight, "without TCP connections that are being made"},
        {"page-server", 0, OPTION_REFUSED, NULL, NULL},
        {"status-fd", 0, OPTION_REFUSED, NULL, NULL},
        {0}};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "checkpoint [options] ID", 1, 1, &status) < 0)
        return status;
    complete(cmd, &o);
    return checkpoint_write(cmd->root, argv[1], &o, &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}

static int wait_for(struct cmd *cmd, const struct state *state, bool keep)
{
    sigset_t signals;
    int status;

    cmd_block_signals(&signals);
    status = cmd_wait(state->pid, &signals, &NOTIFY_NONE);
    return !keep && cmd_delete_container(cmd, state->id, true) < 0 ? cmd_fail(cmd, 1) : status;
}

int cmd_restore(struct cmd *cmd, int argc, char **argv)
{
    struct cmd_create_options create = {0};
    struct checkpoint_options o = {0};
    const struct option_spec specs[] = {
        CMD_CREATE_OPTIONS(&create),
        COMMON_OPTIONS(o),
        {"tcp-close", 0, OPTION_FLAG, &o.tcp_close, "with its TCP connections closed"},
        {"lsm-profile", 0, OPTION_TEXT, &o.lsm_profile, "TYPE:NAME of the security module's profile"},
        {"lsm-mount-context", 0, OPTION_TEXT, &o.lsm_mount_context, "SELinux context of its mounts"},
        {"detach", 'd', OPTION_FLAG, &create.detach, "do not wait"},
        {"keep", 0, OPTION_FLAG, &create.keep, "do not delete the container at its end"},
        {0}};
    struct state state = {0};
    int status, ret;

    if (cmd_options(cmd, argc, argv, specs, "restore [options] ID", 1, 1, &status) < 0)
        return status;
    complete(cmd, &o);
    ret = cmd_create_prepare(cmd, &create, argv[1]);
    create.request.restore = &o;
    create.request.notify = false;
    if (ret == 0 && !create.detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        ret = err_sys(&cmd->err, "cannot become a subreaper");
    if (ret == 0)
        ret = container_create(&create.request, &cmd->arena, &state, &cmd->err);
    if (ret < 0)
        return cmd_fail(cmd, 1);
    return create.detach ? 0 : wait_for(cmd, &state, create.keep);
}
