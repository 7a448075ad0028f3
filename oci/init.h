/* The container's init between clone and exec. */
#ifndef WHERRY_OCI_INIT_H
#define WHERRY_OCI_INIT_H

#include "base/buf.h"
#include "oci/cgroup.h"
#include "oci/container.h"
#include "oci/plan.h"
#include "oci/workload.h"

struct systemd_scope;

struct init {
    const struct container_create *request;
    const struct plan *plan;
    const struct cgroup *cgroup;
    const struct buf *filter;    /* compiled seccomp filter; empty: none */
    int channel;                 /* this side's end */
    int parent_channel;          /* the other: closed first, so that the parent's death is seen */
    int start_fifo, result_fifo; /* opened for reading and writing */
    int console;                 /* connected socket for the terminal's master; -1: none */
    const int *namespaces;       /* NAMESPACE_COUNT descriptors to enter, -1: none; for ENTER, else NULL */
    int rdt;                     /* root of resctrl, if linux.intelRdt asks for it; else -1 */
    struct systemd_scope *scope; /* left as soon as the init is in it; NULL: none */
    bool in_cgroup;              /* cloned into it: no need to wait for the attach */
    /* while the plan is carried out: */
    int root;   /* O_PATH of the container's root until it is entered; for ENTER given, else -1 */
    int state;  /* the container's state for hooks; -1: not asked for yet */
    bool ready; /* READY was sent: errors go to result_fifo */
    struct arena arena;
    struct workload workload;
    char **environment; /* of a native workload */
};

/* Carries out the plan and becomes the workload. Errors are sent to the parent, later to `start`. Called in the cloned
 * child, a copy of a process with one thread. */
_Noreturn void init_run(struct init *init);

#endif
