/* Path resolution inside a root, tried as a hostile image would: each case with openat2 and with the walk that replaces
 * it on kernels before 5.6. */
#include "base/fd.h"
#include "oci/path.h"
#include "sys_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sys/stat.h>

struct tree {
    char outside[64]; /* a directory that holds the root, as the host does */
    int root;
    struct sys_calls saved;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static void make_file(int dir, const char *path, const char *text)
{
    cleanup_fd int fd = openat(dir, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int setup(void **state)
{
    struct tree *t = calloc(1, sizeof *t);
    char path[80];

    memcpy(t->outside, "/tmp/wherry-path-XXXXXX", 24);
    assert_non_null(mkdtemp(t->outside));
    snprintf(path, sizeof path, "%s/root", t->outside);
    assert_int_equal(mkdir(path, 0755), 0);
    t->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(t->root, "etc", 0755), 0);
    make_file(t->root, "etc/inside", "inside");
    snprintf(path, sizeof path, "%s/secret", t->outside);
    make_file(AT_FDCWD, path, "secret");
    t->saved = sys;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tree *t = *state;
    sys = t->saved;
    close(t->root);
    nftw(t->outside, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

/* The content of PATH inside the root, or the error. */
static int read_inside(struct tree *t, const char *path, char text[16])
{
    cleanup_fd int fd = path_open(t->root, path, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = fd_read_full(fd, text, 15);
    assert_true(n >= 0);
    text[n] = 0;
    return 0;
}

/* Runs CHECK twice: with openat2, and with openat2 failing as on an old kernel. */
static void both_ways(struct tree *t, void (*check)(struct tree *t))
{
    check(t);
    sys.openat2 = enosys_openat2;
    check(t);
    sys = t->saved;
}

static void check_links(struct tree *t)
{
    char text[16];
    assert_int_equal(read_inside(t, "/etc/inside", text), 0);
    assert_string_equal(text, "inside");
    assert_int_equal(read_inside(t, "absolute", text), 0);
    assert_string_equal(text, "inside");
    assert_int_equal(read_inside(t, "updir/etc/inside", text), 0);
    assert_string_equal(text, "inside");
    assert_int_equal(read_inside(t, "../../../etc/inside", text), 0);
    assert_int_equal(read_inside(t, "escape", text), -ENOENT);
    assert_int_equal(read_inside(t, "loop", text), -ELOOP);
    assert_int_equal(read_inside(t, "etc/inside/x", text), -ENOTDIR);
    assert_int_equal(path_open(t->root, "absolute", O_RDONLY | O_NOFOLLOW), -ELOOP);
    assert_int_equal(path_open(t->root, "", O_RDONLY), -ENOENT);
    assert_int_equal(path_open(t->root, "etc/inside", O_RDONLY | O_DIRECTORY), -ENOTDIR);
}

static void links_stay_inside(void **state)
{
    struct tree *t = *state;
    assert_int_equal(symlinkat("/etc/inside", t->root, "absolute"), 0);
    assert_int_equal(symlinkat("etc/../..", t->root, "updir"), 0);
    assert_int_equal(symlinkat("../secret", t->root, "escape"), 0);
    assert_int_equal(symlinkat("loop", t->root, "loop"), 0);
    both_ways(t, check_links);
}

static void check_magic(struct tree *t)
{
    cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct path_name fd;
    fd = path_of_fd(t->root);
    assert_int_equal(path_open(proc, fd.text + sizeof "/proc" - 1, O_PATH), -ELOOP);
    assert_int_equal(path_open(proc, "self/root/etc", O_PATH | O_DIRECTORY), -ELOOP);
}

/* CVE-2024-21626: /proc/self/fd/N must not lead out. */
static void cve_2024_21626_magic_links_are_refused(void **state)
{
    both_ways(*state, check_magic);
}

static void check_make(struct tree *t)
{
    struct err e;
    struct stat st;
    char name[NAME_MAX + 1];
    int fd = path_make(t->root, "/new/deep/dir", PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, &e);
    assert_true(fd >= 0);
    fd_close(&fd);
    assert_int_equal(fstatat(t->root, "new/deep/dir", &st, 0), 0);
    assert_true(S_ISDIR(st.st_mode));
    fd = path_make(t->root, "dangling", PATH_MAKE_FILE, PATH_FOLLOW_LINKS, &e);
    assert_true(fd >= 0);
    fd_close(&fd);
    assert_int_equal(fstatat(t->root, "tmp/target", &st, 0), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(path_make(t->root, "dangling", PATH_MAKE_FILE, PATH_REFUSE_LINKS, &e), -ELOOP);
    assert_non_null(strstr(e.text, "dangling"));
    fd = path_open_parent(t->root, "/new/deep/", false, name, &e);
    assert_true(fd >= 0);
    fd_close(&fd);
    assert_string_equal(name, "deep");
    assert_int_equal(path_open_parent(t->root, "/new/..", false, name, &e), -EINVAL);
    assert_int_equal(unlinkat(t->root, "new/deep/dir", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(t->root, "tmp/target", 0), 0);
}

static void makes_what_is_missing(void **state)
{
    struct tree *t = *state;
    assert_int_equal(symlinkat("/tmp/target", t->root, "dangling"), 0);
    both_ways(t, check_make);
}

static void check_mkdir_escape(struct tree *t)
{
    struct err e;
    char path[96];
    struct stat st;
    int fd = path_make(t->root, "out/made", PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, &e);
    assert_true(fd >= 0);
    fd_close(&fd);
    snprintf(path, sizeof path, "%s/made", t->outside);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(fstatat(t->root, "made", &st, 0), 0);
    assert_int_equal(unlinkat(t->root, "made", AT_REMOVEDIR), 0);
}

/* CVE-2024-45310: making a mount point must not make anything on the host. CVE-2019-18837: nor move it there. */
static void cve_2024_45310_directories_are_made_inside(void **state)
{
    struct tree *t = *state;
    assert_int_equal(symlinkat("../..", t->root, "out"), 0);
    both_ways(t, check_mkdir_escape);
}

static void check_proc_magic(struct tree *t)
{
    struct err e;
    cleanup_fd int proc = path_private_proc(&e);
    assert_true(proc >= 0);
    assert_int_equal(path_check_proc_root(proc, &e), 0);
    cleanup_fd int key = path_open_proc(proc, "sys/kernel/ostype", O_RDONLY, &e);
    assert_true(key >= 0);
    assert_int_equal(path_open_proc(proc, "self/status", O_RDONLY, &e), -ELOOP);
    assert_int_equal(path_check_proc_root(t->root, &e), -EINVAL);
    cleanup_fd int part = open("/proc/sys", O_PATH | O_CLOEXEC);
    assert_int_equal(path_check_proc_root(part, &e), -EINVAL);
}

/* CVE-2019-16884, CVE-2025-52881: what is read or written as procfs is procfs. */
static void cve_2025_52881_proc_is_proc(void **state)
{
    struct tree *t = *state;
    both_ways(t, check_proc_magic);
    sys.fsopen = enosys_fsopen;
    both_ways(t, check_proc_magic);
}

static void long_paths_fail_cleanly(void **state)
{
    struct tree *t = *state;
    struct err e;
    static char path[PATH_MAX * 2];
    memset(path, 'a', sizeof path - 1);
    sys.openat2 = enosys_openat2;
    assert_int_equal(path_open(t->root, path, O_PATH), -ENAMETOOLONG);
    path[NAME_MAX + 1] = 0;
    assert_int_equal(path_make(t->root, path, PATH_MAKE_FILE, PATH_FOLLOW_LINKS, &e), -ENAMETOOLONG);
    for (size_t i = 0; i + 2 < sizeof path; i += 2)
        path[i] = '.', path[i + 1] = '/';
    path[PATH_MAX - 2] = 0;
    cleanup_fd int fd = path_open(t->root, path, O_PATH);
    assert_true(fd >= 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(links_stay_inside),           TEST(cve_2024_21626_magic_links_are_refused),
        TEST(makes_what_is_missing),       TEST(cve_2024_45310_directories_are_made_inside),
        TEST(cve_2025_52881_proc_is_proc), TEST(long_paths_fail_cleanly),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
