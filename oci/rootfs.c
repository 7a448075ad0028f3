/* See rootfs.h. Masks and read-only paths are set before pivot_root, through the descriptor of the root, because the
 * host's /proc and /dev are still there to be trusted and the container's are not. */
#include "oci/rootfs.h"
#include "base/fd.h"
#include "oci/mount.h"
#include "oci/mountinfo.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

/* pivot_root refuses a new root whose parent mount is shared; "/" may have been asked to be. The parent is the mount that
 * PATH lies on before it is bound: it is bound over itself, so its own mount point has to be private. */
static int make_parent_private(const char *path, unsigned long propagation, struct err *e)
{
    char parent[PATH_MAX];
    char *slash;

    if ((propagation & MS_SHARED) == 0)
        return 0;
    if (realpath(path, parent) == NULL)
        return err_sys(e, "cannot resolve the root file system '%s'", path);
    for (;;) { /* the nearest directory above that is a mount point: others answer EINVAL */
        if (sys.mount(NULL, parent, NULL, MS_PRIVATE, NULL) == 0)
            return 0;
        if (errno != EINVAL)
            return err_sys(e, "cannot make the mount of '%s' private", parent);
        slash = strrchr(parent, '/');
        if (slash == NULL || parent[1] == 0)
            return err_set(e, EINVAL, "no mount point above '%s'", path);
        slash[slash == parent] = 0;
    }
}

/* Binds PATH over itself and opens it. */
static int bind_root(const char *path, struct err *e)
{
    cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (host < 0 || directory < 0)
        return err_sys(e, "cannot open the root file system '%s'", path);
    cleanup_fd int root = mount_bind(directory, true, host, path, directory, e);
    return root < 0 ? err_prefix(e, "root file system '%s'", path) : fd_take(&root);
}

/* Makes the root of the own mount namespace ours, which it is not where the runtime runs in a chroot. Kernels before 5.8 need
 * /proc for it. */
static int enter_namespace_root(void)
{
    cleanup_fd int self = (int)sys.pidfd_open(getpid(), 0);
    if (self >= 0 && sys.setns(self, CLONE_NEWNS) == 0)
        return 0;
    cleanup_fd int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : (int)sys.setns(fd, CLONE_NEWNS);
}

/* Of all mounts, also those above a chroot that is no mount point itself; there for that moment only, since the paths of the
 * configuration are the chroot's. */
static int set_propagation(unsigned long flags, struct err *e)
{
    bool failed;

    if (sys.mount(NULL, "/", NULL, flags, NULL) == 0)
        return 0;
    cleanup_fd int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (errno != EINVAL || here < 0 || enter_namespace_root() < 0)
        return err_sys(e, "cannot set the propagation of the mount namespace");
    failed = sys.mount(NULL, "/", NULL, flags, NULL) < 0;
    if (failed)
        err_sys(e, "cannot set the propagation of the mount namespace, from within a chroot");
    if (fchdir(here) < 0 || sys.chroot(".") < 0)
        return err_sys(e, "cannot return to the runtime's root");
    return failed ? -e->code : 0;
}

int rootfs_prepare(const char *path, unsigned long propagation, struct err *e)
{
    unsigned long flags = propagation != 0 ? propagation : MS_SLAVE | MS_REC;
    int ret;

    if ((flags & MS_UNBINDABLE) !=
        0) /* the root file system is still to be bound; the rest comes after the change of root */
        flags = MS_PRIVATE | (flags & MS_REC);
    ret = set_propagation(flags, e);
    if (ret == 0)
        ret = make_parent_private(path, flags, e);
    return ret < 0 ? ret : bind_root(path, e);
}

int rootfs_prepare_shared(const char *path, struct err *e)
{
    cleanup_fd int root = bind_root(path, e);

    if (root >= 0 && sys.mount(NULL, path_of_fd(root).text, NULL, MS_PRIVATE | MS_REC, NULL) < 0)
        return err_sys(e, "cannot make the root file system '%s' private", path);
    return root < 0 ? root : fd_take(&root);
}

static bool is_null_device(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* The container's own null device, so that a chmod through a mask does not reach the host's; the host's if the image has
 * put something else in its place (CVE-2025-31133: the device is checked, then bound from this descriptor). */
static int open_null(int root, struct err *e)
{
    cleanup_fd int fd = path_open(root, "/dev/null", O_PATH | O_NOFOLLOW);

    if (fd >= 0 && is_null_device(fd))
        return fd_take(&fd);
    fd_close(&fd);
    fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !is_null_device(fd))
        return err_set(e, ENODEV, "/dev/null is not the null device (char 1:3)");
    return fd_take(&fd);
}

/* What covers masked paths: opened when first needed, one empty file system for all directories. */
enum { LABEL_DATA_MAX = 1024 };

struct mask {
    int root, null, empty;
    const char *label;
};

static int mask_directory(struct mask *mask, const char *path, int target, struct err *e)
{
    char data[LABEL_DATA_MAX] = "nr_blocks=1,nr_inodes=1";
    int ret;

    if (mask->empty >= 0) {
        cleanup_fd int again = mount_bind(mask->empty, false, mask->root, path, target, e);
        return again < 0 ? again : mount_change(again, MS_RDONLY, 0, e);
    }
    ret = mount_put_label(mask->label, data, sizeof data, e);
    if (ret == 0)
        ret = mount_filesystem("tmpfs", target, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, data, e);
    if (ret < 0)
        return ret;
    mask->empty = mount_reopen(mask->root, path, e);
    return mask->empty < 0 ? mask->empty : 0;
}

static int mask_file(struct mask *mask, const char *path, int target, struct err *e)
{
    if (mask->null < 0)
        mask->null = open_null(mask->root, e);
    if (mask->null < 0)
        return mask->null;
    cleanup_fd int mount = mount_bind(mask->null, false, mask->root, path, target, e);
    return mount < 0 ? mount : 0;
}

static bool is_missing(int ret)
{
    return ret == -ENOENT || ret == -ENOTDIR;
}

static int mask_path(struct mask *mask, const char *path, struct err *e)
{
    cleanup_fd int target = path_open(mask->root, path, O_PATH);
    struct stat st;

    if (is_missing(target))
        return 0;
    if (target < 0)
        return err_set(e, -target, "cannot open it: %s", strerror(-target));
    if (fstat(target, &st) < 0)
        return err_sys(e, "cannot stat it");
    return S_ISDIR(st.st_mode) ? mask_directory(mask, path, target, e) : mask_file(mask, path, target, e);
}

static bool is_listed(const char *const *paths, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(paths[i], path) == 0)
            return true;
    return false;
}

int rootfs_mask(int root, const char *const *paths, size_t count, const char *label, struct err *e)
{
    struct mask mask = {.root = root, .null = -1, .empty = -1, .label = label};
    int ret = 0;

    for (size_t i = 0; ret == 0 && i < count; i++) {
        if (is_listed(paths, i, paths[i]))
            continue;
        ret = mask_path(&mask, paths[i], e);
        if (ret < 0)
            err_prefix(e, "masked path '%s'", paths[i]);
    }
    fd_close(&mask.null);
    fd_close(&mask.empty);
    return ret;
}

static int make_readonly(int root, const char *path, struct err *e)
{
    static const struct mount_options tree_readonly = {.recursive_set = MOUNT_ATTR_RDONLY, .data = ""};
    cleanup_fd int target = path_open(root, path, O_PATH);
    int ret;

    if (is_missing(target))
        return 0;
    if (target < 0)
        return err_set(e, -target, "cannot open it: %s", strerror(-target));
    cleanup_fd int mount = mount_bind(target, true, root, path, target, e);
    if (mount < 0)
        return mount;
    ret = mount_finish(mount, &tree_readonly, false, e);
    return ret == -ENOTSUP ? mount_change(mount, MS_RDONLY, 0, e) : ret; /* before 5.12: as runc, only its top */
}

int rootfs_make_readonly(int root, const char *const *paths, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (make_readonly(root, paths[i], e) < 0)
            return err_prefix(e, "read-only path '%s'", paths[i]);
    return 0;
}

int rootfs_readonly(int root, struct err *e)
{
    return mount_change(root, MS_RDONLY, 0, e) < 0 ? err_prefix(e, "read-only root file system") : 0;
}

/* From the root of the namespace, so that nothing of the host's stays above the container's root. */
int rootfs_pivot(int root, struct err *e)
{
    (void)!enter_namespace_root();
    cleanup_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (old < 0 || fchdir(root) < 0)
        return err_sys(e, "cannot enter the root file system");
    /* pivot_root(".", "."): the old root lies over the new one until it is unmounted; no directory for it is needed */
    if (sys.pivot_root(".", ".") < 0)
        return err_sys(e, "cannot make the root file system the root (pivot_root)");
    if (fchdir(old) < 0 ||
        sys.mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0) /* the host must not see the unmount */
        return err_sys(e, "cannot let go of the host's root");
    if (sys.umount2(".", MNT_DETACH) < 0)
        return err_sys(e, "cannot unmount the host's root");
    return chdir("/") < 0 ? err_sys(e, "cannot enter the new root") : 0;
}

/* A mount that a user namespace has locked cannot go, so it is covered. */
static int hide(const char *point, struct err *e)
{
    if (sys.mount(NULL, point, NULL, MS_PRIVATE, NULL) < 0 && (errno == EINVAL || errno == ENOENT))
        return 0; /* it lay on one that is gone */
    if (sys.umount2(point, MNT_DETACH) == 0 || errno == ENOENT)
        return 0;
    if (sys.mount("tmpfs", point, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0") < 0)
        return err_sys(e, "cannot hide the host's '%s'", point);
    return 0;
}

/* Hides what is procfs or sysfs outside of the directory ROOTFS, the topmost mounts first. */
static int hide_kernel_files(char *mountinfo, const char *rootfs, struct err *e)
{
    size_t len = strlen(rootfs);
    int ret = 0;

    for (char *end = mountinfo + strlen(mountinfo); ret == 0 && end > mountinfo;) {
        struct mountinfo m;
        char *line = end;
        while (line > mountinfo && line[-1] != '\n')
            line--;
        *end = 0;
        end = line > mountinfo ? line - 1 : line;
        if (!mountinfo_read(line, &m) ||
            (strncmp(m.point, rootfs, len) == 0 && (m.point[len] == '/' || m.point[len] == 0)))
            continue;
        if (strcmp(m.type, "proc") == 0 || strcmp(m.type, "sysfs") == 0)
            ret = hide(m.point, e);
    }
    return ret;
}

/* Unlike pivot_root, MS_MOVE leaves the host's mounts below the new root. Full procfs and sysfs among them would let the kernel
 * mount another one, without the masks, in a user namespace that the container makes. */
int rootfs_move(int root, struct err *e)
{
    enum { MOUNTINFO_BYTES_MAX = 16 << 20 };
    cleanup_fd int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    struct buf text = {0};
    char rootfs[PATH_MAX];
    ssize_t len = readlink(path_of_fd(root).text, rootfs, sizeof rootfs - 1);
    int ret = 0;

    if (len < 0 || fd < 0 || fd_read_to_end(fd, &text, MOUNTINFO_BYTES_MAX) < 0)
        ret = err_sys(e, "cannot read /proc/self/mountinfo");
    if (ret == 0) {
        rootfs[len] = 0;
        ret = hide_kernel_files((char *)buf_cstr(&text), rootfs, e);
    }
    buf_done(&text);
    if (ret < 0)
        return ret;
    if (fchdir(root) < 0 || sys.mount(".", "/", NULL, MS_MOVE, NULL) < 0 || sys.chroot(".") < 0 || chdir("/") < 0)
        return err_sys(e, "cannot move the root file system to the root");
    return 0;
}

int rootfs_change(int root, struct err *e)
{
    if (fchdir(root) < 0 || sys.chroot(".") < 0 || chdir("/") < 0)
        return err_sys(e, "cannot make the root file system the root");
    return 0;
}

static int unmount(const char *path, struct err *e)
{
    if (sys.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return err_sys(e, "cannot unmount the root file system '%s'", path);
    return 0;
}

/* A namespace that is gone has taken its mounts with it. */
int rootfs_unmount_shared(const char *path, const char *namespace, struct err *e)
{
    cleanup_fd int fd = namespace != NULL ? open(namespace, O_RDONLY | O_CLOEXEC) : -1;
    pid_t pid;
    int status;

    if (namespace == NULL)
        return unmount(path, e);
    if (fd < 0)
        return 0;
    pid = fork();
    if (pid == 0)
        _exit(sys.setns(fd, CLONE_NEWNS) < 0 || unmount(path, NULL) < 0);
    if (pid < 0)
        return err_sys(e, "cannot start a process that unmounts '%s'", path);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "cannot wait for the process that unmounts '%s'", path);
    return status == 0 ? 0 : err_set(e, EBUSY, "cannot unmount '%s' in the mount namespace '%s'", path, namespace);
}

int rootfs_propagate(unsigned long propagation, struct err *e)
{
    if (propagation != 0 && sys.mount(NULL, "/", NULL, propagation, NULL) < 0)
        return err_sys(e, "cannot set the propagation of the root file system");
    return 0;
}
