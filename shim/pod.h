/* What the containers of a pod share, where the shim itself makes the pod (the sandbox service, sandbox.h): namespaces for
 * network, IPC and host name, a /dev/shm, and the files hosts, hostname and resolv.conf.
 *
 * The shim's own process joins the pod's namespaces and so holds them: no pause process. Its workers go back first
 * (struct workers.home), so hooks and helpers run where the shim was started. Two kinds of pods need a process all the
 * same: one whose containers share a PID namespace, because that lives as long as its init, and one with a user namespace,
 * which the shim must not join. They get a container of one process, the verb `pause` of the shim's own program. */
#ifndef WHERRY_SHIM_POD_H
#define WHERRY_SHIM_POD_H

#include "base/err.h"
#include "oci/config.h"
#include "shim/cri.pb-c.h"
#include "shim/sandbox.pb-c.h"
#include "shim/worker.h"

struct pod {
    char *id, *bundle, *netns; /* netns: path of the network namespace; "": the host's */
    const char *program;       /* of the shim */
    Cri__PodSandboxConfig *config;
    struct config_pairs sysctls; /* pointing into config */
    int home[WORKER_NAMESPACES]; /* the shim's namespaces from before pod_hold; -1: not left */
    int user_namespace;          /* that a pod's process is to join; -1: none, or a new one */
};

/* Reads REQUEST. Returns 0 or a negative errno with *E; pod_done in both cases. */
int pod_read(struct pod *pod, const Sandbox__CreateRequest *request, struct err *e);
void pod_done(struct pod *pod);

/* The pod needs a process of its own: see above. */
bool pod_needs_process(const struct pod *pod);

/* Joins and makes the pod's namespaces, in the calling process. Returns 0 or a negative errno with *E, back at home. */
int pod_hold(struct pod *pod, struct err *e);
void pod_release(struct pod *pod);

/* Opens the user namespace that owns the pod's network namespace, if it has its own: containerd made both. For pods with a
 * process, until that has been created. Returns 0 or a negative errno with *E. */
int pod_open_user_namespace(struct pod *pod, struct err *e);

/* Worker with a struct pod, in the pod's namespaces if they are held: makes the files, /dev/shm and sysctls; for a pod that
 * needs a process, the bundle of its container. */
worker_run pod_prepare;

/* Unmounts what pod_prepare mounted below the sandbox's BUNDLE; nothing there is no error. */
void pod_unmount(const char *bundle);

/* Adds the files of the pod with the sandbox bundle POD to the mounts in BUNDLE/config.json, except where it has its own.
 * Its own /dev/shm is replaced where that is a tmpfs: containerd's default, of the container alone. In workers. */
int pod_add_mounts(const char *pod, const char *bundle, struct arena *arena, struct err *e);

#endif
