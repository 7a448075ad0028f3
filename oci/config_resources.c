/* linux.resources: of config.json and of `update --resources`. */
#include "oci/config_reader.h"

static void read_devices(struct config_reader *r, const struct json *resources, struct config_resources *out)
{
    const struct json *node = config_elements(r, resources, "devices", JSON_ARRAY, JSON_OBJECT, sizeof *out->devices,
                                              &out->devices, &out->device_count);

    for (; node != NULL && !r->failed; node = node->next) {
        struct config_device_rule *rule = &out->devices[node->index];
        const char *type = config_string(r, node, "type");
        const char *access = config_string(r, node, "access");
        rule->allow = config_bool(r, node, "allow");
        rule->major = config_i64(r, node, "major", -1, UINT32_MAX);
        rule->minor = config_i64(r, node, "minor", -1, UINT32_MAX);
        rule->type = type == NULL || type[0] == 0 ? 'a' : type[0];
        if (strchr("abc", rule->type) == NULL || (type != NULL && type[0] != 0 && type[1] != 0))
            config_fail_key(r, node, "type", "it must be one of a, b, c");
        /* runc passes over other letters; a rule that denies denies no less for an "a" */
        if (access != NULL && access[strspn(access, rule->allow ? "rwm" : "rwma")] != 0)
            config_fail_key(r, node, "access", "it may contain only r, w and m");
        rule->read = access == NULL || access[0] == 0 || strchr(access, 'r') != NULL;
        rule->write = access == NULL || access[0] == 0 || strchr(access, 'w') != NULL;
        rule->make = access == NULL || access[0] == 0 || strchr(access, 'm') != NULL;
    }
}

static void read_memory(struct config_reader *r, const struct json *resources, struct config_memory *out)
{
    const struct json *node = config_get(r, resources, "memory", JSON_OBJECT);

    out->limit = config_i64(r, node, "limit", -1, INT64_MAX);
    out->reservation = config_i64(r, node, "reservation", -1, INT64_MAX);
    out->swap = config_i64(r, node, "swap", -1, INT64_MAX);
    out->kernel = config_i64(r, node, "kernel", -1, INT64_MAX);
    out->kernel_tcp = config_i64(r, node, "kernelTCP", -1, INT64_MAX);
    out->swappiness = config_u64(r, node, "swappiness", UINT64_MAX);
    out->disable_oom_killer = config_optional_bool(r, node, "disableOOMKiller");
    out->use_hierarchy = config_optional_bool(r, node, "useHierarchy");
    out->check_before_update = config_optional_bool(r, node, "checkBeforeUpdate");
    /* "swap" is memory and swap together, so a limit for both below the one for memory alone cannot be kept */
    if (out->limit.set && out->swap.set && out->limit.value > 0 && out->swap.value > 0 &&
        out->swap.value < out->limit.value)
        config_fail_key(r, node, "swap", "it is memory plus swap, so it must not be below the limit");
}

static void read_cpu(struct config_reader *r, const struct json *resources, struct config_cpu *out)
{
    const struct json *node = config_get(r, resources, "cpu", JSON_OBJECT);

    out->shares = config_u64(r, node, "shares", UINT64_MAX);
    out->quota = config_i64(r, node, "quota", INT64_MIN, INT64_MAX);
    out->burst = config_u64(r, node, "burst", UINT64_MAX);
    out->period = config_u64(r, node, "period", UINT64_MAX);
    out->realtime_runtime = config_i64(r, node, "realtimeRuntime", INT64_MIN, INT64_MAX);
    out->realtime_period = config_u64(r, node, "realtimePeriod", UINT64_MAX);
    out->cpus = config_string(r, node, "cpus");
    out->mems = config_string(r, node, "mems");
    out->idle = config_i64(r, node, "idle", INT64_MIN, INT64_MAX);
}

static void read_device_number(struct config_reader *r, const struct json *node, int64_t *major, int64_t *minor)
{
    *major = config_i64(r, node, "major", 0, UINT32_MAX).value;
    *minor = config_i64(r, node, "minor", 0, UINT32_MAX).value;
}

static void read_block_io(struct config_reader *r, const struct json *resources, struct config_block_io *out)
{
    static const char *const keys[THROTTLE_COUNT] = {
        [THROTTLE_READ_BPS] = "throttleReadBpsDevice",
        [THROTTLE_WRITE_BPS] = "throttleWriteBpsDevice",
        [THROTTLE_READ_IOPS] = "throttleReadIOPSDevice",
        [THROTTLE_WRITE_IOPS] = "throttleWriteIOPSDevice",
    };
    const struct json *block_io = config_get(r, resources, "blockIO", JSON_OBJECT);
    const struct json *node;

    out->weight = config_u64(r, block_io, "weight", UINT16_MAX);
    out->leaf_weight = config_u64(r, block_io, "leafWeight", UINT16_MAX);
    node = config_elements(r, block_io, "weightDevice", JSON_ARRAY, JSON_OBJECT, sizeof *out->weight_devices,
                           &out->weight_devices, &out->weight_device_count);
    for (; node != NULL; node = node->next) {
        struct config_weight_device *device = &out->weight_devices[node->index];
        read_device_number(r, node, &device->major, &device->minor);
        device->weight = config_u64(r, node, "weight", UINT16_MAX);
        device->leaf_weight = config_u64(r, node, "leafWeight", UINT16_MAX);
    }
    for (int kind = 0; kind < THROTTLE_COUNT; kind++) {
        struct config_throttle *throttle = &out->throttle[kind];
        node = config_elements(r, block_io, keys[kind], JSON_ARRAY, JSON_OBJECT, sizeof *throttle->data,
                               &throttle->data, &throttle->count);
        for (; node != NULL; node = node->next) {
            struct config_throttle_device *device = &throttle->data[node->index];
            read_device_number(r, node, &device->major, &device->minor);
            device->rate = config_u64(r, node, "rate", UINT64_MAX).value;
        }
    }
}

static void read_hugepages(struct config_reader *r, const struct json *resources, struct config_resources *out)
{
    const struct json *node =
        config_elements(r, resources, "hugepageLimits", JSON_ARRAY, JSON_OBJECT, sizeof *out->hugepage_limits,
                        &out->hugepage_limits, &out->hugepage_limit_count);
    for (; node != NULL; node = node->next) {
        out->hugepage_limits[node->index].page_size = config_required(r, node, "pageSize");
        out->hugepage_limits[node->index].limit = config_u64(r, node, "limit", UINT64_MAX).value;
    }
}

static void read_network(struct config_reader *r, const struct json *resources, struct config_resources *out)
{
    const struct json *network = config_get(r, resources, "network", JSON_OBJECT);
    const struct json *node =
        config_elements(r, network, "priorities", JSON_ARRAY, JSON_OBJECT, sizeof *out->network_priorities,
                        &out->network_priorities, &out->network_priority_count);

    out->network_class_id = config_u64(r, network, "classID", UINT32_MAX);
    for (; node != NULL; node = node->next) {
        out->network_priorities[node->index].name = config_required(r, node, "name");
        out->network_priorities[node->index].priority = (uint32_t)config_u64(r, node, "priority", UINT32_MAX).value;
    }
}

static void read_rdma(struct config_reader *r, const struct json *resources, struct config_resources *out)
{
    const struct json *node = config_elements(r, resources, "rdma", JSON_OBJECT, JSON_OBJECT, sizeof *out->rdma,
                                              &out->rdma, &out->rdma_count);
    for (; node != NULL; node = node->next) {
        out->rdma[node->index].device = node->key;
        out->rdma[node->index].hca_handles = config_u64(r, node, "hcaHandles", UINT32_MAX);
        out->rdma[node->index].hca_objects = config_u64(r, node, "hcaObjects", UINT32_MAX);
    }
}

void config_read_resources(struct config_reader *r, const struct json *resources, struct config_resources *out)
{
    const struct json *pids;

    if (resources == NULL)
        return;
    out->set = true;
    read_devices(r, resources, out);
    read_memory(r, resources, &out->memory);
    read_cpu(r, resources, &out->cpu);
    pids = config_get(r, resources, "pids", JSON_OBJECT);
    out->pids_limit = config_i64(r, pids, "limit", INT64_MIN, INT64_MAX);
    if (out->pids_limit.set && out->pids_limit.value == 0) /* the least that a container can be (runc) */
        out->pids_limit.value = 1;
    read_block_io(r, resources, &out->block_io);
    read_hugepages(r, resources, out);
    read_network(r, resources, out);
    read_rdma(r, resources, out);
    out->unified = config_string_map(r, resources, "unified");
}

static bool memory_asked(const struct config_memory *m)
{
    return m->limit.set || m->reservation.set || m->swap.set || m->kernel.set || m->kernel_tcp.set ||
           m->swappiness.set || m->disable_oom_killer.value;
}

static bool cpu_asked(const struct config_cpu *c)
{
    return c->shares.set || c->burst.set || c->period.set || c->realtime_period.set || c->quota.set ||
           c->realtime_runtime.set || c->idle.set || c->cpus != NULL || c->mems != NULL;
}

static bool block_io_asked(const struct config_block_io *b)
{
    uint32_t count = b->weight_device_count;

    for (int kind = 0; kind < THROTTLE_COUNT; kind++)
        count += b->throttle[kind].count;
    return count != 0 || b->weight.set || b->leaf_weight.set;
}

bool config_limits_asked(const struct config_resources *r)
{
    return memory_asked(&r->memory) || cpu_asked(&r->cpu) || block_io_asked(&r->block_io) ||
           (r->pids_limit.set && r->pids_limit.value > 0) || r->hugepage_limit_count != 0 || r->network_class_id.set ||
           r->network_priority_count != 0 || r->rdma_count != 0 || r->unified.count != 0;
}
