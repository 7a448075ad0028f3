/* Preview 1: what is done to paths. Each is resolved by fsroot.h; the names that come out of it are never followed
 * again. */
#include "engine/wasi/p1.h"
#include "base/fd.h"
#include <string.h>

/* A path that the guest passed, as a C string, with the directory it starts from. */
struct p1_path {
    struct fs_directory base;
    char text[PATH_MAX];
};

/* The path at argument TEXT_ARG (its length behind it), relative to the descriptor at argument FD_ARG. */
static int get_path(struct p1_call *call, unsigned fd_arg, unsigned text_arg, struct p1_path *out)
{
    const struct wasi_fd *entry = wasi_fd_get(call->context, p1_u32(call, fd_arg));
    uint32_t len = p1_u32(call, text_arg + 1);
    const uint8_t *text = p1_range(call, p1_u32(call, text_arg), len);

    if (entry == NULL)
        return -EBADF;
    if (entry->kind != WASI_FD_DIRECTORY)
        return -ENOTDIR;
    if (text == NULL)
        return -EFAULT;
    if (len >= sizeof out->text)
        return -ENAMETOOLONG;
    memcpy(out->text, text, len); /* first: a shared memory may change meanwhile */
    out->text[len] = 0;
    if (strlen(out->text) != len)
        return -EINVAL;
    out->base = (struct fs_directory){.place = entry->place, .fd = entry->fd, .path = entry->guest_path};
    return 0;
}

static int find(struct p1_call *call, const struct p1_path *path, enum fs_last last, struct fs_target *out)
{
    return fsroot_find(&call->context->root, &path->base, path->text, last, out);
}

/* 0 if a name can be made, removed or changed at TARGET; IF_TAKEN is the error for a place, which always exists. */
static int check_changeable(const struct fs_target *target, int if_taken)
{
    if (target->kind == FS_MOUNT || target->kind == FS_DEVICES || target->kind == FS_PLACE_FILE)
        return if_taken;
    if (target->kind == FS_DEVICE)
        return target->exists ? if_taken : -EROFS;
    return target->place->writable ? 0 : -EROFS;
}

/* --- opening ---------------------------------------------------------------------------------------------------------
 */

/* Only FD_WRITE asks for writing: Go passes FD_FILESTAT_SET_SIZE whenever it opens something for reading. */
static int open_flags(uint32_t lookup, uint32_t oflags, uint64_t rights, uint32_t fdflags)
{
    bool read = (rights & (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_READDIR)) != 0,
         write = (rights & WASI_RIGHT_FD_WRITE) != 0;
    int flags = !write ? O_RDONLY : read ? O_RDWR : O_WRONLY;

    flags |= (oflags & WASI_OFLAG_DIRECTORY) != 0 ? O_DIRECTORY : 0;
    flags |= (lookup & WASI_LOOKUP_SYMLINK_FOLLOW) == 0 ? O_NOFOLLOW : 0;
    flags |= (oflags & WASI_OFLAG_CREAT) != 0 ? O_CREAT : 0;
    flags |= (oflags & WASI_OFLAG_EXCL) != 0 ? O_EXCL : 0;
    flags |= (oflags & WASI_OFLAG_TRUNC) != 0 ? O_TRUNC : 0;
    flags |= (fdflags & WASI_FDFLAG_APPEND) != 0 ? O_APPEND : 0;
    flags |= (fdflags & WASI_FDFLAG_NONBLOCK) != 0 ? O_NONBLOCK : 0;
    flags |= (fdflags & WASI_FDFLAG_DSYNC) != 0 ? O_DSYNC : 0;
    flags |= (fdflags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC)) != 0 ? O_SYNC : 0;
    return flags;
}

static int add_opened(struct wasi_context *context, struct fs_opened *opened)
{
    bool is_directory = opened->kind == FS_DEVICES || S_ISDIR(opened->st.st_mode);
    struct wasi_fd entry = {
        .kind = is_directory ? WASI_FD_DIRECTORY : WASI_FD_STREAM,
        .fd = opened->fd,
        .real_fd = -1,
        .filetype = is_directory ? WASI_FILETYPE_DIRECTORY : wasi_filetype(&opened->st, opened->fd),
        .place = opened->place,
        .guest_path = opened->guest_path,
    };
    int number = wasi_fd_add(context, &entry);

    if (number < 0) {
        fd_close(&opened->fd);
        free(opened->guest_path);
    }
    return number;
}

/* Arguments: dirfd, lookupflags, path, its length, oflags, rights, rights inheriting, fdflags, result. */
int p1_path_open(struct p1_call *call)
{
    uint32_t oflags = p1_u32(call, 4), fdflags = p1_u32(call, 7), result = p1_u32(call, 8);
    struct p1_path path;
    struct fs_opened opened;
    int ret = get_path(call, 0, 2, &path), number;

    if (ret < 0)
        return ret;
    if (p1_range(call, result, 4) == NULL)
        return -EFAULT;
    if (oflags > 15 || fdflags > 31)
        return -EINVAL;
    if ((oflags & WASI_OFLAG_DIRECTORY) != 0 && (oflags & ~(uint32_t)WASI_OFLAG_DIRECTORY) != 0)
        return -EINVAL;
    ret = fsroot_open(&call->context->root, &path.base, path.text,
                      open_flags(p1_u32(call, 1), oflags, p1_u64(call, 5), fdflags), &opened);
    if (ret < 0)
        return ret;
    number = add_opened(call->context, &opened);
    return number < 0 ? number : p1_store_u32(call, result, (uint32_t)number);
}

/* --- looking ---------------------------------------------------------------------------------------------------------
 */

/* Arguments: dirfd, lookupflags, path, its length, result. */
int p1_path_filestat_get(struct p1_call *call)
{
    int nofollow = (p1_u32(call, 1) & WASI_LOOKUP_SYMLINK_FOLLOW) == 0 ? O_NOFOLLOW : 0;
    struct p1_path path;
    struct fs_opened opened;
    int ret = get_path(call, 0, 2, &path);

    if (ret == 0)
        ret = fsroot_open(&call->context->root, &path.base, path.text, O_PATH | nofollow, &opened);
    if (ret < 0)
        return ret;
    if (opened.kind == FS_DEVICES)
        ret = p1_store_devices_filestat(call, p1_u32(call, 4));
    else
        ret = p1_store_filestat(call, p1_u32(call, 4), &opened.st, wasi_filetype(&opened.st, -1));
    fd_close(&opened.fd);
    free(opened.guest_path);
    return ret;
}

/* Arguments: dirfd, path, its length, buffer, its length, result. What does not fit is cut off. */
int p1_path_readlink(struct p1_call *call)
{
    uint32_t len = p1_u32(call, 4);
    uint8_t *buffer = p1_range(call, p1_u32(call, 3), len);
    char text[PATH_MAX];
    struct p1_path path;
    struct fs_opened opened;
    ssize_t got;
    int ret = get_path(call, 0, 1, &path);

    if (ret == 0 && buffer == NULL)
        ret = -EFAULT;
    if (ret == 0)
        ret = fsroot_open(&call->context->root, &path.base, path.text, O_PATH | O_NOFOLLOW, &opened);
    if (ret < 0)
        return ret;
    /* ENOENT is what the kernel says of a descriptor that is no link */
    got =
        opened.kind == FS_ENTRY && S_ISLNK(opened.st.st_mode) ? readlinkat(opened.fd, "", text, sizeof text) : -EINVAL;
    fd_close(&opened.fd);
    free(opened.guest_path);
    if (got < 0)
        return got == -1 ? -errno : (int)got;
    len = (uint32_t)got < len ? (uint32_t)got : len;
    memcpy(buffer, text, len);
    return p1_store_u32(call, p1_u32(call, 5), len);
}

/* --- changing --------------------------------------------------------------------------------------------------------
 */

/* Resolves the name at arguments 0-2 and applies CHANGE to it. */
static int change_name(struct p1_call *call, int if_taken, int (*change)(int dir, const char *name))
{
    struct p1_path path;
    struct fs_target target;
    int ret = get_path(call, 0, 1, &path);

    if (ret == 0)
        ret = find(call, &path, FS_NAME, &target);
    if (ret < 0)
        return ret;
    ret = check_changeable(&target, if_taken);
    if (ret == 0 && change(target.dir, target.name) < 0)
        ret = -errno;
    fs_target_done(&target);
    return ret;
}

static int make_directory(int dir, const char *name)
{
    return mkdirat(dir, name, 0777);
}

static int remove_directory(int dir, const char *name)
{
    return unlinkat(dir, name, AT_REMOVEDIR);
}

static int remove_file(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

int p1_path_create_directory(struct p1_call *call)
{
    return change_name(call, -EEXIST, make_directory);
}

int p1_path_remove_directory(struct p1_call *call)
{
    return change_name(call, -EBUSY, remove_directory);
}

int p1_path_unlink_file(struct p1_call *call)
{
    return change_name(call, -EBUSY, remove_file);
}

/* Arguments: text, its length, dirfd, path, its length. An absolute text is refused: it would mean one thing to this
 * module and another to whoever else sees the file system (wasmtime refuses it too). */
int p1_path_symlink(struct p1_call *call)
{
    uint32_t len = p1_u32(call, 1);
    const uint8_t *bytes = p1_range(call, p1_u32(call, 0), len);
    char text[PATH_MAX];
    struct p1_path path;
    struct fs_target target;
    int ret = get_path(call, 2, 3, &path);

    if (ret < 0)
        return ret;
    if (bytes == NULL)
        return -EFAULT;
    if (len >= sizeof text)
        return -ENAMETOOLONG;
    if (len != 0 && bytes[0] == '/')
        return -EPERM;
    if (memchr(bytes, 0, len) != NULL)
        return -EINVAL;
    memcpy(text, bytes, len);
    text[len] = 0;
    ret = find(call, &path, FS_NAME, &target);
    if (ret < 0)
        return ret;
    ret = check_changeable(&target, -EEXIST);
    if (ret == 0 && symlinkat(text, target.dir, target.name) < 0)
        ret = -errno;
    fs_target_done(&target);
    return ret;
}

/* Resolves two paths at once for link and rename. Returns 0 with both targets to be released. */
static int find_two(struct p1_call *call, const struct p1_path *from, enum fs_last from_last, struct fs_target *source,
                    const struct p1_path *to, struct fs_target *target)
{
    int ret = find(call, from, from_last, source);

    if (ret < 0)
        return ret;
    ret = find(call, to, FS_NAME, target);
    if (ret < 0)
        fs_target_done(source);
    return ret;
}

/* Arguments: dirfd, lookupflags, path, its length, new dirfd, new path, its length. */
int p1_path_link(struct p1_call *call)
{
    bool follow = (p1_u32(call, 1) & WASI_LOOKUP_SYMLINK_FOLLOW) != 0;
    struct p1_path from, to;
    struct fs_target source, target;
    int ret = get_path(call, 0, 2, &from);

    if (ret == 0)
        ret = get_path(call, 4, 5, &to);
    if (ret == 0)
        ret = find_two(call, &from, follow ? FS_FOLLOW : FS_NOFOLLOW, &source, &to, &target);
    if (ret < 0)
        return ret;
    if (!source.exists)
        ret = -ENOENT;
    else if ((ret = check_changeable(&target, -EEXIST)) == 0 &&
             (source.kind != FS_ENTRY || source.place != target.place))
        ret = -EXDEV;
    if (ret == 0 && linkat(source.dir, source.name, target.dir, target.name, 0) < 0)
        ret = -errno;
    fs_target_done(&source);
    fs_target_done(&target);
    return ret;
}

/* Arguments: dirfd, path, its length, new dirfd, new path, its length. */
int p1_path_rename(struct p1_call *call)
{
    struct p1_path from, to;
    struct fs_target source, target;
    int ret = get_path(call, 0, 1, &from);

    if (ret == 0)
        ret = get_path(call, 3, 4, &to);
    if (ret == 0)
        ret = find_two(call, &from, FS_NAME, &source, &to, &target);
    if (ret < 0)
        return ret;
    ret = check_changeable(&source, -EBUSY);
    if (ret == 0)
        ret = check_changeable(&target, -EBUSY);
    if (ret == 0 && source.place != target.place)
        ret = -EXDEV;
    if (ret == 0 && renameat(source.dir, source.name, target.dir, target.name) < 0)
        ret = -errno;
    fs_target_done(&source);
    fs_target_done(&target);
    return ret;
}

/* Arguments: dirfd, lookupflags, path, its length, atim, mtim, fstflags. */
int p1_path_filestat_set_times(struct p1_call *call)
{
    bool follow = (p1_u32(call, 1) & WASI_LOOKUP_SYMLINK_FOLLOW) != 0;
    struct timespec times[2];
    struct p1_path path;
    struct fs_target target;
    int ret = get_path(call, 0, 2, &path);

    if (ret == 0)
        ret = p1_times(p1_u64(call, 4), p1_u64(call, 5), p1_u32(call, 6), times);
    if (ret != 0)
        return ret;
    ret = find(call, &path, follow ? FS_FOLLOW : FS_NOFOLLOW, &target);
    if (ret < 0)
        return ret;
    if (target.kind == FS_PLACE_FILE)
        ret = !target.place->writable ? -EROFS : utimensat(target.place->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
    else if (!target.exists && target.kind != FS_DEVICES)
        ret = -ENOENT;
    else if ((ret = check_changeable(&target, -EROFS)) == 0)
        ret = utimensat(target.dir, target.name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    fs_target_done(&target);
    return ret;
}
