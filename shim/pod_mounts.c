/* The pod's files among the mounts of a container (pod.h). config.json is written anew, since whatever looks at the container
 * later (exec of a module in it) has to see the same mounts. */
#include "base/fd.h"
#include "oci/json.h"
#include "oci/json_write.h"
#include "shim/pod.h"
#include <limits.h>

enum { CONFIG_MAX = 16 << 20 };

static const struct pod_file {
    const char *name, *destination;
    bool over_tmpfs;
} files[] = {{"hosts", "/etc/hosts", false},
             {"hostname", "/etc/hostname", false},
             {"resolv.conf", "/etc/resolv.conf", false},
             {"shm", "/dev/shm", true}};
enum { FILES = sizeof files / sizeof *files };

static bool text_is(const struct json *node, const char *text)
{
    return node != NULL && node->type == JSON_STRING && strcmp(node->text, text) == 0;
}

/* Which of the pod's files the container gets, and whether MOUNT gives way to one of them. */
static bool gives_way(const struct json *mount, bool wanted[FILES])
{
    for (int i = 0; i < FILES; i++) {
        if (!text_is(json_get(mount, "destination"), files[i].destination))
            continue;
        if (files[i].over_tmpfs && text_is(json_get(mount, "type"), "tmpfs"))
            return wanted[i];
        wanted[i] = false;
    }
    return false;
}

static void copy(struct json_writer *w, const struct json *node)
{
    switch (node->type) {
    case JSON_NULL: json_put_raw(w, "null"); return;
    case JSON_BOOL: json_put_bool(w, node->truth); return;
    case JSON_NUMBER: json_put_raw(w, node->text); return;
    case JSON_STRING: json_put_string(w, node->text); return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    json_open(w, node->type == JSON_OBJECT ? '{' : '[');
    for (const struct json *child = node->first; child != NULL; child = child->next) {
        if (node->type == JSON_OBJECT)
            json_key(w, child->key);
        copy(w, child);
    }
    json_close(w, node->type == JSON_OBJECT ? '}' : ']');
}

static void put_file(struct json_writer *w, const struct pod_file *file, const char *source, bool readonly)
{
    const char *const options[] = {"rbind", "rprivate", readonly && !file->over_tmpfs ? "ro" : "rw"};

    json_open(w, '{');
    json_key(w, "destination");
    json_put_string(w, file->destination);
    json_key(w, "type");
    json_put_string(w, "bind");
    json_key(w, "source");
    json_put_string(w, source);
    json_key(w, "options");
    json_put_strings(w, options, 3);
    json_close(w, '}');
}

static void put_mounts(struct json_writer *w, const struct json *root, const char *pod, struct arena *arena)
{
    const struct json *mounts = json_get(root, "mounts"), *readonly = json_get(json_get(root, "root"), "readonly");
    bool wanted[FILES];

    for (int i = 0; i < FILES; i++)
        wanted[i] = access(arena_printf(arena, "%s/%s", pod, files[i].name), F_OK) == 0;
    json_key(w, "mounts");
    json_open(w, '[');
    for (const struct json *mount = mounts != NULL ? mounts->first : NULL; mount != NULL; mount = mount->next)
        if (!gives_way(mount, wanted))
            copy(w, mount);
    for (int i = 0; i < FILES; i++)
        if (wanted[i])
            put_file(w, &files[i], arena_printf(arena, "%s/%s", pod, files[i].name),
                     readonly != NULL && readonly->type == JSON_BOOL && readonly->truth);
    json_close(w, ']');
}

static void put_config(struct json_writer *w, const struct json *root, const char *pod, struct arena *arena)
{
    json_open(w, '{');
    for (const struct json *member = root->first; member != NULL; member = member->next)
        if (strcmp(member->key, "mounts") != 0) {
            json_key(w, member->key);
            copy(w, member);
        }
    put_mounts(w, root, pod, arena);
    json_close(w, '}');
}

static int write_config(const char *path, const struct buf *text, struct err *e)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && fd_write_all(fd, text->data, text->len) == 0 ? 0 : err_sys(e, "cannot write %s", path);
}

int pod_add_mounts(const char *pod, const char *bundle, struct arena *arena, struct err *e)
{
    const char *path = arena_printf(arena, "%s/config.json", bundle);
    cleanup_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct buf text = {0}, out = {0};
    struct json_writer w = {.out = &out};
    const struct json *root = NULL;
    int error = 0;

    if (fd < 0 || fd_read_to_end(fd, &text, CONFIG_MAX) != 0)
        error = err_sys(e, "cannot read %s", path);
    else
        root = json_parse((const char *)text.data, text.len, arena, e);
    if (root != NULL && root->type == JSON_OBJECT) { /* anything else is for create to refuse */
        put_config(&w, root, pod, arena);
        error = write_config(path, &out, e);
    } else if (error == 0 && root == NULL) {
        error = err_prefix(e, "config.json");
    }
    buf_done(&text);
    buf_done(&out);
    return error;
}
