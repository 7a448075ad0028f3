/* The container's root: made a mount of its own, covered and made read-only where the config says so, entered. */
#ifndef WHERRY_OCI_ROOTFS_H
#define WHERRY_OCI_ROOTFS_H

#include "base/err.h"
#include <stddef.h>

/* Detaches the new mount namespace from its parent's events, as PROPAGATION says (MS_* flags of linux.rootfsPropagation;
 * 0: MS_SLAVE | MS_REC), and binds the directory PATH (absolute) onto itself, so that it can become the root. Returns an O_PATH
 * descriptor of the new root, through which everything below is reached from now on, or a negative errno with *E. */
int rootfs_prepare(const char *path, unsigned long propagation, struct err *e);

/* The same in a mount namespace that is not the container's alone: no event of it is detached, only what is mounted on the
 * new root is private. What it leaves behind is removed by rootfs_unmount_shared. */
int rootfs_prepare_shared(const char *path, struct err *e);

/* Unmounts what rootfs_prepare_shared has bound at PATH, in the mount namespace of the file NAMESPACE; NULL: the own one. */
int rootfs_unmount_shared(const char *path, const char *namespace, struct err *e);

/* Covers each of COUNT paths below ROOT that exists: a directory with an empty read-only tmpfs (of the SELinux context
 * LABEL, if not NULL), anything else with the null device. Returns 0 or a negative errno with *E. */
int rootfs_mask(int root, const char *const *paths, size_t count, const char *label, struct err *e);

/* Makes each of COUNT paths below ROOT that exists read-only, whatever is mounted below it included. */
int rootfs_make_readonly(int root, const char *const *paths, size_t count, struct err *e);

/* Makes the root mount itself read-only (root.readonly). */
int rootfs_readonly(int root, struct err *e);

/* Makes ROOT the root of the mount namespace and the working directory "/", and lets go of the old root; with
 * rootfs_move by MS_MOVE and chroot, for a host whose root is a ramdisk, where pivot_root cannot work (--no-pivot). */
int rootfs_pivot(int root, struct err *e);
int rootfs_move(int root, struct err *e);

/* Makes ROOT the root of this process and its children only. */
int rootfs_change(int root, struct err *e);

/* Sets the propagation of "/" after it was entered: the part of linux.rootfsPropagation that concerns the container. */
int rootfs_propagate(unsigned long propagation, struct err *e);

#endif
