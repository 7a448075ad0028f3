/* See task_method.h. */
#include "shim/task_method.h"
#include "base/fd.h"
#include <stddef.h>
#include <sys/socket.h>

enum ttrpc_code task_code_of(int error)
{
    switch (error) {
    case EEXIST: return TTRPC_ALREADY_EXISTS;
    case EINVAL: return TTRPC_INVALID_ARGUMENT;
    case ENOMEM: return TTRPC_RESOURCE_EXHAUSTED;
    case EBUSY: return TTRPC_FAILED_PRECONDITION;
    case ESRCH: return TTRPC_NOT_FOUND;
    case ENOTSUP: return TTRPC_UNIMPLEMENTED;
    default: return TTRPC_UNKNOWN;
    }
}

void task_fail_memory(struct call *call)
{
    call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
}

/* The container, or NULL after CALL was answered. One that is still being created does not exist for anybody else. */
struct container *task_need_container(struct shim *shim, struct call *call, const char *id)
{
    struct container *c = container_find(shim, id);

    if (c != NULL && c->init.state != PROCESS_CREATING)
        return c;
    call_fail(call, TTRPC_NOT_FOUND, "container %s is not known to this shim", id);
    return NULL;
}

struct process *task_need_process(struct shim *shim, struct call *call, const char *id, const char *exec_id)
{
    struct container *c = task_need_container(shim, call, id);
    struct process *p = c != NULL ? process_find(c, exec_id) : NULL;

    if (c != NULL && p == NULL)
        call_fail(call, TTRPC_NOT_FOUND, "container %s has no process %s", id, exec_id);
    return p;
}

/* True when nothing else is under way for P; else CALL is answered. */
bool task_need_idle(struct call *call, const char *id, const char *busy)
{
    if (busy == NULL)
        return true;
    call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: %s is still under way", id, busy);
    return false;
}

struct process *task_process_of(struct worker *worker)
{
    return (struct process *)((char *)worker - offsetof(struct process, worker));
}

struct runtime_job task_job_of(const struct container *c)
{
    return (struct runtime_job){.root = c->root,
                                .id = c->id,
                                .bundle = c->bundle,
                                .libexec = c->shim->libexec,
                                .options = &c->options,
                                .namespace = c->shim->namespace,
                                .address = c->shim->grpc_address};
}

void task_reply_pid(struct call *call, pid_t pid)
{
    Task__PidResponse response = TASK__PID_RESPONSE__INIT;

    response.pid = (uint32_t)pid;
    call_reply(call, &response.base);
}

/* Starts the worker of P with its streams open, and a socket for the terminal's master. */
int task_start_with_stdio(struct process *p, worker_run *run, const struct runtime_job *job, struct err *e)
{
    struct shim *shim = p->container->shim;
    int console[2] = {-1, -1};
    struct stdio_fds fds;
    int error = stdio_open(&p->stdio, p->id[0] != 0 ? p->id : p->container->id, shim->namespace, &fds, e);
    struct worker_fds kept = {{-1, -1, -1}, -1, fds.logger};

    if (error != 0)
        return error;
    if (p->stdio.terminal && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) != 0)
        error = err_sys(e, "cannot make a socket for the terminal");
    if (error == 0) {
        kept.console = console[1];
        for (int i = 0; !p->stdio.terminal && i < STDIO_COUNT; i++)
            kept.stdio[i] = fds.stream[i];
        error = worker_start(&shim->workers, &p->worker, &kept, run, job);
        if (error != 0)
            err_set(e, -error, "cannot start a worker: %s", strerror(-error));
    }
    fd_close(&console[1]);
    if (p->stdio.terminal && error == 0) {
        p->console_fd = fd_take(&console[0]);
        p->copy_in = fd_take(&fds.stream[STDIN]);
        p->copy_out = fd_take(&fds.stream[STDOUT]);
    }
    fd_close(&console[0]);
    stdio_fds_close(&fds);
    return error;
}
