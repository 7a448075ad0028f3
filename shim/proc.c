/* See proc.h. */
#include "shim/proc.h"
#include "base/fd.h"
#include "oci/socket.h"
#include "shim/event.pb-c.h"
#include "shim/log.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include <signal.h>
#include <stddef.h>

enum { UNREAD_LOOK_MS = 2, UNREAD_PATIENCE_MS = 2000 };
enum { READERS_FIRST_MS = 5, READERS_LAST_MS = 10000 };

struct container *container_find(struct shim *shim, const char *id)
{
    struct container *c = shim->containers;
    while (c != NULL && strcmp(c->id, id) != 0)
        c = c->next;
    return c;
}

struct process *process_find(struct container *c, const char *exec_id)
{
    struct process *p = c->execs;

    if (exec_id == NULL || exec_id[0] == 0)
        return &c->init;
    while (p != NULL && strcmp(p->id, exec_id) != 0)
        p = p->next;
    return p;
}

static void process_exited(struct child *child, unsigned exit_status);

static int process_init(struct process *p, struct container *c, const char *id, const char *const uri[STDIO_COUNT],
                        bool terminal)
{
    p->container = c;
    p->console_fd = p->copy_in = p->copy_out = -1;
    p->child.exited = process_exited;
    p->id = strdup(id);
    return stdio_init(&p->stdio, uri[STDIN], uri[STDOUT], uri[STDERR], terminal) != 0 || p->id == NULL ? -ENOMEM : 0;
}

void process_close_stdio(struct process *p)
{
    terminal_free(p->terminal);
    p->terminal = NULL;
    fd_close(&p->console_fd);
    fd_close(&p->copy_in);
    fd_close(&p->copy_out);
    stdio_close(&p->stdio);
}

static void process_done(struct process *p)
{
    process_close_stdio(p);
    stdio_done(&p->stdio);
    loop_timer_clear(&p->container->shim->loop, &p->unread);
    loop_timer_clear(&p->container->shim->loop, &p->readers);
    loop_child_forget(&p->child);
    while (p->waiters != NULL) {
        struct call *call = p->waiters;
        p->waiters = call->next;
        call_fail(call, TTRPC_NOT_FOUND, "process %s of container %s was deleted", p->id, p->container->id);
    }
    free(p->id);
    free(p->spec.data);
}

static bool oom_happened(struct oom_watch *watch)
{
    struct container *c = (struct container *)((char *)watch - offsetof(struct container, oom));
    Event__TaskNotice notice = EVENT__TASK_NOTICE__INIT;

    if (c->init.state == PROCESS_CREATED && c->init.busy != NULL) /* its start is announced first */
        return false;
    notice.container_id = c->id;
    log_line(LOG_INFO, c->id, "the kernel killed a process for exceeding the memory limit");
    publisher_put(&c->shim->publisher, "/tasks/oom", "TaskOOM", &notice.base);
    return true;
}

struct container *container_new(struct shim *shim, const Task__CreateRequest *request)
{
    struct container *c = calloc(1, sizeof *c);
    const char *const uri[STDIO_COUNT] = {request->stdin, request->stdout, request->stderr};

    if (c == NULL)
        return NULL;
    c->shim = shim;
    c->oom = (struct oom_watch){.file = -1, .above = -1, .source.fd = -1, .happened = oom_happened};
    c->id = strdup(request->id);
    c->bundle = strdup(request->bundle);
    c->next = shim->containers;
    shim->containers = c;
    if (process_init(&c->init, c, "", uri, request->terminal) != 0 || c->id == NULL || c->bundle == NULL) {
        container_free(c);
        return NULL;
    }
    return c;
}

void container_free(struct container *c)
{
    struct shim *shim = c->shim;

    for (struct container **at = &c->shim->containers; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    while (c->execs != NULL)
        process_free_exec(c->execs);
    process_done(&c->init);
    oom_watch_stop(&c->oom);
    free(c->id);
    free(c->bundle);
    free(c->root);
    free(c->cgroup);
    free(c->restore.data);
    free(c);
    shim_shut_down_if_done(shim);
}

struct process *process_new_exec(struct container *c, const Task__ExecRequest *request)
{
    struct process *p = calloc(1, sizeof *p);
    const char *const uri[STDIO_COUNT] = {request->stdin, request->stdout, request->stderr};

    if (p == NULL)
        return NULL;
    p->next = c->execs;
    c->execs = p;
    p->spec.len = request->spec->value.len;
    p->spec.data = malloc(p->spec.len + 1);
    if (process_init(p, c, request->exec_id, uri, request->terminal) != 0 || p->spec.data == NULL) {
        process_free_exec(p);
        return NULL;
    }
    memcpy(p->spec.data, request->spec->value.data, p->spec.len);
    p->state = PROCESS_CREATED;
    return p;
}

void process_free_exec(struct process *p)
{
    for (struct process **at = &p->container->execs; *at != NULL; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            break;
        }
    process_done(p);
    free(p);
}

int process_watch(struct process *p, pid_t pid)
{
    int error = loop_child_watch(&p->container->shim->loop, &p->child, pid, -1);
    if (error == 0)
        p->pid = pid;
    return error;
}

static void process_exited(struct child *child, unsigned exit_status)
{
    struct process *p = (struct process *)((char *)child - offsetof(struct process, child));

    p->exited = true;
    p->exit_status = exit_status;
    clock_gettime(CLOCK_REALTIME, &p->exited_at);
    container_settle(p->container);
}

/* The container has the fifos themselves, so a short-lived process may be gone before its client has opened them; that open,
 * and with it the client's reading to the end, would wait for a writer for ever. */
static void let_readers_in(struct timer *timer)
{
    struct process *p = (struct process *)((char *)timer - offsetof(struct process, readers));

    stdio_let_readers_in(&p->stdio);
    p->readers_ms = p->readers_ms == 0 ? READERS_FIRST_MS : 2 * p->readers_ms;
    if (p->readers_ms <= READERS_LAST_MS)
        loop_timer_set(&p->container->shim->loop, timer, p->readers_ms);
}

static void announce_exit(struct process *p)
{
    struct container *c = p->container;
    Event__TaskExit event = EVENT__TASK_EXIT__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;
    Task__WaitResponse response = TASK__WAIT_RESPONSE__INIT;

    p->state = PROCESS_STOPPED;
    when.seconds = p->exited_at.tv_sec;
    when.nanos = (int32_t)p->exited_at.tv_nsec;
    event.container_id = c->id;
    event.id = p->id[0] != 0 ? p->id : c->id;
    event.pid = (uint32_t)p->pid;
    event.exit_status = response.exit_status = p->exit_status;
    event.exited_at = response.exited_at = &when;
    log_line(LOG_INFO, c->id, "process %s%s%d ended with %u", p->id, p->id[0] != 0 ? " " : "", (int)p->pid,
             p->exit_status);
    publisher_put(&c->shim->publisher, "/tasks/exit", "TaskExit", &event.base);
    while (p->waiters != NULL) {
        struct call *call = p->waiters;
        p->waiters = call->next;
        call_reply(call, &response.base);
    }
    p->readers.expired = let_readers_in;
    let_readers_in(&p->readers);
}

/* With an own pid namespace the kernel has ended all execs before the init can be reaped; else we do it here. Returns true
 * when none runs or is being started. */
static bool execs_ended(struct container *c)
{
    bool ended = true;

    for (struct process *p = c->execs; p != NULL; p = p->next) {
        if (p->exited && p->state != PROCESS_STOPPED) /* announced as soon as its output is read */
            ended = false;
        if (p->busy == NULL && p->child.pid == 0)
            continue;
        loop_child_signal(&p->child, SIGKILL);
        ended = false;
    }
    return ended;
}

static void all_killed(struct worker *worker, const struct worker_report *report)
{
    struct container *c = (struct container *)((char *)worker - offsetof(struct container, worker));

    c->busy = NULL;
    if (report->code != 0)
        log_line(LOG_WARNING, c->id, "cannot end what the container's first process left behind: %s", report->text);
    container_settle(c);
}

/* In a shared pid namespace the init's death ends nobody else: what is left in the cgroup is killed before the exit is
 * announced. Returns true once that is done or needless. */
static bool leftovers_ended(struct container *c)
{
    struct runtime_job job = {.root = c->root, .id = c->id, .bundle = c->bundle, .signal = SIGKILL};

    if (c->own_pid_namespace || c->busy != NULL)
        return c->busy == NULL;
    if (c->all_killed)
        return true;
    c->all_killed = true;
    c->worker.done = all_killed;
    if (worker_start(&c->shim->workers, &c->worker, WORKER_NO_FDS, runtime_kill_all, &job) != 0)
        return true;
    c->busy = "kill";
    return false;
}

static void look_again(struct timer *timer)
{
    container_settle(((struct process *)((char *)timer - offsetof(struct process, unread)))->container);
}

/* A client that waits closes its ends of the fifos when it hears of the exit, and what is still in them is lost: so the exit
 * waits until all is read. Not for ever: a client may not read. Without one that waits there may be no reader at all. */
static bool output_is_read(struct process *p)
{
    struct loop *loop = &p->container->shim->loop;
    uint64_t now_ms = loop_now_ms();

    if (p->patience_ms == 0)
        p->patience_ms = now_ms + UNREAD_PATIENCE_MS;
    if (p->waiters == NULL || now_ms >= p->patience_ms || stdio_is_read(&p->stdio))
        return true;
    p->unread.expired = look_again;
    loop_timer_set(loop, &p->unread, UNREAD_LOOK_MS);
    return false;
}

void container_settle(struct container *c)
{
    struct process *init = &c->init;

    if (c->abandoned) /* nobody was told of it */
        return;
    for (struct process *p = c->execs; p != NULL; p = p->next)
        if (p->exited && p->state != PROCESS_STOPPED && p->busy == NULL && output_is_read(p))
            announce_exit(p);
    if (!init->exited || init->state == PROCESS_STOPPED || init->busy != NULL)
        return;
    if (!execs_ended(c) || !leftovers_ended(c) || !output_is_read(init))
        return;
    oom_watch_check(&c->oom, init->exit_status == 128 + SIGKILL);
    announce_exit(init);
    if (c->deleting != NULL)
        c->stopped(c);
}

int process_open_terminal(struct process *p)
{
    int master;

    if (p->console_fd < 0)
        return 0;
    master = socket_receive_fd(p->console_fd);
    fd_close(&p->console_fd);
    if (master < 0)
        return master;
    p->terminal = terminal_new(&p->container->shim->loop, master, fd_take(&p->copy_in), fd_take(&p->copy_out));
    return p->terminal != NULL ? 0 : -ENOMEM;
}

Task__State process_status(const struct process *p)
{
    switch (p->state) {
    case PROCESS_CREATING: return TASK__STATE__UNKNOWN;
    case PROCESS_CREATED: return TASK__STATE__CREATED;
    case PROCESS_STOPPED: return TASK__STATE__STOPPED;
    default: break;
    }
    return p->container->paused ? TASK__STATE__PAUSED : TASK__STATE__RUNNING;
}
