/* See channel.h. */
#include "oci/channel.h"
#include "base/fd.h"
#include <sys/socket.h>

/* What is sent: the path only where there is one, so that an ordinary message touches one page. */
struct packet {
    uint32_t kind, path_len;
    int32_t number;
    bool in_cgroup;
    struct err error;
    char path[PATH_MAX];
};

int channel_open(int ends[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, "cannot make a socket pair for the container's init");
    return 0;
}

int channel_send(int end, const struct message *message, struct err *e)
{
    struct packet packet;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof message->fds)];
    } control = {0};
    struct iovec io = {&packet, offsetof(struct packet, path)};
    struct msghdr header = {.msg_iov = &io, .msg_iovlen = 1};
    unsigned count = 0;

    packet.kind = message->kind;
    packet.path_len = 0;
    packet.number = message->number;
    packet.in_cgroup = message->in_cgroup;
    packet.error = message->error;
    if (message->kind == MESSAGE_MODULE) {
        packet.path_len = (uint32_t)strlen(message->path);
        memcpy(packet.path, message->path, packet.path_len);
        io.iov_len += packet.path_len;
    }
    while (count < MESSAGE_FDS_MAX && message->fds[count] >= 0)
        count++;
    if (count != 0) {
        struct cmsghdr *c = &control.align;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), message->fds, count * sizeof(int));
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    while (sendmsg(end, &header, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return err_sys(e, "cannot write to the other side of the container's creation");
    return 0;
}

static void take_fds(struct msghdr *header, struct message *message)
{
    for (int i = 0; i < MESSAGE_FDS_MAX; i++)
        message->fds[i] = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(sizeof message->fds))
            memcpy(message->fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

int channel_receive(int end, struct message *message, struct err *e)
{
    struct packet packet;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof message->fds)];
    } control;
    struct iovec io = {&packet, sizeof packet};
    struct msghdr header = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t len;

    do
        len = recvmsg(end, &header, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len == 0 || (len < 0 && errno == ECONNRESET))
        return 0;
    if (len < 0)
        return err_sys(e, "cannot read from the other side of the container's creation");
    take_fds(&header, message);
    if ((size_t)len < offsetof(struct packet, path) || packet.path_len != (size_t)len - offsetof(struct packet, path) ||
        packet.path_len >= sizeof message->path)
        return err_set(e, EPROTO, "a message of the container's creation has a wrong length");
    message->kind = packet.kind;
    message->number = packet.number;
    message->in_cgroup = packet.in_cgroup;
    message->error = packet.error;
    message->error.text[sizeof message->error.text - 1] = 0;
    memcpy(message->path, packet.path, packet.path_len);
    message->path[packet.path_len] = 0;
    return 1;
}

int channel_receive_go(int end, struct message *answer, struct err *e)
{
    int ret = channel_receive(end, answer, e);

    if (ret == 0)
        return err_set(e, EPIPE, "the process that was creating the container is gone");
    if (ret > 0 && answer->kind == MESSAGE_ERROR) {
        *e = answer->error;
        return -e->code;
    }
    return ret < 0 ? ret : 0;
}

int channel_ask(int end, enum message_kind kind, int number, struct message *answer, struct err *e)
{
    int ret;

    answer->kind = kind;
    answer->number = number;
    answer->in_cgroup = false;
    answer->fds[0] = -1;
    memset(&answer->error, 0, sizeof answer->error);
    ret = channel_send(end, answer, e);
    return ret < 0 ? ret : channel_receive_go(end, answer, e);
}
