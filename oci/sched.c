/* See sched.h. */
#include "oci/sched.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 8192 }; /* of any kernel's configuration for x86-64 */

enum { IO_PRIORITY_CLASS_SHIFT = 13, IO_PRIORITY_PROCESS = 1 }; /* linux/ioprio.h, which older headers lack */

/* What EPERM means beside a missing capability; managers look for runc's words about CPUs. */
static const char *why_refused(uint32_t policy)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR: return " (on cgroup v1 a real-time policy needs linux.resources.cpu.realtimeRuntime)";
    case SCHED_DEADLINE:
        return " (SCHED_DEADLINE needs all CPUs: process scheduler can't be used together with AllowedCPUs, "
               "linux.resources.cpu.cpus)";
    default: return "";
    }
}

int sched_set_policy(const struct config_scheduler *s, struct err *e)
{
    struct sys_sched_attr attr = {.size = sizeof attr,
                                  .policy = s->policy,
                                  .flags = s->flags,
                                  .nice = s->nice,
                                  .priority = (uint32_t)s->priority,
                                  .runtime = s->runtime,
                                  .deadline = s->deadline,
                                  .period = s->period};

    if (sys.sched_setattr(0, &attr, 0) == 0)
        return 0;
    if (errno == EPERM)
        return err_set(e, EPERM, "cannot set process.scheduler: %s%s", strerror(EPERM), why_refused(s->policy));
    return err_sys(e, "cannot set process.scheduler");
}

int sched_set_io_priority(const struct config_io_priority *p, struct err *e)
{
    int value = p->io_class << IO_PRIORITY_CLASS_SHIFT | p->priority;

    return sys.ioprio_set(IO_PRIORITY_PROCESS, 0, value) < 0 ? err_sys(e, "cannot set process.ioPriority") : 0;
}

int sched_set_personality(uint64_t personality, struct err *e)
{
    return sys.personality(personality) < 0 ? err_sys(e, "cannot set linux.personality") : 0;
}

/* Reads one number below CPU_SETSIZE and moves *P behind it. */
static bool read_cpu(const char **p, unsigned long *cpu)
{
    char *end;

    if (**p < '0' || **p > '9')
        return false;
    *cpu = strtoul(*p, &end, 10);
    *p = end;
    return *cpu < CPU_SETSIZE;
}

int sched_read_cpus(const char *cpus, cpu_set_t *out, struct err *e)
{
    const char *p = cpus;
    cpu_set_t set;

    CPU_ZERO(&set);
    for (;;) {
        unsigned long first = 0, last;
        bool ok = read_cpu(&p, &first);
        last = first;
        if (ok && *p == '-') {
            p++;
            ok = read_cpu(&p, &last) && last >= first;
        }
        if (!ok || (*p != 0 && *p != ','))
            return err_set(e, EINVAL, "'%s' is not a list of CPUs such as 0-3,8", cpus);
        for (unsigned long i = first; i <= last; i++)
            CPU_SET(i, &set);
        if (*p++ == 0)
            break;
    }
    *out = set;
    return 0;
}

int sched_set_memory_policy(const struct config_memory_policy *p, struct err *e)
{
    cpu_set_t nodes; /* a bit mask as good as any: as long as the kernel's own, least significant first */
    bool given = p->nodes != NULL && p->nodes[0] != 0;

    if (given && sched_read_cpus(p->nodes, &nodes, e) < 0)
        return err_set(e, EINVAL, "linux.memoryPolicy.nodes: invalid memory policy nodes '%s': no list such as 0-3,8",
                       p->nodes);
    if (given && (p->mode == MPOL_DEFAULT || p->mode == MPOL_LOCAL)) /* the kernel says no more than EINVAL */
        return err_set(e, EINVAL, "linux.memoryPolicy: its mode requires 0 nodes but got %d", CPU_COUNT(&nodes));
    /* the kernel takes one bit less than it is told of */
    if (syscall(SYS_set_mempolicy, (unsigned long)p->mode, given ? &nodes : NULL, given ? CPU_SETSIZE + 1ul : 0ul) < 0)
        return err_sys(e, "cannot set linux.memoryPolicy");
    return 0;
}

int sched_set_affinity(const char *cpus, struct err *e)
{
    cpu_set_t set;
    int ret = sched_read_cpus(cpus, &set, e);

    if (ret < 0)
        return ret;
    return sched_setaffinity(0, sizeof set, &set) < 0 ? err_sys(e, "cannot run on the CPUs %s", cpus) : 0;
}

void sched_reset_affinity(void)
{
    unsigned char all[CPUS_MAX / 8];

    memset(all, 0xff, sizeof all);
    (void)!syscall(SYS_sched_setaffinity, 0, sizeof all, all);
}

int sched_set_oom_score(int score, struct err *e)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", score);
    cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || fd_write_all(fd, text, (size_t)len) < 0)
        return err_sys(e, "cannot set process.oomScoreAdj to %s", text);
    return 0;
}
