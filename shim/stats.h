/* Figures of a container for Stats, and its processes for Pids, read from its cgroup. */
#ifndef WHERRY_SHIM_STATS_H
#define WHERRY_SHIM_STATS_H

struct call;
struct container;

/* Answers CALL with io.containerd.cgroups.v1.Metrics or v2.Metrics, whichever the container's cgroup is. What the kernel
 * does not offer is left out. */
void stats_reply(struct call *call, const struct container *c);

/* Answers CALL with the figures of the pod SANDBOX in the same form: of the cgroup above that of the first running one of
 * CONTAINERS. */
void stats_reply_pod(struct call *call, const char *sandbox, const struct container *containers);

/* Answers CALL with the processes in the cgroup and below; those that are execs of ours carry their id. A container that
 * has ended and was not deleted yet answers with its init: containerd 2.x, when it starts anew, takes a shim without any
 * process for a leaked one and ends it, and the exit status would be lost with it. */
void stats_reply_pids(struct call *call, const struct container *c);

#endif
