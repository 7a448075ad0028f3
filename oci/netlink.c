/* See netlink.h. */
#include "oci/netlink.h"
#include "base/fd.h"
#include <sys/socket.h>

enum { ANSWER_BYTES = 32768 }; /* the kernel sends no larger part of a dump */

int netlink_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t body_bytes)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | flags;
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_bytes);
    memcpy(request->body, body, body_bytes);
}

void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t bytes)
{
    size_t at = NLMSG_ALIGN(request->header.nlmsg_len) - sizeof request->header;
    struct rtattr attribute = {.rta_len = (unsigned short)RTA_LENGTH(bytes), .rta_type = type};

    assert(at + RTA_SPACE(bytes) <= sizeof request->body);
    memcpy(request->body + at, &attribute, sizeof attribute);
    memcpy(request->body + at + RTA_LENGTH(0), data, bytes);
    request->header.nlmsg_len = (uint32_t)(sizeof request->header + at + RTA_LENGTH(bytes));
}

static int send_request(int socket, struct netlink_request *request)
{
    ssize_t n;

    do
        n = send(socket, request, request->header.nlmsg_len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* One datagram of the answer. Returns 1 if more is to come. */
static int take_answer(int socket, char *bytes, int (*each)(const struct nlmsghdr *message, void *argument),
                       void *argument)
{
    ssize_t n = recv(socket, bytes, ANSWER_BYTES, 0);
    int more = 1;

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    for (const struct nlmsghdr *m = (const struct nlmsghdr *)bytes; NLMSG_OK(m, (size_t)n); m = NLMSG_NEXT(m, n)) {
        const struct nlmsgerr *error = NLMSG_DATA(m);
        int ret;
        if (m->nlmsg_type == NLMSG_ERROR)
            return m->nlmsg_len >= NLMSG_LENGTH(sizeof *error) ? error->error : -EPROTO;
        if (m->nlmsg_type == NLMSG_DONE)
            return 0;
        ret = each != NULL ? each(m, argument) : 0;
        if (ret < 0)
            return ret;
        more = (m->nlmsg_flags & NLM_F_MULTI) != 0;
    }
    return more;
}

static int take_answers(int socket, int (*each)(const struct nlmsghdr *message, void *argument), void *argument)
{
    char *bytes = malloc(ANSWER_BYTES);
    int ret = bytes == NULL ? -ENOMEM : 1;

    while (ret > 0)
        ret = take_answer(socket, bytes, each, argument);
    free(bytes);
    return ret;
}

int netlink_do(int socket, struct netlink_request *request)
{
    int ret;

    request->header.nlmsg_flags |= NLM_F_ACK;
    ret = send_request(socket, request);
    return ret < 0 ? ret : take_answers(socket, NULL, NULL);
}

int netlink_get(int socket, struct netlink_request *request,
                int (*each)(const struct nlmsghdr *message, void *argument), void *argument)
{
    int ret = send_request(socket, request);
    return ret < 0 ? ret : take_answers(socket, each, argument);
}

const struct rtattr *netlink_attribute(const struct nlmsghdr *message, size_t fixed_bytes, uint16_t type)
{
    const char *data = NLMSG_DATA(message);
    size_t len = message->nlmsg_len < NLMSG_SPACE(fixed_bytes) ? 0 : message->nlmsg_len - NLMSG_SPACE(fixed_bytes);

    for (const struct rtattr *a = (const struct rtattr *)(data + NLMSG_ALIGN(fixed_bytes)); RTA_OK(a, len);
         a = RTA_NEXT(a, len))
        if (a->rta_type == type)
            return a;
    return NULL;
}
