/* A container's terminal in the foreground: `run` and `exec` that stay are the other end of it. What is typed goes in, what
 * is printed comes out, and the window's size follows; as runc, the own terminal keeps turning "\n" into "\r\n" and the
 * container's does not, so that redirected output has plain lines. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/socket.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

enum { CHUNK_BYTES = 4096 };

struct relay {
    int master, signals;
    struct notify *notify;
    bool reads_input, reads_output;
    char typed[CHUNK_BYTES]; /* on its way to the container, which may be slow to read */
    size_t typed_len;
    bool is_raw;
    struct termios before;
};

int cmd_terminal_offer(int ends[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, "cannot make a socket pair for the terminal");
    return 0;
}

static void follow_size(int master)
{
    struct winsize size;

    if (ioctl(0, TIOCGWINSZ, &size) == 0)
        ioctl(master, TIOCSWINSZ, &size);
}

void cmd_terminal_size(uint32_t *height, uint32_t *width)
{
    struct winsize size;

    if (ioctl(0, TIOCGWINSZ, &size) < 0)
        return;
    *height = size.ws_row;
    *width = size.ws_col;
}

int cmd_terminal_take(int end)
{
    int master = socket_receive_fd(end);

    if (master >= 0)
        follow_size(master);
    return master;
}

static void begin(struct relay *r)
{
    struct termios mode;

    fcntl(r->master, F_SETFL, O_NONBLOCK); /* ours alone; standard streams are shared and never set so */
    if (tcgetattr(0, &r->before) < 0)
        return;
    mode = r->before;
    cfmakeraw(&mode);
    mode.c_oflag |= OPOST;
    r->is_raw = tcsetattr(0, TCSANOW, &mode) == 0; /* signals are blocked, SIGTTOU too */
}

/* Passes on what the container has printed. */
static void put_output(struct relay *r)
{
    char text[CHUNK_BYTES];
    ssize_t n = read(r->master, text, sizeof text);

    if (n > 0)
        fd_write_all(1, text, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) /* EIO: nobody has the other end open */
        r->reads_output = false;
}

static void take_input(struct relay *r)
{
    ssize_t n = read(0, r->typed, sizeof r->typed);

    if (n > 0)
        r->typed_len = (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        r->reads_input = false;
}

static void put_input(struct relay *r)
{
    ssize_t n = write(r->master, r->typed, r->typed_len);

    if (n > 0) {
        r->typed_len -= (size_t)n;
        memmove(r->typed, r->typed + n, r->typed_len);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        r->typed_len = 0;
        r->reads_input = false;
    }
}

/* True once PID has ended. */
static bool take_signal(struct relay *r, pid_t pid, int *status)
{
    struct signalfd_siginfo info;

    if (read(r->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return false;
    if (info.ssi_signo == SIGWINCH)
        follow_size(r->master);
    else if (info.ssi_signo == SIGCHLD)
        return cmd_reap(pid, status);
    else
        cmd_pass_signal(pid, (int)info.ssi_signo, r->notify);
    return false;
}

static bool turn(struct relay *r, pid_t pid, int *status)
{
    struct pollfd fds[] = {
        {.fd = r->signals, .events = POLLIN},
        {.fd = r->reads_output || r->typed_len != 0 ? r->master : -1,
         .events = (short)((r->reads_output ? POLLIN : 0) | (r->typed_len != 0 ? POLLOUT : 0))},
        {.fd = r->reads_input && r->typed_len == 0 ? 0 : -1, .events = POLLIN},
    };

    if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
        return false;
    if ((fds[1].revents & POLLOUT) != 0)
        put_input(r);
    if (r->reads_output && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        put_output(r);
    if (fds[2].revents != 0)
        take_input(r);
    return fds[0].revents != 0 && take_signal(r, pid, status);
}

int cmd_terminal_wait(pid_t pid, const sigset_t *signals, struct notify *notify, int master)
{
    struct relay r = {.master = master, .notify = notify, .reads_input = true, .reads_output = true};
    int status = 255;

    r.signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r.signals < 0)
        return cmd_wait(pid, signals, notify);
    begin(&r);
    if (!cmd_reap(pid, &status)) /* it may have ended before its signal could be seen here */
        while (!turn(&r, pid, &status))
            ;
    for (struct pollfd rest = {.fd = master, .events = POLLIN}; r.reads_output && poll(&rest, 1, 0) > 0;)
        put_output(&r);
    if (r.is_raw)
        tcsetattr(0, TCSANOW, &r.before);
    fd_close(&r.signals);
    return status;
}
