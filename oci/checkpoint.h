/* checkpoint and restore: a native container's processes written to a directory of images by criu, and made again from it.
 *
 * What criu does not know is ours: which mounts, namespaces and standard streams come from outside of the container, so that
 * the restored one gets its own in their place. Streams are noted in descriptors.json among the images, as runc does. A Wasm
 * container is refused: its process is the engine with pages of the host's cache, and criu would write those instead of
 * what the module is. */
#ifndef WHERRY_OCI_CHECKPOINT_H
#define WHERRY_OCI_CHECKPOINT_H

#include "oci/criu.h"
#include "oci/state.h"

#define CHECKPOINT_STREAMS "descriptors.json"

struct init;

/* What both are told by flags; false and NULL: not given. */
struct checkpoint_options {
    const char *criu;                                     /* program; NULL: by PATH */
    const char *image_path, *work_path;                   /* absolute; work_path NULL: the images' */
    const char *parent_path;                              /* of an earlier pre-dump, relative to image_path */
    const char *manage_cgroups, *network_lock, *empty_ns; /* criu's own words */
    const char *lsm_profile, *lsm_mount_context;          /* restore */
    bool leave_running, pre_dump;                         /* checkpoint */
    bool tcp_established, tcp_close, tcp_skip_in_flight, link_remap, ext_unix_sk, shell_job, file_locks, auto_dedup;
};

/* Adds the flags that dump and restore have in common. */
void checkpoint_add_options(struct criu *criu, const struct checkpoint_options *options);

/* Writes the container's processes; unless they are left running (or only pre-dumped) they are gone, and so is the container.
 * Rules and errors as in container.h. */
int checkpoint_write(const char *root, const char *id, const struct checkpoint_options *options, struct err *e);

/* For container_create, instead of process_create: makes the processes of OPTIONS' images, in INIT's cgroups. The first of them
 * becomes our child; STATE gets its pid and is written. Returns 0 or a negative errno with *E. */
int checkpoint_restore(struct init *init, const struct checkpoint_options *options, struct state *state, struct err *e);

#endif
