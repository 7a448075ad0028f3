/* See terminal.h. Two directions, each with one buffer: while it holds something its source is not read, so a reader that
 * is slow stops the terminal, as it would a real one. */
#include "shim/terminal.h"
#include "base/fd.h"
#include "shim/log.h"
#include <stddef.h>
#include <sys/ioctl.h>

enum { PUMP_BYTES = 2048 };

struct pump {
    char data[PUMP_BYTES];
    unsigned at, len;
};

struct terminal {
    struct loop *loop;
    int master, in, out;
    struct source master_source, in_source, out_source;
    struct pump output, input; /* from, to the container */
    bool hung_up;              /* all slaves are closed */
};

static bool pump_is_empty(const struct pump *p)
{
    return p->at == p->len;
}

/* Fills an empty pump. Returns false at the end of the source. */
static bool pump_fill(struct pump *p, int fd)
{
    ssize_t n = read(fd, p->data, sizeof p->data);

    p->at = 0;
    p->len = n > 0 ? (unsigned)n : 0;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns false when FD takes nothing any more; what was to go there is dropped. */
static bool pump_drain(struct pump *p, int fd)
{
    while (!pump_is_empty(p)) {
        ssize_t n = write(fd, p->data + p->at, p->len - p->at);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0 && errno != EINTR) {
            p->at = p->len;
            return false;
        }
        p->at += n > 0 ? (unsigned)n : 0;
    }
    return true;
}

/* A source with nothing to wait for is taken out: the kernel would report a hang-up on it over and over. */
static void watch(struct terminal *t, struct source *source, int fd, uint32_t events)
{
    if (events == 0 || fd < 0)
        loop_remove(t->loop, source);
    else if (source->fd >= 0)
        loop_change(t->loop, source, events);
    else if (loop_add(t->loop, source, fd, events) != 0)
        log_line(LOG_ERROR, NULL, "a terminal cannot be watched any more: %s", strerror(errno));
}

/* Watches each descriptor for what its direction can go on with. */
static void terminal_watch(struct terminal *t)
{
    uint32_t master = pump_is_empty(&t->output) ? EPOLLIN : 0;

    if (!pump_is_empty(&t->input))
        master |= EPOLLOUT;
    watch(t, &t->master_source, t->master, t->hung_up ? 0 : master);
    watch(t, &t->in_source, t->in, pump_is_empty(&t->input) && !t->hung_up ? EPOLLIN : 0);
    watch(t, &t->out_source, t->out, pump_is_empty(&t->output) ? 0 : EPOLLOUT);
    if (t->hung_up && pump_is_empty(&t->output))
        fd_close(&t->out); /* the client's end of file */
}

static void output_send(struct terminal *t)
{
    if (t->out < 0)
        t->output.at = t->output.len;
    else if (!pump_drain(&t->output, t->out)) {
        loop_remove(t->loop, &t->out_source);
        fd_close(&t->out);
    }
}

static void master_ready(struct source *source, uint32_t events)
{
    struct terminal *t = (struct terminal *)((char *)source - offsetof(struct terminal, master_source));

    if (!pump_is_empty(&t->input))
        pump_drain(&t->input, t->master);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && pump_is_empty(&t->output)) {
        if (!pump_fill(&t->output, t->master)) /* EIO: no slave is open any more */
            t->hung_up = true;
        output_send(t);
    }
    terminal_watch(t);
}

static void out_ready(struct source *source, uint32_t events)
{
    struct terminal *t = (struct terminal *)((char *)source - offsetof(struct terminal, out_source));

    (void)events;
    output_send(t);
    terminal_watch(t);
}

static void in_ready(struct source *source, uint32_t events)
{
    struct terminal *t = (struct terminal *)((char *)source - offsetof(struct terminal, in_source));

    (void)events;
    if (pump_is_empty(&t->input) && !pump_fill(&t->input, t->in)) {
        loop_remove(t->loop, &t->in_source); /* the last writer is gone, after CloseIO; a terminal has no end of file */
        fd_close(&t->in);
    }
    pump_drain(&t->input, t->master);
    terminal_watch(t);
}

struct terminal *terminal_new(struct loop *loop, int master, int in, int out)
{
    struct terminal *t = calloc(1, sizeof *t);

    if (t == NULL) {
        fd_close(&master);
        fd_close(&in);
        fd_close(&out);
        return NULL;
    }
    *t = (struct terminal){.loop = loop, .master = master, .in = in, .out = out};
    t->master_source = (struct source){.ready = master_ready, .fd = -1};
    t->in_source = (struct source){.ready = in_ready, .fd = -1};
    t->out_source = (struct source){.ready = out_ready, .fd = -1};
    fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
    terminal_watch(t);
    return t;
}

int terminal_resize(struct terminal *t, unsigned width, unsigned height)
{
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};
    return ioctl(t->master, TIOCSWINSZ, &size) != 0 ? -errno : 0;
}

void terminal_free(struct terminal *t)
{
    if (t == NULL)
        return;
    while (!t->hung_up) {
        output_send(t);
        if (!pump_is_empty(&t->output) || !pump_fill(&t->output, t->master) || pump_is_empty(&t->output))
            break;
    }
    output_send(t);
    loop_remove(t->loop, &t->master_source);
    loop_remove(t->loop, &t->in_source);
    loop_remove(t->loop, &t->out_source);
    fd_close(&t->master);
    fd_close(&t->in);
    fd_close(&t->out);
    free(t);
}
