/* The table of system calls as the kernel offers them; see sys.h. */
#include "oci/sys.h"
#include <unistd.h>

#define SYS_RAW(name, params, ...)                                                                                     \
    static long raw_##name params                                                                                      \
    {                                                                                                                  \
        return syscall(SYS_##name, __VA_ARGS__);                                                                       \
    }
SYS_CALLS(SYS_RAW)

struct sys_calls sys = {
#define SYS_ENTRY(name, ...) .name = raw_##name,
    SYS_CALLS(SYS_ENTRY)};
