/* Asking a compiled seccomp filter what it would do. */
#ifndef WHERRY_OCI_SECCOMP_CHECK_H
#define WHERRY_OCI_SECCOMP_CHECK_H

#include "base/buf.h"
#include "base/err.h"
#include <linux/seccomp.h>

/* What FILTER (struct sock_filter) answers to CALL: SECCOMP_RET_*, with its data. An instruction that no filter for seccomp
 * may have, or a run off the end, answers SECCOMP_RET_KILL_PROCESS. */
uint32_t seccomp_ask(const struct buf *filter, const struct seccomp_data *call);

/* Checks that FILTER (empty: none) lets wherry's engine do what it needs for any module. Returns 0, or -EPERM and in *E which
 * call it refuses. */
int seccomp_check_engine(const struct buf *filter, struct err *e);

/* Checks that FILTER allows what its own listener is sent by. Returns 0 or -EINVAL with *E. */
int seccomp_check_listener(const struct buf *filter, struct err *e);

#endif
