/* See checkpoint.h: the way back. */
#include "base/fd.h"
#include "oci/checkpoint.h"
#include "oci/init.h"
#include "oci/json.h"
#include "oci/mount.h"
#include "oci/mount_cgroup.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <sched.h>
#include <sys/stat.h>

/* Numbers of what criu inherits, above all that is open here. */
enum { FIRST_STREAM = 1000, NET_NAMESPACE = 1010, PID_NAMESPACE = 1011, NOTES_MAX_BYTES = 1 << 16 };

struct restore {
    struct init *init;
    int net, pid; /* namespaces to join; -1: none */
};

static int keep_as(int fd, int number, struct err *e)
{
    return fd >= 0 && dup2(fd, number) < 0 ? err_sys(e, "cannot pass descriptor %d to criu", fd) : 0;
}

/* In the process that becomes criu: what it makes is born in the container's cgroups, and the root file system is a mount
 * point that nobody else sees. */
static int prepare(void *argument, struct err *e)
{
    const struct restore *r = argument;
    const struct container_create *request = r->init->request;
    const char *rootfs = r->init->plan->rootfs;
    int ret = cgroup_attach(r->init->cgroup, getpid(), e);

    for (int i = 0; ret == 0 && i < 3; i++)
        ret = keep_as(request->stdio[i] >= 0 ? request->stdio[i] : i, FIRST_STREAM + i, e);
    if (ret == 0)
        ret = keep_as(r->net, NET_NAMESPACE, e);
    if (ret == 0)
        ret = keep_as(r->pid, PID_NAMESPACE, e);
    if (ret < 0)
        return ret;
    if (sys.unshare(CLONE_NEWNS) < 0 || sys.mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
        sys.mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_sys(e, "cannot make the root file system '%s' a mount point", rootfs);
    return 0;
}

static int add_streams(struct criu *criu, const char *images, struct err *e)
{
    const char *path = arena_printf(criu->arena, "%s/" CHECKPOINT_STREAMS, images);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct json *list = NULL;
    struct buf text = {0};
    int ret = 0;

    if (fd < 0 || fd_read_to_end(fd, &text, NOTES_MAX_BYTES) < 0)
        ret = err_sys(e, "cannot read '%s': is it a container's checkpoint?", path);
    else if ((list = json_parse((const char *)text.data, text.len, criu->arena, e)) == NULL || list->type != JSON_ARRAY)
        ret = err_set(e, EINVAL, "'%s' is no list of streams", path);
    buf_done(&text);
    if (ret < 0 || list == NULL)
        return ret;
    for (const struct json *name = list->first; name != NULL && name->index < 3; name = name->next)
        if (name->type == JSON_STRING && (strncmp(name->text, "pipe:", 5) == 0 || strncmp(name->text, "file[", 5) == 0))
            criu_add(criu, "--inherit-fd=fd[%u]:%s", FIRST_STREAM + name->index, name->text);
    return 0;
}

static int add_namespace(struct criu *criu, const struct config_namespace *ns, int number, const char *name, int *fd,
                         struct err *e)
{
    *fd = ns->path != NULL ? open(ns->path, O_RDONLY | O_CLOEXEC) : -1;
    if (ns->path != NULL && *fd < 0)
        return err_sys(e, "cannot open the namespace '%s'", ns->path);
    if (*fd >= 0)
        criu_add(criu, "--inherit-fd=fd[%d]:%s", number, name);
    return 0;
}

static bool lies_on_file_system(const struct config *config, const char *path)
{
    for (uint32_t i = 0; i < config->mount_count; i++) {
        const char *other = config->mounts[i].destination;
        size_t len = strlen(other);
        if (!mount_binds(&config->mounts[i]) && strncmp(path, other, len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}

/* criu finds mount points: in a fresh root file system they have to be made. Those on a file system of the container's own come
 * with that. */
static int make_mount_point(int root, const struct config *config, const char *path, bool directory, struct err *e)
{
    if (lies_on_file_system(config, path))
        return 0;
    cleanup_fd int made = path_make(root, path, directory ? PATH_MAKE_DIRECTORY : PATH_MAKE_FILE, PATH_FOLLOW_LINKS, e);
    return made < 0 ? made : 0;
}

/* What PLAN's mount M binds from the host takes the place of what was bound there when the checkpoint was made. */
static int add_bind(struct criu *criu, const struct plan *plan, const struct config_mount *m, const char *path,
                    bool *directory, struct err *e)
{
    const char *source = m->source[0] == '/' ? m->source : arena_printf(criu->arena, "%s/%s", plan->bundle, m->source);
    struct stat st;

    if (stat(source, &st) < 0)
        return err_sys(e, "mount '%s' at '%s'", source, path);
    criu_add(criu, "--external=mnt[%s]:%s", path, source);
    *directory = S_ISDIR(st.st_mode);
    return 0;
}

/* The new container's cgroups take the place of those that were mounted when the checkpoint was made. */
static void add_cgroups(struct criu *criu, const struct init *init, const char *destination)
{
    bool own_namespace = init->plan->config->namespaces[NAMESPACE_CGROUP].set;
    const char *directory;
    char path[PATH_MAX];

    for (unsigned i = 0; (directory = mount_cgroup_bound(init->cgroup, own_namespace, destination, i, path)) != NULL;
         i++)
        criu_add(criu, "--external=mnt[%s]:%s", path, directory);
}

static int add_mounts(struct criu *criu, const struct init *init, struct err *e)
{
    const struct plan *plan = init->plan;
    cleanup_fd int root = open(plan->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int ret = 0;

    if (root < 0)
        return err_sys(e, "cannot open the root file system '%s'", plan->rootfs);
    for (uint32_t i = 0; ret == 0 && i < plan->config->mount_count; i++) {
        const struct config_mount *m = &plan->config->mounts[i];
        bool directory = true;
        char path[PATH_MAX];
        if (path_normalise(m->destination, path) < 0 || (mount_binds(m) && m->source == NULL))
            continue;
        if (mount_binds(m))
            ret = add_bind(criu, plan, m, path, &directory, e);
        else if (mount_is_cgroup(m))
            add_cgroups(criu, init, path);
        if (ret == 0)
            ret = make_mount_point(root, plan->config, path, directory, e);
    }
    return ret;
}

static int read_pid(const char *path, struct state *state, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    bool zombie;

    if (fd < 0 || fd_read_full(fd, text, sizeof text - 1) < 0)
        return err_sys(e, "cannot read '%s'", path);
    state->pid = (pid_t)strtol(text, NULL, 10);
    state->start_time = state->pid > 0 ? state_start_time(state->pid, &zombie) : 0;
    unlink(path);
    return state->start_time != 0 ? 0 : err_set(e, ESRCH, "the restored container has ended already");
}

static void add_restore_options(struct criu *criu, const struct init *init, const struct checkpoint_options *o)
{
    criu_add(criu, "--root=%s", init->plan->rootfs);
    criu_add(criu, "--restore-detached");
    criu_add(criu, "--restore-sibling");
    criu_add(criu, "--manage-cgroups=%s", o->manage_cgroups != NULL ? o->manage_cgroups : "ignore");
    checkpoint_add_options(criu, o);
    if (o->lsm_profile != NULL)
        criu_add(criu, "--lsm-profile=%s", o->lsm_profile);
    if (o->lsm_mount_context != NULL)
        criu_add(criu, "--lsm-mount-context=%s", o->lsm_mount_context);
}

int checkpoint_restore(struct init *init, const struct checkpoint_options *o, struct state *state, struct err *e)
{
    const struct config *config = init->plan->config;
    const char *work = o->work_path != NULL ? o->work_path : o->image_path;
    struct criu *criu = arena_new(&init->arena, struct criu);
    const char *pid_file = arena_printf(&init->arena, "%s/restored-%s.pid", work, state->id);
    struct restore r = {init, -1, -1};
    int ret;

    if (config->process.terminal)
        return err_set(e, ENOTSUP, "a container with a terminal cannot be restored yet");
    criu_begin(criu, o->criu, "restore", o->image_path, work, &init->arena);
    add_restore_options(criu, init, o);
    criu_add(criu, "--pidfile=%s", pid_file);
    ret = add_streams(criu, o->image_path, e);
    if (ret == 0)
        ret = add_namespace(criu, &config->namespaces[NAMESPACE_NETWORK], NET_NAMESPACE, "extRootNetNS", &r.net, e);
    if (ret == 0)
        ret = add_namespace(criu, &config->namespaces[NAMESPACE_PID], PID_NAMESPACE, "extRootPidNS", &r.pid, e);
    if (ret == 0)
        ret = add_mounts(criu, init, e);
    if (ret == 0)
        ret = criu_run(criu, prepare, &r, e);
    if (ret == 0)
        ret = read_pid(pid_file, state, e);
    if (ret == 0)
        ret = state_write(init->request->root, state, e);
    fd_close(&r.net);
    fd_close(&r.pid);
    return ret;
}
