/* The root file system of a bundle, from the mounts that containerd names. For workers only. */
#ifndef WHERRY_SHIM_ROOTFS_H
#define WHERRY_SHIM_ROOTFS_H

#include "base/arena.h"
#include "base/err.h"
#include "shim/task.pb-c.h"

/* Mounts create->rootfs at BUNDLE/rootfs; the working directory is "/" afterwards. Returns 0 or a negative errno with *E;
 * what was mounted until then stays. */
int rootfs_mount(const Task__CreateRequest *create, struct arena *arena, struct err *e);

/* Unmounts everything at BUNDLE/rootfs. Returns 0 or a negative errno with *E. */
int rootfs_unmount(const char *bundle, struct err *e);

/* The length of the directory, its "/" included, in which all of the LAYERS "A:B:C" lie. */
size_t rootfs_common_directory(const char *layers);

#endif
