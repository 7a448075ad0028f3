/* Making the process that becomes a container's init, and carrying out the parent's part of its preparation. */
#ifndef WHERRY_OCI_PROCESS_H
#define WHERRY_OCI_PROCESS_H

#include "oci/init.h"
#include "oci/state.h"

/* Clones the init with the plan's namespaces (and into its cgroup where the kernel can) and lets it carry out the plan, up
 * to the wait for start; meanwhile attaches it to its cgroups, writes the first state file, runs the runtime's hooks and
 * finds artifacts. STATE has everything but pid and start_time, which are filled in. On failure the init is dead and, if it
 * is our child, reaped. */
int process_create(struct init *init, struct state *state, struct err *e);

/* The same for a further process of a container (a plan of plan_exec, init->namespaces filled in): returns when its program
 * has been executed. STATE is the container's. *PID is untouched on failure, and nothing is left. */
int process_exec(struct init *init, struct state *state, pid_t *pid, struct err *e);

/* Kills the init and, if it is our child, reaps it, else waits until it can be reaped. Returns its wait status, 0 if it is not
 * ours. */
int process_kill(const struct container_create *request, pid_t pid);

/* Waits until SIBLING, which is about to end, can be reaped by our parent. It has no exit signal, so the parent looks for it
 * when we end, and only then: were it still ending, it would stay a zombie, and one in the container's pid namespace keeps
 * the container's init from ever ending. */
void process_await_end(pid_t sibling);

#endif
