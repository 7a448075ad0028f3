/* linux.sysctl: kernel parameters of the container's own namespaces, and no others. */
#ifndef WHERRY_OCI_SYSCTL_H
#define WHERRY_OCI_SYSCTL_H

#include "base/err.h"
#include "oci/config.h"

/* Refuses keys that do not belong to a namespace which the container has for itself: they would change the host
 * (CVE-2022-0811). Only looks at namespace files that the config names. Returns 0 or -EINVAL with *E. */
int sysctl_check(const struct config *config, struct err *e);

/* Writes the keys below PROC (path_private_proc), inside the container's namespaces. 0 or a negative errno with *E. */
int sysctl_apply(int proc, const struct config_pairs *pairs, struct err *e);

#endif
