/* See stdio.h. Schemes: none and fifo:// (fifos; a path that is no fifo is appended to), file:// (appended to, parents
 * made), binary:// (logger.h). */
#include "shim/stdio.h"
#include "base/fd.h"
#include "shim/logger.h"
#include <sys/ioctl.h>
#include <sys/stat.h>

static bool after_scheme(const char *uri, const char *scheme, const char **rest)
{
    size_t len = strlen(scheme);
    if (strncmp(uri, scheme, len) != 0)
        return false;
    *rest = uri + len;
    return true;
}

static const char *fifo_path(const char *uri)
{
    const char *path;
    return after_scheme(uri, "fifo://", &path) ? path : uri;
}

int stdio_init(struct stdio *s, const char *in, const char *out, const char *err, bool terminal)
{
    *s = (struct stdio){.terminal = terminal, .held = {-1, -1, -1}};
    s->uri[STDIN] = strdup(in);
    s->uri[STDOUT] = strdup(out);
    s->uri[STDERR] = strdup(err);
    return s->uri[STDIN] != NULL && s->uri[STDOUT] != NULL && s->uri[STDERR] != NULL ? 0 : -ENOMEM;
}

/* A reader can be opened at once, and a writer once there is a reader: so both ends never wait for anybody. */
static int open_fifo(const char *path, bool input, bool terminal, int *fd, int *held, struct err *e)
{
    cleanup_fd int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cleanup_fd int writer = -1;

    if (reader < 0)
        return err_sys(e, "cannot open the fifo %s for reading", path);
    writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (writer < 0)
        return err_sys(e, "cannot open the fifo %s for writing", path);
    if (!terminal) /* the container's end blocks; it is an open file description of its own */
        fcntl(input ? reader : writer, F_SETFL, 0);
    *fd = input ? fd_take(&reader) : fd_take(&writer);
    *held = input ? fd_take(&writer) : fd_take(&reader);
    return 0;
}

static void make_parents(const char *path)
{
    char directory[4096];

    if ((size_t)snprintf(directory, sizeof directory, "%s", path) >= sizeof directory)
        return;
    for (char *at = strchr(directory + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(directory, 0755); /* what is wrong with it, the open that follows says */
        *at = '/';
    }
}

static int open_file(const char *path, bool input, int *fd, struct err *e)
{
    if (!input)
        make_parents(path);
    *fd = input ? open(path, O_RDONLY | O_CLOEXEC) : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (*fd < 0)
        return err_sys(e, "cannot open %s", path);
    return 0;
}

static int open_stream(const char *uri, bool input, bool terminal, int *fd, int *held, struct err *e)
{
    struct stat st;
    const char *path;

    if (uri[0] == 0)
        return 0;
    if (after_scheme(uri, "file://", &path))
        return open_file(path, input, fd, e);
    path = fifo_path(uri);
    if (path[0] != '/')
        return err_set(e, EINVAL, "stdio %s: known are a path of a fifo, fifo://, file:// and, for output, binary://",
                       uri);
    if (stat(path, &st) != 0)
        return err_sys(e, "cannot find the fifo %s", path);
    if (S_ISFIFO(st.st_mode))
        return open_fifo(path, input, terminal, fd, held, e);
    return open_file(path, input, fd, e);
}

void stdio_fds_close(struct stdio_fds *fds)
{
    for (int i = 0; i < STDIO_COUNT; i++)
        fd_close(&fds->stream[i]);
    fd_close(&fds->logger);
}

/* One program for both: whoever names it for stdout. */
static int open_logger(struct stdio *s, const char *id, const char *namespace, struct stdio_fds *fds, struct err *e)
{
    int error = logger_start(s->uri[STDOUT], id, namespace, &fds->stream[STDOUT], &fds->logger, e);

    if (error == 0 && s->terminal) {
        fd_close(&fds->stream[STDERR]); /* a terminal has one output */
        fcntl(fds->stream[STDOUT], F_SETFL, O_NONBLOCK);
    }
    return error;
}

int stdio_open(struct stdio *s, const char *id, const char *namespace, struct stdio_fds *fds, struct err *e)
{
    bool logger = logger_is_named(s->uri[STDOUT]);
    int error = 0;

    *fds = (struct stdio_fds){{-1, -1, -1}, -1};
    for (int i = 0; i < STDIO_COUNT && error == 0; i++)
        if (i == STDIN || (!logger && (i == STDOUT || !s->terminal)))
            error = open_stream(s->uri[i], i == STDIN, s->terminal, &fds->stream[i], &s->held[i], e);
    if (error == 0 && logger)
        error = open_logger(s, id, namespace, fds, e);
    if (error != 0) {
        stdio_fds_close(fds);
        stdio_close(s);
    }
    return error;
}

void stdio_close_input(struct stdio *s)
{
    fd_close(&s->held[STDIN]);
}

bool stdio_is_read(const struct stdio *s)
{
    int unread = 0;

    for (int i = STDOUT; i <= STDERR; i++)
        if (s->held[i] >= 0 && ioctl(s->held[i], FIONREAD, &unread) == 0 && unread > 0)
            return false;
    return true;
}

/* An open that waits for a writer is over once there was one, even if it is gone again. */
void stdio_let_readers_in(const struct stdio *s)
{
    for (int i = STDOUT; i <= STDERR; i++) {
        const char *path = fifo_path(s->uri[i]);
        struct stat st;

        if (path[0] == '/' && stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
            int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
            fd_close(&writer);
        }
    }
}

void stdio_close(struct stdio *s)
{
    for (int i = 0; i < STDIO_COUNT; i++)
        fd_close(&s->held[i]);
}

void stdio_done(struct stdio *s)
{
    stdio_close(s);
    for (int i = 0; i < STDIO_COUNT; i++) {
        free(s->uri[i]);
        s->uri[i] = NULL;
    }
}
