/* The bundle of the one process that some pods need (pod.h): config.json and an empty root with a place for the program. */
#ifndef WHERRY_SHIM_POD_BUNDLE_H
#define WHERRY_SHIM_POD_BUNDLE_H

#include "shim/pod.h"

/* Writes pod->bundle/config.json. Returns 0 or a negative errno with *E. In workers. */
int pod_write_bundle(const struct pod *pod, struct err *e);

/* What CRI says of the pod: its user namespace, or NULL; and which namespaces it has for itself. */
const Cri__UserNamespace *pod_user_namespace(const struct pod *pod);
bool pod_shares_pid(const struct pod *pod);
bool pod_owns_ipc(const struct pod *pod);
bool pod_owns_network(const struct pod *pod);

#endif
