/* What the workers do: the one place where the shim calls the runtime (oci/).
 *
 * The functions run in a worker process (worker.h), which may allocate from arenas, block, and be killed. Their arguments
 * are the shim's own memory as it was at the fork. */
#ifndef WHERRY_SHIM_RUNTIME_H
#define WHERRY_SHIM_RUNTIME_H

#include "shim/options.h"
#include "shim/task.pb-c.h"
#include "shim/worker.h"

#define RUNTIME_ROOT "/run/containerd/wherry" /* below it a directory per namespace, as runc's shim keeps its states */

#define RUNTIME_ROOT_NOTE "wherry-root" /* file in the bundle with options.root */

enum runtime_flag {
    RUNTIME_OWN_PID_NAMESPACE = 1, /* the death of the init ends every process of the container */
};

struct runtime_job {
    const char *root, *id, *bundle, *libexec; /* root: directory of the states */
    const struct options *options;
    const Task__CreateRequest *create;
    const ProtobufCBinaryData *body; /* exec: the process; update: the resources; JSON */
    int signal;
    const char *namespace, *address; /* address: containerd's, of gRPC */
};

/* The report of create carries the init's pid, flags and, as data, the cgroup in the form of cgroup_encode. */
void runtime_create(const void *job, int console_fd, struct worker_report *report);
void runtime_start(const void *job, int console_fd, struct worker_report *report);
/* Kills every process of the container with job->signal. */
void runtime_kill_all(const void *job, int console_fd, struct worker_report *report);
/* Starts a further process, job->body, in the container; the report carries its pid. */
void runtime_exec(const void *job, int console_fd, struct worker_report *report);
void runtime_pause(const void *job, int console_fd, struct worker_report *report);
void runtime_resume(const void *job, int console_fd, struct worker_report *report);
/* Sets the limits in job->body. */
void runtime_update(const void *job, int console_fd, struct worker_report *report);
/* Removes what is left of a container, whatever its state, and unmounts its root file system. What is gone is no error. */
void runtime_delete(const void *job, int console_fd, struct worker_report *report);

/* Unmounts everything at BUNDLE/rootfs. Returns 0 or a negative errno with *E. */
int runtime_unmount(const char *bundle, struct err *e);

/* The directory of the states of NAMESPACE: options->root or the default, into OUT. */
void runtime_root(const struct options *options, const char *namespace, char *out, size_t size);

#endif
