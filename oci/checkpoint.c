/* See checkpoint.h: the way out. */
#include "oci/checkpoint.h"
#include "base/fd.h"
#include "oci/container.h"
#include "oci/json_write.h"
#include "oci/mount.h"
#include "oci/mountinfo.h"
#include "oci/path.h"
#include <sys/stat.h>

static void add_if(struct criu *criu, bool wanted, const char *argument)
{
    if (wanted)
        criu_add(criu, "%s", argument);
}

static void add_text(struct criu *criu, const char *name, const char *text)
{
    if (text != NULL && text[0] != 0)
        criu_add(criu, "--%s=%s", name, text);
}

void checkpoint_add_options(struct criu *criu, const struct checkpoint_options *o)
{
    add_if(criu, o->tcp_established, "--tcp-established");
    add_if(criu, o->tcp_close, "--tcp-close");
    add_if(criu, o->tcp_skip_in_flight, "--skip-in-flight");
    add_if(criu, o->link_remap, "--link-remap");
    add_if(criu, o->ext_unix_sk, "--ext-unix-sk");
    add_if(criu, o->shell_job, "--shell-job");
    add_if(criu, o->file_locks, "--file-locks");
    add_if(criu, o->auto_dedup, "--auto-dedup");
    add_text(criu, "network-lock", o->network_lock);
    if (o->empty_ns != NULL)
        criu_add(criu, "--empty-ns=%s", strcmp(o->empty_ns, "network") == 0 ? "net" : o->empty_ns);
}

/* --- what comes from outside --------------------------------------------------------------------------------------------- */

/* Of process PID: its mounts, as it sees them. Empty when they cannot be read. */
static void read_mounts(pid_t pid, struct buf *text)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_to_end(fd, text, 1 << 24) != 0)
        text->len = 0;
}

/* Whether the mount with that number is one of process PID's mount namespace. */
static bool has_mount(pid_t pid, unsigned long mount_id)
{
    struct buf text = {0};
    bool found = false;

    read_mounts(pid, &text);
    for (const char *line = buf_cstr(&text); *line != 0 && !found; line += strcspn(line, "\n"), line += *line == '\n')
        found = strtoul(line, NULL, 10) == mount_id;
    buf_done(&text);
    return found;
}

static unsigned long read_mount_id(pid_t pid, int stream)
{
    char path[64], text[256];
    const char *line;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, stream);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    line = strstr(text, "mnt_id:");
    return line != NULL ? strtoul(line + 7, NULL, 10) : 0;
}

/* What a standard stream is: "pipe:[5]", a path, or for a file or fifo of the host's criu's "file[MOUNT:INODE]", both hexadecimal. */
static char *name_stream(pid_t pid, int stream, struct arena *arena)
{
    char path[64], target[PATH_MAX];
    unsigned long mount_id = read_mount_id(pid, stream);
    struct stat st;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, stream);
    n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = 0;
    if (target[0] == '/' && stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)) &&
        !has_mount(pid, mount_id))
        return arena_printf(arena, "file[%lx:%llx]", mount_id, (unsigned long long)st.st_ino);
    return arena_strdup(arena, target);
}

static int note_streams(struct criu *criu, pid_t pid, const char *images, struct err *e)
{
    const char *path = arena_printf(criu->arena, "%s/" CHECKPOINT_STREAMS, images);
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    int ret = 0;

    json_open(&w, '[');
    for (int i = 0; i < 3; i++) {
        const char *name = name_stream(pid, i, criu->arena);
        json_put_string(&w, name);
        if (strncmp(name, "file[", 5) == 0)
            criu_add(criu, "--external=%s", name);
    }
    json_close(&w, ']');
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0)
        ret = err_sys(e, "cannot write '%s'", path);
    buf_done(&text);
    return ret;
}

static void add_namespace(struct criu *criu, const struct config *config, enum config_namespace_type type, pid_t pid,
                          const char *file, const char *name)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, file);
    if (config->namespaces[type].path != NULL && stat(path, &st) == 0)
        criu_add(criu, "--external=%s[%llu]:%s", file, (unsigned long long)st.st_ino, name);
}

/* criu dumps no mount of a cgroup whose root is not that of the hierarchy: those are the host's too, a directory each. */
static void add_cgroups(struct criu *criu, pid_t pid)
{
    struct buf text = {0};
    char *next;

    read_mounts(pid, &text);
    for (char *line = arena_strdup(criu->arena, buf_cstr(&text)); *line != 0; line = next) {
        struct mountinfo mount;
        next = line + strcspn(line, "\n");
        if (*next != 0)
            *next++ = 0;
        if (mountinfo_read(line, &mount) && strncmp(mount.type, "cgroup", 6) == 0)
            criu_add(criu, "--external=mnt[%s]:%s", mount.point, mount.point);
    }
    buf_done(&text);
}

static void add_mounts(struct criu *criu, const struct config *config)
{
    char path[PATH_MAX];

    for (uint32_t i = 0; i < config->mount_count; i++)
        if (mount_binds(&config->mounts[i]) && path_normalise(config->mounts[i].destination, path) == 0)
            criu_add(criu, "--external=mnt[%s]:%s", path, path);
}

/* --- as a whole -------------------------------------------------------------------------------------------------------------- */

static int check(const char *root, const struct state *state, const struct config *config, struct err *e)
{
    enum state_status status = state_status(root, state);

    if (state->is_wasm)
        return err_set(e, ENOTSUP, "a Wasm container cannot be checkpointed: criu knows nothing of a module's state");
    if (status != STATE_RUNNING && status != STATE_PAUSED)
        return err_set(e, EBUSY, "only a running or paused container can be checkpointed, and %s is %s", state->id,
                       state_status_name(status));
    if (config->process.terminal)
        return err_set(e, ENOTSUP, "a container with a terminal cannot be checkpointed yet");
    return 0;
}

static int make_directory(const char *path, struct err *e)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? err_sys(e, "cannot make the directory '%s'", path) : 0;
}

/* criu stops what it dumps by ptrace, which waits for ever for what is frozen: told where, it thaws the container for that, and a paused
 * one that goes on is paused again. */
static void add_freezer(struct criu *criu, const struct state *state)
{
    const char *directory = cgroup_freezer_directory(&state->cgroup);

    if (directory != NULL && cgroup_is_frozen(&state->cgroup))
        criu_add(criu, "--freeze-cgroup=%s", directory);
}

static int dump(const struct state *state, const struct config *config, const struct checkpoint_options *o,
                struct arena *arena, struct err *e)
{
    struct criu *criu = arena_new(arena, struct criu);
    const char *work = o->work_path != NULL ? o->work_path : o->image_path;
    int ret = make_directory(o->image_path, e);

    if (ret == 0)
        ret = make_directory(work, e);
    if (ret < 0)
        return ret;
    criu_begin(criu, o->criu, o->pre_dump ? "pre-dump" : "dump", o->image_path, work, arena);
    criu_add(criu, "--tree=%d", (int)state->pid);
    criu_add(criu, "--root=%s", state->rootfs);
    checkpoint_add_options(criu, o);
    criu_add(criu, "--manage-cgroups=%s", o->manage_cgroups != NULL ? o->manage_cgroups : "soft");
    if (o->leave_running)
        criu_add(criu, "--leave-running");
    if (o->pre_dump || o->parent_path != NULL)
        criu_add(criu, "--track-mem");
    if (o->parent_path != NULL)
        criu_add(criu, "--prev-images-dir=%s", o->parent_path);
    add_freezer(criu, state);
    add_namespace(criu, config, NAMESPACE_NETWORK, state->pid, "net", "extRootNetNS");
    add_namespace(criu, config, NAMESPACE_PID, state->pid, "pid", "extRootPidNS");
    add_mounts(criu, config);
    add_cgroups(criu, state->pid);
    ret = note_streams(criu, state->pid, o->image_path, e);
    return ret < 0 ? ret : criu_run(criu, NULL, NULL, e);
}

int checkpoint_write(const char *root, const char *id, const struct checkpoint_options *options, struct err *e)
{
    struct arena arena = {0};
    struct config config;
    struct state state;
    int ret = state_read(root, id, &arena, &state, e);

    if (ret == 0)
        ret = state_read_config(root, id, &arena, &config, e);
    if (ret == 0)
        ret = check(root, &state, &config, e);
    if (ret == 0)
        ret = dump(&state, &config, options, &arena, e);
    if (ret == 0 && !options->leave_running && !options->pre_dump)
        ret = container_delete(root, id, true, e);
    arena_free(&arena);
    return ret;
}
