/* See event.h. As containerd's own shims do: five tries, n seconds between them, five seconds for an answer. */
#include "shim/event.h"
#include "base/fd.h"
#include "shim/address.h"
#include "shim/event.pb-c.h"
#include "shim/log.h"
#include "shim/ttrpc.h"
#include <stddef.h>
#include <sys/socket.h>

enum { ATTEMPTS_MAX = 5, ANSWER_MS = 5000, RETRY_MS = 1000 };

struct event_entry {
    struct event_entry *next;
    char *topic;
    struct bytes frame; /* the whole request; its stream number is patched in when it is sent */
};

static void send_next(struct publisher *p);

static void disconnect(struct publisher *p)
{
    loop_remove(p->loop, &p->source);
    fd_close(&p->fd);
    bytes_done(&p->in);
    bytes_done(&p->out);
    p->waiting = false;
}

static void drop_first(struct publisher *p)
{
    struct event_entry *entry = p->first;

    p->first = entry->next;
    if (p->first == NULL)
        p->last = NULL;
    bytes_done(&entry->frame);
    free(entry->topic);
    free(entry);
    p->attempts = 0;
    loop_timer_clear(p->loop, &p->timer);
    if (p->first != NULL)
        send_next(p);
    else if (p->drained != NULL)
        p->drained(p);
}

static void failed(struct publisher *p, const char *why)
{
    disconnect(p);
    if (p->first == NULL)
        return;
    if (++p->attempts < ATTEMPTS_MAX) {
        loop_timer_set(p->loop, &p->timer, p->attempts * RETRY_MS);
        return;
    }
    log_line(LOG_ERROR, NULL, "event %s is lost after %d tries: %s", p->first->topic, ATTEMPTS_MAX, why);
    drop_first(p);
}

static void flush(struct publisher *p)
{
    ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        failed(p, strerror(errno));
        return;
    }
    if (n > 0)
        bytes_drop(&p->out, (size_t)n);
    loop_change(p->loop, &p->source, p->out.len != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void answered(struct publisher *p, const struct ttrpc_frame *frame)
{
    Rpc__Response *response;

    if (!p->waiting || frame->type != TTRPC_RESPONSE || frame->stream != p->stream)
        return;
    response = rpc__response__unpack(NULL, frame->len, frame->payload);
    p->waiting = false;
    if (response != NULL && response->status != NULL && response->status->code != TTRPC_OK)
        log_line(LOG_WARNING, NULL, "containerd refuses event %s: %s", p->first->topic, response->status->message);
    if (response != NULL)
        rpc__response__free_unpacked(response, NULL);
    drop_first(p);
}

static void receive(struct publisher *p)
{
    struct ttrpc_frame frame;
    ssize_t n;

    if (!bytes_reserve(&p->in, 512)) {
        failed(p, "out of memory");
        return;
    }
    n = recv(p->fd, p->in.data + p->in.len, p->in.capacity - p->in.len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        failed(p, n == 0 ? "containerd closed the connection" : strerror(errno));
        return;
    }
    p->in.len += (size_t)n;
    while (p->fd >= 0) {
        enum ttrpc_result result = ttrpc_parse(p->in.data, p->in.len, &frame);
        struct bytes consumed = p->in;
        if (result == TTRPC_TOO_LARGE)
            failed(p, "containerd's answer is too large");
        if (result != TTRPC_FRAME)
            return;
        p->in = (struct bytes){0}; /* answered() may go on to the next event, or close */
        if (!bytes_put(&p->in, consumed.data + TTRPC_HEADER_BYTES + frame.len,
                       consumed.len - TTRPC_HEADER_BYTES - frame.len))
            p->in = (struct bytes){0};
        answered(p, &frame);
        bytes_done(&consumed);
    }
}

static void publisher_ready(struct source *source, uint32_t events)
{
    struct publisher *p = (struct publisher *)((char *)source - offsetof(struct publisher, source));

    if (events & EPOLLOUT)
        flush(p);
    if (p->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive(p);
}

static int reconnect(struct publisher *p)
{
    int error;

    p->fd = address_connect(p->address);
    if (p->fd < 0)
        return p->fd;
    error = loop_add(p->loop, &p->source, p->fd, EPOLLIN);
    if (error != 0)
        fd_close(&p->fd);
    return error;
}

static void send_next(struct publisher *p)
{
    struct bytes *frame = &p->first->frame;
    int error = p->fd < 0 ? reconnect(p) : 0;

    if (error != 0) {
        failed(p, strerror(-error));
        return;
    }
    p->stream += 2;
    frame->data[4] = (uint8_t)(p->stream >> 24);
    frame->data[5] = (uint8_t)(p->stream >> 16);
    frame->data[6] = (uint8_t)(p->stream >> 8);
    frame->data[7] = (uint8_t)p->stream;
    if (!bytes_put(&p->out, frame->data, frame->len)) {
        failed(p, "out of memory");
        return;
    }
    p->waiting = true;
    loop_timer_set(p->loop, &p->timer, ANSWER_MS);
    flush(p);
}

static void timer_expired(struct timer *timer)
{
    struct publisher *p = (struct publisher *)((char *)timer - offsetof(struct publisher, timer));

    if (p->waiting)
        failed(p, "no answer within five seconds");
    else if (p->first != NULL)
        send_next(p);
}

void publisher_init(struct publisher *p, struct loop *loop, const char *address, const char *namespace)
{
    *p = (struct publisher){.loop = loop, .address = address, .namespace = namespace, .fd = -1, .stream = UINT32_MAX};
    p->source = (struct source){.ready = publisher_ready, .fd = -1};
    p->timer.expired = timer_expired;
}

/* The request that forwards MESSAGE, serialized. */
static bool envelope_put(struct publisher *p, const char *topic, const char *name, const ProtobufCMessage *message,
                         struct bytes *out)
{
    Event__ForwardRequest request = EVENT__FORWARD_REQUEST__INIT;
    Event__Envelope envelope = EVENT__ENVELOPE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;
    Rpc__Any any = RPC__ANY__INIT;
    char type_url[64];
    struct timespec now;
    bool done;

    clock_gettime(CLOCK_REALTIME, &now);
    when.seconds = now.tv_sec;
    when.nanos = (int32_t)now.tv_nsec;
    snprintf(type_url, sizeof type_url, "containerd.events.%s", name);
    any.type_url = type_url;
    if (!ttrpc_pack(message, &any.value))
        return false;
    envelope.timestamp = &when;
    envelope.namespace_ = (char *)p->namespace;
    envelope.topic = (char *)topic;
    envelope.event = &any;
    request.envelope = &envelope;
    done = ttrpc_put_request(out, 0, "containerd.services.events.ttrpc.v1.Events", "Forward", &request.base);
    free(any.value.data);
    return done;
}

void publisher_put(struct publisher *p, const char *topic, const char *name, const ProtobufCMessage *message)
{
    struct event_entry *entry;

    if (p->address == NULL || p->address[0] == 0)
        return;
    entry = calloc(1, sizeof *entry);
    if (entry != NULL)
        entry->topic = strdup(topic);
    if (entry == NULL || entry->topic == NULL || !envelope_put(p, topic, name, message, &entry->frame)) {
        log_line(LOG_ERROR, NULL, "event %s is lost: out of memory", topic);
        if (entry != NULL)
            free(entry->topic);
        free(entry);
        return;
    }
    if (p->last != NULL)
        p->last->next = entry;
    else
        p->first = entry;
    p->last = entry;
    if (p->first == entry)
        send_next(p);
}

bool publisher_is_empty(const struct publisher *p)
{
    return p->first == NULL;
}
