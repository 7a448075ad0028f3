/* Path resolution inside a root; see path.h for the rules and the reasons. */
#include "oci/path.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <assert.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum {
    LINKS_MAX = 40,      /* as the kernel: ELOOP above it */
    AGAIN_MAX = 64,      /* openat2 answers EAGAIN when a rename races with "..": try again, but not for ever */
    PROC_ROOT_INODE = 1, /* PROC_ROOT_INO, stable kernel interface */
};

/* The state of a walk. `done` is the path walked so far, free of links and dots; ".." shortens it and walks it again
 * from the root, which cannot be tricked by a directory that is moved meanwhile, as openat(fd, "..") can. */
struct walk {
    int root, at; /* at: O_PATH of the directory `done`; -1: the root itself */
    int links;
    enum path_make make;
    bool keep_last_link, refuse_links;
    char done[PATH_MAX], rest[PATH_MAX];
};

static int walk_fd(const struct walk *w)
{
    return w->at >= 0 ? w->at : w->root;
}

static void walk_to_root(struct walk *w)
{
    fd_close(&w->at);
    w->done[0] = 0;
}

/* Takes the first component off `rest` into NAME. Returns 1, 0 at the end, or -ENAMETOOLONG. */
static int walk_next(struct walk *w, char name[NAME_MAX + 1])
{
    const char *p = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(p, "/");

    if (len == 0)
        return 0;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, p, len);
    name[len] = 0;
    memmove(w->rest, p + len, strlen(p + len) + 1);
    return 1;
}

static bool walk_at_end(const struct walk *w)
{
    return w->rest[strspn(w->rest, "/")] == 0;
}

/* Walks `done` again from the root. Every component was a real directory a moment ago; a link there now is an attack. */
static int walk_again(struct walk *w)
{
    char again[PATH_MAX];
    const char *p = again;

    memcpy(again, w->done, sizeof again);
    fd_close(&w->at);
    while (*p != 0) {
        char name[NAME_MAX + 1];
        size_t len = strcspn(p, "/");
        int fd;
        memcpy(name, p, len);
        name[len] = 0;
        fd = openat(walk_fd(w), name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        fd_close(&w->at);
        w->at = fd;
        p += len;
        p += strspn(p, "/");
    }
    return 0;
}

static int walk_up(struct walk *w)
{
    char *slash = strrchr(w->done, '/');
    *(slash != NULL ? slash : w->done) = 0;
    return walk_again(w);
}

static int walk_down(struct walk *w, const char *name, int fd)
{
    size_t used = strlen(w->done), len = strlen(name);

    if (used + len + 2 > sizeof w->done)
        return -ENAMETOOLONG;
    if (used != 0)
        w->done[used++] = '/';
    memcpy(w->done + used, name, len + 1);
    fd_close(&w->at);
    w->at = fd;
    return 0;
}

/* Puts the text of the link LINK in front of `rest`. Links on procfs may be magic, their text a fiction: refused. */
static int walk_expand(struct walk *w, int link)
{
    char text[PATH_MAX];
    ssize_t len;
    size_t rest_len = strlen(w->rest);

    if (w->refuse_links || ++w->links > LINKS_MAX || path_on_fs(link, PROC_SUPER_MAGIC))
        return -ELOOP;
    len = readlinkat(link, "", text, sizeof text - 1);
    if (len < 0)
        return -errno;
    if (len == 0)
        return -ENOENT;
    if ((size_t)len + rest_len + 2 > sizeof w->rest)
        return -ENAMETOOLONG;
    memmove(w->rest + len + 1, w->rest, rest_len + 1);
    memcpy(w->rest, text, (size_t)len);
    w->rest[len] = '/';
    if (text[0] == '/')
        walk_to_root(w);
    return 0;
}

/* Makes NAME in the directory reached so far: what the caller asked for if it is the last component, else a directory. */
static int walk_make(struct walk *w, const char *name)
{
    if (w->make == PATH_MAKE_NOTHING)
        return -ENOENT;
    if (walk_at_end(w) && w->make == PATH_MAKE_FILE) {
        int fd = openat(walk_fd(w), name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0755);
        if (fd < 0 && errno != EEXIST)
            return -errno;
        fd_close(&fd);
        return 0;
    }
    return sys.mkdirat(walk_fd(w), name, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Opens NAME in the directory reached so far, making it once if it is missing. */
static int walk_open(struct walk *w, const char *name)
{
    int fd = openat(walk_fd(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret;

    if (fd >= 0 || errno != ENOENT)
        return fd >= 0 ? fd : -errno;
    ret = walk_make(w, name);
    if (ret < 0)
        return ret;
    fd = openat(walk_fd(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int walk_step(struct walk *w, const char *name)
{
    struct stat st;
    int fd, ret;

    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0)
        return walk_up(w);
    fd = walk_open(w, name);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        ret = -errno;
    else if (S_ISLNK(st.st_mode) && !(w->keep_last_link && walk_at_end(w))) {
        ret = walk_expand(w, fd);
        fd_close(&fd);
        return ret;
    } else if (!S_ISDIR(st.st_mode) && !walk_at_end(w))
        ret = -ENOTDIR;
    else
        ret = walk_down(w, name, fd);
    if (ret < 0)
        fd_close(&fd);
    return ret;
}

/* Walks PATH to its end. Returns an O_PATH descriptor or a negative errno. */
/* What the caller sets are the three that say how; not by an initializer, which would clear 8 KB for each path. */
static int walk_run(struct walk *w, int root, const char *path)
{
    char name[NAME_MAX + 1];
    size_t len = strlen(path);
    int ret;

    w->root = root;
    w->at = -1;
    w->links = 0;
    w->done[0] = 0;
    if (len == 0)
        return -ENOENT;
    if (len >= sizeof w->rest)
        return -ENAMETOOLONG;
    memcpy(w->rest, path, len + 1);
    while ((ret = walk_next(w, name)) > 0) {
        ret = walk_step(w, name);
        if (ret < 0)
            break;
    }
    if (ret < 0) {
        fd_close(&w->at);
        return ret;
    }
    if (w->at < 0)
        w->at = openat(w->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return w->at >= 0 ? w->at : -errno;
}

static int walk_path(int root, const char *path, int flags)
{
    struct walk w;
    w.make = PATH_MAKE_NOTHING;
    w.keep_last_link = (flags & O_NOFOLLOW) != 0;
    w.refuse_links = false;
    cleanup_fd int fd = walk_run(&w, root, path);
    struct stat st;
    int opened;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if ((flags & O_PATH) != 0)
        return fd_take(&fd);
    if (S_ISLNK(st.st_mode))
        return -ELOOP;
    opened = path_reopen(fd, flags & ~O_NOFOLLOW);
    return opened >= 0 ? opened : -errno;
}

/* One openat2, again while the kernel says a rename was in the way. Returns a descriptor or a negative errno. */
static int open_resolved(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};

    for (int i = 0; i < AGAIN_MAX; i++) {
        int fd = (int)sys.openat2(dir, path, &how);
        if (fd >= 0 || errno != EAGAIN)
            return fd >= 0 ? fd : -errno;
    }
    return -EAGAIN;
}

/* ENOSYS before 5.6; EPERM from seccomp filters older than the call. */
static bool lacks_openat2(int ret)
{
    return ret == -ENOSYS || ret == -EPERM;
}

int path_open(int root, const char *path, int flags)
{
    int fd;

    assert((flags & O_CREAT) == 0);
    fd = open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return lacks_openat2(fd) ? walk_path(root, path, flags | O_CLOEXEC) : fd;
}

int path_make(int root, const char *path, enum path_make make, enum path_links links, struct err *e)
{
    int fd = links == PATH_REFUSE_LINKS ? -ENOENT : path_open(root, path, O_PATH);

    if (fd == -ENOENT) {
        struct walk w;
        w.make = make;
        w.keep_last_link = false;
        w.refuse_links = links == PATH_REFUSE_LINKS;
        fd = walk_run(&w, root, path);
    }
    if (fd < 0)
        return err_set(e, -fd, "cannot make '%s' inside the root file system: %s", path, strerror(-fd));
    return fd;
}

int path_open_parent(int root, const char *path, bool make_parents, char name[NAME_MAX + 1], struct err *e)
{
    char parent[PATH_MAX];
    size_t len = strlen(path), name_len;
    const char *start;

    while (len > 0 && path[len - 1] == '/')
        len--;
    for (start = path + len; start > path && start[-1] != '/'; start--)
        ;
    name_len = (size_t)(path + len - start);
    if (name_len == 0 || name_len > NAME_MAX || len >= sizeof parent || (name_len == 1 && start[0] == '.') ||
        (name_len == 2 && start[0] == '.' && start[1] == '.'))
        return err_set(e, EINVAL, "'%s' does not name a file inside the root file system", path);
    memcpy(name, start, name_len);
    name[name_len] = 0;
    snprintf(parent, sizeof parent, "/%.*s", (int)(start - path), path);
    if (make_parents)
        return path_make(root, parent, PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, e);
    int fd = path_open(root, parent, O_PATH | O_DIRECTORY);
    if (fd < 0)
        return err_set(e, -fd, "cannot open '%s' inside the root file system: %s", parent, strerror(-fd));
    return fd;
}

int path_normalise(const char *path, char out[PATH_MAX])
{
    size_t used = 0;

    for (const char *p = path; *p != 0;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (len != 0 && !(len == 1 && p[0] == '.')) {
            if (used + len + 2 > PATH_MAX)
                return -ENAMETOOLONG;
            out[used++] = '/';
            memcpy(out + used, p, len);
            used += len;
        }
        p += len + (p[len] == '/');
    }
    if (used == 0)
        out[used++] = '/';
    out[used] = 0;
    return 0;
}

struct path_name path_of_fd(int fd)
{
    struct path_name name;
    snprintf(name.text, sizeof name.text, "/proc/self/fd/%d", fd);
    return name;
}

int path_reopen(int fd, int flags)
{
    return open(path_of_fd(fd).text, flags | O_CLOEXEC);
}

bool path_on_fs(int fd, long magic)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (long)fs.f_type == magic;
}

int path_is_mount_root(int fd)
{
    /* struct statx by its offsets: musl 1.2.3 has neither the struct nor the call */
    enum { ATTRIBUTES_WORD = 1, ATTRIBUTES_MASK_WORD = 7, ATTRIBUTE_MOUNT_ROOT = 0x2000 };
    uint64_t words[32] = {0};

    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, words) < 0 ||
        (words[ATTRIBUTES_MASK_WORD] & ATTRIBUTE_MOUNT_ROOT) == 0)
        return -1;
    return (words[ATTRIBUTES_WORD] & ATTRIBUTE_MOUNT_ROOT) != 0;
}

int path_check_proc_root(int fd, struct err *e)
{
    struct stat st;

    if (!path_on_fs(fd, PROC_SUPER_MAGIC))
        return err_set(e, EINVAL, "/proc is not a procfs: something else is mounted in its place");
    if (fstat(fd, &st) < 0)
        return err_sys(e, "cannot stat /proc");
    if (!S_ISDIR(st.st_mode) || st.st_ino != PROC_ROOT_INODE)
        return err_set(e, EINVAL, "/proc is not the root of a procfs: a part of one is mounted in its place");
    return 0;
}

/* Returns a descriptor of a new, unattached procfs, or -1. */
static int proc_from_fsopen(void)
{
    cleanup_fd int fs = (int)sys.fsopen("proc", FSOPEN_CLOEXEC);

    if (fs < 0 || sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return (int)sys.fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

int path_private_proc(struct err *e)
{
    cleanup_fd int fd = proc_from_fsopen();
    int ret;

    if (fd < 0)
        fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "cannot open /proc");
    ret = path_check_proc_root(fd, e);
    return ret < 0 ? ret : fd_take(&fd);
}

int path_open_proc(int proc, const char *path, int flags, struct err *e)
{
    cleanup_fd int fd = open_resolved(proc, path, flags,
                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);

    if (lacks_openat2(
            fd)) { /* the walk refuses links on procfs by itself; there is no "self/fd" of ours to reopen by */
        char name[NAME_MAX + 1];
        cleanup_fd int dir = path_open_parent(proc, path, false, name, e);
        if (dir < 0)
            return dir;
        fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
    }
    if (fd < 0)
        return err_set(e, -fd, "cannot open /proc/%s: %s", path, strerror(-fd));
    if (!path_on_fs(fd, PROC_SUPER_MAGIC))
        return err_set(e, EXDEV, "/proc/%s is not on procfs: something is mounted over it", path);
    return fd_take(&fd);
}

/* "thread-self" is a link, which path_open_proc does not follow: its text, read from procfs itself, is the path. */
int path_open_proc_self(int proc, const char *path, int flags, struct err *e)
{
    char self[64], whole[128];
    ssize_t len = readlinkat(proc, "thread-self", self, sizeof self - 1);

    if (len < 0)
        return err_sys(e, "cannot read /proc/thread-self");
    self[len] = 0;
    if (snprintf(whole, sizeof whole, "%s/%s", self, path) >= (int)sizeof whole)
        return err_set(e, ENAMETOOLONG, "the path below /proc/thread-self is too long");
    return path_open_proc(proc, whole, flags, e);
}
