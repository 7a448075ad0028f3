/* mounts[] entries of type "cgroup": the container's view of its own control groups. */
#ifndef WHERRY_OCI_MOUNT_CGROUP_H
#define WHERRY_OCI_MOUNT_CGROUP_H

#include "base/err.h"
#include "oci/cgroup.h"
#include "oci/mount.h"
#include <limits.h>
#include <stdbool.h>

/* Mounts the cgroups C (as cgroup_make filled it in) at ENTRY's destination below ROOT. v2: the container's own cgroup
 * if it has a cgroup namespace (OWN_NAMESPACE), else the host's tree, as runc shows it. v1: a tmpfs with one directory
 * per hierarchy. Everything is bound, never mounted anew: mounting cgroup2 from the initial cgroup namespace waits 11 ms
 * for RCU, and a bind looks the same from inside. Returns 0 or a negative errno with *E. */
int mount_cgroup(int root, const struct mount_entry *entry, bool own_namespace, const struct cgroup *c, struct err *e);

/* What it binds, for who must name it: the INDEXth directory of the host's, and into PATH where in the container it is when the
 * mount's destination is DESTINATION. NULL behind the last. */
const char *mount_cgroup_bound(const struct cgroup *c, bool own_namespace, const char *destination, unsigned index,
                               char path[PATH_MAX]);

#endif
