/* The container's control groups, on v1, hybrid (v1 with v2 beside it) and v2, told apart by file system.
 *
 * A struct cgroup is data: one entry per hierarchy with the directory of the container in it. It is found once, at
 * create, kept in the state file as (controllers, directory) pairs, and rebuilt from there by every later command, so a
 * caller that has moved to another cgroup meanwhile cannot mislead it. Nothing here runs in the container's init.
 *
 * A container without cgroups of its own (--cgroup-manager disabled) has a struct cgroup with a count of 0: it has no
 * processes that we know of, is never frozen, and takes no limits.
 *
 * A directory that is a mount point is never removed: the kernel would detach that mount in every namespace. */
#ifndef WHERRY_OCI_CGROUP_H
#define WHERRY_OCI_CGROUP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct config_resources;

enum { CGROUP_HIERARCHIES_MAX = 24 };

struct cgroup_hierarchy {
    const char *controllers; /* as mounted: "cpu,cpuacct", "name=systemd"; "" is v2 */
    const char *mount_point; /* "/sys/fs/cgroup/cpu"; NULL when rebuilt from the state file */
    const char *directory;   /* the container's, absolute on the host */
};

struct cgroup {
    bool unified;     /* v2 alone: the only entry is the v2 hierarchy, with the controllers in it */
    const char *unit; /* the systemd unit whose cgroup it is; NULL: none. Kept in the state file on its own */
    unsigned count;
    struct cgroup_hierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
};

/* --- life ---------------------------------------------------------------------------------------------------------- */

/* Finds the hierarchies of this machine and the container's place in each: CGROUPS_PATH from the root of the hierarchy
 * if absolute, else below the caller's own cgroup (v2: beside it, since a cgroup with processes can have no controllers
 * below it); without one (NULL or "") it is ID there. ".." is refused. Strings are allocated in ARENA. */
int cgroup_find(const char *cgroups_path, const char *id, struct arena *arena, struct cgroup *out, struct err *e);

/* Whether this machine has cgroup v2 alone. */
bool cgroup_host_is_unified(void);

/* Refuses cgroups that have processes in them or are frozen: somebody else's, or a start that would hang. A unit's is new,
 * or systemd would have refused it. */
int cgroup_check_unused(const struct cgroup *c, struct err *e);

/* Makes the directories, and enables on v2 the controllers on the way to them; refuses those in use. On failure nothing
 * is left. */
int cgroup_create(const struct cgroup *c, struct err *e);

/* Sets what RESOURCES (linux.resources, of create or update) has; device rules only if there are any. */
int cgroup_set(const struct cgroup *c, const struct config_resources *resources, struct err *e);

/* Both together, as create wants them, but for device rules. On failure nothing is left. */
int cgroup_make(const struct cgroup *c, const struct config_resources *resources, struct err *e);

/* The device rules of a new container, in any case: apart, since the init can already mount meanwhile. */
int cgroup_make_devices(const struct cgroup *c, const struct config_resources *resources, struct err *e);

/* Moves PID into every hierarchy. On v2 use cgroup_clone_fd with clone3 instead: it saves 11 ms. */
int cgroup_attach(const struct cgroup *c, pid_t pid, struct err *e);

/* Changes OUT, which was a copy of OWN, to the cgroup that SUB names below it: "PATH" in every hierarchy that has it
 * (at least one), "CONTROLLERS:PATH" in that of these v1 controllers. It must exist; ".." leads nowhere. Allocates in ARENA. */
int cgroup_enter_below(const struct cgroup *own, const char *sub, struct arena *arena, struct cgroup *out,
                       struct err *e);

/* A directory descriptor of the v2 cgroup for CLONE_INTO_CGROUP; -1 on v1 (hybrid: attach puts it there). */
int cgroup_clone_fd(const struct cgroup *c);

/* Freezes or thaws, waiting until it is so. */
int cgroup_freeze(const struct cgroup *c, bool frozen, struct err *e);
bool cgroup_is_frozen(const struct cgroup *c);
/* The directory that freezes it; NULL: the machine has no freezer. */
const char *cgroup_freezer_directory(const struct cgroup *c);

/* Sends SIGNAL to all processes in the cgroup and below; SIGKILL reaches also those that fork meanwhile. */
int cgroup_kill(const struct cgroup *c, int signal, struct err *e);

/* The processes in the cgroup and below: the first MAX of them. Returns how many there are or a negative errno. */
int cgroup_pids(const struct cgroup *c, pid_t *pids, unsigned max, struct err *e);

/* Stops the unit, if it is one, and removes the directories and those below. Retries while the kernel is still reaping (EBUSY), up to five seconds.
 * What is gone already is no error. */
int cgroup_remove(const struct cgroup *c, struct err *e);

/* For the state file: one line "controllers:directory" per hierarchy. Decoding allocates in ARENA; it refuses
 * directories that are not absolute or contain "..". */
void cgroup_encode(const struct cgroup *c, struct buf *out);
int cgroup_decode(const char *text, size_t len, struct arena *arena, struct cgroup *out, struct err *e);

/* --- figures ------------------------------------------------------------------------------------------------------- */

struct cgroup_stats { /* bytes, nanoseconds; what the kernel does not say is 0, limits without end UINT64_MAX */
    uint64_t cpu_total_ns, cpu_user_ns, cpu_system_ns;
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
    uint64_t memory_usage, memory_max_usage, memory_limit, memory_failures, memory_cache, memory_oom_kills;
    uint64_t swap_usage, swap_limit;
    uint64_t memory_rss, memory_inactive_file;
    uint64_t pids_current, pids_limit;
};
int cgroup_read_stats(const struct cgroup *c, struct cgroup_stats *out, struct err *e);

#endif
