/* The loopback interface of a new network namespace. */
#ifndef WHERRY_OCI_LOOPBACK_H
#define WHERRY_OCI_LOOPBACK_H

#include "base/err.h"

/* Sets `lo` of this process's network namespace up, as runc and crun do for a namespace they make: the runtime-spec asks for
 * nothing there, but 127.0.0.1 is expected to answer. Returns 0 or a negative errno. netdevice(7). */
int loopback_up(struct err *e);

#endif
