/* Loggers: a program that containerd's client names by binary:///PATH?KEY=VALUE for a container's output.
 *
 * It is run with KEY VALUE... as arguments, CONTAINER_ID and CONTAINER_NAMESPACE as its environment, the container's stdout
 * on descriptor 3, its stderr on 4, and says on 5 that it is ready: by closing it, or, for binary-v2://, by a byte before. It
 * ends at the end of both streams. The shim does not end it: what the container wrote last is still on its way then. */
#ifndef WHERRY_SHIM_LOGGER_H
#define WHERRY_SHIM_LOGGER_H

#include "base/err.h"
#include <stdbool.h>

bool logger_is_named(const char *uri);

/* Starts the logger of the process ID in NAMESPACE, a child of the caller. OUT[0], OUT[1]: the writing ends for stdout and
 * stderr; *READY is for logger_wait. All close-on-exec and the caller's. Returns 0 or a negative errno with *E. */
int logger_start(const char *uri, const char *id, const char *namespace, int out[2], int *ready, struct err *e);

/* Waits until the logger URI is ready, ten seconds at most. Blocks. Returns 0 or a negative errno with *E. */
int logger_wait(const char *uri, int ready, struct err *e);

#endif
