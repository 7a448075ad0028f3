/* wherry mounts: mounts of a container that runs, as crun has them. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/live_mounts.h"

enum { MOUNTS_BYTES_MAX = 1 << 20 };

int cmd_mounts(struct cmd *cmd, int argc, char **argv)
{
    const struct option_spec specs[] = {{0}};
    struct buf text = {0};
    int status, ret;

    if (cmd_options(cmd, argc, argv, specs, "mounts add|remove ID FILE", 3, 3, &status) < 0)
        return status;
    bool remove = strcmp(argv[1], "remove") == 0;
    if (!remove && strcmp(argv[1], "add") != 0) {
        err_set(&cmd->err, EINVAL, "mounts: it is add or remove, not '%s'", argv[1]);
        return cmd_fail(cmd, 1);
    }
    cleanup_fd int opened = strcmp(argv[3], "-") == 0 ? -1 : open(argv[3], O_RDONLY | O_CLOEXEC);
    int fd = strcmp(argv[3], "-") == 0 ? 0 : opened;
    if (fd < 0 || fd_read_to_end(fd, &text, MOUNTS_BYTES_MAX) < 0)
        ret = err_sys(&cmd->err, "cannot read the mounts from '%s'", argv[3]);
    else
        ret = live_mounts_change(cmd->root, argv[2], (const char *)text.data, text.len, remove, &cmd->err);
    buf_done(&text);
    return ret < 0 ? cmd_fail(cmd, 1) : 0;
}
