/* Preview 1: reading directories.
 *
 * A cookie is the kernel's own d_off: stable for as long as the directory is open, and for most file systems for ever.
 * Each call seeks there, so that nothing is kept between calls and the guest may start over anywhere. */
#include "engine/wasi/p1.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LIST_MAX = 32 << 10, LIST_LEAST = 2048 /* one entry of the longest name always fits */ };

/* As the kernel fills it in (getdents64(2)). */
struct kernel_dirent {
    uint64_t ino;
    int64_t next;
    uint16_t record_bytes;
    uint8_t type;
    char name[];
};

/* The guest's buffer, filled from the front; the last entry may be cut off. */
struct listing {
    uint8_t *at;
    uint32_t len, used;
};

static uint8_t filetype_of(uint8_t kernel_type)
{
    switch (kernel_type) {
    case DT_BLK: return WASI_FILETYPE_BLOCK_DEVICE;
    case DT_CHR: return WASI_FILETYPE_CHARACTER_DEVICE;
    case DT_DIR: return WASI_FILETYPE_DIRECTORY;
    case DT_LNK: return WASI_FILETYPE_SYMBOLIC_LINK;
    case DT_REG: return WASI_FILETYPE_REGULAR_FILE;
    case DT_SOCK: return WASI_FILETYPE_SOCKET_STREAM;
    default: return WASI_FILETYPE_UNKNOWN;
    }
}

static void listing_put(struct listing *out, const void *bytes, size_t len)
{
    if (len > out->len - out->used)
        len = out->len - out->used;
    memcpy(out->at + out->used, bytes, len);
    out->used += (uint32_t)len;
}

static void listing_add(struct listing *out, uint64_t next, uint64_t ino, const char *name, uint8_t filetype)
{
    uint8_t dirent[WASI_DIRENT_BYTES] = {0};
    size_t len = strlen(name);

    p1_set_u64(dirent, WASI_DIRENT_NEXT, next);
    p1_set_u64(dirent, WASI_DIRENT_INO, ino);
    p1_set_u32(dirent, WASI_DIRENT_NAME_LEN, (uint32_t)len);
    dirent[WASI_DIRENT_TYPE] = filetype;
    listing_put(out, dirent, sizeof dirent);
    listing_put(out, name, len);
}

static uint8_t dirent_filetype(int dir, const struct kernel_dirent *entry)
{
    struct stat st;

    if (entry->type != DT_UNKNOWN)
        return filetype_of(entry->type);
    if (fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return WASI_FILETYPE_UNKNOWN;
    return wasi_filetype(&st, -1);
}

static int list_directory(int dir, uint64_t cookie, struct listing *out)
{
    union {
        uint8_t bytes[LIST_MAX];
        uint64_t aligned;
    } list;

    if (lseek(dir, (off_t)cookie, SEEK_SET) < 0)
        return -errno;
    while (out->used < out->len) {
        size_t want = out->len - out->used < LIST_LEAST ? LIST_LEAST : out->len - out->used;
        long got = syscall(SYS_getdents64, dir, list.bytes, want < LIST_MAX ? want : LIST_MAX);
        if (got <= 0)
            return got < 0 ? -errno : 0;
        for (long at = 0; at < got && out->used < out->len;) {
            const struct kernel_dirent *entry = (const struct kernel_dirent *)(list.bytes + at);
            listing_add(out, (uint64_t)entry->next, entry->ino, entry->name, dirent_filetype(dir, entry));
            at += entry->record_bytes;
        }
    }
    return 0;
}

/* What comes after PLACE's path and a slash in PATH, if that is a single name; else NULL. */
static const char *child_name(const struct fs_place *place, const char *path)
{
    size_t len = strlen(place->path);
    if (strncmp(path, place->path, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/') != NULL)
        return NULL;
    return path + len + 1;
}

/* The synthetic directory: ".", "..", the devices, then the files granted below it. The cookie counts. */
static void list_devices(const struct wasi_context *context, const struct fs_place *place, uint64_t cookie,
                         struct listing *out)
{
    uint64_t number = 0;

    for (int i = 0; i < 2; i++)
        if (number++ >= cookie)
            listing_add(out, number, 1, i == 0 ? "." : "..", WASI_FILETYPE_DIRECTORY);
    for (size_t i = 0; fs_device_names[i] != NULL; i++)
        if (number++ >= cookie)
            listing_add(out, number, number, fs_device_names[i], WASI_FILETYPE_CHARACTER_DEVICE);
    for (uint32_t i = 0; i < context->root.place_count; i++) {
        const struct fs_place *file = &context->root.places[i];
        const char *name = child_name(place, file->path);
        struct stat st;
        if (name == NULL || file->refused || file->fd < 0 || fstat(file->fd, &st) < 0)
            continue;
        if (number++ >= cookie)
            listing_add(out, number, st.st_ino, name, wasi_filetype(&st, -1));
    }
}

int p1_fd_readdir(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    struct listing out = {.len = p1_u32(call, 2)};
    uint64_t cookie = p1_u64(call, 3);
    int ret = 0;

    if (entry == NULL)
        return -EBADF;
    if (entry->kind != WASI_FD_DIRECTORY)
        return -ENOTDIR;
    out.at = p1_range(call, p1_u32(call, 1), out.len);
    if (out.at == NULL)
        return -EFAULT;
    if (entry->fd < 0) {
        list_devices(call->context, entry->place, cookie, &out);
    } else {
        int dir = wasi_fd_real(entry);
        ret = dir < 0 ? -errno : list_directory(dir, cookie, &out);
    }
    return ret < 0 ? ret : p1_store_u32(call, p1_u32(call, 4), out.used);
}
