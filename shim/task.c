/* See task.h. A method that needs the runtime starts a worker and answers when that has reported; all others answer at
 * once. Error codes are those that containerd's callers know: NotFound for what is dead or unknown, FailedPrecondition
 * for the wrong state, AlreadyExists. Create never says Unimplemented: to containerd 2.x that means "speak version 2". */
#include "shim/task.h"
#include "base/fd.h"
#include "shim/event.pb-c.h"
#include "shim/log.h"
#include "shim/proc.h"
#include "shim/runtime.h"
#include "shim/sandbox.h"
#include "shim/shim.h"
#include "shim/stats.h"
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>

static enum ttrpc_code code_of(int error)
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

/* Create's: see above. */
static enum ttrpc_code create_code_of(int error)
{
    return error == ENOTSUP ? TTRPC_UNKNOWN : code_of(error);
}

static void fail_memory(struct call *call)
{
    call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
}

/* The container, or NULL after CALL was answered. One that is still being created does not exist for anybody else. */
static struct container *need_container(struct shim *shim, struct call *call, const char *id)
{
    struct container *c = container_find(shim, id);

    if (c != NULL && c->init.state != PROCESS_CREATING)
        return c;
    call_fail(call, TTRPC_NOT_FOUND, "container %s is not known to this shim", id);
    return NULL;
}

static struct process *need_process(struct shim *shim, struct call *call, const char *id, const char *exec_id)
{
    struct container *c = need_container(shim, call, id);
    struct process *p = c != NULL ? process_find(c, exec_id) : NULL;

    if (c != NULL && p == NULL)
        call_fail(call, TTRPC_NOT_FOUND, "container %s has no process %s", id, exec_id);
    return p;
}

/* True when nothing else is under way for P; else CALL is answered. */
static bool need_idle(struct call *call, const char *id, const char *busy)
{
    if (busy == NULL)
        return true;
    call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: %s is still under way", id, busy);
    return false;
}

static struct process *process_of_worker(struct worker *worker)
{
    return (struct process *)((char *)worker - offsetof(struct process, worker));
}

static struct runtime_job job_of(const struct container *c)
{
    return (struct runtime_job){.root = c->root,
                                .id = c->id,
                                .bundle = c->bundle,
                                .libexec = c->shim->libexec,
                                .options = &c->options,
                                .namespace = c->shim->namespace,
                                .address = c->shim->grpc_address};
}

/* --- Create --------------------------------------------------------------------------------------------------------- */

static void publish_create(struct container *c)
{
    Event__TaskCreate event = EVENT__TASK_CREATE__INIT;
    Event__TaskIO io = EVENT__TASK_IO__INIT;

    io.stdin = c->init.stdio.uri[STDIN];
    io.stdout = c->init.stdio.uri[STDOUT];
    io.stderr = c->init.stdio.uri[STDERR];
    io.terminal = c->init.stdio.terminal;
    event.container_id = c->id;
    event.bundle = c->bundle;
    event.io = &io;
    event.pid = (uint32_t)c->init.pid;
    publisher_put(&c->shim->publisher, "/tasks/create", "TaskCreate", &event.base);
}

static void reply_pid(struct call *call, pid_t pid)
{
    Task__PidResponse response = TASK__PID_RESPONSE__INIT;

    response.pid = (uint32_t)pid;
    call_reply(call, &response.base);
}

static void abandoned_free(struct container *c)
{
    call_fail(c->init.pending, (enum ttrpc_code)c->worker.report.code, "%s", c->worker.report.text);
    c->init.pending = NULL;
    container_free(c);
}

static void cleanup_done(struct worker *worker, const struct worker_report *report)
{
    struct container *c = process_of_worker(worker)->container;

    if (report->code != 0)
        log_line(LOG_ERROR, c->id, "cannot remove what a failed create left: %s", report->text);
    abandoned_free(c);
}

/* A worker that failed has cleaned up; one that died, or whose init we cannot watch, has not: the answer then waits until
 * nothing is left and the id is free. Why it failed is kept in the report of the container's own worker, which never ran. */
static void create_abandon(struct container *c, enum ttrpc_code code, const char *why, bool clean)
{
    struct runtime_job job = job_of(c);
    struct shim *shim = c->shim;

    c->worker.report.code = (int)code;
    snprintf(c->worker.report.text, sizeof c->worker.report.text, "%s", why);
    process_close_stdio(&c->init);
    c->abandoned = true;
    c->init.worker.done = cleanup_done;
    if (!clean && worker_start(&shim->workers, &c->init.worker, WORKER_NO_FDS, runtime_delete, &job) == 0)
        return;
    abandoned_free(c);
}

static void create_done(struct worker *worker, const struct worker_report *report)
{
    struct process *init = process_of_worker(worker);
    struct container *c = init->container;
    struct shim *shim = c->shim;
    struct call *call = init->pending;
    int error;

    init->busy = NULL;
    if (report->code != 0) {
        log_line(LOG_ERROR, c->id, "create failed: %s", report->text);
        if (report->code == ECHILD)
            shim_sweep(shim);
        create_abandon(c, create_code_of(report->code), report->text, report->code != ECHILD);
        return;
    }
    if (report->text[0] != 0)
        log_line(LOG_WARNING, c->id, "%s", report->text);
    c->cgroup = strndup(report->data, report->len);
    c->own_pid_namespace = (report->flags & RUNTIME_OWN_PID_NAMESPACE) != 0;
    error = process_watch(init, report->pid);
    if (error == 0)
        error = process_open_terminal(init);
    if (c->cgroup == NULL || error != 0) {
        kill(report->pid, SIGKILL);
        create_abandon(c, TTRPC_UNKNOWN, c->cgroup == NULL ? "the shim is out of memory" : strerror(-error), false);
        return;
    }
    error = oom_watch_start(&c->oom, &shim->loop, c->cgroup);
    if (error != 0)
        log_line(LOG_WARNING, c->id, "OOM kills cannot be watched: %s", strerror(-error));
    init->state = PROCESS_CREATED;
    init->pending = NULL;
    publish_create(c);
    reply_pid(call, init->pid);
    container_settle(c);
}

/* Starts the worker of P with its streams open, and a socket for the terminal's master. */
static int start_with_stdio(struct process *p, worker_run *run, const struct runtime_job *job, struct err *e)
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

static void handle_create(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__CreateRequest *request = (const Task__CreateRequest *)message;
    struct shim *shim = context;
    struct container *c = container_find(shim, request->id);
    struct runtime_job job;
    char root[PATH_MAX];
    struct err e = {0};
    int error;

    if (shim->shutdown_wanted) {
        call_fail(call, TTRPC_UNAVAILABLE, "this shim is shutting down");
        return;
    }
    if (c != NULL) {
        call_fail(call, TTRPC_ALREADY_EXISTS, "container %s exists already", request->id);
        return;
    }
    if (request->checkpoint[0] != 0) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: restoring a checkpoint is not possible yet",
                  request->id);
        return;
    }
    c = container_new(shim, request);
    if (c == NULL) {
        fail_memory(call);
        return;
    }
    error = shim_options_read(request->options, &c->options, &e);
    if (error == 0) {
        runtime_root(&c->options, shim->namespace, root, sizeof root);
        c->root = strdup(root);
        error = c->root != NULL ? 0 : err_set(&e, ENOMEM, "the shim is out of memory");
    }
    if (error == 0) {
        job = job_of(c);
        job.create = request;
        job.pod = sandbox_bundle(shim->sandbox);
        job.stdout_uri = request->stdout;
        c->init.worker.done = create_done;
        error = start_with_stdio(&c->init, runtime_create, &job, &e);
    }
    if (error != 0) {
        call_fail(call, create_code_of(-error), "%s", e.text);
        container_free(c);
        return;
    }
    c->init.pending = call;
    c->init.busy = "create";
}

/* --- Start ---------------------------------------------------------------------------------------------------------- */

static void start_done(struct worker *worker, const struct worker_report *report)
{
    struct process *init = process_of_worker(worker);
    struct container *c = init->container;
    Event__TaskStart event = EVENT__TASK_START__INIT;
    struct call *call = init->pending;

    init->busy = NULL;
    init->pending = NULL;
    if (report->code == 0) {
        if (init->state == PROCESS_CREATED)
            init->state = PROCESS_RUNNING;
        event.container_id = c->id;
        event.pid = (uint32_t)init->pid;
        publisher_put(&c->shim->publisher, "/tasks/start", "TaskStart", &event.base);
        oom_watch_check(&c->oom, false);
        reply_pid(call, init->pid);
    } else {
        log_line(LOG_ERROR, c->id, "start failed: %s", report->text);
        call_fail(call, code_of(report->code), "%s", report->text);
    }
    container_settle(c);
}

static void start_exec(struct process *p, struct call *call);

static void handle_start(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);
    struct runtime_job job;
    int error;

    if (p == NULL || !need_idle(call, request->id, p->busy))
        return;
    if (p->state != PROCESS_CREATED || p->exited || p->failed) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: a process that %s cannot be started", request->id,
                  p->state == PROCESS_RUNNING ? "runs" : "has ended");
        return;
    }
    if (p != &p->container->init) {
        start_exec(p, call);
        return;
    }
    job = job_of(p->container);
    p->worker.done = start_done;
    error = worker_start(&p->container->shim->workers, &p->worker, WORKER_NO_FDS, runtime_start, &job);
    if (error != 0) {
        call_fail(call, code_of(-error), "cannot start a worker: %s", strerror(-error));
        return;
    }
    p->busy = "start";
    p->pending = call;
}

/* --- Delete --------------------------------------------------------------------------------------------------------- */

static void reply_delete(struct call *call, const struct process *p)
{
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;

    when.seconds = p->exited_at.tv_sec;
    when.nanos = (int32_t)p->exited_at.tv_nsec;
    response.pid = (uint32_t)p->pid;
    response.exit_status = p->exit_status;
    response.exited_at = &when;
    call_reply(call, &response.base);
}

static void delete_done(struct worker *worker, const struct worker_report *report)
{
    struct process *init = process_of_worker(worker);
    struct container *c = init->container;
    struct shim *shim = c->shim;
    struct call *call = init->pending;
    Event__TaskDelete event = EVENT__TASK_DELETE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;

    init->busy = NULL;
    init->pending = NULL;
    if (report->code != 0) {
        log_line(LOG_ERROR, c->id, "delete failed: %s", report->text);
        call_fail(call, code_of(report->code), "%s", report->text);
        return;
    }
    when.seconds = init->exited_at.tv_sec;
    when.nanos = (int32_t)init->exited_at.tv_nsec;
    event.container_id = c->id;
    event.pid = (uint32_t)init->pid;
    event.exit_status = init->exit_status;
    event.exited_at = &when;
    publisher_put(&shim->publisher, "/tasks/delete", "TaskDelete", &event.base);
    reply_delete(call, init);
    container_free(c);
}

static void delete_stopped(struct container *c)
{
    struct runtime_job job = job_of(c);
    struct call *call = c->deleting;
    int error;

    c->deleting = NULL;
    c->init.worker.done = delete_done;
    error = worker_start(&c->shim->workers, &c->init.worker, WORKER_NO_FDS, runtime_delete, &job);
    if (error != 0) {
        call_fail(call, code_of(-error), "cannot start a worker: %s", strerror(-error));
        return;
    }
    c->init.busy = "delete";
    c->init.pending = call;
}

static void handle_delete(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);

    if (p == NULL || !need_idle(call, request->id, p->busy) || !need_idle(call, request->id, p->container->busy))
        return;
    if (p->state == PROCESS_RUNNING) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: a process that runs cannot be deleted", request->id);
        return;
    }
    if (p != &p->container->init) {
        reply_delete(call, p);
        process_free_exec(p);
        return;
    }
    if (!need_idle(call, request->id, p->container->deleting != NULL ? "delete" : NULL))
        return;
    p->container->deleting = call;
    if (p->state == PROCESS_STOPPED) {
        delete_stopped(p->container);
    } else { /* created: its end is announced before it is deleted */
        p->container->stopped = delete_stopped;
        loop_child_signal(&p->child, SIGKILL);
    }
}

/* --- State, Wait, Kill, Exec ---------------------------------------------------------------------------------------- */

static void handle_state(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);
    Task__StateResponse response = TASK__STATE_RESPONSE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;

    if (p == NULL)
        return;
    response.id = p->container->id;
    response.bundle = p->container->bundle;
    response.pid = (uint32_t)p->pid;
    response.status = process_status(p);
    response.stdin = p->stdio.uri[STDIN];
    response.stdout = p->stdio.uri[STDOUT];
    response.stderr = p->stdio.uri[STDERR];
    response.terminal = p->stdio.terminal;
    response.exit_status = p->exit_status;
    when.seconds = p->exited_at.tv_sec;
    when.nanos = (int32_t)p->exited_at.tv_nsec;
    if (p->state == PROCESS_STOPPED)
        response.exited_at = &when;
    response.exec_id = p->id;
    call_reply(call, &response.base);
}

static void handle_wait(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);
    Task__WaitResponse response = TASK__WAIT_RESPONSE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;

    if (p == NULL)
        return;
    if (p->state != PROCESS_STOPPED) {
        call->next = p->waiters;
        p->waiters = call;
        return;
    }
    response.exit_status = p->exit_status;
    when.seconds = p->exited_at.tv_sec;
    when.nanos = (int32_t)p->exited_at.tv_nsec;
    response.exited_at = &when;
    call_reply(call, &response.base);
}

static struct container *container_of_worker(struct worker *worker)
{
    return (struct container *)((char *)worker - offsetof(struct container, worker));
}

/* The end of a worker whose report is the whole answer. */
static void simple_done(struct worker *worker, const struct worker_report *report)
{
    struct container *c = container_of_worker(worker);
    struct call *call = c->pending;

    c->busy = NULL;
    c->pending = NULL;
    if (report->code == 0)
        call_reply(call, NULL);
    else
        call_fail(call, code_of(report->code), "%s", report->text);
    container_settle(c);
}

/* Runs RUN for C with JOB; its report is the answer, given by DONE. */
static void run_simple(struct container *c, struct call *call, const char *what, struct runtime_job *job,
                       worker_run *run, void (*done)(struct worker *, const struct worker_report *))
{
    int error;

    if (!need_idle(call, c->id, c->busy))
        return;
    c->worker.done = done;
    error = worker_start(&c->shim->workers, &c->worker, WORKER_NO_FDS, run, job);
    if (error != 0) {
        call_fail(call, code_of(-error), "cannot start a worker: %s", strerror(-error));
        return;
    }
    c->busy = what;
    c->pending = call;
}

static void publish_notice(struct container *c, const char *topic, const char *name)
{
    Event__TaskNotice notice = EVENT__TASK_NOTICE__INIT;

    notice.container_id = c->id;
    publisher_put(&c->shim->publisher, topic, name, &notice.base);
}

static void pause_done(struct worker *worker, const struct worker_report *report)
{
    struct container *c = container_of_worker(worker);

    if (report->code == 0) {
        c->paused = true;
        publish_notice(c, "/tasks/paused", "TaskPaused");
    }
    simple_done(worker, report);
}

static void resume_done(struct worker *worker, const struct worker_report *report)
{
    struct container *c = container_of_worker(worker);

    if (report->code == 0) {
        c->paused = false;
        publish_notice(c, "/tasks/resumed", "TaskResumed");
    }
    simple_done(worker, report);
}

static void handle_kill(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__KillRequest *request = (const Task__KillRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);
    int error;

    if (p == NULL)
        return;
    if (request->signal >= (unsigned)NSIG) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "%u is not a signal", request->signal);
        return;
    }
    if (request->all && p == &p->container->init) {
        struct runtime_job job = job_of(p->container);
        job.signal = (int)request->signal;
        run_simple(p->container, call, "kill", &job, runtime_kill_all, simple_done);
        return;
    }
    error = loop_child_signal(&p->child, (int)request->signal);
    if (error == 0 && request->signal == SIGKILL && p->container->paused) {
        struct runtime_job job = job_of(p->container); /* on v1 what is frozen dies only once it is thawed */
        run_simple(p->container, call, "resume", &job, runtime_resume, resume_done);
    } else if (error == 0)
        call_reply(call, NULL);
    else if (error == -ESRCH)
        call_fail(call, TTRPC_NOT_FOUND, "container %s: the process %s", request->id,
                  p->state == PROCESS_CREATED && !p->exited ? "has not been started" : "has already finished");
    else
        call_fail(call, TTRPC_UNKNOWN, "container %s: signal %u: %s", request->id, request->signal, strerror(-error));
}

/* --- Exec ------------------------------------------------------------------------------------------------------------ */

/* Only notes the process; Start makes it. */
static void handle_exec(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ExecRequest *request = (const Task__ExecRequest *)message;
    struct container *c = need_container(context, call, request->id);
    Event__TaskExecAdded event = EVENT__TASK_EXEC_ADDED__INIT;

    if (c == NULL)
        return;
    if (request->exec_id[0] == 0 || request->spec == NULL) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "container %s: exec needs an id and a process", c->id);
    } else if (process_find(c, request->exec_id) != NULL) {
        call_fail(call, TTRPC_ALREADY_EXISTS, "container %s has a process %s already", c->id, request->exec_id);
    } else if (c->init.exited || c->paused) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: nothing can be executed in a container that %s",
                  c->id, c->paused ? "is paused" : "has ended");
    } else if (process_new_exec(c, request) == NULL) {
        fail_memory(call);
    } else {
        event.container_id = c->id;
        event.exec_id = request->exec_id;
        publisher_put(&c->shim->publisher, "/tasks/exec-added", "TaskExecAdded", &event.base);
        call_reply(call, NULL);
    }
}

static void exec_done(struct worker *worker, const struct worker_report *report)
{
    struct process *p = process_of_worker(worker);
    struct container *c = p->container;
    Event__TaskExecStarted event = EVENT__TASK_EXEC_STARTED__INIT;
    struct call *call = p->pending;
    int error = 0;

    p->busy = NULL;
    p->pending = NULL;
    if (report->code == 0) {
        error = process_watch(p, report->pid);
        if (error == 0)
            error = process_open_terminal(p);
    } else if (report->code == ECHILD) {
        shim_sweep(c->shim);
    }
    if (report->code != 0 || error != 0) {
        log_line(LOG_ERROR, c->id, "exec %s failed: %s", p->id, error != 0 ? strerror(-error) : report->text);
        if (error != 0)
            kill(report->pid, SIGKILL);
        call_fail(call, error != 0 ? TTRPC_UNKNOWN : code_of(report->code), "%s",
                  error != 0 ? strerror(-error) : report->text);
        process_close_stdio(p);
        p->failed = p->child.pid == 0;
        container_settle(c);
        return;
    }
    p->state = PROCESS_RUNNING;
    event.container_id = c->id;
    event.exec_id = p->id;
    event.pid = (uint32_t)p->pid;
    publisher_put(&c->shim->publisher, "/tasks/exec-started", "TaskExecStarted", &event.base);
    reply_pid(call, p->pid);
    container_settle(c);
}

static void start_exec(struct process *p, struct call *call)
{
    struct runtime_job job = job_of(p->container);
    struct err e = {0};
    int error;

    if (p->container->init.exited) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s has ended", p->container->id);
        return;
    }
    job.body = &p->spec;
    job.stdout_uri = p->stdio.uri[STDOUT];
    p->worker.done = exec_done;
    error = start_with_stdio(p, runtime_exec, &job, &e);
    if (error != 0) {
        call_fail(call, code_of(-error), "%s", e.text);
        return;
    }
    p->busy = "start";
    p->pending = call;
}

/* --- streams --------------------------------------------------------------------------------------------------------- */

static void handle_resize(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ResizePtyRequest *request = (const Task__ResizePtyRequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);
    int error;

    if (p == NULL)
        return;
    error = p->terminal != NULL ? terminal_resize(p->terminal, request->width, request->height) : 0;
    if (error == 0)
        call_reply(call, NULL);
    else
        call_fail(call, TTRPC_UNKNOWN, "container %s: the terminal cannot be resized: %s", request->id,
                  strerror(-error));
}

static void handle_close_io(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__CloseIORequest *request = (const Task__CloseIORequest *)message;
    struct process *p = need_process(context, call, request->id, request->exec_id);

    if (p == NULL)
        return;
    if (request->stdin)
        stdio_close_input(&p->stdio);
    call_reply(call, NULL);
}

/* --- Pids, Stats, Connect ------------------------------------------------------------------------------------------- */

static void handle_pids(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ContainerRequest *request = (const Task__ContainerRequest *)message;
    struct container *c = need_container(context, call, request->id);

    if (c != NULL)
        stats_reply_pids(call, c);
}

static void handle_stats(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ContainerRequest *request = (const Task__ContainerRequest *)message;
    struct container *c = need_container(context, call, request->id);

    if (c != NULL)
        stats_reply(call, c);
}

static void handle_connect(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ContainerRequest *request = (const Task__ContainerRequest *)message;
    struct container *c = container_find(context, request->id);
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;

    response.shim_pid = (uint32_t)getpid();
    response.task_pid = c != NULL ? (uint32_t)c->init.pid : 0; /* an unknown id is no error: a pod's other containers */
    call_reply(call, &response.base);
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

static void handle_pause(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct container *c = need_container(context, call, ((const Task__ContainerRequest *)message)->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (process_status(&c->init) != TASK__STATE__RUNNING) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s cannot be paused: it does not run", c->id);
        return;
    }
    job = job_of(c);
    run_simple(c, call, "pause", &job, runtime_pause, pause_done);
}

static void handle_resume(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct container *c = need_container(context, call, ((const Task__ContainerRequest *)message)->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (!c->paused) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s cannot be resumed: it is not paused", c->id);
        return;
    }
    job = job_of(c);
    run_simple(c, call, "resume", &job, runtime_resume, resume_done);
}

static void handle_update(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__UpdateRequest *request = (const Task__UpdateRequest *)message;
    struct container *c = need_container(context, call, request->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (request->resources == NULL) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "container %s: update needs resources", c->id);
        return;
    }
    job = job_of(c);
    job.body = &request->resources->value;
    run_simple(c, call, "update", &job, runtime_update, simple_done);
}

static void handle_checkpoint(void *context, struct call *call, const ProtobufCMessage *message)
{
    (void)context;
    call_fail(call, TTRPC_UNIMPLEMENTED, "container %s: checkpoint is not possible yet: the runtime has no such verb",
              ((const Task__CheckpointRequest *)message)->id);
}

static void handle_shutdown(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct shim *shim = context;

    (void)message;
    call_reply(call, NULL);
    if (shim->sandbox != NULL) /* ends by its own service */
        return;
    for (struct container *c = shim->containers; c != NULL; c = c->next)
        if (!c->abandoned)
            return;
    shim->shutdown_wanted = true;
    shim_shut_down_if_done(shim);
}

const struct method task_methods[] = {
    {"Create", &task__create_request__descriptor, handle_create},
    {"Start", &task__process_request__descriptor, handle_start},
    {"Delete", &task__process_request__descriptor, handle_delete},
    {"Exec", &task__exec_request__descriptor, handle_exec},
    {"State", &task__process_request__descriptor, handle_state},
    {"Wait", &task__process_request__descriptor, handle_wait},
    {"Kill", &task__kill_request__descriptor, handle_kill},
    {"ResizePty", &task__resize_pty_request__descriptor, handle_resize},
    {"CloseIO", &task__close_iorequest__descriptor, handle_close_io},
    {"Pids", &task__container_request__descriptor, handle_pids},
    {"Stats", &task__container_request__descriptor, handle_stats},
    {"Connect", &task__container_request__descriptor, handle_connect},
    {"Pause", &task__container_request__descriptor, handle_pause},
    {"Resume", &task__container_request__descriptor, handle_resume},
    {"Update", &task__update_request__descriptor, handle_update},
    {"Checkpoint", &task__checkpoint_request__descriptor, handle_checkpoint},
    {"Shutdown", &task__shutdown_request__descriptor, handle_shutdown},
    {NULL, NULL, NULL},
};

bool task_has_service(const char *name)
{
    return strcmp(name, "containerd.task.v2.Task") == 0 || strcmp(name, "containerd.task.v3.Task") == 0;
}
