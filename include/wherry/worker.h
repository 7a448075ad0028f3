/* The helper programs in libexec/wherry, and the compile worker among them. */
#ifndef WHERRY_WORKER_H
#define WHERRY_WORKER_H

#include "base/err.h"
#include "wherry/engine.h"
#include <stddef.h>
#include <stdint.h>

/* Writes the path of the helper PROGRAM ("engine", "compile", "system") to PATH: in DIRECTORY, or, when that is
 * NULL, in libexec/wherry beside the running program or beside its folder (found by /proc/self/exe, never by PATH or
 * environment). Returns 0 or a negative errno. */
int libexec_find(const char *directory, const char *program, char *path, size_t path_bytes, struct err *err);

struct compile_request {
    const uint8_t *key; /* SHA-256 of the module, 32 bytes */
    const struct engine_options *options;
    const char *libexec;   /* as DIRECTORY above */
    uint64_t memory_bytes; /* address space that the worker may have; 0: 8 GiB */
    unsigned cpu_seconds;  /* 0: 300 */
    unsigned slot;         /* which of the workers' cgroups */
    bool background;       /* nobody waits for it: the cgroup of those instead, which yields to everything else */
    void (*progress)(void *context, uint64_t done, uint64_t total); /* may be NULL */
    void *progress_context;
};

/* Compiles the module in MODULE_FD in the compile worker, which writes the artifact to OUT_FD, an empty file. The worker
 * sees these two descriptors and nothing else, and is gone when this returns. MODULE_FD should be an immutable copy
 * (a sealed memfd): what the key names and what is compiled must be the same bytes. Returns 0 or a negative errno:
 * engine_compile's; -ENOMEM or -ETIME when it would take more than it may; -ECANCELED when somebody killed the worker;
 * -EIO when it died of a bug. */
int compile_artifact(const struct compile_request *request, int module_fd, int out_fd, struct err *err);

#endif
