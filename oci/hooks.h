/* Running one hook of the config. */
#ifndef WHERRY_OCI_HOOKS_H
#define WHERRY_OCI_HOOKS_H

#include "base/err.h"
#include "oci/config.h"

/* Runs HOOK in the caller's namespaces with the LEN bytes of STATE (the state's JSON) on its standard input and DIRECTORY
 * (a descriptor; -1: the caller's) as its working directory, and waits for it, at most its timeout. Its environment is
 * exactly the config's; without one there, the caller's (as with runc). Standard input is a file, not a pipe: a hook that does not read it cannot hurt us (SIGPIPE) or
 * block. Returns 0; -ETIMEDOUT, -ECHILD (it failed) or another negative errno with *E, which ends with what the hook
 * printed. */
int hook_run(const struct config_hook *hook, int directory, const char *state, size_t len, struct err *e);

#endif
