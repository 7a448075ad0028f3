/* A runtime without the host root's rights: an ordinary user, or "root" of a user namespace (what podman makes for one). */
#ifndef WHERRY_OCI_ROOTLESS_H
#define WHERRY_OCI_ROOTLESS_H

#include "base/arena.h"
#include <stdbool.h>

bool rootless(void);

/* Where such a runtime keeps its states: XDG_RUNTIME_DIR/wherry; NULL without that variable. In ARENA. */
const char *rootless_state_directory(struct arena *arena);

/* And its caches, private to the user: XDG_CACHE_HOME/wherry, HOME/.cache/wherry, or, for a manager that passes neither on,
 * XDG_RUNTIME_DIR/wherry-cache; NULL without any of the three. In ARENA. */
const char *rootless_cache_directory(struct arena *arena);

#endif
