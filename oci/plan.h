/* config.json turned into what has to be done, in order, before anything is done.
 *
 * plan_make is pure: it looks at the config and the caller's wishes only, so that a plan can be printed, compared with a
 * golden file and refused without a privilege. process.c then clones with
 * `clone_flags` and init.c carries out the steps one after the other. The order is runc's; where it matters for security
 * the step says so. */
#ifndef WHERRY_OCI_PLAN_H
#define WHERRY_OCI_PLAN_H

#include "base/arena.h"
#include "base/buf.h"
#include "oci/config.h"
#include "oci/mount.h"
#include <stdbool.h>

/* name, what it is called in `wherry plan`; in the order in which they are carried out */
#define PLAN_STEPS(X)                                                                                                  \
    X(SESSION, "session")                                                                                              \
    X(AFFINITY, "affinity")                                                                                            \
    X(ENTER, "enter")                                                                                                  \
    X(TERMINAL, "terminal")                                                                                            \
    X(JOIN, "join")                                                                                                    \
    X(LOOPBACK, "loopback")                                                                                            \
    X(NET_DEVICES, "network-devices")                                                                                  \
    X(ROOT, "root")                                                                                                    \
    X(BECOME_ROOT, "become-root")                                                                                      \
    X(MOUNT, "mount")                                                                                                  \
    X(CGROUP_NAMESPACE, "cgroup-namespace")                                                                            \
    X(CGROUP_MOUNT, "cgroup-mount")                                                                                    \
    X(DEVICE, "device")                                                                                                \
    X(DEVICE_LINKS, "device-links")                                                                                    \
    X(CONSOLE, "console")                                                                                              \
    X(RUNTIME_HOOKS, "runtime-hooks")                                                                                  \
    X(CONTAINER_HOOKS, "container-hooks")                                                                              \
    X(SYSCTL, "sysctl")                                                                                                \
    X(OPEN_ROOT, "open-root")                                                                                          \
    X(UNMOUNT, "unmount")                                                                                              \
    X(MAKE_DIRECTORY, "make-working-directory")                                                                        \
    X(MASK, "mask")                                                                                                    \
    X(READONLY_PATHS, "readonly-paths")                                                                                \
    X(ROOT_READONLY, "root-readonly")                                                                                  \
    X(PIVOT, "pivot")                                                                                                  \
    X(MOVE_ROOT, "move-root")                                                                                          \
    X(CHANGE_ROOT, "change-root")                                                                                      \
    X(PROPAGATE, "propagate")                                                                                          \
    X(HOSTNAME, "hostname")                                                                                            \
    X(DOMAINNAME, "domainname")                                                                                        \
    X(OOM_SCORE, "oom-score")                                                                                          \
    X(PERSONALITY, "personality")                                                                                      \
    X(SCHEDULER, "scheduler")                                                                                          \
    X(IO_PRIORITY, "io-priority")                                                                                      \
    X(MEMORY_POLICY, "memory-policy")                                                                                  \
    X(LABELS, "labels")                                                                                                \
    X(RLIMIT, "rlimit")                                                                                                \
    X(BOUNDING, "bounding")                                                                                            \
    X(USER, "user")                                                                                                    \
    X(WORKING_DIRECTORY, "working-directory")                                                                          \
    X(WORKLOAD, "workload")                                                                                            \
    X(SECCOMP, "seccomp")                                                                                              \
    X(CAPABILITIES, "capabilities")                                                                                    \
    X(NO_NEW_PRIVILEGES, "no-new-privileges")                                                                          \
    X(WAIT, "wait-for-start")                                                                                          \
    X(START_HOOKS, "start-hooks")                                                                                      \
    X(EXECUTE, "execute")                                                                                              \
    X(END, "end")

enum plan_step_kind {
#define PLAN_STEP_ENUM(name, text) PLAN_##name,
    PLAN_STEPS(PLAN_STEP_ENUM)
#undef PLAN_STEP_ENUM
};

struct plan_join {
    enum config_namespace_type type;
    const char *path;
};

struct plan_step {
    enum plan_step_kind kind;
    union {
        const struct mount_entry *mount;    /* MOUNT, CGROUP_MOUNT, UNMOUNT */
        const struct device *device;        /* DEVICE */
        const struct config_rlimit *rlimit; /* RLIMIT */
        struct plan_join join;              /* JOIN, CGROUP_NAMESPACE (path NULL: a new one) */
        unsigned long propagation;          /* ROOT, PROPAGATE */
        const char *cpus;                   /* AFFINITY */
    };
};

enum plan_network { PLAN_NETWORK_HOST, PLAN_NETWORK_OWN, PLAN_NETWORK_JOINED };

struct plan {
    const struct config *config;
    const char *bundle, *rootfs; /* absolute */
    bool is_exec;                /* of a further process of a container that runs */
    bool is_live;                /* mounts in a container that runs: its /proc is its own, and no help */
    int clone_flags;             /* new namespaces, all but the cgroup one (a step) and those that the stage makes */
    bool shares_mounts;          /* no mount namespace of its own: what is mounted is seen by others */
    const char *pid_namespace;   /* to join: by the parent around clone, since it only holds for children */
    bool stage;                  /* one clone is not enough: see clone.h */
    struct plan_join joins[NAMESPACE_COUNT]; /* what the stage joins, the user namespace too */
    uint32_t join_count;
    const char *mount_label;   /* SELinux context of new file systems; NULL: none */
    enum plan_network network; /* what the grants go by */
    struct plan_step *steps;
    uint32_t step_count;
};

struct plan_options {
    const char *bundle; /* absolute */
    bool no_pivot;
    bool selinux;       /* mountLabel means something on this host */
    const char *notify; /* directory to bind at NOTIFY_MOUNT_POINT; NULL: none */
};

/* Everything in *OUT lives in ARENA. Returns 0, or -EINVAL with *E for a config that contradicts itself. */
int plan_make(const struct config *config, const struct plan_options *options, struct arena *arena, struct plan *out,
              struct err *e);

/* The same for a further process of a container that runs: CONFIG is the container's with another process in it. */
int plan_exec(const struct config *config, const char *bundle, struct arena *arena, struct plan *out, struct err *e);

/* To mount CONFIG's mounts (or, with REMOVE, to unmount their destinations, the last first) in a container that runs: CONFIG
 * is the container's with these mounts instead of its own. As plan_exec. */
int plan_live_mounts(const struct config *config, const char *bundle, bool remove, struct arena *arena,
                     struct plan *out, struct err *e);

/* One line a step, as text for people and golden files. */
void plan_print(const struct plan *plan, struct buf *out);

const char *plan_step_name(enum plan_step_kind kind);

#endif
