/* The one program in critest's images beside busybox: what it is it takes from its own name. `pause` waits; `nginx` and
 * `httpd` answer every request on the port of their first argument; `nnp` is setuid and prints its effective user; `pgrep`
 * and `ipcs` are what Debian's busybox lacks. */
#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal)
{
    (void)signal;
    _exit(0);
}

static void reap(int signal)
{
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* Prints the processes whose name contains PATTERN; status 1 when there is none. */
static int find_processes(const char *pattern)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int status = 1;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        char path[300], name[64] = "";
        FILE *file;
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid() || (file = fopen(path, "r")) == NULL)
            continue;
        if (fgets(name, sizeof name, file) != NULL && strstr(name, pattern) != NULL) {
            puts(entry->d_name);
            status = 0;
        }
        fclose(file);
    }
    return status;
}

static int print_file(const char *path)
{
    char block[4096];
    FILE *file = fopen(path, "r");
    size_t len;

    while (file != NULL && (len = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, len, stdout);
    return file == NULL;
}

static int listen_at(unsigned short port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1, error;

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        error = bind(fd, (struct sockaddr *)&any6, sizeof any6);
    } else { /* a kernel without IPv6 */
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        error = bind(fd, (struct sockaddr *)&any4, sizeof any4);
    }
    if (error != 0 || listen(fd, 16) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void serve(const char *name, unsigned short port)
{
    static const char page[] = "<html><h1>Welcome to nginx! It works!</h1></html>\n";
    int fd = listen_at(port);
    FILE *file = fopen("/var/run/nginx.pid", "w");

    if (file != NULL) {
        fprintf(file, "%d\n", (int)getpid());
        fclose(file);
    }
    printf("%s: master process ready on %u\n", name, port);
    for (;;) {
        int client = accept(fd, NULL, NULL);
        char request[4096];
        if (client >= 0 && read(client, request, sizeof request) > 0) {
            dprintf(client,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                    strlen(page), page);
            printf("%s: GET\n", name);
        }
        close(client);
    }
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');

    name = name != NULL ? name + 1 : argv[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(name, "pgrep") == 0)
        return find_processes(argv[argc - 1]);
    if (strcmp(name, "ipcs") == 0)
        return print_file("/proc/sysvipc/shm");
    if (strcmp(name, "nnp") == 0) {
        printf("Effective uid: %d\n", (int)geteuid());
        return 0;
    }
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGQUIT, end);
    signal(SIGCHLD, reap);
    signal(SIGPIPE, SIG_IGN);
    while (strcmp(name, "pause") == 0)
        pause();
    serve(name, argc > 1 ? (unsigned short)atoi(argv[1]) : 80);
}
