/* What the caller has leaked into a container's init. */
#ifndef WHERRY_OCI_INHERITED_H
#define WHERRY_OCI_INHERITED_H

#include "oci/init.h"

/* Closes every descriptor from FIRST on that the init has no use for: its caller may wait for their end (a pipe's), and
 * none of them may come into the container (CVE-2024-21626). What stays is close-on-exec. */
void inherited_close(const struct init *in, unsigned first);

#endif
