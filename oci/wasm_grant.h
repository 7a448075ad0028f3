/* What a Wasm container may do, from what its config grants any container: the table of docs/ARCHITECTURE.md, "Grants",
 * as code. Pure: no descriptor is opened here, and whether a bind mount is a directory or a file is asked by whoever
 * opens it. */
#ifndef WHERRY_OCI_WASM_GRANT_H
#define WHERRY_OCI_WASM_GRANT_H

#include "base/arena.h"
#include "base/buf.h"
#include "oci/plan.h"
#include "wherry/engine.h"
#include <sys/types.h>

/* Fills OUT; everything it points to lives in ARENA or in the config. Every fd is -1; paths with one to open are of kind
 * GRANT_DIRECTORY, "/" first. Returns 0 or -EINVAL with *E (a malformed annotation). */
int wasm_grant_make(const struct plan *plan, struct arena *arena, struct grant *out, struct err *e);

/* Which compiler's code annotation wherry.wasm.tier asks for; 0: the best that the cache has, and better from then on. Returns 0
 * or -EINVAL with *E. */
int wasm_grant_compiler(const struct config *config, enum engine_compiler *out, struct err *e);

/* What a path of kind GRANT_DIRECTORY becomes once MODE (st_mode) and the magic number of its file system are known: a file
 * is a GRANT_FILE; sockets, devices and the kernel's own file systems are hidden, and so are directories below /dev, where
 * only file mounts such as a termination log are seen. */
enum grant_path_kind wasm_grant_kind(const char *guest_path, mode_t mode, long file_system_magic);

/* The capabilities that can matter to a module: those of file access and, with a network, of low ports. Everything else a
 * container's root may have is of no use to WASI, only to whoever breaks out of the engine. */
uint64_t wasm_grant_capabilities(bool network);

/* One line a grant, for `wherry plan`. */
void wasm_grant_print(const struct grant *grant, struct buf *out);

#endif
