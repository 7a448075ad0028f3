/* The option strings of config.json's mounts[], as fstab and runc spell them, turned into flags. */
#ifndef WHERRY_OCI_MOUNT_OPTIONS_H
#define WHERRY_OCI_MOUNT_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOUNT_PROPAGATION_MAX = 4 };

struct mount_options {
    unsigned long flags, cleared;                     /* MS_*: asked for, and asked not to be ("suid"); never both */
    uint64_t recursive_set, recursive_clear;          /* MOUNT_ATTR_* for the whole tree ("rro"); for mount_setattr */
    unsigned long propagation[MOUNT_PROPAGATION_MAX]; /* MS_PRIVATE ..., MS_REC included; applied in this order */
    unsigned propagation_count;
    bool copy_up;     /* "tmpcopyup": a tmpfs starts with what the image has in its place */
    bool id_map;      /* "idmap": the mount is id-mapped */
    bool id_map_tree; /* "ridmap": and all below it */
    const char *data; /* what the file system itself must understand, joined by commas; "" if nothing */
};

/* Reads COUNT strings. `data` is allocated in ARENA. An option that is not in the table belongs to the file system, as
 * with mount(8). Returns 0 or -EINVAL with *E: contradictory kinds, or too much data for one page. */
int mount_options_read(const char *const *strings, size_t count, struct arena *arena, struct mount_options *out,
                       struct err *e);

/* The name of the INDEXth known option in alphabetical order, NULL behind the last: for `features`. */
const char *mount_option_name(size_t index);

/* The MOUNT_ATTR_* bits that say the same as these MS_* flags. */
uint64_t mount_attributes(unsigned long flags);

#endif
