/* See tty.h. */
#include "oci/tty.h"
#include "base/fd.h"
#include "oci/mount.h"
#include "oci/path.h"
#include "oci/socket.h"
#include "oci/sys.h"
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <termios.h>

/* Opens both ends. Returns the master. */
static int open_pair(int root, int *slave, struct err *e)
{
    cleanup_fd int multiplexer = path_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
    int unlock = 0;

    if (multiplexer < 0)
        return err_set(e, -multiplexer, "process.terminal needs a devpts mounted at /dev/pts: %s",
                       strerror(-multiplexer));
    if (!path_on_fs(multiplexer, DEVPTS_SUPER_MAGIC))
        return err_set(e, EINVAL, "process.terminal needs a devpts mounted at /dev/pts");
    if (ioctl(multiplexer, TIOCSPTLCK, &unlock) < 0)
        return err_sys(e, "cannot unlock the terminal");
    *slave = ioctl(multiplexer, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); /* 4.13 */
    if (*slave < 0)
        return err_sys(e, "cannot open the container's end of the terminal");
    if (!path_on_fs(*slave, DEVPTS_SUPER_MAGIC)) {
        fd_close(slave);
        return err_set(e, EINVAL, "the container's end of the terminal is not on a devpts");
    }
    return fd_take(&multiplexer);
}

int tty_bind_console(int root, int slave, struct err *e)
{
    cleanup_fd int target = path_make(root, "/dev/console", PATH_MAKE_FILE, PATH_FOLLOW_LINKS, e);

    if (target < 0)
        return target;
    cleanup_fd int mount = mount_bind(slave, false, root, "/dev/console", target, e);
    return mount < 0 ? mount : 0;
}

int tty_open(int root, const struct config_process *process, bool plain_output, int *slave, struct err *e)
{
    const struct winsize size = {.ws_row = (unsigned short)process->console_height,
                                 .ws_col = (unsigned short)process->console_width};
    cleanup_fd int container = -1, master = open_pair(root, &container, e);
    struct termios mode;

    if (master < 0)
        return master;
    if (size.ws_row != 0 && size.ws_col != 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
        return err_sys(e, "cannot set the size of the terminal");
    if (plain_output && tcgetattr(container, &mode) == 0) {
        mode.c_oflag &= ~(tcflag_t)ONLCR;
        tcsetattr(container, TCSANOW, &mode);
    }
    if (fchown(container, process->user.uid, (gid_t)-1) < 0)
        return err_sys(e, "cannot set the owner of the terminal");
    *slave = fd_take(&container);
    return fd_take(&master);
}

int tty_send(int socket, int master, struct err *e)
{
    static const char text[] = "/dev/ptmx";

    return socket_send_fd(socket, text, sizeof text - 1, master) < 0
               ? err_sys(e, "cannot send the terminal over the console socket")
               : 0;
}

int tty_become(int slave, struct err *e)
{
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return err_sys(e, "cannot make the terminal the controlling one");
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(slave, fd) < 0)
            return err_sys(e, "cannot use the terminal as descriptor %d", fd);
    return 0;
}
