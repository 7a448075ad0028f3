/* See hooks.h. */
#include "oci/hooks.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { OUTPUT_SHOWN_MAX = 600, POLL_MS = 10 };

/* Between fork and exec. The exit code 127 is what a shell gives for a command that cannot be run. */
_Noreturn static void exec_hook(const struct config_hook *hook, int directory, int input, int output)
{
    char *only_path[] = {(char *)hook->path, NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if ((directory >= 0 && fchdir(directory) < 0) || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(126);
    if (sys.close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS &&
        errno != EINVAL) /* every fd is CLOEXEC */
        _exit(126);
    execve(hook->path, hook->args.count != 0 ? hook->args.data : only_path,
           hook->env.data != NULL ? hook->env.data : environ);
    dprintf(2, "%s: %s", hook->path, strerror(errno));
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until PID has ended or DEADLINE_MS (-1: none) has come. Returns false in the latter case. */
static bool wait_until(pid_t pid, int64_t deadline_ms, int *status)
{
    cleanup_fd int pidfd = deadline_ms >= 0 ? (int)sys.pidfd_open(pid, 0) : -1; /* 5.3; before it, look every 10 ms */

    for (;;) {
        int64_t left = deadline_ms >= 0 ? deadline_ms - now_ms() : -1;
        pid_t ended = waitpid(pid, status, deadline_ms >= 0 ? WNOHANG : 0);
        if (ended == pid || (ended < 0 && errno != EINTR))
            return ended == pid;
        if (deadline_ms < 0)
            continue;
        if (left <= 0)
            return false;
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        poll(&p, pidfd >= 0, pidfd >= 0 && left < 1000 ? (int)left : pidfd >= 0 ? 1000 : POLL_MS);
    }
}

/* Puts what the hook printed last behind the message. */
static void add_output(int output, struct err *e)
{
    char text[OUTPUT_SHOWN_MAX + 1];
    off_t end = lseek(output, 0, SEEK_END), start = end > OUTPUT_SHOWN_MAX ? end - OUTPUT_SHOWN_MAX : 0;
    ssize_t n = pread(output, text, OUTPUT_SHOWN_MAX, start);
    size_t used;

    if (e == NULL || n <= 0)
        return;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = 0;
    used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, ": %s", text);
}

static int report(const struct config_hook *hook, int status, int output, struct err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        err_set(e, ECHILD, "the hook '%s' failed: exit status %d", hook->path, WEXITSTATUS(status));
    else
        err_set(e, ECHILD, "the hook '%s' was ended by signal %d: %s", hook->path, WTERMSIG(status),
                WTERMSIG(status) == SIGSYS ? "bad system call, which seccomp forbids" : strsignal(WTERMSIG(status)));
    add_output(output, e);
    return -ECHILD;
}

int hook_run(const struct config_hook *hook, int directory, const char *state, size_t len, struct err *e)
{
    cleanup_fd int input = memfd_create("state", MFD_CLOEXEC), output = memfd_create("output", MFD_CLOEXEC);
    int64_t deadline_ms = hook->timeout_s.set ? now_ms() + hook->timeout_s.value * 1000 : -1;
    int status = 0;
    pid_t pid;

    if (input < 0 || output < 0 || fd_write_all(input, state, len) < 0 || lseek(input, 0, SEEK_SET) < 0)
        return err_sys(e, "cannot prepare the input of the hook '%s'", hook->path);
    pid = fork();
    if (pid == 0)
        exec_hook(hook, directory, input, output);
    if (pid < 0)
        return err_sys(e, "cannot start the hook '%s'", hook->path);
    if (!wait_until(pid, deadline_ms, &status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return err_set(e, ETIMEDOUT, "the hook '%s' did not end within %lld seconds and was killed", hook->path,
                       (long long)hook->timeout_s.value);
    }
    return report(hook, status, output, e);
}
