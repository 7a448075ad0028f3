/* "tmpcopyup": a fresh tmpfs begins with a copy of the directory that it hides. */
#ifndef WHERRY_OCI_COPY_UP_H
#define WHERRY_OCI_COPY_UP_H

#include "base/err.h"

/* Copies everything below the directory FROM into the directory TO: directories, files, links, device nodes and FIFOs,
 * with owner and mode. Sockets are left out. Both are directory descriptors (O_PATH will do); no link is followed.
 * Needs the host's /proc. Returns 0 or a negative errno with *E. */
int copy_up(int from, int to, struct err *e);

#endif
