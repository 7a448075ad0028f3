/* Notices of the kernel's OOM killer in a container's cgroup: an eventfd on v1, inotify on memory.events on v2. */
#ifndef WHERRY_SHIM_OOM_H
#define WHERRY_SHIM_OOM_H

#include "shim/loop.h"

struct oom_watch {
    struct loop *loop;
    struct source source;
    int file;  /* memory.oom_control or memory.events; -1: not watched */
    int above; /* v2: memory.events of the cgroup above, which counts what happened below it too; -1: there is none */
    uint64_t kills, kills_above;               /* as last seen in both */
    bool was_full;                             /* and whether the limit had been reached by then */
    bool limited_above;                        /* the cgroup above has a limit too: a pod's */
    bool (*happened)(struct oom_watch *watch); /* false: it cannot be told yet; asked again by oom_watch_check */
};

/* Watches the cgroup that CGROUP (lines "controllers:directory") names; watch->happened is called once per increase of the
 * kernel's count. Without a memory controller nothing is watched. Returns 0 or a negative errno. */
int oom_watch_start(struct oom_watch *watch, struct loop *loop, const char *cgroup);

/* Looks now: an exit must not be announced before the OOM kill that caused it. KILLED: the container ended by SIGKILL. */
void oom_watch_check(struct oom_watch *watch, bool killed);

void oom_watch_stop(struct oom_watch *watch);

#endif
