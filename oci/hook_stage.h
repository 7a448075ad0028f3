/* All hooks of one stage, with the container's state: what stands between hooks.h (one hook) and the life of a container. */
#ifndef WHERRY_OCI_HOOK_STAGE_H
#define WHERRY_OCI_HOOK_STAGE_H

#include "base/err.h"
#include "oci/state.h"

/* The state as hooks get it, in an unnamed file that can be handed to the init. Returns a descriptor or a negative errno. */
int hook_stage_open_state(const struct state *state, enum state_status status, struct err *e);

/* Runs HOOKS one after the other with the content of STATE_FD, up to the first that fails; STAGE ("createRuntime") and its
 * number are in *E. */
int hook_stage_run(const struct config_hooks *hooks, const char *stage, int state_fd, struct err *e);

/* The same, but one that fails does not keep the others from running: what is returned is the first failure. */
int hook_stage_run_all(const struct config_hooks *hooks, const char *stage, int state_fd, struct err *e);

#endif
