/* A running program: what its threads have in common. Each of them is an instance of the same module in a store of its
 * own (rt/store.h) over the same shared memories and the same WASI context; wasi-threads starts them.
 *
 * Whatever ends one thread by force, a trap or proc_exit, ends the process, and so does the return of the first one. */
#ifndef WHERRY_ENGINE_PROGRAM_H
#define WHERRY_ENGINE_PROGRAM_H

#include "engine/rt/store.h"
#include "engine/wasi/ctx.h"

struct program {
    const struct code *code;
    const struct grant *grant;
    struct wasi_context *wasi;
    struct external *memories; /* by import; `memory` set for the shared ones */
    uint32_t newest_thread;    /* the number given last, wrapping */
    uint32_t thread_count;     /* running, without the first */
};

/* The program of CODE with GRANT; both are borrowed for ever. Its shared memories are made in STORE, the first
 * thread's. Returns 0 or a negative errno. */
int program_init(struct program *program, struct store *store, const struct code *code, const struct grant *grant,
                 struct err *err);

/* An instance in STORE, linked, not initialised. ARTIFACT_FD: as in instance_new. Any thread. */
int program_instantiate(struct program *program, struct store *store, int artifact_fd, struct instance **out,
                        struct err *err);

/* wasi-threads' thread-spawn: starts a thread that calls wasi_thread_start(number, ARGUMENT). Returns its number, above
 * 0, or a negative WASI errno. */
int32_t program_spawn(struct program *program, uint32_t argument);

/* Whether a thread beside the first has ever been started. */
bool program_has_threads(const struct program *program);

/* Says why and where, once, and ends the process with status 134. Whoever looks after the container reads it in its
 * log, and in the file that was granted for that (Kubernetes' termination message). */
_Noreturn void program_end_by_trap(const struct program *program, const struct store *store, enum trap_kind trap);

#endif
