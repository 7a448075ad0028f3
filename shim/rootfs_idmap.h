/* A root file system in a user namespace: containerd adds uidmap=CONTAINER:HOST:SIZE and gidmap= to the options of its mount,
 * which are no options of any file system. The layers are then seen through an id-mapped mount (Linux 5.19 for overlayfs). */
#ifndef WHERRY_SHIM_ROOTFS_IDMAP_H
#define WHERRY_SHIM_ROOTFS_IDMAP_H

#include "base/arena.h"
#include "base/err.h"
#include "shim/task.pb-c.h"
#include <stdbool.h>

/* Takes the two options out of M. Where there were any, an overlay's layers are named below an id-mapped mount at
 * BUNDLE/layers, which is not needed after the overlay is mounted (rootfs_idmap_done), and the source of a bind below one
 * at the same place. *STAGED: that mount was made. Returns 0 or a negative errno with *E. */
int rootfs_idmap(Task__Mount *m, const char *bundle, struct arena *arena, bool *staged, struct err *e);
void rootfs_idmap_done(const char *bundle);

#endif
