/* The ttrpc server: connections in, calls out, replies whenever they are ready. */
#ifndef WHERRY_SHIM_SERVER_H
#define WHERRY_SHIM_SERVER_H

#include "shim/loop.h"
#include "shim/ttrpc.h"

struct connection;

/* ANSWER is borrowed; NULL: an empty message, or, with WHY, a failure. */
typedef void call_answered(void *context, const ProtobufCMessage *answer, const char *why);

/* One request that must be answered exactly once, now or later. It survives its connection. */
struct call {
    struct connection *connection;          /* NULL: the client is gone, the answer goes nowhere */
    struct call *next_in_connection, *next; /* `next` is the handler's, for lists of waiting calls */
    uint32_t stream;
    call_answered *answered; /* of call_inside; NULL: the client is a connection's */
    void *answered_context;
};

struct method {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    void (*handle)(void *context, struct call *call, const ProtobufCMessage *request); /* borrows REQUEST */
};

struct service {
    bool (*has_name)(const char *name);
    const struct method *methods; /* ends with a NULL name */
};

struct server {
    struct loop *loop;
    struct source source; /* the listening socket */
    struct timer again;   /* accepting resumes, after descriptors ran out */
    struct connection *connections;
    const struct service *services; /* ends with a NULL has_name */
    void *context;
    void (*flushed)(struct server *server); /* called when the last waiting byte of a connection is sent; may be NULL */
};

/* Serves on LISTEN_FD, which it takes over. The other members of *SERVER are the caller's to fill in. */
int server_init(struct server *server, struct loop *loop, int listen_fd);

/* Answers and frees CALL. MESSAGE NULL: an empty message. */
void call_reply(struct call *call, const ProtobufCMessage *message);
__attribute__((format(printf, 3, 4))) void call_fail(struct call *call, enum ttrpc_code code, const char *format, ...);

/* Calls NAME of METHODS (with their CONTEXT) without a connection; ANSWERED is called once with ANSWERED_CONTEXT, perhaps
 * before this returns. */
void call_inside(const struct method *methods, const char *name, void *context, const ProtobufCMessage *request,
                 call_answered *answered, void *answered_context);

/* True while bytes wait to be sent on some connection. */
bool server_is_sending(const struct server *server);

#endif
