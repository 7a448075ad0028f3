/* `mounts add` and `mounts remove`: mounts of a container that runs.
 *
 * A short-lived process enters the container as an exec'd one does, but in none of its cgroups and with the runtime's
 * rights. So nothing there is trusted: sources are unattached trees that the runtime has opened on the host, destinations are
 * resolved inside the container's root, and all is attached by descriptor, never by a name below the container's /proc. A
 * Wasm module's grants are made when it starts; mounts would not change them and are refused. */
#ifndef WHERRY_OCI_LIVE_MOUNTS_H
#define WHERRY_OCI_LIVE_MOUNTS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Mounts the array of mounts (as in config.json) at TEXT, or with REMOVE unmounts their destinations. What has been done when
 * one fails stays. Rules and errors as in container.h. */
int live_mounts_change(const char *root, const char *id, const char *text, size_t len, bool remove, struct err *e);

#endif
