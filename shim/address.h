/* Unix socket addresses: where a shim of a group listens, and connecting to one. */
#ifndef WHERRY_SHIM_ADDRESS_H
#define WHERRY_SHIM_ADDRESS_H

#include "base/err.h"
#include <stddef.h>

enum { ADDRESS_MAX = 7 + 108 }; /* "unix://" and sun_path */

/* The address of the shim that serves GROUP of NAMESPACE under the containerd that listens at CONTAINERD_ADDRESS:
 * unix://DIRECTORY/<sha256 hex of the three joined by "/">, as all shims name theirs. Returns 0, or -ENAMETOOLONG with *E. */
int address_make(const char *directory, const char *containerd_address, const char *namespace, const char *group,
                 char out[ADDRESS_MAX], struct err *e);

/* Connects (non-blocking) to "unix://PATH" or "PATH". Returns the descriptor or a negative errno. */
int address_connect(const char *address);

/* Listens on ADDRESS: the socket 0600, its directory (made if missing) 0700. A stale socket is replaced. Returns the
 * descriptor; -EADDRINUSE when somebody answers there; or another negative errno with *E. */
int address_listen(const char *address, struct err *e);

/* The path within the address. */
const char *address_path(const char *address);

#endif
