/* An allow-list derived from what the module imports: a module that imports no socket function gets a process that
 * cannot call one. It comes on top of the container's own filter; the stricter of both holds for every call. */
#include "engine/filter.h"
#include "engine/sandbox.h"
#include "engine/wasi/p1_functions.h"
#include <sys/mman.h>
#include <sys/syscall.h>

enum group { /* bits */
             GROUP_STREAM = 1 << 0,
             GROUP_FILE = 1 << 1,
             GROUP_PATH = 1 << 2,
             GROUP_SOCKET = 1 << 3,
             GROUP_POLL = 1 << 4,
             GROUP_CLOCK = 1 << 5,
             GROUP_RANDOM = 1 << 6,
             GROUP_YIELD = 1 << 7,
             GROUP_THREAD = 1 << 8,
};

/* What the runtime needs for any module: memory without PROT_EXEC, traps, messages, the end. */
static const struct sandbox_rule base_rules[] = {
    {SYS_write, 0, 0, 0},
    {SYS_writev, 0, 0, 0},
    {SYS_mprotect, 2, PROT_EXEC, 0},
    {SYS_mmap, 2, PROT_EXEC, 0},
    {SYS_munmap, 0, 0, 0},
    {SYS_mremap, 0, 0, 0},
    {SYS_madvise, 0, 0, 0},
    {SYS_brk, 0, 0, 0},
    {SYS_close, 0, 0, 0},
    {SYS_futex, 0, 0, 0},
    {SYS_rt_sigreturn, 0, 0, 0},
    {SYS_rt_sigaction, 0, 0, 0},
    {SYS_rt_sigprocmask, 0, 0, 0},
    {SYS_sigaltstack, 0, 0, 0},
    {SYS_clock_gettime, 0, 0, 0}, /* where the vDSO hands it on */
    {SYS_getpid, 0, 0, 0},
    {SYS_gettid, 0, 0, 0},
    {SYS_restart_syscall, 0, 0, 0}, /* after SIGSTOP and SIGCONT */
    {SYS_exit, 0, 0, 0},
    {SYS_exit_group, 0, 0, 0},
};

static const struct {
    uint32_t group;
    int number;
} group_calls[] = {
    {GROUP_STREAM, SYS_read},
    {GROUP_STREAM, SYS_readv},
    {GROUP_STREAM, SYS_pread64},
    {GROUP_STREAM, SYS_preadv},
    {GROUP_STREAM, SYS_pwrite64},
    {GROUP_STREAM, SYS_pwritev},
    {GROUP_STREAM, SYS_lseek},
    {GROUP_STREAM, SYS_fcntl},
    {GROUP_STREAM | GROUP_FILE | GROUP_PATH, SYS_fstat},
    {GROUP_STREAM | GROUP_FILE | GROUP_PATH, SYS_newfstatat},
#ifdef SYS_poll /* newer architectures have ppoll alone */
    {GROUP_STREAM | GROUP_POLL | GROUP_SOCKET, SYS_poll},
#endif
    {GROUP_STREAM | GROUP_POLL | GROUP_SOCKET, SYS_ppoll},
    {GROUP_POLL, SYS_nanosleep},
    {GROUP_POLL, SYS_clock_nanosleep},
    {GROUP_POLL, SYS_ioctl},
    {GROUP_CLOCK, SYS_clock_getres},
    {GROUP_STREAM, SYS_dup3}, /* closing a standard stream */
    {GROUP_STREAM, SYS_eventfd2},
    {GROUP_FILE, SYS_fsync},
    {GROUP_FILE, SYS_fdatasync},
    {GROUP_FILE, SYS_ftruncate},
    {GROUP_FILE, SYS_fallocate},
    {GROUP_FILE, SYS_fadvise64},
    {GROUP_FILE, SYS_getdents64},
    {GROUP_FILE | GROUP_PATH, SYS_utimensat},
    {GROUP_FILE | GROUP_PATH, SYS_fstatfs},
    {GROUP_FILE | GROUP_PATH, SYS_openat},
    {GROUP_FILE | GROUP_PATH, SYS_openat2},
    {GROUP_PATH, SYS_statx},
    {GROUP_PATH, SYS_name_to_handle_at}, /* the mount's number where statx does not tell it */
    {GROUP_PATH, SYS_readlinkat},
    {GROUP_PATH, SYS_mkdirat},
    {GROUP_PATH, SYS_unlinkat},
    {GROUP_PATH, SYS_linkat},
    {GROUP_PATH, SYS_symlinkat},
    {GROUP_PATH, SYS_renameat},
    {GROUP_PATH, SYS_renameat2},
    {GROUP_SOCKET, SYS_accept4},
    {GROUP_SOCKET, SYS_recvfrom},
    {GROUP_SOCKET, SYS_recvmsg},
    {GROUP_SOCKET, SYS_sendto},
    {GROUP_SOCKET, SYS_sendmsg},
    {GROUP_SOCKET, SYS_shutdown},
    {GROUP_SOCKET, SYS_getsockopt},
    {GROUP_SOCKET, SYS_getsockname},
    {GROUP_RANDOM, SYS_getrandom},
    {GROUP_YIELD, SYS_sched_yield},
    {GROUP_THREAD, SYS_set_robust_list}, /* glibc's first words in a thread */
    {GROUP_THREAD, SYS_rseq},
};

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The groups of one function of preview 1, by its name. */
static uint32_t groups_of(const char *function)
{
    static const char *const streams[] = {"fd_read",        "fd_write",
                                          "fd_close",       "fd_seek",
                                          "fd_fdstat_get",  "fd_fdstat_set_flags",
                                          "fd_prestat_get", "fd_prestat_dir_name",
                                          "fd_tell",        "fd_pread",
                                          "fd_pwrite"};

    for (unsigned i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (strcmp(function, streams[i]) == 0)
            return GROUP_STREAM;
    if (begins_with(function, "fd_"))
        return GROUP_STREAM | GROUP_FILE;
    if (begins_with(function, "path_"))
        return GROUP_STREAM | GROUP_FILE | GROUP_PATH;
    if (begins_with(function, "sock_"))
        return GROUP_STREAM | GROUP_SOCKET;
    if (begins_with(function, "poll_"))
        return GROUP_STREAM | GROUP_POLL | GROUP_CLOCK;
    if (begins_with(function, "clock_"))
        return GROUP_CLOCK;
    if (begins_with(function, "random_"))
        return GROUP_RANDOM;
    return begins_with(function, "sched_") ? GROUP_YIELD : 0;
}

static uint32_t groups_of_imports(const struct artifact_header *header)
{
    static const char *const functions[] = {
#define X(name, signature) #name,
        WASI_P1_FUNCTIONS(X)
#undef X
    };
    uint32_t groups = 0;

    for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if ((header->host_functions[i / 64] >> (i % 64) & 1) != 0)
            groups |= groups_of(functions[i]);
    if ((header->host_functions[WASI_NUMBER_THREAD_SPAWN / 64] >> (WASI_NUMBER_THREAD_SPAWN % 64) & 1) != 0)
        groups |= GROUP_THREAD;
    return groups;
}

int filter_install(const struct artifact_header *header, struct err *err)
{
    enum { BASE = sizeof base_rules / sizeof base_rules[0], CALLS = sizeof group_calls / sizeof group_calls[0] };
    struct sandbox_rule rules[BASE + CALLS + 1];
    uint32_t groups = groups_of_imports(header);
    size_t count = BASE;

    memcpy(rules, base_rules, sizeof base_rules);
    for (unsigned i = 0; i < CALLS; i++)
        if ((group_calls[i].group & groups) != 0)
            rules[count++] = (struct sandbox_rule){.number = group_calls[i].number};
    if ((groups & GROUP_THREAD) != 0)
        rules[count++] = sandbox_thread_rule;
    return sandbox_install(rules, count, SANDBOX_EPERM, err);
}
