/* A shim that does nothing: it answers every call at once and makes no container. What a container costs under it is what
 * containerd and its client cost themselves; tests/bench/shim.sh takes that off. Flags as containerd gives them; the verb is
 * the last argument. */
#include "base/fd.h"
#include "shim/address.h"
#include "shim/server.h"
#include "shim/task.pb-c.h"
#include <stdio.h>
#include <stdlib.h>

static struct loop loop;

static void answer_pid(void *context, struct call *call, const ProtobufCMessage *request)
{
    Task__PidResponse response = TASK__PID_RESPONSE__INIT;
    response.pid = (uint32_t)getpid();
    call_reply(call, &response.base);
}

static void answer_connect(void *context, struct call *call, const ProtobufCMessage *request)
{
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;
    response.shim_pid = response.task_pid = (uint32_t)getpid();
    call_reply(call, &response.base);
}

static void answer_wait(void *context, struct call *call, const ProtobufCMessage *request)
{
    Task__WaitResponse response = TASK__WAIT_RESPONSE__INIT;
    call_reply(call, &response.base);
}

static void answer_state(void *context, struct call *call, const ProtobufCMessage *request)
{
    Task__StateResponse response = TASK__STATE_RESPONSE__INIT;
    response.pid = (uint32_t)getpid();
    response.status = TASK__STATE__STOPPED;
    call_reply(call, &response.base);
}

static void answer_delete(void *context, struct call *call, const ProtobufCMessage *request)
{
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    response.pid = (uint32_t)getpid();
    call_reply(call, &response.base);
}

static void answer_nothing(void *context, struct call *call, const ProtobufCMessage *request)
{
    call_reply(call, NULL);
}

/* The loop ends once the answer is on its way. */
static bool leaving;

static void flushed(struct server *server)
{
    loop.stopped = leaving;
}

static void answer_shutdown(void *context, struct call *call, const ProtobufCMessage *request)
{
    leaving = true;
    call_reply(call, NULL);
    loop.stopped = !server_is_sending(context);
}

static const struct method methods[] = {
    {"Create", &task__create_request__descriptor, answer_pid},
    {"Start", &task__process_request__descriptor, answer_pid},
    {"Connect", &task__container_request__descriptor, answer_connect},
    {"Wait", &task__process_request__descriptor, answer_wait},
    {"State", &task__process_request__descriptor, answer_state},
    {"Delete", &task__process_request__descriptor, answer_delete},
    {"Kill", &task__kill_request__descriptor, answer_nothing},
    {"CloseIO", &task__close_iorequest__descriptor, answer_nothing},
    {"Shutdown", &task__shutdown_request__descriptor, answer_shutdown},
    {NULL, NULL, NULL},
};

static bool any_service(const char *name)
{
    return true;
}

static void serve(int listener, const char *address)
{
    static const struct service services[] = {{any_service, methods}, {NULL, NULL}};
    static struct server server = {.services = services, .flushed = flushed};
    int null = open("/dev/null", O_RDWR);

    setsid();
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    server.context = &server;
    if (loop_init(&loop) == 0 && server_init(&server, &loop, listener) == 0)
        loop_run(&loop);
    unlink(address_path(address));
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *id = "";
    char address[ADDRESS_MAX];
    struct err e;
    int listener;

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-id") == 0)
            id = argv[i + 1];
    if (argc < 2 || strcmp(argv[argc - 1], "start") != 0)
        return 0; /* an empty DeleteResponse */
    if (address_make("/run/containerd/s", "nothing", "nothing", id, address, &e) != 0 ||
        (listener = address_listen(address, &e)) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    if (fork() == 0)
        serve(listener, address);
    if (getenv("MAX_SHIM_VERSION") != NULL)
        printf("{\"version\":2,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", address);
    else
        printf("%s", address);
    cleanup_fd int fd = open("address", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    return fd_write_all(fd, address, strlen(address)) != 0;
}
