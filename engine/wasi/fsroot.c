/* Path resolution for guests, as far as the kernel does it: one openat2 for the common path, else the walk. See
 * fsroot.h. */
#include "engine/wasi/fsroot.h"
#include "base/fd.h"
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum {
    AGAIN_MAX = 64, /* openat2 answers EAGAIN when a rename races with "..": try again, but not for ever */
    OPEN_ALWAYS = O_CLOEXEC | O_NOCTTY,
};

/* Not in linux/magic.h of every kernel we build on. */
enum {
    MAGIC_MQUEUE = 0x19800202,
    MAGIC_CONFIGFS = 0x62656570,
    MAGIC_FUSECTL = 0x65735543,
    MAGIC_RPC_PIPEFS = 0x67596969,
    MAGIC_NFSD = 0x6e667364,
    MAGIC_RESCTRL = 0x7655821,
};

static const unsigned long refused_file_systems[] = {
    PROC_SUPER_MAGIC, SYSFS_MAGIC,       CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
    BPF_FS_MAGIC,     DEBUGFS_MAGIC,     TRACEFS_MAGIC,        SECURITYFS_MAGIC,    MAGIC_MQUEUE,
    SELINUX_MAGIC,    SMACK_MAGIC,       EFIVARFS_MAGIC,       PSTOREFS_MAGIC,      MAGIC_CONFIGFS,
    BINFMTFS_MAGIC,   MAGIC_FUSECTL,     NSFS_MAGIC,           MAGIC_RPC_PIPEFS,    MAGIC_NFSD,
    MAGIC_RESCTRL,    XENFS_SUPER_MAGIC, BINDERFS_SUPER_MAGIC, ANON_INODE_FS_MAGIC,
};

bool fs_is_refused(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < sizeof refused_file_systems / sizeof *refused_file_systems; i++)
        if ((unsigned long)fs.f_type == refused_file_systems[i])
            return true;
    return false;
}

/* --- the harmless devices --------------------------------------------------------------------------------------------
 */

enum { MEMORY_MAJOR = 1 }; /* the major number of all five */
const char *const fs_device_names[] = {"full", "null", "random", "urandom", "zero", NULL};
static const unsigned device_minors[] = {7, 3, 8, 9, 5};

/* The index in fs_device_names of NAME, or of the device that ST is; -1 for none. */
static int device_by_name(const char *name)
{
    for (int i = 0; fs_device_names[i] != NULL; i++)
        if (strcmp(fs_device_names[i], name) == 0)
            return i;
    return -1;
}

static int device_by_number(const struct stat *st)
{
    for (int i = 0; fs_device_names[i] != NULL; i++)
        if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(MEMORY_MAJOR, device_minors[i]))
            return i;
    return -1;
}

bool fs_device_exists(const char *name)
{
    return device_by_name(name) >= 0;
}

/* The device itself is opened under its name in the process's own /dev, where whoever made that put it, and only kept
 * if its number is right: an image cannot put another one in its place. */
static int open_device(const char *name, int flags, struct stat *st)
{
    char path[sizeof "/dev/" + NAME_MAX + 1];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "/dev/%s", name);
    fd = openat(AT_FDCWD, path, (flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_NOFOLLOW | OPEN_ALWAYS);
    if (fd < 0 || fstat(fd, st) < 0)
        return -errno;
    return device_by_number(st) == device_by_name(name) ? fd_take(&fd) : -EPERM;
}

/* --- places ----------------------------------------------------------------------------------------------------------
 */

void fsroot_init(struct fsroot *root, const struct grant *grant)
{
    root->place_count = grant->path_count;
    root->places = calloc(grant->path_count != 0 ? grant->path_count : 1, sizeof *root->places);
    if (root->places == NULL)
        out_of_memory();
    for (uint32_t i = 0; i < grant->path_count; i++) {
        const struct grant_path *path = &grant->paths[i];
        root->places[i] = (struct fs_place){
            .kind = path->kind,
            .path = strcmp(path->guest_path, "/") == 0 ? "" : path->guest_path,
            .fd = path->fd,
            .writable = path->writable,
            .refused = path->kind == GRANT_HIDDEN || (path->fd >= 0 && fs_is_refused(path->fd)),
        };
    }
    /* size 0 is EINVAL where the call is known and allowed */
    root->has_openat2 = syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == EINVAL;
}

void fsroot_done(struct fsroot *root)
{
    free(root->places);
    *root = (struct fsroot){0};
}

const struct fs_place *fsroot_place_at(const struct fsroot *root, const char *path)
{
    for (uint32_t i = root->place_count; i > 0; i--)
        if (strcmp(root->places[i - 1].path, path) == 0)
            return &root->places[i - 1];
    return NULL;
}

/* True if INNER lies strictly below OUTER. */
static bool path_is_below(const char *inner, const char *outer)
{
    size_t len = strlen(outer);
    return strncmp(inner, outer, len) == 0 && inner[len] == '/';
}

bool fsroot_has_place_below(const struct fsroot *root, const char *path)
{
    for (uint32_t i = 0; i < root->place_count; i++)
        if (path_is_below(root->places[i].path, path))
            return true;
    return false;
}

/* --- opening one component -------------------------------------------------------------------------------------------
 */

int fs_openat2(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) != 0 ? 0666 : 0,
        .resolve = resolve | RESOLVE_NO_MAGICLINKS,
    };

    for (int i = 0; i < AGAIN_MAX; i++) {
        int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return fd >= 0 ? fd : -errno;
    }
    return -EAGAIN;
}

/* Two ways to know the mount that FD lies on; 0 if neither works. */
static uint64_t mount_id(int fd)
{
    /* struct statx by its offsets: musl 1.2.3 has neither the struct nor the call, and linux/stat.h clashes with its
     * own */
    enum { STATX_MOUNT_ID = 0x1000, MASK_WORD = 0, MOUNT_ID_WORD = 18 };
    uint64_t words[32] = {0};

    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MOUNT_ID, words) == 0 &&
        ((uint32_t)words[MASK_WORD] & STATX_MOUNT_ID) != 0) /* 5.8 */
        return words[MOUNT_ID_WORD] + 1;
    struct file_handle handle = {.handle_bytes = 0};
    int id;
    if (name_to_handle_at(fd, "", &handle, &id, AT_EMPTY_PATH) < 0 && errno == EOVERFLOW)
        return (uint64_t)id + 1;
    return 0;
}

/* Without openat2: compares mounts, and devices where the kernel does not tell the mounts. */
static bool on_same_mount(int a, int b)
{
    uint64_t mount_a = mount_id(a), mount_b = mount_id(b);
    struct stat st_a, st_b;

    if (mount_a != 0 && mount_b != 0)
        return mount_a == mount_b;
    return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev;
}

/* The component is looked at with O_PATH first, which opens nothing: a mount must be found out before O_TRUNC or a
 * device's open has done its work. */
static int open_component_by_hand(int dir, const char *name, int flags)
{
    cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && (errno != ENOENT || (flags & O_CREAT) == 0))
        return -errno;
    if (fd >= 0 && !on_same_mount(dir, fd))
        return -EPERM;
    if (fd >= 0 && (flags & O_PATH) != 0 && (flags & O_DIRECTORY) == 0)
        return fd_take(&fd);
    int opened = openat(dir, name, flags | O_NOFOLLOW | OPEN_ALWAYS, 0666);
    return opened >= 0 ? opened : -errno;
}

int fs_open_component(const struct fsroot *root, int dir, const char *name, int flags)
{
    int fd;

    if (!root->has_openat2)
        return open_component_by_hand(dir, name, flags);
    fd = fs_openat2(dir, name, flags | O_NOFOLLOW | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY),
                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    return fd == -EXDEV ? -EPERM : fd;
}

/* --- the kernel's way ------------------------------------------------------------------------------------------------
 */

/* Joins the guest path of BASE and PATH into OUT. Returns 1 if that is where PATH leads when no link is on its way and
 * no place is at or above its end, 0 if it may lead elsewhere, or -ENAMETOOLONG. */
static int path_join(const struct fsroot *root, const struct fs_directory *base, const char *path, char out[PATH_MAX])
{
    size_t used = strlen(base->path);

    memcpy(out, base->path, used + 1);
    for (const char *p = path + strspn(path, "/"); *p != 0; p += strspn(p, "/")) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return 0;
        if (len != 1 || p[0] != '.') {
            if (used + len + 2 > PATH_MAX)
                return -ENAMETOOLONG;
            out[used++] = '/';
            memcpy(out + used, p, len);
            used += len;
            out[used] = 0;
            if (fsroot_place_at(root, out) != NULL)
                return 0;
        }
        p += len;
    }
    return 1;
}

/* How the kernel may resolve a path in one call. */
struct shortcut {
    bool allowed;
    uint64_t resolve;
    bool has_path; /* `path`: where it leads in the guest's tree; without it no place lies below the base */
    char path[PATH_MAX];
};

static int shortcut_for(const struct fsroot *root, const struct fs_directory *base, const char *path,
                        struct shortcut *out)
{
    out->allowed = root->has_openat2 && base->fd >= 0;
    out->resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV;
    out->has_path = false;
    if (!out->allowed || base->path == NULL || !fsroot_has_place_below(root, base->path))
        return 0;
    int ret = path_join(root, base, path, out->path);
    if (ret < 0)
        return ret;
    out->allowed = ret == 1;
    out->resolve |= RESOLVE_NO_SYMLINKS;
    out->has_path = true;
    return 0;
}

/* What the shortcut cannot answer: a link it may not follow, something that leaves the base or the mount. */
static bool needs_walk(int ret)
{
    return ret == -ELOOP || ret == -EXDEV || ret == -EAGAIN;
}

static int check_path(const struct fs_directory *base, const char *path)
{
    if (path[0] == 0)
        return -ENOENT;
    if (path[0] == '/' || base->place->refused)
        return -EPERM;
    return strlen(path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void fs_target_done(struct fs_target *target)
{
    if (target->dir_owned)
        fd_close(&target->dir);
    fd_close(&target->fd);
}

/* Splits PATH before its last component, which goes with the slashes behind it (as one) into NAME. Returns the length
 * of what is before; all of PATH, and ".", where the last component is "." or "..". */
static size_t path_split(const char *path, char name[NAME_MAX + 2])
{
    size_t end = strlen(path), start, len;
    bool slash = false;

    for (; end > 0 && path[end - 1] == '/'; end--)
        slash = true;
    for (start = end; start > 0 && path[start - 1] != '/'; start--)
        ;
    len = end - start;
    if (len == 0 || len > NAME_MAX || (path[start] == '.' && (len == 1 || (len == 2 && path[start + 1] == '.')))) {
        memcpy(name, ".", 2);
        return strlen(path);
    }
    memcpy(name, path + start, len);
    memcpy(name + len, slash ? "/" : "", slash ? 2 : 1);
    return start;
}

/* fsroot_find for FS_NAME in one call: only the directory has to be opened. Returns 1 when that did not answer. */
static int find_name(const struct fs_directory *base, const char *path, const struct shortcut *shortcut,
                     struct fs_target *out)
{
    char parent[PATH_MAX];
    size_t len;

    *out = (struct fs_target){.kind = FS_ENTRY, .place = base->place, .dir = base->fd, .fd = -1};
    len = path_split(path, out->name);
    memcpy(parent, path, len);
    parent[len] = 0;
    if (len != 0) {
        out->dir = fs_openat2(base->fd, parent, O_PATH | O_DIRECTORY, shortcut->resolve);
        out->dir_owned = true;
        if (out->dir < 0)
            return needs_walk(out->dir) ? 1 : out->dir;
    }
    return 0;
}

int fsroot_find(const struct fsroot *root, const struct fs_directory *base, const char *path, enum fs_last last,
                struct fs_target *out)
{
    struct shortcut shortcut;
    int ret = check_path(base, path);

    if (ret == 0)
        ret = shortcut_for(root, base, path, &shortcut);
    if (ret < 0)
        return ret;
    if (last == FS_NAME && shortcut.allowed) {
        ret = find_name(base, path, &shortcut, out);
        if (ret <= 0)
            return ret;
    }
    return fswalk(root, base, path, last, out);
}

/* --- opening ---------------------------------------------------------------------------------------------------------
 */

static bool may_change(int flags)
{
    return (flags & O_PATH) == 0 && ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0);
}

/* Open for what lies in a read-only place: the order of errors is the kernel's on a read-only mount. */
static int open_read_only(const struct fsroot *root, const struct fs_target *target, int flags)
{
    if ((flags & O_CREAT) != 0 && !target->exists)
        return -EROFS;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)
        return S_ISDIR(target->mode) ? -EISDIR : -EROFS;
    return fs_open_component(root, target->dir, target->name, flags & ~O_CREAT);
}

static int open_entry(const struct fsroot *root, struct fs_target *target, int flags)
{
    if (!target->exists && (flags & O_CREAT) == 0)
        return -ENOENT;
    if (target->exists && (flags & O_PATH) != 0)
        return fd_take(&target->fd);
    if (may_change(flags) && !target->place->writable)
        return open_read_only(root, target, flags);
    return fs_open_component(root, target->dir, target->name, flags);
}

static int open_proc_fd(int fd, int flags)
{
    cleanup_fd int table = openat(AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;
    char name[16];
    int opened;

    if (table < 0)
        return -errno;
    if (fstatfs(table, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
        return -EPERM;
    snprintf(name, sizeof name, "%d", fd);
    opened = openat(table, name, flags);
    return opened >= 0 ? opened : -errno;
}

static bool is_same_file(int a, int b)
{
    struct stat st_a, st_b;
    return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

/* Linux has no way to open again what an O_PATH descriptor refers to. In a container the file is mounted at its guest
 * path, so it is opened there and compared; elsewhere through /proc, if that is one. */
static int reopen_place_file(const struct fs_place *place, int flags)
{
    cleanup_fd int seen = openat(AT_FDCWD, place->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int fd;

    if (seen < 0 || !is_same_file(seen, place->fd))
        return open_proc_fd(place->fd, flags);
    fd = openat(AT_FDCWD, place->path, flags | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (is_same_file(fd, place->fd))
        return fd;
    close(fd);
    return -ESTALE;
}

static int open_place_file(const struct fs_place *place, int flags)
{
    int wanted = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)) | OPEN_ALWAYS, fd;

    if (place->refused)
        return -EPERM;
    if ((flags & O_DIRECTORY) != 0)
        return -ENOTDIR;
    if ((flags & O_PATH) != 0) {
        fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 0);
        return fd >= 0 ? fd : -errno;
    }
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if (!place->writable && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0))
        return -EROFS;
    fd = reopen_place_file(place, wanted);
    if (fd >= 0 && (flags & O_TRUNC) != 0 && ftruncate(fd, 0) < 0 && errno != EINVAL) {
        int ret = -errno;
        close(fd);
        return ret;
    }
    return fd;
}

static int open_target(const struct fsroot *root, struct fs_target *target, int flags, struct fs_opened *out)
{
    switch (target->kind) {
    case FS_ENTRY: return open_entry(root, target, flags);
    case FS_PLACE_FILE: return open_place_file(target->place, flags);
    case FS_DEVICE:
        if ((flags & O_DIRECTORY) != 0)
            return -ENOTDIR;
        if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
            return -EEXIST;
        if (!target->exists)
            return (flags & O_CREAT) != 0 ? -EROFS : -ENOENT;
        return open_device(target->name, flags, &out->st);
    case FS_DEVICES: return may_change(flags) ? -EISDIR : 0;
    case FS_MOUNT: break;
    }
    assert(!"a target of FS_NAME is not opened");
    return -EBUSY;
}

static int open_by_walk(const struct fsroot *root, const struct fs_directory *base, const char *path, int flags,
                        struct fs_opened *out)
{
    struct fs_target target;
    /* O_CREAT | O_EXCL never follows */
    bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    int ret = fswalk(root, base, path, exclusive || (flags & O_NOFOLLOW) != 0 ? FS_NOFOLLOW : FS_FOLLOW, &target);

    if (ret < 0)
        return ret;
    out->kind = target.kind;
    out->place = target.place;
    ret = open_target(root, &target, flags, out);
    if (target.kind == FS_DEVICES)
        out->fd = -1;
    else if (ret >= 0)
        out->fd = ret;
    if (ret >= 0 && target.has_path)
        out->guest_path = strdup(target.path);
    fs_target_done(&target);
    return ret < 0 ? ret : 0;
}

/* The last look at a descriptor before the guest gets it. */
static int check_opened(struct fs_opened *opened, int flags)
{
    if (opened->kind == FS_DEVICES)
        return 0;
    if (fstat(opened->fd, &opened->st) < 0)
        return -errno;
    if ((flags & O_PATH) != 0 || opened->kind != FS_ENTRY)
        return 0;
    if ((S_ISCHR(opened->st.st_mode) || S_ISBLK(opened->st.st_mode)) && device_by_number(&opened->st) < 0)
        return -EPERM;
    return fs_is_refused(opened->fd) ? -EPERM : 0;
}

int fsroot_open(const struct fsroot *root, const struct fs_directory *base, const char *path, int flags,
                struct fs_opened *out)
{
    struct shortcut shortcut;
    int ret = check_path(base, path);

    if (ret == 0)
        ret = shortcut_for(root, base, path, &shortcut);
    if (ret < 0)
        return ret;
    *out = (struct fs_opened){.fd = -1, .kind = FS_ENTRY, .place = base->place};
    ret = -ELOOP;
    if (shortcut.allowed && (base->place->writable || !may_change(flags))) {
        ret = fs_openat2(base->fd, path, flags | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY), shortcut.resolve);
        out->fd = ret;
    }
    if (needs_walk(ret))
        ret = open_by_walk(root, base, path, flags, out);
    else if (ret >= 0 && shortcut.has_path)
        out->guest_path = strdup(shortcut.path);
    if (ret >= 0)
        ret = check_opened(out, flags);
    if (ret < 0 || (out->kind != FS_DEVICES && !S_ISDIR(out->st.st_mode))) {
        free(out->guest_path);
        out->guest_path = NULL;
    }
    if (ret < 0)
        fd_close(&out->fd);
    return ret < 0 ? ret : 0;
}
