/* wherry features: what this runtime can do, for managers (features.h). */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/features.h"

int cmd_features(struct cmd *cmd, int argc, char **argv)
{
    const struct option_spec specs[] = {{0}};
    struct buf text = {0};
    int status;

    if (cmd_options(cmd, argc, argv, specs, "features", 0, 0, &status) < 0)
        return status;
    features_write(&text, 2);
    buf_put_u8(&text, '\n');
    fd_write_all(1, text.data, text.len);
    buf_done(&text);
    return 0;
}
