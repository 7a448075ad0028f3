/* config.json of the OCI runtime-spec (Linux, 1.3), as plain data.
 *
 * config_parse reads the text once, checks everything that can be checked without the kernel, and fills in struct config;
 * all of it lives in one arena and is never changed afterwards. Names are the spec's. What the spec calls optional and
 * whose absence differs from zero is a struct with `set`. Where the spec has names for kernel constants (capabilities,
 * rlimits, namespace types, seccomp actions) the constants are here: a name that is not known is an error of the config
 * that carries its JSON path. Fields of other platforms (windows, solaris, vm, zos, freebsd) are skipped. */
#ifndef WHERRY_OCI_CONFIG_H
#define WHERRY_OCI_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/caps.h"
#include "oci/dev.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A zeroed one is empty; `data` has a NULL behind the last string, so it serves as argv. NULL only if the key is absent. */
struct strings {
    char **data;
    uint32_t count;
};

struct optional_bool {
    bool set, value;
};
struct optional_u64 {
    bool set;
    uint64_t value;
};
struct optional_i64 {
    bool set;
    int64_t value;
};

struct config_pair { /* of annotations, sysctl, unified */
    const char *key, *value;
};
struct config_pairs {
    struct config_pair *data;
    uint32_t count;
};

struct config_id_map {
    uint32_t container_id, host_id, size;
};
struct config_id_maps {
    struct config_id_map *data;
    uint32_t count;
};

/* --- process ------------------------------------------------------------------------------------------------------ */

struct config_user {
    uid_t uid;
    gid_t gid;
    struct optional_u64 umask;
    gid_t *additional_gids;
    uint32_t additional_gid_count;
};

struct config_rlimit {
    int resource; /* RLIMIT_* */
    uint64_t soft, hard;
};

struct config_scheduler {
    bool set;
    uint32_t policy; /* SCHED_* */
    int32_t nice, priority;
    uint64_t flags; /* SCHED_FLAG_* */
    uint64_t runtime, deadline, period;
};

struct config_io_priority {
    bool set;
    int io_class; /* 1 real time, 2 best effort, 3 idle */
    int priority;
};

/* Also what `exec --process` reads. */
struct config_process {
    bool set; /* the whole object may be absent as long as nothing is started */
    bool terminal;
    uint32_t console_height, console_width; /* 0: not given */
    const char *cwd;
    struct strings args, env;
    struct config_user user;
    struct caps capabilities; /* absent means none at all, as in runc */
    struct config_rlimit *rlimits;
    uint32_t rlimit_count;
    bool no_new_privileges;
    const char *apparmor_profile, *selinux_label; /* NULL: none */
    struct optional_i64 oom_score_adj;
    struct config_scheduler scheduler;
    struct config_io_priority io_priority;
    const char *exec_cpu_affinity_initial, *exec_cpu_affinity_final;
};

/* --- hooks, mounts ------------------------------------------------------------------------------------------------ */

enum config_hook_stage {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_START_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
    HOOK_STAGE_COUNT
};

struct config_hook {
    const char *path;
    struct strings args, env;
    struct optional_i64 timeout_s;
};
struct config_hooks {
    struct config_hook *data;
    uint32_t count;
};

struct config_mount {
    const char *destination;   /* absolute */
    const char *type, *source; /* NULL: absent. A relative source of a bind mount is relative to the bundle */
    struct strings options;
    struct config_id_maps uid_mappings, gid_mappings;
};

/* --- linux.resources ---------------------------------------------------------------------------------------------- */

struct config_device_rule {
    bool allow;
    char type;                        /* 'a', 'b' or 'c' */
    struct optional_i64 major, minor; /* absent or -1: all */
    bool read, write, make;
};

struct config_memory {
    struct optional_i64 limit, reservation, swap, kernel, kernel_tcp;
    struct optional_u64 swappiness;
    struct optional_bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct config_cpu {
    struct optional_u64 shares, burst, period, realtime_period;
    struct optional_i64 quota, realtime_runtime, idle;
    const char *cpus, *mems; /* NULL: absent */
};

struct config_weight_device {
    int64_t major, minor;
    struct optional_u64 weight, leaf_weight;
};
struct config_throttle_device {
    int64_t major, minor;
    uint64_t rate;
};
struct config_throttle {
    struct config_throttle_device *data;
    uint32_t count;
};
enum config_throttle_kind {
    THROTTLE_READ_BPS,
    THROTTLE_WRITE_BPS,
    THROTTLE_READ_IOPS,
    THROTTLE_WRITE_IOPS,
    THROTTLE_COUNT
};
struct config_block_io {
    struct optional_u64 weight, leaf_weight;
    struct config_weight_device *weight_devices;
    uint32_t weight_device_count;
    struct config_throttle throttle[THROTTLE_COUNT];
};

struct config_hugepage_limit {
    const char *page_size;
    uint64_t limit;
};
struct config_interface_priority {
    const char *name;
    uint32_t priority;
};
struct config_rdma {
    const char *device;
    struct optional_u64 hca_handles, hca_objects;
};

/* Also what `update --resources` reads. */
struct config_resources {
    bool set;
    struct config_device_rule *devices;
    uint32_t device_count;
    struct config_memory memory;
    struct config_cpu cpu;
    struct optional_i64 pids_limit; /* <= 0: no limit */
    struct config_block_io block_io;
    struct config_hugepage_limit *hugepage_limits;
    uint32_t hugepage_limit_count;
    struct optional_u64 network_class_id;
    struct config_interface_priority *network_priorities;
    uint32_t network_priority_count;
    struct config_rdma *rdma;
    uint32_t rdma_count;
    struct config_pairs unified;
};

/* --- linux.seccomp ------------------------------------------------------------------------------------------------ */

struct config_seccomp_arg {
    uint32_t index; /* 0..5 */
    uint32_t op;    /* 1 NE, 2 LT, 3 LE, 4 EQ, 5 GE, 6 GT, 7 MASKED_EQ: libseccomp's enum scmp_compare */
    uint64_t value, value_two;
};
struct config_seccomp_rule {
    struct strings names;
    uint32_t action; /* SECCOMP_RET_*, the errno in its low half where it has one */
    struct config_seccomp_arg *args;
    uint32_t arg_count;
};
struct config_seccomp {
    bool set;
    uint32_t default_action;      /* as `action` above */
    struct strings architectures; /* "x86_64": the spec's SCMP_ARCH_X86_64 as libseccomp resolves names */
    uint64_t flags;               /* SECCOMP_FILTER_FLAG_* */
    const char *listener_path, *listener_metadata;
    struct config_seccomp_rule *rules;
    uint32_t rule_count;
};

/* --- linux -------------------------------------------------------------------------------------------------------- */

enum config_namespace_type {
    NAMESPACE_PID,
    NAMESPACE_MOUNT,
    NAMESPACE_NETWORK,
    NAMESPACE_IPC,
    NAMESPACE_UTS,
    NAMESPACE_USER,
    NAMESPACE_CGROUP,
    NAMESPACE_TIME,
    NAMESPACE_COUNT
};
struct config_namespace {
    bool set;         /* listed */
    const char *path; /* to join; NULL: a new one */
};

struct config_net_device {
    const char *host_name, *name;
};

struct config_time_offset {
    bool set;
    int64_t secs;
    uint32_t nanosecs;
};

struct config_rdt {
    bool set, enable_monitoring;
    const char *clos_id, *l3_cache_schema, *mem_bw_schema;
    struct strings schemata;
};

struct config_memory_policy {
    bool set;
    uint32_t mode; /* MPOL_*, MPOL_F_* flags included */
    const char *nodes;
};

struct config {
    const char *warnings; /* what the user should hear of, though it is no error; NULL: nothing */
    const char *oci_version;
    const char *root_path; /* as written: relative to the bundle */
    bool root_readonly;
    const char *hostname, *domainname; /* NULL: absent */
    struct config_process process;
    struct config_mount *mounts;
    uint32_t mount_count;
    struct config_hooks hooks[HOOK_STAGE_COUNT];
    struct config_pairs annotations;

    struct config_namespace namespaces[NAMESPACE_COUNT];
    struct config_id_maps uid_mappings, gid_mappings;
    struct device *devices;
    uint32_t device_count;
    struct config_net_device *net_devices;
    uint32_t net_device_count;
    const char *cgroups_path; /* NULL: absent */
    struct config_resources resources;
    struct config_pairs sysctl;
    struct config_seccomp seccomp;
    const char *rootfs_propagation; /* "private" ... "runbindable"; NULL: absent */
    struct strings masked_paths, readonly_paths;
    const char *mount_label;
    struct config_rdt intel_rdt;
    bool personality_set;
    uint64_t personality; /* PER_* */
    struct config_time_offset boottime, monotonic;
    struct config_memory_policy memory_policy;
};

/* Parses and checks the LEN bytes of config.json at TEXT. Everything in *OUT lives in ARENA. Returns 0 or -EINVAL with
 * *E: "linux.namespaces[2].type: ...". */
int config_parse(const char *text, size_t len, struct arena *arena, struct config *out, struct err *e);

/* Reads and parses the file PATH (at most 16 MiB). TEXT, if not NULL, gets its bytes, to be kept. Returns 0 or a negative
 * errno with *E. */
int config_read(const char *path, struct arena *arena, struct config *out, struct buf *text, struct err *e);

/* The same for a process object alone (exec --process), and for a resources object (update). */
int config_parse_process(const char *text, size_t len, struct arena *arena, struct config_process *out, struct err *e);
int config_parse_resources(const char *text, size_t len, struct arena *arena, struct config_resources *out,
                           struct err *e);

/* The same for an array of mounts alone (`mounts add`), into OUT's `mounts`; the rest of *OUT stays as it is. */
int config_parse_mounts(const char *text, size_t len, struct arena *arena, struct config *out, struct err *e);

/* The value of annotation KEY, or NULL. */
const char *config_annotation(const struct config *config, const char *key);

/* True if RESOURCES has any limit: all that needs a cgroup but the device rules, which every manager sends. */
bool config_limits_asked(const struct config_resources *resources);

/* True if the container gets a new namespace of that kind. */
bool config_is_new_namespace(const struct config *config, enum config_namespace_type type);

/* "pid", "network" ...: the spec's word. And CLONE_NEWPID ... for it. */
const char *config_namespace_name(enum config_namespace_type type);
int config_namespace_flag(enum config_namespace_type type);

#endif
