/* How the kernel schedules the container's process, and chooses it to be killed: process.scheduler, ioPriority,
 * execCPUAffinity, oomScoreAdj, linux.personality. */
#ifndef WHERRY_OCI_SCHED_H
#define WHERRY_OCI_SCHED_H

#include "base/err.h"
#include "oci/config.h"
#include <sched.h>

/* Each sets one attribute of the calling process, which its program inherits. 0 or a negative errno with *E. */
int sched_set_policy(const struct config_scheduler *scheduler, struct err *e);
int sched_set_io_priority(const struct config_io_priority *priority, struct err *e);
int sched_set_memory_policy(const struct config_memory_policy *policy, struct err *e);
int sched_set_personality(uint64_t personality, struct err *e);
int sched_set_affinity(const char *cpus, struct err *e);
int sched_set_oom_score(int score, struct err *e); /* needs the host's /proc */

/* Lets the calling process run on all CPUs that its cgroup allows: which ones the caller was told to keep to (taskset, systemd's
 * CPUAffinity) is not the container's business. */
void sched_reset_affinity(void);

/* Reads a list of CPUs, "0-3,8", as the kernel writes them. Returns 0 or -EINVAL with *E. */
int sched_read_cpus(const char *cpus, cpu_set_t *out, struct err *e);

#endif
