/* Starting the compile worker (main_compile.c) and hearing what it has to say. */
#include "wherry/worker.h"
#include "base/fd.h"
#include "engine/worker_protocol.h"
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

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

/* The worker's descriptors in their places, its standard ones on /dev/null, everything else closed, no signal
 * blocked. */
static int spawn(const char *path, char **argv, const int fds[3], pid_t *pid)
{
    static char *const no_environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int status;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, fds[i], WORKER_MODULE_FD + i);
    posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_REPORT_FD + 1);
    status = posix_spawn(pid, path, &actions, &attributes, argv, no_environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return status;
}

static int worker_result(pid_t pid, int report_fd, struct err *err)
{
    struct err said = {0};
    ssize_t n = fd_read_full(report_fd, &said, sizeof said);
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, "cannot wait for the compile worker");
    if (n == (ssize_t)sizeof said && said.code > 0) {
        said.text[sizeof said.text - 1] = 0;
        return err_set(err, said.code, "%s", said.text);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU))
        return err_set(
            err, EIO, "the compile worker was killed: the module needs more memory or time to compile than is allowed");
    if (WIFSIGNALED(status))
        return err_set(err, EIO, "the compile worker died of signal %d; this is a bug in the compiler",
                       WTERMSIG(status));
    return err_set(err, EIO, "the compile worker ended with status %d", WEXITSTATUS(status));
}

int compile_artifact(int module_fd, const uint8_t key[32], const struct engine_options *options, int out_fd,
                     const char *libexec, struct err *err)
{
    struct engine_options o = engine_options_resolved(options);
    char path[PATH_MAX], key_text[2 * 32 + 1], options_text[64];
    char *argv[] = {"compile", key_text, options_text, NULL};
    int pipes[2], fds[3], status;
    pid_t pid;

    if ((status = libexec_find(libexec, "compile", path, sizeof path, err)) != 0)
        return status;
    for (int i = 0; i < 32; i++)
        snprintf(key_text + 2 * i, 3, "%02x", key[i]);
    snprintf(options_text, sizeof options_text, "%d,%u,%d", (int)o.compiler, o.features, o.explicit_bounds_checks);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "cannot make a pipe");
    /* above the places they are moved to, so that no move overwrites what a later one needs */
    fds[0] = fcntl(module_fd, F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    fds[1] = fcntl(out_fd, F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    fds[2] = fcntl(pipes[1], F_DUPFD_CLOEXEC, WORKER_REPORT_FD + 1);
    close(pipes[1]);
    status = fds[0] < 0 || fds[1] < 0 || fds[2] < 0 ? EMFILE : spawn(path, argv, fds, &pid);
    for (int i = 0; i < 3; i++)
        fd_close(&fds[i]);
    if (status != 0)
        status = err_set(err, status, "cannot start the compile worker %s: %s", path, strerror(status));
    else
        status = worker_result(pid, pipes[0], err);
    close(pipes[0]);
    return status;
}
