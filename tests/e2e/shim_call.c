/* See shim_call.h. */
#include "shim_call.h"
#include "base/fd.h"
#include "shim/address.h"
#include "shim/ttrpc.h"
#include <poll.h>
#include <sys/socket.h>

enum { TIMEOUT_MS = 20000 };

int shim_dial(const char *address)
{
    int fd = address_connect(address);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFL, 0);
    return fd;
}

Rpc__Response *shim_exchange(int fd, const char *method, const ProtobufCMessage *request)
{
    static uint32_t stream = 1;
    struct bytes out = {0}, in = {0};
    struct ttrpc_frame frame;
    Rpc__Response *response = NULL;
    bool sent;

    stream += 2;
    sent = ttrpc_put_request(&out, stream,
                             strstr(method, "Sandbox") != NULL || strcmp(method, "Platform") == 0
                                 ? "containerd.runtime.sandbox.v1.Sandbox"
                                 : "containerd.task.v2.Task",
                             method, request) &&
           send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
    bytes_done(&out);
    while (sent && response == NULL) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;
        if (poll(&p, 1, TIMEOUT_MS) <= 0 || !bytes_reserve(&in, 4096))
            break;
        n = recv(fd, in.data + in.len, in.capacity - in.len, 0);
        if (n <= 0)
            break;
        in.len += (size_t)n;
        if (ttrpc_parse(in.data, in.len, &frame) == TTRPC_FRAME)
            response = rpc__response__unpack(NULL, frame.len, frame.payload);
    }
    bytes_done(&in);
    return response;
}
