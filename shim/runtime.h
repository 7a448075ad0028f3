/* What the workers do: the one place where the shim calls the runtime (oci/).
 *
 * The functions run in a worker process (worker.h), which may allocate from arenas, block, and be killed. Their arguments
 * are the shim's own memory as it was at the fork. */
#ifndef WHERRY_SHIM_RUNTIME_H
#define WHERRY_SHIM_RUNTIME_H

#include "shim/options.h"
#include "shim/options.pb-c.h"
#include "shim/task.pb-c.h"
#include "shim/worker.h"

#define RUNTIME_ROOT "/run/containerd/wherry" /* below it a directory per namespace, as runc's shim keeps its states */

#define RUNTIME_ROOT_NOTE "wherry-root" /* file in the bundle with options.root */

enum runtime_flag {
    RUNTIME_OWN_PID_NAMESPACE = 1, /* the death of the init ends every process of the container */
};

struct runtime_job {
    const char *root, *id, *bundle, *libexec; /* root: directory of the states */
    const char *pod;                          /* create: the bundle of the shim's own pod (pod.h); NULL: none */
    const struct options *options;
    const Task__CreateRequest *create;
    const ProtobufCBinaryData *body; /* exec: the process; update: the resources; JSON */
    const char *images; /* create: of the checkpoint that it restores; checkpoint: where it goes; NULL: none */
    const Options__Checkpoint *checkpoint;
    int signal;
    const char *stdout_uri;          /* of the process; names its logger */
    const char *namespace, *address; /* address: containerd's, of gRPC */
};

/* Workers, each with a struct runtime_job. The report of create carries the init's pid, flags and, as data, the cgroup in
 * the form of cgroup_encode. What it restores runs at once. */
worker_run runtime_create;
worker_run runtime_start;
/* Kills every process of the container with job->signal. */
worker_run runtime_kill_all;
/* Starts a further process, job->body, in the container; the report carries its pid. */
worker_run runtime_exec;
worker_run runtime_pause;
worker_run runtime_resume;
/* Sets the limits in job->body. */
worker_run runtime_update;
/* Writes the container's processes to job->images; unless job->checkpoint says `exit`, they go on. */
worker_run runtime_checkpoint;
/* Removes what is left of a container, whatever its state, and unmounts its root file system. What is gone is no error. */
worker_run runtime_delete;

/* The directory of the states of NAMESPACE: options->root or the default, into OUT. */
void runtime_root(const struct options *options, const char *namespace, char *out, size_t size);

#endif
