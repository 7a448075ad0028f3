/* See task.h. A method that needs the runtime starts a worker and answers when that has reported; all others answer at
 * once: those are here. Error codes are those that containerd's callers know: NotFound for what is dead or unknown,
 * FailedPrecondition for the wrong state, AlreadyExists. */
#include "shim/task.h"
#include "shim/shim.h"
#include "shim/stats.h"
#include "shim/task_method.h"
#include <unistd.h>

/* --- State, Wait ------------------------------------------------------------------------------------------------------ */

static void handle_state(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ProcessRequest *request = (const Task__ProcessRequest *)message;
    struct process *p = task_need_process(context, call, request->id, request->exec_id);
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
    struct process *p = task_need_process(context, call, request->id, request->exec_id);
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

/* --- streams --------------------------------------------------------------------------------------------------------- */

static void handle_resize(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ResizePtyRequest *request = (const Task__ResizePtyRequest *)message;
    struct process *p = task_need_process(context, call, request->id, request->exec_id);
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
    struct process *p = task_need_process(context, call, request->id, request->exec_id);

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
    struct container *c = task_need_container(context, call, request->id);

    if (c != NULL)
        stats_reply_pids(call, c);
}

static void handle_stats(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Task__ContainerRequest *request = (const Task__ContainerRequest *)message;
    struct container *c = task_need_container(context, call, request->id);

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
    {"Create", &task__create_request__descriptor, task_create},
    {"Start", &task__process_request__descriptor, task_start},
    {"Delete", &task__process_request__descriptor, task_delete},
    {"Exec", &task__exec_request__descriptor, task_exec},
    {"State", &task__process_request__descriptor, handle_state},
    {"Wait", &task__process_request__descriptor, handle_wait},
    {"Kill", &task__kill_request__descriptor, task_kill},
    {"ResizePty", &task__resize_pty_request__descriptor, handle_resize},
    {"CloseIO", &task__close_iorequest__descriptor, handle_close_io},
    {"Pids", &task__container_request__descriptor, handle_pids},
    {"Stats", &task__container_request__descriptor, handle_stats},
    {"Connect", &task__container_request__descriptor, handle_connect},
    {"Pause", &task__container_request__descriptor, task_pause},
    {"Resume", &task__container_request__descriptor, task_resume},
    {"Update", &task__update_request__descriptor, task_update},
    {"Checkpoint", &task__checkpoint_request__descriptor, task_checkpoint},
    {"Shutdown", &task__shutdown_request__descriptor, handle_shutdown},
    {NULL, NULL, NULL},
};

bool task_has_service(const char *name)
{
    return strcmp(name, "containerd.task.v2.Task") == 0 || strcmp(name, "containerd.task.v3.Task") == 0;
}