/* A guest that serves: answers every HTTP request on the first listening socket it was given with one line. `serve once` ends
 * after the first. Sockets follow the preopened directories; WHERRY_LISTEN_FD says where. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int answer(int connection)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\nserved by a Wasm\n";
    char request[4096];
    ssize_t n = recv(connection, request, sizeof request, 0);

    if (n > 0)
        send(connection, text, sizeof text - 1, 0);
    close(connection);
    return n > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *first = getenv("WHERRY_LISTEN_FD"), *count = getenv("LISTEN_FDS");

    if (first == NULL || count == NULL) {
        fprintf(stderr, "serve: no socket to listen on was granted\n");
        return 2;
    }
    printf("serving on %s of %s\n", first, count);
    fflush(stdout);
    for (;;) {
        int connection = accept(atoi(first), NULL, NULL);
        if (connection < 0) {
            fprintf(stderr, "serve: accept: %s\n", strerror(errno));
            return 1;
        }
        int status = answer(connection);
        if (argc > 1 && strcmp(argv[1], "once") == 0)
            return status;
    }
}
