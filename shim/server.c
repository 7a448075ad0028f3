/* See server.h. Connections hold no buffer while they are idle. A client that sends but never reads is cut off once
 * OUT_MAX bytes of answers wait for it. */
#include "shim/server.h"
#include "base/fd.h"
#include "shim/log.h"
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

enum { READ_STEP = 4096, OUT_MAX = 16 << 20, ACCEPT_AGAIN_MS = 100 };

struct connection {
    struct server *server;
    struct connection *next;
    struct source source;
    struct bytes in, out;
    struct call *calls; /* not answered yet */
    size_t skip;        /* bytes of an oversized message that are still to be thrown away */
    uint32_t dead_stream;
};

static void connection_close(struct connection *c)
{
    int fd = c->source.fd;

    loop_remove(c->server->loop, &c->source);
    close(fd);
    for (struct call *call = c->calls; call != NULL; call = call->next_in_connection)
        call->connection = NULL;
    for (struct connection **at = &c->server->connections; *at != NULL; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    bytes_done(&c->in);
    bytes_done(&c->out);
    free(c);
}

/* Sends what waits. Does not close on an error: the caller may stand in the middle of the connection's input; the loop
 * reports the hang-up next. */
static void connection_flush(struct connection *c)
{
    ssize_t n = c->out.len != 0 ? send(c->source.fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

    if (n > 0)
        bytes_drop(&c->out, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        bytes_done(&c->out);
    loop_change(c->server->loop, &c->source, c->out.len != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (c->out.len == 0 && c->server->flushed != NULL)
        c->server->flushed(c->server);
}

/* Takes CALL off its connection and frees it; returns the connection (NULL: gone). */
static struct connection *call_finish(struct call *call)
{
    struct connection *c = call->connection;

    if (c != NULL)
        for (struct call **at = &c->calls; *at != NULL; at = &(*at)->next_in_connection)
            if (*at == call) {
                *at = call->next_in_connection;
                break;
            }
    free(call);
    return c;
}

static void connection_answer(struct connection *c, bool queued)
{
    if (!queued || c->out.len > OUT_MAX) {
        log_line(LOG_ERROR, NULL, "an answer is lost: %s", queued ? "the client does not read" : "out of memory");
        shutdown(c->source.fd, SHUT_RDWR); /* a client must not wait for ever for what cannot come */
    }
    connection_flush(c);
}

void call_reply(struct call *call, const ProtobufCMessage *message)
{
    const struct call was = *call;
    struct connection *c = call_finish(call);

    if (was.answered != NULL)
        was.answered(was.answered_context, message, NULL);
    if (c != NULL)
        connection_answer(c, ttrpc_put_response(&c->out, was.stream, message));
}

void call_fail(struct call *call, enum ttrpc_code code, const char *format, ...)
{
    const struct call was = *call;
    struct connection *c = call_finish(call);
    char text[1400];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (was.answered != NULL)
        was.answered(was.answered_context, NULL, text);
    if (c != NULL)
        connection_answer(c, ttrpc_put_failure(&c->out, was.stream, code, text));
}

static struct call *call_new(struct connection *c, uint32_t stream)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    *call = (struct call){.connection = c, .stream = stream, .next_in_connection = c->calls};
    c->calls = call;
    return call;
}

static const struct method *method_find(const struct method *methods, const char *name)
{
    const struct method *m = methods;
    while (m->name != NULL && strcmp(m->name, name) != 0)
        m++;
    return m->name != NULL ? m : NULL;
}

void call_inside(const struct method *methods, const char *name, void *context, const ProtobufCMessage *request,
                 call_answered *answered, void *answered_context)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        answered(answered_context, NULL, "the shim is out of memory");
        return;
    }
    *call = (struct call){.answered = answered, .answered_context = answered_context};
    method_find(methods, name)->handle(context, call, request);
}

static void call_dispatch(struct server *server, struct call *call, const Rpc__Request *request)
{
    const struct service *service = server->services;
    const struct method *method;
    ProtobufCMessage *arguments;

    while (service->has_name != NULL && !service->has_name(request->service))
        service++;
    if (service->has_name == NULL) {
        call_fail(call, TTRPC_UNIMPLEMENTED, "service %.200s is not served here", request->service);
        return;
    }
    method = method_find(service->methods, request->method);
    if (method == NULL) {
        call_fail(call, TTRPC_UNIMPLEMENTED, "method %.200s of %s is not served here", request->method,
                  request->service);
        return;
    }
    arguments = protobuf_c_message_unpack(method->request, NULL, request->payload.len, request->payload.data);
    if (arguments == NULL) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "the arguments of %s are not a valid message", method->name);
        return;
    }
    method->handle(server->context, call, arguments);
    protobuf_c_message_free_unpacked(arguments, NULL);
}

static void frame_handle(struct connection *c, const struct ttrpc_frame *frame)
{
    Rpc__Request *request;
    struct call *call = call_new(c, frame->stream);

    if (call == NULL) {
        connection_answer(c, false);
        return;
    }
    if (frame->type != TTRPC_REQUEST) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "frame type %u is not a request; streams are not served here",
                  frame->type);
        return;
    }
    if (frame->stream % 2 == 0) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "stream %u: a client's streams have odd numbers", frame->stream);
        return;
    }
    request = rpc__request__unpack(NULL, frame->len, frame->payload);
    if (request == NULL) {
        call_fail(call, TTRPC_INVALID_ARGUMENT, "the request is not a valid message");
        return;
    }
    call_dispatch(c->server, call, request);
    rpc__request__free_unpacked(request, NULL);
}

/* Throws away what belongs to an oversized message; answers once it is over. */
static void connection_skip(struct connection *c)
{
    size_t len = c->in.len < c->skip ? c->in.len : c->skip;
    struct call *call;

    bytes_drop(&c->in, len);
    c->skip -= len;
    if (c->skip != 0)
        return;
    call = call_new(c, c->dead_stream);
    if (call != NULL)
        call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the message is larger than %d bytes", TTRPC_PAYLOAD_MAX);
}

static void connection_parse(struct connection *c)
{
    struct ttrpc_frame frame;

    for (;;) {
        enum ttrpc_result result;
        if (c->skip != 0) {
            connection_skip(c);
            if (c->skip != 0)
                return;
        }
        result = ttrpc_parse(c->in.data, c->in.len, &frame);
        if (result == TTRPC_MORE)
            return;
        if (result == TTRPC_TOO_LARGE) {
            c->skip = frame.len;
            c->dead_stream = frame.stream;
            bytes_drop(&c->in, TTRPC_HEADER_BYTES);
            continue;
        }
        frame_handle(c, &frame);
        bytes_drop(&c->in, TTRPC_HEADER_BYTES + frame.len);
    }
}

static void connection_ready(struct source *source, uint32_t events)
{
    struct connection *c = (struct connection *)((char *)source - offsetof(struct connection, source));
    ssize_t n;

    if (events & EPOLLOUT)
        connection_flush(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (!bytes_reserve(&c->in, READ_STEP)) {
        log_line(LOG_ERROR, NULL, "a connection is closed: out of memory");
        connection_close(c);
        return;
    }
    n = recv(source->fd, c->in.data + c->in.len, c->in.capacity - c->in.len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        connection_close(c);
        return;
    }
    c->in.len += (size_t)n;
    connection_parse(c);
}

static void accept_ready(struct source *source, uint32_t events)
{
    struct server *server = (struct server *)((char *)source - offsetof(struct server, source));
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *c;

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* the client stays in the queue, and epoll would report it for ever */
            log_line(LOG_ERROR, NULL, "cannot accept a connection: %s", strerror(errno));
            loop_change(server->loop, source, 0);
            loop_timer_set(server->loop, &server->again, ACCEPT_AGAIN_MS);
        }
        return;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return;
    }
    c->server = server;
    c->source = (struct source){.ready = connection_ready, .fd = -1};
    if (loop_add(server->loop, &c->source, fd, EPOLLIN) != 0) {
        close(fd);
        free(c);
        return;
    }
    c->next = server->connections;
    server->connections = c;
}

static void accept_again(struct timer *timer)
{
    struct server *server = (struct server *)((char *)timer - offsetof(struct server, again));
    loop_change(server->loop, &server->source, EPOLLIN);
}

int server_init(struct server *server, struct loop *loop, int listen_fd)
{
    server->loop = loop;
    server->connections = NULL;
    server->source = (struct source){.ready = accept_ready, .fd = -1};
    server->again = (struct timer){.expired = accept_again};
    return loop_add(loop, &server->source, listen_fd, EPOLLIN);
}

bool server_is_sending(const struct server *server)
{
    for (const struct connection *c = server->connections; c != NULL; c = c->next)
        if (c->out.len != 0)
            return true;
    return false;
}
