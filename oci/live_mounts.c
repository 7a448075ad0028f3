/* See live_mounts.h. */
#include "oci/live_mounts.h"
#include "base/fd.h"
#include "oci/process.h"
#include "oci/target.h"
#include <sys/wait.h>

static int check(const char *root, const struct state *state, struct err *e)
{
    enum state_status status = state_status(root, state);

    if (status == STATE_STOPPED || status == STATE_CREATING)
        return err_set(e, ESRCH, "container not running");
    if (state->is_wasm)
        return err_set(e, ENOTSUP,
                       "a Wasm module sees the mounts that were there when its container was created, no others");
    return 0;
}

static int run(struct init *init, struct state *state, struct err *e)
{
    int status = 0, ret;
    pid_t pid;

    ret = process_exec(init, state, &pid, e);
    if (ret < 0)
        return ret;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : err_set(e, ESHUTDOWN, "the process that mounts in the container ended too early");
}

static int change_in(const struct config *config, struct state *state, const struct target *target, const char *root,
                     bool remove, struct arena *arena, struct err *e)
{
    const struct container_create request = {
        .root = root, .id = state->id, .bundle = state->bundle, .console = -1, .module = -1, .stdio = {-1, -1, -1}};
    const struct cgroup none = {0};
    struct plan plan;
    int ret = plan_live_mounts(config, state->bundle, remove, arena, &plan, e);
    struct init init = {.request = &request,
                        .plan = &plan,
                        .cgroup = &none,
                        .root = target->root,
                        .state = -1,
                        .start_fifo = -1,
                        .result_fifo = -1,
                        .console = -1,
                        .rdt = -1,
                        .namespaces = target->namespaces};

    return ret < 0 ? ret : run(&init, state, e);
}

int live_mounts_change(const char *root, const char *id, const char *text, size_t len, bool remove, struct err *e)
{
    struct target target = TARGET_NONE;
    struct arena arena = {0};
    struct config config;
    struct state state;
    int ret = state_read(root, id, &arena, &state, e);

    if (ret == 0)
        ret = check(root, &state, e);
    if (ret == 0)
        ret = state_read_config(root, id, &arena, &config, e);
    if (ret == 0)
        ret = config_parse_mounts(text, len, &arena, &config, e);
    if (ret == 0)
        ret = target_open(root, &state, &target, e);
    if (ret == 0)
        ret = change_in(&config, &state, &target, root, remove, &arena, e);
    target_close(&target);
    arena_free(&arena);
    return ret;
}
