/* Who owns a container's cgroup (runtime-spec, config-linux, "Cgroup ownership"): on v2 the container's user, if the container has a
 * cgroup namespace and a cgroup mount that it can write to. Then it may divide what it has, and nobody's else. */
#ifndef WHERRY_OCI_CGROUP_OWNER_H
#define WHERRY_OCI_CGROUP_OWNER_H

#include "oci/cgroup.h"
#include "oci/config.h"

/* Whether CONFIG's container is to own its cgroup C. Pure. */
bool cgroup_owner_wanted(const struct cgroup *c, const struct config *config);

/* Gives the cgroup and those of its files that the kernel names for that to UID, a number of the host's. Returns 0 or a negative
 * errno with *E. */
int cgroup_owner_set(const struct cgroup *c, uid_t uid, struct err *e);

#endif
