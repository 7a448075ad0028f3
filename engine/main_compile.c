/* The compile worker: hostile bytes in, an artifact out, and nothing else within reach.
 *
 * It starts with three descriptors (worker_protocol.h) and gives up everything that it does not need before it looks
 * at the first byte: root's identity for one that nobody else has, every namespace and the file tree for empty ones,
 * all limits down, and finally all system calls but those for memory and for writing the result. What cannot be
 * given up for want of rights (user namespaces switched off for an ordinary user) is left: docs/SECURITY.md. */
#include "base/fd.h"
#include "base/relro.h"
#include "engine/options.h"
#include "engine/sandbox.h"
#include "engine/worker_protocol.h"
#include "wherry/engine.h"
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum {
    OUR_UID_FIRST = 0x60000000, /* plus the pid: a worker cannot signal or trace another one */
    OVERFLOW_UID = 65534,
};
#define OUT_BYTES_MAX (UINT64_C(2) << 30)

struct limits {
    unsigned long long memory_bytes;
    unsigned cpu_seconds;
};

static _Noreturn void fail(const struct err *err)
{
    const struct worker_message message = {.err = *err};
    (void)fd_write_all(WORKER_REPORT_FD, &message, sizeof message);
    _exit(1);
}

/* An empty read-only file system as root, the old one detached. */
static void leave_file_tree(void)
{
    if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "nr_inodes=1,mode=0") != 0 ||
        chdir("/proc") != 0)
        return;
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        (void)!umount2(".", MNT_DETACH);
    (void)!chdir("/");
}

static int set_ids(unsigned id)
{
    return setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0 ? -1 : 0;
}

static int leave_identity(struct err *err)
{
    const int empty = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    bool root = geteuid() == 0;

    /* In a container without CAP_SYS_ADMIN neither works: then the seccomp filter stands alone. */
    if (unshare(root ? empty : empty | CLONE_NEWUSER) == 0)
        leave_file_tree();
    if (!root)
        return 0;
    if (setgroups(0, NULL) != 0 && errno != EPERM)
        return err_sys(err, "cannot drop the supplementary groups");
    /* a user namespace may map few ids: then the one that means nobody */
    if (set_ids(OUR_UID_FIRST + (unsigned)getpid()) != 0 && set_ids(OVERFLOW_UID) != 0 && errno != EPERM &&
        errno != EINVAL)
        return err_sys(err, "cannot change to a user id of the worker's own");
    return 0;
}

static int limit(int resource, uint64_t value, struct err *err)
{
    struct rlimit now, wanted;

    if (getrlimit(resource, &now) != 0)
        return err_sys(err, "getrlimit");
    wanted.rlim_max = value < now.rlim_max ? value : now.rlim_max;
    wanted.rlim_cur = wanted.rlim_max;
    return setrlimit(resource, &wanted) == 0 ? 0 : err_sys(err, "cannot set a limit for the compile worker");
}

/* THREADS: at once, this one included. */
static int set_limits(const struct limits *limits, unsigned threads, struct err *err)
{
    struct rlimit cpu = {limits->cpu_seconds, limits->cpu_seconds + 1}; /* SIGXCPU before SIGKILL: it says why */
    int status;

    if (setrlimit(RLIMIT_CPU, &cpu) != 0 && (status = limit(RLIMIT_CPU, limits->cpu_seconds, err)) != 0)
        return status;
    if ((status = limit(RLIMIT_AS, limits->memory_bytes, err)) != 0 ||
        (status = limit(RLIMIT_FSIZE, OUT_BYTES_MAX, err)) != 0 || (status = limit(RLIMIT_CORE, 0, err)) != 0 ||
        (status = limit(RLIMIT_NPROC, threads, err)) != 0)
        return status;
    return limit(RLIMIT_NOFILE, WORKER_REPORT_FD + 1, err);
}

static int leave_system_calls(struct err *err)
{
    const struct sandbox_rule rules[] = {
        {SYS_mmap, 2, PROT_EXEC, 0},
        {SYS_munmap, 0, 0, 0},
        {SYS_mremap, 0, 0, 0},
        {SYS_madvise, 0, 0, 0},
        {SYS_mprotect, 2, PROT_EXEC, 0},
        {SYS_brk, 0, 0, 0},
        {SYS_clock_gettime, 0, 0, 0}, /* opt/trace.c */
        {SYS_write, 0, 0, 0},
        {SYS_exit_group, 0, 0, 0},
        {SYS_exit, 0, 0, 0}, /* a thread's end */
        sandbox_thread_rule,
        {SYS_futex, 0, 0, 0},
        {SYS_rt_sigprocmask, 0, 0, 0}, /* abort() */
        {SYS_rt_sigaction, 0, 0, 0},
        {SYS_rt_sigreturn, 0, 0, 0},
        {SYS_gettid, 0, 0, 0},
        {SYS_getpid, 0, 0, 0},
        {SYS_tkill, 0, 0, 0},
    };
    return sandbox_install(rules, sizeof rules / sizeof rules[0], SANDBOX_KILL, err);
}

static unsigned cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

/* Whole messages, so several threads may write at once. */
static void tell_progress(uint64_t done, uint64_t total)
{
    const struct worker_message message = {.done = done, .total = total};
    (void)!write(WORKER_REPORT_FD, &message, sizeof message);
}

static bool parse_arguments(int argc, char **argv, uint8_t key[32], struct engine_options *options,
                            struct limits *limits)
{
    unsigned byte;

    if (argc != 4 || strlen(argv[1]) != 64)
        return false;
    for (int i = 0; i < 32; i++) {
        if (sscanf(argv[1] + 2 * i, "%2x", &byte) != 1)
            return false;
        key[i] = (uint8_t)byte;
    }
    if (!engine_options_parse(argv[2], options) ||
        sscanf(argv[3], "%llu,%u", &limits->memory_bytes, &limits->cpu_seconds) != 2)
        return false;
    options->cores = cores();
    options->progress = tell_progress;
    return true;
}

static const void *map_module(size_t *len, struct err *err)
{
    struct stat st;
    const void *bytes;

    if (fstat(WORKER_MODULE_FD, &st) != 0)
        err_sys(err, "cannot read the module");
    else if (st.st_size == 0)
        err_set(err, EINVAL, "the module is empty");
    else if ((bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, WORKER_MODULE_FD, 0)) == MAP_FAILED)
        err_sys(err, "cannot map the module");
    else {
        *len = (size_t)st.st_size;
        return bytes;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct engine_options options;
    struct limits limits;
    struct buf artifact = {0};
    struct err err = {0};
    uint8_t key[32];
    const void *bytes;
    size_t len = 0;

    relro_protect();
    if (!parse_arguments(argc, argv, key, &options, &limits)) {
        static const char text[] = "compile: started by wherry itself, not by people\n";
        (void)!write(2, text, sizeof text - 1);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if ((bytes = map_module(&len, &err)) == NULL || leave_identity(&err) != 0 ||
        set_limits(&limits, options.cores, &err) != 0)
        fail(&err);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of identity clears it */
    if (leave_system_calls(&err) != 0 || engine_compile(bytes, len, key, &options, &artifact, &err) != 0)
        fail(&err);
    if (fd_write_all(WORKER_OUT_FD, artifact.data, artifact.len) != 0) {
        err_sys(&err, "cannot write the artifact");
        fail(&err);
    }
    _exit(0);
}
