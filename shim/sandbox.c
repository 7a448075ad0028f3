/* See sandbox.h.
 *
 *     CREATED --Start--> STARTING --> READY --Stop or Shutdown--> STOPPED, the shim ends with the pod's last container
 *
 * The shim does not wait for Shutdown: a kubelet keeps the sandbox of a pod that has run to its end for as long as the pod's
 * object is there. containerd takes a sandbox without a shim for one that has stopped.
 *
 * A pod that needs a process has it as an ordinary container of this shim with the sandbox's id: the service then is a
 * client of its own task service (call_inside), and the container's end is the sandbox's. */
#include "shim/sandbox.h"
#include "base/fd.h"
#include "shim/log.h"
#include "shim/pod.h"
#include "shim/proc.h"
#include "shim/sandbox.pb-c.h"
#include "shim/shim.h"
#include "shim/stats.h"
#include "shim/task.h"
#include <signal.h>
#include <stddef.h>
#include <sys/utsname.h>

enum sandbox_state { SANDBOX_CREATED, SANDBOX_STARTING, SANDBOX_READY, SANDBOX_STOPPED };

struct sandbox {
    struct shim *shim;
    struct pod pod;
    enum sandbox_state state;
    pid_t pid; /* whose namespaces are the pod's */
    unsigned exit_status;
    struct timespec created_at, exited_at;
    struct worker worker;
    struct call *starting, *stopping, *waiters;
};

const char *sandbox_bundle(const struct sandbox *sandbox)
{
    return sandbox != NULL ? sandbox->pod.bundle : NULL;
}

/* The sandbox, or NULL after CALL was answered. */
static struct sandbox *need_sandbox(void *context, struct call *call, const ProtobufCMessage *message)
{
    const char *id = ((const Sandbox__IdRequest *)message)->sandbox_id;
    struct sandbox *s = ((struct shim *)context)->sandbox;

    if (s != NULL && strcmp(s->pod.id, id) == 0)
        return s;
    call_fail(call, TTRPC_NOT_FOUND, "sandbox %s is not known to this shim", id);
    return NULL;
}

static Rpc__Timestamp timestamp(const struct timespec *when)
{
    Rpc__Timestamp out = RPC__TIMESTAMP__INIT;
    out.seconds = when->tv_sec;
    out.nanos = (int32_t)when->tv_nsec;
    return out;
}

static void sandbox_free(struct sandbox *s)
{
    pod_release(&s->pod);
    pod_done(&s->pod);
    free(s);
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

static void reply_wait(struct call *call, const struct sandbox *s)
{
    Sandbox__WaitResponse response = SANDBOX__WAIT_RESPONSE__INIT;
    Rpc__Timestamp when = timestamp(&s->exited_at);

    response.exit_status = s->exit_status;
    response.exited_at = &when;
    call_reply(call, &response.base);
}

static void sandbox_ended(struct sandbox *s, unsigned exit_status)
{
    struct shim *shim = s->shim;

    s->state = SANDBOX_STOPPED;
    s->exit_status = exit_status;
    clock_gettime(CLOCK_REALTIME, &s->exited_at);
    shim->workers.home = NULL;
    pod_release(&s->pod);
    pod_unmount(s->pod.bundle);
    while (s->waiters != NULL) {
        struct call *call = s->waiters;
        s->waiters = call->next;
        reply_wait(call, s);
    }
    if (s->stopping != NULL)
        call_reply(s->stopping, NULL);
    s->stopping = NULL;
    shim_pod_ended(shim);
}

/* --- Create ----------------------------------------------------------------------------------------------------------- */

static void handle_create(void *context, struct call *call, const ProtobufCMessage *message)
{
    const Sandbox__CreateRequest *request = (const Sandbox__CreateRequest *)message;
    struct shim *shim = context;
    struct err e = {0};
    struct sandbox *s;

    if (shim->sandbox != NULL || shim->containers != NULL) {
        call_fail(call, TTRPC_ALREADY_EXISTS, "this shim serves a pod already");
        return;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
        return;
    }
    s->shim = shim;
    s->pod.program = shim->program;
    if (pod_read(&s->pod, request, &e) != 0) {
        call_fail(call, e.code == ENOMEM ? TTRPC_RESOURCE_EXHAUSTED : TTRPC_INVALID_ARGUMENT, "%s", e.text);
        sandbox_free(s);
        return;
    }
    shim->sandbox = s;
    call_reply(call, NULL);
}

/* --- Start ------------------------------------------------------------------------------------------------------------ */

static void start_failed(struct sandbox *s, const char *why)
{
    log_line(LOG_ERROR, s->pod.id, "the sandbox cannot start: %s", why);
    call_fail(s->starting, TTRPC_UNKNOWN, "%s", why);
    s->starting = NULL;
    sandbox_ended(s, 255);
}

static void started(struct sandbox *s, pid_t pid)
{
    static char spec_text[] = "{\"ociVersion\":\"1.2.0\",\"linux\":{}}"; /* there is no container to describe */
    Sandbox__StartResponse response = SANDBOX__START_RESPONSE__INIT;
    Rpc__Any spec = RPC__ANY__INIT;
    Rpc__Timestamp when;

    s->state = SANDBOX_READY;
    s->pid = pid;
    clock_gettime(CLOCK_REALTIME, &s->created_at);
    when = timestamp(&s->created_at);
    response.pid = (uint32_t)pid;
    response.created_at = &when;
    spec.type_url = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
    spec.value = (ProtobufCBinaryData){sizeof spec_text - 1, (uint8_t *)spec_text};
    response.spec = &spec; /* containerd's plugins (NRI) want one */
    call_reply(s->starting, &response.base);
    s->starting = NULL;
}

/* Calls METHOD of the task service for the container of the pod's process. Without memory for that, ANSWERED says so. */
static void call_task(struct sandbox *s, const char *method, const ProtobufCMessage *request, call_answered *answered)
{
    call_inside(task_methods, method, s->shim, request, answered, s);
}

static void process_deleted(void *context, const ProtobufCMessage *answer, const char *why)
{
    struct sandbox *s = context;

    (void)answer;
    if (why != NULL)
        log_line(LOG_ERROR, s->pod.id, "the pod's process leaves something behind: %s", why);
    if (s->starting != NULL)
        start_failed(s, "the pod's process has ended");
    else
        sandbox_ended(s, s->exit_status);
}

static void process_ended(void *context, const ProtobufCMessage *answer, const char *why)
{
    struct sandbox *s = context;
    Task__ProcessRequest request = TASK__PROCESS_REQUEST__INIT;

    (void)why;
    s->exit_status = answer != NULL ? ((const Task__WaitResponse *)answer)->exit_status : 255;
    request.id = s->pod.id;
    call_task(s, "Delete", &request.base, process_deleted);
}

static void process_started(void *context, const ProtobufCMessage *answer, const char *why)
{
    struct sandbox *s = context;

    if (why == NULL) {
        started(s, (pid_t)((const Task__PidResponse *)answer)->pid);
    } else { /* deleted once its end is seen */
        log_line(LOG_ERROR, s->pod.id, "the pod's process cannot start: %s", why);
        kill(s->pid, SIGKILL);
    }
}

static void process_created(void *context, const ProtobufCMessage *answer, const char *why)
{
    struct sandbox *s = context;
    Task__ProcessRequest request = TASK__PROCESS_REQUEST__INIT;

    fd_close(&s->pod.user_namespace);
    if (why != NULL) {
        start_failed(s, why);
        return;
    }
    s->pid = (pid_t)((const Task__PidResponse *)answer)->pid;
    request.id = s->pod.id;
    call_task(s, "Start", &request.base, process_started);
    call_task(s, "Wait", &request.base, process_ended);
}

static void prepared(struct worker *worker, const struct worker_report *report)
{
    struct sandbox *s = (struct sandbox *)((char *)worker - offsetof(struct sandbox, worker));
    Task__CreateRequest request = TASK__CREATE_REQUEST__INIT;

    if (report->code != 0) {
        start_failed(s, report->text);
    } else if (pod_needs_process(&s->pod)) {
        request.id = s->pod.id;
        request.bundle = s->pod.bundle;
        call_task(s, "Create", &request.base, process_created);
    } else {
        s->shim->workers.home = s->pod.home;
        started(s, getpid());
    }
}

static void handle_start(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct sandbox *s = need_sandbox(context, call, message);
    struct err e = {0};
    int error;

    if (s == NULL)
        return;
    if (s->state != SANDBOX_CREATED) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "sandbox %s was started before", s->pod.id);
        return;
    }
    s->state = SANDBOX_STARTING;
    s->starting = call;
    error = pod_needs_process(&s->pod) ? pod_open_user_namespace(&s->pod, &e) : pod_hold(&s->pod, &e);
    s->worker.done = prepared;
    if (error == 0) {
        error = worker_start(&s->shim->workers, &s->worker, WORKER_NO_FDS, pod_prepare, &s->pod);
        if (error != 0)
            err_set(&e, -error, "cannot start a worker: %s", strerror(-error));
    }
    if (error != 0)
        start_failed(s, e.text);
}

/* --- Stop and Shutdown --------------------------------------------------------------------------------------------------- */

static void process_killed(void *context, const ProtobufCMessage *answer, const char *why)
{
    struct sandbox *s = context;

    (void)answer;
    if (why != NULL)
        log_line(LOG_INFO, s->pod.id, "the pod's process is not killed: %s", why); /* its end is seen in any case */
}

/* Stop and Shutdown; the latter also of a sandbox that runs, which containerd could not use and takes back. */
static void handle_stop(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct sandbox *s = need_sandbox(context, call, message);
    Task__KillRequest request = TASK__KILL_REQUEST__INIT;

    if (s == NULL)
        return;
    if (s->state == SANDBOX_STOPPED) {
        call_reply(call, NULL);
        return;
    }
    if (s->state == SANDBOX_STARTING || s->stopping != NULL) {
        call_fail(call, TTRPC_FAILED_PRECONDITION, "sandbox %s: its %s is still under way", s->pod.id,
                  s->state == SANDBOX_STARTING ? "start" : "stop");
        return;
    }
    s->stopping = call;
    request.id = s->pod.id;
    request.signal = SIGKILL;
    if (s->state == SANDBOX_READY && pod_needs_process(&s->pod))
        call_task(s, "Kill", &request.base, process_killed);
    else
        sandbox_ended(s, s->exit_status);
}

/* A shim whose sandbox could not be created has nothing else to do. */
static void handle_shutdown(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct shim *shim = context;

    if (shim->sandbox != NULL || shim->containers != NULL) {
        shim->may_leave = true;
        handle_stop(context, call, message);
        shim_shut_down_if_done(shim);
        return;
    }
    call_reply(call, NULL);
    shim_shut_down(shim);
}

/* --- questions -------------------------------------------------------------------------------------------------------- */

static void handle_wait(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct sandbox *s = need_sandbox(context, call, message);

    if (s == NULL)
        return;
    if (s->state == SANDBOX_STOPPED) {
        reply_wait(call, s);
        return;
    }
    call->next = s->waiters;
    s->waiters = call;
}

/* In Go's names. */
static char *architecture(void)
{
    static struct utsname name;

    uname(&name);
    if (strcmp(name.machine, "x86_64") == 0)
        return "amd64";
    return strcmp(name.machine, "aarch64") == 0 ? "arm64" : name.machine;
}

static void handle_platform(void *context, struct call *call, const ProtobufCMessage *message)
{
    Sandbox__PlatformResponse response = SANDBOX__PLATFORM_RESPONSE__INIT;
    Sandbox__Platform platform = SANDBOX__PLATFORM__INIT;

    if (need_sandbox(context, call, message) == NULL)
        return;
    platform.os = "linux"; /* of the spec that containerd writes, for a module too */
    platform.architecture = architecture();
    response.platform = &platform;
    call_reply(call, &response.base);
}

static void handle_status(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct sandbox *s = need_sandbox(context, call, message);
    Sandbox__StatusResponse response = SANDBOX__STATUS_RESPONSE__INIT;
    Rpc__Timestamp created, exited;

    if (s == NULL)
        return;
    created = timestamp(&s->created_at);
    exited = timestamp(&s->exited_at);
    response.sandbox_id = s->pod.id;
    response.pid = s->state == SANDBOX_READY ? (uint32_t)s->pid : 0;
    response.state = s->state == SANDBOX_READY ? "SANDBOX_READY" : "SANDBOX_NOTREADY";
    response.created_at = &created;
    if (s->state == SANDBOX_STOPPED)
        response.exited_at = &exited;
    call_reply(call, &response.base);
}

static void handle_ping(void *context, struct call *call, const ProtobufCMessage *message)
{
    if (need_sandbox(context, call, message) != NULL)
        call_reply(call, NULL);
}

static void handle_metrics(void *context, struct call *call, const ProtobufCMessage *message)
{
    struct sandbox *s = need_sandbox(context, call, message);

    if (s != NULL)
        stats_reply_pod(call, s->pod.id, s->shim->containers);
}

const struct method sandbox_methods[] = {
    {"CreateSandbox", &sandbox__create_request__descriptor, handle_create},
    {"StartSandbox", &sandbox__id_request__descriptor, handle_start},
    {"Platform", &sandbox__id_request__descriptor, handle_platform},
    {"StopSandbox", &sandbox__id_request__descriptor, handle_stop},
    {"WaitSandbox", &sandbox__id_request__descriptor, handle_wait},
    {"SandboxStatus", &sandbox__id_request__descriptor, handle_status},
    {"PingSandbox", &sandbox__id_request__descriptor, handle_ping},
    {"ShutdownSandbox", &sandbox__id_request__descriptor, handle_shutdown},
    {"SandboxMetrics", &sandbox__id_request__descriptor, handle_metrics},
    {NULL, NULL, NULL},
};

bool sandbox_has_service(const char *name)
{
    return strcmp(name, "containerd.runtime.sandbox.v1.Sandbox") == 0;
}
