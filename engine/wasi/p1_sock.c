/* Preview 1: sockets. Listening ones come with the grant; what they accept is the guest's own. */
#include "engine/wasi/p1.h"
#include "base/fd.h"
#include <poll.h>
#include <sys/socket.h>

static int accept_from(struct wasi_context *context, int listener, int flags)
{
    int fd = wasi_wait_begin(context, listener), accepted;

    if (fd < 0)
        return -1;
    accepted = accept4(fd, NULL, NULL, flags);
    wasi_wait_end(context, listener, fd);
    return accepted;
}

/* recvmsg or sendmsg. */
static ssize_t transfer(struct wasi_context *context, int socket, struct msghdr *message, int flags, bool receive)
{
    int fd = wasi_wait_begin(context, socket);
    ssize_t count;

    if (fd < 0)
        return -1;
    count = receive ? recvmsg(fd, message, flags) : sendmsg(fd, message, flags);
    wasi_wait_end(context, socket, fd);
    return count;
}

/* Arguments: fd, fdflags, result. */
int p1_sock_accept(struct p1_call *call)
{
    struct wasi_fd *listener = p1_fd(call), entry;
    uint32_t flags = p1_u32(call, 1), result = p1_u32(call, 2);
    int ret, fd;

    if (listener == NULL)
        return -EBADF;
    if (listener->kind != WASI_FD_STREAM)
        return -ENOTSOCK;
    if ((flags & ~(uint32_t)WASI_FDFLAG_NONBLOCK) != 0)
        return -EINVAL;
    if (p1_range(call, result, 4) == NULL)
        return -EFAULT;
    ret = p1_wait_shared(listener, POLLIN);
    if (ret < 0)
        return ret;
    fd = accept_from(call->context, listener->fd,
                     SOCK_CLOEXEC | ((flags & WASI_FDFLAG_NONBLOCK) != 0 ? SOCK_NONBLOCK : 0));
    if (fd < 0)
        return -errno;
    entry = (struct wasi_fd){.kind = WASI_FD_STREAM, .fd = fd, .real_fd = -1, .filetype = WASI_FILETYPE_SOCKET_STREAM};
    ret = wasi_fd_add(call->context, &entry);
    if (ret < 0) {
        close(fd);
        return ret;
    }
    return p1_store_u32(call, result, (uint32_t)ret);
}

/* The socket and the iovecs of arguments 0-2; a descriptor that is none gives ENOTSOCK from the call itself. */
static int get_message(struct p1_call *call, short events, struct p1_iovecs *iovecs, int *fd)
{
    struct wasi_fd *entry = p1_fd(call);
    int ret;

    if (entry == NULL)
        return -EBADF;
    if (entry->kind != WASI_FD_STREAM)
        return -ENOTSOCK;
    *fd = entry->fd;
    ret = p1_iovecs(call, p1_u32(call, 1), p1_u32(call, 2), iovecs);
    return ret < 0 ? ret : p1_wait_shared(entry, events);
}

/* Arguments: fd, iovecs, their count, riflags, result length, result roflags. */
int p1_sock_recv(struct p1_call *call)
{
    struct p1_iovecs iovecs;
    uint32_t riflags = p1_u32(call, 3);
    uint16_t roflags = 0;
    struct msghdr message = {.msg_iov = iovecs.pieces};
    ssize_t got;
    int fd, ret;

    if ((riflags & ~(uint32_t)(WASI_RIFLAG_PEEK | WASI_RIFLAG_WAITALL)) != 0)
        return -EINVAL;
    ret = get_message(call, POLLIN, &iovecs, &fd);
    if (ret < 0)
        return ret;
    message.msg_iovlen = (size_t)iovecs.count;
    got = transfer(call->context, fd, &message,
                   ((riflags & WASI_RIFLAG_PEEK) != 0 ? MSG_PEEK : 0) |
                       ((riflags & WASI_RIFLAG_WAITALL) != 0 ? MSG_WAITALL : 0),
                   true);
    if (got < 0)
        return -errno;
    if ((message.msg_flags & MSG_TRUNC) != 0)
        roflags |= WASI_ROFLAG_DATA_TRUNCATED;
    ret = p1_store_u32(call, p1_u32(call, 4), (uint32_t)got);
    return ret < 0 ? ret : p1_store(call, p1_u32(call, 5), &roflags, sizeof roflags);
}

/* Arguments: fd, ciovecs, their count, siflags (none are defined), result length. */
int p1_sock_send(struct p1_call *call)
{
    struct p1_iovecs iovecs;
    struct msghdr message = {.msg_iov = iovecs.pieces};
    ssize_t sent;
    int fd, ret;

    if (p1_u32(call, 3) != 0)
        return -EINVAL;
    ret = get_message(call, POLLOUT, &iovecs, &fd);
    if (ret < 0)
        return ret;
    message.msg_iovlen = (size_t)iovecs.count;
    sent = transfer(call->context, fd, &message, MSG_NOSIGNAL, false);
    return sent < 0 ? -errno : p1_store_u32(call, p1_u32(call, 4), (uint32_t)sent);
}

int p1_sock_shutdown(struct p1_call *call)
{
    static const int hows[] = {
        [WASI_SDFLAG_RD] = SHUT_RD, [WASI_SDFLAG_WR] = SHUT_WR, [WASI_SDFLAG_RD | WASI_SDFLAG_WR] = SHUT_RDWR};
    struct wasi_fd *entry = p1_fd(call);
    uint32_t how = p1_u32(call, 1);

    if (entry == NULL)
        return -EBADF;
    if (entry->kind != WASI_FD_STREAM)
        return -ENOTSOCK;
    if (how == 0 || how >= sizeof hows / sizeof *hows)
        return -EINVAL;
    return shutdown(entry->fd, hows[how]) < 0 ? -errno : 0;
}
