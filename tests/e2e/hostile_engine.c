/* Stands in for libexec/wherry/engine in tests/e2e/cache.sh: what an engine would do that a module has taken over
 * completely, before it has given anything up. It is root in its container and has the artifact's descriptor; it tries to
 * get at the cache by every descriptor, path and /proc route, and says what it could do. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ARTIFACT_FD = 4, LIVE_FD = 5 };

static int successes;

/* Says it if RESULT means that something worked that must not. */
static void attempt(const char *what, long result)
{
    if (result < 0)
        return;
    printf("COULD %s\n", what);
    successes++;
}

static void attack_descriptor(int fd)
{
    static const char *const names[] = {"/proc/self/fd/%d", "/proc/1/fd/%d", "/proc/thread-self/fd/%d", "/dev/fd/%d"};
    char path[64];
    struct stat st;
    void *page;

    attempt("write to the descriptor", pwrite(fd, "x", 1, 5000));
    attempt("truncate it", ftruncate(fd, 0));
    attempt("change its mode", fchmod(fd, 0777));
    attempt("change its owner", fchown(fd, 12345, 12345));
    attempt("set its times", futimens(fd, NULL));
    attempt("set an attribute", fsetxattr(fd, "user.x", "x", 1, 0));
    attempt("punch a hole into it", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    attempt("map it shared and writable", page == MAP_FAILED ? -1 : 0);
    page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED)
        attempt("make a shared mapping writable", mprotect(page, 4096, PROT_READ | PROT_WRITE));
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, names[i], fd);
        attempt("reopen it for writing by /proc", open(path, O_RDWR | O_CLOEXEC));
        attempt("reopen it for writing and truncate it", open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
        attempt("truncate it by /proc", truncate(path, 0));
        attempt("change its mode by /proc", chmod(path, 0777));
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    attempt("link it into the container", linkat(AT_FDCWD, path, AT_FDCWD, "/stolen", AT_SYMLINK_FOLLOW));
    attempt("link it by its descriptor", linkat(fd, "", AT_FDCWD, "/stolen", AT_EMPTY_PATH));
    attempt("go up from it", openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fstat(fd, &st) == 0)
        attempt("clone its mount", syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | 1 /* OPEN_TREE_CLONE */));
    attempt("make its mount writable", mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL));
}

/* Every other descriptor: none may be a directory of the host that leads to the cache, none the cache's. */
static void attack_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        static const char *const ways[] = {"../../../../../var/lib/wherry/cache", "var/lib/wherry/cache", "cache"};
        struct stat st;
        if (fd == ARTIFACT_FD || fd == LIVE_FD || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
            continue;
        for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++)
            attempt("reach the cache from an inherited directory", openat(fd, ways[i], O_RDONLY | O_CLOEXEC));
        attempt("find the cache's limit or slots there", faccessat(fd, "slot.0", F_OK, 0));
    }
}

static void attack_paths(const char *cache)
{
    static const char *const roots[] = {"", "/proc/1/root", "/proc/self/root", "/proc/self/cwd/../../../..",
                                        "/../../.."};
    char path[512];

    for (unsigned i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        snprintf(path, sizeof path, "%s%s", roots[i], cache);
        attempt("open the cache by a path", open(path, O_RDONLY | O_CLOEXEC));
    }
    for (int pid = 2; pid < 64; pid++) {
        snprintf(path, sizeof path, "/proc/%d/root%s", pid, cache);
        attempt("open the cache by another process's root", open(path, O_RDONLY | O_CLOEXEC));
    }
}

int main(void)
{
    char cache[300] = "/var/lib/wherry/cache";
    struct stat st;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (getuid() != 0 || fstat(ARTIFACT_FD, &st) != 0 || !S_ISREG(st.st_mode)) {
        printf("no artifact, or not root: nothing was tested\n");
        return 1;
    }
    attack_descriptor(ARTIFACT_FD);
    attack_descriptor(LIVE_FD); /* without one: the artifact again */
    attack_descriptors();
    attack_paths(cache);
    printf("%d attempts succeeded\n", successes);
    return 0;
}
