/* For tests: every call of the table has a failing twin; `sys.openat2 = enosys_openat2` is a kernel without openat2. */
#ifndef WHERRY_TESTS_SYS_FAIL_H
#define WHERRY_TESTS_SYS_FAIL_H

#include "oci/sys.h"
#include <errno.h>

#define SYS_ENOSYS(name, params, ...)                                                                                  \
    __attribute__((unused)) static long enosys_##name params                                                           \
    {                                                                                                                  \
        errno = ENOSYS;                                                                                                \
        return -1;                                                                                                     \
    }
SYS_CALLS(SYS_ENOSYS)

#endif
