/* SELinux and AppArmor labels: process.selinuxLabel, process.apparmorProfile.
 *
 * A label is written to the process's attr/exec and takes effect when the program is executed. The file is reached through
 * a procfs of our own, so no mount of the image can catch the write (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881). */
#ifndef WHERRY_OCI_LSM_H
#define WHERRY_OCI_LSM_H

#include "base/err.h"
#include <stdbool.h>

/* Whether this host enforces such labels at all. In the runtime's own mount namespace. */
bool lsm_has_selinux(void);
bool lsm_has_apparmor(void);

/* Refuses a label (NULL or "": none) that this host cannot enforce: running without it would be running unconfined.
 * Returns 0 or -ENOTSUP with *E. */
int lsm_check(const char *selinux_label, const char *apparmor_profile, struct err *e);

/* Sets the labels (NULL or "": none) for the next exec of the calling thread. PROC: from path_private_proc, inside the
 * container's pid namespace. Returns 0 or a negative errno with *E. */
int lsm_set(int proc, const char *selinux_label, const char *apparmor_profile, struct err *e);

#endif
