/* A gRPC client for a few calls over containerd's Unix socket, on nghttp2. Blocking: for workers only. */
#ifndef WHERRY_SHIM_GRPC_H
#define WHERRY_SHIM_GRPC_H

#include "base/err.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct grpc;

/* Connects to "unix://PATH" or "PATH"; calls carry containerd's NAMESPACE. Returns 0 or a negative errno with *E. */
int grpc_open(const char *address, const char *namespace, struct grpc **out, struct err *e);
void grpc_close(struct grpc *g); /* NULL is fine */

/* Calls METHOD ("/containerd.services.images.v1.Images/Get") with REQUEST. Each message of the answer is passed to RECEIVE,
 * which returns 0 or a negative errno that ends the call. Returns 0; -ENOENT for the status NotFound; or another negative
 * errno, with *E. Fails after ten seconds without a byte. */
int grpc_call(struct grpc *g, const char *method, const ProtobufCMessage *request,
              int (*receive)(void *context, const uint8_t *message, size_t len), void *context, struct err *e);

#endif
