/* See shim.h. */
#include "shim/shim.h"
#include "base/fd.h"
#include "shim/address.h"
#include "shim/log.h"
#include "shim/proc.h"
#include "shim/sandbox.h"
#include "shim/task.h"
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

enum { PATIENCE_MS = 2000 };

/* From a pod's last answer to the end of its shim: containerd's ttrpc client, when it finds an answer and the end of the
 * connection together, takes either, and then fails what has been done (StopSandbox: "ttrpc: closed"). Of
 * a task's Shutdown it minds neither. */
enum { ANSWER_READ_MS = 500 };

/* From a pod's end to that of its shim, unless containerd shuts it down, as it does when a client removes the pod: usually at
 * once, and a call that meets a shim which is just going is lost as well. */
enum { STAYING_MS = 3000 };

static void finish_if_quiet(struct shim *shim)
{
    if (shim->shutting_down && !shim->answered.set && publisher_is_empty(&shim->publisher) &&
        !server_is_sending(&shim->server))
        shim->loop.stopped = true;
}

static void publisher_drained(struct publisher *publisher)
{
    finish_if_quiet((struct shim *)((char *)publisher - offsetof(struct shim, publisher)));
}

static void server_flushed(struct server *server)
{
    finish_if_quiet((struct shim *)((char *)server - offsetof(struct shim, server)));
}

static void patience_expired(struct timer *timer)
{
    ((struct shim *)((char *)timer - offsetof(struct shim, patience)))->loop.stopped = true;
}

static void answer_read(struct timer *timer)
{
    finish_if_quiet((struct shim *)((char *)timer - offsetof(struct shim, answered)));
}

void shim_shut_down(struct shim *shim)
{
    shim->shutting_down = true;
    if (shim->sandbox != NULL)
        loop_timer_set(&shim->loop, &shim->answered, ANSWER_READ_MS);
    loop_timer_set(&shim->loop, &shim->patience, PATIENCE_MS);
    finish_if_quiet(shim);
}

void shim_shut_down_if_done(struct shim *shim)
{
    if (shim->shutdown_wanted && shim->containers == NULL && (shim->sandbox == NULL || shim->may_leave))
        shim_shut_down(shim);
}

static void stayed(struct timer *timer)
{
    struct shim *shim = (struct shim *)((char *)timer - offsetof(struct shim, staying));

    shim->may_leave = true;
    shim_shut_down_if_done(shim);
}

void shim_pod_ended(struct shim *shim)
{
    shim->shutdown_wanted = true;
    loop_timer_set(&shim->loop, &shim->staying, STAYING_MS);
    shim_shut_down_if_done(shim);
}

void shim_sweep(struct shim *shim)
{
    shim->sweep = true;
}

static bool is_watched(const struct shim *shim, pid_t pid)
{
    for (const struct child *c = shim->loop.children; c != NULL; c = c->next)
        if (c->pid == pid)
            return true;
    return false;
}

/* Field 38 of /proc/PID/stat. An init is cloned with exit signal 0, and until it exec's, which only `start` lets it do,
 * nothing else among our children has that: orphans get SIGCHLD when they are handed to us. */
static bool has_no_exit_signal(pid_t pid)
{
    char path[32], text[1024], *at;
    cleanup_fd int fd = -1;
    ssize_t len;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    len = fd >= 0 ? fd_read_full(fd, text, sizeof text - 1) : -1;
    if (len <= 0)
        return false;
    text[len] = 0;
    at = strrchr(text, ')'); /* the end of field 2 */
    for (int field = 2; at != NULL && field < 38; field++)
        at = strchr(at + 1, ' ');
    return at != NULL && strtol(at + 1, NULL, 10) == 0;
}

static void kill_unannounced(struct shim *shim)
{
    char path[48], text[16384], *at;
    cleanup_fd int fd = -1;
    ssize_t len;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    len = fd >= 0 ? fd_read_full(fd, text, sizeof text - 1) : -1;
    if (len < 0) {
        log_line(LOG_ERROR, NULL, "cannot list the shim's children: %s", strerror(errno));
        return;
    }
    text[len] = 0;
    for (at = text; *at != 0;) {
        pid_t pid = (pid_t)strtol(at, &at, 10);
        at += strspn(at, " \n");
        if (pid <= 0)
            break;
        if (!is_watched(shim, pid) && has_no_exit_signal(pid)) {
            log_line(LOG_WARNING, NULL, "process %d, left by a dead worker, is killed", (int)pid);
            kill(pid, SIGKILL);
        }
    }
}

/* No worker is under way, so every child that is not watched is nobody's. */
static void workers_ended(struct workers *workers)
{
    struct shim *shim = (struct shim *)((char *)workers - offsetof(struct shim, workers));

    if (workers->count != 0)
        return;
    if (shim->sweep) {
        shim->sweep = false;
        kill_unannounced(shim);
    }
    loop_reap_orphans(&shim->loop);
}

static void signal_ready(struct source *source, uint32_t events)
{
    struct shim *shim = (struct shim *)((char *)source - offsetof(struct shim, signal_source));
    struct signalfd_siginfo info;

    (void)events;
    while (read(source->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            workers_ended(&shim->workers);
        } else if (shim->containers == NULL && shim->sandbox == NULL) {
            shim_shut_down(shim);
        } else { /* containers must not lose their shim because a service manager stops a whole cgroup */
            log_line(LOG_INFO, NULL, "signal %u is ignored: there are containers", info.ssi_signo);
        }
    }
}

static int watch_signals(struct shim *shim)
{
    sigset_t set;
    int fd, error;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    shim->signal_source = (struct source){.ready = signal_ready, .fd = -1};
    error = loop_add(&shim->loop, &shim->signal_source, fd, EPOLLIN);
    if (error != 0)
        close(fd);
    return error;
}

int shim_serve(int listen_fd, const char *address, const char *namespace, const char *ttrpc_address,
               const char *grpc_address, const char *libexec, const char *program)
{
    static const struct service services[] = {
        {task_has_service, task_methods}, {sandbox_has_service, sandbox_methods}, {NULL, NULL}};
    static struct shim shim;
    int error = loop_init(&shim.loop);

    shim.namespace = namespace;
    shim.grpc_address = grpc_address;
    shim.program = program;
    shim.libexec = libexec != NULL && libexec[0] != 0 ? libexec : NULL;
    shim.workers = (struct workers){.loop = &shim.loop, .ended = workers_ended};
    shim.patience.expired = patience_expired;
    shim.answered.expired = answer_read;
    shim.staying.expired = stayed;
    publisher_init(&shim.publisher, &shim.loop, ttrpc_address, namespace);
    shim.publisher.drained = publisher_drained;
    shim.server = (struct server){.services = services, .context = &shim, .flushed = server_flushed};
    if (error == 0)
        error = watch_signals(&shim);
    if (error == 0)
        error = server_init(&shim.server, &shim.loop, listen_fd);
    if (error != 0) {
        log_line(LOG_ERROR, NULL, "the shim cannot serve: %s", strerror(-error));
        return 1;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    loop_run(&shim.loop);
    unlink(address_path(address));
    return 0;
}
