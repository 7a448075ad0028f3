/* A root file system put together, entered and looked at from inside; and what hostile images try meanwhile. Each case
 * also runs as on Linux 4.18, where openat2, open_tree, move_mount, mount_setattr and fsopen do not exist. */
#include "oci/rootfs.h"
#include "base/fd.h"
#include "oci/dev.h"
#include "oci/mount.h"
#include "oci/path.h"
#include "private.h"
#include "sys_fail.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct err e;

static void old_kernel(void)
{
    sys.openat2 = enosys_openat2;
    sys.open_tree = enosys_open_tree;
    sys.move_mount = enosys_move_mount;
    sys.mount_setattr = enosys_mount_setattr;
    sys.fsopen = enosys_fsopen;
}

/* The child's changes to the table do not reach the parent, so the second run needs no clean-up. */
static void run_old(void *body)
{
    old_kernel();
    ((void (*)(void *))body)(NULL);
}

static void both_kernels(void (*body)(void *))
{
    in_private_namespaces(CLONE_NEWIPC, body, NULL);
    in_private_namespaces(CLONE_NEWIPC, run_old, (void *)body);
}

static int make_root(void)
{
    CHECK(mkdir("/mnt/root", 0755) == 0 && mkdir("/mnt/root/etc", 0755) == 0 && mkdir("/mnt/host", 0755) == 0);
    int root = rootfs_prepare("/mnt/root", 0, &e);
    CHECK_OK(root);
    return root;
}

static int apply(int root, const char *type, const char *source, const char *destination, struct mount_options o)
{
    struct mount_entry m = {.destination = destination, .type = type, .source = source, .tree = -1, .options = &o};
    if (o.data == NULL)
        o.data = "";
    return mount_apply(root, &m, &e);
}

static bool can_write(const char *path)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd >= 0;
}

static void standard_root(void *unused)
{
    (void)unused;
    const char *masked[] = {"/proc/version", "/proc/irq", "/proc/fs", "/proc/missing"},
               *readonly[] = {"/proc/sys", "/etc/none"};
    struct stat st;
    int root = make_root();
    CHECK_OK(apply(root, "proc", "proc", "/proc", (struct mount_options){0}));
    CHECK_OK(apply(root, "tmpfs", "tmpfs", "/dev",
                   (struct mount_options){.flags = MS_NOSUID, .data = "mode=755,size=65536k"}));
    CHECK_OK(apply(root, "devpts", "devpts", "/dev/pts",
                   (struct mount_options){.data = "newinstance,ptmxmode=0666,mode=0620"}));
    CHECK_OK(apply(root, "tmpfs", "shm", "/dev/shm", (struct mount_options){.data = "mode=1777,size=1m"}));
    CHECK_OK(apply(root, "mqueue", "mqueue", "/dev/mqueue", (struct mount_options){.flags = MS_NOEXEC}));
    CHECK_OK(apply(root, "sysfs", "sysfs", "/sys", (struct mount_options){.flags = MS_RDONLY}));
    for (size_t i = 0; dev_default(i) != NULL; i++)
        CHECK_OK(dev_make(root, dev_default(i), -1, &e));
    CHECK_OK(dev_make_links(root, &e));
    CHECK_OK(rootfs_mask(root, masked, 4, NULL, &e));
    CHECK_OK(rootfs_make_readonly(root, readonly, 2, &e));
    CHECK(faccessat(root, "etc", W_OK, 0) == 0);
    CHECK_OK(rootfs_readonly(root, &e));
    CHECK_OK(rootfs_pivot(root, &e));
    CHECK(stat("/mnt", &st) < 0 && stat("/dev/null", &st) == 0 && st.st_rdev == makedev(1, 3) &&
          st.st_mode == (S_IFCHR | 0666));
    CHECK(stat("/dev/ptmx", &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(stat("/proc/version", &st) == 0 && st.st_rdev == makedev(1, 3));
    CHECK(stat("/proc/irq", &st) == 0 && st.st_nlink == 2 && !can_write("/proc/irq/x"));
    CHECK(!can_write("/proc/sys/kernel/hostname") && errno == EROFS);
    CHECK(!can_write("/etc/x") && errno == EROFS);
    CHECK(can_write("/dev/shm/x") && !can_write("/sys/kernel/profiling"));
    CHECK(access("/../mnt/root", F_OK) < 0);
}

static void a_standard_root(void **state)
{
    both_kernels(standard_root);
    (void)state;
}

static void bind_mounts(void *unused)
{
    (void)unused;
    int root = make_root();
    cleanup_fd int made = open("/mnt/host/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(made >= 0 && mkdir("/mnt/host/below", 0755) == 0 &&
          mount("t", "/mnt/host/below", "tmpfs", MS_NOEXEC, NULL) == 0);
    CHECK_OK(apply(root, "bind", "/mnt/host", "/ro", (struct mount_options){.flags = MS_BIND | MS_REC | MS_RDONLY}));
    CHECK_OK(
        apply(root, NULL, "/mnt/host", "/rw", (struct mount_options){.flags = MS_BIND, .data = "mode=755,size=1k"}));
    CHECK_OK(apply(root, NULL, "/mnt/host/file", "/etc/file", (struct mount_options){.flags = MS_BIND}));
    CHECK(apply(root, NULL, "/mnt/absent", "/x", (struct mount_options){.flags = MS_BIND}) == -ENOENT);
    CHECK(strstr(e.text, "/mnt/absent") != NULL && strstr(e.text, "'/x'") != NULL);
    CHECK(apply(root, NULL, "/mnt/host/file", "/ro", (struct mount_options){.flags = MS_BIND}) == -ENOTDIR);
    CHECK(apply(root, NULL, NULL, "/x", (struct mount_options){0}) == -EINVAL);
    struct mount_options slave = {.flags = MS_BIND, .propagation = {MS_SHARED, MS_UNBINDABLE}, .propagation_count = 2};
    CHECK_OK(apply(root, NULL, "/mnt/host", "/slave", slave));
    CHECK_OK(rootfs_pivot(root, &e));
    CHECK(!can_write("/ro/x") && errno == EROFS && can_write("/ro/below/x"));
    CHECK(can_write("/rw/x") && can_write("/etc/file") && access("/rw/below/x", F_OK) < 0);
}

static void binds(void **state)
{
    both_kernels(bind_mounts);
    (void)state;
}

static void recursive_readonly(void *unused)
{
    (void)unused;
    int root = make_root();
    CHECK(mkdir("/mnt/host/below", 0755) == 0 && mount("t", "/mnt/host/below", "tmpfs", MS_NOEXEC, NULL) == 0);
    CHECK_OK(apply(root, NULL, "/mnt/host", "/rro",
                   (struct mount_options){.flags = MS_BIND | MS_REC, .recursive_set = MOUNT_ATTR_RDONLY}));
    CHECK_OK(rootfs_pivot(root, &e));
    CHECK(!can_write("/rro/x") && errno == EROFS && !can_write("/rro/below/x") && errno == EROFS);
}

static void rro_reaches_the_mounts_below(void **state)
{
    in_private_namespaces(0, recursive_readonly, NULL);
    (void)state;
}

static void copied_up(void *unused)
{
    (void)unused;
    char target[8] = "";
    struct stat st;
    int root = make_root();
    CHECK(mkdir("/mnt/root/etc/sub", 0711) == 0 && can_write("/mnt/root/etc/sub/file") &&
          symlink("sub", "/mnt/root/etc/link") == 0);
    CHECK(chown("/mnt/root/etc/sub/file", 7, 8) == 0);
    CHECK_OK(apply(root, "tmpfs", "tmpfs", "/etc", (struct mount_options){.copy_up = true}));
    CHECK_OK(rootfs_pivot(root, &e));
    CHECK(stat("/etc/sub", &st) == 0 && st.st_mode == (S_IFDIR | 0711));
    CHECK(stat("/etc/sub/file", &st) == 0 && st.st_uid == 7 && st.st_gid == 8 && st.st_mode == (S_IFREG | 0644));
    CHECK(readlink("/etc/link", target, sizeof target) == 3 && memcmp(target, "sub", 3) == 0);
    CHECK(stat("/etc", &st) == 0 && st.st_mode == (S_IFDIR | 0755));
}

static void tmpcopyup(void **state)
{
    both_kernels(copied_up);
    (void)state;
}

static void moved_root(void *unused)
{
    (void)unused;
    int root = make_root();
    CHECK_OK(apply(root, "proc", "proc", "/proc", (struct mount_options){0}));
    CHECK_OK(rootfs_move(root, &e));
    CHECK(access("/etc", F_OK) == 0 && access("/mnt", F_OK) < 0 && access("/proc/self/stat", F_OK) == 0);
}

static void no_pivot(void **state)
{
    both_kernels(moved_root);
    (void)state;
}

static void shared_root(void *unused)
{
    (void)unused;
    CHECK(mkdir("/mnt/root", 0755) == 0);
    int root = rootfs_prepare("/mnt/root", MS_SHARED | MS_REC, &e);
    CHECK_OK(root);
    CHECK_OK(rootfs_pivot(root, &e));
    CHECK_OK(rootfs_propagate(MS_SHARED | MS_REC, &e));
}

static void shared_propagation_can_still_pivot(void **state)
{
    both_kernels(shared_root);
    (void)state;
}

/* --- what has broken out of others -------------------------------------------------------------------------------- */

static void proc_is_a_link(void *unused)
{
    (void)unused;
    int root = make_root();
    CHECK(symlink("/etc", "/mnt/root/proc") == 0 && mkdir("/mnt/root/tmp", 0755) == 0 &&
          symlink("../tmp", "/mnt/root/sys") == 0);
    CHECK(apply(root, "proc", "proc", "/proc", (struct mount_options){0}) == -ELOOP);
    CHECK(apply(root, "sysfs", "sysfs", "/sys", (struct mount_options){0}) == -ELOOP);
}

static void cve_2023_27561_proc_must_be_a_real_directory(void **state)
{
    both_kernels(proc_is_a_link);
    (void)state;
}

static void over_proc(void *unused)
{
    (void)unused;
    int root = make_root();
    CHECK(apply(root, "tmpfs", "tmpfs", "/proc", (struct mount_options){0}) == -EPERM);
    CHECK_OK(apply(root, "proc", "proc", "/proc", (struct mount_options){0}));
    CHECK(apply(root, NULL, "/mnt/host", "/proc", (struct mount_options){.flags = MS_BIND}) == -EPERM);
    CHECK(apply(root, NULL, "/mnt/host", "/proc/self/attr", (struct mount_options){.flags = MS_BIND}) == -EPERM);
    CHECK(apply(root, NULL, "/mnt/host", "/etc/../proc/sys", (struct mount_options){.flags = MS_BIND}) == -EPERM);
    CHECK(symlink("proc/sys", "/mnt/root/way") == 0);
    CHECK(apply(root, "tmpfs", "tmpfs", "/way", (struct mount_options){0}) == -EPERM);
    CHECK(can_write("/mnt/host/uptime"));
    CHECK_OK(apply(root, NULL, "/mnt/host/uptime", "/proc/uptime", (struct mount_options){.flags = MS_BIND}));
}

static void cve_2019_19921_nothing_hides_proc(void **state)
{
    both_kernels(over_proc);
    (void)state;
}

static void destination_is_a_link(void *unused)
{
    (void)unused;
    struct stat st;
    int root = make_root();
    CHECK(symlink("/mnt/host", "/mnt/root/data") == 0 && symlink("../../mnt/host", "/mnt/root/data2") == 0);
    CHECK_OK(apply(root, "tmpfs", "t", "/data", (struct mount_options){0}));
    CHECK_OK(apply(root, "tmpfs", "t", "/data2/deep", (struct mount_options){0}));
    CHECK(stat("/mnt/host/deep", &st) < 0 && stat("/mnt/root/mnt/host/deep", &st) == 0);
}

static void cve_2021_30465_mount_points_stay_inside(void **state)
{
    both_kernels(destination_is_a_link);
    (void)state;
}

static void null_is_a_link(void *unused)
{
    (void)unused;
    const char *masked[] = {"/proc/version"};
    struct stat st;
    int root = make_root();
    CHECK_OK(apply(root, "proc", "proc", "/proc", (struct mount_options){0}));
    CHECK(mkdir("/mnt/root/dev", 0755) == 0 && symlink("/proc/sys/kernel/core_pattern", "/mnt/root/dev/null") == 0);
    CHECK_OK(rootfs_mask(root, masked, 1, NULL, &e));
    CHECK(stat("/mnt/root/proc/version", &st) == 0 && st.st_rdev == makedev(1, 3));
}

static void cve_2025_31133_masks_use_the_null_device(void **state)
{
    both_kernels(null_is_a_link);
    (void)state;
}

static void dev_is_a_link(void *unused)
{
    (void)unused;
    struct stat st;
    int root = make_root();
    CHECK(symlink("/mnt/host", "/mnt/root/dev") == 0 && can_write("/mnt/host/ptmx"));
    CHECK(dev_make(root, dev_default(0), -1, &e) == -ELOOP);
    CHECK(dev_make_links(root, &e) == -ELOOP);
    CHECK(stat("/mnt/host/ptmx", &st) == 0 && S_ISREG(st.st_mode));
    CHECK(lstat("/mnt/host/fd", &st) < 0 && stat("/mnt/host/null", &st) < 0);
}

static void cve_2026_41579_dev_as_a_link_is_refused(void **state)
{
    both_kernels(dev_is_a_link);
    (void)state;
}

static char mounted[4096]; /* the options of the last mount */
static long keep_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
    snprintf(mounted, sizeof mounted, "%s", data != NULL ? (const char *)data : "");
    if (strcmp(type, "tmpfs") == 0)
        data = "nr_blocks=1"; /* this kernel may have no SELinux */
    return syscall(SYS_mount, source, target, type, flags, data);
}

static void labels(void *unused)
{
    (void)unused;
    static const char label[] = "system_u:object_r:container_file_t:s0:c1,c2";
    static const struct mount_options plain = {.data = ""}, small = {.data = "size=1m"};
    struct mount_entry entry = {
        .destination = "/x", .type = "tmpfs", .source = "t", .tree = -1, .label = label, .options = &small};
    const char *masked[] = {"/x"};
    char data[64] = "";
    int root = make_root();

    sys.mount = keep_mount;
    CHECK_OK(mount_apply(root, &entry, &e));
    CHECK(strcmp(mounted, "size=1m,context=\"system_u:object_r:container_file_t:s0:c1,c2\"") == 0);
    entry.destination = "/y";
    entry.options = &plain;
    entry.label = NULL;
    CHECK_OK(mount_apply(root, &entry, &e));
    CHECK(strcmp(mounted, "") == 0);
    CHECK_OK(rootfs_mask(root, masked, 1, label, &e));
    CHECK(strcmp(mounted, "nr_blocks=1,nr_inodes=1,context=\"system_u:object_r:container_file_t:s0:c1,c2\"") == 0);
    entry = (struct mount_entry){
        .destination = "/q", .type = "mqueue", .source = "q", .tree = -1, .label = label, .options = &plain};
    CHECK(mount_apply(root, &entry, &e) == 0 || strstr(e.text, "message queues") != NULL);
    CHECK(strcmp(mounted, "") == 0);
    CHECK(mount_put_label("a-label-that-is-longer-than-the-room-for-it-in-the-buffer-of-64-bytes", data, sizeof data,
                          &e) == -EINVAL);
}

static void new_file_systems_get_the_mount_label(void **state)
{
    in_private_namespaces(0, labels, NULL);
    (void)state;
}

static long eperm_mknodat(int dir, const char *path, mode_t mode, dev_t device)
{
    (void)dir, (void)path, (void)mode, (void)device;
    errno = EPERM;
    return -1;
}

static void bound_devices(void *unused)
{
    (void)unused;
    struct stat before, after, inside;
    struct device owned = *dev_default(0), wrong = *dev_default(0);
    int root = make_root();
    CHECK(stat("/dev/null", &before) == 0);
    sys.mknodat = eperm_mknodat;
    owned.uid = 1234;
    owned.mode = S_IFCHR | 0600;
    CHECK_OK(dev_make(root, &owned, -1, &e));
    CHECK(stat("/mnt/root/dev/null", &inside) == 0 && inside.st_rdev == makedev(1, 3));
    CHECK(stat("/dev/null", &after) == 0 && after.st_uid == before.st_uid && after.st_mode == before.st_mode);
    wrong.path = "/dev/zero";
    CHECK(dev_make(root, &wrong, -1, &e) == -ENODEV);
}

static void host_devices_keep_owner_and_mode(void **state)
{
    both_kernels(bound_devices);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standard_root),
        cmocka_unit_test(binds),
        cmocka_unit_test(rro_reaches_the_mounts_below),
        cmocka_unit_test(tmpcopyup),
        cmocka_unit_test(no_pivot),
        cmocka_unit_test(shared_propagation_can_still_pivot),
        cmocka_unit_test(cve_2023_27561_proc_must_be_a_real_directory),
        cmocka_unit_test(cve_2019_19921_nothing_hides_proc),
        cmocka_unit_test(cve_2021_30465_mount_points_stay_inside),
        cmocka_unit_test(cve_2025_31133_masks_use_the_null_device),
        cmocka_unit_test(cve_2026_41579_dev_as_a_link_is_refused),
        cmocka_unit_test(new_file_systems_get_the_mount_label),
        cmocka_unit_test(host_devices_keep_owner_and_mode),
    };
    return cmocka_run_group_tests_name("rootfs", tests, NULL, NULL);
}
