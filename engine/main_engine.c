/* What the init of a Wasm container becomes: the runtime and WASI, no compiler.
 *
 * Started with the grants' flat block on ENGINE_GRANT_FD and the artifact on ENGINE_ARTIFACT_FD, its live file on ENGINE_LIVE_FD; descriptors that
 * the grants name are inherited under their numbers. argv is the container's process.args, so that ps shows them;
 * nothing is read from it, nor from the environment. */
#include "base/fd.h"
#include "base/relro.h"
#include "wherry/engine.h"
#include <sys/prctl.h>

enum {
    GRANT_BYTES_MAX = 16 << 20,
    STATUS_CANNOT_RUN = 126, /* as a shell says it */
};

/* The block stays: the grant points into it. */
static int run(struct grant *grant, struct err *err)
{
    struct buf block = {0};
    int status;

    if (fd_read_to_end(ENGINE_GRANT_FD, &block, GRANT_BYTES_MAX) != 0)
        return err_sys(err, "cannot read the grants");
    close(ENGINE_GRANT_FD);
    if ((status = grant_decode(block.data, block.len, grant, err)) != 0)
        return status;
    return engine_run(ENGINE_ARTIFACT_FD, ENGINE_LIVE_FD, grant, true, err);
}

int main(void)
{
    struct grant grant = {0};
    struct err err = {0};
    int status;

    relro_protect();
    prctl(PR_SET_DUMPABLE, 0);
    status = run(&grant, &err);
    if (status >= 0)
        return status;
    dprintf(2, "wherry: %s\n", err.text);
    if (grant.reason_fd > 0)
        dprintf(grant.reason_fd, "wherry: %s\n", err.text);
    return STATUS_CANNOT_RUN;
}
