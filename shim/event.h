/* Events to containerd: one ordered queue, one ttrpc connection, one event under way at a time, so that the order in which
 * they were published is the order in which they arrive, across retries and restarts of containerd. */
#ifndef WHERRY_SHIM_EVENT_H
#define WHERRY_SHIM_EVENT_H

#include "shim/bytes.h"
#include "shim/loop.h"
#include <protobuf-c/protobuf-c.h>

struct event_entry;

struct publisher {
    struct loop *loop;
    const char *address, *namespace; /* borrowed: a path or unix://PATH; "" or NULL: events are dropped */
    int fd;
    struct source source;
    struct timer timer; /* of the answer, or of the next try */
    struct bytes in, out;
    struct event_entry *first, *last;
    uint32_t stream; /* odd; of the event under way */
    unsigned attempts;
    bool waiting;                                 /* for an answer */
    void (*drained)(struct publisher *publisher); /* called when the queue becomes empty; may be NULL */
};

void publisher_init(struct publisher *p, struct loop *loop, const char *address, const char *namespace);

/* Queues MESSAGE (of type NAME, e.g. "TaskExit") under TOPIC. Never fails visibly: what cannot be queued or delivered
 * after five tries is logged and dropped, since a container must not stand still for it. */
void publisher_put(struct publisher *p, const char *topic, const char *name, const ProtobufCMessage *message);

bool publisher_is_empty(const struct publisher *p);

#endif
