/* A further process in a container that runs. */
#ifndef WHERRY_OCI_EXEC_H
#define WHERRY_OCI_EXEC_H

#include "oci/config.h"

struct container_exec {
    const char *root, *id;
    const struct config_process *process;
    const char *pid_file;       /* NULL: none */
    const char *pidfd_socket;   /* NULL: none; is sent a pidfd of the process */
    struct strings cgroups;     /* to be put into: "[CONTROLLERS:]PATH" below the container's own; none: that */
    const char *console_socket; /* NULL: none */
    int console;       /* instead of console_socket: a connected socket, used if there is a terminal; -1: none */
    bool plain_output; /* the terminal leaves "\n" as it is */
    int module;        /* as in struct container_create; -1 */
    const uint8_t *module_digest; /* as there; NULL */
    int stdio[3];                 /* descriptors that become 0, 1, 2; -1: the caller's own */
    unsigned preserve_fds;
    bool ignore_paused;          /* let it begin in a paused container, where it waits until that is resumed */
    bool clone_parent;           /* the process becomes the child of the caller's parent, with exit signal 0 */
    const char *libexec, *cache; /* as in struct container_create */
};

/* Starts request->process in the namespaces and cgroups of the container, with the container's seccomp profile, and returns
 * when its program has been executed. *PID is the caller's child (but see clone_parent). A process has no capability that
 * its own object does not list, and inherits none (CVE-2022-29162). Rules and errors as in container.h; -EBUSY: paused. */
int container_exec(const struct container_exec *request, pid_t *pid, struct err *e);

/* The process of the container's own config, as the basis of another one. */
int exec_default_process(const char *root, const char *id, struct arena *arena, struct config_process *out,
                         struct err *e);

#endif
