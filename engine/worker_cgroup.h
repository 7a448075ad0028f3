/* The compile worker's own cgroups: low weight, and a limit on memory. They are permanent; between jobs they hold
 * nothing but page cache, which the kernel takes back when it wants it. One a slot, so that a module that needs more
 * memory than it may have does not end the others' workers. */
#ifndef WHERRY_ENGINE_WORKER_CGROUP_H
#define WHERRY_ENGINE_WORKER_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker_cgroup {
    int directory;  /* cgroup v2: what a worker can be cloned into; else -1 */
    int procs[2];   /* files that attach it otherwise; -1: none */
    int oom_events; /* the file that counts kills for memory; -1: none */
    char path[128]; /* of the memory cgroup; empty: there is none */
};

/* In place of a slot: the one group of the jobs that nobody waits for. */
#define WORKER_BACKGROUND UINT_MAX

/* Opens those of the slot, making them if they are missing. Without the rights or the controllers nothing is opened. */
void worker_cgroup_open(unsigned slot, struct worker_cgroup *out);
void worker_cgroup_close(struct worker_cgroup *cgroup);

/* Moves the calling process out of every cgroup that its caller was in: into the background group, and to the root of what
 * that has no part in, so that whoever made those groups can remove them. As far as the caller's rights go. */
void worker_cgroup_leave_callers(void);

/* Attaches PID, unless it was cloned into the directory. On v1 this waits for an RCU grace period. */
void worker_cgroup_attach(const struct worker_cgroup *cgroup, pid_t pid);

/* How many processes the kernel has killed for want of memory. */
uint64_t worker_cgroup_kills(const struct worker_cgroup *cgroup);

/* What one worker may have: a quarter of the machine's memory, between 256 MiB and 8 GiB. */
uint64_t worker_cgroup_memory_bytes(void);

#endif
