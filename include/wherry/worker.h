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

/* Compiles the module in MODULE_FD (whose SHA-256 is KEY) in the compile worker, which writes the artifact to
 * OUT_FD, an empty file. The worker sees these two descriptors and nothing else, and is gone when this returns.
 * MODULE_FD should be an immutable copy (a sealed memfd): what the key names and what is compiled must be the same
 * bytes. LIBEXEC: as DIRECTORY above. Returns 0 or a negative errno: engine_compile's, or -EIO when the worker died. */
int compile_artifact(int module_fd, const uint8_t key[32], const struct engine_options *options, int out_fd,
                     const char *libexec, struct err *err);

#endif
