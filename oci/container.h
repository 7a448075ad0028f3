/* The life of a container: what the CLI's verbs and the shim call.
 *
 * Library functions: they change nothing in the calling process (no chdir, umask, signals, locale, globals) and never
 * exit; whatever happens is in the return value, 0 or a negative errno, and *E. They may be called from a process that
 * holds other containers. Strings of a request are borrowed for the call.
 *
 * Errors that callers tell apart: -EEXIST the ID is taken, -ENOENT no such container, -EBUSY wrong state for the verb,
 * -ESRCH the container is not running. */
#ifndef WHERRY_OCI_CONTAINER_H
#define WHERRY_OCI_CONTAINER_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/state.h"
#include <stdbool.h>
#include <sys/types.h>

struct checkpoint_options;

struct container_create {
    const char *root;           /* directory of all states, absolute; made (0700) if missing */
    const char *id;             /* [a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*, at most 1024 bytes */
    const char *bundle;         /* absolute */
    const char *config;         /* path of the config file; NULL: BUNDLE/config.json */
    const char *pid_file;       /* NULL: none. Written, by rename, when the container exists */
    const char *pidfd_socket;   /* NULL: none; AF_UNIX stream socket that is sent a pidfd of the init */
    const char *console_socket; /* NULL: none; AF_UNIX stream socket that is sent the terminal's master */
    int console;       /* instead of console_socket: a connected socket, used if there is a terminal; -1: none */
    bool plain_output; /* the terminal leaves "\n" as it is */
    int module;        /* the program is this Wasm module, whatever process.args[0] names; -1: it is looked for there */
    const uint8_t *module_digest; /* the SHA-256 that it must have, 32 bytes; NULL: any */
    int stdio[3];                 /* descriptors that become 0, 1, 2 of the container; -1: the caller's own */
    unsigned preserve_fds;        /* so many of the caller's descriptors from 3 on stay open in the container */
    unsigned listen_fds;          /* and so many before those, sockets of systemd's socket activation */
    bool notify;                  /* the container gets a NOTIFY_SOCKET; whoever starts it listens (notify.h) */
    bool no_pivot, no_new_keyring;
    bool clone_parent;     /* the init becomes the child of the caller's parent (CLONE_PARENT), with exit signal 0 */
    bool systemd_cgroup;   /* the cgroup is a systemd scope; cgroupsPath is "slice:prefix:name" */
    bool systemd_by_path;  /* it is one if cgroupsPath has that form with a slice in it, as a kubelet writes it */
    bool cgroups_disabled; /* --cgroup-manager disabled: the caller's own cgroups are kept */
    const struct checkpoint_options
        *restore;        /* its processes are those of a checkpoint, and run at once; NULL: new ones */
    const char *libexec; /* directory of engine, compile, system; NULL: found relative to /proc/self/exe */
    const char *cache;   /* root-owned directory of the filter and artifact caches; NULL: below /var/lib/wherry */
};

/* Creates a container and leaves its init waiting for container_start. On success OUT (in ARENA) is the state as written; if
 * e->code is not 0 then, *E is a warning about the configuration.
 * On failure nothing is left: no process, mount, cgroup, file. Reaps the init itself unless clone_parent. */
int container_create(const struct container_create *request, struct arena *arena, struct state *out, struct err *e);

/* Lets the init of a created container go on to its program. Returns when the program has been executed; if that or a
 * startContainer hook failed, the error is the init's. Runs poststart hooks. */
int container_start(const char *root, const char *id, struct err *e);

/* Sends SIGNAL to the init, or with ALL to every process of the container; SIGKILL also without it where they have no pid
 * namespace that ends with the init. */
int container_kill(const char *root, const char *id, int signal, bool all, struct err *e);

/* Removes what is left of a stopped or created container (a created one is killed first); with FORCE also of a running
 * one, and then a missing one is no error. Runs poststop hooks; their failure is no error, but
 * then e->code is not 0 and *E tells of it. */
int container_delete(const char *root, const char *id, bool force, struct err *e);

/* Writes PID to the file PATH, by rename. Returns 0 or a negative errno with *E. */
int container_write_pid_file(const char *path, pid_t pid, struct err *e);

/* Sends a pidfd of PID with the text "pidfd" to the socket PATH. Returns 0 or a negative errno with *E. */
int container_send_pidfd(const char *path, pid_t pid, struct err *e);

/* The directory of the helper programs (container_create.libexec) as the running program finds it, for one that is about to
 * be executed where it cannot. Returns 0 or a negative errno with *E. */
int container_find_libexec(char *path, size_t path_bytes, struct err *e);

/* Checks ID. Returns 0 or -EINVAL with *E. */
int container_check_id(const char *id, struct err *e);

#endif
