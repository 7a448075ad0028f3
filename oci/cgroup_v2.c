/* Limits and figures of cgroup v2. The spec's numbers are v1's: shares, memory plus swap, weights from 10 to 1000; here
 * they become v2's. What v2 cannot do is refused by name. */
#include "oci/cgroup_backend.h"
#include "oci/cgroup_file.h"
#include <inttypes.h>
#include <math.h>

static const char *directory_of(const struct cgroup *c)
{
    return c->hierarchies[0].directory;
}

void cgroup_v2_enable(const char *directory)
{
    char available[512], enabled[512], text[600] = "", one[64];
    size_t len = 0;

    if (cgroup_read(directory, "cgroup.controllers", available, sizeof available) < 0 ||
        cgroup_read(directory, "cgroup.subtree_control", enabled, sizeof enabled) < 0)
        return;
    for (const char *p = available; *p != 0; p += *p == ' ') {
        size_t word = strcspn(p, " ");
        if (word < sizeof one - 1) {
            snprintf(one, sizeof one, "%.*s", (int)word, p);
            if (!cgroup_list_has(enabled, one, ' '))
                len += (size_t)snprintf(text + len, sizeof text - len, "%s+%s", len != 0 ? " " : "", one);
        }
        p += word;
    }
    if (len == 0 || cgroup_write(directory, "cgroup.subtree_control", text, NULL) == 0)
        return;
    for (char *p = text, *end; *p != 0; p = end) { /* one refused controller must not cost the others */
        end = p + strcspn(p, " ");
        if (*end != 0)
            *end++ = 0;
        cgroup_write(directory, "cgroup.subtree_control", p, NULL);
    }
}

/* cpu.shares 2 .. 1024 .. 262144 to cpu.weight 1 .. 100 .. 10000: a quadratic in log2, as runc and crun have since 2025,
 * because the older straight line made the default share a weight of 39. */
uint64_t cgroup_v2_cpu_weight(uint64_t shares)
{
    double l = log2((double)shares);

    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

/* blkio.weight 10 .. 1000 to io.weight 1 .. 10000. */
uint64_t cgroup_v2_io_weight(uint64_t weight)
{
    return weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static int put_bytes(const char *d, const char *file, int64_t bytes, struct err *e)
{
    return bytes < 0 ? cgroup_write(d, file, "max", e) : cgroup_printf(d, file, e, "%" PRId64, bytes);
}

/* v2 counts swap alone, the spec memory plus swap. */
static int set_swap(const char *d, const struct config_memory *m, int64_t limit, int64_t sum, struct err *e)
{
    if (sum > 0 && limit <= 0)
        return err_set(e, EINVAL, "memory.swap %" PRId64 " needs memory.limit beside it", sum);
    if (sum > 0 && sum < limit)
        return err_set(e, EINVAL, "memory.swap %" PRId64 " (memory plus swap) is below memory.limit %" PRId64, sum,
                       limit);
    /* without swap accounting there is no file and no swap to allow or forbid */
    if ((sum < 0 || sum == limit) && !cgroup_has_file(d, "memory.swap.max"))
        return 0;
    return put_bytes(d, "memory.swap.max", sum < 0 ? -1 : sum - limit, e);
}

static int check_memory(const char *d, const struct config_memory *m, struct err *e)
{
    if (m->swappiness.set)
        return err_set(e, ENOTSUP, "memory.swappiness needs cgroup v1; this machine has v2");
    if (m->disable_oom_killer.set && m->disable_oom_killer.value)
        return err_set(e, ENOTSUP, "memory.disableOOMKiller needs cgroup v1; this machine has v2");
    if (m->kernel_tcp.set && m->kernel_tcp.value > 0)
        return err_set(e, ENOTSUP, "memory.kernelTCP needs cgroup v1; this machine has v2");
    if (m->check_before_update.set && m->check_before_update.value && m->limit.set && m->limit.value > 0) {
        uint64_t now = cgroup_read_u64(d, "memory.current");
        if (now > (uint64_t)m->limit.value)
            return err_set(e, EBUSY, "memory.limit %" PRId64 " is below the present use of %" PRIu64 " bytes",
                           m->limit.value, now);
    }
    return 0;
}

static int set_memory(const char *d, const struct config_memory *m, struct err *e)
{
    int64_t limit = m->limit.set ? m->limit.value : 0, swap = m->swap.set ? m->swap.value : 0;
    int ret = check_memory(d, m, e);

    if (limit == -1 && swap == 0)
        swap = -1;
    if (ret == 0 && swap != 0)
        ret = set_swap(d, m, limit, swap, e);
    if (ret == 0 && limit != 0)
        ret = put_bytes(d, "memory.max", limit, e);
    if (ret == 0 && m->reservation.set && m->reservation.value != 0)
        ret = put_bytes(d, "memory.low", m->reservation.value, e);
    return ret;
}

static int set_bandwidth(const char *d, const struct config_cpu *cpu, struct err *e)
{
    bool has_period = cpu->period.set && cpu->period.value != 0, has_quota = cpu->quota.set && cpu->quota.value != 0;
    char now[64] = "max 100000", quota[24], period[24] = "";

    if (!has_period && !has_quota)
        return 0;
    cgroup_read(d, "cpu.max", now, sizeof now);
    if (!has_quota)
        snprintf(quota, sizeof quota, "%.*s", (int)strcspn(now, " "), now);
    else if (cpu->quota.value < 0)
        snprintf(quota, sizeof quota, "max");
    else
        snprintf(quota, sizeof quota, "%" PRId64, cpu->quota.value);
    if (has_period)
        snprintf(period, sizeof period, " %" PRIu64, cpu->period.value);
    return cgroup_printf(d, "cpu.max", e, "%s%s", quota, period);
}

static int set_cpu(const char *d, const struct config_cpu *cpu, struct err *e)
{
    int ret = 0;

    if ((cpu->realtime_period.set && cpu->realtime_period.value != 0) ||
        (cpu->realtime_runtime.set && cpu->realtime_runtime.value != 0))
        return err_set(e, ENOTSUP, "cpu.realtimePeriod and realtimeRuntime need cgroup v1; this machine has v2");
    if (cpu->idle.set)
        ret = cgroup_printf(d, "cpu.idle", e, "%" PRId64, cpu->idle.value);
    if (ret == 0 && cpu->shares.set && cpu->shares.value != 0 && !(cpu->idle.set && cpu->idle.value == 1))
        ret = cgroup_printf(d, "cpu.weight", e, "%" PRIu64, cgroup_v2_cpu_weight(cpu->shares.value));
    if (ret == 0)
        ret = set_bandwidth(d, cpu, e);
    if (ret == 0 && cpu->burst.set)
        ret = cgroup_printf(d, "cpu.max.burst", e, "%" PRIu64, cpu->burst.value);
    if (ret == 0 && cpu->cpus != NULL && cpu->cpus[0] != 0)
        ret = cgroup_write(d, "cpuset.cpus", cpu->cpus, e);
    if (ret == 0 && cpu->mems != NULL && cpu->mems[0] != 0)
        ret = cgroup_write(d, "cpuset.mems", cpu->mems, e);
    return ret;
}

static int set_throttles(const char *d, const struct config_block_io *io, struct err *e)
{
    static const char *const keys[THROTTLE_COUNT] = {
        [THROTTLE_READ_BPS] = "rbps",
        [THROTTLE_WRITE_BPS] = "wbps",
        [THROTTLE_READ_IOPS] = "riops",
        [THROTTLE_WRITE_IOPS] = "wiops",
    };
    int ret = 0;

    for (int kind = 0; kind < THROTTLE_COUNT; kind++)
        for (uint32_t i = 0; ret == 0 && i < io->throttle[kind].count; i++) {
            const struct config_throttle_device *t = &io->throttle[kind].data[i];
            if (t->rate == 0)
                ret = cgroup_printf(d, "io.max", e, "%" PRId64 ":%" PRId64 " %s=max", t->major, t->minor, keys[kind]);
            else
                ret = cgroup_printf(d, "io.max", e, "%" PRId64 ":%" PRId64 " %s=%" PRIu64, t->major, t->minor,
                                    keys[kind], t->rate);
        }
    return ret;
}

static int set_block_io(const char *d, const struct config_block_io *io, struct err *e)
{
    bool bfq = cgroup_has_file(d, "io.bfq.weight"); /* takes v1's range as it is */
    const char *file = bfq ? "io.bfq.weight" : "io.weight";
    int ret = 0;

    if (io->leaf_weight.set && io->leaf_weight.value != 0)
        return err_set(e, ENOTSUP, "blockIO.leafWeight needs cgroup v1; this machine has v2");
    if (io->weight.set && io->weight.value != 0)
        ret = cgroup_printf(d, file, e, "default %" PRIu64,
                            bfq ? io->weight.value : cgroup_v2_io_weight(io->weight.value));
    for (uint32_t i = 0; ret == 0 && i < io->weight_device_count; i++) {
        const struct config_weight_device *w = &io->weight_devices[i];
        if (w->weight.set)
            ret = cgroup_printf(d, file, e, "%" PRId64 ":%" PRId64 " %" PRIu64, w->major, w->minor,
                                bfq ? w->weight.value : cgroup_v2_io_weight(w->weight.value));
    }
    return ret == 0 ? set_throttles(d, io, e) : ret;
}

static int set_hugepages(const char *d, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    for (uint32_t i = 0; ret == 0 && i < r->hugepage_limit_count; i++) {
        char file[96], reserved[96];
        if (strchr(r->hugepage_limits[i].page_size, '/') != NULL)
            return err_set(e, EINVAL, "hugepageLimits: '%s' is no page size", r->hugepage_limits[i].page_size);
        snprintf(file, sizeof file, "hugetlb.%s.max", r->hugepage_limits[i].page_size);
        snprintf(reserved, sizeof reserved, "hugetlb.%s.rsvd.max", r->hugepage_limits[i].page_size);
        ret = cgroup_printf(d, file, e, "%" PRIu64, r->hugepage_limits[i].limit);
        if (ret == 0 &&
            cgroup_has_file(d, reserved)) /* 5.7: else a reservation dies of SIGBUS only when it is touched */
            ret = cgroup_printf(d, reserved, e, "%" PRIu64, r->hugepage_limits[i].limit);
    }
    return ret;
}

static int set_rdma(const char *d, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    for (uint32_t i = 0; ret == 0 && i < r->rdma_count; i++) {
        const struct config_rdma *device = &r->rdma[i];
        char handles[40] = "", objects[40] = "";
        if (device->hca_handles.set)
            snprintf(handles, sizeof handles, " hca_handle=%" PRIu64, device->hca_handles.value);
        if (device->hca_objects.set)
            snprintf(objects, sizeof objects, " hca_object=%" PRIu64, device->hca_objects.value);
        ret = cgroup_printf(d, "rdma.max", e, "%s%s%s", device->device, handles, objects);
    }
    return ret;
}

/* Raw files, last: they win over what was derived above. A value may have lines; each is one write. */
static int set_unified(const char *d, const struct config_pairs *files, struct err *e)
{
    for (uint32_t i = 0; i < files->count; i++) {
        const char *name = files->data[i].key, *value = files->data[i].value;
        if (strchr(name, '/') != NULL || strchr(name, '.') == NULL)
            return err_set(e, EINVAL, "linux.resources.unified: '%s' is no cgroup file", name);
        while (*value != 0) {
            size_t len = strcspn(value, "\n");
            int ret = cgroup_printf(d, name, e, "%.*s", (int)len, value);
            if (ret < 0)
                return ret;
            value += len + (value[len] == '\n');
        }
    }
    return 0;
}

int cgroup_v2_set(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    const char *d = directory_of(c);
    int ret;

    if ((r->network_class_id.set && r->network_class_id.value != 0) || r->network_priority_count != 0)
        return err_set(e, ENOTSUP, "linux.resources.network needs cgroup v1; this machine has v2");
    ret = set_memory(d, &r->memory, e);
    if (ret == 0)
        ret = set_cpu(d, &r->cpu, e);
    if (ret == 0 && r->pids_limit.set)
        ret = put_bytes(d, "pids.max", r->pids_limit.value, e);
    if (ret == 0)
        ret = set_block_io(d, &r->block_io, e);
    if (ret == 0)
        ret = set_hugepages(d, r, e);
    if (ret == 0)
        ret = set_rdma(d, r, e);
    return ret == 0 ? set_unified(d, &r->unified, e) : ret;
}

void cgroup_v2_stats(const struct cgroup *c, struct cgroup_stats *out)
{
    const char *d = directory_of(c);

    out->cpu_total_ns = cgroup_read_key(d, "cpu.stat", "usage_usec") * 1000;
    out->cpu_user_ns = cgroup_read_key(d, "cpu.stat", "user_usec") * 1000;
    out->cpu_system_ns = cgroup_read_key(d, "cpu.stat", "system_usec") * 1000;
    out->cpu_periods = cgroup_read_key(d, "cpu.stat", "nr_periods");
    out->cpu_throttled_periods = cgroup_read_key(d, "cpu.stat", "nr_throttled");
    out->cpu_throttled_ns = cgroup_read_key(d, "cpu.stat", "throttled_usec") * 1000;
    out->memory_usage = cgroup_read_u64(d, "memory.current");
    out->memory_max_usage = cgroup_read_u64(d, "memory.peak"); /* 5.19 */
    out->memory_limit = cgroup_read_u64(d, "memory.max");
    out->memory_failures = cgroup_read_key(d, "memory.events", "max");
    out->memory_oom_kills = cgroup_read_key(d, "memory.events", "oom_kill");
    out->memory_cache = cgroup_read_key(d, "memory.stat", "file");
    out->memory_rss = cgroup_read_key(d, "memory.stat", "anon");
    out->memory_inactive_file = cgroup_read_key(d, "memory.stat", "inactive_file");
    out->swap_usage = cgroup_read_u64(d, "memory.swap.current");
    out->swap_limit = cgroup_read_u64(d, "memory.swap.max");
    out->pids_current = cgroup_read_u64(d, "pids.current");
    out->pids_limit = cgroup_read_u64(d, "pids.max");
}
