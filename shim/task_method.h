/* What the methods of the task service share, and those that need a file of their own. The context of each is a struct shim. */
#ifndef WHERRY_SHIM_TASK_METHOD_H
#define WHERRY_SHIM_TASK_METHOD_H

#include "shim/proc.h"
#include "shim/runtime.h"

/* The code that containerd's callers know ERROR (an errno) by. */
enum ttrpc_code task_code_of(int error);

void task_fail_memory(struct call *call);

/* The container, or NULL after CALL was answered. One that is still being created does not exist for anybody else. */
struct container *task_need_container(struct shim *shim, struct call *call, const char *id);
struct process *task_need_process(struct shim *shim, struct call *call, const char *id, const char *exec_id);

/* True when nothing else (BUSY) is under way; else CALL is answered. */
bool task_need_idle(struct call *call, const char *id, const char *busy);

struct process *task_process_of(struct worker *worker);

/* A job for C without what is special to one method. It borrows C's strings. */
struct runtime_job task_job_of(const struct container *c);

/* Answers Create or Start. */
void task_reply_pid(struct call *call, pid_t pid);

/* Starts the worker of P with its streams open, and a socket for the terminal's master. Returns 0 or a negative errno with *E. */
int task_start_with_stdio(struct process *p, worker_run *run, const struct runtime_job *job, struct err *e);

/* Start of an exec. */
void task_start_exec(struct process *p, struct call *call);

void task_create(void *context, struct call *call, const ProtobufCMessage *message);
void task_start(void *context, struct call *call, const ProtobufCMessage *message);
void task_delete(void *context, struct call *call, const ProtobufCMessage *message);
void task_exec(void *context, struct call *call, const ProtobufCMessage *message);
void task_kill(void *context, struct call *call, const ProtobufCMessage *message);
void task_pause(void *context, struct call *call, const ProtobufCMessage *message);
void task_resume(void *context, struct call *call, const ProtobufCMessage *message);
void task_update(void *context, struct call *call, const ProtobufCMessage *message);
void task_checkpoint(void *context, struct call *call, const ProtobufCMessage *message);

#endif
