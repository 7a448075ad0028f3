/* Limits and figures of cgroup v1: each controller's files in its own hierarchy. Values of 0 mean "not given", as in
 * runc, but for pids.limit. memory.kernel is deprecated in the spec, gone from kernels, and ignored by runc and here. */
#include "oci/cgroup_backend.h"
#include "oci/cgroup_file.h"
#include <inttypes.h>
#include <unistd.h>

/* Writes to FILE of CONTROLLER: refused by name where the machine has no such hierarchy. */
__attribute__((format(printf, 5, 6))) static int put(const struct cgroup *c, const char *controller, const char *file,
                                                     struct err *e, const char *format, ...)
{
    const struct cgroup_hierarchy *h = cgroup_controller(c, controller);
    char text[4096];
    va_list ap;
    int len;

    if (h == NULL)
        return err_set(e, ENOENT, "cannot set %s: this machine has no cgroup controller '%s'", file, controller);
    va_start(ap, format);
    len = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof text || strchr(file, '/') != NULL)
        return err_set(e, EINVAL, "the value for %s is too long, or the name is no file name", file);
    return cgroup_write(h->directory, file, text, e);
}

int cgroup_v1_seed_cpuset(const char *directory, struct err *e)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    char own[512], parent[512], path[4096];
    char *slash;

    snprintf(path, sizeof path, "%s", directory);
    slash = strrchr(path, '/');
    *slash = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int ret = cgroup_read(directory, files[i], own, sizeof own);
        if (ret < 0)
            return err_set(e, -ret, "cannot read %s/%s: %s", directory, files[i], strerror(-ret));
        if (own[0] != 0)
            continue;
        ret = cgroup_read(path, files[i], parent, sizeof parent);
        if (ret < 0)
            return err_set(e, -ret, "cannot read %s/%s: %s", path, files[i], strerror(-ret));
        ret = cgroup_write(directory, files[i], parent, e);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* The limit may not be above memory plus swap, nor that below the limit: which one goes first depends on what is there. */
static int set_memory_limits(const struct cgroup *c, int64_t limit, int64_t swap, struct err *e)
{
    int ret = 0;

    if (limit != 0)
        ret = put(c, "memory", "memory.limit_in_bytes", e, "%" PRId64, limit);
    if (ret == -EINVAL && swap != 0) {
        ret = put(c, "memory", "memory.memsw.limit_in_bytes", e, "%" PRId64, swap);
        return ret == 0 ? put(c, "memory", "memory.limit_in_bytes", e, "%" PRId64, limit) : ret;
    }
    if (ret == -EBUSY) {
        const struct cgroup_hierarchy *h = cgroup_controller(c, "memory");
        return err_set(
            e, EBUSY, "unable to set memory limit to %" PRId64 " (current usage: %" PRIu64 ", peak usage: %" PRIu64 ")",
            limit, cgroup_read_u64(h->directory, "memory.usage_in_bytes"),
            cgroup_read_u64(h->directory, "memory.max_usage_in_bytes"));
    }
    return ret == 0 && swap != 0 ? put(c, "memory", "memory.memsw.limit_in_bytes", e, "%" PRId64, swap) : ret;
}

static int set_memory(const struct cgroup *c, const struct config_memory *m, struct err *e)
{
    int64_t limit = m->limit.set ? m->limit.value : 0, swap = m->swap.set ? m->swap.value : 0;
    const struct cgroup_hierarchy *h = cgroup_controller(c, "memory");
    int ret;

    /* no limit on memory means none on the sum either; without swap accounting there is no such file */
    if (limit == -1 && swap == 0 && h != NULL && cgroup_has_file(h->directory, "memory.memsw.limit_in_bytes"))
        swap = -1;
    ret = set_memory_limits(c, limit, swap, e);
    if (ret == 0 && m->reservation.set && m->reservation.value != 0)
        ret = put(c, "memory", "memory.soft_limit_in_bytes", e, "%" PRId64, m->reservation.value);
    if (ret == 0 && m->kernel_tcp.set && m->kernel_tcp.value != 0)
        ret = put(c, "memory", "memory.kmem.tcp.limit_in_bytes", e, "%" PRId64, m->kernel_tcp.value);
    if (ret == 0 && m->swappiness.set)
        ret = put(c, "memory", "memory.swappiness", e, "%" PRIu64, m->swappiness.value);
    if (ret == 0 && m->disable_oom_killer.set && m->disable_oom_killer.value)
        ret = put(c, "memory", "memory.oom_control", e, "1");
    return ret;
}

struct cpu_value {
    const char *file;
    bool given;
    int64_t value;
};

/* A period is refused while the old time in it does not fit it, and the other way round: the second order then works. */
static int set_period(const struct cgroup *c, struct cpu_value period, struct cpu_value time, struct err *e)
{
    bool late = false;
    int ret = 0;

    if (period.given) {
        ret = put(c, "cpu", period.file, e, "%" PRId64, period.value);
        late = ret == -EINVAL && time.given;
        ret = late ? 0 : ret;
    }
    if (ret == 0 && time.given)
        ret = put(c, "cpu", time.file, e, "%" PRId64, time.value);
    return ret == 0 && late ? put(c, "cpu", period.file, e, "%" PRId64, period.value) : ret;
}

/* 0 stands for "as it is". */
static int set_bandwidth(const struct cgroup *c, const struct config_cpu *cpu, struct err *e)
{
    int ret = set_period(
        c,
        (struct cpu_value){"cpu.cfs_period_us", cpu->period.set && cpu->period.value != 0, (int64_t)cpu->period.value},
        (struct cpu_value){"cpu.cfs_quota_us", cpu->quota.set && cpu->quota.value != 0, cpu->quota.value}, e);

    if (ret == 0)
        ret = set_period(
            c,
            (struct cpu_value){"cpu.rt_period_us", cpu->realtime_period.set && cpu->realtime_period.value != 0,
                               (int64_t)cpu->realtime_period.value},
            (struct cpu_value){"cpu.rt_runtime_us", cpu->realtime_runtime.set && cpu->realtime_runtime.value != 0,
                               cpu->realtime_runtime.value},
            e);
    if (ret == 0 && cpu->burst.set)
        ret = put(c, "cpu", "cpu.cfs_burst_us", e, "%" PRIu64, cpu->burst.value);
    return ret;
}

static int set_cpu(const struct cgroup *c, const struct config_cpu *cpu, struct err *e)
{
    int ret = 0;

    if (cpu->shares.set && cpu->shares.value != 0)
        ret = put(c, "cpu", "cpu.shares", e, "%" PRIu64, cpu->shares.value);
    if (ret == 0)
        ret = set_bandwidth(c, cpu, e);
    if (ret == 0 && cpu->idle.set)
        ret = put(c, "cpu", "cpu.idle", e, "%" PRId64, cpu->idle.value);
    if (ret == 0 && cpu->cpus != NULL && cpu->cpus[0] != 0)
        ret = put(c, "cpuset", "cpuset.cpus", e, "%s", cpu->cpus);
    if (ret == 0 && cpu->mems != NULL && cpu->mems[0] != 0)
        ret = put(c, "cpuset", "cpuset.mems", e, "%s", cpu->mems);
    return ret;
}

static int set_throttles(const struct cgroup *c, const struct config_block_io *io, struct err *e)
{
    static const char *const files[THROTTLE_COUNT] = {
        [THROTTLE_READ_BPS] = "blkio.throttle.read_bps_device",
        [THROTTLE_WRITE_BPS] = "blkio.throttle.write_bps_device",
        [THROTTLE_READ_IOPS] = "blkio.throttle.read_iops_device",
        [THROTTLE_WRITE_IOPS] = "blkio.throttle.write_iops_device",
    };
    int ret = 0;

    for (int kind = 0; kind < THROTTLE_COUNT; kind++)
        for (uint32_t i = 0; ret == 0 && i < io->throttle[kind].count; i++) {
            const struct config_throttle_device *d = &io->throttle[kind].data[i];
            ret = put(c, "blkio", files[kind], e, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, d->rate);
        }
    return ret;
}

/* With the BFQ scheduler the weight has another name; the plain one went with CFQ in 5.0. */
static const char *weight_file(const struct cgroup *c, const char *plain, const char *bfq)
{
    const struct cgroup_hierarchy *h = cgroup_controller(c, "blkio");
    return h != NULL && !cgroup_has_file(h->directory, plain) && cgroup_has_file(h->directory, bfq) ? bfq : plain;
}

static int set_block_io(const struct cgroup *c, const struct config_block_io *io, struct err *e)
{
    int ret = 0;

    if (io->weight.set && io->weight.value != 0)
        ret = put(c, "blkio", weight_file(c, "blkio.weight", "blkio.bfq.weight"), e, "%" PRIu64, io->weight.value);
    if (ret == 0 && io->leaf_weight.set && io->leaf_weight.value != 0)
        ret = put(c, "blkio", "blkio.leaf_weight", e, "%" PRIu64, io->leaf_weight.value);
    for (uint32_t i = 0; ret == 0 && i < io->weight_device_count; i++) {
        const struct config_weight_device *d = &io->weight_devices[i];
        if (d->weight.set)
            ret = put(c, "blkio", weight_file(c, "blkio.weight_device", "blkio.bfq.weight_device"), e,
                      "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, d->weight.value);
        if (ret == 0 && d->leaf_weight.set)
            ret = put(c, "blkio", "blkio.leaf_weight_device", e, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
                      d->leaf_weight.value);
    }
    return ret == 0 ? set_throttles(c, io, e) : ret;
}

static int set_hugepages(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    for (uint32_t i = 0; ret == 0 && i < r->hugepage_limit_count; i++) {
        char file[96];
        snprintf(file, sizeof file, "hugetlb.%s.limit_in_bytes", r->hugepage_limits[i].page_size);
        ret = put(c, "hugetlb", file, e, "%" PRIu64, r->hugepage_limits[i].limit);
    }
    return ret;
}

static int set_network(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    if (r->network_class_id.set && r->network_class_id.value != 0)
        ret = put(c, "net_cls", "net_cls.classid", e, "%" PRIu64, r->network_class_id.value);
    for (uint32_t i = 0; ret == 0 && i < r->network_priority_count; i++)
        ret = put(c, "net_prio", "net_prio.ifpriomap", e, "%s %u", r->network_priorities[i].name,
                  r->network_priorities[i].priority);
    return ret;
}

static int set_rdma(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    for (uint32_t i = 0; ret == 0 && i < r->rdma_count; i++) {
        const struct config_rdma *d = &r->rdma[i];
        char handles[32] = "", objects[32] = "";
        if (d->hca_handles.set)
            snprintf(handles, sizeof handles, " hca_handle=%" PRIu64, d->hca_handles.value);
        if (d->hca_objects.set)
            snprintf(objects, sizeof objects, " hca_object=%" PRIu64, d->hca_objects.value);
        ret = put(c, "rdma", "rdma.max", e, "%s%s%s", d->device, handles, objects);
    }
    return ret;
}

int cgroup_v1_set(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret;

    if (r->unified.count != 0)
        return err_set(e, EINVAL,
                       "invalid configuration: linux.resources.unified needs cgroup v2; this machine has v1");
    ret = set_memory(c, &r->memory, e);
    if (ret == 0)
        ret = set_cpu(c, &r->cpu, e);
    if (ret == 0 && r->pids_limit.set && r->pids_limit.value < 0)
        ret = put(c, "pids", "pids.max", e, "max");
    else if (ret == 0 && r->pids_limit.set)
        ret = put(c, "pids", "pids.max", e, "%" PRId64, r->pids_limit.value);
    if (ret == 0)
        ret = set_block_io(c, &r->block_io, e);
    if (ret == 0)
        ret = set_hugepages(c, r, e);
    if (ret == 0)
        ret = set_network(c, r, e);
    return ret == 0 ? set_rdma(c, r, e) : ret;
}

/* --- devices ------------------------------------------------------------------------------------------------------- */

static void number_text(const struct optional_i64 *number, char text[24])
{
    if (!number->set || number->value < 0)
        snprintf(text, 24, "*");
    else
        snprintf(text, 24, "%" PRId64, number->value);
}

static int put_rule(const struct cgroup *c, const struct config_device_rule *rule, char type, struct err *e)
{
    char major[24], minor[24];

    number_text(&rule->major, major);
    number_text(&rule->minor, minor);
    return put(c, "devices", rule->allow ? "devices.allow" : "devices.deny", e, "%c %s:%s %s%s%s", type, major, minor,
               rule->read ? "r" : "", rule->write ? "w" : "", rule->make ? "m" : "");
}

/* The kernel reads no further than the "a": a rule for both kinds that means less than everything is two rules. */
static int apply_rule(const struct cgroup *c, const struct config_device_rule *rule, struct err *e)
{
    bool every_number = (!rule->major.set || rule->major.value < 0) && (!rule->minor.set || rule->minor.value < 0);

    if (!rule->read && !rule->write && !rule->make)
        return 0;
    if (rule->type != 'a')
        return put_rule(c, rule, rule->type, e);
    if (every_number && rule->read && rule->write && rule->make)
        return put(c, "devices", rule->allow ? "devices.allow" : "devices.deny", e, "a");
    int ret = put_rule(c, rule, 'b', e);
    return ret == 0 ? put_rule(c, rule, 'c', e) : ret;
}

int cgroup_v1_devices(const struct cgroup *c, const struct config_device_rule *rules, unsigned count, struct err *e)
{
    const struct config_device_rule *rule;
    int ret = put(c, "devices", "devices.deny", e, "a");

    for (unsigned i = 0; ret == 0 && i < count; i++)
        ret = apply_rule(c, &rules[i], e);
    for (unsigned i = 0; ret == 0 && (rule = cgroup_default_device_rule(i)) != NULL; i++)
        ret = apply_rule(c, rule, e);
    return ret;
}

/* --- figures ------------------------------------------------------------------------------------------------------- */

static void read_memory(const char *d, struct cgroup_stats *out)
{
    out->memory_usage = cgroup_read_u64(d, "memory.usage_in_bytes");
    out->memory_max_usage = cgroup_read_u64(d, "memory.max_usage_in_bytes");
    out->memory_limit = cgroup_read_u64(d, "memory.limit_in_bytes");
    out->memory_failures = cgroup_read_u64(d, "memory.failcnt");
    out->memory_cache = cgroup_read_key(d, "memory.stat", "total_cache");
    out->memory_rss = cgroup_read_key(d, "memory.stat", "total_rss");
    out->memory_inactive_file = cgroup_read_key(d, "memory.stat", "total_inactive_file");
    out->memory_oom_kills = cgroup_read_key(d, "memory.oom_control", "oom_kill");
    out->swap_usage = cgroup_read_u64(d, "memory.memsw.usage_in_bytes");
    out->swap_limit = cgroup_read_u64(d, "memory.memsw.limit_in_bytes");
}

void cgroup_v1_stats(const struct cgroup *c, struct cgroup_stats *out)
{
    const struct cgroup_hierarchy *cpu = cgroup_controller(c, "cpu"), *account = cgroup_controller(c, "cpuacct"),
                                  *memory = cgroup_controller(c, "memory"), *pids = cgroup_controller(c, "pids");
    uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);

    if (account != NULL) {
        out->cpu_total_ns = cgroup_read_u64(account->directory, "cpuacct.usage");
        out->cpu_user_ns = cgroup_read_key(account->directory, "cpuacct.stat", "user") * tick_ns;
        out->cpu_system_ns = cgroup_read_key(account->directory, "cpuacct.stat", "system") * tick_ns;
    }
    if (cpu != NULL) {
        out->cpu_periods = cgroup_read_key(cpu->directory, "cpu.stat", "nr_periods");
        out->cpu_throttled_periods = cgroup_read_key(cpu->directory, "cpu.stat", "nr_throttled");
        out->cpu_throttled_ns = cgroup_read_key(cpu->directory, "cpu.stat", "throttled_time");
    }
    if (memory != NULL)
        read_memory(memory->directory, out);
    if (pids != NULL) {
        out->pids_current = cgroup_read_u64(pids->directory, "pids.current");
        out->pids_limit = cgroup_read_u64(pids->directory, "pids.max");
    }
}
