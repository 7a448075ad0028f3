/* A hostile module with the machine's own tree as its grant: nothing through which the kernel shows its state, and no device
 * but the harmless five, can be reached, whatever the grant looks like. Needs no root; nothing is changed. */
#include "tests/unit/engine/wasi_guest.h"
#include <sched.h>
#include <sys/mount.h>

static struct grant_path path;
static struct grant grant;

static void grant_only(const char *host_path, const char *guest_path, bool with_openat2)
{
    path = (struct grant_path){GRANT_DIRECTORY, guest_path, NULL, open(host_path, O_PATH | O_CLOEXEC), true};
    assert_true(path.fd >= 0);
    grant = (struct grant){.paths = &path, .path_count = 1};
    assert_int_equal(wasi_context_new(&grant, &guest_context, NULL), 0);
    guest_context->root.has_openat2 &= with_openat2;
}

static void take_back(void)
{
    wasi_context_free(guest_context);
    close(path.fd);
}

static bool is_refusal(enum wasi_errno error)
{
    /* missing is as good as refused, be it the name or (NXIO, NODEV) the driver behind a device node */
    return error == WASI_PERM || error == WASI_NOENT || error == WASI_ACCES || error == WASI_NXIO ||
           error == WASI_NODEV;
}

/* Nothing can be opened at NAME. */
static void is_out_of_reach(const char *name)
{
    static const uint64_t rights[] = {0, RIGHTS_READ, RIGHTS_WRITE, RIGHTS_READ_WRITE};
    enum wasi_errno error;
    unsigned fd;

    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        error = guest_open(3, name, 0, rights[i], WASI_FDFLAG_NONBLOCK, &fd);
        if (!is_refusal(error))
            fail_msg("opening %s gives %d", name, (int)error);
    }
    error = guest_open(3, name, WASI_OFLAG_DIRECTORY, 0, 0, &fd);
    if (!is_refusal(error) && error != WASI_NOTDIR)
        fail_msg("opening %s as a directory gives %d", name, (int)error);
}

static const char *const kernel_files[] = {
    "proc",
    "proc/self/mem",
    "proc/self/maps",
    "proc/self/environ",
    "proc/self/exe",
    "proc/self/root/etc/passwd",
    "proc/self/cwd",
    "proc/self/fd/0",
    "proc/thread-self/mem",
    "proc/1/environ",
    "proc/1/root",
    "proc/sysrq-trigger",
    "proc/sys/kernel/core_pattern",
    "proc/kcore",
    "sys",
    "sys/kernel",
    "sys/fs/cgroup",
    "sys/fs/cgroup/cgroup.procs",
    "dev",
    "dev/mem",
    "dev/kmsg",
    "dev/pts",
    "dev/ptmx",
    "dev/shm",
    "./proc/../proc/self/mem",
    "usr/../proc/self/mem",
};

/* /proc, /sys and /dev are mounts, and none of them a grant. */
static void below_the_whole_machine(void **state)
{
    for (int with_openat2 = 0; with_openat2 < 2; with_openat2++) {
        grant_only("/", "/", with_openat2);
        for (size_t i = 0; i < sizeof kernel_files / sizeof *kernel_files; i++)
            is_out_of_reach(kernel_files[i]);
        assert_string_not_equal(guest_content(3, "etc/passwd"), "error 63"); /* the rest is reached */
        take_back();
    }
}

static void magic_links_are_not_followed(void **state)
{
    for (int with_openat2 = 0; with_openat2 < 2; with_openat2++) {
        tree_make();
        tree_link("/proc/self/fd/0", "fd");
        tree_link("/proc/self/exe", "exe");
        tree_link("/proc/self", "self");
        tree_link("/dev/mem", "mem");
        grant_only(tree, "/", with_openat2);
        is_out_of_reach("fd");
        is_out_of_reach("exe");
        is_out_of_reach("self/mem");
        is_out_of_reach("mem");
        take_back();
        tree_remove();
    }
}

/* Somebody grants the kernel's file systems themselves. */
static void even_as_a_grant(void **state)
{
    static const char *const grants[] = {"/proc", "/proc/self", "/sys", "/proc/self/fd", "/dev/pts"};
    static const char *const names[] = {".", "self/mem", "mem", "1/environ", "0", "ptmx", "kernel", "net/../mem"};

    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++)
        for (int with_openat2 = 0; access(grants[i], F_OK) == 0 && with_openat2 < 2; with_openat2++) {
            grant_only(grants[i], "/data", with_openat2);
            for (size_t j = 0; j < sizeof names / sizeof *names; j++)
                is_out_of_reach(names[j]);
            assert_int_equal(guest_call("path_filestat_get", 3u, 0u, TEXT("stat"), (unsigned)GUEST_RESULT), WASI_PERM);
            assert_int_equal(
                guest_call("path_readlink", 3u, TEXT("exe"), (unsigned)GUEST_DATA, 100u, (unsigned)GUEST_RESULT),
                WASI_PERM);
            assert_int_equal(
                guest_call("fd_readdir", 3u, (unsigned)GUEST_DATA, 1000u, (uint64_t)0, (unsigned)GUEST_RESULT),
                WASI_PERM);
            assert_int_equal(
                guest_call("fd_filestat_set_times", 3u, (uint64_t)0, (uint64_t)0, (unsigned)WASI_FST_MTIM_NOW),
                WASI_PERM);
            take_back();
        }
}

/* /dev granted as a directory: of its devices only the harmless ones open. */
static void devices_of_a_granted_directory(void **state)
{
    static const char *const refused[] = {"mem",  "kmsg",    "port",  "ptmx",         "tty",
                                          "tty0", "console", "fuse",  "kvm",          "net/tun",
                                          "vda",  "sda",     "loop0", "loop-control", "random/../mem"};

    for (int with_openat2 = 0; with_openat2 < 2; with_openat2++) {
        grant_only("/dev", "/dev", with_openat2);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            unsigned fd;
            enum wasi_errno error = guest_open(3, refused[i], 0, RIGHTS_READ, WASI_FDFLAG_NONBLOCK, &fd);
            if (error == WASI_SUCCESS)
                fail_msg("%s opens", refused[i]);
        }
        assert_string_equal(guest_content(3, "null"), "");
        take_back();
    }
}

/* A node for /dev/mem that an image brought along. Root's business: made here if we may. */
static void device_node_in_an_image(void **state)
{
    tree_make();
    if (mknod(tree_path("mem"), S_IFCHR | 0666, (1 << 8) | 1) < 0 ||
        mknod(tree_path("zero"), S_IFCHR | 0666, (1 << 8) | 5) < 0) {
        tree_remove();
        skip();
    }
    for (int with_openat2 = 0; with_openat2 < 2; with_openat2++) {
        grant_only(tree, "/", with_openat2);
        is_out_of_reach("mem");
        assert_int_not_equal(guest_open(3, "zero", 0, RIGHTS_READ, 0, &(unsigned){0}), WASI_PERM);
        take_back();
    }
    tree_remove();
}

/* A mount that appears below a grant later, and was granted by nobody. */
static void mount_below_a_grant(void **state)
{
    tree_make();
    tree_directory("mount");
    tree_file("mount/below", "below");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", tree_path("mount"), "tmpfs", 0, NULL) < 0) {
        tree_remove();
        skip();
    }
    tree_file("mount/inside", "inside");
    for (int with_openat2 = 0; with_openat2 < 2; with_openat2++) {
        grant_only(tree, "/data", with_openat2);
        is_out_of_reach("mount");
        is_out_of_reach("mount/inside");
        assert_int_equal(guest_call("path_filestat_get", 3u, 0u, TEXT("mount"), (unsigned)GUEST_RESULT), WASI_PERM);
        assert_int_equal(guest_call("path_filestat_set_times", 3u, 0u, TEXT("mount"), (uint64_t)0, (uint64_t)0,
                                    (unsigned)WASI_FST_MTIM_NOW),
                         WASI_PERM);
        assert_int_equal(guest_call("path_create_directory", 3u, TEXT("mount/new")), WASI_PERM);
        assert_int_equal(guest_call("path_unlink_file", 3u, TEXT("mount/inside")), WASI_PERM);
        take_back();
    }
    umount2(tree_path("mount"), MNT_DETACH);
    tree_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_the_whole_machine), cmocka_unit_test(magic_links_are_not_followed),
        cmocka_unit_test(even_as_a_grant),         cmocka_unit_test(devices_of_a_granted_directory),
        cmocka_unit_test(device_node_in_an_image), cmocka_unit_test(mount_below_a_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
