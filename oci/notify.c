/* See notify.h. */
#include "oci/notify.h"
#include "base/fd.h"
#include "oci/socket.h"
#include "oci/sys.h"
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MESSAGE_MAX_BYTES = 4096, BARRIER_MS = 30000, LOOK_MS = 100 };

/* Everybody in the container may enter and send: it may have any user. Above it the state's directory is closed. */
int notify_make_directory(const char *root, const char *id, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/" NOTIFY_DIRECTORY, root, id);
    if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
        return err_sys(e, "cannot make the directory '%s'", path);
    return 0;
}

static int listen_in(const char *path, int directory, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* by way of the directory's descriptor: an address holds only 107 bytes */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NOTIFY_SOCKET, directory);
    (void)!unlinkat(directory, NOTIFY_SOCKET, 0); /* of a `start` that was killed */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        fchmodat(directory, NOTIFY_SOCKET, 0666, 0) < 0)
        return err_sys(e, "cannot make the socket '%s/" NOTIFY_SOCKET "'", path);
    return fd_take(&fd);
}

int notify_open(const char *root, const char *id, const char *manager, struct notify *out, struct err *e)
{
    char path[PATH_MAX];

    *out = NOTIFY_NONE;
    if (manager == NULL || manager[0] == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s/" NOTIFY_DIRECTORY, root, id);
    cleanup_fd int directory = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return errno == ENOENT ? 0 : err_sys(e, "cannot open '%s'", path);
    out->manager = socket_connect_datagram(manager, "NOTIFY_SOCKET", e);
    if (out->manager < 0)
        return out->manager;
    out->socket = listen_in(path, directory, e);
    if (out->socket >= 0)
        return 0;
    fd_close(&out->manager);
    return out->socket;
}

void notify_close(struct notify *notify)
{
    fd_close(&notify->socket);
    fd_close(&notify->manager);
}

/* Returns when the manager has read what was sent before: it closes the descriptor then (sd_notify_barrier(3)). */
static void await_manager(int manager)
{
    struct pollfd end = {.fd = -1};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    if (socket_send_fd(manager, "BARRIER=1", 9, ends[1]) == 0)
        end.fd = ends[0];
    close(ends[1]);
    while (end.fd >= 0 && poll(&end, 1, BARRIER_MS) < 0 && errno == EINTR)
        ;
    close(ends[0]);
}

void notify_ready(struct notify *notify, pid_t main_pid)
{
    char text[64];
    int len = snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)main_pid);

    if (notify->manager < 0 || notify->ready)
        return;
    notify->ready = true;
    if (send(notify->manager, text, (size_t)len, MSG_NOSIGNAL) == len)
        await_manager(notify->manager);
}

static bool is_harmless(const char *line)
{
    static const char *const names[] = {"STATUS=", "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC="};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void pass_message(struct notify *notify, char *text, pid_t main_pid)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strcmp(line, "READY=1") == 0)
            notify_ready(notify, main_pid);
        else if (is_harmless(line))
            (void)!send(notify->manager, line, strlen(line), MSG_NOSIGNAL);
}

void notify_pass(struct notify *notify, pid_t main_pid)
{
    char text[MESSAGE_MAX_BYTES + 1];
    ssize_t n;

    while (notify->socket >= 0 && (n = recv(notify->socket, text, MESSAGE_MAX_BYTES, MSG_DONTWAIT)) >= 0) {
        text[n] = 0;
        pass_message(notify, text, main_pid);
    }
}

/* A pidfd where there is one (5.3), else a look now and then. */
void notify_await(struct notify *notify, pid_t pid)
{
    cleanup_fd int process = (int)sys.pidfd_open(pid, 0);
    struct pollfd fds[] = {{.fd = notify->socket, .events = POLLIN}, {.fd = process, .events = POLLIN}};

    while (notify->socket >= 0 && !notify->ready) {
        bool ended = process >= 0 ? fds[1].revents != 0 : kill(pid, 0) < 0 && errno == ESRCH;
        notify_pass(notify, pid); /* also what it said before it ended */
        if (ended || notify->ready)
            return;
        (void)!poll(fds, 2, process >= 0 ? -1 : LOOK_MS);
    }
}
