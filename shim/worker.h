/* Short-lived workers: a forked copy of the shim does one piece of slow or dangerous work (hooks, mounts, hostile JSON),
 * reports once through a pipe and is gone. A crashed worker is one failed call. */
#ifndef WHERRY_SHIM_WORKER_H
#define WHERRY_SHIM_WORKER_H

#include "base/err.h"
#include "shim/loop.h"

enum { WORKER_DATA_MAX = 2800, WORKER_NAMESPACES = 3 };

/* What a worker hands back, in one write of at most PIPE_BUF bytes, so it arrives whole or not at all. */
struct worker_report {
    int code;        /* 0 or a positive errno */
    pid_t pid;       /* of what was created or exec'ed; 0: nothing */
    unsigned flags;  /* enum runtime_flag */
    unsigned len;    /* of data */
    char text[1020]; /* why it failed: one sentence */
    char data[WORKER_DATA_MAX];
};

struct workers { /* those under way */
    struct loop *loop;
    const int *home; /* WORKER_NAMESPACES descriptors of namespaces that workers join first (pod.h); NULL: they stay */
    unsigned count;
    void (*ended)(struct workers *workers); /* called after the done of each; may be NULL */
};

struct worker {
    struct workers *workers;
    struct child child;
    struct source source; /* the pipe of the report */
    struct worker_report report;
    size_t got;
    bool reported, ended;
    void (*done)(struct worker *worker, const struct worker_report *report);
};

/* Descriptors that a worker keeps; -1: none. */
struct worker_fds {
    int stdio[3]; /* become 0, 1, 2; none: /dev/null */
    int console;  /* a connected socket that is sent the terminal's master */
    int logger;   /* by which a logger says that it is ready (logger.h) */
};
#define WORKER_NO_FDS (&(const struct worker_fds){{-1, -1, -1}, -1, -1})

/* What a worker does: fills in *REPORT. *FDS has the numbers in the worker. */
typedef void worker_run(const void *argument, const struct worker_fds *fds, struct worker_report *report);

/* Forks. The child keeps only FDS and calls RUN with ARGUMENT. The worker calls done once, after the worker has ended; a worker that
 * ended without a report yields -ECHILD. WORKER must stay until then. Descriptors stay the caller's. Returns 0 or a negative
 * errno. */
int worker_start(struct workers *workers, struct worker *worker, const struct worker_fds *fds, worker_run *run,
                 const void *argument);

#endif
