/* See net_devices.h.
 *
 * The kernel closes a device that changes its namespace, and its addresses are gone then: so they are read before and set
 * again. MTU, hardware address and other names go along with the device. Done by the runtime, which has rights over the
 * host's devices; the container's side is a socket that the init has made in its own namespace. */
#include "oci/net_devices.h"
#include "base/fd.h"
#include "base/vec.h"
#include "oci/netlink.h"
#include <linux/if_addr.h>
#include <net/if.h>

enum { TEMPLATE_MAX = 1000, ADDRESS_MAX_BYTES = 16 };

struct address {
    struct ifaddrmsg message; /* of the device as it was */
    uint8_t local[ADDRESS_MAX_BYTES], peer[ADDRESS_MAX_BYTES], broadcast[ADDRESS_MAX_BYTES];
    uint8_t local_bytes, peer_bytes, broadcast_bytes; /* 0: it has none */
};

struct addresses {
    int index; /* of the device whose they are */
    VEC(struct address) list;
};

bool net_devices_name_is_valid(const char *name, bool template)
{
    size_t len = strlen(name);
    const char *percent = strchr(name, '%');

    if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *p = name; *p != 0; p++)
        if (*p == '/' || *p == ':' || *p == ' ' || (*p >= '\t' && *p <= '\r'))
            return false;
    return percent == NULL || (template && percent[1] == 'd' && strchr(percent + 1, '%') == NULL);
}

static int take_index(const struct nlmsghdr *message, void *argument)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);

    if (message->nlmsg_len >= NLMSG_LENGTH(sizeof *info))
        *(int *)argument = info->ifi_index;
    return 0;
}

/* The index of the device NAME on the side of NETLINK, or a negative errno: -ENODEV. */
static int find_device(int netlink, const char *name)
{
    struct netlink_request request;
    int index = -EPROTO, ret;

    netlink_begin(&request, RTM_GETLINK, 0, &(struct ifinfomsg){.ifi_family = AF_UNSPEC}, sizeof(struct ifinfomsg));
    netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    ret = netlink_get(netlink, &request, take_index, &index);
    return ret < 0 ? ret : index;
}

static uint8_t take_bytes(const struct nlmsghdr *message, uint16_t type, uint8_t out[ADDRESS_MAX_BYTES])
{
    const struct rtattr *a = netlink_attribute(message, sizeof(struct ifaddrmsg), type);
    size_t bytes = a != NULL ? RTA_PAYLOAD(a) : 0;

    if (bytes == 0 || bytes > ADDRESS_MAX_BYTES)
        return 0;
    memcpy(out, RTA_DATA(a), bytes);
    return (uint8_t)bytes;
}

static int take_address(const struct nlmsghdr *message, void *argument)
{
    struct addresses *out = argument;
    const struct ifaddrmsg *m = NLMSG_DATA(message);
    struct address address = {.message = *m};

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *m) || (int)m->ifa_index != out->index ||
        m->ifa_scope != RT_SCOPE_UNIVERSE || (m->ifa_flags & IFA_F_PERMANENT) == 0)
        return 0;
    address.local_bytes = take_bytes(message, IFA_LOCAL, address.local);
    address.peer_bytes = take_bytes(message, IFA_ADDRESS, address.peer);
    address.broadcast_bytes = take_bytes(message, IFA_BROADCAST, address.broadcast);
    vec_push(&out->list, address);
    return 0;
}

static int read_addresses(int netlink, struct addresses *out)
{
    struct netlink_request request;

    netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &(struct ifaddrmsg){.ifa_family = AF_UNSPEC},
                  sizeof(struct ifaddrmsg));
    return netlink_get(netlink, &request, take_address, out);
}

static void put_bytes(struct netlink_request *request, uint16_t type, const uint8_t *bytes, uint8_t count)
{
    if (count != 0)
        netlink_put(request, type, bytes, count);
}

/* No search for duplicates: the address was the device's already. */
static int add_address(int netlink, int index, const struct address *address)
{
    struct ifaddrmsg message = {.ifa_family = address->message.ifa_family,
                                .ifa_prefixlen = address->message.ifa_prefixlen,
                                .ifa_scope = RT_SCOPE_UNIVERSE,
                                .ifa_flags = address->message.ifa_family == AF_INET6 ? IFA_F_NODAD : 0,
                                .ifa_index = (unsigned)index};
    struct netlink_request request;

    netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &message, sizeof message);
    put_bytes(&request, IFA_LOCAL, address->local, address->local_bytes);
    put_bytes(&request, IFA_ADDRESS, address->peer, address->peer_bytes);
    put_bytes(&request, IFA_BROADCAST, address->broadcast, address->broadcast_bytes);
    return netlink_do(netlink, &request);
}

static int set_up(int netlink, int index)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink_request request;

    netlink_begin(&request, RTM_NEWLINK, 0, &info, sizeof info);
    return netlink_do(netlink, &request);
}

/* The name in the container: for a template the first that is free there. */
static int choose_name(int netlink, const char *wanted, char name[IFNAMSIZ])
{
    const char *percent = strchr(wanted, '%');

    for (int i = 0; i < TEMPLATE_MAX; i++) {
        int len = percent == NULL
                      ? snprintf(name, IFNAMSIZ, "%s", wanted)
                      : snprintf(name, IFNAMSIZ, "%.*s%d%s", (int)(percent - wanted), wanted, i, percent + 2);
        int found = len < IFNAMSIZ ? find_device(netlink, name) : -ENAMETOOLONG;
        if (found == -ENODEV)
            return 0;
        if (found < 0 || percent == NULL)
            return found < 0 ? found : -EEXIST;
    }
    return -EEXIST;
}

static int change_namespace(int host, int index, const char *name, int namespace)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    struct netlink_request request;

    netlink_begin(&request, RTM_NEWLINK, 0, &info, sizeof info);
    netlink_put(&request, IFLA_NET_NS_FD, &namespace, sizeof namespace);
    netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    return netlink_do(host, &request);
}

static int bring_to_life(int netlink, const char *name, const struct addresses *addresses, struct err *e)
{
    int index = find_device(netlink, name);

    if (index < 0)
        return err_set(e, -index, "the device '%s' is not to be found in the container: %s", name, strerror(-index));
    for (size_t i = 0; i < addresses->list.len; i++) {
        int ret = add_address(netlink, index, &addresses->list.data[i]);
        if (ret < 0)
            return err_set(e, -ret, "cannot give the device '%s' its address in the container: %s", name,
                           strerror(-ret));
    }
    index = set_up(netlink, index);
    return index < 0 ? err_set(e, -index, "cannot set the device '%s' up: %s", name, strerror(-index)) : 0;
}

static int move_device(int host, const struct config_net_device *device, int netlink, int namespace, struct err *e)
{
    struct addresses addresses = {.index = find_device(host, device->host_name)};
    char name[IFNAMSIZ];
    int ret;

    if (addresses.index < 0)
        return err_set(e, -addresses.index, "no such network device on the host: %s", strerror(-addresses.index));
    ret = choose_name(netlink, device->name, name);
    if (ret < 0)
        return err_set(e, -ret, "the name '%s' in the container's network namespace: %s", device->name, strerror(-ret));
    ret = read_addresses(host, &addresses);
    if (ret < 0)
        err_set(e, -ret, "cannot read the device's addresses: %s", strerror(-ret));
    if (ret == 0) {
        ret = change_namespace(host, addresses.index, name, namespace);
        if (ret < 0)
            err_set(e, -ret, "cannot move the device to the container: %s", strerror(-ret));
    }
    if (ret == 0)
        ret = bring_to_life(netlink, name, &addresses, e);
    vec_done(&addresses.list);
    return ret;
}

int net_devices_move(const struct config *config, pid_t pid, int netlink, struct err *e)
{
    char path[64];
    cleanup_fd int host = netlink_open();

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    cleanup_fd int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (host < 0 || namespace < 0)
        return err_sys(e, "cannot reach the network namespaces for linux.netDevices");
    for (uint32_t i = 0; i < config->net_device_count; i++)
        if (move_device(host, &config->net_devices[i], netlink, namespace, e) < 0)
            return err_prefix(e, "config.json: linux.netDevices.%s", config->net_devices[i].host_name);
    return 0;
}
