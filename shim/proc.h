/* Containers and their processes, as the shim knows them.
 *
 * A process goes CREATING → CREATED → RUNNING → STOPPED and is then deleted. While a worker does something for it, `busy`
 * names what, and requests that would change it are refused. Invariants: the init's exit is announced last, after those of
 * the container's execs; a start is announced before the exit of what was started. */
#ifndef WHERRY_SHIM_PROC_H
#define WHERRY_SHIM_PROC_H

#include "shim/event.h"
#include "shim/oom.h"
#include "shim/options.h"
#include "shim/server.h"
#include "shim/stdio.h"
#include "shim/task.pb-c.h"
#include "shim/terminal.h"
#include "shim/worker.h"

struct shim {
    struct loop loop;
    struct server server;
    struct publisher publisher;
    struct workers workers;
    struct container *containers;
    struct sandbox *sandbox; /* NULL: containerd makes the pod, if there is one */
    const char *namespace, *libexec, *grpc_address, *program;
    bool shutting_down;
    bool sweep;           /* shim_sweep is due */
    bool shutdown_wanted; /* once the last abandoned container is gone */
    bool may_leave;       /* a pod's shim: Shutdown was called, or did not come */
    struct source signal_source;
    struct timer patience; /* how long a shutdown waits for the last events */
    struct timer answered; /* until when a shutdown leaves time to read the last answer */
    struct timer staying;  /* until when an ended pod's shim waits to be shut down */
};

enum process_state { PROCESS_CREATING, PROCESS_CREATED, PROCESS_RUNNING, PROCESS_STOPPED };

struct process {
    struct container *container;
    struct process *next;
    char *id; /* of the exec; "" for the init */
    enum process_state state;
    const char *busy; /* what a worker does for it now ("start"); NULL: nothing */
    struct worker worker;
    struct call *pending; /* what the worker's report answers */
    struct call *waiters; /* of Wait */
    struct child child;
    pid_t pid;
    unsigned exit_status;
    struct timespec exited_at;
    bool exited;          /* reaped; STOPPED follows once the exit may be announced */
    struct timer unread;  /* looks again whether its output has been read */
    uint64_t patience_ms; /* until when the exit waits for that; 0: not yet asked */
    struct timer readers; /* after the exit: lets readers in that come late, after ever longer pauses */
    unsigned readers_ms;  /* the last pause */
    bool failed;          /* an exec that could not be started: it can only be deleted */
    struct stdio stdio;
    int console_fd;        /* our end of the socket that brings the terminal's master; -1 */
    int copy_in, copy_out; /* what the terminal will copy from and to; -1 */
    struct terminal *terminal;
    ProtobufCBinaryData spec; /* of an exec: JSON */
};

struct container {
    struct shim *shim;
    struct container *next;
    char *id, *bundle, *root, *cgroup; /* cgroup: lines "controllers:directory" */
    struct options options;
    struct process init;
    struct process *execs;
    struct worker worker; /* of what concerns the container and not one process */
    const char *busy;
    struct call *pending;
    struct call *deleting;                /* waits for the init's end */
    void (*stopped)(struct container *c); /* called once the init's exit is announced; may be NULL */
    struct oom_watch oom;
    bool own_pid_namespace, paused, all_killed;
    ProtobufCBinaryData restore; /* packed: the create request of what Start restores; no data: none */
    bool abandoned;              /* its create failed, and what that left is being removed */
};

struct container *container_find(struct shim *shim, const char *id);

/* A container in state CREATING, in the shim's list. NULL when memory is short. */
struct container *container_new(struct shim *shim, const Task__CreateRequest *request);
/* Takes it out of the list and frees it with all its processes; nothing may be busy. */
void container_free(struct container *c);

/* The process EXEC_ID ("" or NULL: the init), or NULL. */
struct process *process_find(struct container *c, const char *exec_id);
struct process *process_new_exec(struct container *c, const Task__ExecRequest *request);
/* Takes an exec out of its container's list and frees it. */
void process_free_exec(struct process *p);

/* PID now runs the process: from here on its end is seen. Returns 0 or a negative errno. */
int process_watch(struct process *p, pid_t pid);

/* Announces what may be announced of the exits of C's processes: call it when an exit or a start became known. */
void container_settle(struct container *c);

/* Takes the terminal's master from console_fd and starts copying. Returns 0 or a negative errno. */
int process_open_terminal(struct process *p);

/* Closes what the shim holds of the process's streams. */
void process_close_stdio(struct process *p);

Task__State process_status(const struct process *p);

#endif
