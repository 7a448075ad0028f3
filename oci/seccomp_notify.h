/* SCMP_ACT_NOTIFY: handing the listener of a filter to the seccomp agent, as the runtime-spec says (config-linux.md, "The
 * Container Process State"). */
#ifndef WHERRY_OCI_SECCOMP_NOTIFY_H
#define WHERRY_OCI_SECCOMP_NOTIFY_H

#include "oci/state.h"

/* True if a rule of PROFILE notifies, so that its filter has a listener. */
bool seccomp_notifies(const struct config_seccomp *profile);

/* Sends the listener of process PID in the container STATE to the profile's listenerPath. Returns 0 or a negative errno with
 * *E. */
int seccomp_notify_agent(const struct config_seccomp *profile, const struct state *state, enum state_status status,
                         pid_t pid, int listener, struct err *e);

#endif
