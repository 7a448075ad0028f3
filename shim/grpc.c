/* See grpc.h. One stream at a time; a gRPC message is a flag byte (0: not compressed), a u32 big-endian length, and a
 * protobuf message; the status comes in the trailers. */
#include "shim/grpc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "shim/address.h"
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>

enum { MESSAGE_HEADER_BYTES = 5, MESSAGE_MAX = 32 << 20, WAIT_MS = 10000 };

struct grpc {
    int fd;
    nghttp2_session *session;
    const char *namespace;
    /* of the call under way: */
    struct buf out, in;
    size_t sent;
    int32_t stream;
    int status; /* grpc-status; -1: none came */
    char message[512];
    bool closed;
    int failed; /* a negative errno that ended it */
    int (*receive)(void *context, const uint8_t *message, size_t len);
    void *context;
};

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user)
{
    struct grpc *g = user;
    return fd_write_all(g->fd, data, len) == 0 ? (ssize_t)len : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t on_request_data(nghttp2_session *session, int32_t stream, uint8_t *data, size_t size, uint32_t *flags,
                               nghttp2_data_source *source, void *user)
{
    struct grpc *g = user;
    size_t len = g->out.len - g->sent < size ? g->out.len - g->sent : size;

    memcpy(data, g->out.data + g->sent, len);
    g->sent += len;
    if (g->sent == g->out.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

/* Hands on every whole message that has come. */
static int messages_take(struct grpc *g)
{
    size_t at = 0;

    while (g->in.len - at >= MESSAGE_HEADER_BYTES) {
        const uint8_t *p = g->in.data + at;
        size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        int error;
        if (p[0] != 0 || len > MESSAGE_MAX)
            return -EPROTO;
        if (g->in.len - at - MESSAGE_HEADER_BYTES < len)
            break;
        error = g->receive(g->context, p + MESSAGE_HEADER_BYTES, len);
        if (error != 0)
            return error;
        at += MESSAGE_HEADER_BYTES + len;
    }
    if (at != 0) {
        memmove(g->in.data, g->in.data + at, g->in.len - at);
        g->in.len -= at;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len, void *user)
{
    struct grpc *g = user;

    if (stream != g->stream || g->failed != 0)
        return 0;
    buf_put(&g->in, data, len);
    g->failed = messages_take(g);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct grpc *g = user;

    if (frame->hd.stream_id != g->stream)
        return 0;
    if (name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
        g->status = atoi((const char *)value);
    else if (name_len == 12 && memcmp(name, "grpc-message", 12) == 0)
        snprintf(g->message, sizeof g->message, "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error_code, void *user)
{
    struct grpc *g = user;
    if (stream == g->stream)
        g->closed = true;
    return 0;
}

static int session_make(struct grpc *g)
{
    nghttp2_session_callbacks *callbacks;
    int error = nghttp2_session_callbacks_new(&callbacks);

    if (error != 0)
        return -ENOMEM;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    error = nghttp2_session_client_new(&g->session, callbacks, g);
    nghttp2_session_callbacks_del(callbacks);
    if (error != 0)
        return -ENOMEM;
    return nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, NULL, 0) != 0 ? -ENOMEM : 0;
}

int grpc_open(const char *address, const char *namespace, struct grpc **out, struct err *e)
{
    struct grpc *g;
    int fd = address_connect(address), error;

    if (fd < 0)
        return err_set(e, -fd, "cannot reach containerd at %s: %s", address, strerror(-fd));
    g = calloc(1, sizeof *g);
    if (g == NULL) {
        close(fd);
        return err_set(e, ENOMEM, "out of memory");
    }
    fcntl(fd, F_SETFL, 0);
    g->fd = fd;
    g->namespace = namespace;
    error = session_make(g);
    if (error != 0) {
        grpc_close(g);
        return err_set(e, -error, "cannot make an HTTP/2 session");
    }
    *out = g;
    return 0;
}

void grpc_close(struct grpc *g)
{
    if (g == NULL)
        return;
    nghttp2_session_del(g->session);
    buf_done(&g->out);
    buf_done(&g->in);
    close(g->fd);
    free(g);
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int request_submit(struct grpc *g, const char *method, const ProtobufCMessage *request)
{
    const nghttp2_nv headers[] = {header(":method", "POST"),
                                  header(":scheme", "http"),
                                  header(":path", method),
                                  header(":authority", "localhost"),
                                  header("content-type", "application/grpc"),
                                  header("te", "trailers"),
                                  header("user-agent", "wherry"),
                                  header("containerd-namespace", g->namespace)};
    nghttp2_data_provider body = {.read_callback = on_request_data};
    size_t len = protobuf_c_message_get_packed_size(request);
    const uint8_t prefix[MESSAGE_HEADER_BYTES] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                                  (uint8_t)len};

    g->out.len = g->in.len = 0;
    g->sent = 0;
    buf_put(&g->out, prefix, sizeof prefix);
    protobuf_c_message_pack(request, buf_extend(&g->out, len));
    g->status = -1;
    g->message[0] = 0;
    g->closed = false;
    g->failed = 0;
    g->stream = nghttp2_submit_request(g->session, NULL, headers, sizeof headers / sizeof *headers, &body, NULL);
    return g->stream < 0 ? -ENOMEM : 0;
}

/* Sends what the session has to send, then feeds it what comes. */
static int exchange(struct grpc *g)
{
    struct pollfd p = {.fd = g->fd, .events = POLLIN};
    uint8_t data[16384];
    ssize_t n;
    int ready;

    if (nghttp2_session_send(g->session) != 0)
        return -EIO;
    if (g->closed)
        return 0;
    ready = poll(&p, 1, WAIT_MS);
    if (ready <= 0)
        return ready == 0 ? -ETIMEDOUT : -errno;
    n = recv(g->fd, data, sizeof data, 0);
    if (n <= 0)
        return n == 0 ? -ECONNRESET : -errno;
    return nghttp2_session_mem_recv(g->session, data, (size_t)n) < 0 ? -EPROTO : 0;
}

int grpc_call(struct grpc *g, const char *method, const ProtobufCMessage *request,
              int (*receive)(void *context, const uint8_t *message, size_t len), void *context, struct err *e)
{
    int error;

    g->receive = receive;
    g->context = context;
    error = request_submit(g, method, request);
    while (error == 0 && g->failed == 0 && !g->closed)
        error = exchange(g);
    if (error == 0)
        error = g->failed;
    if (error != 0)
        return err_set(e, -error, "containerd: %s: %s", method, strerror(-error));
    if (g->status == 0)
        return 0;
    return err_set(e, g->status == 5 ? ENOENT : EIO, "containerd: %s: %s", method,
                   g->message[0] != 0 ? g->message : "no status came");
}
