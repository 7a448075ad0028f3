/* process.rlimits. */
#ifndef WHERRY_OCI_RLIMIT_H
#define WHERRY_OCI_RLIMIT_H

#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

/* Reads "RLIMIT_NOFILE". Returns the number for setrlimit, or -1 if it is no resource of Linux. */
int rlimit_resource(const char *name);

/* Sets one limit of process PID, 0: the calling one. Returns 0 or a negative errno with *E. */
int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard, struct err *e);

#endif
