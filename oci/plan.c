/* See plan.h. */
#include "oci/plan.h"
#include "base/vec.h"
#include "oci/notify.h"
#include "oci/sched.h"
#include "oci/seccomp_notify.h"
#include "oci/sys.h"

struct planner {
    const struct config *config;
    const struct plan_options *options;
    struct arena *arena;
    struct plan *plan;
    struct err *e;
    VEC(struct plan_step) steps;
    VEC(struct mount_entry *) cgroup_mounts; /* not yet among the steps */
    bool in_cgroup_namespace;
};

const char *plan_step_name(enum plan_step_kind kind)
{
    static const char *const names[] = {
#define PLAN_STEP_TEXT(name, text) [PLAN_##name] = text,
        PLAN_STEPS(PLAN_STEP_TEXT)
#undef PLAN_STEP_TEXT
    };
    return names[kind];
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != 0;
}

static void add(struct planner *p, enum plan_step_kind kind)
{
    vec_push(&p->steps, (struct plan_step){.kind = kind});
}

static void add_if(struct planner *p, bool wanted, enum plan_step_kind kind)
{
    if (wanted)
        add(p, kind);
}

/* --- sections ------------------------------------------------------------------------------------------------------ */

static void plan_network(struct planner *p)
{
    const struct config_namespace *ns = &p->config->namespaces[NAMESPACE_NETWORK];

    p->plan->network = !ns->set ? PLAN_NETWORK_HOST : ns->path == NULL ? PLAN_NETWORK_OWN : PLAN_NETWORK_JOINED;
}

/* That of mounts last: the paths of the others are the runtime's. */
static void plan_mount_namespace(struct planner *p)
{
    const char *path = p->config->namespaces[NAMESPACE_MOUNT].path;

    p->plan->shares_mounts = !config_is_new_namespace(p->config, NAMESPACE_MOUNT);
    if (path != NULL && !p->plan->stage)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_JOIN, .join = {NAMESPACE_MOUNT, path}});
}

static void plan_namespaces(struct planner *p)
{
    struct plan *plan = p->plan;

    for (int type = 0; type < NAMESPACE_COUNT; type++) {
        const struct config_namespace *ns = &p->config->namespaces[type];
        if (!ns->set || type == NAMESPACE_CGROUP)
            continue;
        if (ns->path == NULL && type != NAMESPACE_USER && type != NAMESPACE_TIME)
            plan->clone_flags |= config_namespace_flag(type);
        else if (ns->path != NULL && type == NAMESPACE_PID)
            plan->pid_namespace = ns->path;
        else if (ns->path != NULL && plan->stage)
            plan->joins[plan->join_count++] = (struct plan_join){type, ns->path};
        else if (ns->path != NULL && type != NAMESPACE_MOUNT)
            vec_push(&p->steps, (struct plan_step){.kind = PLAN_JOIN, .join = {type, ns->path}});
    }
    plan_mount_namespace(p);
    plan_network(p);
    add_if(p, plan->network == PLAN_NETWORK_OWN, PLAN_LOOPBACK);
    add_if(p, p->config->net_device_count != 0, PLAN_NET_DEVICES);
}

static bool is_bind(const struct config_mount *m, const struct mount_options *o)
{
    return (o->flags & MS_BIND) != 0 || (m->type != NULL && strcmp(m->type, "bind") == 0);
}

/* Mappings of a mount without the option mean "idmap"; the option without mappings means the container's own. */
static int read_id_maps(struct planner *p, uint32_t index, const struct mount_options *options,
                        struct mount_entry *entry)
{
    const struct config_mount *m = &p->config->mounts[index];
    bool own = m->uid_mappings.count != 0;

    entry->id_mapped = options->id_map || own;
    if (!entry->id_mapped)
        return 0;
    if (!is_bind(m, options) || (options->flags & MS_REMOUNT) != 0)
        return err_set(p->e, EINVAL, "config.json: mounts[%u]: only a bind mount can be id-mapped", index);
    if (!own && !p->config->namespaces[NAMESPACE_USER].set)
        return err_set(p->e, EINVAL,
                       "config.json: mounts[%u].options: '%s' needs uidMappings and gidMappings, or a user namespace "
                       "whose mappings it can take",
                       index, options->id_map_tree ? "ridmap" : "idmap");
    entry->uid_mappings = own ? &m->uid_mappings : NULL;
    entry->gid_mappings = own ? &m->gid_mappings : NULL;
    return 0;
}

/* File systems of the kernel's own have labels by its policy; a bind mount keeps those of its files. */
static const char *label_of(const struct planner *p, const struct config_mount *m, const struct mount_options *options)
{
    bool kernels =
        m->type != NULL && (strcmp(m->type, "proc") == 0 || strcmp(m->type, "sysfs") == 0 || mount_is_cgroup(m));
    return kernels || is_bind(m, options) ? NULL : p->plan->mount_label;
}

/* A destination may be given as the host sees it, below the root file system: what runc's users have written for years. */
static const char *strip_root(const struct planner *p, const char *destination)
{
    size_t len = strlen(p->plan->rootfs);

    return len > 1 && strncmp(destination, p->plan->rootfs, len) == 0 && destination[len] == '/' ? destination + len
                                                                                                 : destination;
}

/* Mount INDEX of the config for mount_apply; NULL with the error. */
static struct mount_entry *read_mount(struct planner *p, uint32_t index)
{
    const struct config_mount *m = &p->config->mounts[index];
    struct mount_options *options = arena_new(p->arena, struct mount_options);
    struct mount_entry *entry = arena_new(p->arena, struct mount_entry);

    if (mount_options_read((const char *const *)m->options.data, m->options.count, p->arena, options, p->e) < 0) {
        err_prefix(p->e, "config.json: mounts[%u].options", index);
        return NULL;
    }
    *entry = (struct mount_entry){.destination = strip_root(p, m->destination),
                                  .type = m->type,
                                  .source = m->source,
                                  .tree = -1,
                                  .label = label_of(p, m, options),
                                  .options = options};
    if (read_id_maps(p, index, options, entry) < 0)
        return NULL;
    if ((options->flags & MS_REMOUNT) != 0)
        return entry;
    if (is_bind(m, options) && (m->source == NULL || m->source[0] == 0)) {
        err_set(p->e, EINVAL, "config.json: mounts[%u].source: a bind mount needs it", index);
        return NULL;
    }
    if (!is_bind(m, options) && (m->type == NULL || m->type[0] == 0)) {
        err_set(p->e, EINVAL, "config.json: mounts[%u].type: it is required unless the options say 'bind'", index);
        return NULL;
    }
    if (is_bind(m, options) && m->source[0] != '/')
        entry->source = arena_printf(p->arena, "%s/%s", p->options->bundle, m->source);
    return entry;
}

/* Makes or joins the cgroup namespace, once, and mounts what had to wait for it. */
static void plan_cgroups(struct planner *p)
{
    const struct config_namespace *ns = &p->config->namespaces[NAMESPACE_CGROUP];

    if (ns->set && !p->in_cgroup_namespace)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_CGROUP_NAMESPACE, .join = {NAMESPACE_CGROUP, ns->path}});
    p->in_cgroup_namespace = true;
    for (size_t i = 0; i < p->cgroup_mounts.len; i++)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_CGROUP_MOUNT, .mount = p->cgroup_mounts.data[i]});
    p->cgroup_mounts.len = 0;
}

static bool lies_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);
    return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == 0);
}

static bool lies_on_cgroup_mount(const struct planner *p, const char *path)
{
    for (size_t i = 0; i < p->cgroup_mounts.len; i++)
        if (lies_below(path, p->cgroup_mounts.data[i]->destination))
            return true;
    return false;
}

/* Not among the config's mounts, so that it is no grant of a module's. */
static void plan_notify(struct planner *p)
{
    static const struct mount_options options = {.flags = MS_BIND | MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY,
                                                 .data = ""};
    struct mount_entry *entry = arena_new(p->arena, struct mount_entry);

    if (p->options->notify == NULL)
        return;
    *entry = (struct mount_entry){.destination = NOTIFY_MOUNT_POINT,
                                  .type = "bind",
                                  .source = p->options->notify,
                                  .tree = -1,
                                  .options = &options};
    vec_push(&p->steps, (struct plan_step){.kind = PLAN_MOUNT, .mount = entry});
}

/* Mounts in the order of the config, except that those of cgroups come last: their namespace must be made after the process
 * is in its cgroups, and on v1 that is a wait of milliseconds, which the other mounts fill. They stay in their place if
 * something is to be mounted on them. */
static int plan_mounts(struct planner *p)
{
    for (uint32_t i = 0; i < p->config->mount_count; i++) {
        struct mount_entry *entry = read_mount(p, i);
        if (entry == NULL)
            return -p->e->code;
        if (mount_is_cgroup(&p->config->mounts[i])) {
            vec_push(&p->cgroup_mounts, entry);
            continue;
        }
        if (lies_on_cgroup_mount(p, entry->destination))
            plan_cgroups(p);
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_MOUNT, .mount = entry});
    }
    return 0;
}

/* /dev asked to be read-only has to be written first. */
static void plan_dev_readonly(struct planner *p)
{
    struct mount_options *options = arena_new(p->arena, struct mount_options);
    struct mount_entry *entry = arena_new(p->arena, struct mount_entry);

    *options = (struct mount_options){.flags = MS_REMOUNT | MS_BIND | MS_RDONLY, .data = ""};
    *entry = (struct mount_entry){.destination = "/dev", .tree = -1, .options = options};
    vec_push(&p->steps, (struct plan_step){.kind = PLAN_MOUNT, .mount = entry});
}

/* Takes MS_RDONLY off the mount on /dev; true if it was there. A bind mount of the host's /dev is left alone. */
static bool take_dev_readonly(struct planner *p)
{
    bool taken = false;

    for (size_t i = 0; i < p->steps.len; i++) {
        const struct mount_entry *m = p->steps.data[i].mount;
        struct mount_entry *copy;
        struct mount_options *options;
        if (p->steps.data[i].kind != PLAN_MOUNT || strcmp(m->destination, "/dev") != 0 || m->type == NULL ||
            strcmp(m->type, "tmpfs") != 0 || (m->options->flags & MS_RDONLY) == 0)
            continue;
        copy = arena_new(p->arena, struct mount_entry);
        options = arena_new(p->arena, struct mount_options);
        *options = *m->options;
        options->flags &= ~(unsigned long)MS_RDONLY;
        *copy = *m;
        copy->options = options;
        p->steps.data[i].mount = copy;
        taken = true;
    }
    return taken;
}

/* A bind mount of a whole /dev brings its devices along; making more in it would change the host. */
static bool has_bound_dev(const struct planner *p)
{
    for (size_t i = 0; i < p->steps.len; i++)
        if (p->steps.data[i].kind == PLAN_MOUNT && strcmp(p->steps.data[i].mount->destination, "/dev") == 0 &&
            (p->steps.data[i].mount->options->flags & MS_BIND) != 0)
            return true;
    return false;
}

static void plan_devices(struct planner *p)
{
    const struct device *device;
    bool readonly;

    if (has_bound_dev(p))
        return;
    readonly = take_dev_readonly(p);
    for (size_t i = 0; (device = dev_default(i)) != NULL; i++)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_DEVICE, .device = device});
    for (uint32_t i = 0; i < p->config->device_count; i++)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_DEVICE, .device = &p->config->devices[i]});
    add(p, PLAN_DEVICE_LINKS);
    add_if(p, p->config->process.terminal, PLAN_CONSOLE);
    if (readonly)
        plan_dev_readonly(p);
}

static int plan_root(struct planner *p)
{
    unsigned long propagation =
        p->config->rootfs_propagation != NULL ? mount_propagation(p->config->rootfs_propagation) : 0;
    int ret;

    vec_push(&p->steps, (struct plan_step){.kind = PLAN_ROOT, .propagation = propagation});
    add_if(p, p->config->namespaces[NAMESPACE_USER].set, PLAN_BECOME_ROOT);
    ret = plan_mounts(p);
    if (ret < 0)
        return ret;
    plan_notify(p);
    plan_devices(p);
    plan_cgroups(p);
    add_if(p, p->config->hooks[HOOK_PRESTART].count + p->config->hooks[HOOK_CREATE_RUNTIME].count != 0,
           PLAN_RUNTIME_HOOKS);
    add_if(p, p->config->hooks[HOOK_CREATE_CONTAINER].count != 0, PLAN_CONTAINER_HOOKS);
    add_if(p, p->config->sysctl.count != 0, PLAN_SYSCTL);
    add_if(p, p->config->process.set, PLAN_MAKE_DIRECTORY);
    /* before the change of root: the host's /proc and /dev can be trusted, the container's cannot */
    add_if(p, p->config->masked_paths.count != 0, PLAN_MASK);
    add_if(p, p->config->readonly_paths.count != 0, PLAN_READONLY_PATHS);
    add_if(p, p->config->root_readonly, PLAN_ROOT_READONLY);
    if (p->plan->shares_mounts) /* exchanging the root of others' mounts would pull it from under them */
        add(p, PLAN_CHANGE_ROOT);
    else
        add(p, p->options->no_pivot ? PLAN_MOVE_ROOT : PLAN_PIVOT);
    if (propagation != 0 && !p->plan->shares_mounts)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_PROPAGATE, .propagation = propagation});
    return 0;
}

/* A container may be created without a process (runtime-spec, config, process), for its namespaces. It cannot be started, which
 * the last step says. */
static void plan_no_process(struct planner *p)
{
    add(p, PLAN_WAIT);
    add(p, PLAN_EXECUTE);
}

/* From here on rights are only given up. Without no_new_privs loading a filter needs CAP_SYS_ADMIN, so it comes before the
 * capabilities are dropped; with it as late as possible, so that it need not allow what the init still does. */
static void plan_process(struct planner *p)
{
    const struct config_process *process = &p->config->process;
    bool late = p->config->seccomp.set && process->no_new_privileges, notifies = seccomp_notifies(&p->config->seccomp);

    add_if(p, p->config->personality_set, PLAN_PERSONALITY);
    add_if(p, process->scheduler.set, PLAN_SCHEDULER);
    add_if(p, process->io_priority.set, PLAN_IO_PRIORITY);
    add_if(p, p->config->memory_policy.set, PLAN_MEMORY_POLICY);
    add_if(p, is_given(process->selinux_label) || is_given(process->apparmor_profile), PLAN_LABELS);
    for (uint32_t i = 0; i < process->rlimit_count; i++)
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_RLIMIT, .rlimit = &process->rlimits[i]});
    add(p, PLAN_BOUNDING);
    add(p, PLAN_USER);
    add(p, PLAN_WORKING_DIRECTORY);
    add(p, PLAN_WORKLOAD);
    add_if(p, p->config->seccomp.set && !late, PLAN_SECCOMP);
    add(p, PLAN_CAPABILITIES);
    add_if(p, process->no_new_privileges, PLAN_NO_NEW_PRIVILEGES);
    add_if(p, late && notifies, PLAN_SECCOMP); /* the creating process hands its listener on */
    add_if(p, !p->plan->is_exec, PLAN_WAIT);
    add_if(p, late && !notifies, PLAN_SECCOMP);
    add_if(p, !p->plan->is_exec && p->config->hooks[HOOK_START_CONTAINER].count != 0, PLAN_START_HOOKS);
    add(p, PLAN_EXECUTE);
}

static void finish(struct planner *p)
{
    p->plan->step_count = (uint32_t)p->steps.len;
    p->plan->steps = arena_array(p->arena, struct plan_step, p->steps.len);
    memcpy(p->plan->steps, p->steps.data, p->steps.len * sizeof *p->steps.data);
    vec_done(&p->steps);
    vec_done(&p->cgroup_mounts);
}

int plan_make(const struct config *config, const struct plan_options *options, struct arena *arena, struct plan *out,
              struct err *e)
{
    struct planner p = {.config = config, .options = options, .arena = arena, .plan = out, .e = e};
    int ret;

    memset(out, 0, sizeof *out);
    out->config = config;
    out->bundle = options->bundle;
    out->rootfs = config->root_path[0] == '/' ? config->root_path
                                              : arena_printf(arena, "%s/%s", options->bundle, config->root_path);
    out->mount_label = options->selinux && is_given(config->mount_label) ? config->mount_label : NULL;
    out->stage = config->namespaces[NAMESPACE_USER].set || config_is_new_namespace(config, NAMESPACE_TIME);
    add(&p, PLAN_SESSION);
    add_if(&p, config->process.oom_score_adj.set && !out->stage, PLAN_OOM_SCORE); /* needs the host's /proc */
    plan_namespaces(&p);
    ret = plan_root(&p);
    add_if(&p, is_given(config->hostname), PLAN_HOSTNAME);
    add_if(&p, is_given(config->domainname), PLAN_DOMAINNAME);
    if (ret == 0 && config->process.set)
        plan_process(&p);
    else if (ret == 0)
        plan_no_process(&p);
    finish(&p);
    return ret;
}

/* process.execCPUAffinity: where a further process runs before it is in the container's cgroups, and afterwards. */
static int plan_affinity(struct planner *p, const char *cpus)
{
    cpu_set_t set;
    int ret = is_given(cpus) ? sched_read_cpus(cpus, &set, p->e) : 0;

    if (ret < 0)
        return err_prefix(p->e, "process.execCPUAffinity");
    if (is_given(cpus))
        vec_push(&p->steps, (struct plan_step){.kind = PLAN_AFFINITY, .cpus = cpus});
    return 0;
}

/* The plan of a process that enters a container. */
static void begin_entering(struct planner *p, const char *bundle)
{
    const struct config *config = p->config;

    *p->plan = (struct plan){
        .is_exec = true,
        .config = config,
        .bundle = bundle,
        .rootfs = config->root_path[0] == '/' ? config->root_path
                                              : arena_printf(p->arena, "%s/%s", bundle, config->root_path),
        .stage = config->namespaces[NAMESPACE_USER].set,
    };
}

int plan_exec(const struct config *config, const char *bundle, struct arena *arena, struct plan *out, struct err *e)
{
    struct planner p = {.config = config, .arena = arena, .plan = out, .e = e};
    int ret;

    if (!config->process.set || config->process.args.count == 0)
        return err_set(e, EINVAL, "process.args: there must be a program to execute");
    begin_entering(&p, bundle);
    add(&p, PLAN_SESSION);
    add_if(&p, config->process.oom_score_adj.set && !out->stage, PLAN_OOM_SCORE);
    plan_network(&p);
    ret = plan_affinity(&p, config->process.exec_cpu_affinity_initial);
    add(&p, PLAN_ENTER);
    add_if(&p, out->stage, PLAN_BECOME_ROOT);
    if (ret == 0)
        ret = plan_affinity(&p, config->process.exec_cpu_affinity_final);
    add_if(&p, config->process.terminal, PLAN_TERMINAL);
    plan_process(&p);
    finish(&p);
    return ret;
}

/* What a file system needs that is made in a container which runs is less than at create: see live_mounts.h. */
static int check_live(const struct planner *p, uint32_t index, const struct mount_entry *entry)
{
    const char *what = NULL;

    if ((entry->options->flags & MS_REMOUNT) != 0)
        what = "remount";
    else if (entry->options->copy_up)
        what = "tmpcopyup";
    else if (mount_is_cgroup(&p->config->mounts[index]))
        what = "type cgroup";
    return what == NULL
               ? 0
               : err_set(p->e, ENOTSUP, "mounts[%u]: %s is only possible when a container is created", index, what);
}

static int plan_live_mount(struct planner *p, uint32_t index, bool remove)
{
    struct mount_entry *entry = arena_new(p->arena, struct mount_entry);

    if (remove)
        *entry = (struct mount_entry){.destination = p->config->mounts[index].destination, .tree = -1};
    else
        entry = read_mount(p, index);
    if (entry == NULL || (!remove && check_live(p, index, entry) < 0))
        return -p->e->code;
    vec_push(&p->steps, (struct plan_step){.kind = remove ? PLAN_UNMOUNT : PLAN_MOUNT, .mount = entry});
    return 0;
}

int plan_live_mounts(const struct config *config, const char *bundle, bool remove, struct arena *arena,
                     struct plan *out, struct err *e)
{
    const struct plan_options options = {.bundle = bundle};
    struct planner p = {.config = config, .options = &options, .arena = arena, .plan = out, .e = e};
    int ret = 0;

    begin_entering(&p, bundle);
    out->is_live = true;
    add(&p, PLAN_ENTER);
    add_if(&p, out->stage, PLAN_BECOME_ROOT);
    add(&p, PLAN_OPEN_ROOT);
    for (uint32_t i = 0; ret == 0 && i < config->mount_count; i++)
        ret = plan_live_mount(&p, remove ? config->mount_count - 1 - i : i, remove);
    add(&p, PLAN_END);
    finish(&p);
    return ret;
}
