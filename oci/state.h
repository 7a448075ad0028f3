/* The state of a container: one directory ROOT/ID with one small file, written at create and only replaced as a whole.
 *
 *     ROOT/ID/state.json   what struct state holds
 *     ROOT/ID/config.json  the config as it was at create: the bundle may change until an exec needs it
 *     ROOT/ID/start        FIFO on which the init waits; `start` removes it, so it is there exactly while status is created
 *     ROOT/ID/result       FIFO on which the init reports to `start` what failed after that
 *
 * The file is there before anything else outside the directory is made (cgroups, the init), and gone after it, so that a
 * runtime killed anywhere leaves what `delete` can remove.
 *
 * Whether the container runs is asked of the kernel, never stored: the init is alive if its pid still has the start time
 * that was noted, and is no zombie. Without an init it is being created, or, if its creator is gone, has stopped. Nothing is synced to the disk, because nothing of it outlives a reboot. */
#ifndef WHERRY_OCI_STATE_H
#define WHERRY_OCI_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/cgroup.h"
#include "oci/config.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_CONFIG "config.json"

enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED };

struct state {
    const char *id, *oci_version, *bundle, *rootfs; /* paths absolute */
    const char *created;                            /* RFC 3339, nanoseconds, UTC */
    uid_t owner;
    pid_t creator; /* who is making it: its pid, and when that was started */
    uint64_t creator_start_time;
    pid_t pid;                   /* of the init, in the caller's pid namespace; 0: there is none yet */
    uint64_t start_time;         /* of the init, clock ticks since boot: field 22 of /proc/PID/stat */
    bool own_pid_namespace;      /* then the death of the init ends everything else in it */
    bool is_wasm;                /* a module runs in it: known once the init has looked at its entry point */
    bool shares_mounts;          /* no mount namespace of its own: its mounts do not end with it */
    const char *mount_namespace; /* then the one that was joined; "": the runtime's */
    struct cgroup cgroup;
    struct config_rdt intel_rdt; /* set: to be removed; clos_id and enable_monitoring only */
    struct config_pairs annotations;
    struct config_hooks poststart, poststop; /* kept, because the bundle may change until they run */
};

const char *state_status_name(enum state_status status); /* "created" ... */

/* Reads ROOT/ID. Returns 0, -ENOENT if there is no such container, or another negative errno, with *E. */
int state_read(const char *root, const char *id, struct arena *arena, struct state *out, struct err *e);

/* Replaces ROOT/ID/state.json. The directory must exist. */
int state_write(const char *root, const struct state *state, struct err *e);

/* Writes ROOT/ID/config.json. */
int state_keep_config(const char *root, const char *id, const struct buf *text, struct err *e);

/* Reads what state_keep_config has written. As config_read. */
int state_read_config(const char *root, const char *id, struct arena *arena, struct config *out, struct err *e);

/* Removes ROOT/ID and the files in it. What is gone already is no error. */
int state_remove(const char *root, const char *id, struct err *e);

/* Asks the kernel. */
enum state_status state_status(const char *root, const struct state *state);

/* A pidfd of the init if it is still the process that was noted (pid numbers are reused), or a negative errno: -ESRCH. */
int state_open_pid(const struct state *state);

/* The start time of PID, 0 with errno (ENOENT, ESRCH: there is no such process); *ZOMBIE says whether it is dead but not reaped. */
uint64_t state_start_time(pid_t pid, bool *zombie);

/* Appends the runtime-spec's state, with runc's extra fields if FULL. INDENT as json_writer's. */
void state_print(const struct state *state, enum state_status status, bool full, unsigned indent, struct buf *out);

#endif
