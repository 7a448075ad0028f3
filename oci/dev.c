/* Device nodes and links below the root; see dev.h. */
#include "oci/dev.h"
#include "base/fd.h"
#include "oci/mount.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ELSEWHERE_NAME "node" /* of the one file in what dev_make_elsewhere makes */

/* makedev is no constant expression; for numbers below 256 this is its value */
#define NUMBER(major, minor) ((major) << 8 | (minor))
static const struct device default_devices[] = {
    {"/dev/null", S_IFCHR | 0666, NUMBER(1, 3), 0, 0},    {"/dev/zero", S_IFCHR | 0666, NUMBER(1, 5), 0, 0},
    {"/dev/full", S_IFCHR | 0666, NUMBER(1, 7), 0, 0},    {"/dev/random", S_IFCHR | 0666, NUMBER(1, 8), 0, 0},
    {"/dev/urandom", S_IFCHR | 0666, NUMBER(1, 9), 0, 0}, {"/dev/tty", S_IFCHR | 0666, NUMBER(5, 0), 0, 0},
};

const struct device *dev_default(size_t index)
{
    return index < sizeof default_devices / sizeof default_devices[0] ? &default_devices[index] : NULL;
}

bool dev_is_default(const struct device *device)
{
    return device >= default_devices && device < default_devices + sizeof default_devices / sizeof default_devices[0];
}

static bool is_device(int fd, const struct device *d)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (d->mode & S_IFMT) &&
           (S_ISFIFO(st.st_mode) || st.st_rdev == d->number);
}

/* Binds the host's node of the same path, provided it is the same device. */
static int bind_from_host(int root, const struct device *d, struct err *e)
{
    cleanup_fd int source = open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (source < 0)
        return err_sys(e, "it cannot be made here, and the host's cannot be opened");
    if (!is_device(source, d))
        return err_set(e, ENODEV, "it cannot be made here, and the host's is another device");
    cleanup_fd int target = path_make(root, d->path, PATH_MAKE_FILE, PATH_FOLLOW_LINKS, e);
    if (target < 0)
        return target;
    cleanup_fd int mount = mount_bind(source, false, root, d->path, target, e);
    return mount < 0 ? mount : mount_change(mount, MS_NOSUID | MS_NOEXEC, 0, e);
}

/* Owner and mode of a node just made, through a descriptor that is checked to be that node. */
static int finish_node(int parent, const char *name, const struct device *d, struct err *e)
{
    cleanup_fd int node = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    struct stat st;

    if (node < 0 || !is_device(node, d) || fstat(node, &st) < 0)
        return err_set(e, EEXIST, "it was replaced while it was being made");
    if ((st.st_uid != d->uid || st.st_gid != d->gid) && sys.fchownat(node, "", d->uid, d->gid, AT_EMPTY_PATH) < 0)
        return err_sys(e, "cannot set its owner");
    if ((st.st_mode & 07777) != (d->mode & 07777) && chmod(path_of_fd(node).text, d->mode & 07777) < 0)
        return err_sys(e, "cannot set its mode");
    return 0;
}

/* Takes the node out of the file system ELSEWHERE. A mount can only be cloned once it is attached in our namespace (before
 * 6.15), so it lies over the directory of the device for a moment. */
static int bind_from_elsewhere(int root, const struct device *d, int parent, int elsewhere, struct err *e)
{
    cleanup_fd int target = path_make(root, d->path, PATH_MAKE_FILE, PATH_FOLLOW_LINKS, e);
    cleanup_fd int node = openat(elsewhere, ELSEWHERE_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    cleanup_fd int mount = -1;

    if (target < 0)
        return target;
    if (node < 0 || !is_device(node, d))
        return err_set(e, ENODEV, "what was made for it is another device");
    if (sys.move_mount(elsewhere, "", parent, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_sys(e, "cannot attach the file system it was made in");
    mount = mount_bind(node, false, root, d->path, target, e);
    if (mount >= 0 && umount2(path_of_fd(elsewhere).text, MNT_DETACH) < 0)
        return err_sys(e, "cannot detach the file system it was made in");
    return mount < 0 ? mount : 0;
}

/* Opens /dev. One that is a link would lead into another part of the image, so it is refused. */
static int open_dev(int root, struct err *e)
{
    return path_make(root, "/dev", PATH_MAKE_DIRECTORY, PATH_REFUSE_LINKS, e);
}

static int open_parent(int root, const char *path, char name[NAME_MAX + 1], struct err *e)
{
    if (strncmp(path, "/dev/", 5) != 0 || path[5] == 0 || strchr(path + 5, '/') != NULL || strlen(path + 5) > NAME_MAX)
        return path_open_parent(root, path, true, name, e);
    memcpy(name, path + 5, strlen(path + 5) + 1);
    return open_dev(root, e);
}

static int make_node(int root, const struct device *d, int elsewhere, struct err *e)
{
    char name[NAME_MAX + 1];
    cleanup_fd int parent = open_parent(root, d->path, name, e);

    if (parent < 0)
        return parent;
    if (sys.mknodat(parent, name, d->mode, d->number) == 0)
        return finish_node(parent, name, d, e);
    if (errno == EEXIST) {
        cleanup_fd int there = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return there >= 0 && is_device(there, d) ? 0 : bind_from_host(root, d, e);
    }
    if (errno != EPERM)
        return err_sys(e, "cannot make it");
    return elsewhere >= 0 ? bind_from_elsewhere(root, d, parent, elsewhere, e) : bind_from_host(root, d, e);
}

int dev_make(int root, const struct device *device, int elsewhere, struct err *e)
{
    return make_node(root, device, elsewhere, e) < 0 ? err_prefix(e, "device '%s'", device->path) : 0;
}

int dev_make_elsewhere(const struct device *device, struct err *e)
{
    cleanup_fd int fs = (int)sys.fsopen("tmpfs", FSOPEN_CLOEXEC);
    cleanup_fd int directory = -1;
    int ret;

    if (fs < 0 || sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_sys(e, "cannot make a tmpfs for it");
    directory = (int)sys.fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (directory < 0 || sys.mknodat(directory, ELSEWHERE_NAME, device->mode, device->number) < 0)
        return err_sys(e, "cannot make it for another user namespace");
    ret = finish_node(directory, ELSEWHERE_NAME, device, e);
    return ret < 0 ? ret : fd_take(&directory);
}

/* Makes a link NAME in the directory DEV, in place of what is there if REPLACE. */
static int make_link(int dev, const char *target, const char *name, bool replace, struct err *e)
{
    if (replace && unlinkat(dev, name, 0) < 0 && errno != ENOENT)
        return err_sys(e, "cannot replace /dev/%s", name);
    if (sys.symlinkat(target, dev, name) < 0 && errno != EEXIST)
        return err_sys(e, "cannot make the link /dev/%s", name);
    return 0;
}

int dev_make_links(int root, struct err *e)
{
    static const struct {
        const char *target, *name;
    } links[] = {{"/proc/self/fd", "fd"},
                 {"/proc/self/fd/0", "stdin"},
                 {"/proc/self/fd/1", "stdout"},
                 {"/proc/self/fd/2", "stderr"}};
    cleanup_fd int dev = open_dev(root, e);
    int ret = dev < 0 ? dev : 0;

    for (size_t i = 0; ret == 0 && i < sizeof links / sizeof links[0]; i++)
        ret = make_link(dev, links[i].target, links[i].name, false, e);
    if (ret == 0 && access("/proc/kcore", F_OK) == 0)
        ret = make_link(dev, "/proc/kcore", "core", false, e);
    return ret == 0 ? make_link(dev, "pts/ptmx", "ptmx", true, e) : ret;
}
