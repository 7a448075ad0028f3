/* The system calls that are left to a process once its module is about to run. */
#ifndef WHERRY_ENGINE_FILTER_H
#define WHERRY_ENGINE_FILTER_H

#include "base/err.h"
#include "engine/gen/artifact.h"

/* Allows what the runtime itself needs and what the host functions in HEADER need, and refuses everything else with
 * EPERM; among that for ever: executable mappings, new processes, execve, ptrace, io_uring. Sets no_new_privs. */
int filter_install(const struct artifact_header *header, struct err *err);

#endif
