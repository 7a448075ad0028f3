/* User namespaces as the process outside makes and reads them: writing the maps of a new one, a namespace that only carries
 * the maps of an id-mapped mount, and what an id of the container's is on the host. */
#ifndef WHERRY_OCI_USERNS_H
#define WHERRY_OCI_USERNS_H

#include "base/err.h"
#include "oci/config.h"

/* Writes both maps of the new user namespace that PID is in, as an ordinary user by newuidmap and newgidmap unless he maps
 * himself alone. PID must be dumpable unless the caller is root. Returns 0 or a negative errno with *E. */
int userns_write_maps(pid_t pid, const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e);

/* A descriptor of a user namespace with these maps and nobody in it, or a negative errno with *E. */
int userns_make(const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e);

/* A descriptor of the user namespace that PID is in, or a negative errno with *E. */
int userns_open(pid_t pid, struct err *e);

/* What ID is on the host in the map FILE ("uid_map", "gid_map") of PID; -ENOENT with *E if it is not mapped. */
int userns_host_id(pid_t pid, const char *file, uint32_t id, uint32_t *host_id, struct err *e);

/* Checks that PID's maps are these; an empty list is not compared. Returns 0 or -EINVAL with *E. */
int userns_check_maps(pid_t pid, const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e);

/* Becomes user and group 0 of the own user namespace. Safe after clone. Returns 0 or a negative errno with *E. */
int userns_become_root(struct err *e);

#endif
