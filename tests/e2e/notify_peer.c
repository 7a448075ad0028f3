/* The two ends of sd_notify(3) for tests/e2e/notify.sh, statically linked so that it runs in a container:
 *   notify_peer manager PATH   a service manager's end: prints each message on one line ("|" for a newline), closes what
 *                              comes with a barrier, as the real one does
 *   notify_peer say TEXT...    a service's end: one message each to $NOTIFY_SOCKET, then it stays until it is killed */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int die(const char *what)
{
    perror(what);
    return 1;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = 0;
    return address;
}

static socklen_t length_of(const char *path)
{
    return (socklen_t)(sizeof(sa_family_t) + strlen(path) + (path[0] != '@'));
}

static void close_received(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        int fd;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
        printf("[fd]");
        close(fd);
    }
}

static int manager(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length_of(path)) < 0)
        return die(path);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        char text[4096], control[256];
        struct iovec data = {text, sizeof text - 1};
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &message, 0);
        if (n < 0)
            return die("recvmsg");
        text[n] = 0;
        for (char *p = text; *p != 0; p++)
            *p = *p == '\n' ? '|' : *p;
        close_received(&message);
        printf("%s\n", text);
    }
}

static int say(char **texts)
{
    const char *path = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (path == NULL)
        return fprintf(stderr, "no NOTIFY_SOCKET\n"), 2;
    struct sockaddr_un address = address_of(path);
    for (; *texts != NULL; texts++)
        if (sendto(fd, *texts, strlen(*texts), 0, (struct sockaddr *)&address, length_of(path)) < 0)
            return die(path);
    printf("said\n");
    fflush(stdout);
    pause();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "manager") == 0)
        return manager(argv[2]);
    if (argc >= 3 && strcmp(argv[1], "say") == 0)
        return say(argv + 2);
    return 2;
}
