/* See container.h. */
#include "oci/container.h"
#include "base/fd.h"
#include "oci/checkpoint.h"
#include "oci/hook_stage.h"
#include "oci/lsm.h"
#include "oci/notify.h"
#include "oci/process.h"
#include "oci/rdt.h"
#include "oci/rootfs.h"
#include "oci/rootless.h"
#include "oci/seccomp.h"
#include "oci/socket.h"
#include "oci/sys.h"
#include "oci/sysctl.h"
#include "oci/systemd.h"
#include "wherry/worker.h"
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

enum { ID_MAX_BYTES = 1024, DEATH_TIMEOUT_MS = 10000, DEATH_LOOK_MS = 10, CREATE_TRIES = 1000, CREATE_LOOK_MS = 5 };

int container_check_id(const char *id, struct err *e)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

    if (id[0] == 0 || id[0] == '.' || id[strspn(id, allowed)] != 0 || strlen(id) > ID_MAX_BYTES)
        return err_set(e, EINVAL,
                       "invalid container ID \"%.100s\": an invalid character (letters, digits and _ + - . are "
                       "allowed, no dot first)",
                       id);
    return 0;
}

int container_find_libexec(char *path, size_t path_bytes, struct err *e)
{
    int ret = libexec_find(NULL, "engine", path, path_bytes, e);

    if (ret == 0)
        *strrchr(path, '/') = 0;
    return ret;
}

/* --- create ------------------------------------------------------------------------------------------------------------ */

static int make_directories(const char *path, struct err *e)
{
    char part[PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return err_set(e, ENAMETOOLONG, "the path of the state directory is too long");
    for (char *p = part + 1; *p != 0; p++)
        if (*p == '/') {
            *p = 0;
            if (mkdir(part, 0711) < 0 && errno != EEXIST)
                return err_sys(e, "cannot make the state directory '%s'", part);
            *p = '/';
        }
    return mkdir(part, 0700) < 0 && errno != EEXIST ? err_sys(e, "cannot make the state directory '%s'", part) : 0;
}

/* Opened for reading and writing, so that neither the open nor a read depends on the other side being there yet. */
static int make_fifo(const struct container_create *request, const char *name, int *fd, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/%s", request->root, request->id, name);
    if (mkfifo(path, 0600) < 0)
        return err_sys(e, "cannot make the FIFO '%s'", path);
    *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd < 0 ? err_sys(e, "cannot open the FIFO '%s'", path) : 0;
}

static int make_state_directory(const struct container_create *request, struct err *e)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s/.state.json", request->root, request->id) >= (int)sizeof path)
        return err_set(e, ENAMETOOLONG, "the path of the state directory '%s' is too long", request->root);
    snprintf(path, sizeof path, "%s/%s", request->root, request->id);
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno == ENOENT) {
        int ret = make_directories(request->root, e);
        if (ret < 0)
            return ret;
        if (mkdir(path, 0700) == 0)
            return 0;
    }
    if (errno == EEXIST)
        return err_set(e, EEXIST, "container with given ID already exists: %s", request->id);
    return err_sys(e, "cannot make the state directory '%s'", path);
}

/* By rename, so that whoever watches for the file never reads half a number. */
int container_write_pid_file(const char *path, pid_t pid, struct err *e)
{
    const char *slash = strrchr(path, '/');
    int directory_len = slash != NULL ? (int)(slash - path + 1) : 0;
    char temporary[PATH_MAX];
    char text[16];
    int len = snprintf(text, sizeof text, "%d", (int)pid);

    if (snprintf(temporary, sizeof temporary, "%.*s.%s.%d", directory_len, path, path + directory_len, (int)pid) >=
        (int)sizeof temporary)
        return err_set(e, ENAMETOOLONG, "the path of the pid file is too long");
    cleanup_fd int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || fd_write_all(fd, text, (size_t)len) < 0 || rename(temporary, path) < 0) {
        int ret = err_sys(e, "cannot write the pid file '%s'", path);
        unlink(temporary);
        return ret;
    }
    return 0;
}

int container_send_pidfd(const char *path, pid_t pid, struct err *e)
{
    cleanup_fd int fd = (int)sys.pidfd_open(pid, 0);
    cleanup_fd int socket = fd < 0 ? -1 : socket_connect(path, "pidfd socket", e);

    if (fd < 0)
        return err_sys(e, "cannot open a pidfd of process %d", (int)pid);
    if (socket < 0)
        return socket;
    errno = -socket_send_fd(socket, "pidfd", 5, fd);
    return errno != 0 ? err_sys(e, "cannot send a pidfd to '%s'", path) : 0;
}

static const char *now(struct arena *arena)
{
    struct timespec ts;
    struct tm tm;
    char text[32];

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    return arena_printf(arena, "%s.%09ldZ", text, ts.tv_nsec);
}

static int check_rootfs(const char *rootfs, struct err *e)
{
    struct stat st;

    if (stat(rootfs, &st) < 0)
        return err_sys(e, "config.json: root.path: the root file system '%s'", rootfs);
    return S_ISDIR(st.st_mode) ? 0 : err_set(e, ENOTDIR, "config.json: root.path: '%s' is not a directory", rootfs);
}

static int check_console(const struct container_create *request, const struct config *config, struct err *e)
{
    bool given = request->console_socket != NULL || request->console >= 0;

    if (config->process.terminal && !given)
        return err_set(
            e, EINVAL,
            "config.json: process.terminal: a terminal needs --console-socket when the runtime does not stay");
    if (!config->process.terminal && request->console_socket != NULL)
        return err_set(e, EINVAL, "--console-socket is of use only with process.terminal in config.json");
    return 0;
}

/* Connected here, where the path means what the caller meant; the init sends through it. */
static int connect_console(const struct container_create *request, struct err *e)
{
    int fd = request->console >= 0 ? fcntl(request->console, F_DUPFD_CLOEXEC, 3)
                                   : socket_connect(request->console_socket, "console socket", e);
    return fd < 0 && request->console >= 0 ? err_sys(e, "cannot use the console socket") : fd;
}

static void fill_state(const struct container_create *request, const struct plan *plan, struct arena *arena,
                       struct state *out)
{
    const struct config *config = plan->config;

    out->id = request->id;
    out->oci_version = config->oci_version;
    out->bundle = request->bundle;
    out->rootfs = plan->rootfs;
    out->created = now(arena);
    out->owner = geteuid();
    out->own_pid_namespace = (plan->clone_flags & CLONE_NEWPID) != 0;
    out->mount_namespace =
        config->namespaces[NAMESPACE_MOUNT].path != NULL ? config->namespaces[NAMESPACE_MOUNT].path : "";
    out->annotations = config->annotations;
    out->poststart = config->hooks[HOOK_POSTSTART];
    out->poststop = config->hooks[HOOK_POSTSTOP];
}

/* What a container has mounted where others see it. */
static int remove_mounts(const struct state *state, struct err *e)
{
    const char *namespace = state->mount_namespace[0] != 0 ? state->mount_namespace : NULL;
    return state->shares_mounts ? rootfs_unmount_shared(state->rootfs, namespace, e) : 0;
}

static int remove_rdt(const struct state *state, struct err *e)
{
    cleanup_fd int root = state->intel_rdt.set ? rdt_open(e) : -1;

    if (!state->intel_rdt.set || root == -ENOTSUP) /* unmounted, and its classes are gone with it */
        return 0;
    return root < 0 ? root : rdt_remove(root, &state->intel_rdt, state->id, e);
}

/* What is restored runs: nothing waits for `start`. */
static int remove_start(const struct container_create *request, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/start", request->root, request->id);
    return unlink(path) < 0 ? err_sys(e, "cannot remove '%s'", path) : 0;
}

static int create_process(struct init *init, struct state *out, struct err *e)
{
    const struct checkpoint_options *restore = init->request->restore;
    int ret = restore != NULL ? cgroup_make_devices(init->cgroup, &init->plan->config->resources, e) : 0;

    if (ret == 0)
        ret = restore != NULL ? checkpoint_restore(init, restore, out, e) : process_create(init, out, e);
    if (ret == 0 && restore != NULL)
        ret = remove_start(init->request, e);
    if (ret < 0)
        return ret;
    if (init->request->pid_file != NULL)
        ret = container_write_pid_file(init->request->pid_file, out->pid, e);
    if (ret == 0 && init->request->pidfd_socket != NULL)
        ret = container_send_pidfd(init->request->pidfd_socket, out->pid, e);
    if (ret < 0)
        process_kill(init->request, out->pid);
    return ret;
}

/* An ordinary user has cgroups only where somebody has delegated one to him. Elsewhere the container stays in those of the
 * caller, unless limits are asked for. */
static int make_cgroup(const struct config_resources *resources, struct cgroup *cgroup, struct err *e)
{
    int ret = cgroup_make(cgroup, resources, e);

    if ((ret != -EACCES && ret != -EPERM && ret != -EROFS) || !rootless())
        return ret;
    if (config_limits_asked(resources))
        return err_prefix(e, "config.json: linux.resources: limits need a cgroup, and none is delegated to this user");
    *cgroup = (struct cgroup){.unit = cgroup->unit};
    return 0;
}

/* The unit's name is noted before systemd hears of it; where its cgroup lies is known only afterwards. */
static int create_scope(const struct container_create *request, const struct config *config, struct arena *arena,
                        struct state *out, struct systemd_scope *scope, struct err *e)
{
    struct systemd_unit unit;
    const char *path = NULL;
    bool unified = cgroup_host_is_unified();
    int ret = systemd_unit_read(config->cgroups_path, request->id, arena, &unit, e);

    if (ret < 0)
        return ret;
    out->cgroup.unit = unit.name;
    ret = state_write(request->root, out, e);
    if (ret == 0)
        ret = systemd_scope_begin(&unit, config, request->id, unified, request->libexec, scope, e);
    if (ret == 0)
        ret = systemd_scope_finish(scope, unified, arena, &path, e);
    if (ret == 0)
        ret = cgroup_find(path, request->id, arena, &out->cgroup, e);
    out->cgroup.unit = unit.name;
    return ret;
}

/* The state file is written before the first cgroup is made, so that whatever becomes of us `delete` knows what to remove.
 * By then the cgroups are known to be nobody else's. */
static int create_cgroup(const struct container_create *request, const struct config *config, struct arena *arena,
                         struct state *out, struct systemd_scope *scope, struct err *e)
{
    bool zombie;
    int ret = 0;

    out->creator = getpid();
    out->creator_start_time = state_start_time(out->creator, &zombie);
    if (!request->cgroups_disabled &&
        (request->systemd_cgroup || (request->systemd_by_path && systemd_names_scope(config->cgroups_path))))
        ret = create_scope(request, config, arena, out, scope, e);
    else if (!request->cgroups_disabled)
        ret = cgroup_find(config->cgroups_path, request->id, arena, &out->cgroup, e);
    if (ret == 0)
        ret = cgroup_check_unused(&out->cgroup, e);
    if (ret == 0)
        ret = state_write(request->root, out, e);
    return ret == 0 && !request->cgroups_disabled ? make_cgroup(&config->resources, &out->cgroup, e) : ret;
}

/* Noted in the state, which is written before anything of it is made. */
static int begin_rdt(const struct container_create *request, const struct config_rdt *rdt, struct state *out, int *root,
                     struct err *e)
{
    int ret;

    if (!rdt->set)
        return 0;
    *root = rdt_open(e);
    ret = *root < 0 ? *root : rdt_check(*root, rdt, request->id, e);
    if (ret == 0)
        out->intel_rdt = *rdt;
    return ret;
}

/* What it has made in the state directory is removed by the caller on failure. */
static int create_in_directory(const struct container_create *request, const struct plan *plan, const struct buf *text,
                               struct arena *arena, struct state *out, struct err *e)
{
    cleanup_fd int start = -1, result = -1, console = -1, rdt = -1;
    struct buf filter = {0};
    struct init init = {
        .request = request, .plan = plan, .cgroup = &out->cgroup, .filter = &filter, .root = -1, .state = -1};
    struct systemd_scope scope = {0};
    bool made;
    int ret = state_keep_config(request->root, request->id, text, e);

    if (ret == 0 && request->notify)
        ret = notify_make_directory(request->root, request->id, e);
    if (ret == 0)
        ret = make_fifo(request, "start", &start, e);
    if (ret == 0)
        ret = make_fifo(request, "result", &result, e);
    if (ret == 0 && plan->config->seccomp.set)
        ret = seccomp_prepare(&plan->config->seccomp, request->libexec, request->cache, &filter, e);
    if (ret == 0)
        ret = begin_rdt(request, &plan->config->intel_rdt, out, &rdt, e);
    if (ret == 0)
        ret = create_cgroup(request, plan->config, arena, out, &scope, e);
    made = ret == 0;
    if (ret == 0 && rdt >= 0)
        ret = rdt_make(rdt, &plan->config->intel_rdt, request->id, e);
    if (ret == 0 && plan->config->process.terminal)
        ret = console = connect_console(request, e);
    init.console = console;
    init.rdt = rdt;
    init.scope = &scope;
    init.start_fifo = start;
    init.result_fifo = result;
    if (ret >= 0)
        ret = create_process(&init, out, e);
    systemd_scope_leave(&scope);
    if (ret < 0 && made) {
        remove_mounts(out, NULL);
        cgroup_remove(&out->cgroup, NULL);
        if (rdt >= 0)
            rdt_remove(rdt, &out->intel_rdt, request->id, &(struct err){0});
    }
    buf_done(&filter);
    arena_free(&init.arena);
    return ret;
}

static int create_from_text(const struct container_create *request, struct arena *arena, struct buf *text,
                            struct state *out, struct err *e)
{
    struct config *config = arena_new(arena, struct config);
    struct plan *plan = arena_new(arena, struct plan);
    const struct plan_options options = {
        .bundle = request->bundle,
        .no_pivot = request->no_pivot,
        .selinux = lsm_has_selinux(),
        .notify = request->notify ? arena_printf(arena, "%s/%s/" NOTIFY_DIRECTORY, request->root, request->id) : NULL};
    const char *path =
        request->config != NULL ? request->config : arena_printf(arena, "%s/config.json", request->bundle);
    int ret = container_check_id(request->id, e);

    memset(out, 0, sizeof *out);
    if (ret == 0)
        ret = config_read(path, arena, config, text, e);
    if (ret == 0)
        ret = plan_make(config, &options, arena, plan, e);
    if (ret == 0)
        ret = sysctl_check(config, e);
    if (ret == 0)
        ret = lsm_check(config->process.selinux_label, config->process.apparmor_profile, e);
    if (ret == 0)
        ret = check_console(request, config, e);
    if (ret == 0)
        ret = check_rootfs(plan->rootfs, e);
    if (ret == 0)
        ret = make_state_directory(request, e);
    if (ret < 0)
        return ret;
    fill_state(request, plan, arena, out);
    ret = create_in_directory(request, plan, text, arena, out, e);
    if (ret < 0)
        state_remove(request->root, request->id, NULL);
    else if (config->warnings != NULL)
        err_set(e, EINVAL, "%s", config->warnings);
    else if (e != NULL)
        e->code = 0; /* of something tried on the way */
    return ret;
}

int container_create(const struct container_create *request, struct arena *arena, struct state *out, struct err *e)
{
    struct buf text = {0};
    int ret = create_from_text(request, arena, &text, out, e);

    buf_done(&text);
    return ret;
}

/* --- start --------------------------------------------------------------------------------------------------------------- */

static int open_in_state(const char *root, const char *id, const char *name, int flags)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/%s", root, id, name);
    return open(path, flags | O_CLOEXEC);
}

static int wrong_status(enum state_status status, struct err *e)
{
    if (status == STATE_STOPPED)
        return err_set(e, EBUSY, "cannot start a container that has stopped");
    if (status == STATE_CREATING)
        return err_set(e, EBUSY, "cannot start a container that is still being created");
    return err_set(e, EBUSY, "cannot start an already running container");
}

/* Whoever removes the FIFO has the right to write to it: of two `start` at once one wins. */
static int release(const char *root, const char *id, struct err *e)
{
    cleanup_fd int fd = open_in_state(root, id, "start", O_WRONLY | O_NONBLOCK); /* ENXIO: nobody waits */
    char path[PATH_MAX];

    if (fd < 0)
        return wrong_status(errno == ENXIO ? STATE_STOPPED : STATE_RUNNING, e);
    snprintf(path, sizeof path, "%s/%s/start", root, id);
    if (unlink(path) < 0)
        return wrong_status(STATE_RUNNING, e);
    return fd_write_all(fd, "s", 1) < 0 ? err_sys(e, "cannot release the container's init") : 0;
}

/* The init's end of the FIFO is closed by its exec: then there is nothing to read. */
static int read_result(int fd, struct err *e)
{
    struct err from_init;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    do
        n = poll(&p, 1, -1);
    while (n < 0 && errno == EINTR);
    n = read(fd, &from_init, sizeof from_init);
    if (n == 0)
        return 0;
    if (n != (ssize_t)sizeof from_init || from_init.code <= 0)
        return err_set(e, EPROTO, "the container's init sent a result that makes no sense");
    from_init.text[sizeof from_init.text - 1] = 0;
    *e = from_init;
    return -e->code;
}

int container_start(const char *root, const char *id, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    enum state_status status;
    int ret = state_read(root, id, &arena, &state, e);

    status = ret == 0 ? state_status(root, &state) : STATE_STOPPED;
    /* whoever saw the state file may come before its init is noted */
    for (int i = 0; ret == 0 && status == STATE_CREATING && i < CREATE_TRIES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = CREATE_LOOK_MS * 1000000}, NULL);
        ret = state_read(root, id, &arena, &state, e);
        status = ret == 0 ? state_status(root, &state) : status;
    }
    if (ret == 0 && status != STATE_CREATED)
        ret = wrong_status(status, e);
    if (ret == 0) {
        cleanup_fd int result = open_in_state(root, id, "result", O_RDONLY | O_NONBLOCK);
        ret = result < 0 ? err_sys(e, "cannot open the result FIFO of the container") : release(root, id, e);
        if (ret == 0)
            ret = read_result(result, e);
    }
    if (ret == 0 && state.poststart.count != 0) {
        cleanup_fd int fd = hook_stage_open_state(&state, STATE_RUNNING, e);
        ret = fd < 0 ? fd : hook_stage_run(&state.poststart, "poststart", fd, e);
        if (ret < 0) /* runtime-spec, lifecycle: the container must then be stopped and its resources freed */
            container_delete(root, id, true, &(struct err){0});
    }
    arena_free(&arena);
    return ret;
}

/* --- kill, delete ---------------------------------------------------------------------------------------------------------- */

/* Without pidfds (5.1, 5.3) or where none is to be had: the number may become another process's between look and signal. */
static int signal_by_number(const struct state *state, int signal)
{
    bool zombie;

    if (state_start_time(state->pid, &zombie) != state->start_time || zombie)
        return errno = ESRCH, -1;
    return kill(state->pid, signal);
}

static int signal_init(const struct state *state, int signal, struct err *e)
{
    cleanup_fd int fd = state_open_pid(state);
    int ret = -1;

    errno = ESRCH;
    if (fd >= 0)
        ret = (int)sys.pidfd_send_signal(fd, signal, NULL, 0);
    if (fd < 0 ? fd != -ESRCH : ret < 0 && errno == ENOSYS)
        ret = signal_by_number(state, signal);
    if (ret == 0)
        return 0;
    if (errno == ESRCH)
        return err_set(e, ESRCH, "container not running");
    return err_sys(e, "cannot send signal %d to process %d", signal, (int)state->pid);
}

/* Without a pid namespace of its own the end of its init ends nothing else: what a container without it is killed for. */
static bool kills_all(const struct state *state, int signal)
{
    return signal == SIGKILL && !state->own_pid_namespace && cgroup_pids(&state->cgroup, NULL, 0, NULL) > 0;
}

int container_kill(const char *root, const char *id, int signal, bool all, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    int ret = state_read(root, id, &arena, &state, e);

    all = all || (ret == 0 && kills_all(&state, signal));
    if (ret == 0 && !all && (state.pid == 0 || state_status(root, &state) == STATE_STOPPED))
        ret = err_set(e, ESRCH, "container not running");
    if (ret == 0)
        ret = all ? cgroup_kill(&state.cgroup, signal, e) : signal_init(&state, signal, e);
    arena_free(&arena);
    return ret;
}

/* Waits until the init, which has been killed, is dead. */
static int await_death(const struct state *state, struct err *e)
{
    cleanup_fd int fd = state_open_pid(state);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool zombie;

    if (fd == -ESRCH || (fd >= 0 && poll(&p, 1, DEATH_TIMEOUT_MS) > 0))
        return 0;
    for (int i = 0; fd < 0 && i < DEATH_TIMEOUT_MS / DEATH_LOOK_MS; i++) {
        if (state_start_time(state->pid, &zombie) != state->start_time || zombie)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = DEATH_LOOK_MS * 1000000}, NULL);
    }
    return err_set(e, EBUSY, "process %d does not end after SIGKILL", (int)state->pid);
}

/* Kills the init and everything else in the container, and waits until the init is gone. One that is not noted yet ends by
 * itself, because its creator does not answer any more. */
static int end_processes(const struct state *state, enum state_status status, struct err *e)
{
    int ret = state->pid == 0 || status == STATE_STOPPED ? -ESRCH : signal_init(state, SIGKILL, e);

    if (ret < 0 && ret != -ESRCH)
        return ret;
    if (ret == 0) {
        if (cgroup_is_frozen(&state->cgroup)) /* a frozen process does not die */
            cgroup_freeze(&state->cgroup, false, NULL);
        ret = await_death(state, e);
        if (ret < 0)
            return ret;
    }
    e->code = 0;
    if (state->pid == 0 || state->own_pid_namespace)
        return 0;
    return cgroup_kill(&state->cgroup, SIGKILL, e); /* the other processes outlive the init */
}

/* A create that was killed half-way leaves a directory without a readable state. */
static int delete_remains(const char *root, const char *id, struct err *e)
{
    struct err ignored;
    int ret = state_remove(root, id, &ignored);
    return ret < 0 ? err_set(e, -ret, "%s", ignored.text) : 0;
}

int container_delete(const char *root, const char *id, bool force, struct err *e)
{
    struct arena arena = {0};
    struct state state;
    struct err warning = {0};
    enum state_status status;
    int ret = container_check_id(id, e);

    e->code = 0;
    if (ret == 0)
        ret = state_read(root, id, &arena, &state, e);
    if (ret < 0) {
        arena_free(&arena);
        return force && ret != -EINVAL ? delete_remains(root, id, e) : ret;
    }
    status = state_status(root, &state);
    if (status != STATE_STOPPED && status != STATE_CREATED && !force)
        ret = err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s", id, state_status_name(status));
    if (ret == 0)
        ret = end_processes(&state, status, e);
    if (ret == 0)
        ret = remove_mounts(&state, e);
    if (ret == 0)
        ret = cgroup_remove(&state.cgroup, e);
    if (ret == 0)
        ret = remove_rdt(&state, e);
    if (ret == 0 && state.poststop.count != 0) { /* the state goes last: a delete that is killed can be repeated */
        cleanup_fd int fd = hook_stage_open_state(&state, STATE_STOPPED, &warning);
        if (fd >= 0) /* the container is gone whatever they say (runtime-spec, lifecycle) */
            (void)!hook_stage_run_all(&state.poststop, "poststop", fd, &warning);
    }
    if (ret == 0)
        ret = state_remove(root, id, e);
    if (ret == 0 && warning.code != 0)
        *e = warning;
    arena_free(&arena);
    return ret;
}
