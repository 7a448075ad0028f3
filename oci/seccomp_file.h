/* A compiled filter as `system seccomp` writes it and the cache keeps it: this header, then `count` sock_filters, and in the cache
 * what the filter is of, to be compared: kernel and profile.
 *
 * The names that libseccomp knows decide the filter, so the file says which library it came from, and a reader compares
 * that with the library that is there now. */
#ifndef WHERRY_OCI_SECCOMP_FILE_H
#define WHERRY_OCI_SECCOMP_FILE_H

#include <stdint.h>

#define SECCOMP_FILE_MAGIC "wherryS4" /* changes with what the compiler makes of a profile */

struct seccomp_file {
    char magic[8];
    uint32_t count, key_bytes;
    uint64_t library_inode, library_size_bytes, library_mtime_ns;
    char library[232]; /* path, ends with NUL */
};
_Static_assert(sizeof(struct seccomp_file) == 272, "written to disk");

#endif
