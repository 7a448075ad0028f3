/* See tty.h. */
#include "oci/tty.h"
#include "base/fd.h"
#include "oci/mount.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

int tty_connect(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char parent[PATH_MAX];
    int len;

    snprintf(parent, sizeof parent, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1, slash != NULL ? path : ".");
    cleanup_fd int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (directory < 0 || fd < 0)
        return err_sys(e, "cannot reach the console socket '%s'", path);
    /* by way of the directory's descriptor: an address holds only 107 bytes */
    len = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", path_of_fd(directory).text, name);
    if (len < 0 || (size_t)len >= sizeof address.sun_path)
        return err_set(e, ENAMETOOLONG, "the name of the console socket '%s' is too long", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(e, "cannot connect to the console socket '%s'", path);
    return fd_take(&fd);
}

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

int tty_open(int root, unsigned height, unsigned width, uid_t uid, int *slave, struct err *e)
{
    const struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
    cleanup_fd int container = -1, master = open_pair(root, &container, e);

    if (master < 0)
        return master;
    if (height != 0 && width != 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
        return err_sys(e, "cannot set the size of the terminal");
    if (fchown(container, uid, (gid_t)-1) < 0)
        return err_sys(e, "cannot set the owner of the terminal");
    *slave = fd_take(&container);
    return fd_take(&master);
}

int tty_send(int socket, int master, struct err *e)
{
    static const char text[] = "/dev/ptmx";
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec data = {(void *)text, sizeof text - 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &master, sizeof master);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? err_sys(e, "cannot send the terminal over the console socket")
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
