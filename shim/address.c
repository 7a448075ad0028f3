/* See address.h. */
#include "shim/address.h"
#include "base/fd.h"
#include <nettle/sha2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

const char *address_path(const char *address)
{
    return strncmp(address, "unix://", 7) == 0 ? address + 7 : address;
}

int address_make(const char *directory, const char *containerd_address, const char *namespace, const char *group,
                 char out[ADDRESS_MAX], struct err *e)
{
    const char *parts[] = {containerd_address, "/", namespace, "/", group};
    unsigned char digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx hash;
    int len;

    sha256_init(&hash);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sha256_update(&hash, strlen(parts[i]), (const uint8_t *)parts[i]);
    sha256_digest(&hash, sizeof digest, digest);
    len = snprintf(out, ADDRESS_MAX, "unix://%s/", directory);
    if (len < 0 || (size_t)len + 2 * sizeof digest >= ADDRESS_MAX)
        return err_set(e, ENAMETOOLONG,
                       "the socket directory %s is too long: a Unix socket's path has at most 107 bytes, "
                       "64 of them for its name",
                       directory);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + len + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

static int address_fill(const char *address, struct sockaddr_un *out)
{
    const char *path = address_path(address);

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return -ENAMETOOLONG;
    memcpy(out->sun_path, path, strlen(path) + 1);
    return 0;
}

int address_connect(const char *address)
{
    struct sockaddr_un un;
    int fd, error = address_fill(address, &un);

    if (error != 0)
        return error;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&un, sizeof un) != 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int make_directory(const char *socket_path, struct err *e)
{
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    char *slash;

    snprintf(directory, sizeof directory, "%s", socket_path);
    slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory)
        return 0;
    *slash = 0;
    for (char *at = directory + 1; at != NULL; at = at + 1) {
        at = strchr(at, '/');
        if (at != NULL)
            *at = 0;
        if (mkdir(directory, at != NULL ? 0711 : 0700) != 0 && errno != EEXIST)
            return err_sys(e, "cannot make the socket directory %s", directory);
        if (at == NULL)
            break;
        *at = '/';
    }
    return 0;
}

int address_listen(const char *address, struct err *e)
{
    struct sockaddr_un un;
    int fd, other, error = address_fill(address, &un);

    if (error != 0)
        return err_set(e, ENAMETOOLONG, "socket address %s is too long", address);
    error = make_directory(un.sun_path, e);
    if (error != 0)
        return error;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "cannot make a socket");
    fchmod(fd, 0600); /* before bind: the socket never stands there with more */
    for (int tries = 0; bind(fd, (struct sockaddr *)&un, sizeof un) != 0; tries++) {
        error = errno;
        other = error == EADDRINUSE ? address_connect(address) : -1;
        if (error != EADDRINUSE || other >= 0 || tries == 3) {
            fd_close(&other);
            close(fd);
            return err_set(e, error, "cannot bind %s: %s", un.sun_path, strerror(error));
        }
        unlink(un.sun_path); /* nobody answers: its shim was killed */
    }
    if (listen(fd, 128) != 0) {
        error = err_sys(e, "cannot listen on %s", un.sun_path);
        close(fd);
        return error;
    }
    return fd;
}
