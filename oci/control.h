/* What is done to a container that runs: paused, resumed, given other limits, looked at. Library functions with the rules
 * of container.h. */
#ifndef WHERRY_OCI_CONTROL_H
#define WHERRY_OCI_CONTROL_H

#include "oci/cgroup.h"
#include "oci/config.h"

/* Freezes every process of a created or running container; thaws those of a paused one. */
int control_pause(const char *root, const char *id, struct err *e);
int control_resume(const char *root, const char *id, struct err *e);

/* Sets the limits that RESOURCES has, of a container that is not stopped. */
int control_update(const char *root, const char *id, const struct config_resources *resources, struct err *e);

/* Sets the schemata of RDT (closID and the rest of it are the container's) of a container that was created with a class. */
int control_update_rdt(const char *root, const char *id, const struct config_rdt *rdt, struct err *e);

/* The container's figures. */
int control_stats(const char *root, const char *id, struct cgroup_stats *out, struct err *e);

/* The processes of a container that is not stopped, in ARENA. Returns their number or a negative errno. */
int control_pids(const char *root, const char *id, struct arena *arena, pid_t **out, struct err *e);

#endif
