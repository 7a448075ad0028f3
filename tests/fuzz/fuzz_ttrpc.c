/* Fuzzes what a client can send the shim: frames, the request in them, and the arguments of each method. */
#include "shim/ttrpc.h"
#include "shim/task.pb-c.h"
#include "shim/bootstrap.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const arguments[] = {
    &task__create_request__descriptor, &task__process_request__descriptor,    &task__exec_request__descriptor,
    &task__kill_request__descriptor,   &task__resize_pty_request__descriptor, &task__update_request__descriptor,
};

static void try_request(const struct ttrpc_frame *frame)
{
    Rpc__Request *request = rpc__request__unpack(NULL, frame->len, frame->payload);
    ProtobufCMessage *message;

    if (request == NULL)
        return;
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        message = protobuf_c_message_unpack(arguments[i], NULL, request->payload.len, request->payload.data);
        if (message != NULL)
            protobuf_c_message_free_unpacked(message, NULL);
    }
    rpc__request__free_unpacked(request, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bootstrap bootstrap;
    struct ttrpc_frame frame;
    struct err e;

    bootstrap_read(data, size, "c1", &bootstrap, &e);
    while (ttrpc_parse(data, size, &frame) == TTRPC_FRAME) {
        try_request(&frame);
        data += TTRPC_HEADER_BYTES + frame.len;
        size -= TTRPC_HEADER_BYTES + frame.len;
    }
    return 0;
}
