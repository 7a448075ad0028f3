/* rtnetlink(7), as much of it as network devices need: a request with attributes, its acknowledgement, a dump.
 *
 * What the kernel sends is read through NLMSG_OK and RTA_OK only. Functions return 0 or a negative errno, the kernel's own
 * for a refused request: what it means is the caller's to say. */
#ifndef WHERRY_OCI_NETLINK_H
#define WHERRY_OCI_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_request {
    struct nlmsghdr header;
    char body[512];
};

/* A route socket of the calling process's network namespace, close-on-exec; or a negative errno. */
int netlink_open(void);

/* Begins a request of TYPE (RTM_*) with NLM_F_* FLAGS and the fixed part BODY. */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t body_bytes);

/* Adds an attribute. All of a request must fit into its body: asserted. */
void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t bytes);

/* Sends REQUEST and waits until the kernel has done it, or says why not. */
int netlink_do(int socket, struct netlink_request *request);

/* Sends REQUEST and calls EACH for every message of the answer (a dump, or the one of a get); what is not 0 ends it. */
int netlink_get(int socket, struct netlink_request *request,
                int (*each)(const struct nlmsghdr *message, void *argument), void *argument);

/* The attribute TYPE among those behind the FIXED_BYTES of MESSAGE's own structure; NULL: it has none. */
const struct rtattr *netlink_attribute(const struct nlmsghdr *message, size_t fixed_bytes, uint16_t type);

#endif
