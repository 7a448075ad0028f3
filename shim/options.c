/* See options.h. The TOML read here is what containerd writes: `Key = value` lines, flat, with strings, booleans and
 * integers. Anything else on a line whose key we know is an error; lines of other keys and tables are passed over. */
#include "shim/options.h"
#include "base/fd.h"
#include "shim/options.pb-c.h"
#include <ctype.h>
#include <stddef.h>

enum { CONFIG_MAX = 16384 };

enum option_type { OPTION_BOOL, OPTION_STRING, OPTION_UNSIGNED };

static const struct option {
    const char *key, *key_snake;
    enum option_type type;
    size_t at;
} options_known[] = {
    {"NoPivotRoot", "no_pivot_root", OPTION_BOOL, offsetof(struct options, no_pivot_root)},
    {"NoNewKeyring", "no_new_keyring", OPTION_BOOL, offsetof(struct options, no_new_keyring)},
    {"SystemdCgroup", "systemd_cgroup", OPTION_BOOL, offsetof(struct options, systemd_cgroup)},
    {"ShimCgroup", "shim_cgroup", OPTION_STRING, offsetof(struct options, shim_cgroup)},
    {"Root", "root", OPTION_STRING, offsetof(struct options, root)},
    {"IoUid", "io_uid", OPTION_UNSIGNED, offsetof(struct options, io_uid)},
    {"IoGid", "io_gid", OPTION_UNSIGNED, offsetof(struct options, io_gid)},
};
enum { OPTION_STRING_BYTES = sizeof((struct options *)0)->root };
_Static_assert(sizeof((struct options *)0)->shim_cgroup == OPTION_STRING_BYTES, "one size for string options");

static bool text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static const struct option *option_find(const char *key, size_t len)
{
    for (size_t i = 0; i < sizeof options_known / sizeof *options_known; i++)
        if (text_is(key, len, options_known[i].key) || text_is(key, len, options_known[i].key_snake))
            return &options_known[i];
    return NULL;
}

static bool put_bool(const char *value, size_t len, bool *out)
{
    *out = text_is(value, len, "true");
    return *out || text_is(value, len, "false");
}

static bool put_unsigned(const char *value, size_t len, unsigned *out)
{
    unsigned v = 0;

    if (len == 0 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)value[i]))
            return false;
        v = v * 10 + (unsigned)(value[i] - '0');
    }
    *out = v;
    return true;
}

/* A quoted string without escapes: paths need none. */
static bool put_string(const char *value, size_t len, char *out)
{
    if (len < 2 || (value[0] != '"' && value[0] != '\'') || value[len - 1] != value[0] ||
        len - 2 >= OPTION_STRING_BYTES || memchr(value, '\\', len) != NULL)
        return false;
    memcpy(out, value + 1, len - 2);
    out[len - 2] = 0;
    return true;
}

static int line_read(const char *line, size_t len, struct options *out, struct err *e)
{
    const char *equals = memchr(line, '=', len), *value;
    const struct option *option;
    size_t key_len;
    char *field;
    bool good;

    if (equals == NULL)
        return 0;
    while (len != 0 && isspace((unsigned char)*line))
        line++, len--;
    key_len = (size_t)(equals - line);
    while (key_len != 0 && isspace((unsigned char)line[key_len - 1]))
        key_len--;
    option = option_find(line, key_len);
    if (option == NULL)
        return 0;
    value = equals + 1;
    len -= (size_t)(value - line);
    while (len != 0 && isspace((unsigned char)*value))
        value++, len--;
    while (len != 0 && isspace((unsigned char)value[len - 1]))
        len--;
    field = (char *)out + option->at;
    switch (option->type) {
    case OPTION_BOOL: good = put_bool(value, len, (bool *)field); break;
    case OPTION_UNSIGNED: good = put_unsigned(value, len, (unsigned *)field); break;
    default: good = put_string(value, len, field); break;
    }
    if (!good)
        return err_set(e, EINVAL, "runtime options: %s: \"%.*s\" is not a value it can have", option->key,
                       len > 80 ? 80 : (int)len, value);
    return 0;
}

static int toml_read(const char *text, size_t len, struct options *out, struct err *e)
{
    while (len != 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;
        int error = line_read(text, line, out, e);
        if (error != 0)
            return error;
        text += line;
        len -= line;
        if (len != 0)
            text++, len--;
    }
    return 0;
}

/* ConfigPath: a file with what would else stand in the options table. */
static int file_read(const char *path, struct options *out, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char text[CONFIG_MAX + 1];
    ssize_t len = fd >= 0 ? fd_read_full(fd, text, sizeof text) : -1;

    if (len < 0)
        return err_sys(e, "runtime options: cannot read the file of ConfigPath, %s", path);
    if (len > CONFIG_MAX)
        return err_set(e, EFBIG, "runtime options: %s, the file of ConfigPath, is larger than %d bytes", path,
                       CONFIG_MAX);
    if (toml_read(text, (size_t)len, out, e) != 0)
        return err_prefix(e, "%s", path);
    return 0;
}

static int generic_read(const Rpc__Any *any, struct options *out, struct err *e)
{
    Options__Generic *generic = options__generic__unpack(NULL, any->value.len, any->value.data);
    int error;

    if (generic == NULL)
        return err_set(e, EINVAL, "runtime options: the message %s cannot be read", any->type_url);
    if (generic->config_path[0] != 0 && generic->config_body.len == 0)
        error = file_read(generic->config_path, out, e);
    else
        error = toml_read((const char *)generic->config_body.data, generic->config_body.len, out, e);
    options__generic__free_unpacked(generic, NULL);
    return error;
}

static int runc_read(const Rpc__Any *any, struct options *out, struct err *e)
{
    Options__Runc *runc = options__runc__unpack(NULL, any->value.len, any->value.data);
    bool fits;

    if (runc == NULL)
        return err_set(e, EINVAL, "runtime options: the message %s cannot be read", any->type_url);
    out->no_pivot_root = runc->no_pivot_root;
    out->no_new_keyring = runc->no_new_keyring;
    out->systemd_cgroup = runc->systemd_cgroup;
    out->io_uid = runc->io_uid;
    out->io_gid = runc->io_gid;
    fits =
        (size_t)snprintf(out->root, sizeof out->root, "%s", runc->root) < sizeof out->root &&
        (size_t)snprintf(out->shim_cgroup, sizeof out->shim_cgroup, "%s", runc->shim_cgroup) < sizeof out->shim_cgroup;
    options__runc__free_unpacked(runc, NULL);
    return fits ? 0 : err_set(e, EINVAL, "runtime options: root or shim_cgroup is longer than 255 bytes");
}

int shim_options_read(const Rpc__Any *any, struct options *out, struct err *e)
{
    const char *name;

    *out = (struct options){0};
    if (any == NULL || any->type_url[0] == 0)
        return 0;
    name = strrchr(any->type_url, '/'); /* containerd gives none, others a host in front */
    name = name != NULL ? name + 1 : any->type_url;
    if (strcmp(name, "containerd.runc.v1.Options") == 0)
        return runc_read(any, out, e);
    if (strcmp(name, "runtimeoptions.v1.Options") == 0)
        return generic_read(any, out, e);
    return err_set(e, EINVAL, "runtime options of type %s are not known to this shim", any->type_url);
}
