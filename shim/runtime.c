/* See runtime.h. */
#include "shim/runtime.h"
#include "base/fd.h"
#include "oci/checkpoint.h"
#include "oci/container.h"
#include "oci/control.h"
#include "oci/exec.h"
#include "oci/path.h"
#include "oci/sys.h"
#include "shim/image.h"
#include "shim/logger.h"
#include "shim/pod.h"
#include "shim/rootfs.h"
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

/* An ordinary image has its programs in the root file system, or in a volume over it. Only where ENTRY can be in neither, the
 * image is asked for Wasm layers: two or three calls to containerd that no native container pays for. */
static bool lacks_entry(const struct config *config, const char *entry, const char *rootfs)
{
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

struct module {
    int fd; /* -1: the program is none of the image's Wasm layers */
    uint8_t digest[IMAGE_DIGEST_BYTES];
};

/* Opens the Wasm layer that is the program of PROCESS, or of the container itself (NULL). */
static int find_module(const struct runtime_job *job, const struct config_process *process, struct arena *arena,
                       struct module *module, struct err *e)
{
    struct image_request request = {.address = job->address, .namespace = job->namespace, .container = job->id};
    struct config config;
    int error = config_read(arena_printf(arena, "%s/config.json", job->bundle), arena, &config, NULL, e);

    module->fd = -1;
    if (error != 0 || job->address == NULL || job->address[0] == 0 || config.process.args.count == 0 ||
        (process != NULL && process->args.count == 0))
        return error;
    request.entry = config.process.args.data[0];
    if (process != NULL && strcmp(process->args.data[0], request.entry) != 0) {
        request.entry = process->args.data[0];
        request.by_title = true;
    }
    if (!lacks_entry(&config, request.entry, arena_printf(arena, "%s/rootfs", job->bundle)))
        return 0;
    request.image = config_annotation(&config, "io.kubernetes.cri.image-name");
    return image_open_module(&request, &module->fd, module->digest, e);
}

static int create_container(const struct runtime_job *job, const struct module *module, int console,
                            struct arena *arena, struct worker_report *report, struct err *e)
{
    struct container_create request = {.root = job->root,
                                       .id = job->id,
                                       .bundle = job->bundle,
                                       .stdio = {-1, -1, -1},
                                       .console = console,
                                       .module = module->fd,
                                       .module_digest = module->fd >= 0 ? module->digest : NULL,
                                       .no_pivot = job->options->no_pivot_root,
                                       .no_new_keyring = job->options->no_new_keyring,
                                       .systemd_cgroup = job->options->systemd_cgroup,
                                       .systemd_by_path = true,
                                       .clone_parent = true,
                                       .libexec = job->libexec};
    struct checkpoint_options restore = {.image_path = job->images, .work_path = job->bundle};
    struct state state;
    struct buf cgroup = {0};
    int error;

    if (job->images != NULL)
        request.restore = &restore;
    error = container_create(&request, arena, &state, e);
    if (error != 0)
        return error;
    if (e->code != 0) /* a warning */
        snprintf(report->text, sizeof report->text, "%s", e->text);
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

static int wait_for_logger(const struct runtime_job *job, const struct worker_fds *fds, struct err *e)
{
    return fds->logger >= 0 ? logger_wait(job->stdout_uri, fds->logger, e) : 0;
}

void runtime_create(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct err e = {0};
    struct module module;
    int error;

    error = wait_for_logger(job, fds, &e);
    if (error == 0)
        error = rootfs_mount(job->create, &arena, &e);
    if (error == 0 && job->pod != NULL && strcmp(job->pod, job->bundle) != 0)
        error = pod_add_mounts(job->pod, job->bundle, &arena, &e);
    if (error == 0)
        error = note_root(job, &e);
    if (error == 0)
        error = find_module(job, NULL, &arena, &module, &e);
    if (error == 0)
        error = create_container(job, &module, fds->console, &arena, report, &e);
    if (error != 0) {
        rootfs_unmount(job->bundle, NULL);
        report_error(report, error, &e);
    }
}

/* --- start, kill, delete ------------------------------------------------------------------------------------------------ */

void runtime_start(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_start(job->root, job->id, &e);

    (void)fds;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_kill_all(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_kill(job->root, job->id, job->signal, true, &e);

    (void)fds;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_exec(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct config_process process;
    struct module module;
    struct container_exec request = {.root = job->root,
                                     .id = job->id,
                                     .process = &process,
                                     .console = fds->console,
                                     .module = -1,
                                     .stdio = {-1, -1, -1},
                                     .clone_parent = true,
                                     .libexec = job->libexec};
    struct err e = {0};
    int error = config_parse_process((const char *)job->body->data, job->body->len, &arena, &process, &e);

    if (error == 0)
        error = wait_for_logger(job, fds, &e);
    if (error == 0)
        error = find_module(job, &process, &arena, &module, &e);
    if (error == 0 && module.fd >= 0) {
        request.module = module.fd;
        request.module_digest = module.digest;
    }
    if (error == 0)
        error = container_exec(&request, &report->pid, &e);
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_pause(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = control_pause(job->root, job->id, &e);

    (void)fds;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_resume(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = control_resume(job->root, job->id, &e);

    (void)fds;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_update(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct arena arena = {0};
    struct config_resources resources;
    struct err e = {0};
    int error = config_parse_resources((const char *)job->body->data, job->body->len, &arena, &resources, &e);

    (void)fds;
    if (error == 0)
        error = control_update(job->root, job->id, &resources, &e);
    if (error != 0)
        report_error(report, error, &e);
}

/* criu's log stays in the bundle, where containerd's users look for it, unless they name a place. Of the namespaces only the network's
 * can be left empty, so there is at most one word (the method has checked). */
void runtime_checkpoint(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    const Options__Checkpoint *o = job->checkpoint;
    struct checkpoint_options options = {.image_path = job->images,
                                         .work_path = o->work_path[0] != 0 ? o->work_path : job->bundle,
                                         .manage_cgroups = o->cgroups_mode[0] != 0 ? o->cgroups_mode : NULL,
                                         .empty_ns = o->n_empty_namespaces > 0 ? o->empty_namespaces[0] : NULL,
                                         .leave_running = !o->exit,
                                         .tcp_established = o->open_tcp,
                                         .ext_unix_sk = o->external_unix_sockets,
                                         .shell_job = o->terminal,
                                         .file_locks = o->file_locks};
    struct err e = {0};
    int error = checkpoint_write(job->root, job->id, &options, &e);

    (void)fds;
    if (error != 0)
        report_error(report, error, &e);
}

void runtime_delete(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct runtime_job *job = argument;
    struct err e = {0};
    int error = container_delete(job->root, job->id, true, &e);

    (void)fds;
    if (error == 0)
        error = rootfs_unmount(job->bundle, &e);
    if (error != 0)
        report_error(report, error, &e);
}
