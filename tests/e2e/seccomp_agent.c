/* A seccomp agent for the end-to-end tests: seccomp_agent SOCKET FILE. Listens on SOCKET, writes the container process state
 * that comes with each listener to FILE, a line each, and answers everything the listener asks: uname is allowed, any other
 * call gets ENOMEDIUM. Prints "ready", and runs until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void *supervise(void *argument)
{
    int listener = (int)(intptr_t)argument;

    for (;;) {
        struct seccomp_notif ask;
        struct seccomp_notif_resp answer = {0};
        memset(&ask, 0, sizeof ask);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0) {
            if (errno == EINTR)
                continue;
            close(listener); /* ENOENT: nobody has the filter any more */
            return NULL;
        }
        answer.id = ask.id;
        if (ask.data.nr == SYS_uname)
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        else
            answer.error = -ENOMEDIUM;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

/* Receives one state with its listener. Returns the listener or -1. */
static int receive(int connection, char *text, size_t text_bytes)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {text, text_bytes - 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header;
    ssize_t len = recvmsg(connection, &message, 0);
    int fd;

    text[len > 0 ? len : 0] = 0;
    header = CMSG_FIRSTHDR(&message);
    if (len <= 0 || header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    FILE *file = argc == 3 ? fopen(argv[2], "w") : NULL;

    if (file == NULL)
        return 2;
    unlink(argv[1]);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    if (bind(server, (struct sockaddr *)&address, sizeof address) < 0 || listen(server, 8) < 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        char text[8192];
        pthread_t thread;
        int connection = accept(server, NULL, NULL), listener = receive(connection, text, sizeof text);
        close(connection);
        fprintf(file, "%s\n", text);
        fflush(file);
        if (listener >= 0 && pthread_create(&thread, NULL, supervise, (void *)(intptr_t)listener) == 0)
            pthread_detach(thread);
    }
}
