/* See wasm_grant.h. */
#include "oci/wasm_grant.h"
#include "base/vec.h"
#include "oci/environment.h"
#include "oci/path.h"
#include "oci/sys.h"
#include "oci/wasm_listen.h"
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>

#ifndef MQUEUE_MAGIC /* ipc/mqueue.c; in no public header */
#define MQUEUE_MAGIC 0x19800202
#endif

#define TIER_KEY "wherry.wasm.tier"

struct granter {
    const struct config *config;
    struct arena *arena;
    struct err *e;
    VEC(struct grant_path) paths;
};

static bool is_at_or_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);
    return strncmp(path, directory, len) == 0 && (path[len] == 0 || path[len] == '/' || len == 1);
}

/* Adds a grant; one for the same place replaces the earlier, as the later mount hides the earlier. */
static void grant_path(struct granter *g, enum grant_path_kind kind, const char *guest_path, bool writable)
{
    struct grant_path path = {.kind = kind, .guest_path = guest_path, .fd = -1, .writable = writable};

    for (size_t i = 0; i < g->paths.len; i++)
        if (strcmp(g->paths.data[i].guest_path, guest_path) == 0) {
            g->paths.data[i] = path;
            return;
        }
    vec_push(&g->paths, path);
}

static bool is_hidden(const struct granter *g, const char *path)
{
    for (size_t i = 0; i < g->paths.len; i++)
        if (g->paths.data[i].kind == GRANT_HIDDEN && is_at_or_below(path, g->paths.data[i].guest_path))
            return true;
    return false;
}

/* File systems through which the kernel is talked to. A guest with /proc/self/mem could rewrite its own machine code. */
static bool is_kernel_type(const char *type)
{
    static const char *const types[] = {"proc",     "sysfs",    "cgroup",  "cgroup2",     "devpts",     "mqueue",
                                        "bpf",      "debugfs",  "tracefs", "pstore",      "securityfs", "configfs",
                                        "devtmpfs", "efivarfs", "fusectl", "binfmt_misc", "hugetlbfs"};
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static void grant_mount(struct granter *g, const struct config_mount *mount, const struct mount_options *options,
                        const char *path)
{
    bool readonly = (options->flags & MS_RDONLY) != 0 || (options->recursive_set & MOUNT_ATTR_RDONLY) != 0;
    bool bind = (options->flags & MS_BIND) != 0 || (mount->type != NULL && strcmp(mount->type, "bind") == 0);

    if ((options->flags & MS_REMOUNT) != 0)
        return;
    if (strcmp(path, "/dev") == 0 || is_hidden(g, path)) /* /dev is always there as GRANT_DEVICES */
        return;
    if (!bind && (is_kernel_type(mount->type) || is_at_or_below(path, "/dev")))
        grant_path(g, GRANT_HIDDEN, path, false);
    else
        grant_path(g, GRANT_DIRECTORY, path, !readonly);
}

static int grant_mounts(struct granter *g)
{
    for (uint32_t i = 0; i < g->config->mount_count; i++) {
        const struct config_mount *mount = &g->config->mounts[i];
        struct mount_options options;
        char path[PATH_MAX];
        if (mount_options_read((const char *const *)mount->options.data, mount->options.count, g->arena, &options,
                               g->e) < 0)
            return err_prefix(g->e, "config.json: mounts[%u].options", i);
        if (path_normalise(mount->destination, path) < 0)
            return err_set(g->e, ENAMETOOLONG, "config.json: mounts[%u].destination: it is too long", i);
        grant_mount(g, mount, &options, arena_strdup(g->arena, path));
    }
    return 0;
}

/* maskedPaths are mounts that hide something; readonlyPaths are mounts of what was there, reached only as their own grant. */
static int grant_covered(struct granter *g, const struct strings *paths, bool masked)
{
    for (uint32_t i = 0; i < paths->count; i++) {
        char path[PATH_MAX];
        if (path_normalise(paths->data[i], path) < 0)
            return err_set(g->e, ENAMETOOLONG, "config.json: linux.%s: entry %u is too long",
                           masked ? "maskedPaths" : "readonlyPaths", i);
        if (!is_hidden(g, path))
            grant_path(g, masked ? GRANT_HIDDEN : GRANT_DIRECTORY, arena_strdup(g->arena, path), false);
    }
    return 0;
}

static void grant_environment(struct granter *g, struct grant *out)
{
    const struct config_process *process = &g->config->process;
    const struct strings env = environment_unique(&process->env, g->arena);
    const char **environment = arena_array(g->arena, const char *, (size_t)env.count + 2);
    bool has_pwd = false;

    for (uint32_t i = 0; i < env.count; i++) {
        environment[i] = env.data[i];
        has_pwd = has_pwd || strncmp(environment[i], "PWD=", 4) == 0;
    }
    out->environment_count = env.count;
    if (!has_pwd) /* the one documented addition: preview 1 has no working directory of its own */
        environment[out->environment_count++] = arena_printf(g->arena, "PWD=%s", process->cwd);
    out->environment = environment;
}

static int read_memory_max(struct granter *g, struct grant *out)
{
    static const char key[] = "wherry.wasm.memory-max";
    const char *text = config_annotation(g->config, key);
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    out->memory_max_bytes = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || out->memory_max_bytes == 0)
        return err_set(g->e, EINVAL, "config.json: annotations.%s: '%s' is not a number of bytes", key, text);
    return 0;
}

/* The file that the kubelet mounts for a termination message. Without such a mount there is nobody to read it. */
static const char *reason_path(const struct config *config)
{
    const char *path = config_annotation(config, "io.kubernetes.container.terminationMessagePath");

    if (path == NULL || path[0] != '/')
        path = "/dev/termination-log";
    for (uint32_t i = 0; i < config->mount_count; i++)
        if (strcmp(config->mounts[i].destination, path) == 0)
            return path;
    return NULL;
}

static bool has_network(const struct plan *plan)
{
    const char *host = config_annotation(plan->config, "wherry.wasm.host-network");

    return plan->network != PLAN_NETWORK_HOST || (host != NULL && strcmp(host, "true") == 0);
}

/* Only the container's first process listens: a further one would find the addresses taken. */
static int grant_sockets(struct granter *g, bool is_exec, struct grant *out)
{
    static const char key[] = "wherry.wasm.listen";
    const char *text = config_annotation(g->config, key);
    struct grant_socket *sockets;

    if (text == NULL || is_exec)
        return 0;
    if (!out->network)
        return err_set(g->e, EPERM,
                       "config.json: annotations.%s: the container is in the host's network, which a module "
                       "uses only by annotation wherry.wasm.host-network=true",
                       key);
    if (wasm_listen_read(text, g->arena, &sockets, &out->socket_count, g->e) < 0)
        return err_prefix(g->e, "config.json: annotations.%s", key);
    out->sockets = sockets;
    return 0;
}

int wasm_grant_compiler(const struct config *config, enum engine_compiler *out, struct err *e)
{
    const char *text = config_annotation(config, TIER_KEY);

    *out = 0;
    if (text == NULL || strcmp(text, "default") == 0)
        return 0;
    if (strcmp(text, "baseline") != 0 && strcmp(text, "optimizing") != 0)
        return err_set(e, EINVAL, "config.json: annotations." TIER_KEY ": '%s' is not default, baseline or optimizing",
                       text);
    *out = text[0] == 'b' ? ENGINE_BASELINE : ENGINE_OPTIMIZING;
    return 0;
}

/* Annotations that grant or narrow, and that this runtime does not know, must not be passed over in silence. */
static int check_annotations(const struct config *config, struct err *e)
{
    static const char *const known[] = {"wherry.wasm.memory-max", "wherry.wasm.host-network", "wherry.wasm.listen",
                                        TIER_KEY};

    for (uint32_t i = 0; i < config->annotations.count; i++) {
        const char *key = config->annotations.data[i].key;
        size_t k = 0;
        if (strncmp(key, "wherry.wasm.", 12) != 0)
            continue;
        while (k < sizeof known / sizeof known[0] && strcmp(key, known[k]) != 0)
            k++;
        if (k == sizeof known / sizeof known[0])
            return err_set(e, ENOTSUP, "config.json: annotations.%s: this annotation is not supported yet", key);
    }
    return 0;
}

int wasm_grant_make(const struct plan *plan, struct arena *arena, struct grant *out, struct err *e)
{
    struct granter g = {.config = plan->config, .arena = arena, .e = e};
    const struct config_process *process = &plan->config->process;
    const char *name = strrchr(process->args.data[0], '/');
    struct grant_path *paths;
    enum engine_compiler ignored;
    int ret = check_annotations(plan->config, e);

    memset(out, 0, sizeof *out);
    if (ret == 0)
        ret = wasm_grant_compiler(plan->config, &ignored, e);
    if (ret < 0)
        return ret;
    grant_path(&g, GRANT_DIRECTORY, "/", !plan->config->root_readonly);
    grant_path(&g, GRANT_DEVICES, "/dev", false);
    ret = grant_mounts(&g);
    if (ret == 0)
        ret = grant_covered(&g, &plan->config->masked_paths, true);
    if (ret == 0)
        ret = grant_covered(&g, &plan->config->readonly_paths, false);
    if (ret == 0)
        ret = read_memory_max(&g, out);
    out->network = has_network(plan);
    if (ret == 0)
        ret = grant_sockets(&g, plan->is_exec, out);
    out->module_name = name != NULL ? name + 1 : process->args.data[0];
    out->args = (const char *const *)process->args.data;
    out->arg_count = process->args.count;
    grant_environment(&g, out);
    out->working_directory = process->cwd;
    out->reason_path = reason_path(plan->config);
    paths = arena_array(arena, struct grant_path, g.paths.len);
    memcpy(paths, g.paths.data, g.paths.len * sizeof *paths);
    out->paths = paths;
    out->path_count = (uint32_t)g.paths.len;
    vec_done(&g.paths);
    return ret;
}

enum grant_path_kind wasm_grant_kind(const char *guest_path, mode_t mode, long file_system_magic)
{
    static const long hidden[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
        BPF_FS_MAGIC,     DEBUGFS_MAGIC, TRACEFS_MAGIC,      SECURITYFS_MAGIC,    PSTOREFS_MAGIC,
        NSFS_MAGIC,       MQUEUE_MAGIC,  BINFMTFS_MAGIC,     EFIVARFS_MAGIC,      HUGETLBFS_MAGIC,
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (file_system_magic == hidden[i])
            return GRANT_HIDDEN;
    if (S_ISDIR(mode))
        return is_at_or_below(guest_path, "/dev") ? GRANT_HIDDEN : GRANT_DIRECTORY;
    return S_ISREG(mode) ? GRANT_FILE : GRANT_HIDDEN;
}

uint64_t wasm_grant_capabilities(bool network)
{
    uint64_t files = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH | UINT64_C(1) << CAP_FOWNER;

    return network ? files | UINT64_C(1) << CAP_NET_BIND_SERVICE : files;
}

void wasm_grant_print(const struct grant *grant, struct buf *out)
{
    static const char *const kinds[] = {
        [GRANT_DIRECTORY] = "directory", [GRANT_FILE] = "file", [GRANT_DEVICES] = "devices", [GRANT_HIDDEN] = "hidden"};

    for (uint32_t i = 0; i < grant->path_count; i++) {
        const struct grant_path *path = &grant->paths[i];
        buf_printf(out, "grant %s %s", kinds[path->kind], path->guest_path);
        if (path->kind == GRANT_DIRECTORY || path->kind == GRANT_FILE)
            buf_put_str(out, path->writable ? " read-write" : " read-only");
        else if (path->kind == GRANT_DEVICES)
            buf_put_str(out, " null zero full random urandom");
        buf_put_u8(out, '\n');
    }
    buf_printf(out, "grant network %s\n", grant->network ? "yes" : "no");
    for (uint32_t i = 0; i < grant->socket_count; i++)
        buf_printf(out, "grant listen %s\n", grant->sockets[i].name);
    buf_printf(out, "grant working-directory %s\n", grant->working_directory);
    for (uint32_t i = 0; i < grant->arg_count; i++)
        buf_printf(out, "grant argument %s\n", grant->args[i]);
    for (uint32_t i = 0; i < grant->environment_count; i++)
        buf_printf(out, "grant environment %s\n", grant->environment[i]);
    if (grant->reason_path != NULL)
        buf_printf(out, "grant reason-of-trap %s\n", grant->reason_path);
    if (grant->memory_max_bytes != 0)
        buf_printf(out, "grant memory-max %llu\n", (unsigned long long)grant->memory_max_bytes);
}
