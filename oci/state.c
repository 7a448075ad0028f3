/* See state.h. */
#include "oci/state.h"
#include "base/fd.h"
#include "oci/json.h"
#include "oci/json_write.h"
#include "oci/notify.h"
#include "oci/sys.h"
#include <ctype.h>
#include <limits.h>
#include <sys/stat.h>

enum { STATE_MAX_BYTES = 16 << 20 };

const char *state_status_name(enum state_status status)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};
    return names[status];
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void put_pairs(struct json_writer *w, const char *key, const struct config_pairs *pairs)
{
    json_key(w, key);
    json_open(w, '{');
    for (uint32_t i = 0; i < pairs->count; i++) {
        json_key(w, pairs->data[i].key);
        json_put_string(w, pairs->data[i].value);
    }
    json_close(w, '}');
}

/* Absent and empty differ: a hook without an env inherits the caller's. */
static void put_strings(struct json_writer *w, const char *key, const struct strings *strings)
{
    if (strings->data == NULL)
        return;
    json_key(w, key);
    json_put_strings(w, (const char *const *)strings->data, strings->count);
}

static void put_hooks(struct json_writer *w, const char *key, const struct config_hooks *hooks)
{
    if (hooks->count == 0)
        return;
    json_key(w, key);
    json_open(w, '[');
    for (uint32_t i = 0; i < hooks->count; i++) {
        const struct config_hook *hook = &hooks->data[i];
        json_open(w, '{');
        json_key(w, "path");
        json_put_string(w, hook->path);
        put_strings(w, "args", &hook->args);
        put_strings(w, "env", &hook->env);
        if (hook->timeout_s.set) {
            json_key(w, "timeout");
            json_put_int(w, hook->timeout_s.value);
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_put_string(w, text);
}

static void put_number(struct json_writer *w, const char *key, int64_t number)
{
    json_key(w, key);
    json_put_int(w, number);
}

static void put_rdt(struct json_writer *w, const struct config_rdt *rdt)
{
    if (!rdt->set)
        return;
    json_key(w, "intelRdt");
    json_open(w, '{');
    if (rdt->clos_id != NULL)
        put_text(w, "closID", rdt->clos_id);
    json_key(w, "enableMonitoring");
    json_put_bool(w, rdt->enable_monitoring);
    json_close(w, '}');
}

static void encode(const struct state *s, struct buf *out)
{
    struct json_writer w = {.out = out};
    struct buf cgroup = {0};

    json_open(&w, '{');
    put_text(&w, "ociVersion", s->oci_version);
    put_text(&w, "id", s->id);
    put_number(&w, "creator", s->creator);
    put_number(&w, "creatorStartTime", (int64_t)s->creator_start_time);
    put_number(&w, "pid", s->pid);
    put_number(&w, "startTime", (int64_t)s->start_time);
    put_number(&w, "owner", s->owner);
    json_key(&w, "ownPidNamespace");
    json_put_bool(&w, s->own_pid_namespace);
    if (s->is_wasm) {
        json_key(&w, "wasm");
        json_put_bool(&w, true);
    }
    if (s->shares_mounts)
        put_text(&w, "sharedMountNamespace", s->mount_namespace);
    put_text(&w, "bundle", s->bundle);
    put_text(&w, "rootfs", s->rootfs);
    put_text(&w, "created", s->created);
    cgroup_encode(&s->cgroup, &cgroup);
    put_text(&w, "cgroup", buf_cstr(&cgroup));
    if (s->cgroup.unit != NULL)
        put_text(&w, "unit", s->cgroup.unit);
    buf_done(&cgroup);
    put_rdt(&w, &s->intel_rdt);
    put_pairs(&w, "annotations", &s->annotations);
    put_hooks(&w, "poststart", &s->poststart);
    put_hooks(&w, "poststop", &s->poststop);
    json_close(&w, '}');
}

int state_write(const char *root, const struct state *state, struct err *e)
{
    char path[PATH_MAX], replaced[PATH_MAX];
    struct buf text = {0};
    int ret = 0;

    if (snprintf(path, sizeof path, "%s/%s/.state.json", root, state->id) >= (int)sizeof path)
        return err_set(e, ENAMETOOLONG, "the path of the state directory '%s' is too long", root);
    snprintf(replaced, sizeof replaced, "%s/%s/state.json", root, state->id);
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    encode(state, &text);
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0 || rename(path, replaced) < 0)
        ret = err_sys(e, "cannot write the state file '%s'", replaced);
    buf_done(&text);
    return ret;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static const char *get_text(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    return member != NULL && member->type == JSON_STRING ? member->text : "";
}

static uint64_t get_number(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    uint64_t value = 0;
    return member != NULL && member->type == JSON_NUMBER && json_u64(member, &value) ? value : 0;
}

static struct config_pairs get_pairs(const struct json *object, const char *key, struct arena *arena)
{
    const struct json *member = json_get(object, key);
    struct config_pairs out = {0};

    if (member == NULL)
        return out;
    out.data = arena_array(arena, struct config_pair, member->count);
    for (const struct json *child = member->first; child != NULL; child = child->next)
        if (child->type == JSON_STRING && child->key != NULL)
            out.data[out.count++] = (struct config_pair){child->key, child->text};
    return out;
}

static struct strings get_strings(const struct json *object, const char *key, struct arena *arena)
{
    const struct json *member = json_get(object, key);
    struct strings out = {0};

    if (member == NULL)
        return out;
    out.data = arena_array(arena, char *, member->count + 1);
    for (const struct json *child = member->first; child != NULL; child = child->next)
        if (child->type == JSON_STRING)
            out.data[out.count++] = (char *)child->text;
    return out;
}

static struct config_hooks get_hooks(const struct json *object, const char *key, struct arena *arena)
{
    const struct json *member = json_get(object, key);
    struct config_hooks out = {0};

    if (member == NULL)
        return out;
    out.data = arena_array(arena, struct config_hook, member->count);
    for (const struct json *child = member->first; child != NULL; child = child->next) {
        struct config_hook *hook = &out.data[out.count++];
        hook->path = get_text(child, "path");
        hook->args = get_strings(child, "args", arena);
        hook->env = get_strings(child, "env", arena);
        hook->timeout_s.value = (int64_t)get_number(child, "timeout");
        hook->timeout_s.set = hook->timeout_s.value != 0;
    }
    return out;
}

static struct config_rdt get_rdt(const struct json *object)
{
    const struct json *monitoring = object != NULL ? json_get(object, "enableMonitoring") : NULL;

    if (object == NULL)
        return (struct config_rdt){0};
    return (struct config_rdt){.set = true,
                               .enable_monitoring = monitoring != NULL && monitoring->truth,
                               .clos_id = json_get(object, "closID") != NULL ? get_text(object, "closID") : NULL};
}

static int decode(const struct json *root, struct arena *arena, struct state *out, struct err *e)
{
    const char *cgroup = get_text(root, "cgroup");
    int ret;

    out->oci_version = get_text(root, "ociVersion");
    out->creator = (pid_t)get_number(root, "creator");
    out->creator_start_time = get_number(root, "creatorStartTime");
    out->pid = (pid_t)get_number(root, "pid");
    out->start_time = get_number(root, "startTime");
    out->owner = (uid_t)get_number(root, "owner");
    out->own_pid_namespace = json_get(root, "ownPidNamespace") != NULL && json_get(root, "ownPidNamespace")->truth;
    out->is_wasm = json_get(root, "wasm") != NULL;
    out->shares_mounts = json_get(root, "sharedMountNamespace") != NULL;
    out->mount_namespace = get_text(root, "sharedMountNamespace");
    out->bundle = get_text(root, "bundle");
    out->rootfs = get_text(root, "rootfs");
    out->created = get_text(root, "created");
    out->intel_rdt = get_rdt(json_get(root, "intelRdt"));
    out->annotations = get_pairs(root, "annotations", arena);
    out->poststart = get_hooks(root, "poststart", arena);
    out->poststop = get_hooks(root, "poststop", arena);
    if (out->pid < 0 || (out->pid == 0 && out->creator <= 0))
        return err_set(e, EINVAL, "it names no process");
    ret = cgroup_decode(cgroup, strlen(cgroup), arena, &out->cgroup, e);
    if (json_get(root, "unit") != NULL)
        out->cgroup.unit = get_text(root, "unit");
    return ret;
}

int state_read(const char *root, const char *id, struct arena *arena, struct state *out, struct err *e)
{
    char *path = arena_printf(arena, "%s/%s/state.json", root, id);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct json *json;
    struct buf text = {0};

    memset(out, 0, sizeof *out);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(e, ENOENT, "container \"%s\" does not exist", id);
    if (fd < 0 || fd_read_to_end(fd, &text, STATE_MAX_BYTES) < 0) {
        buf_done(&text);
        return err_sys(e, "cannot read the state file '%s'", path);
    }
    json = json_parse((const char *)text.data, text.len, arena, e);
    buf_done(&text);
    out->id = arena_strdup(arena, id);
    if (json == NULL || decode(json, arena, out, e) < 0)
        return err_prefix(e, "the state file '%s' is damaged", path);
    return 0;
}

int state_keep_config(const char *root, const char *id, const struct buf *text, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/" STATE_CONFIG, root, id);
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 || fd_write_all(fd, text->data, text->len) < 0 ? err_sys(e, "cannot write '%s'", path) : 0;
}

int state_read_config(const char *root, const char *id, struct arena *arena, struct config *out, struct err *e)
{
    return config_read(arena_printf(arena, "%s/%s/" STATE_CONFIG, root, id), arena, out, NULL, e);
}

int state_remove(const char *root, const char *id, struct err *e)
{
    static const char *const names[] = {"state.json",
                                        ".state.json",
                                        STATE_CONFIG,
                                        "start",
                                        "result",
                                        NOTIFY_DIRECTORY "/" NOTIFY_SOCKET,
                                        NOTIFY_DIRECTORY "/", /* directories end so */
                                        ""};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int len = snprintf(path, sizeof path, "%s/%s/%s", root, id, names[i]);
        if ((path[len - 1] != '/' ? unlink(path) : rmdir(path)) < 0 && errno != ENOENT && errno != ENOTDIR)
            return err_sys(e, "cannot remove '%s'", path);
    }
    return 0;
}

/* --- asking the kernel ------------------------------------------------------------------------------------------------ */

uint64_t state_start_time(pid_t pid, bool *zombie)
{
    char path[32], text[1024], *p;
    ssize_t len;

    *zombie = false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    len = fd < 0 ? -1 : fd_read_full(fd, text, sizeof text - 1);
    if (len <= 0) {
        errno = len == 0 ? ESRCH : errno;
        return 0;
    }
    text[len] = 0;
    p = strrchr(text, ')'); /* the program's name may contain anything, brackets too */
    if (p == NULL || p[1] == 0)
        return 0;
    p += 2; /* field 3, the state */
    *zombie = *p == 'Z' || *p == 'X';
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (p == NULL)
            return 0;
        p++;
    }
    return strtoull(p, NULL, 10);
}

static bool is_same(pid_t pid, uint64_t start_time)
{
    bool zombie;
    return pid > 0 && state_start_time(pid, &zombie) == start_time && !zombie;
}

static bool is_alive(const struct state *s)
{
    return is_same(s->pid, s->start_time);
}

enum state_status state_status(const char *root, const struct state *state)
{
    char path[PATH_MAX];

    if (state->pid == 0 && is_same(state->creator, state->creator_start_time))
        return STATE_CREATING;
    if (!is_alive(state))
        return STATE_STOPPED;
    snprintf(path, sizeof path, "%s/%s/start", root, state->id);
    if (access(path, F_OK) == 0)
        return STATE_CREATED;
    return cgroup_is_frozen(&state->cgroup) ? STATE_PAUSED : STATE_RUNNING;
}

int state_open_pid(const struct state *state)
{
    cleanup_fd int fd = (int)sys.pidfd_open(state->pid, 0);
    uint64_t start_time;
    bool zombie;

    if (fd < 0)
        return -errno;
    start_time = state_start_time(state->pid, &zombie); /* after the open: the descriptor holds the process */
    if (start_time == 0 && errno != ENOENT && errno != ESRCH)
        return -errno;
    return start_time == state->start_time && !zombie ? fd_take(&fd) : -ESRCH;
}

/* --- printing -------------------------------------------------------------------------------------------------------- */

void state_print(const struct state *state, enum state_status status, bool full, unsigned indent, struct buf *out)
{
    struct json_writer w = {.out = out, .indent = indent};

    json_open(&w, '{');
    put_text(&w, "ociVersion", state->oci_version);
    put_text(&w, "id", state->id);
    put_number(&w, "pid", status == STATE_STOPPED ? 0 : state->pid);
    put_text(&w, "status", state_status_name(status));
    put_text(&w, "bundle", state->bundle);
    if (full) {
        put_text(&w, "rootfs", state->rootfs);
        put_text(&w, "created", state->created);
    }
    if (state->annotations.count != 0)
        put_pairs(&w, "annotations", &state->annotations);
    if (full)
        put_text(&w, "owner", state->owner == 0 ? "root" : "");
    json_close(&w, '}');
}
