/* The linux object but for its resources and seccomp. */
#include "oci/config_reader.h"
#include "oci/net_devices.h"
#include "oci/sys.h"
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct {
    const char *name;
    int flag;
} namespaces[NAMESPACE_COUNT] = {
    [NAMESPACE_PID] = {"pid", CLONE_NEWPID},          [NAMESPACE_MOUNT] = {"mount", CLONE_NEWNS},
    [NAMESPACE_NETWORK] = {"network", CLONE_NEWNET},  [NAMESPACE_IPC] = {"ipc", CLONE_NEWIPC},
    [NAMESPACE_UTS] = {"uts", CLONE_NEWUTS},          [NAMESPACE_USER] = {"user", CLONE_NEWUSER},
    [NAMESPACE_CGROUP] = {"cgroup", CLONE_NEWCGROUP}, [NAMESPACE_TIME] = {"time", CLONE_NEWTIME},
};

const char *config_namespace_name(enum config_namespace_type type)
{
    return namespaces[type].name;
}

bool config_is_new_namespace(const struct config *config, enum config_namespace_type type)
{
    return config->namespaces[type].set && config->namespaces[type].path == NULL;
}

int config_namespace_flag(enum config_namespace_type type)
{
    return namespaces[type].flag;
}

static void read_namespaces(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    const struct json *list = config_get(r, linux_node, "namespaces", JSON_ARRAY);

    for (const struct json *node = list != NULL ? list->first : NULL; node != NULL && !r->failed; node = node->next) {
        const char *name = config_is(r, node, JSON_OBJECT) ? config_required(r, node, "type") : "";
        const char *path = config_string(r, node, "path");
        int type = 0;
        while (type < NAMESPACE_COUNT && strcmp(namespaces[type].name, name) != 0)
            type++;
        if (r->failed)
            return;
        if (type == NAMESPACE_COUNT)
            config_fail(r, json_get(node, "type"), "'%s' is not a known namespace type", name);
        else if (out->namespaces[type].set)
            config_fail_key(r, node, "type", "the namespace type appears twice");
        else if (path != NULL && path[0] != 0 && path[0] != '/')
            config_fail_key(r, node, "path", "it must be an absolute path");
        else
            out->namespaces[type] = (struct config_namespace){true, path != NULL && path[0] != 0 ? path : NULL};
    }
}

static void read_devices(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    static const struct config_word types[] = {{"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};
    const struct json *node = config_elements(r, linux_node, "devices", JSON_ARRAY, JSON_OBJECT, sizeof *out->devices,
                                              &out->devices, &out->device_count);

    for (; node != NULL && !r->failed; node = node->next) {
        struct device *device = &out->devices[node->index];
        struct optional_u64 mode = config_u64(r, node, "fileMode", UINT32_MAX);
        struct optional_i64 major = config_i64(r, node, "major", -1, UINT32_MAX);
        struct optional_i64 minor = config_i64(r, node, "minor", -1, UINT32_MAX);
        config_required(r, node, "path");
        config_required(r, node, "type");
        device->path = config_absolute(r, node, "path");
        if (r->failed)
            return;
        device->mode = (mode_t)CONFIG_WORD(r, json_get(node, "type"), "device type", types);
        device->mode |= (mode_t)(mode.set ? mode.value & 07777 : 0666);
        device->uid = (uid_t)config_u64(r, node, "uid", UINT32_MAX - 1).value;
        device->gid = (gid_t)config_u64(r, node, "gid", UINT32_MAX - 1).value;
        if (!S_ISFIFO(device->mode) && (!major.set || !minor.set || major.value < 0 || minor.value < 0))
            config_fail(r, node, "a device that is no FIFO needs major and minor");
        else if (!S_ISFIFO(device->mode))
            device->number = makedev((unsigned)major.value, (unsigned)minor.value);
    }
}

static void read_net_devices(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    const struct json *node = config_elements(r, linux_node, "netDevices", JSON_OBJECT, JSON_OBJECT,
                                              sizeof *out->net_devices, &out->net_devices, &out->net_device_count);
    for (; node != NULL; node = node->next) {
        const char *name = config_string(r, node, "name");
        if (!net_devices_name_is_valid(node->key, false))
            config_fail(r, node, "'%s' is not the name of a network device", node->key);
        else if (name != NULL && name[0] != 0 && !net_devices_name_is_valid(name, true))
            config_fail(r, json_get(node, "name"), "'%s' is not the name of a network device", name);
        out->net_devices[node->index] =
            (struct config_net_device){node->key, name != NULL && name[0] != 0 ? name : node->key};
    }
}

static void read_time_offset(struct config_reader *r, const struct json *offsets, const char *key,
                             struct config_time_offset *out)
{
    const struct json *node = config_get(r, offsets, key, JSON_OBJECT);

    out->set = node != NULL;
    out->secs = config_i64(r, node, "secs", INT64_MIN, INT64_MAX).value;
    out->nanosecs = (uint32_t)config_u64(r, node, "nanosecs", 999999999).value;
}

static void read_time_offsets(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    const struct json *offsets = config_get(r, linux_node, "timeOffsets", JSON_OBJECT);

    read_time_offset(r, offsets, "boottime", &out->boottime);
    read_time_offset(r, offsets, "monotonic", &out->monotonic);
    if ((out->boottime.set || out->monotonic.set) && !out->namespaces[NAMESPACE_TIME].set)
        config_fail(r, offsets, "time offsets need a time namespace of the container's own");
}

static void read_intel_rdt(struct config_reader *r, const struct json *linux_node, struct config_rdt *out)
{
    const struct json *node = config_get(r, linux_node, "intelRdt", JSON_OBJECT);

    out->set = node != NULL;
    out->clos_id = config_string(r, node, "closID");
    out->l3_cache_schema = config_string(r, node, "l3CacheSchema");
    out->mem_bw_schema = config_string(r, node, "memBwSchema");
    out->schemata = config_strings(r, node, "schemata");
    out->enable_monitoring = config_bool(r, node, "enableMonitoring") || config_bool(r, node, "enableCMT") ||
                             config_bool(r, node, "enableMBM");
}

static void read_personality(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    static const struct config_word domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};
    const struct json *node = config_get(r, linux_node, "personality", JSON_OBJECT);

    if (node == NULL)
        return;
    out->personality_set = true;
    if (config_required(r, node, "domain")[0] != 0)
        out->personality = CONFIG_WORD(r, json_get(node, "domain"), "personality", domains);
    if (config_strings(r, node, "flags").count != 0)
        config_fail_key(r, node, "flags", "no flags are defined yet");
}

static void read_memory_policy(struct config_reader *r, const struct json *linux_node, struct config_memory_policy *out)
{
    static const struct config_word modes[] = {
        {"MPOL_DEFAULT", MPOL_DEFAULT},       {"MPOL_PREFERRED", MPOL_PREFERRED}, {"MPOL_BIND", MPOL_BIND},
        {"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_LOCAL", MPOL_LOCAL},         {"MPOL_PREFERRED_MANY", 5},
        {"MPOL_WEIGHTED_INTERLEAVE", 6},
    };
    static const struct config_word flags[] = {
        {"MPOL_F_STATIC_NODES", 1 << 15}, {"MPOL_F_RELATIVE_NODES", 1 << 14}, {"MPOL_F_NUMA_BALANCING", 1 << 13}};
    const struct json *node = config_get(r, linux_node, "memoryPolicy", JSON_OBJECT);
    const struct json *flag;

    if (node == NULL)
        return;
    out->set = true;
    if (config_string(r, node, "mode") == NULL)
        config_fail_key(r, node, "mode", "invalid memory policy mode: it is required");
    else
        out->mode = (uint32_t)CONFIG_WORD(r, json_get(node, "mode"), "memory policy", modes);
    out->nodes = config_string(r, node, "nodes");
    flag = config_get(r, node, "flags", JSON_ARRAY);
    for (flag = flag != NULL ? flag->first : NULL; flag != NULL; flag = flag->next)
        if (config_is(r, flag, JSON_STRING))
            out->mode |= (uint32_t)CONFIG_WORD(r, flag, "memory policy flag", flags);
}

static void read_propagation(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    static const struct config_word names[] = {
        {"private", 1}, {"rprivate", 1}, {"slave", 1},      {"rslave", 1},
        {"shared", 1},  {"rshared", 1},  {"unbindable", 1}, {"runbindable", 1},
    };
    const struct json *node = config_get(r, linux_node, "rootfsPropagation", JSON_STRING);

    if (node == NULL || node->text[0] == 0)
        return;
    CONFIG_WORD(r, node, "propagation", names);
    out->rootfs_propagation = node->text;
}

/* Each path must be absolute: it is resolved inside the root, where a relative one has no meaning. */
static struct strings read_paths(struct config_reader *r, const struct json *linux_node, const char *key)
{
    struct strings out = config_strings(r, linux_node, key);

    for (uint32_t i = 0; i < out.count; i++)
        if (out.data[i][0] != '/')
            config_fail_key(r, linux_node, key, "each entry must be an absolute path");
    return out;
}

void config_read_linux(struct config_reader *r, const struct json *linux_node, struct config *out)
{
    if (linux_node == NULL)
        return;
    read_namespaces(r, linux_node, out);
    config_read_id_maps(r, linux_node, "uidMappings", &out->uid_mappings);
    config_read_id_maps(r, linux_node, "gidMappings", &out->gid_mappings);
    read_devices(r, linux_node, out);
    read_net_devices(r, linux_node, out);
    out->cgroups_path = config_string(r, linux_node, "cgroupsPath");
    config_read_resources(r, config_get(r, linux_node, "resources", JSON_OBJECT), &out->resources);
    out->sysctl = config_string_map(r, linux_node, "sysctl");
    config_read_seccomp(r, config_get(r, linux_node, "seccomp", JSON_OBJECT), &out->seccomp);
    read_propagation(r, linux_node, out);
    out->masked_paths = read_paths(r, linux_node, "maskedPaths");
    out->readonly_paths = read_paths(r, linux_node, "readonlyPaths");
    out->mount_label = config_string(r, linux_node, "mountLabel");
    read_intel_rdt(r, linux_node, &out->intel_rdt);
    read_personality(r, linux_node, out);
    read_time_offsets(r, linux_node, out);
    read_memory_policy(r, linux_node, &out->memory_policy);
}
