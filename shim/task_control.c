/* What is done to a container that runs: Kill, Pause, Resume, Update, Checkpoint. */
#include "shim/event.pb-c.h"
#include "shim/options.pb-c.h"
#include "shim/task_method.h"
#include <signal.h>
#include <stddef.h>

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
        call_fail(call, task_code_of(report->code), "%s", report->text);
    container_settle(c);
}

/* Runs RUN for C with JOB; its report is the answer, given by DONE. */
static void run_simple(struct container *c, struct call *call, const char *what, struct runtime_job *job,
                       worker_run *run, void (*done)(struct worker *, const struct worker_report *))
{
    int error;

    if (!task_need_idle(call, c->id, c->busy))
        return;
    c->worker.done = done;
    error = worker_start(&c->shim->workers, &c->worker, WORKER_NO_FDS, run, job);
    if (error != 0) {
        call_fail(call, task_code_of(-error), "cannot start a worker: %s", strerror(-error));
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

static void checkpoint_done(struct worker *worker, const struct worker_report *report)
{
    if (report->code == 0)
        publish_notice(container_of_worker(worker), "/tasks/checkpointed", "TaskCheckpointed");
    simple_done(worker, report);
}

void task_kill(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__KillRequest *request = (const Task__KillRequest *)message;
    struct process *p = task_need_process(context, call, request->id, request->exec_id);
    int error;

    if (p == NULL)
        return;
    if (request->signal >= (unsigned)NSIG) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "%u is not a signal", request->signal);
        return;
    }
    if (request->all && p == &p->container->init) {
        struct runtime_job job = task_job_of(p->container);
        job.signal = (int)request->signal;
        run_simple(p->container, call, "kill", &job, runtime_kill_all, simple_done);
        return;
    }
    error = loop_child_signal(&p->child, (int)request->signal);
    if (error == 0 && request->signal == SIGKILL && p->container->paused) {
        struct runtime_job job = task_job_of(p->container); /* on v1 what is frozen dies only once it is thawed */
        run_simple(p->container, call, "resume", &job, runtime_resume, resume_done);
    } else if (error == 0)
        call_reply(call, NULL);
    else if (error == -ESRCH)
        call_fail(call, TTRPC_NOT_FOUND, "container %s: the process %s", request->id,
                  p->state == PROCESS_CREATED && !p->exited ? "has not been started" : "has already finished");
    else
        call_fail(call, TTRPC_UNKNOWN, "container %s: signal %u: %s", request->id, request->signal, strerror(-error));
}

void task_pause(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct container *c = task_need_container(context, call, ((const Task__ContainerRequest *)message)->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (process_status(&c->init) != TASK__STATE__RUNNING) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s cannot be paused: it does not run", c->id);
        return;
    }
    job = task_job_of(c);
    run_simple(c, call, "pause", &job, runtime_pause, pause_done);
}

void task_resume(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct container *c = task_need_container(context, call, ((const Task__ContainerRequest *)message)->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (!c->paused) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s cannot be resumed: it is not paused", c->id);
        return;
    }
    job = task_job_of(c);
    run_simple(c, call, "resume", &job, runtime_resume, resume_done);
}

void task_update(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__UpdateRequest *request = (const Task__UpdateRequest *)message;
    struct container *c = task_need_container(context, call, request->id);
    struct runtime_job job;

    if (c == NULL)
        return;
    if (request->resources == NULL) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "container %s: update needs resources", c->id);
        return;
    }
    job = task_job_of(c);
    job.body = &request->resources->value;
    run_simple(c, call, "update", &job, runtime_update, simple_done);
}

static int read_checkpoint_options(const Rpc__Any *any, Options__Checkpoint **out, struct err *e)
{
    static const ProtobufCBinaryData nothing;
    const ProtobufCBinaryData *body = any != NULL ? &any->value : &nothing;

    *out = options__checkpoint__unpack(NULL, body->len, body->data);
    if (*out == NULL)
        return err_set(e, EINVAL, "the options of the checkpoint cannot be read");
    if ((*out)->n_empty_namespaces > 1)
        return err_set(e, EINVAL, "only the network's namespace can be left empty by a checkpoint");
    return 0;
}

void task_checkpoint(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__CheckpointRequest *request = (const Task__CheckpointRequest *)message;
    struct container *c = task_need_container(context, call, request->id);
    Options__Checkpoint *options = NULL;
    struct runtime_job job;
    struct err e = {0};

    if (c == NULL)
        return;
    if (read_checkpoint_options(request->options, &options, &e) != 0) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "container %s: %s", c->id, e.text);
    } else {
        job = task_job_of(c);
        job.images = request->path;
        job.checkpoint = options;
        run_simple(c, call, "checkpoint", &job, runtime_checkpoint, checkpoint_done);
    }
    if (options != NULL)
        options__checkpoint__free_unpacked(options, NULL);
}
