/* Mounting one entry of config.json's mounts[] below a container's root, and the few operations on mounts that masked
 * paths, devices and the root itself share.
 *
 * All of it happens in the container's mount namespace before pivot_root, while the host's /proc is still there. A mount
 * point is first resolved inside the root to a descriptor (path.h), then mounted on through that descriptor, so nobody
 * can swap the name in between (CVE-2021-30465). New-API calls (open_tree, move_mount, 5.2; mount_setattr, 5.12) are
 * used where they save a second look-up by name; mount(2) replaces them on older kernels. */
#ifndef WHERRY_OCI_MOUNT_H
#define WHERRY_OCI_MOUNT_H

#include "base/err.h"
#include "oci/mount_options.h"

struct config_id_maps;
struct config_mount;

struct mount_entry {
    const char *destination; /* inside the root */
    const char *type;        /* file system; ignored for a bind mount; may be NULL */
    const char *source;      /* of a bind mount: a path in the current mount namespace; else passed to the kernel */
    int tree;                /* an unattached tree (open_tree with OPEN_TREE_CLONE) to attach instead; -1: none */
    bool id_mapped;          /* by the mappings below; NULL: those of the container's user namespace */
    const struct config_id_maps *uid_mappings, *gid_mappings;
    const char *label; /* SELinux context for the new file system; NULL: none */
    const struct mount_options *options;
};

/* Mounts ENTRY below ROOT, making the mount point. Refuses what would hide part of /proc (CVE-2019-19921) and a /proc or
 * /sys that is reached through a link (CVE-2023-27561). Returns 0 or a negative errno with *E. */
int mount_apply(int root, const struct mount_entry *entry, struct err *e);

/* Mounts a file system of TYPE on what the O_PATH descriptor TARGET refers to. DATA: its options, "" if none. */
int mount_filesystem(const char *source, int target, const char *type, unsigned long flags, const char *data,
                     struct err *e);

/* Adds the SELinux context LABEL (NULL: none) to the options DATA of a file system, a buffer of DATA_BYTES. Returns 0, or
 * -EINVAL with *E: it has no room. */
int mount_put_label(const char *label, char *data, size_t data_bytes, struct err *e);

/* Binds what SOURCE refers to (and, if TREE, the mounts below it) onto TARGET, which was opened as PATH below ROOT.
 * Returns a descriptor of the new mount, or a negative errno with *E. */
int mount_bind(int source, bool tree, int root, const char *path, int target, struct err *e);

/* Sets and clears MS_* flags of the mount whose root MOUNT refers to; other flags stay. 0 or a negative errno with *E. */
int mount_change(int mount, unsigned long set, unsigned long clear, struct err *e);

/* Opens the root of what was just mounted at PATH below ROOT; refuses anything that is not the root of a mount. */
int mount_reopen(int root, const char *path, struct err *e);

/* Applies the options of O that can only be applied to a mount that exists: flags of a bind mount (if BIND), those for
 * the tree, propagation. */
int mount_finish(int mount, const struct mount_options *o, bool bind, struct err *e);

/* Unmounts what is mounted at DESTINATION below ROOT, which is resolved inside it but for its last name: that must be the mount
 * point itself. Changes the working directory. Returns 0 or a negative errno with *E. */
int mount_remove(int root, const char *destination, struct err *e);

/* True for an entry that binds something rather than mounting a file system. */
bool mount_is_bind(const struct mount_entry *entry);

/* The same for a mount of the config, by its type or options. */
bool mount_binds(const struct config_mount *mount);

/* True for one of type "cgroup" or "cgroup2". */
bool mount_is_cgroup(const struct config_mount *mount);

/* Reads linux.rootfsPropagation ("rslave"). Returns MS_* flags, or 0 if it is none of the eight names. */
unsigned long mount_propagation(const char *name);

#endif
