/* Terminals: from the container's own devpts, bound to its console, sent over a socket. */
#include "oci/socket.h"
#include "oci/tty.h"
#include "base/fd.h"
#include "oci/dev.h"
#include "oci/mount.h"
#include "oci/rootfs.h"
#include "private.h"
#include "sys_fail.h"
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct err e;
static const struct config_process plain, sized = {.console_height = 24, .console_width = 80, .user.uid = 1000};

static void mount_one(int root, const char *type, const char *destination, const char *data)
{
    struct mount_options o = {.data = data};
    struct mount_entry m = {.destination = destination, .type = type, .source = type, .tree = -1, .options = &o};
    CHECK_OK(mount_apply(root, &m, &e));
}

static void terminal_body(void *old_kernel)
{
    struct winsize size;
    struct stat console, slave_stat;
    char text[8];
    int slave = -1, ends[2];
    if (old_kernel != NULL) {
        sys.openat2 = enosys_openat2;
        sys.open_tree = enosys_open_tree;
        sys.move_mount = enosys_move_mount;
    }
    CHECK(mkdir("/mnt/root", 0755) == 0);
    int root = rootfs_prepare("/mnt/root", 0, &e);
    CHECK_OK(root);
    CHECK(tty_open(root, &sized, false, &slave, &e) == -ENOENT && strstr(e.text, "devpts") != NULL);
    mount_one(root, "tmpfs", "/dev", "mode=755");
    mount_one(root, "devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620");
    int master = tty_open(root, &sized, false, &slave, &e);
    CHECK_OK(master);
    CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 24 && size.ws_col == 80);
    CHECK_OK(tty_bind_console(root, slave, &e));
    CHECK(stat("/mnt/root/dev/console", &console) == 0 && fstat(slave, &slave_stat) == 0);
    CHECK(console.st_rdev == slave_stat.st_rdev && slave_stat.st_uid == 1000);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_OK(tty_send(ends[0], master, &e));
    char control[CMSG_SPACE(sizeof(int))], name[32];
    struct iovec data = {name, sizeof name};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(ends[1], &message, 0) == 9 && memcmp(name, "/dev/ptmx", 9) == 0);
    int received;
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(setsid() > 0);
        CHECK_OK(tty_become(slave, &e));
        CHECK(open("/dev/tty", O_RDWR) >= 0 && write(1, "hello", 5) == 5);
        pause();
    }
    CHECK(read(received, text, 5) == 5 && memcmp(text, "hello", 5) == 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void terminal(void **state)
{
    in_private_namespaces(0, terminal_body, NULL);
    in_private_namespaces(0, terminal_body, &e);
    (void)state;
}

static void fake_body(void *unused)
{
    int slave = -1;
    (void)unused;
    CHECK(mkdir("/mnt/root", 0755) == 0 && mkdir("/mnt/root/dev", 0755) == 0 && mkdir("/mnt/root/dev/pts", 0755) == 0);
    int root = rootfs_prepare("/mnt/root", 0, &e);
    CHECK_OK(root);
    CHECK(mknod("/mnt/root/dev/pts/ptmx", S_IFREG | 0666, 0) == 0);
    CHECK(tty_open(root, &plain, false, &slave, &e) == -EINVAL);
    CHECK(unlink("/mnt/root/dev/pts/ptmx") == 0 && symlink("/etc/passwd", "/mnt/root/dev/pts/ptmx") == 0);
    CHECK(tty_open(root, &plain, false, &slave, &e) == -ELOOP);
}

static void cve_2025_52565_terminals_come_from_devpts(void **state)
{
    in_private_namespaces(0, fake_body, NULL);
    (void)state;
}

static void connects_to_long_paths(void **state)
{
    char directory[] = "/tmp/test-tty-XXXXXX", path[400], *p = path;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    assert_non_null(mkdtemp(directory));
    p += snprintf(path, sizeof path, "%s", directory);
    for (int i = 0; i < 3; i++) {
        p += snprintf(p, 102, "/%0100d", 0);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), here = open(".", O_RDONLY);
    assert_int_equal(chdir(path), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(fchdir(here), 0);
    snprintf(p, 10, "/socket");
    int fd = socket_connect(path, "console socket", &e);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
    assert_int_equal(socket_connect(path, "console socket", &e), -ECONNREFUSED);
    assert_int_equal(unlink(path), 0);
    for (*p = 0; strlen(path) > strlen(directory); *strrchr(path, '/') = 0)
        assert_int_equal(rmdir(path), 0);
    rmdir(directory);
    close(here);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(terminal),
                                       cmocka_unit_test(cve_2025_52565_terminals_come_from_devpts),
                                       cmocka_unit_test(connects_to_long_paths)};
    return cmocka_run_group_tests_name("tty", tests, NULL, NULL);
}
