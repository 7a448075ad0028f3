/* The source of a bind mount, opened by the runtime for the container's init.
 *
 * In a user namespace the init may not be able to reach it (a volume below a directory of root's), and nobody in there may
 * id-map a mount. So the runtime clones the tree, with its own rights and in its own mount namespace, and passes it on. One that lies below
 * the container's root is looked up where the init has mounted already. */
#ifndef WHERRY_OCI_MOUNT_SOURCE_H
#define WHERRY_OCI_MOUNT_SOURCE_H

#include "oci/plan.h"

/* An unattached tree for ENTRY in *TREE, id-mapped if that is asked for; -1 if this kernel has no such trees (before 5.2)
 * or the caller no right to them (an ordinary user), and the init has to open the source itself. PID: the init, whose user namespace the mappings may be.
 * Returns 0 or a negative errno with *E. */
int mount_source_open(const struct plan *plan, const struct mount_entry *entry, pid_t pid, int *tree, struct err *e);

#endif
