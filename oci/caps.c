/* See caps.h. Own table of names: the child after clone may not allocate, which libcap's calls do. */
#include "oci/caps.h"
#include "oci/sys.h"
#include <linux/capability.h>
#include <sys/prctl.h>

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
enum { NAME_COUNT = sizeof names / sizeof names[0], SET_BITS = 64 };

int caps_number(const char *name)
{
    for (int i = 0; i < NAME_COUNT; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

const char *caps_name(unsigned number)
{
    return number < NAME_COUNT ? names[number] : NULL;
}

uint64_t caps_of_kernel(void)
{
    uint64_t set = 0;

    for (unsigned long i = 0; i < SET_BITS && sys.prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        set |= 1ull << i;
    return set != 0 ? set : (1ull << NAME_COUNT) - 1;
}

int caps_limit(uint64_t bounding, struct err *e)
{
    for (unsigned long i = 0; i < SET_BITS; i++) {
        if ((bounding >> i & 1) != 0 || sys.prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL) /* beyond the last one of this kernel */
            return 0;
        return err_sys(e, "cannot drop a capability from the bounding set");
    }
    return 0;
}

int caps_keep(bool keep, struct err *e)
{
    return sys.prctl(PR_SET_KEEPCAPS, keep, 0, 0, 0) < 0 ? err_sys(e, "cannot set PR_SET_KEEPCAPS") : 0;
}

/* Says which capability the kernel refused: the first that we do not have ourselves. */
static int refuse(const struct caps *caps, struct err *e)
{
    int code = errno;
    struct sys_cap_header header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct sys_cap_data own[2] = {{0}};

    if (sys.capget(&header, own) == 0) {
        uint64_t missing = caps->permitted & ~(own[0].permitted | (uint64_t)own[1].permitted << 32);
        if (missing != 0 && caps_name((unsigned)__builtin_ctzll(missing)) != NULL)
            return err_set(e, code, "cannot give the capability %s: the runtime does not have it itself: %s",
                           caps_name((unsigned)__builtin_ctzll(missing)), strerror(code));
    }
    errno = code;
    return err_sys(e, "cannot set the capabilities (the effective set must lie within the permitted set)");
}

static int raise_ambient(uint64_t ambient, struct err *e)
{
    if (sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return err_sys(e, "cannot clear the ambient capabilities");
    for (unsigned long i = 0; i < SET_BITS; i++)
        if ((ambient >> i & 1) != 0 && sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return err_sys(e, "cannot make the capability %s ambient (it must be permitted and inheritable too)",
                           caps_name((unsigned)i) != NULL ? caps_name((unsigned)i) : "?");
    return 0;
}

int caps_apply(const struct caps *caps, struct err *e)
{
    struct sys_cap_header header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct sys_cap_data data[2] = {
        {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
        {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32), (uint32_t)(caps->inheritable >> 32)},
    };

    if (sys.capset(&header, data) < 0)
        return refuse(caps, e);
    return raise_ambient(caps->ambient, e);
}
