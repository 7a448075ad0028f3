/* The clone of a container's init: into new and given namespaces, and into its cgroup where the kernel can.
 *
 * Mostly one clone3 makes all namespaces. Two kinds do not go with that. A namespace belongs to the user namespace that is
 * current when it is made or joined, so a user namespace comes between those that are joined with the runtime's rights
 * and those that are to be the container's own; and a time namespace takes its offsets only while nobody is in it, so it
 * is unshared first, and only children are in it. A container with either is born by way of the stage: a process that
 * joins, makes these two, clones the init as its own sibling (CLONE_PARENT), tells its pid, and ends. */
#ifndef WHERRY_OCI_CLONE_H
#define WHERRY_OCI_CLONE_H

#include "oci/init.h"

/* Clones and, in the child, runs the init. CGROUP_FD: the v2 cgroup, -1: none; init->in_cgroup says whether the init is in
 * it. *PID is set as soon as there is an init, also on failure afterwards. Returns 0 or a negative errno with *E. */
int clone_run(struct init *init, int cgroup_fd, pid_t *pid, struct err *e);

#endif
