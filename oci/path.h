/* Every path below a container's root goes through here.
 *
 * The tree below a root is the image's and, through shared volumes, other containers': any name in it may be a symbolic
 * link and may change between two calls. So a path is resolved once, inside the root, to a descriptor, and everything
 * after that is done through the descriptor. ".." never leaves the root, absolute links start again at the root, and
 * magic links (/proc/self/fd/N) are never followed.
 *
 * openat2 (5.6) does it in one call. Where it is missing or filtered, and wherever something has to be made on the way,
 * a walk opens one component at a time with O_PATH | O_NOFOLLOW and expands links itself. */
#ifndef WHERRY_OCI_PATH_H
#define WHERRY_OCI_PATH_H

#include "base/err.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum path_make { PATH_MAKE_NOTHING, PATH_MAKE_DIRECTORY, PATH_MAKE_FILE };
enum path_links { PATH_FOLLOW_LINKS, PATH_REFUSE_LINKS };

/* Opens PATH below ROOT (a directory descriptor) with the open(2) FLAGS; O_CLOEXEC is added, O_CREAT is not allowed.
 * With O_NOFOLLOW the last component is taken as it is. Returns a descriptor or a negative errno: quiet, for callers to
 * whom a missing path is no error. */
int path_open(int root, const char *path, int flags);

/* Resolves PATH below ROOT and makes what is missing: directories on the way and, as MAKE says, a directory or an empty
 * file (mode 0755 before the umask) at the end. A dangling link is followed to where it points inside the root;
 * PATH_REFUSE_LINKS fails with ELOOP at any link. What exists already is left as it is, whatever its kind. Returns an
 * O_PATH descriptor or a negative errno with *E filled in. */
int path_make(int root, const char *path, enum path_make make, enum path_links links, struct err *e);

/* Splits PATH into its directory, opened (and made, mode 0755, if MAKE_PARENTS), and its last component, copied to
 * NAME and never resolved: what the *at() calls that must not follow a link take. Refuses a path whose last component
 * is "..", "." or empty. Returns an O_PATH descriptor of the directory or a negative errno with *E filled in. */
int path_open_parent(int root, const char *path, bool make_parents, char name[NAME_MAX + 1], struct err *e);

/* Makes PATH absolute and free of "//", "." and "..", by its text alone: for comparing names, never for opening them.
 * Returns 0 or -ENAMETOOLONG. */
int path_normalise(const char *path, char out[PATH_MAX]);

/* "/proc/self/fd/FD", for calls that have no form with a descriptor. Needs the host's /proc: only before pivot_root. */
struct path_name {
    char text[32];
};
struct path_name path_of_fd(int fd);

/* Opens again, with the open(2) FLAGS, what the O_PATH descriptor FD refers to. Needs the host's /proc. Returns a
 * descriptor or -1 with errno. */
int path_reopen(int fd, int flags);

/* True if FD lies on a file system with this magic number (linux/magic.h). */
bool path_on_fs(int fd, long magic);

/* Whether FD is the root of a mount: 1 or 0, -1 where the kernel does not tell (before 5.8). */
int path_is_mount_root(int fd);

/* 0 if FD is the root directory of a procfs, else a negative errno and *E: the answer to rootfs trees that put something
 * else in the place of /proc (CVE-2019-16884, CVE-2023-27561, CVE-2025-52881). */
int path_check_proc_root(int fd, struct err *e);

/* A procfs of the caller's pid namespace that is mounted nowhere, so nobody can mount over parts of it; from fsopen
 * (5.2), else a checked descriptor of /proc. Returns a directory descriptor or a negative errno with *E. */
int path_private_proc(struct err *e);

/* Opens PATH below PROC (from path_private_proc) with FLAGS: no link, no ".." and no mount on the way, and what is
 * opened lies on procfs. Returns a descriptor or a negative errno with *E. */
int path_open_proc(int proc, const char *path, int flags, struct err *e);

/* The same for PATH below the directory of the calling thread. */
int path_open_proc_self(int proc, const char *path, int flags, struct err *e);

#endif
