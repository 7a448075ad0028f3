/* The component walk: resolves a path in the guest's tree one name at a time. See fsroot.h for the rules.
 *
 * The walk stands at a guest path (`path`) and holds a descriptor for it (`at`). Where it has hopped onto another
 * place, a segment remembers where that place begins, so that ".." leads back. Every name is opened with O_PATH |
 * O_NOFOLLOW and looked at; the text of a link is put in front of what is left of the path, with a mark that says how
 * far up it may lead.
 * ".." shortens the path and opens it again from the segment's root, which a directory that is moved meanwhile cannot
 * trick, as openat(fd, "..") can. */
#include "engine/wasi/fsroot.h"
#include "base/fd.h"

enum {
    LINKS_MAX = 40,   /* as the kernel: ELOOP above it */
    NESTING_MAX = 32, /* places within places */
};

/* From here on the walk is in one file system tree. */
struct segment {
    const struct fs_place *place;
    int fd;        /* its root, borrowed; -1: the synthetic directory of a GRANT_DEVICES */
    size_t start;  /* length of `path` at the root */
    bool is_place; /* the root is the place itself, not a directory below it */
};

/* The text of a link, as long as `rest` is longer than `rest_len`. */
struct link_mark {
    size_t rest_len;
    size_t floor; /* length of `path` above which ".." may not lead */
    bool clamps;  /* ".." at the floor stays there, as at the root of any file system, instead of being refused */
};

struct walk {
    const struct fsroot *root;
    enum fs_last last;
    bool hops;       /* places lie below the base, so `path` matters */
    size_t base_len; /* length of `path` at the base */
    int at;          /* O_PATH of `path`, owned; -1: the newest segment's root */
    size_t path_len;
    unsigned segment_count, mark_count, link_count;
    struct segment segments[NESTING_MAX];
    struct link_mark marks[LINKS_MAX];
    char path[PATH_MAX], rest[PATH_MAX];
};

static struct segment *walk_segment(struct walk *w)
{
    return &w->segments[w->segment_count - 1];
}

static int walk_fd(struct walk *w)
{
    return w->at >= 0 ? w->at : walk_segment(w)->fd;
}

static bool walk_in_devices(struct walk *w)
{
    return walk_segment(w)->fd < 0;
}

/* Takes the first component off `rest` into NAME. Returns 1, 0 at the end, or -ENAMETOOLONG. */
static int walk_next(struct walk *w, char name[NAME_MAX + 2])
{
    const char *p = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(p, "/"), left = strlen(p);

    while (w->mark_count > 0 && left <= w->marks[w->mark_count - 1].rest_len)
        w->mark_count--;
    if (len == 0)
        return 0;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, p, len);
    name[len] = 0;
    memmove(w->rest, p + len, left - len + 1);
    return 1;
}

static bool walk_at_end(const struct walk *w)
{
    return w->rest[strspn(w->rest, "/")] == 0;
}

/* Appends NAME to `path` and returns the old length, or -ENAMETOOLONG. */
static ssize_t walk_append(struct walk *w, const char *name)
{
    size_t old = w->path_len, len = strlen(name);

    if (old + len + 2 > sizeof w->path)
        return -ENAMETOOLONG;
    w->path[old] = '/';
    memcpy(w->path + old + 1, name, len + 1);
    w->path_len = old + 1 + len;
    return (ssize_t)old;
}

static void walk_cut(struct walk *w, size_t len)
{
    w->path_len = len;
    w->path[len] = 0;
}

/* Opens `path` again from the newest segment's root. Every component was a real directory a moment ago. */
static int walk_again(struct walk *w)
{
    char name[NAME_MAX + 2];
    const char *p = w->path + walk_segment(w)->start;

    fd_close(&w->at);
    while (*p != 0) {
        size_t len = strcspn(++p, "/");
        memcpy(name, p, len);
        name[len] = 0;
        int fd = fs_open_component(w->root, walk_fd(w), name, O_PATH | O_DIRECTORY);
        if (fd < 0)
            return fd;
        fd_close(&w->at);
        w->at = fd;
        p += len;
    }
    return 0;
}

static int walk_up(struct walk *w)
{
    struct link_mark at_base = {.floor = w->base_len};
    const struct link_mark *mark = w->mark_count > 0 ? &w->marks[w->mark_count - 1] : &at_base;

    if (w->path_len == mark->floor)
        return mark->clamps ? 0 : -EPERM;
    if (w->path_len == walk_segment(w)->start)
        w->segment_count--;
    assert(w->segment_count > 0);
    walk_cut(w, (size_t)(strrchr(w->path, '/') - w->path));
    return walk_again(w);
}

/* Stands at PLACE, whose guest path `path` is. */
static int walk_hop(struct walk *w, const struct fs_place *place)
{
    if (w->segment_count == NESTING_MAX)
        return -ELOOP;
    fd_close(&w->at);
    w->segments[w->segment_count++] =
        (struct segment){.place = place, .fd = place->fd, .start = w->path_len, .is_place = true};
    return 0;
}

/* Puts the text of the link LINK, which lies in the directory where the walk stands, in front of `rest`. */
static int walk_expand(struct walk *w, int link)
{
    const struct segment *segment = walk_segment(w);
    char text[PATH_MAX];
    ssize_t len = readlinkat(link, "", text, sizeof text - 1);
    size_t rest_len = strlen(w->rest), skip = 0;

    if (len < 0)
        return -errno;
    if (++w->link_count > LINKS_MAX)
        return -ELOOP;
    text[len] = 0;
    if (text[0] == 0)
        return -ENOENT;
    if (text[0] == '/') { /* must begin with the path of the place, and stand in it */
        skip = strlen(segment->place->path);
        if (!segment->is_place || strncmp(text, segment->place->path, skip) != 0 ||
            (text[skip] != '/' && text[skip] != 0))
            return -EPERM;
        fd_close(&w->at);
        walk_cut(w, segment->start);
    }
    len -= (ssize_t)skip;
    if ((size_t)len + rest_len + 2 > sizeof w->rest)
        return -ENAMETOOLONG;
    w->marks[w->mark_count++] = (struct link_mark){
        .rest_len = strlen(w->rest + strspn(w->rest, "/")),
        .floor = segment->start,
        .clamps = segment->is_place && segment->place->path[0] == 0,
    };
    memmove(w->rest + len, w->rest, rest_len + 1); /* what is left is empty or begins with a slash */
    memcpy(w->rest, text + skip, (size_t)len);
    return 0;
}

/* --- the last component ----------------------------------------------------------------------------------------------
 */

/* Hands the directory where the walk stands to OUT. */
static void target_take_directory(struct walk *w, struct fs_target *out)
{
    out->place = walk_segment(w)->place;
    out->dir_owned = w->at >= 0;
    out->dir = walk_fd(w);
    w->at = -1;
}

static void target_set_path(const struct walk *w, struct fs_target *out)
{
    out->has_path = w->hops;
    if (w->hops)
        memcpy(out->path, w->path, w->path_len + 1);
}

static void target_set_name(struct fs_target *out, const char *name, bool slash)
{
    size_t len = strlen(name);
    memcpy(out->name, name, len);
    memcpy(out->name + len, slash ? "/" : "", slash ? 2 : 1);
}

/* The path ended in a directory: ".", "..", a place, or nothing after the links were expanded. */
static int target_here(struct walk *w, struct fs_target *out)
{
    struct stat st;

    target_set_path(w, out);
    target_set_name(out, ".", false);
    out->kind = walk_in_devices(w) ? FS_DEVICES : FS_ENTRY;
    target_take_directory(w, out);
    if (out->kind == FS_DEVICES || w->last == FS_NAME)
        return 0;
    out->fd = fcntl(out->dir, F_DUPFD_CLOEXEC, 0);
    if (out->fd < 0 || fstat(out->fd, &st) < 0)
        return -errno;
    out->exists = true;
    out->mode = st.st_mode;
    return 0;
}

/* NAME in the directory where the walk stands: FD, taken over, is what `path` now refers to; or -1. */
static int target_found(struct walk *w, const char *name, int fd, mode_t mode, struct fs_target *out)
{
    bool slash = w->rest[0] == '/';

    out->kind = FS_ENTRY;
    out->fd = fd;
    out->exists = fd >= 0;
    out->mode = mode;
    if (slash && fd >= 0 && !S_ISDIR(mode))
        return -ENOTDIR;
    target_set_name(out, name, slash && (fd < 0 || w->last == FS_NAME));
    target_set_path(w, out);
    target_take_directory(w, out);
    return 0;
}

static int target_device(struct walk *w, const char *name, struct fs_target *out)
{
    out->kind = FS_DEVICE;
    out->place = walk_segment(w)->place;
    out->exists = fs_device_exists(name);
    if (!walk_at_end(w) || w->rest[0] == '/')
        return out->exists ? -ENOTDIR : -ENOENT;
    target_set_name(out, name, false);
    return 0;
}

static int target_place_file(struct walk *w, const struct fs_place *place, struct fs_target *out)
{
    out->kind = FS_PLACE_FILE;
    out->place = place;
    out->exists = true;
    return walk_at_end(w) && w->rest[0] != '/' ? 0 : -ENOTDIR;
}

/* --- one step --------------------------------------------------------------------------------------------------------
 */

/* `path` is PLACE's. Returns 1 when OUT says where the path leads. */
static int step_onto_place(struct walk *w, const struct fs_place *place, struct fs_target *out)
{
    int ret;

    if (place->refused)
        return -EPERM;
    if (w->last == FS_NAME && walk_at_end(w)) {
        out->kind = FS_MOUNT;
        out->place = place;
        return 1;
    }
    if (place->kind != GRANT_FILE)
        return walk_hop(w, place);
    ret = target_place_file(w, place, out);
    return ret < 0 ? ret : 1;
}

/* The component NAME in a directory with a descriptor. Returns 1 when OUT says where the path leads, 0 to go on. */
static int step_into(struct walk *w, const char *name, struct fs_target *out)
{
    bool at_end = walk_at_end(w), slash = w->rest[0] == '/';
    struct stat st;
    int fd = fs_open_component(w->root, walk_fd(w), name, O_PATH), ret;

    if (fd == -ENOENT && at_end) {
        ret = target_found(w, name, -1, 0, out);
        return ret < 0 ? ret : 1;
    }
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0) {
        ret = -errno;
    } else if (S_ISLNK(st.st_mode) && (!at_end || slash || w->last == FS_FOLLOW)) {
        ret = walk_expand(w, fd);
    } else if (at_end) {
        ssize_t old = walk_append(w, name);
        ret = old < 0 ? (int)old : target_found(w, name, fd_take(&fd), st.st_mode, out);
        return ret < 0 ? ret : 1;
    } else if (!S_ISDIR(st.st_mode)) {
        ret = -ENOTDIR;
    } else {
        ssize_t old = walk_append(w, name);
        ret = old < 0 ? (int)old : 0;
        if (ret == 0) {
            fd_close(&w->at);
            w->at = fd_take(&fd);
        }
    }
    fd_close(&fd);
    return ret;
}

static int walk_step(struct walk *w, const char *name, struct fs_target *out)
{
    const struct fs_place *place = NULL;

    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0)
        return walk_up(w);
    if (w->hops) {
        ssize_t old = walk_append(w, name);
        if (old < 0)
            return (int)old;
        place = fsroot_place_at(w->root, w->path);
        if (place != NULL)
            return step_onto_place(w, place, out);
        walk_cut(w, (size_t)old);
    }
    if (walk_in_devices(w)) {
        int ret = target_device(w, name, out);
        return ret < 0 ? ret : 1;
    }
    if (w->last == FS_NAME && walk_at_end(w)) {
        int ret = target_found(w, name, -1, 0, out);
        return ret < 0 ? ret : 1;
    }
    return step_into(w, name, out);
}

static void walk_begin(struct walk *w, const struct fsroot *root, const struct fs_directory *base, const char *path,
                       enum fs_last last)
{
    const char *base_path = base->path != NULL ? base->path : "";

    w->root = root;
    w->last = last;
    w->hops = base->path != NULL && fsroot_has_place_below(root, base->path);
    w->base_len = w->path_len = strlen(base_path);
    memcpy(w->path, base_path, w->path_len + 1);
    memcpy(w->rest, path, strlen(path) + 1);
    w->at = -1;
    w->segment_count = 1;
    w->mark_count = w->link_count = 0;
    w->segments[0] = (struct segment){
        .place = base->place,
        .fd = base->fd,
        .start = w->base_len,
        .is_place = base->fd == base->place->fd,
    };
}

int fswalk(const struct fsroot *root, const struct fs_directory *base, const char *path, enum fs_last last,
           struct fs_target *out)
{
    struct walk w;
    char name[NAME_MAX + 2];
    int ret;

    *out = (struct fs_target){.kind = FS_ENTRY, .dir = -1, .fd = -1};
    walk_begin(&w, root, base, path, last);
    while ((ret = walk_next(&w, name)) > 0) {
        ret = walk_step(&w, name, out);
        if (ret != 0)
            break;
    }
    if (ret == 0)
        ret = target_here(&w, out);
    fd_close(&w.at);
    if (ret < 0)
        fs_target_done(out);
    return ret < 0 ? ret : 0;
}
