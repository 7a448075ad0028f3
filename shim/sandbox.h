/* The sandbox service of containerd 2.x (containerd.runtime.sandbox.v1.Sandbox, `sandboxer = "shim"`): the shim is the pod,
 * and containerd starts no pause container. What makes the pod is in pod.h. */
#ifndef WHERRY_SHIM_SANDBOX_H
#define WHERRY_SHIM_SANDBOX_H

#include "shim/server.h"

struct sandbox;
struct shim;

/* For struct server; the context is a struct shim. */
extern const struct method sandbox_methods[];
bool sandbox_has_service(const char *name);

/* The directory with the files of the shim's pod, or NULL where containerd makes the pod. */
const char *sandbox_bundle(const struct sandbox *sandbox);

#endif
