/* The system calls that make a container, behind one table.
 *
 * Everything in oci/ that changes or inspects the kernel's state in a way worth failing goes through `sys`, so that a
 * test can make any call fail, or pretend an older kernel (ENOSYS). The table is the one mutable global of oci/; only
 * tests write to it, before they start anything. Each entry behaves as the raw call does: -1 and errno on failure, and
 * the effect on the calling thread only (glibc's setres*id would signal other threads, which a cloned child lacks). */
#ifndef WHERRY_OCI_SYS_H
#define WHERRY_OCI_SYS_H

#include <linux/bpf.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>

#ifndef CLONE_NEWTIME /* 5.6 */
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_INTO_CGROUP /* 5.7 */
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef MOUNT_ATTR_IDMAP /* 5.12 */
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

#ifndef CLOSE_RANGE_CLOEXEC /* 5.11 */
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

struct sys_cap_header {
    uint32_t version;
    int pid;
};
struct sys_cap_data {
    uint32_t effective, permitted, inheritable;
};
struct sys_sched_attr { /* struct sched_attr of linux/sched/types.h, whose sched_param collides with libc's */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

/* name, parameters, arguments: one line per call; the table, the raw functions and the tests' failing ones come from it */
#define SYS_CALLS(X)                                                                                                   \
    X(openat2, (int dir, const char *path, const struct open_how *how), dir, path, how, sizeof *how)                   \
    X(clone3, (const struct clone_args *args, size_t size), args, size)                                                \
    X(unshare, (int flags), flags)                                                                                     \
    X(setns, (int fd, int type), fd, type)                                                                             \
    X(mount, (const char *source, const char *target, const char *type, unsigned long flags, const void *data),        \
      source, target, type, flags, data)                                                                               \
    X(umount2, (const char *target, int flags), target, flags)                                                         \
    X(pivot_root, (const char *new_root, const char *put_old), new_root, put_old)                                      \
    X(chroot, (const char *path), path)                                                                                \
    X(open_tree, (int dir, const char *path, unsigned flags), dir, path, flags)                                        \
    X(move_mount, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags), from_dir, from,        \
      to_dir, to, flags)                                                                                               \
    X(mount_setattr, (int dir, const char *path, unsigned flags, struct mount_attr *attr), dir, path, flags, attr,     \
      sizeof *attr)                                                                                                    \
    X(fsopen, (const char *type, unsigned flags), type, flags)                                                         \
    X(fsconfig, (int fd, unsigned command, const char *key, const char *value, int aux), fd, command, key, value, aux) \
    X(fsmount, (int fd, unsigned flags, unsigned attributes), fd, flags, attributes)                                   \
    X(mknodat, (int dir, const char *path, mode_t mode, dev_t device), dir, path, mode, device)                        \
    X(mkdirat, (int dir, const char *path, mode_t mode), dir, path, mode)                                              \
    X(unlinkat, (int dir, const char *path, int flags), dir, path, flags)                                              \
    X(symlinkat, (const char *target, int dir, const char *path), target, dir, path)                                   \
    X(fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags), dir, path, uid, gid, flags)              \
    X(pidfd_open, (pid_t pid, unsigned flags), pid, flags)                                                             \
    X(pidfd_send_signal, (int fd, int signal, siginfo_t *info, unsigned flags), fd, signal, info, flags)               \
    X(close_range, (unsigned first, unsigned last, unsigned flags), first, last, flags)                                \
    X(seccomp, (unsigned operation, unsigned flags, void *args), operation, flags, args)                               \
    X(bpf, (int command, union bpf_attr *attr, unsigned size), command, attr, size)                                    \
    X(prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d), option, a, b, c, d)     \
    X(capset, (struct sys_cap_header * header, const struct sys_cap_data *data), header, data)                         \
    X(capget, (struct sys_cap_header * header, struct sys_cap_data * data), header, data)                              \
    X(setgroups, (size_t count, const gid_t *groups), count, groups)                                                   \
    X(setresuid, (uid_t real, uid_t effective, uid_t saved), real, effective, saved)                                   \
    X(setresgid, (gid_t real, gid_t effective, gid_t saved), real, effective, saved)                                   \
    X(prlimit64, (pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old), pid, resource, limit, old) \
    X(sethostname, (const char *name, size_t len), name, len)                                                          \
    X(setdomainname, (const char *name, size_t len), name, len)                                                        \
    X(sched_setattr, (pid_t pid, struct sys_sched_attr * attr, unsigned flags), pid, attr, flags)                      \
    X(ioprio_set, (int which, int who, int priority), which, who, priority)                                            \
    X(personality, (unsigned long persona), persona)                                                                   \
    X(execveat, (int dir, const char *path, char *const *args, char *const *environment, int flags), dir, path, args,  \
      environment, flags)

struct sys_calls {
#define SYS_MEMBER(name, params, ...) long(*name) params;
    SYS_CALLS(SYS_MEMBER)
#undef SYS_MEMBER
};

extern struct sys_calls sys;

#endif
