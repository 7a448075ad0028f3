/* The way: descriptor → mount and path (from /proc) → the mount's line in mountinfo → its layers, upper first → the
 * first that has something at the path. Layers are the manager's, not the image's, so their own paths are followed as they
 * stand; below them nothing is followed. Whether the file found is the one is decided by its state: size, both
 * times to the nanosecond, and the inode number that the overlay passes through. Anything unusual (metadata-only
 * copies, redirected directories, paths relative to who knows what) is no answer. */
#include "engine/cache/layer.h"
#include "base/fd.h"
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum { MOUNTINFO_BYTES_MAX = 1 << 20, OPTIONS_BYTES_MAX = 4096 };

/* --- which mount, which path ---------------------------------------------------------------------------------- */

/* The number of FD's mount, from fdinfo: statx says it only since 5.8. */
static bool mount_number(int fd, long *number)
{
    char path[64], text[512], *at;
    cleanup_fd int info = -1;
    ssize_t len;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    info = open(path, O_RDONLY | O_CLOEXEC);
    len = info < 0 ? -1 : fd_read_full(info, text, sizeof text - 1);
    if (len < 0)
        return false;
    text[len] = 0;
    at = strstr(text, "mnt_id:");
    return at != NULL && sscanf(at, "mnt_id: %ld", number) == 1;
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. In place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != 0; from++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
}

struct mount_line {
    char *root, *point, *type, *options;
};

/* Cuts LINE ("number parent device root point options [tags] - type source options") into what we want of it. */
static bool parse_line(char *line, struct mount_line *out)
{
    char *fields[5], *at = line, *dash = strstr(line, " - ");

    if (dash == NULL)
        return false;
    for (int i = 0; i < 5; i++) {
        fields[i] = at;
        at = strchr(at, ' ');
        if (at == NULL)
            return false;
        *at++ = 0;
    }
    out->root = fields[3];
    out->point = fields[4];
    out->type = dash + 3;
    at = strchr(out->type, ' ');
    if (at == NULL)
        return false;
    *at = 0;
    at = strchr(at + 1, ' ');
    if (at == NULL)
        return false;
    out->options = at + 1;
    unescape(out->root);
    unescape(out->point);
    return true;
}

static bool find_line(struct buf *text, long number, struct mount_line *out)
{
    char wanted[32], *at = (char *)buf_cstr(text);
    int len = snprintf(wanted, sizeof wanted, "%ld ", number);

    for (char *next; at != NULL && *at != 0; at = next) {
        next = strchr(at, '\n');
        if (next != NULL)
            *next++ = 0;
        if (strncmp(at, wanted, (size_t)len) == 0)
            return parse_line(at, out);
    }
    return false;
}

static bool read_mounts(pid_t pid, struct buf *text)
{
    char path[64] = "/proc/self/mountinfo";
    cleanup_fd int fd = -1;

    if (pid != 0)
        snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fd_read_to_end(fd, text, MOUNTINFO_BYTES_MAX) == 0;
}

/* PATH, seen through the mount at POINT that shows ROOT of its file system, as a path of the file system without a
 * leading slash. */
static bool path_in_file_system(const struct mount_line *line, const char *path, char *out, size_t out_bytes)
{
    size_t point_len = strcmp(line->point, "/") == 0 ? 0 : strlen(line->point);
    const char *root = strcmp(line->root, "/") == 0 ? "" : line->root;
    int len;

    if (strncmp(path, line->point, point_len) != 0 || path[point_len] != '/')
        return false;
    len = snprintf(out, out_bytes, "%s%s", root, path + point_len);
    if (len < 2 || (size_t)len >= out_bytes || out[0] != '/')
        return false;
    memmove(out, out + 1, (size_t)len);
    return true;
}

/* --- the layers ----------------------------------------------------------------------------------------------- */

static bool same_file(const struct stat *overlay, const struct stat *layer)
{
    return S_ISREG(layer->st_mode) && overlay->st_size == layer->st_size &&
           overlay->st_mtim.tv_sec == layer->st_mtim.tv_sec && overlay->st_mtim.tv_nsec == layer->st_mtim.tv_nsec &&
           overlay->st_ctim.tv_sec == layer->st_ctim.tv_sec && overlay->st_ctim.tv_nsec == layer->st_ctim.tv_nsec &&
           /* with several file systems below it, an overlay keeps their number in the upper bits */
           (uint32_t)overlay->st_ino == (uint32_t)layer->st_ino;
}

/* What the layer has at PATH: 1 the file, 0 nothing, so that the next layer counts; -1 something else. */
static int look_in(const char *layer, const char *path, const struct stat *file, struct stat *layer_file, long *magic)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    cleanup_fd int directory = layer[0] == '/' ? open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    cleanup_fd int fd = -1;
    struct statfs fs;

    if (directory < 0)
        return -1;
    fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, layer_file) != 0 || fstatfs(fd, &fs) != 0 || !same_file(file, layer_file))
        return -1;
    *magic = (long)fs.f_type;
    return 1;
}

/* The next option in OUT, without its escapes: the kernel writes a comma that belongs to a value as an octal escape. */
static bool next_option(const char **at, char *out, size_t out_bytes)
{
    size_t len = strcspn(*at, ",");

    if (len >= out_bytes)
        return false;
    memcpy(out, *at, len);
    out[len] = 0;
    unescape(out);
    *at += len + ((*at)[len] == ',');
    return true;
}

/* The next folder of a list with colons between them, those with a backslash before them excepted. */
static bool next_layer(const char **at, char *out, size_t out_bytes)
{
    const char *from = *at;
    size_t len = 0;

    for (; *from != 0 && *from != ':'; from++) {
        if (from[0] == '\\' && from[1] != 0)
            from++;
        if (len + 1 >= out_bytes)
            return false;
        out[len++] = *from;
    }
    out[len] = 0;
    *at = *from == ':' ? from + 1 : from;
    return true;
}

static const char *value_of(const char *option, const char *name)
{
    size_t len = strlen(name);
    return strncmp(option, name, len) == 0 && option[len] == '=' ? option + len + 1 : NULL;
}

/* Content that lies elsewhere than under the file's own path. */
static bool is_unusual(const char *options)
{
    return strstr(options, "metacopy=on") != NULL || strstr(options, "redirect_dir=on") != NULL ||
           strstr(options, "datadir+") != NULL;
}

bool layer_search(const char *options, const char *path, const struct stat *file, struct stat *layer_file, long *magic)
{
    char option[OPTIONS_BYTES_MAX], layer[PATH_MAX], upper[PATH_MAX] = "", lower[OPTIONS_BYTES_MAX] = "";
    const char *value, *at = options;
    int found = 0;

    if (is_unusual(options))
        return false;
    while (*at != 0) {
        size_t used = strlen(lower);
        if (!next_option(&at, option, sizeof option))
            return false;
        if ((value = value_of(option, "upperdir")) != NULL)
            snprintf(upper, sizeof upper, "%s", value);
        else if (((value = value_of(option, "lowerdir")) != NULL || (value = value_of(option, "lowerdir+")) != NULL) &&
                 (size_t)snprintf(lower + used, sizeof lower - used, "%s%s", used != 0 ? ":" : "", value) >=
                     sizeof lower - used)
            return false;
    }
    if (upper[0] != 0)
        found = look_in(upper, path, file, layer_file, magic);
    for (at = lower; *at != 0 && found == 0;)
        found = next_layer(&at, layer, sizeof layer) ? look_in(layer, path, file, layer_file, magic) : -1;
    return found > 0;
}

bool layer_find(int fd, const struct stat *file, pid_t mounts_of, struct stat *layer_file, long *magic)
{
    char link[64], path[PATH_MAX], inside[PATH_MAX];
    struct mount_line line;
    struct buf mounts = {0};
    bool found = false;
    long number;
    ssize_t len;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path - 1);
    if (len <= 0 || !mount_number(fd, &number) || !read_mounts(mounts_of, &mounts))
        goto out;
    path[len] = 0;
    found = find_line(&mounts, number, &line) && strcmp(line.type, "overlay") == 0 &&
            path_in_file_system(&line, path, inside, sizeof inside) &&
            layer_search(line.options, inside, file, layer_file, magic);
out:
    buf_done(&mounts);
    return found;
}
