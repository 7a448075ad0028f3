/* Events: in order, one at a time, across a containerd that hangs up. */
#include "shim/event.h"
#include "shim/address.h"
#include "shim/event.pb-c.h"
#include "shim/ttrpc.h"
#include "base/fd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

static struct loop loop;
static struct publisher publisher;
static struct source listener, client;
static char address[ADDRESS_MAX], seen[256];
static unsigned hang_up;

static void stop_loop(struct publisher *p)
{
    (void)p;
    loop.stopped = true;
}

/* The other side: notes topic and container, answers; hangs up without an answer as often as the test wants. */
static void client_ready(struct source *source, uint32_t events)
{
    uint8_t in[4096];
    struct bytes out = {0};
    struct ttrpc_frame frame;
    Rpc__Request *request;
    Event__ForwardRequest *forward;
    ssize_t n = recv(source->fd, in, sizeof in, MSG_DONTWAIT);
    int fd = source->fd;

    (void)events;
    if (n <= 0 || hang_up != 0) {
        hang_up -= n > 0 ? 1 : 0;
        loop_remove(&loop, source);
        close(fd);
        return;
    }
    assert_int_equal(ttrpc_parse(in, (size_t)n, &frame), TTRPC_FRAME);
    assert_int_equal(frame.len + TTRPC_HEADER_BYTES, n); /* one event under way at a time */
    assert_int_equal(frame.stream % 2, 1);
    request = rpc__request__unpack(NULL, frame.len, frame.payload);
    assert_string_equal(request->service, "containerd.services.events.ttrpc.v1.Events");
    assert_string_equal(request->method, "Forward");
    forward = event__forward_request__unpack(NULL, request->payload.len, request->payload.data);
    assert_string_equal(forward->envelope->namespace_, "k8s.io");
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s %s;", forward->envelope->topic,
             forward->envelope->event->type_url);
    event__forward_request__free_unpacked(forward, NULL);
    rpc__request__free_unpacked(request, NULL);
    ttrpc_put_response(&out, frame.stream, NULL);
    assert_int_equal(send(fd, out.data, out.len, 0), (ssize_t)out.len);
    bytes_done(&out);
}

static void listener_ready(struct source *source, uint32_t events)
{
    (void)events;
    client.ready = client_ready;
    loop_add(&loop, &client, accept4(source->fd, NULL, NULL, SOCK_NONBLOCK), EPOLLIN);
}

static int start(void **state)
{
    struct err e;

    snprintf(address, sizeof address, "/tmp/wherry-test-event-%d", (int)getpid());
    assert_int_equal(loop_init(&loop), 0);
    listener = (struct source){.ready = listener_ready, .fd = -1};
    client.fd = -1;
    assert_int_equal(loop_add(&loop, &listener, address_listen(address, &e), EPOLLIN), 0);
    publisher_init(&publisher, &loop, address, "k8s.io");
    publisher.drained = stop_loop;
    (void)state;
    return 0;
}

static int stop(void **state)
{
    unlink(address);
    (void)state;
    return 0;
}

static void put(const char *topic, const char *name)
{
    Event__TaskStart event = EVENT__TASK_START__INIT;
    event.container_id = (char *)"c1";
    publisher_put(&publisher, topic, name, &event.base);
}

static void in_order(void **state)
{
    seen[0] = 0;
    put("/tasks/create", "TaskCreate");
    put("/tasks/start", "TaskStart");
    put("/tasks/exit", "TaskExit");
    loop.stopped = false;
    loop_run(&loop);
    assert_string_equal(seen, "/tasks/create containerd.events.TaskCreate;/tasks/start containerd.events.TaskStart;"
                              "/tasks/exit containerd.events.TaskExit;");
    (void)state;
}

static void again_after_a_hang_up(void **state)
{
    seen[0] = 0;
    hang_up = 1;
    put("/tasks/exit", "TaskExit");
    put("/tasks/delete", "TaskDelete");
    loop.stopped = false;
    loop_run(&loop);
    assert_string_equal(seen, "/tasks/exit containerd.events.TaskExit;/tasks/delete containerd.events.TaskDelete;");
    (void)state;
}

static void without_an_address(void **state)
{
    struct publisher nobody;

    publisher_init(&nobody, &loop, NULL, "k8s.io");
    publisher_put(&nobody, "/tasks/oom", "TaskOOM", NULL);
    assert_true(publisher_is_empty(&nobody));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(again_after_a_hang_up),
        cmocka_unit_test(without_an_address),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
