/* process.user: who the process runs as. */
#ifndef WHERRY_OCI_USER_H
#define WHERRY_OCI_USER_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Becomes UID:GID with exactly the COUNT additional GROUPS. MAY_SET_GROUPS is false in a user namespace whose setgroups
 * is "deny"; additional groups are then an error. Returns 0 or a negative errno with *E. */
int user_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count, bool may_set_groups, struct err *e);

/* Reads "UID[:GID]" of exec --user. Decimal numbers of the kernel's range only: no sign, no blank, nothing behind
 * (CVE-2026-30892, CVE-2024-40635). HAS_GID says whether a group was given. Returns 0 or -EINVAL with *E. */
int user_read(const char *text, uid_t *uid, gid_t *gid, bool *has_gid, struct err *e);

#endif
