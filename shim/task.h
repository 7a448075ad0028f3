/* The methods of containerd.task.v2.Task and containerd.task.v3.Task. */
#ifndef WHERRY_SHIM_TASK_H
#define WHERRY_SHIM_TASK_H

#include "shim/server.h"

/* For struct server; the context is a struct shim. */
extern const struct method task_methods[];
bool task_has_service(const char *name);

#endif
