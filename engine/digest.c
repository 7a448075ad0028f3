#include "engine/digest.h"
#include "base/fd.h"
#include <nettle/sha2.h>

enum { CHUNK_BYTES = 16 * 1024 }; /* every page of it is a fault in a program that has just started */

int digest_file(int fd, int copy_fd, uint8_t out[DIGEST_BYTES], uint64_t *size_bytes)
{
    struct sha256_ctx context;
    uint8_t chunk[CHUNK_BYTES];
    ssize_t n;

    sha256_init(&context);
    *size_bytes = 0;
    while ((n = pread(fd, chunk, sizeof chunk, (off_t)*size_bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (copy_fd >= 0 && fd_write_all(copy_fd, chunk, (size_t)n) != 0))
            return -errno;
        sha256_update(&context, (size_t)n, chunk);
        *size_bytes += (uint64_t)n;
    }
    sha256_digest(&context, DIGEST_BYTES, out);
    return 0;
}

void digest_bytes(const void *bytes, size_t len, uint8_t out[DIGEST_BYTES])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, len, bytes);
    sha256_digest(&context, DIGEST_BYTES, out);
}

void digest_text(const uint8_t digest[DIGEST_BYTES], char text[2 * DIGEST_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < DIGEST_BYTES; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * DIGEST_BYTES] = 0;
}
