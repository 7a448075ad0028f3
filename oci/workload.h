/* What a container's init becomes: a program, or wherry's engine with a module. Used by init.c, in the finished mount tree
 * and as the container's user. */
#ifndef WHERRY_OCI_WORKLOAD_H
#define WHERRY_OCI_WORKLOAD_H

#include "oci/plan.h"
#include "oci/wasm_detect.h"
#include "wherry/grant.h"
#include <limits.h>

struct workload {
    struct wasm_decision decision;
    char path[PATH_MAX];      /* of the entry point, in the container */
    int module;               /* the entry point opened for reading; -1: not Wasm, or handed on */
    int artifact, engine;     /* of a Wasm workload: what the creating process sent */
    int live;                 /* the artifact's live file, or the artifact: the engine sees that it is none */
    int mounts[2];            /* that engine and artifact are on; -1: none, or let go of already */
    int block;                /* its settings in the flat form, with descriptor numbers in it */
    int reason;               /* grant->reason_path, opened; 0: not there */
    struct grant_path *paths; /* opened; COUNT of them */
    uint32_t path_count;
    struct grant_socket *sockets; /* the same of what the module may accept on */
    uint32_t socket_count;
    bool network; /* granted to the module */
};

/* Finds process.args[0] as execvp would (PATH is the config's), and decides what it is. Errors have runc's words, which
 * managers look for: "executable file not found in $PATH", "no such file or directory", "permission denied". */
int workload_find(const struct config *config, struct workload *out, struct err *e);

/* The same for a program that is given, the module in the descriptor MODULE (which stays the caller's): process.args[0] is
 * then only its name. */
int workload_take(const struct config *config, int module, struct workload *out, struct err *e);

/* Replaces the process by the program, with ENVIRONMENT (environment.h). Returns only on failure. */
int workload_exec(const struct config *config, const struct workload *workload, char **environment, struct err *e);

/* Opens what GRANT (from wasm_grant_make) names and encodes it, with the LISTEN_FDS sockets from descriptor 3 up.
 * Descriptors are moved above those the engine expects. */
int workload_wasm_prepare(const struct grant *grant, unsigned listen_fds, struct arena *arena,
                          struct workload *workload, struct err *e);

/* Lets go of the mounts that the engine and the artifact were opened on. The kernel waits until nobody can be on his way through
 * them, so this has its place where the container waits anyway, not at execve. */
void workload_leave_mounts(struct workload *workload);

/* Replaces the process by the engine. Every descriptor but 0, 1, 2 and the engine's must be close-on-exec. Returns only on
 * failure. */
int workload_wasm_exec(const struct config *config, const struct workload *workload, struct err *e);

/* Moves *FD above the numbers that the engine expects for itself, close-on-exec. Returns 0 or a negative errno. */
int workload_move_fd(int *fd, struct err *e);

#endif
