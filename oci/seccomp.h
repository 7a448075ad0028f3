/* linux.seccomp: from profile to filter, from filter to kernel.
 *
 * Compiling a real profile costs 9 to 15 ms, loading it 0.25 ms, so filters are kept in a cache directory under the
 * SHA-256 of all that they depend on. The compiler is libseccomp in a program of its own (libexec/wherry/system), run
 * only on a miss: nobody else needs to be linked with it. */
#ifndef WHERRY_OCI_SECCOMP_H
#define WHERRY_OCI_SECCOMP_H

#include "base/buf.h"
#include "base/err.h"
#include "oci/config.h"

/* Appends the filter of PROFILE (struct sock_filter) to FILTER. LIBEXEC: where the `system` program is, as in worker.h.
 * CACHE: the directory whose folder "seccomp" is the cache, made if missing; NULL: /var/lib/wherry. A folder that is not
 * ours or that others may write to is not used. Nothing of the caller's but three descriptors reaches the compiler.
 * A filter that notifies must allow what its listener is handed over by. Returns 0 or a negative errno with *E. */
int seccomp_prepare(const struct config_seccomp *profile, const char *libexec, const char *cache, struct buf *filter,
                    struct err *e);

/* Loads FILTER into the calling thread with SECCOMP_FILTER_FLAG_* FLAGS; *LISTENER, unless NULL, gets its listener. Safe after clone. Needs no_new_privs or
 * CAP_SYS_ADMIN. Returns 0 or a negative errno with *E. */
int seccomp_load(const struct buf *filter, uint64_t flags, int *listener, struct err *e);

/* The profile as the compiler reads it, one line a word or rule:
 *     default ACTION | arch NAME | rule ACTION SYSCALL [INDEX OPERATOR VALUE VALUE2]...      (numbers in hexadecimal)
 * The text is canonical: equal profiles have equal texts. Returns 0 or -EINVAL with *E. */
int seccomp_encode(const struct config_seccomp *profile, struct buf *out, struct err *e);

#endif
