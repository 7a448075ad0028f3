/* config.json as a whole: what stands outside process and linux, and the checks that concern more than one field. */
#include "base/fd.h"
#include "oci/config_reader.h"
#include <ctype.h>

enum { CONFIG_MAX_BYTES = 16 << 20 };

/* Any 1.x is read: a newer minor version only adds fields (runtime-spec, versioning), and managers write what they like. */
static const char *read_version(struct config_reader *r, const struct json *root)
{
    const char *version = config_required(r, root, "ociVersion");

    if (!r->failed && (version[0] != '1' || version[1] != '.' || !isdigit((unsigned char)version[2])))
        config_fail_key(r, root, "ociVersion", "this runtime reads version 1.x of the runtime-spec");
    return version;
}

static void read_root(struct config_reader *r, const struct json *root, struct config *out)
{
    const struct json *node = config_get(r, root, "root", JSON_OBJECT);

    if (node == NULL) {
        config_fail_key(r, root, "root", "it is required");
        return;
    }
    out->root_path = config_required(r, node, "path");
    out->root_readonly = config_bool(r, node, "readonly");
}

static void read_mount_nodes(struct config_reader *r, const struct json *node, struct config *out)
{
    for (; node != NULL && !r->failed; node = node->next) {
        struct config_mount *mount = &out->mounts[node->index];
        if (!config_is(r, node, JSON_OBJECT))
            return;
        mount->destination = config_required(r, node, "destination");
        if (mount->destination[0] != '/') /* written by old managers; runc takes it as relative to the root */
            mount->destination = arena_printf(r->arena, "/%s", mount->destination);
        mount->type = config_string(r, node, "type");
        mount->source = config_string(r, node, "source");
        mount->options = config_strings(r, node, "options");
        config_read_id_maps(r, node, "uidMappings", &mount->uid_mappings);
        config_read_id_maps(r, node, "gidMappings", &mount->gid_mappings);
        if ((mount->uid_mappings.count != 0) != (mount->gid_mappings.count != 0))
            config_fail(r, node, "uidMappings and gidMappings belong together");
    }
}

static void read_mounts(struct config_reader *r, const struct json *root, struct config *out)
{
    read_mount_nodes(r,
                     config_elements(r, root, "mounts", JSON_ARRAY, JSON_OBJECT, sizeof *out->mounts, &out->mounts,
                                     &out->mount_count),
                     out);
}

static void read_hooks(struct config_reader *r, const struct json *root, struct config *out)
{
    static const char *const stages[HOOK_STAGE_COUNT] = {
        [HOOK_PRESTART] = "prestart",
        [HOOK_CREATE_RUNTIME] = "createRuntime",
        [HOOK_CREATE_CONTAINER] = "createContainer",
        [HOOK_START_CONTAINER] = "startContainer",
        [HOOK_POSTSTART] = "poststart",
        [HOOK_POSTSTOP] = "poststop",
    };
    const struct json *all = config_get(r, root, "hooks", JSON_OBJECT);

    for (int stage = 0; stage < HOOK_STAGE_COUNT; stage++) {
        struct config_hooks *hooks = &out->hooks[stage];
        const struct json *node = config_elements(r, all, stages[stage], JSON_ARRAY, JSON_OBJECT, sizeof *hooks->data,
                                                  &hooks->data, &hooks->count);
        for (; node != NULL && !r->failed; node = node->next) {
            struct config_hook *hook = &hooks->data[node->index];
            config_required(r, node, "path");
            hook->path = config_absolute(r, node, "path");
            hook->args = config_strings(r, node, "args");
            hook->env = config_strings(r, node, "env");
            hook->timeout_s = config_i64(r, node, "timeout", 1, INT32_MAX);
        }
    }
}

/* A setting that reaches beyond a namespace which the container does not have of its own would change the host. */
static void check_namespaces(struct config_reader *r, const struct json *root, const struct config *c)
{
    const struct json *linux_node = json_get(root, "linux");

    if (c->hostname != NULL && c->hostname[0] != 0 && !c->namespaces[NAMESPACE_UTS].set)
        config_fail_key(r, root, "hostname", "it needs a uts namespace in linux.namespaces");
    if (c->domainname != NULL && c->domainname[0] != 0 && !c->namespaces[NAMESPACE_UTS].set)
        config_fail_key(r, root, "domainname", "it needs a uts namespace in linux.namespaces");
    if (c->masked_paths.count != 0 && !c->namespaces[NAMESPACE_MOUNT].set)
        config_fail_key(r, linux_node, "maskedPaths", "it needs a mount namespace in linux.namespaces");
    if (c->readonly_paths.count != 0 && !c->namespaces[NAMESPACE_MOUNT].set)
        config_fail_key(r, linux_node, "readonlyPaths", "it needs a mount namespace in linux.namespaces");
    config_check_user_namespace(r, linux_node, c);
    if (c->net_device_count != 0 && !c->namespaces[NAMESPACE_NETWORK].set)
        config_fail_key(r, linux_node, "netDevices", "it needs a network namespace in linux.namespaces");
}

/* Two fields for one thing of the kernel's: which of them wins would be a matter of order. */
static void check_names(struct config_reader *r, const struct json *root, const struct config *c)
{
    for (uint32_t i = 0; i < c->sysctl.count; i++) {
        const char *key = c->sysctl.data[i].key, *value = c->sysctl.data[i].value;
        if (c->hostname != NULL && strcmp(key, "kernel.hostname") == 0 && strcmp(value, c->hostname) != 0)
            config_fail_key(r, root, "hostname", "linux.sysctl sets kernel.hostname to something else");
        if (c->domainname != NULL && strcmp(key, "kernel.domainname") == 0 && strcmp(value, c->domainname) != 0)
            config_fail_key(r, root, "domainname", "linux.sysctl sets kernel.domainname to something else");
    }
}

static void check_process(struct config_reader *r, const struct json *root, const struct config *c)
{
    const struct caps *caps = &c->process.capabilities;

    if ((caps->effective & ~caps->permitted) != 0)
        config_fail_key(r, json_get(json_get(root, "process"), "capabilities"), "effective",
                        "it has a capability that is not in the permitted set");
}

int config_parse(const char *text, size_t len, struct arena *arena, struct config *out, struct err *e)
{
    struct config_reader r = {.arena = arena, .e = e};
    const struct json *root = json_parse(text, len, arena, e);

    memset(out, 0, sizeof *out);
    if (root == NULL)
        return err_prefix(e, "config.json");
    if (!config_is(&r, root, JSON_OBJECT))
        return -EINVAL;
    out->oci_version = read_version(&r, root);
    read_root(&r, root, out);
    config_read_process(&r, config_get(&r, root, "process", JSON_OBJECT), &out->process);
    out->hostname = config_string(&r, root, "hostname");
    out->domainname = config_string(&r, root, "domainname");
    read_mounts(&r, root, out);
    read_hooks(&r, root, out);
    out->annotations = config_string_map(&r, root, "annotations");
    config_read_linux(&r, config_get(&r, root, "linux", JSON_OBJECT), out);
    check_namespaces(&r, root, out);
    check_names(&r, root, out);
    check_process(&r, root, out);
    out->warnings = r.warnings;
    return r.failed ? -EINVAL : 0;
}

int config_parse_process(const char *text, size_t len, struct arena *arena, struct config_process *out, struct err *e)
{
    struct config_reader r = {.arena = arena, .e = e};
    const struct json *root = json_parse(text, len, arena, e);

    memset(out, 0, sizeof *out);
    if (root == NULL)
        return err_prefix(e, "process");
    if (config_is(&r, root, JSON_OBJECT))
        config_read_process(&r, root, out);
    return r.failed ? -EINVAL : 0;
}

int config_parse_mounts(const char *text, size_t len, struct arena *arena, struct config *out, struct err *e)
{
    struct config_reader r = {.arena = arena, .e = e};
    const struct json *root = json_parse(text, len, arena, e);

    if (root == NULL)
        return err_prefix(e, "mounts");
    if (!config_is(&r, root, JSON_ARRAY))
        return -EINVAL;
    out->mount_count = (uint32_t)root->count;
    out->mounts = arena_array(arena, struct config_mount, root->count);
    read_mount_nodes(&r, root->first, out);
    return r.failed ? -EINVAL : 0;
}

int config_parse_resources(const char *text, size_t len, struct arena *arena, struct config_resources *out,
                           struct err *e)
{
    struct config_reader r = {.arena = arena, .e = e};
    const struct json *root = json_parse(text, len, arena, e);

    memset(out, 0, sizeof *out);
    if (root == NULL)
        return err_prefix(e, "resources");
    if (config_is(&r, root, JSON_OBJECT))
        config_read_resources(&r, root, out);
    return r.failed ? -EINVAL : 0;
}

int config_read(const char *path, struct arena *arena, struct config *out, struct buf *kept, struct err *e)
{
    cleanup_fd int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* NONBLOCK: a FIFO in its place must not hang us */
    struct buf text = {0};
    int ret;

    if (fd < 0)
        return err_sys(e, "cannot open the bundle's '%s'", path);
    if (fd_read_to_end(fd, &text, CONFIG_MAX_BYTES) < 0)
        ret = err_sys(e, "cannot read '%s'", path);
    else
        ret = config_parse((const char *)text.data, text.len, arena, out, e);
    if (kept != NULL)
        *kept = text;
    else
        buf_done(&text);
    return ret;
}

const char *config_annotation(const struct config *config, const char *key)
{
    for (uint32_t i = 0; i < config->annotations.count; i++)
        if (strcmp(config->annotations.data[i].key, key) == 0)
            return config->annotations.data[i].value;
    return NULL;
}
