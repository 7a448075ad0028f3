/* See runtime.h. */
#include "shim/runtime.h"
#include "base/fd.h"
#include "oci/container.h"
#include "oci/control.h"
#include "oci/exec.h"
#include "oci/mount_options.h"
#include "oci/path.h"
#include "oci/sys.h"
#include "shim/image.h"
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

void runtime_root(const struct options *options, const char *namespace, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", options->root[0] != 0 ? options->root : RUNTIME_ROOT, namespace);
}

static void report_error(struct worker_report *report, int error, const struct err *e)
{
    report->code = -error;
    snprintf(report->text, sizeof report->text, "%s", e->text);
}

/* --- the root file system --------------------------------------------------------------------------------------------- */

static int mount_one(const Task__Mount *m, const char *rootfs, struct arena *arena, struct err *e)
{
    const char *target = m->target[0] != 0 ? arena_printf(arena, "%s/%s", rootfs, m->target) : rootfs;
    struct mount_options options;
    bool bind = strcmp(m->type, "bind") == 0 || strcmp(m->type, "rbind") == 0;
    int error = mount_options_read((const char *const *)m->options, m->n_options, arena, &options, e);

    if (error != 0)
        return error;
    if (bind)
        options.flags |= MS_BIND;
    if (sys.mount(m->source, target, bind ? NULL : m->type, options.flags, options.data) != 0)
        return err_sys(e, "cannot mount the root file system: %s of %s at %s", m->type, m->source, target);
    /* a bind takes no other flag at first; a remount adds them (read-only, for views) */
    if (bind && (options.flags & ~(unsigned long)(MS_BIND | MS_REC)) != 0 &&
        sys.mount("", target, NULL, (options.flags & ~(unsigned long)MS_REC) | MS_REMOUNT, NULL) != 0)
        return err_sys(e, "cannot set the flags of the root file system at %s", target);
    for (unsigned i = 0; i < options.propagation_count; i++)
        if (sys.mount("", target, NULL, options.propagation[i], NULL) != 0)
            return err_sys(e, "cannot set the propagation of the root file system at %s", target);
    return 0;
}

static int mount_rootfs(const Task__CreateRequest *create, struct arena *arena, struct err *e)
{
    const char *rootfs = arena_printf(arena, "%s/rootfs", create->bundle);
    int error = 0;

    if (create->n_rootfs != 0 && mkdir(rootfs, 0711) != 0 && errno != EEXIST)
        return err_sys(e, "cannot make %s", rootfs);
    for (size_t i = 0; i < create->n_rootfs && error == 0; i++)
        error = mount_one(create->rootfs[i], rootfs, arena, e);
    return error;
}

int runtime_unmount(const char *bundle, struct err *e)
{
    char rootfs[PATH_MAX];

    if ((size_t)snprintf(rootfs, sizeof rootfs, "%s/rootfs", bundle) >= sizeof rootfs)
        return err_set(e, ENAMETOOLONG, "bundle %.100s...: the path is too long", bundle);
    /* several may lie on top of each other; EINVAL: none is left */
    while (sys.umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return err_sys(e, "cannot unmount %s", rootfs);
    return 0;
}

/* --- create ----------------------------------------------------------------------------------------------------------- */

/* `delete` after a crash is told only the bundle: where the states are is noted there, unless it is the default place. */
static int note_root(const struct runtime_job *job, struct err *e)
{
    char path[PATH_MAX];
    cleanup_fd int fd = -1;

    if (job->options->root[0] == 0)
        return 0;
    snprintf(path, sizeof path, "%s/" RUNTIME_ROOT_NOTE, job->bundle);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fd_write_all(fd, job->options->root, strlen(job->options->root)) != 0)
        return err_sys(e, "cannot write %s", path);
    return 0;
}

static bool is_empty(const char *directory)
{
    DIR *d = opendir(directory);
    const struct dirent *entry;
    bool empty = d != NULL;

    while (d != NULL && (entry = readdir(d)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    if (d != NULL)
        closedir(d);
    return empty;
}

/* An ordinary image has its entry point in the root file system, or in a volume over it. Only where neither can be, the image
 * is asked for Wasm layers: two or three calls to containerd that no native container pays for. */
static bool lacks_entry(const struct config *config, const char *rootfs)
{
    const char *entry = config->process.args.data[0];
    cleanup_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (root < 0 || (strchr(entry, '/') == NULL && !is_empty(rootfs)))
        return false;
    for (uint32_t i = 0; i < config->mount_count; i++) {
        size_t len = strlen(config->mounts[i].destination);
        if (len > 1 && strncmp(entry, config->mounts[i].destination, len) == 0 && entry[len] == '/')
            return false;
    }
    fd = strchr(entry, '/') != NULL ? path_open(root, entry, O_PATH) : -1;
    return fd < 0 || is_empty(rootfs); /* "/", which users write for artifacts that have no entry point */
}

static int find_module(const struct runtime_job *job, struct arena *arena, int *module, struct err *e)
{
    struct image_request request = {.address = job->address, .namespace = job->namespace, .container = job->id};
    struct config config;
    int error = config_read(arena_printf(arena, "%s/config.json", job->bundle), arena, &config, NULL, e);

    if (error != 0 || job->address == NULL || job->address[0] == 0 || config.process.args.count == 0 ||
        !lacks_entry(&config, arena_printf(arena, "%s/rootfs", job->bundle)))
        return error;
    request.image = config_annotation(&config, "io.kubernetes.cri.image-name");
    request.entry = config.process.args.data[0];
    return image_open_module(&request, module, e);
}

static int create_container(const struct runtime_job *job, int module, int console_fd, struct arena *arena,
                            struct worker_report *report, struct err *e)
{
    struct container_create request = {.root = job->root,
                                       .id = job->id,
                                       .bundle = job->bundle,
                                       .stdio = {-1, -1, -1},
                                       .console = console_fd,
                                       .module = module,
                                       .no_pivot = job->options->no_pivot_root,
                                       .no_new_keyring = job->options->no_new_keyring,
                                       .clone_parent = true,
                                       .libexec = job->libexec};
    struct state state;
    struct buf cgroup = {0};
    int error = container_create(&request, arena, &state, e);

    if (error != 0)
        return error;
    cgroup_encode(&state.cgroup, &cgroup);
    report->pid = state.pid;
    report->flags = state.own_pid_namespace ? RUNTIME_OWN_PID_NAMESPACE : 0;
    report->len = cgroup.len < sizeof report->data ? (unsigned)cgroup.len : 0;
    memcpy(report->data, cgroup.data, report->len);
    if (report->len == cgroup.len)
        return 0;
    container_delete(job->root, job->id, true, NULL);
    return err_set(e, ENAMETOOLONG, "container %s: the paths of its cgroups are too long", job->id);
}

void runtime_create(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct err e = {0};
    int error, module = -1;

    if (job->options->systemd_cgroup) {
        err_set(&e, ENOTSUP,
                "SystemdCgroup = true: the systemd cgroup driver is not built yet; set it to false and the "
                "kubelet's cgroupDriver to cgroupfs");
        report_error(report, -ENOTSUP, &e);
        return;
    }
    error = mount_rootfs(job->create, &arena, &e);
    if (error == 0)
        error = note_root(job, &e);
    if (error == 0)
        error = find_module(job, &arena, &module, &e);
    if (error == 0)
        error = create_container(job, module, console_fd, &arena, report, &e);
    if (error != 0) {
        runtime_unmount(job->bundle, NULL);
        report_error(report, error, &e);
    }
}

/* --- start, kill, delete ------------------------------------------------------------------------------------------------ */

void runtime_start(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_start(job->root, job->id, &e);

    (void)console_fd;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_kill_all(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_kill(job->root, job->id, job->signal, true, &e);

    (void)console_fd;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_exec(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct config_process process;
    struct container_exec request = {.root = job->root,
                                     .id = job->id,
                                     .process = &process,
                                     .console = console_fd,
                                     .stdio = {-1, -1, -1},
                                     .clone_parent = true,
                                     .libexec = job->libexec};
    struct err e = {0};
    int error = config_parse_process((const char *)job->body->data, job->body->len, &arena, &process, &e);

    if (error == 0)
        error = container_exec(&request, &report->pid, &e);
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_pause(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = control_pause(job->root, job->id, &e);

    (void)console_fd;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_resume(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = control_resume(job->root, job->id, &e);

    (void)console_fd;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_update(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct config_resources resources;
    struct err e = {0};
    int error = config_parse_resources((const char *)job->body->data, job->body->len, &arena, &resources, &e);

    (void)console_fd;
    if (error == 0)
        error = control_update(job->root, job->id, &resources, &e);
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_delete(const void *argument, int console_fd, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_delete(job->root, job->id, true, &e);

    (void)console_fd;
    if (error == 0)
        error = runtime_unmount(job->bundle, &e);
    if (error != 0)
        report_error(report, error, &e);
}
