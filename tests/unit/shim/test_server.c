/* The server over a real socket: well-formed and malformed requests, each answered or refused, never a hang. */
#include "shim/server.h"
#include "shim/address.h"
#include "base/fd.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

static struct loop loop;
static struct server server;
static struct call *held;
static char address[ADDRESS_MAX];

static void echo(void *context, struct call *call, const ProtobufCMessage *message)
{
    (void)context;
    call_reply(call, message);
}

static void hold(void *context, struct call *call, const ProtobufCMessage *message)
{
    (void)context;
    (void)message;
    held = call;
}

static const struct method methods[] = {
    {"Echo", &rpc__any__descriptor, echo}, {"Hold", &rpc__any__descriptor, hold}, {NULL, NULL, NULL}};

static bool has_service(const char *name)
{
    return strcmp(name, "test.Service") == 0;
}

static const struct service services[] = {{has_service, methods}, {NULL, NULL}};

static int start(void **state)
{
    struct err e = {0};

    snprintf(address, sizeof address, "unix:///tmp/wherry-test-server-%d", (int)getpid());
    assert_int_equal(loop_init(&loop), 0);
    server = (struct server){.services = services};
    assert_int_equal(server_init(&server, &loop, address_listen(address, &e)), 0);
    (void)state;
    return 0;
}

static int stop(void **state)
{
    unlink(address_path(address));
    (void)state;
    return 0;
}

static void stop_loop(struct timer *timer)
{
    (void)timer;
    loop.stopped = true;
}

static void run_ms(unsigned ms)
{
    struct timer timer = {.expired = stop_loop};
    loop.stopped = false;
    loop_timer_set(&loop, &timer, ms);
    loop_run(&loop);
}

/* Sends, lets the server run, and returns the first response on the connection (NULL: closed or none). */
static Rpc__Response *exchange(int fd, const void *data, size_t len)
{
    static uint8_t in[1 << 16];
    struct ttrpc_frame frame;
    ssize_t n;

    assert_int_equal(send(fd, data, len, 0), (ssize_t)len);
    run_ms(20);
    n = recv(fd, in, sizeof in, MSG_DONTWAIT);
    if (n <= 0 || ttrpc_parse(in, (size_t)n, &frame) != TTRPC_FRAME)
        return NULL;
    return rpc__response__unpack(NULL, frame.len, frame.payload);
}

static void expect_code(const void *data, size_t len, int code)
{
    cleanup_fd int fd = address_connect(address);
    Rpc__Response *response = exchange(fd, data, len);

    assert_non_null(response);
    assert_int_equal(response->status != NULL ? response->status->code : 0, code);
    rpc__response__free_unpacked(response, NULL);
}

static struct bytes request(const char *service, const char *method, uint32_t stream)
{
    Rpc__Any any = RPC__ANY__INIT;
    struct bytes out = {0};

    any.type_url = (char *)"hello";
    assert_true(ttrpc_put_request(&out, stream, service, method, &any.base));
    return out;
}

static void answers_and_refusals(void **state)
{
    struct bytes good = request("test.Service", "Echo", 1), service = request("other.Service", "Echo", 1),
                 method = request("test.Service", "Other", 1), even = request("test.Service", "Echo", 2);
    uint8_t type[] = {0, 0, 0, 0, 0, 0, 0, 1, 9, 0}, message[] = {0, 0, 0, 1, 0, 0, 0, 1, TTRPC_REQUEST, 0, 0xff};

    expect_code(good.data, good.len, 0);
    expect_code(service.data, service.len, TTRPC_UNIMPLEMENTED);
    expect_code(method.data, method.len, TTRPC_UNIMPLEMENTED);
    expect_code(even.data, even.len, TTRPC_INVALID_ARGUMENT);
    expect_code(type, sizeof type, TTRPC_INVALID_ARGUMENT);
    expect_code(message, sizeof message, TTRPC_INVALID_ARGUMENT);
    bytes_done(&good);
    bytes_done(&service);
    bytes_done(&method);
    bytes_done(&even);
    (void)state;
}

static void broken_arguments(void **state)
{
    Rpc__Request bad = RPC__REQUEST__INIT;
    uint8_t frame[256] = {0};
    size_t len;

    bad.service = (char *)"test.Service";
    bad.method = (char *)"Echo";
    bad.payload.data = (uint8_t *)"\x0a\x7f";
    bad.payload.len = 2;
    len = rpc__request__pack(&bad, frame + TTRPC_HEADER_BYTES);
    frame[3] = (uint8_t)len;
    frame[7] = 1;
    frame[8] = TTRPC_REQUEST;
    expect_code(frame, TTRPC_HEADER_BYTES + len, TTRPC_INVALID_ARGUMENT);
    (void)state;
}

/* The oversized message is thrown away as it comes; the connection goes on with the next one. */
static void oversized_message_then_a_good_one(void **state)
{
    uint8_t header[] = {0, 0x40, 0, 1, 0, 0, 0, 3, TTRPC_REQUEST, 0};
    cleanup_fd int fd = address_connect(address);
    struct bytes good = request("test.Service", "Echo", 5);
    uint8_t *chunk = calloc(1, 65536);
    size_t left = TTRPC_PAYLOAD_MAX + 1;
    Rpc__Response *response;

    assert_int_equal(send(fd, header, sizeof header, 0), sizeof header);
    while (left != 0) {
        ssize_t n = send(fd, chunk, left < 65536 ? left : 65536, MSG_DONTWAIT);
        left -= n > 0 ? (size_t)n : 0;
        run_ms(0);
        assert_true(server.connections != NULL);
    }
    response = exchange(fd, "", 0);
    assert_non_null(response);
    assert_int_equal(response->status->code, TTRPC_RESOURCE_EXHAUSTED);
    rpc__response__free_unpacked(response, NULL);
    response = exchange(fd, good.data, good.len);
    assert_non_null(response);
    assert_null(response->status);
    rpc__response__free_unpacked(response, NULL);
    free(chunk);
    bytes_done(&good);
    (void)state;
}

static void answer_after_the_client_left(void **state)
{
    int fd = address_connect(address);
    struct bytes wait = request("test.Service", "Hold", 1);

    assert_int_equal(send(fd, wait.data, wait.len, 0), (ssize_t)wait.len);
    run_ms(20);
    assert_non_null(held);
    close(fd);
    run_ms(20);
    assert_null(held->connection);
    call_reply(held, NULL);
    bytes_done(&wait);
    (void)state;
}

static void answers_out_of_order(void **state)
{
    cleanup_fd int fd = address_connect(address);
    struct bytes wait = request("test.Service", "Hold", 1), quick = request("test.Service", "Echo", 3);
    uint8_t in[256];
    struct ttrpc_frame frame;
    Rpc__Response *response;
    ssize_t n;

    assert_int_equal(send(fd, wait.data, wait.len, 0), (ssize_t)wait.len);
    response = exchange(fd, quick.data, quick.len);
    assert_non_null(response);
    rpc__response__free_unpacked(response, NULL);
    call_fail(held, TTRPC_NOT_FOUND, "gone");
    n = recv(fd, in, sizeof in, MSG_DONTWAIT);
    assert_int_equal(ttrpc_parse(in, (size_t)n, &frame), TTRPC_FRAME);
    assert_int_equal(frame.stream, 1);
    bytes_done(&wait);
    bytes_done(&quick);
    (void)state;
}

/* A second shim must not take the socket of one that answers, but replace that of a dead one. */
static void sockets_live_and_stale(void **state)
{
    struct err e = {0};
    int fd;

    assert_int_equal(address_listen(address, &e), -EADDRINUSE);
    fd = server.source.fd;
    loop_remove(&loop, &server.source);
    close(fd);
    fd = address_listen(address, &e);
    assert_true(fd >= 0);
    assert_int_equal(loop_add(&loop, &server.source, fd, EPOLLIN), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_refusals),
        cmocka_unit_test(broken_arguments),
        cmocka_unit_test(oversized_message_then_a_good_one),
        cmocka_unit_test(answer_after_the_client_left),
        cmocka_unit_test(answers_out_of_order),
        cmocka_unit_test(sockets_live_and_stale),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
