/* See control.h. */
#include "oci/control.h"
#include "base/fd.h"
#include "oci/rdt.h"
#include "oci/state.h"

enum { PIDS_MORE = 64, PIDS_TRIES = 16 };

/* Reads the state of a container that has an init. */
static int read_live(const char *root, const char *id, struct arena *arena, struct state *state,
                     enum state_status *status, struct err *e)
{
    int ret = state_read(root, id, arena, state, e);

    if (ret < 0)
        return ret;
    *status = state_status(root, state);
    return *status == STATE_STOPPED || *status == STATE_CREATING ? err_set(e, ESRCH, "container not running") : 0;
}

static int set_frozen(const char *root, const char *id, bool frozen, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    enum state_status status;
    int ret = read_live(root, id, &arena, &state, &status, e);

    if (ret == 0 && !frozen && status != STATE_PAUSED && !cgroup_is_frozen(&state.cgroup))
        ret = err_set(e, EBUSY, "container not paused");
    if (ret == 0)
        ret = cgroup_freeze(&state.cgroup, frozen, e);
    arena_free(&arena);
    return ret;
}

int control_pause(const char *root, const char *id, struct err *e)
{
    return set_frozen(root, id, true, e);
}

int control_resume(const char *root, const char *id, struct err *e)
{
    return set_frozen(root, id, false, e);
}

int control_update(const char *root, const char *id, const struct config_resources *resources, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    enum state_status status;
    int ret = read_live(root, id, &arena, &state, &status, e);

    if (ret == 0)
        ret = cgroup_set(&state.cgroup, resources, e);
    arena_free(&arena);
    return ret;
}

int control_update_rdt(const char *root, const char *id, const struct config_rdt *rdt, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    enum state_status status;
    int ret = read_live(root, id, &arena, &state, &status, e);

    if (ret == 0 && !state.intel_rdt.set)
        ret = err_set(e, EINVAL, "container %s was created without linux.intelRdt, so it has no class to update", id);
    if (ret == 0) {
        cleanup_fd int resctrl = rdt_open(e);
        struct config_rdt schemata = *rdt;
        schemata.clos_id = state.intel_rdt.clos_id;
        ret = resctrl < 0 ? resctrl : rdt_update(resctrl, &schemata, id, e);
    }
    arena_free(&arena);
    return ret;
}

int control_stats(const char *root, const char *id, struct cgroup_stats *out, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    enum state_status status;
    int ret = read_live(root, id, &arena, &state, &status, e);

    if (ret == 0)
        ret = cgroup_read_stats(&state.cgroup, out, e);
    arena_free(&arena);
    return ret;
}

int control_pids(const char *root, const char *id, struct arena *arena, pid_t **out, struct err *e)
{
    struct state state;
    int ret = state_read(root, id, arena, &state, e), max = 0;

    if (ret < 0)
        return ret;
    for (int i = 0; i < PIDS_TRIES; i++) { /* there may be more of them each time we look */
        *out = arena_array(arena, pid_t, (size_t)max);
        ret = cgroup_pids(&state.cgroup, *out, (unsigned)max, e);
        if (ret <= max)
            return ret;
        max = ret + PIDS_MORE;
    }
    return err_set(e, EAGAIN, "the processes of the container change too fast to be listed");
}
