/* Exec: a further process of a container. */
#include "shim/event.pb-c.h"
#include "shim/log.h"
#include "shim/shim.h"
#include "shim/task_method.h"
#include <signal.h>

/* Only notes the process; Start makes it. */
void task_exec(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ExecRequest *request = (const Task__ExecRequest *)message;
    struct container *c = task_need_container(context, call, request->id);
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
        task_fail_memory(call);
    } else {
        event.container_id = c->id;
        event.exec_id = request->exec_id;
        publisher_put(&c->shim->publisher, "/tasks/exec-added", "TaskExecAdded", &event.base);
        call_reply(call, NULL);
    }
}

static void exec_done(struct worker *worker, const struct worker_report *report)
{
    struct process *p = task_process_of(worker);
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
        call_fail(call, error != 0 ? TTRPC_UNKNOWN : task_code_of(report->code), "%s",
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
    task_reply_pid(call, p->pid);
    container_settle(c);
}

void task_start_exec(struct process *p, struct call *call)
{
    struct runtime_job job = task_job_of(p->container);
    struct err e = {0};
    int error;

    if (p->container->init.exited) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "container %s has ended", p->container->id);
        return;
    }
    job.body = &p->spec;
    job.stdout_uri = p->stdio.uri[STDOUT];
    p->worker.done = exec_done;
    error = task_start_with_stdio(p, runtime_exec, &job, &e);
    if (error != 0) {
        call_fail(call, task_code_of(-error), "%s", e.text);
        return;
    }
    p->busy = "start";
    p->pending = call;
}
