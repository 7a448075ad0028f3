/* One mount below the root: see mount.h. */
#include "oci/mount.h"
#include "base/fd.h"
#include "oci/config.h"
#include "oci/copy_up.h"
#include "oci/path.h"
#include "oci/sys.h"
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

enum { MOUNT_DATA_MAX = 4096 };
static const unsigned long mount_only_flags = MS_BIND | MS_REC | MS_REMOUNT;

/* What programs such as lxcfs put over procfs on purpose; everything else there would hide the kernel's answers. */
static const char *const proc_overlays[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
};

unsigned long mount_propagation(const char *name)
{
    static const struct {
        const char *name;
        unsigned long flags;
    } names[] = {
        {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
        {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
        {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
        {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].flags;
    return 0;
}

/* Upon the directory TARGET, from within it: the name of a descriptor below /proc costs 36 us the first time and 5 the next. */
static long mount_at(const char *source, int target, const char *type, unsigned long flags, const void *data)
{
    cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    long ret;
    int error;

    if (here < 0 || fchdir(target) < 0)
        return sys.mount(source, path_of_fd(target).text, type, flags, data);
    ret = sys.mount(source, ".", type, flags, data);
    error = errno;
    if (fchdir(here) < 0)
        return -1;
    errno = error;
    return ret;
}

int mount_filesystem(const char *source, int target, const char *type, unsigned long flags, const char *data,
                     struct err *e)
{
    if (mount_at(source, target, type, flags, data[0] != 0 ? data : NULL) < 0)
        return err_sys(e, "cannot mount a file system of type '%s'%s%s", type, data[0] != 0 ? " with options " : "",
                       data);
    return 0;
}

int mount_put_label(const char *label, char *data, size_t data_bytes, struct err *e)
{
    size_t len = strlen(data);

    if (label != NULL && snprintf(data + len, data_bytes - len, "%scontext=\"%s\"", len != 0 ? "," : "", label) >=
                             (int)(data_bytes - len))
        return err_set(e, EINVAL, "the options with the SELinux label '%s' are too long", label);
    return 0;
}

int mount_reopen(int root, const char *path, struct err *e)
{
    cleanup_fd int fd = path_open(root, path, O_PATH);

    if (fd < 0)
        return err_set(e, -fd, "cannot open the new mount at '%s': %s", path, strerror(-fd));
    if (path_is_mount_root(fd) == 0)
        return err_set(e, ELOOP, "'%s' was replaced while it was being mounted", path);
    return fd_take(&fd);
}

int mount_bind(int source, bool tree, int root, const char *path, int target, struct err *e)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
    cleanup_fd int clone = (int)sys.open_tree(source, "", flags | (tree ? AT_RECURSIVE : 0));

    if (clone >= 0 && sys.move_mount(clone, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
        return fd_take(&clone);
    if (clone >= 0 && errno != ENOSYS)
        return err_sys(e, "cannot attach a bind mount at '%s'", path);
    if (errno != ENOSYS && errno != EPERM)
        return err_sys(e, "cannot clone the mount for '%s'", path);
    if (sys.mount(path_of_fd(source).text, path_of_fd(target).text, NULL, MS_BIND | (tree ? MS_REC : 0), NULL) < 0)
        return err_sys(e, "cannot bind at '%s'", path);
    return mount_reopen(root, path, e);
}

/* The MS_* flags that the mount has now. */
static int mount_flags(int mount, unsigned long *flags)
{
    static const struct {
        unsigned long st, ms;
    } pairs[] = {
        {ST_RDONLY, MS_RDONLY},   {ST_NOSUID, MS_NOSUID},         {ST_NODEV, MS_NODEV},       {ST_NOEXEC, MS_NOEXEC},
        {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME},
    };
    struct statvfs st;

    if (fstatvfs(mount, &st) < 0)
        return -1;
    *flags = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if ((st.f_flag & pairs[i].st) != 0)
            *flags |= pairs[i].ms;
    return 0;
}

int mount_change(int mount, unsigned long set, unsigned long clear, struct err *e)
{
    struct mount_attr attr = {.attr_set = mount_attributes(set), .attr_clr = mount_attributes(clear)};
    unsigned long now;

    if (((attr.attr_set | attr.attr_clr) & MOUNT_ATTR__ATIME) != 0 || (set & MS_RELATIME) != 0)
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    if ((attr.attr_set | attr.attr_clr) == 0)
        return 0;
    if (sys.mount_setattr(mount, "", AT_EMPTY_PATH, &attr) == 0)
        return 0;
    if (errno != ENOSYS)
        return err_sys(e, "cannot change the flags of the mount");
    if (mount_flags(mount, &now) < 0)
        return err_sys(e, "cannot read the flags of the mount");
    if (sys.mount(NULL, path_of_fd(mount).text, NULL, MS_BIND | MS_REMOUNT | (now & ~clear) | set, NULL) < 0)
        return err_sys(e, "cannot remount with other flags");
    return 0;
}

static int mount_change_tree(int mount, const struct mount_options *o, struct err *e)
{
    struct mount_attr attr = {.attr_set = o->recursive_set, .attr_clr = o->recursive_clear};

    if ((attr.attr_set | attr.attr_clr) == 0)
        return 0;
    if (sys.mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) == 0)
        return 0;
    if (errno == ENOSYS)
        return err_set(e, ENOTSUP, "options for a tree of mounts (rro ...) need mount_setattr, Linux 5.12");
    return err_sys(e, "cannot change the flags of the tree of mounts");
}

/* By descriptor since 5.12. */
static int set_propagation(int mount, unsigned long propagation)
{
    struct mount_attr attr = {.propagation = propagation & ~(unsigned long)MS_REC};
    unsigned tree = (propagation & MS_REC) != 0 ? AT_RECURSIVE : 0;

    if (sys.mount_setattr(mount, "", AT_EMPTY_PATH | tree, &attr) == 0)
        return 0;
    return errno == ENOSYS ? (int)sys.mount(NULL, path_of_fd(mount).text, NULL, propagation, NULL) : -1;
}

int mount_finish(int mount, const struct mount_options *o, bool bind, struct err *e)
{
    int ret = bind ? mount_change(mount, o->flags & ~mount_only_flags, o->cleared, e) : 0;

    if (ret == 0)
        ret = mount_change_tree(mount, o, e);
    for (unsigned i = 0; ret == 0 && i < o->propagation_count; i++)
        if (set_propagation(mount, o->propagation[i]) < 0)
            ret = err_sys(e, "cannot set the propagation of the mount");
    return ret;
}

int mount_remove(int root, const char *destination, struct err *e)
{
    char path[PATH_MAX], name[NAME_MAX + 1];

    if (path_normalise(destination, path) < 0)
        return err_set(e, ENAMETOOLONG, "the destination '%.64s...' is too long", destination);
    cleanup_fd int parent = path_open_parent(root, path, false, name, e);
    if (parent < 0)
        return err_prefix(e, "unmount '%s'", destination);
    if (fchdir(parent) < 0 || sys.umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return err_sys(e, "unmount '%s'%s", destination, errno == EINVAL ? " (it is no mount point)" : "");
    return 0;
}

/* /proc itself may be a procfs, new or bound; below it only the known overlays (CVE-2019-19921). */
static int check_destination(const char *path, bool is_proc, struct err *e)
{
    if (strncmp(path, "/proc", 5) != 0 || (path[5] != 0 && path[5] != '/'))
        return 0;
    if (path[5] == 0)
        return is_proc ? 0 : err_set(e, EPERM, "only a procfs may be mounted on /proc");
    for (size_t i = 0; i < sizeof proc_overlays / sizeof proc_overlays[0]; i++)
        if (strcmp(path, proc_overlays[i]) == 0)
            return 0;
    return err_set(e, EPERM, "a mount may not hide a part of /proc");
}

/* move_mount would only say EINVAL. */
static int check_kind(bool source_is_directory, int target, struct err *e)
{
    struct stat st;

    if (fstat(target, &st) < 0)
        return err_sys(e, "cannot stat the mount point");
    if (S_ISDIR(st.st_mode) == source_is_directory)
        return 0;
    return err_set(e, ENOTDIR, "Not a directory: the source is a %s, the destination a %s",
                   source_is_directory ? "directory" : "file", source_is_directory ? "file" : "directory");
}

/* The rule of check_destination for a destination that only leads into procfs, through a link or a second procfs. */
static int check_target(int target, const char *path, bool is_proc, struct err *e)
{
    if (is_proc || strncmp(path, "/proc/", 6) == 0 || !path_on_fs(target, PROC_SUPER_MAGIC))
        return 0;
    return err_set(e, EPERM, "the destination leads into a procfs");
}

static int apply_bind(int root, const struct mount_entry *m, const char *path, struct err *e)
{
    cleanup_fd int opened = m->tree >= 0 ? -1 : open(m->source, O_PATH | O_CLOEXEC);
    int source = m->tree >= 0 ? m->tree : opened;
    struct stat st;
    bool is_proc;
    int ret;

    if (source < 0 || fstat(source, &st) < 0)
        return err_sys(e, "cannot open the source");
    is_proc = path_check_proc_root(source, NULL) == 0;
    ret = check_destination(path, is_proc, e);
    if (ret < 0)
        return ret;
    cleanup_fd int target =
        path_make(root, path, S_ISDIR(st.st_mode) ? PATH_MAKE_DIRECTORY : PATH_MAKE_FILE, PATH_FOLLOW_LINKS, e);
    if (target < 0)
        return target;
    ret = check_target(target, path, is_proc, e);
    if (ret == 0)
        ret = check_kind(S_ISDIR(st.st_mode), target, e);
    if (ret < 0)
        return ret;
    cleanup_fd int mount = -1;
    if (m->tree < 0)
        mount = mount_bind(source, (m->options->flags & MS_REC) != 0, root, path, target, e);
    else if (sys.move_mount(m->tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_sys(e, "cannot attach the mount");
    else
        mount = fcntl(m->tree, F_DUPFD_CLOEXEC, 0);
    if (mount < 0)
        return mount;
    return mount_finish(mount, m->options, true, e);
}

static int apply_remount(int root, const struct mount_entry *m, const char *path, struct err *e)
{
    const struct mount_options *o = m->options;
    cleanup_fd int mount = mount_reopen(root, path, e);

    if (mount < 0)
        return mount;
    if ((o->flags & MS_BIND) != 0)
        return mount_finish(mount, o, true, e);
    if (sys.mount(m->source, path_of_fd(mount).text, m->type, o->flags & ~(unsigned long)MS_REC, o->data) < 0)
        return err_sys(e, "cannot remount");
    return mount_finish(mount, o, false, e);
}

/* Composes what the file system is told: the options, the SELinux context, and for a tmpfs over a directory of the image
 * that directory's mode, unless one is asked for. */
static int compose_data(const struct mount_entry *m, int target, bool existed, char data[MOUNT_DATA_MAX], struct err *e)
{
    const char *given = m->options->data;
    int len = snprintf(data, MOUNT_DATA_MAX, "%s", given);
    struct stat st;

    if (existed && strcmp(m->type, "tmpfs") == 0 && strncmp(given, "mode=", 5) != 0 &&
        strstr(given, ",mode=") == NULL) {
        if (fstat(target, &st) < 0)
            return err_sys(e, "cannot stat the mount point");
        len +=
            snprintf(data + len, (size_t)(MOUNT_DATA_MAX - len), "%smode=%o", len != 0 ? "," : "", st.st_mode & 07777);
    }
    if (len >= MOUNT_DATA_MAX)
        return err_set(e, EINVAL, "the options are longer than the page that the kernel reads");
    return strcmp(m->type, "mqueue") == 0 ? 0 : mount_put_label(m->label, data, MOUNT_DATA_MAX, e);
}

/* mqueue takes no option for it: its root is labelled when it is there. */
static int label_queues(int mount, const struct mount_entry *m, struct err *e)
{
    if (m->label == NULL || strcmp(m->type, "mqueue") != 0 ||
        setxattr(path_of_fd(mount).text, "security.selinux", m->label, strlen(m->label) + 1, 0) == 0)
        return 0;
    return err_sys(e, "cannot give the message queues the label '%s'", m->label);
}

/* Steps behind mount(2) that need the new mount: rare, so the look-up is only made for them. */
static int finish_filesystem(int root, const struct mount_entry *m, const char *path, int below, struct err *e)
{
    const struct mount_options *o = m->options;
    int ret;

    if (!o->copy_up && o->propagation_count == 0 && (o->recursive_set | o->recursive_clear) == 0 && m->label == NULL)
        return 0;
    cleanup_fd int mount = mount_reopen(root, path, e);
    if (mount < 0)
        return mount;
    ret = label_queues(mount, m, e);
    if (ret == 0 && o->copy_up)
        ret = copy_up(below, mount, e);
    return ret < 0 ? ret : mount_finish(mount, o, false, e);
}

static int apply_filesystem(int root, const struct mount_entry *m, const char *path, struct err *e)
{
    bool is_proc = strcmp(m->type, "proc") == 0;
    enum path_links links = is_proc || strcmp(m->type, "sysfs") == 0 ? PATH_REFUSE_LINKS : PATH_FOLLOW_LINKS;
    const struct mount_options *o = m->options;
    char data[MOUNT_DATA_MAX];
    cleanup_fd int before = path_open(root, path, O_PATH);
    int ret = check_destination(path, is_proc, e);

    if (ret < 0)
        return ret;
    cleanup_fd int target = path_make(root, path, PATH_MAKE_DIRECTORY, links, e);
    if (target == -ELOOP && links == PATH_REFUSE_LINKS)
        return err_set(e, ELOOP, "a %s must be mounted on ordinary directory, and '%s' is or lies behind a link",
                       m->type, path);
    if (target < 0)
        return target;
    ret = check_target(target, path, is_proc, e);
    if (ret == 0)
        ret = compose_data(m, target, before >= 0, data, e);
    if (ret == 0)
        ret = mount_filesystem(m->source != NULL ? m->source : m->type, target, m->type, o->flags, data, e);
    return ret < 0 ? ret : finish_filesystem(root, m, path, target, e);
}

bool mount_is_bind(const struct mount_entry *m)
{
    return m->tree >= 0 || (m->options->flags & MS_BIND) != 0 || (m->type != NULL && strcmp(m->type, "bind") == 0);
}

bool mount_is_cgroup(const struct config_mount *m)
{
    return m->type != NULL && (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0);
}

bool mount_binds(const struct config_mount *m)
{
    for (uint32_t i = 0; i < m->options.count; i++)
        if (strcmp(m->options.data[i], "bind") == 0 || strcmp(m->options.data[i], "rbind") == 0)
            return true;
    return m->type != NULL && strcmp(m->type, "bind") == 0;
}

int mount_apply(int root, const struct mount_entry *m, struct err *e)
{
    char path[PATH_MAX];
    int ret = path_normalise(m->destination, path);

    if (ret < 0)
        return err_set(e, -ret, "the mount destination is longer than %d bytes", PATH_MAX - 1);
    if ((m->options->flags & MS_REMOUNT) != 0)
        ret = apply_remount(root, m, path, e);
    else if (mount_is_bind(m))
        ret = apply_bind(root, m, path, e);
    else if (m->type == NULL)
        ret = err_set(e, EINVAL, "there is neither a type nor the option 'bind'");
    else
        ret = apply_filesystem(root, m, path, e);
    if (ret < 0)
        err_prefix(e, "mount '%s' at '%s'", m->source != NULL ? m->source : "", m->destination);
    return ret;
}
