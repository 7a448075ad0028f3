/* Starting the compile worker (main_compile.c) and hearing what it has to say. */
#include "wherry/worker.h"
#include "base/fd.h"
#include "engine/digest.h"
#include "engine/options.h"
#include "engine/worker_cgroup.h"
#include "engine/worker_protocol.h"
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

enum { CPU_SECONDS = 300 };
#define MEMORY_BYTES (UINT64_C(8) << 30)

static int try_program(char *path, size_t path_bytes, const char *directory, const char *below, const char *program)
{
    int len = snprintf(path, path_bytes, "%s%s/%s", directory, below, program);
    return len > 0 && (size_t)len < path_bytes && access(path, X_OK) == 0 ? 0 : -1;
}

int libexec_find(const char *directory, const char *program, char *path, size_t path_bytes, struct err *err)
{
    char self[PATH_MAX];
    ssize_t len;
    char *slash;

    if (directory != NULL) {
        if (try_program(path, path_bytes, directory, "", program) == 0)
            return 0;
        return err_sys(err, "cannot find the helper program %s in %s", program, directory);
    }
    len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len < 0)
        return err_sys(err, "cannot find the helper program %s: /proc/self/exe", program);
    self[len] = 0;
    slash = strrchr(self, '/');
    if (slash == NULL)
        return err_set(err, ENOENT, "cannot find the helper program %s: /proc/self/exe is %s", program, self);
    *slash = 0;
    if (try_program(path, path_bytes, self, "/libexec/wherry", program) == 0 ||
        try_program(path, path_bytes, self, "/../libexec/wherry", program) == 0)
        return 0;
    return err_set(err, ENOENT,
                   "cannot find the helper program libexec/wherry/%s beside %s; is the installation complete?", program,
                   self);
}

/* --- starting it ---------------------------------------------------------------------------------------------- */

struct worker {
    pid_t pid;
    int report_fd;
    struct worker_cgroup cgroup;
    uint64_t kills_before;
    uint64_t memory_bytes;
    unsigned cpu_seconds;
};

/* The worker's descriptors in their places, its standard ones on /dev/null, everything else closed, no signal blocked. */
static _Noreturn void become_worker(const char *path, char **argv, const int fds[3])
{
    static char *const no_environment[] = {NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], WORKER_MODULE_FD + i) < 0 || (null >= 0 && dup2(null, i) < 0))
            _exit(127);
    fd_close_from(WORKER_REPORT_FD + 1);
    execve(path, argv, no_environment);
    _exit(127);
}

/* A child in the cgroup, if that is one to be cloned into. *ATTACHED: it is. */
static pid_t clone_worker(const struct worker_cgroup *cgroup, bool *attached)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = -1;

    if (cgroup->directory >= 0) {
        args.flags = CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup->directory;
        pid = syscall(SYS_clone3, &args, sizeof args);
    }
    *attached = pid >= 0;
    return pid >= 0 ? (pid_t)pid : fork();
}

static int start(struct worker *worker, const char *path, char **argv, const int fds[3], struct err *err)
{
    bool attached;

    worker->pid = clone_worker(&worker->cgroup, &attached);
    if (worker->pid == 0)
        become_worker(path, argv, fds);
    if (worker->pid < 0)
        return err_sys(err, "cannot start the compile worker %s", path);
    if (!attached) /* the worker begins meanwhile; its own limits hold from its start */
        worker_cgroup_attach(&worker->cgroup, worker->pid);
    return 0;
}

/* --- how it went ---------------------------------------------------------------------------------------------- */

static int killed(const struct worker *worker, int signal, struct err *err)
{
    if (signal == SIGXCPU)
        return err_set(err, ETIME, "compiling the module takes more than the %u s of CPU time that it may",
                       worker->cpu_seconds);
    if (signal == SIGKILL && worker_cgroup_kills(&worker->cgroup) != worker->kills_before)
        return err_set(err, ENOMEM, "compiling the module takes more memory than the limit of %s allows",
                       worker->cgroup.path);
    if (signal == SIGKILL)
        return err_set(err, ECANCELED, "the compile worker was killed before it was done");
    return err_set(err, EIO, "the compile worker died of signal %d; this is a bug in the compiler", signal);
}

static int exited(const struct worker *worker, int status, struct err *err)
{
    switch (status) {
    case 0: return 0;
    case 1: /* out_of_memory, which has nobody to tell */
        return err_set(err, ENOMEM, "compiling the module takes more than the %llu MiB of memory that it may",
                       (unsigned long long)worker->memory_bytes >> 20);
    case 127: return err_set(err, ENOEXEC, "the compile worker could not be executed");
    default: return err_set(err, EIO, "the compile worker ended with status %d", status);
    }
}

static int wait_for(struct worker *worker, const struct compile_request *request, struct err *err)
{
    struct worker_message message;
    struct err said = {0};
    int status;

    while (fd_read_full(worker->report_fd, &message, sizeof message) == (ssize_t)sizeof message) {
        if (message.err.code > 0)
            said = message.err;
        else if (request->progress != NULL)
            request->progress(request->progress_context, message.done, message.total);
    }
    while (waitpid(worker->pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, "cannot wait for the compile worker");
    if (said.code > 0) {
        said.text[sizeof said.text - 1] = 0;
        return err_set(err, said.code, "%s", said.text);
    }
    return WIFSIGNALED(status) ? killed(worker, WTERMSIG(status), err) : exited(worker, WEXITSTATUS(status), err);
}

/* Descriptors above the places they are moved to, so that no move overwrites what a later one needs. */
static int place_descriptors(int module_fd, int out_fd, int fds[3], int *report_fd)
{
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -errno;
    *report_fd = pipes[0];
    fds[0] = fcntl(module_fd, F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    fds[1] = fcntl(out_fd, F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    fds[2] = fcntl(pipes[1], F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    close(pipes[1]);
    return fds[0] < 0 || fds[1] < 0 || fds[2] < 0 ? -EMFILE : 0;
}

int compile_artifact(const struct compile_request *request, int module_fd, int out_fd, struct err *err)
{
    struct engine_options options = engine_options_resolved(request->options);
    struct worker worker = {
        .report_fd = -1,
        .memory_bytes = request->memory_bytes != 0 ? request->memory_bytes : MEMORY_BYTES,
        .cpu_seconds = request->cpu_seconds != 0 ? request->cpu_seconds : CPU_SECONDS,
    };
    char path[PATH_MAX], key[2 * DIGEST_BYTES + 1], options_text[ENGINE_OPTIONS_TEXT_BYTES], limits[64];
    char *argv[] = {"compile", key, options_text, limits, NULL};
    int fds[3] = {-1, -1, -1}, status;

    if ((status = libexec_find(request->libexec, "compile", path, sizeof path, err)) != 0)
        return status;
    digest_text(request->key, key);
    engine_options_print(&options, options_text);
    snprintf(limits, sizeof limits, "%llu,%u", (unsigned long long)worker.memory_bytes, worker.cpu_seconds);
    worker_cgroup_open(request->background ? WORKER_BACKGROUND : request->slot, &worker.cgroup);
    worker.kills_before = worker_cgroup_kills(&worker.cgroup);
    status = place_descriptors(module_fd, out_fd, fds, &worker.report_fd);
    if (status != 0)
        err_set(err, -status, "cannot give the compile worker its descriptors: %s", strerror(-status));
    else
        status = start(&worker, path, argv, fds, err);
    for (int i = 0; i < 3; i++)
        fd_close(&fds[i]);
    if (status == 0)
        status = wait_for(&worker, request, err);
    fd_close(&worker.report_fd);
    worker_cgroup_close(&worker.cgroup);
    return status;
}
