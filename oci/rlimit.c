/* The sixteen resources of Linux and how they are set; see rlimit.h. */
#include "oci/rlimit.h"
#include "oci/sys.h"

static const char *const resources[] = {
    [RLIMIT_AS] = "AS",
    [RLIMIT_CORE] = "CORE",
    [RLIMIT_CPU] = "CPU",
    [RLIMIT_DATA] = "DATA",
    [RLIMIT_FSIZE] = "FSIZE",
    [RLIMIT_LOCKS] = "LOCKS",
    [RLIMIT_NICE] = "NICE",
    [RLIMIT_MEMLOCK] = "MEMLOCK",
    [RLIMIT_MSGQUEUE] = "MSGQUEUE",
    [RLIMIT_NOFILE] = "NOFILE",
    [RLIMIT_NPROC] = "NPROC",
    [RLIMIT_RSS] = "RSS",
    [RLIMIT_RTPRIO] = "RTPRIO",
    [RLIMIT_RTTIME] = "RTTIME",
    [RLIMIT_STACK] = "STACK",
    [RLIMIT_SIGPENDING] = "SIGPENDING",
};
enum { RESOURCE_COUNT = sizeof resources / sizeof resources[0] };

int rlimit_resource(const char *name)
{
    if (strncmp(name, "RLIMIT_", 7) != 0)
        return -1;
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (resources[i] != NULL && strcmp(name + 7, resources[i]) == 0)
            return i;
    return -1;
}

int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard, struct err *e)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

    if (sys.prlimit64(pid, resource, &limit, NULL) == 0)
        return 0;
    return err_sys(e, "cannot set RLIMIT_%s to %llu/%llu%s", resources[resource], (unsigned long long)soft,
                   (unsigned long long)hard, errno == EPERM ? " (raising it takes CAP_SYS_RESOURCE)" : "");
}
