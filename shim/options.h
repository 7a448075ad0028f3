/* Runtime options of a containerd handler: `runc` options, or the generic ones whose body is the TOML table of the
 * handler's `options` section (which is how `SystemdCgroup = true` arrives for any runtime not called runc). */
#ifndef WHERRY_SHIM_OPTIONS_H
#define WHERRY_SHIM_OPTIONS_H

#include "base/err.h"
#include "shim/rpc.pb-c.h"
#include <stdbool.h>
#include <limits.h>

struct options {
    bool no_pivot_root, no_new_keyring, systemd_cgroup;
    char shim_cgroup[256]; /* "": none */
    char root[256];        /* where the state of containers is kept; "": the default */
    unsigned io_uid, io_gid;
};

/* Reads ANY (NULL or empty: the defaults). Options that mean nothing here (BinaryName, Criu...) are passed over, as are
 * unknown ones: the table belongs to the user's configuration and may be newer than we are. Returns 0, or -EINVAL with *E
 * for an unknown message type, a broken message or a value of the wrong type. */
int shim_options_read(const Rpc__Any *any, struct options *out, struct err *e);

#endif
