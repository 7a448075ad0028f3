/* Path resolution for guests: every path a module names is resolved here, inside what it was granted.
 *
 * The guest sees one tree. Its places are the paths of the grant; each has a file system behind it of which only the
 * descriptor is known. A path is resolved from a directory that the guest holds and never leaves that directory:
 * an absolute path or a ".." too many is EPERM. Inside one place the kernel resolves (openat2 with RESOLVE_BENEATH,
 * NO_MAGICLINKS, NO_XDEV), so a mount that was not granted is never entered. Where a path may walk onto another place
 * (the resolver "hops"), links are refused to the kernel and expanded by a walk of our own (fswalk.c), which knows
 * where the guest stands: a link may lead to any place at or below the one it lies in, never out of it; an absolute
 * link must begin with the path of the place it lies in, which below "/" each does. A magic link or a file system that
 * shows the kernel's own state
 * (/proc/self/mem would let a module rewrite its machine code) is refused wherever it turns up. */
#ifndef WHERRY_ENGINE_WASI_FSROOT_H
#define WHERRY_ENGINE_WASI_FSROOT_H

#include "base/err.h"
#include "wherry/grant.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

/* One path of the grant. `path` is its guest path without the slash at the end, so "" for "/". */
struct fs_place {
    enum grant_path_kind kind;
    const char *path;
    int fd; /* borrowed; O_PATH; -1 where the kind has none */
    bool writable;
    bool refused; /* lies on a file system of the kernel's own: nothing is resolved in it */
};

struct fsroot {
    struct fs_place *places; /* in the grant's order; of two with one path the later one is seen */
    uint32_t place_count;
    bool has_openat2; /* false: older than Linux 5.6, or a seccomp filter that does not know it */
};

/* Takes over GRANT's paths, whose strings and descriptors must outlive ROOT. */
void fsroot_init(struct fsroot *root, const struct grant *grant);
void fsroot_done(struct fsroot *root);

/* A directory that the guest holds: what resolution starts from. */
struct fs_directory {
    const struct fs_place *place;
    int fd;           /* -1: the synthetic directory of a GRANT_DEVICES */
    const char *path; /* its guest path, as in struct fs_place; NULL: no place lies below, so it does not matter */
};

/* What is done about the last component of a path. */
enum fs_last {
    FS_FOLLOW,   /* a link is followed */
    FS_NOFOLLOW, /* a link is meant itself, unless a slash follows it */
    FS_NAME, /* a name to be made, removed or renamed: not looked at, a slash behind it is left to the system call */
};

enum fs_kind {
    FS_ENTRY,      /* `name` in the directory `dir` */
    FS_PLACE_FILE, /* a GRANT_FILE */
    FS_DEVICES,    /* the synthetic directory itself */
    FS_DEVICE,     /* the device `name` in it */
    FS_MOUNT,      /* under FS_NAME only: the name is a place, as busy as a mount point */
};

/* Where a path leads. */
struct fs_target {
    enum fs_kind kind;
    const struct fs_place *place; /* whose `writable` counts */
    int dir;                      /* FS_ENTRY: directory descriptor */
    bool dir_owned;
    bool exists;   /* unless FS_NAME: fd is valid */
    int fd;        /* O_PATH descriptor of an existing FS_ENTRY, owned; else -1 */
    mode_t mode;   /* of fd */
    bool has_path; /* `path` is known: a place may lie below */
    char name[NAME_MAX +
              2]; /* never a link unless FS_NAME or FS_NOFOLLOW; "." for `dir` itself; FS_NAME: may end in a slash */
    char path[PATH_MAX]; /* guest path of what was found */
};

/* Resolves PATH (a C string) from BASE. Returns 0, also for a last component that does not exist, and *OUT, which
 * fs_target_done releases; or a negative errno, -EPERM for what leaves BASE or reaches what was not granted. */
int fsroot_find(const struct fsroot *root, const struct fs_directory *base, const char *path, enum fs_last last,
                struct fs_target *out);
void fs_target_done(struct fs_target *target);

/* What fsroot_open found. */
struct fs_opened {
    int fd; /* -1 for FS_DEVICES */
    enum fs_kind kind;
    const struct fs_place *place;
    struct stat st;   /* unless FS_DEVICES */
    char *guest_path; /* for directories, as struct fs_directory wants it; malloc, the caller's; else NULL */
};

/* Opens PATH from BASE with the open(2) FLAGS, among them O_PATH, O_CREAT (mode 0666 before the umask) and O_NOFOLLOW;
 * O_CLOEXEC and O_NOCTTY are added. What lies in a read-only place is -EROFS for every flag that could change it.
 * Returns 0 or a negative errno. */
int fsroot_open(const struct fsroot *root, const struct fs_directory *base, const char *path, int flags,
                struct fs_opened *out);

/* The names in the synthetic directory of devices, in order; NULL ends them. */
extern const char *const fs_device_names[];

/* True for a file system through which the kernel shows its own state, so that no guest gets a descriptor on it. */
bool fs_is_refused(int fd);

/* --- between fsroot.c and fswalk.c ----------------------------------------------------------------------------------
 */

/* openat2, again while a rename is in the way. Returns a descriptor or a negative errno. */
int fs_openat2(int dir, const char *path, int flags, uint64_t resolve);

/* Opens the component NAME of DIR with FLAGS and O_NOFOLLOW, without leaving DIR's mount. Returns a descriptor or a
 * negative errno, -EPERM for a mount point. */
int fs_open_component(const struct fsroot *root, int dir, const char *name, int flags);

/* The place at exactly this guest path, or NULL. */
const struct fs_place *fsroot_place_at(const struct fsroot *root, const char *path);

/* True if a place lies below the guest path PATH. */
bool fsroot_has_place_below(const struct fsroot *root, const char *path);

bool fs_device_exists(const char *name);

/* fsroot_find by the component walk alone. */
int fswalk(const struct fsroot *root, const struct fs_directory *base, const char *path, enum fs_last last,
           struct fs_target *out);

#endif
