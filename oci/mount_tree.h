/* A file system as an unattached mount, made without a name in any tree: what a container that runs has at /proc/self/fd is
 * its own affair, and mount(2) would have to go by it. */
#ifndef WHERRY_OCI_MOUNT_TREE_H
#define WHERRY_OCI_MOUNT_TREE_H

#include "oci/mount.h"

/* The file system of ENTRY, which is no bind mount, with its flags, options and label. Needs Linux 5.2. Returns a descriptor for
 * mount_entry.tree, or a negative errno with *E. */
int mount_tree_make(const struct mount_entry *entry, struct err *e);

#endif
