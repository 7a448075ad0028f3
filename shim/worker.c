/* See worker.h. The child is made with clone3 and exit signal 0, so that SIGCHLD means orphans only, and with a pidfd from
 * the first moment. The shim has one thread, so the copy may allocate. */
#include "shim/worker.h"
#include "base/fd.h"
#include "shim/log.h"
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

_Static_assert(sizeof(struct worker_report) <= PIPE_BUF, "a report is one atomic write");

enum { REPORT_FD = 3, CONSOLE_FD = 4, LOGGER_FD = 5, KEPT_FDS };

/* Puts FD at NUMBER; both may be the same, and FD is kept. */
static int fd_place(int fd, int number)
{
    if (fd == number)
        return fcntl(fd, F_SETFD, 0);
    return dup2(fd, number) < 0 ? -1 : 0;
}

/* Arranges 0..5 and closes all others: the listening socket, connections and fifos of the shim must not live on in a
 * container's init that waits for its start. First everything is moved out of the way of the final numbers. */
static int descriptors_arrange(const struct worker_fds *fds, int report_fd)
{
    int from[KEPT_FDS], null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        from[i] = fds->stdio[i] >= 0 ? fds->stdio[i] : null;
    from[REPORT_FD] = report_fd;
    from[CONSOLE_FD] = fds->console >= 0 ? fds->console : null;
    from[LOGGER_FD] = fds->logger >= 0 ? fds->logger : null;
    for (int i = 0; i < KEPT_FDS; i++) {
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
        if (from[i] < 0)
            return -1;
    }
    for (int i = 0; i < KEPT_FDS; i++)
        if (fd_place(from[i], i) != 0)
            return -1;
    for (int i = REPORT_FD; i < KEPT_FDS; i++)
        fcntl(i, F_SETFD, FD_CLOEXEC);
    return (int)syscall(SYS_close_range, KEPT_FDS, ~0u, 0);
}

static bool go_home(const int *namespaces)
{
    for (int i = 0; namespaces != NULL && i < WORKER_NAMESPACES; i++)
        if (setns(namespaces[i], 0) != 0)
            return false;
    return true;
}

_Noreturn static void worker_main(const int *home, const struct worker_fds *fds, int report_fd, worker_run *run,
                                  const void *argument)
{
    const struct worker_fds kept = {{0, 1, 2}, fds->console >= 0 ? CONSOLE_FD : -1, fds->logger >= 0 ? LOGGER_FD : -1};
    struct worker_report report = {0};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL); /* an ignored signal would stay ignored across the container's exec */
    /* where this fails, the report's descriptor is not in its place */
    if (!go_home(home) || descriptors_arrange(fds, report_fd) != 0) {
        report.code = errno;
        snprintf(report.text, sizeof report.text, "cannot arrange the worker's namespaces and descriptors: %s",
                 strerror(errno));
        _exit(fd_write_all(report_fd, &report, sizeof report) != 0);
    }
    run(argument, &kept, &report);
    _exit(fd_write_all(REPORT_FD, &report, sizeof report) != 0);
}

static void worker_finish(struct worker *worker)
{
    struct worker_report *report = &worker->report;
    struct workers *workers = worker->workers;
    int fd = worker->source.fd;

    if (!worker->ended || !worker->reported)
        return;
    loop_remove(workers->loop, &worker->source);
    close(fd);
    if (worker->got != sizeof *report) {
        *report = (struct worker_report){.code = ECHILD};
        snprintf(report->text, sizeof report->text, "the worker process died before it could report");
    }
    workers->count--;
    worker->done(worker, report); /* may free it */
    if (workers->ended != NULL)
        workers->ended(workers);
}

static void worker_readable(struct source *source, uint32_t events)
{
    struct worker *worker = (struct worker *)((char *)source - offsetof(struct worker, source));
    ssize_t n = read(source->fd, (char *)&worker->report + worker->got, sizeof worker->report - worker->got);

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        worker->got += (size_t)n;
    if (n <= 0 || worker->got == sizeof worker->report) {
        worker->reported = true;
        loop_change(worker->workers->loop, source, 0);
        worker_finish(worker);
    }
}

static void worker_exited(struct child *child, unsigned exit_status)
{
    struct worker *worker = (struct worker *)((char *)child - offsetof(struct worker, child));

    (void)exit_status;
    worker->ended = true;
    /* What it wrote is in the pipe by now. Its end of file may not come: a process that the worker left may hold it. */
    if (!worker->reported)
        worker_readable(&worker->source, EPOLLIN);
    worker->reported = true;
    worker_finish(worker);
}

int worker_start(struct workers *workers, struct worker *worker, const struct worker_fds *fds, worker_run *run,
                 const void *argument)
{
    int pipe_fds[2], pidfd = -1, error;
    struct clone_args clone = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -errno;
    pid = (pid_t)syscall(SYS_clone3, &clone, sizeof clone);
    if (pid == 0)
        worker_main(workers->home, fds, pipe_fds[1], run, argument);
    error = errno;
    close(pipe_fds[1]);
    if (pid < 0) {
        close(pipe_fds[0]);
        return -error;
    }
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    worker->workers = workers;
    worker->got = 0;
    worker->reported = worker->ended = false;
    worker->source = (struct source){.ready = worker_readable, .fd = -1};
    worker->child = (struct child){.exited = worker_exited};
    error = loop_add(workers->loop, &worker->source, pipe_fds[0], EPOLLIN);
    if (error == 0)
        error = loop_child_watch(workers->loop, &worker->child, pid, pidfd);
    if (error != 0) { /* no memory in the kernel for one more watched descriptor: the worker is of no use */
        log_line(LOG_ERROR, NULL, "cannot watch a worker: %s", strerror(-error));
        kill(pid, SIGKILL);
        loop_remove(workers->loop, &worker->source);
        close(pipe_fds[0]);
        return error;
    }
    workers->count++;
    return 0;
}
