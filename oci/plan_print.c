/* A plan as text: one line a step, for operators and golden files. */
#include "oci/plan.h"
#include "oci/sys.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void put_flags(unsigned long flags, struct buf *out)
{
    static const struct {
        unsigned long flag;
        const char *name;
    } names[] = {
        {MS_BIND, "bind"},
        {MS_REC, "rec"},
        {MS_REMOUNT, "remount"},
        {MS_RDONLY, "ro"},
        {MS_NOSUID, "nosuid"},
        {MS_NODEV, "nodev"},
        {MS_NOEXEC, "noexec"},
        {MS_NOATIME, "noatime"},
        {MS_RELATIME, "relatime"},
        {MS_STRICTATIME, "strictatime"},
        {MS_NODIRATIME, "nodiratime"},
        {MS_SYNCHRONOUS, "sync"},
        {MS_DIRSYNC, "dirsync"},
        {MS_MANDLOCK, "mand"},
        {MS_PRIVATE, "private"},
        {MS_SLAVE, "slave"},
        {MS_SHARED, "shared"},
        {MS_UNBINDABLE, "unbindable"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((flags & names[i].flag) != 0)
            buf_printf(out, " %s", names[i].name);
}

static void put_mount(const struct mount_entry *m, struct buf *out)
{
    buf_printf(out, " %s", m->destination);
    if (m->type != NULL)
        buf_printf(out, " type=%s", m->type);
    if (m->source != NULL)
        buf_printf(out, " source=%s", m->source);
    put_flags(m->options->flags, out);
    for (unsigned i = 0; i < m->options->propagation_count; i++)
        put_flags(m->options->propagation[i], out);
    if (m->options->recursive_set != 0)
        buf_printf(out, " recursive-set=0x%llx", (unsigned long long)m->options->recursive_set);
    if (m->options->copy_up)
        buf_put_str(out, " tmpcopyup");
    if (m->id_mapped)
        buf_put_str(out, m->options->id_map_tree ? " id-mapped-tree" : " id-mapped");
    if (m->label != NULL)
        buf_printf(out, " label=%s", m->label);
    if (m->options->data[0] != 0)
        buf_printf(out, " data=%s", m->options->data);
}

static void put_device(const struct device *d, struct buf *out)
{
    buf_printf(out, " %s %c %u:%u mode=%04o owner=%u:%u", d->path,
               S_ISCHR(d->mode)   ? 'c'
               : S_ISBLK(d->mode) ? 'b'
                                  : 'p',
               major(d->number), minor(d->number), d->mode & 07777, d->uid, d->gid);
}

static void put_strings(const struct strings *strings, struct buf *out)
{
    for (uint32_t i = 0; i < strings->count; i++)
        buf_printf(out, " %s", strings->data[i]);
}

static void put_capabilities(const struct caps *caps, struct buf *out)
{
    buf_printf(out, " effective=0x%llx permitted=0x%llx inheritable=0x%llx ambient=0x%llx",
               (unsigned long long)caps->effective, (unsigned long long)caps->permitted,
               (unsigned long long)caps->inheritable, (unsigned long long)caps->ambient);
}

static void put_user(const struct config_user *user, struct buf *out)
{
    buf_printf(out, " %u:%u", user->uid, user->gid);
    for (uint32_t i = 0; i < user->additional_gid_count; i++)
        buf_printf(out, "%c%u", i == 0 ? ' ' : ',', user->additional_gids[i]);
    if (user->umask.set)
        buf_printf(out, " umask=%04o", (unsigned)user->umask.value);
}

static void put_hooks(const struct config *config, enum config_hook_stage stage, struct buf *out)
{
    for (uint32_t i = 0; i < config->hooks[stage].count; i++)
        buf_printf(out, " %s", config->hooks[stage].data[i].path);
}

static void put_step(const struct plan *plan, const struct plan_step *step, struct buf *out)
{
    const struct config *config = plan->config;

    buf_put_str(out, plan_step_name(step->kind));
    switch (step->kind) {
    case PLAN_ROOT:
        buf_printf(out, " %s", plan->rootfs);
        put_flags(step->propagation, out);
        break;
    case PLAN_AFFINITY: buf_printf(out, " %s", step->cpus); break;
    case PLAN_PROPAGATE: put_flags(step->propagation, out); break;
    case PLAN_MOUNT:
    case PLAN_CGROUP_MOUNT: put_mount(step->mount, out); break;
    case PLAN_UNMOUNT: buf_printf(out, " %s", step->mount->destination); break;
    case PLAN_JOIN:
    case PLAN_CGROUP_NAMESPACE:
        buf_printf(out, " %s %s", config_namespace_name(step->join.type),
                   step->join.path != NULL ? step->join.path : "new");
        break;
    case PLAN_DEVICE: put_device(step->device, out); break;
    case PLAN_RUNTIME_HOOKS:
        put_hooks(config, HOOK_PRESTART, out);
        put_hooks(config, HOOK_CREATE_RUNTIME, out);
        break;
    case PLAN_CONTAINER_HOOKS: put_hooks(config, HOOK_CREATE_CONTAINER, out); break;
    case PLAN_START_HOOKS: put_hooks(config, HOOK_START_CONTAINER, out); break;
    case PLAN_NET_DEVICES:
        for (uint32_t i = 0; i < config->net_device_count; i++)
            buf_printf(out, " %s=%s", config->net_devices[i].host_name, config->net_devices[i].name);
        break;
    case PLAN_SYSCTL:
        for (uint32_t i = 0; i < config->sysctl.count; i++)
            buf_printf(out, " %s=%s", config->sysctl.data[i].key, config->sysctl.data[i].value);
        break;
    case PLAN_MASK: put_strings(&config->masked_paths, out); break;
    case PLAN_READONLY_PATHS: put_strings(&config->readonly_paths, out); break;
    case PLAN_HOSTNAME: buf_printf(out, " %s", config->hostname); break;
    case PLAN_DOMAINNAME: buf_printf(out, " %s", config->domainname); break;
    case PLAN_OOM_SCORE: buf_printf(out, " %d", (int)config->process.oom_score_adj.value); break;
    case PLAN_RLIMIT:
        buf_printf(out, " %d soft=%llu hard=%llu", step->rlimit->resource, (unsigned long long)step->rlimit->soft,
                   (unsigned long long)step->rlimit->hard);
        break;
    case PLAN_BOUNDING: buf_printf(out, " 0x%llx", (unsigned long long)config->process.capabilities.bounding); break;
    case PLAN_USER: put_user(&config->process.user, out); break;
    case PLAN_MAKE_DIRECTORY:
    case PLAN_WORKING_DIRECTORY: buf_printf(out, " %s", config->process.cwd); break;
    case PLAN_CAPABILITIES: put_capabilities(&config->process.capabilities, out); break;
    case PLAN_SECCOMP: buf_printf(out, " %u rules", config->seccomp.rule_count); break;
    case PLAN_WORKLOAD: buf_printf(out, " %s", config->process.args.data[0]); break;
    case PLAN_EXECUTE: put_strings(&config->process.args, out); break;
    default: break;
    }
    buf_put_u8(out, '\n');
}

static void put_id_maps(const char *kind, const struct config_id_maps *maps, struct buf *out)
{
    for (uint32_t i = 0; i < maps->count; i++)
        buf_printf(out, " %s=%u:%u:%u", kind, maps->data[i].container_id, maps->data[i].host_id, maps->data[i].size);
}

static void put_offset(const char *clock, const struct config_time_offset *offset, struct buf *out)
{
    if (offset->set)
        buf_printf(out, " %s=%lld.%09u", clock, (long long)offset->secs, offset->nanosecs);
}

/* What is done before the clone of the init, in a process of its own. */
static void put_stage(const struct plan *plan, struct buf *out)
{
    const struct config *config = plan->config;

    if (config->process.oom_score_adj.set)
        buf_printf(out, "stage oom-score %d\n", (int)config->process.oom_score_adj.value);
    for (uint32_t i = 0; i < plan->join_count; i++)
        buf_printf(out, "stage join %s %s\n", config_namespace_name(plan->joins[i].type), plan->joins[i].path);
    if (config_is_new_namespace(config, NAMESPACE_USER)) {
        buf_put_str(out, "stage user");
        put_id_maps("uid", &config->uid_mappings, out);
        put_id_maps("gid", &config->gid_mappings, out);
        buf_put_u8(out, '\n');
    }
    if (config_is_new_namespace(config, NAMESPACE_TIME)) {
        buf_put_str(out, "stage time");
        put_offset("boottime", &config->boottime, out);
        put_offset("monotonic", &config->monotonic, out);
        buf_put_u8(out, '\n');
    }
}

void plan_print(const struct plan *plan, struct buf *out)
{
    buf_put_str(out, "clone");
    for (int type = 0; type < NAMESPACE_COUNT; type++)
        if ((plan->clone_flags & config_namespace_flag(type)) != 0)
            buf_printf(out, " %s", config_namespace_name(type));
    buf_put_u8(out, '\n');
    if (plan->pid_namespace != NULL)
        buf_printf(out, "join pid %s\n", plan->pid_namespace);
    if (plan->stage)
        put_stage(plan, out);
    for (uint32_t i = 0; i < plan->step_count; i++)
        put_step(plan, &plan->steps[i], out);
}
