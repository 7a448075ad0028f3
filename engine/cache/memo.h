/* The digest of a module's bytes, from memory where that is safe: hashing 10 MB costs 7 ms at every start. */
#ifndef WHERRY_ENGINE_CACHE_MEMO_H
#define WHERRY_ENGINE_CACHE_MEMO_H

#include "engine/cache/directory.h"
#include "engine/digest.h"

/* DIGEST becomes the SHA-256 of the regular file FD, *SIZE_BYTES its size. DIRECTORY: where digests are remembered; NULL: nowhere.
 * MOUNTS_OF: the process in whose mounts FD was opened (0: the caller). Returns 0 or a negative errno. */
int memo_digest(const struct cache_directory *directory, int fd, pid_t mounts_of, uint8_t digest[DIGEST_BYTES],
                uint64_t *size_bytes, struct err *err);

#endif
