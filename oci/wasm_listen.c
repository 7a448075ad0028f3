/* See wasm_listen.h. */
#include "oci/wasm_listen.h"
#include "base/fd.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LISTEN_MAX = 16, BACKLOG = 128, PORT_MAX = 65535 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *port = htons((uint16_t)number);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && number > 0 && number <= PORT_MAX;
}

/* `PORT` is the IPv6 wildcard, which takes IPv4 connections too. */
static bool read_address(const char *name, union address *out)
{
    const char *colon = strrchr(name, ':');
    char host[INET6_ADDRSTRLEN + 2];
    size_t len = colon != NULL ? (size_t)(colon - name) : 0;
    uint16_t port;

    memset(out, 0, sizeof *out);
    if (len >= sizeof host || !read_port(colon != NULL ? colon + 1 : name, &port))
        return false;
    memcpy(host, name, len);
    host[len] = 0;
    if (colon == NULL || (host[0] == '[' && len > 2 && host[len - 1] == ']')) {
        out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        if (colon == NULL)
            return true;
        host[len - 1] = 0;
        return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1;
    }
    out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1;
}

int wasm_listen_read(const char *text, struct arena *arena, struct grant_socket **sockets, uint32_t *count,
                     struct err *e)
{
    *sockets = arena_array(arena, struct grant_socket, LISTEN_MAX);
    *count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        const char *name = arena_printf(arena, "%.*s", (int)len, at);
        union address address;
        if (!read_address(name, &address))
            return err_set(e, EINVAL, "'%s' is not PORT, ADDRESS:PORT or [ADDRESS]:PORT", name);
        if (*count == LISTEN_MAX)
            return err_set(e, EINVAL, "more than %d sockets", LISTEN_MAX);
        (*sockets)[(*count)++] = (struct grant_socket){.fd = -1, .name = name};
        at += len;
        if (*at == 0)
            return 0;
    }
}

/* A kernel without IPv6 still has every address of IPv4. */
static int open_socket(union address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 || errno != EAFNOSUPPORT || memcmp(&address->v6.sin6_addr, &in6addr_any, sizeof in6addr_any) != 0)
        return fd;
    address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = address->v6.sin6_port};
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int wasm_listen_open(const char *name, struct err *e)
{
    static const int on = 1, off = 0;
    union address address;
    cleanup_fd int fd = -1;

    if (!read_address(name, &address))
        return err_set(e, EINVAL, "'%s' is no address to listen on", name);
    fd = open_socket(&address);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return err_sys(e, "cannot make a socket for '%s'", name);
    if (address.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return err_sys(e, "cannot make a socket for '%s'", name);
    if (bind(fd, &address.any, address.any.sa_family == AF_INET6 ? sizeof address.v6 : sizeof address.v4) < 0 ||
        listen(fd, BACKLOG) < 0)
        return err_sys(e, "cannot listen on '%s', as annotation wherry.wasm.listen asks", name);
    return fd_take(&fd);
}
