/* SHA-256 by nettle: 36 KB of a static program and nothing at its start, where libcrypto brings 4.7 MB and 1.4 ms of
 * relocation; with the CPU's SHA instructions, which libmd does without. Only for `wherry`: `engine` and `compile`
 * never hash. */
#ifndef WHERRY_ENGINE_DIGEST_H
#define WHERRY_ENGINE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

/* The digest of a file's content, read by pread from its start; *SIZE_BYTES is how much that was. COPY_FD: where to
 * write the same bytes, or -1. Returns 0 or a negative errno. */
int digest_file(int fd, int copy_fd, uint8_t out[DIGEST_BYTES], uint64_t *size_bytes);

void digest_bytes(const void *bytes, size_t len, uint8_t out[DIGEST_BYTES]);

/* DIGEST in lower-case hex. */
void digest_text(const uint8_t digest[DIGEST_BYTES], char text[2 * DIGEST_BYTES + 1]);

#endif
