/* A container's Create and Start, and Delete of whatever has ended. Create never says Unimplemented: to containerd 2.x that means "speak
 * version 2". */
#include "shim/event.pb-c.h"
#include "shim/log.h"
#include "shim/sandbox.h"
#include "shim/shim.h"
#include "shim/task_method.h"
#include <signal.h>

/* --- Create --------------------------------------------------------------------------------------------------------- */

static enum ttrpc_code create_code_of(int error)
{
    return error == ENOTSUP ? TTRPC_UNKNOWN : task_code_of(error);
}

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

static void abandoned_free(struct container *c)
{
    call_fail(c->init.pending, (enum ttrpc_code)c->worker.report.code, "%s", c->worker.report.text);
    c->init.pending = NULL;
    container_free(c);
}

static void cleanup_done(struct worker *worker, const struct worker_report *report)
{
    struct container *c = task_process_of(worker)->container;

    if (report->code != 0)
        log_line(LOG_ERROR, c->id, "cannot remove what a failed create left: %s", report->text);
    abandoned_free(c);
}

/* A worker that failed has cleaned up; one that died, or whose init we cannot watch, has not: the answer then waits until
 * nothing is left and the id is free. Why it failed is kept in the report of the container's own worker, which never ran. */
static void create_abandon(struct container *c, enum ttrpc_code code, const char *why, bool clean)
{
    struct runtime_job job = task_job_of(c);
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

/* A restore that failed leaves the container as it was, with or without a process to wait for: its client deletes it. */
static void create_failed(struct container *c, enum ttrpc_code code, const char *why, bool clean)
{
    struct call *call = c->init.pending;

    if (c->restore.data == NULL) {
        create_abandon(c, code, why, clean);
        return;
    }
    if (c->init.pid == 0)
        process_close_stdio(&c->init);
    c->init.pending = NULL;
    call_fail(call, code, "%s", why);
}

static void publish_start(struct container *c)
{
    Event__TaskStart event = EVENT__TASK_START__INIT;

    event.container_id = c->id;
    event.pid = (uint32_t)c->init.pid;
    publisher_put(&c->shim->publisher, "/tasks/start", "TaskStart", &event.base);
}

static void create_done(struct worker *worker, const struct worker_report *report)
{
    struct process *init = task_process_of(worker);
    struct container *c = init->container;
    struct shim *shim = c->shim;
    struct call *call = init->pending;
    int error;

    init->busy = NULL;
    if (report->code != 0) {
        log_line(LOG_ERROR, c->id, "create failed: %s", report->text);
        if (report->code == ECHILD)
            shim_sweep(shim);
        create_failed(c, create_code_of(report->code), report->text, report->code != ECHILD);
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
        create_failed(c, TTRPC_UNKNOWN, c->cgroup == NULL ? "the shim is out of memory" : strerror(-error), false);
        return;
    }
    error = oom_watch_start(&c->oom, &shim->loop, c->cgroup);
    if (error != 0)
        log_line(LOG_WARNING, c->id, "OOM kills cannot be watched: %s", strerror(-error));
    init->pending = NULL;
    if (c->restore.data != NULL) {
        init->state = PROCESS_RUNNING;
        publish_start(c);
    } else {
        init->state = PROCESS_CREATED;
        publish_create(c);
    }
    task_reply_pid(call, init->pid);
    container_settle(c);
}

/* For CALL, Create or (BUSY says which) the Start of what is restored. The worker has its copy of REQUEST. */
static int run_create(struct container *c, const Task__CreateRequest *request, struct call *call, const char *busy,
                      struct err *e)
{
    struct runtime_job job = task_job_of(c);
    int error;

    job.create = request;
    job.images = request->checkpoint[0] != 0 ? request->checkpoint : NULL;
    job.pod = sandbox_bundle(c->shim->sandbox);
    job.stdout_uri = request->stdout;
    c->init.worker.done = create_done;
    error = task_start_with_stdio(&c->init, runtime_create, &job, e);
    if (error == 0) {
        c->init.pending = call;
        c->init.busy = busy;
    }
    return error;
}

/* What is restored runs at once: so until Start there is only the request, and no process. */
static int keep_for_start(struct container *c, const Task__CreateRequest *request, struct call *call, struct err *e)
{
    c->restore.len = task__create_request__get_packed_size(request);
    c->restore.data = malloc(c->restore.len);
    if (c->restore.data == NULL)
        return err_set(e, ENOMEM, "the shim is out of memory");
    task__create_request__pack(request, c->restore.data);
    c->init.state = PROCESS_CREATED;
    publish_create(c);
    task_reply_pid(call, 0);
    return 0;
}

/* Start of such a one. */
static void restore(struct container *c, struct call *call)
{
    Task__CreateRequest *request = task__create_request__unpack(NULL, c->restore.len, c->restore.data);
    struct err e = {0};
    int error =
        request != NULL ? run_create(c, request, call, "start", &e) : err_set(&e, ENOMEM, "the shim is out of memory");

    if (error != 0)
        call_fail(call, task_code_of(-error), "%s", e.text);
    if (request != NULL)
        task__create_request__free_unpacked(request, NULL);
}

void task_create(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__CreateRequest *request = (const Task__CreateRequest *)message;
    struct shim *shim = context;
    struct container *c = container_find(shim, request->id);
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
    c = container_new(shim, request);
    if (c == NULL) {
        task_fail_memory(call);
        return;
    }
    error = shim_options_read(request->options, &c->options, &e);
    if (error == 0) {
        runtime_root(&c->options, shim->namespace, root, sizeof root);
        c->root = strdup(root);
        error = c->root != NULL ? 0 : err_set(&e, ENOMEM, "the shim is out of memory");
    }
    if (error == 0)
        error = request->checkpoint[0] != 0 ? keep_for_start(c, request, call, &e)
                                            : run_create(c, request, call, "create", &e);
    if (error != 0) {
        call_fail(call, create_code_of(-error), "%s", e.text);
        container_free(c);
    }
}

/* --- Start ---------------------------------------------------------------------------------------------------------- */

static void start_done(struct worker *worker, const struct worker_report *report)
{
    struct process *init = task_process_of(worker);
    struct container *c = init->container;
    struct call *call = init->pending;

    init->busy = NULL;
    init->pending = NULL;
    if (report->code == 0) {
        if (init->state == PROCESS_CREATED)
            init->state = PROCESS_RUNNING;
        publish_start(c);
        oom_watch_check(&c->oom, false);
        task_reply_pid(call, init->pid);
    } else {
        log_line(LOG_ERROR, c->id, "start failed: %s", report->text);
        call_fail(call, task_code_of(report->code), "%s", report->text);
    }
    container_settle(c);
}

void task_start(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = task_need_process(context, call, request->id, request->exec_id);
    struct runtime_job job;
    int error;

    if (p == NULL || !task_need_idle(call, request->id, p->busy))
        return;
    if (p->state != PROCESS_CREATED || p->exited || p->failed) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s: a process that %s cannot be started", request->id,
                  p->state == PROCESS_RUNNING ? "runs" : "has ended");
        return;
    }
    if (p != &p->container->init) {
        task_start_exec(p, call);
        return;
    }
    if (p->container->restore.data != NULL) {
        restore(p->container, call);
        return;
    }
    job = task_job_of(p->container);
    p->worker.done = start_done;
    error = worker_start(&p->container->shim->workers, &p->worker, WORKER_NO_FDS, runtime_start, &job);
    if (error != 0) {
        call_fail(call, task_code_of(-error), "cannot start a worker: %s", strerror(-error));
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
    struct process *init = task_process_of(worker);
    struct container *c = init->container;
    struct shim *shim = c->shim;
    struct call *call = init->pending;
    Event__TaskDelete event = EVENT__TASK_DELETE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;

    init->busy = NULL;
    init->pending = NULL;
    if (report->code != 0) {
        log_line(LOG_ERROR, c->id, "delete failed: %s", report->text);
        call_fail(call, task_code_of(report->code), "%s", report->text);
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
    struct runtime_job job = task_job_of(c);
    struct call *call = c->deleting;
    int error;

    c->deleting = NULL;
    c->init.worker.done = delete_done;
    error = worker_start(&c->shim->workers, &c->init.worker, WORKER_NO_FDS, runtime_delete, &job);
    if (error != 0) {
        call_fail(call, task_code_of(-error), "cannot start a worker: %s", strerror(-error));
        return;
    }
    c->init.busy = "delete";
    c->init.pending = call;
}

void task_delete(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = task_need_process(context, call, request->id, request->exec_id);

    if (p == NULL || !task_need_idle(call, request->id, p->busy) ||
        !task_need_idle(call, request->id, p->container->busy))
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
    if (!task_need_idle(call, request->id, p->container->deleting != NULL ? "delete" : NULL))
        return;
    p->container->deleting = call;
    if (p->state == PROCESS_STOPPED || p->pid == 0) { /* 0: to be restored, and never was */
        delete_stopped(p->container);
    } else { /* created: its end is announced before it is deleted */
        p->container->stopped = delete_stopped;
        loop_child_signal(&p->child, SIGKILL);
    }
}
