/* See socket.h. */
#include "oci/socket.h"
#include "base/fd.h"
#include "oci/path.h"
#include <sys/socket.h>
#include <sys/un.h>

static int connect_abstract(const char *name, const char *what, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (len >= sizeof address.sun_path)
        return err_set(e, ENAMETOOLONG, "the name of the %s '%s' is too long", what, name);
    memcpy(address.sun_path + 1, name + 1, len - 1); /* the "@" stands for a NUL byte */
    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        return err_sys(e, "cannot connect to the %s '%s'", what, name);
    return fd_take(&fd);
}

static int connect_path(const char *path, int type, const char *what, struct err *e)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char parent[PATH_MAX];
    int len;

    snprintf(parent, sizeof parent, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1, slash != NULL ? path : ".");
    cleanup_fd int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (directory < 0 || fd < 0)
        return err_sys(e, "cannot reach the %s '%s'", what, path);
    /* by way of the directory's descriptor: an address holds only 107 bytes */
    len = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", path_of_fd(directory).text, name);
    if (len < 0 || (size_t)len >= sizeof address.sun_path)
        return err_set(e, ENAMETOOLONG, "the name of the %s '%s' is too long", what, path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(e, "cannot connect to the %s '%s'", what, path);
    return fd_take(&fd);
}

int socket_connect(const char *path, const char *what, struct err *e)
{
    return connect_path(path, SOCK_STREAM, what, e);
}

int socket_connect_datagram(const char *path, const char *what, struct err *e)
{
    return path[0] == '@' ? connect_abstract(path, what, e) : connect_path(path, SOCK_DGRAM, what, e);
}

int socket_send_fd(int socket, const void *text, size_t len, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec data = {(void *)text, len};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int socket_receive_fd(int socket)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char name[256];
    struct iovec iov = {name, sizeof name};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c;
    int fd;

    if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return -errno;
    c = CMSG_FIRSTHDR(&message);
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
        return -EPROTO;
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}
