/* See hook_stage.h. */
#include "oci/hook_stage.h"
#include "base/fd.h"
#include "oci/hooks.h"
#include <sys/mman.h>

enum { STATE_MAX_BYTES = 16 << 20 };

int hook_stage_open_state(const struct state *state, enum state_status status, struct err *e)
{
    cleanup_fd int fd = memfd_create("state", MFD_CLOEXEC);
    struct buf text = {0};
    int ret = 0;

    state_print(state, status, false, 0, &text);
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0)
        ret = err_sys(e, "cannot pass the container's state to its hooks");
    buf_done(&text);
    return ret < 0 ? ret : fd_take(&fd);
}

/* With ALL a hook that fails does not keep the others from running; the first failure is returned. */
static int run(const struct config_hooks *hooks, const char *stage, int state_fd, bool all, struct err *e)
{
    struct buf text = {0};
    int ret = 0;

    if (lseek(state_fd, 0, SEEK_SET) < 0 || fd_read_to_end(state_fd, &text, STATE_MAX_BYTES) < 0)
        ret = err_sys(e, "cannot read the container's state for its hooks");
    for (uint32_t i = 0; (ret == 0 || all) && i < hooks->count; i++) {
        struct err failure;
        int one = hook_run(&hooks->data[i], -1, (const char *)text.data, text.len, &failure);
        if (one < 0 && ret == 0) {
            *e = failure;
            ret = one;
            err_prefix(e, "error running %s hook #%u", stage, i);
        }
    }
    buf_done(&text);
    return ret;
}

int hook_stage_run(const struct config_hooks *hooks, const char *stage, int state_fd, struct err *e)
{
    return run(hooks, stage, state_fd, false, e);
}

int hook_stage_run_all(const struct config_hooks *hooks, const char *stage, int state_fd, struct err *e)
{
    return run(hooks, stage, state_fd, true, e);
}
