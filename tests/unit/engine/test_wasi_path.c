/* What a path can reach, and what it cannot: hops between grants, links, and the attacks, each with openat2 and with
 * the walk that stands in for it. */
#include "tests/unit/engine/wasi_guest.h"
#include <sys/sysmacros.h>

/* The guest's tree: "/" and "/data" (read-only "/ro"), a file at "/etc/hosts", devices at "/dev" with one file, hidden
 * "/proc" (an ordinary directory here, so that not its file system protects it). Preopens: 3 "/", 4 "/data", 5 "/ro",
 * 6 "/dev". */
enum { ROOT = 3, DATA, RO, DEV };

static struct grant_path paths[7];
static struct grant grant;

static void make_tree(void)
{
    tree_make();
    tree_directory("root");
    tree_directory("root/etc");
    tree_file("root/etc/passwd", "root's passwd");
    tree_file("root/etc/hosts", "the image's hosts");
    tree_directory("root/data");
    tree_file("root/data/file", "below the volume");
    tree_directory("root/ro");
    tree_directory("root/dev");
    tree_file("root/dev/mem", "no device");
    tree_directory("root/proc");
    tree_file("root/proc/secret", "hidden");
    tree_directory("root/a");
    tree_directory("root/a/b");
    tree_file("root/a/b/file", "deep");
    tree_link("/etc/passwd", "root/absolute");
    tree_link("../../../../etc/passwd", "root/a/over-the-top");
    tree_link("data/file", "root/into-data");
    tree_link("/data/file", "root/into-data-absolute");
    tree_link("data/../etc/passwd", "root/through-data");
    tree_link("proc/secret", "root/into-proc");
    tree_link("a/b", "root/to-b");
    tree_link("a/b/", "root/to-b-slash");
    tree_link("loop", "root/loop");
    tree_link("loop-b", "root/loop-a");
    tree_link("loop-a", "root/loop-b");
    tree_link("nowhere", "root/dangling");
    tree_directory("data");
    tree_file("data/file", "in the volume");
    tree_directory("data/sub");
    tree_file("data/sub/inner", "inner");
    tree_link("../etc/passwd", "data/out");
    tree_link("../../etc/passwd", "data/sub/out");
    tree_link("/etc/passwd", "data/absolute");
    tree_link("/data/file", "data/absolute-inside");
    tree_link("/data/../etc/passwd", "data/absolute-and-out");
    tree_link("../file", "data/sub/up");
    tree_link("sub/up", "data/twice");
    tree_link("..", "data/parent");
    tree_directory("ro");
    tree_file("ro/file", "read-only");
    tree_directory("ro/sub");
    tree_file("hosts", "the pod's hosts");
    tree_file("log", "");
}

static int setup(void **state)
{
    make_tree();
    paths[0] = (struct grant_path){GRANT_DIRECTORY, "/", NULL, tree_open("root"), true};
    paths[1] = (struct grant_path){GRANT_DIRECTORY, "/data", NULL, tree_open("data"), true};
    paths[2] = (struct grant_path){GRANT_DIRECTORY, "/ro", NULL, tree_open("ro"), false};
    paths[3] = (struct grant_path){GRANT_FILE, "/etc/hosts", NULL, tree_open("hosts"), false};
    paths[4] = (struct grant_path){GRANT_DEVICES, "/dev", NULL, -1, true};
    paths[5] = (struct grant_path){GRANT_FILE, "/dev/termination-log", NULL, tree_open("log"), true};
    paths[6] = (struct grant_path){GRANT_HIDDEN, "/proc", NULL, -1, false};
    grant = (struct grant){.paths = paths, .path_count = 7};
    assert_int_equal(wasi_context_new(&grant, &guest_context, NULL), 0);
    return 0;
}

static int setup_without_openat2(void **state)
{
    setup(state);
    guest_context->root.has_openat2 = false;
    return 0;
}

static int teardown(void **state)
{
    wasi_context_free(guest_context);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i].fd >= 0)
            close(paths[i].fd);
    tree_remove();
    return 0;
}

static void reads(unsigned dir, const char *path, const char *content)
{
    const char *got = guest_content(dir, path);
    if (strcmp(got, content) != 0)
        fail_msg("%s from %u: expected \"%s\", got \"%s\"", path, dir, content, got);
}

static void fails(unsigned dir, const char *path, enum wasi_errno error)
{
    unsigned fd;
    enum wasi_errno got = guest_open(dir, path, 0, RIGHTS_READ, 0, &fd);
    if (got != error)
        fail_msg("%s from %u: expected errno %d, got %d", path, dir, (int)error, (int)got);
}

static enum wasi_errno status(unsigned dir, const char *path, unsigned lookup)
{
    return guest_call("path_filestat_get", dir, lookup, TEXT(path), (unsigned)GUEST_RESULT);
}

static void plain_paths(void **state)
{
    reads(ROOT, "etc/passwd", "root's passwd");
    reads(ROOT, "./etc//passwd", "root's passwd");
    reads(ROOT, "a/b/../../etc/passwd", "root's passwd");
    reads(ROOT, "to-b/file", "deep");
    reads(ROOT, "to-b-slash/file", "deep");
    reads(ROOT, "to-b/../../etc/passwd", "root's passwd"); /* a/b/../.. is the root: not lexical */
    reads(DATA, "sub/inner", "inner");
    fails(ROOT, "etc/missing", WASI_NOENT);
    fails(ROOT, "etc/passwd/", WASI_NOTDIR);
    fails(ROOT, "etc/passwd/x", WASI_NOTDIR);
    fails(ROOT, "missing/..", WASI_NOENT);
    fails(ROOT, "dangling", WASI_NOENT);
}

static void nothing_leaves_its_base(void **state)
{
    unsigned sub;

    fails(ROOT, "/etc/passwd", WASI_PERM);
    fails(ROOT, "..", WASI_PERM);
    fails(ROOT, "../hosts", WASI_PERM);
    fails(ROOT, "a/../../hosts", WASI_PERM);
    fails(DATA, "..", WASI_PERM);
    fails(DATA, "../etc/passwd", WASI_PERM);
    fails(DATA, "sub/../../etc/passwd", WASI_PERM);
    fails(DATA, "out", WASI_PERM);
    fails(DATA, "sub/out", WASI_PERM);
    fails(DATA, "parent", WASI_PERM);
    fails(DATA, "parent/etc/passwd", WASI_PERM);
    assert_int_equal(guest_open(ROOT, "a/b", WASI_OFLAG_DIRECTORY, 0, 0, &sub), WASI_SUCCESS);
    reads(sub, "file", "deep");
    fails(sub, "../b/file", WASI_PERM);
}

static void links_below_the_root_grant(void **state)
{
    reads(ROOT, "absolute", "root's passwd");
    reads(ROOT, "a/over-the-top", "root's passwd"); /* ".." at the root is the root, for a link */
    reads(ROOT, "into-data", "in the volume");
    reads(ROOT, "into-data-absolute", "in the volume");
    reads(ROOT, "through-data", "root's passwd");
}

static void links_in_a_volume(void **state)
{
    reads(DATA, "sub/up", "in the volume");
    reads(DATA, "twice", "in the volume");
    reads(DATA, "absolute-inside", "in the volume");
    fails(DATA, "absolute", WASI_PERM);
    fails(DATA, "absolute-and-out", WASI_PERM);
    /* the same reached from above: a link may not leave the volume it lies in */
    reads(ROOT, "data/twice", "in the volume");
    reads(ROOT, "data/absolute-inside", "in the volume");
    fails(ROOT, "data/out", WASI_PERM);
    fails(ROOT, "data/sub/out", WASI_PERM);
    fails(ROOT, "data/absolute", WASI_PERM);
    fails(ROOT, "data/absolute-and-out", WASI_PERM);
    fails(ROOT, "data/parent/etc/passwd", WASI_PERM);
}

static void link_loops(void **state)
{
    fails(ROOT, "loop", WASI_LOOP);
    fails(ROOT, "loop-a", WASI_LOOP);
    fails(ROOT, "loop-a/x", WASI_LOOP);
}

static void hops(void **state)
{
    unsigned directory;

    reads(ROOT, "data/file", "in the volume");
    reads(ROOT, "data/sub/inner", "inner");
    reads(ROOT, "data/../etc/passwd", "root's passwd");
    reads(ROOT, "data/sub/../../ro/file", "read-only");
    reads(ROOT, "a/../data/file", "in the volume");
    reads(ROOT, "etc/hosts", "the pod's hosts");
    fails(ROOT, "etc/hosts/", WASI_NOTDIR);
    fails(ROOT, "etc/hosts/x", WASI_NOTDIR);
    /* a directory that the guest opened still knows what lies below it */
    assert_int_equal(guest_open(ROOT, "etc", WASI_OFLAG_DIRECTORY, 0, 0, &directory), WASI_SUCCESS);
    reads(directory, "hosts", "the pod's hosts");
    reads(directory, "passwd", "root's passwd");
    assert_int_equal(guest_open(ROOT, "data/.", WASI_OFLAG_DIRECTORY, 0, 0, &directory), WASI_SUCCESS);
    reads(directory, "file", "in the volume");
    fails(directory, "../etc/passwd", WASI_PERM);
}

static void hidden_places(void **state)
{
    unsigned fd;

    fails(ROOT, "proc", WASI_PERM);
    fails(ROOT, "proc/", WASI_PERM);
    fails(ROOT, "proc/secret", WASI_PERM);
    fails(ROOT, "a/../proc/secret", WASI_PERM);
    fails(ROOT, "into-proc", WASI_PERM);
    assert_int_equal(status(ROOT, "proc", 0), WASI_PERM);
    assert_int_equal(status(ROOT, "proc/secret", 0), WASI_PERM);
    assert_int_equal(guest_open(ROOT, "proc/new", WASI_OFLAG_CREAT, RIGHTS_WRITE, 0, &fd), WASI_PERM);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("proc"), (unsigned)ROOT, TEXT("visible")),
                     WASI_PERM);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)ROOT, TEXT("proc/secret")), WASI_PERM);
}

static void places_are_busy(void **state)
{
    assert_int_equal(guest_call("path_remove_directory", (unsigned)ROOT, TEXT("data")), WASI_BUSY);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("data"), (unsigned)ROOT, TEXT("moved")), WASI_BUSY);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("a/b/file"), (unsigned)ROOT, TEXT("etc/hosts")),
                     WASI_BUSY);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)ROOT, TEXT("etc/hosts")), WASI_BUSY);
    assert_int_equal(guest_call("path_create_directory", (unsigned)ROOT, TEXT("data")), WASI_EXIST);
    assert_int_equal(guest_call("path_symlink", TEXT("x"), (unsigned)ROOT, TEXT("etc/hosts")), WASI_EXIST);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("a/b/file"), (unsigned)DATA, TEXT("moved")),
                     WASI_XDEV);
    assert_int_equal(guest_call("path_link", (unsigned)ROOT, 0u, TEXT("a/b/file"), (unsigned)ROOT, TEXT("data/linked")),
                     WASI_XDEV);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("data/file"), (unsigned)DATA, TEXT("moved")),
                     WASI_SUCCESS);
    reads(DATA, "moved", "in the volume");
}

static void device_directory(void **state)
{
    unsigned fd;

    fails(ROOT, "dev/mem", WASI_NOENT);
    fails(DEV, "mem", WASI_NOENT);
    fails(DEV, "null/", WASI_NOTDIR);
    fails(DEV, "../etc/passwd", WASI_PERM);
    reads(ROOT, "dev/null", "");
    reads(DEV, "null", "");
    assert_int_equal(guest_open(DEV, "full", 0, RIGHTS_WRITE, 0, &fd), WASI_SUCCESS);
    assert_int_equal(guest_write(fd, "x"), WASI_NOSPC);
    assert_int_equal(guest_open(ROOT, "dev/zero", 0, RIGHTS_READ, 0, &fd), WASI_SUCCESS);
    guest_memory[GUEST_DATA] = 1;
    guest_read(fd);
    assert_int_equal(guest_memory[GUEST_DATA], 0);
    assert_int_equal(guest_open(DEV, "new", WASI_OFLAG_CREAT, RIGHTS_WRITE, 0, &fd), WASI_ROFS);
    assert_int_equal(guest_call("path_create_directory", (unsigned)DEV, TEXT("new")), WASI_ROFS);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)DEV, TEXT("null")), WASI_BUSY);
    assert_int_equal(guest_open(ROOT, "dev/termination-log", 0, RIGHTS_WRITE, 0, &fd), WASI_SUCCESS);
    assert_int_equal(guest_write(fd, "last words"), WASI_SUCCESS);
    reads(DEV, "termination-log", "last words");
    assert_int_equal(guest_open(DEV, "termination-log", WASI_OFLAG_TRUNC, RIGHTS_WRITE, 0, &fd), WASI_SUCCESS);
    reads(ROOT, "dev/termination-log", "");
    assert_int_equal(status(DEV, "random", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_CHARACTER_DEVICE);
    assert_int_equal(status(ROOT, "dev", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_DIRECTORY);
}

/* Every call that changes something, in a read-only place. */
static void read_only_places(void **state)
{
    unsigned fd;

    reads(RO, "file", "read-only");
    reads(ROOT, "etc/hosts", "the pod's hosts");
    for (unsigned from = 0; from < 2; from++) {
        unsigned dir = from == 0 ? RO : ROOT;
        const char *file = from == 0 ? "file" : "ro/file", *made = from == 0 ? "new" : "ro/new";
        assert_int_equal(guest_open(dir, file, 0, RIGHTS_WRITE, 0, &fd), WASI_ROFS);
        assert_int_equal(guest_open(dir, file, WASI_OFLAG_TRUNC, RIGHTS_READ, 0, &fd), WASI_ROFS);
        assert_int_equal(guest_open(dir, made, WASI_OFLAG_CREAT, RIGHTS_READ, 0, &fd), WASI_ROFS);
        assert_int_equal(guest_open(dir, file, WASI_OFLAG_CREAT, RIGHTS_READ, 0, &fd), WASI_SUCCESS);
        assert_int_equal(guest_open(dir, file, WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, RIGHTS_READ, 0, &fd), WASI_EXIST);
        assert_int_equal(guest_call("path_create_directory", dir, TEXT(made)), WASI_ROFS);
        assert_int_equal(guest_call("path_remove_directory", dir, TEXT(file)), WASI_ROFS);
        assert_int_equal(guest_call("path_unlink_file", dir, TEXT(file)), WASI_ROFS);
        assert_int_equal(guest_call("path_symlink", TEXT("x"), dir, TEXT(made)), WASI_ROFS);
        assert_int_equal(guest_call("path_rename", dir, TEXT(file), dir, TEXT(made)), WASI_ROFS);
        assert_int_equal(guest_call("path_link", dir, 0u, TEXT(file), dir, TEXT(made)), WASI_ROFS);
        assert_int_equal(guest_call("path_filestat_set_times", dir, 0u, TEXT(file), (uint64_t)0, (uint64_t)0,
                                    (unsigned)WASI_FST_MTIM_NOW),
                         WASI_ROFS);
    }
    assert_int_equal(guest_open(RO, "file", 0, RIGHTS_READ, 0, &fd), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_filestat_set_times", fd, (uint64_t)0, (uint64_t)0, (unsigned)WASI_FST_MTIM_NOW),
                     WASI_ROFS);
    assert_int_equal(guest_call("fd_filestat_set_size", fd, (uint64_t)0), WASI_ROFS);
    assert_int_equal(guest_open(ROOT, "etc/hosts", 0, RIGHTS_WRITE, 0, &fd), WASI_ROFS);
    assert_int_equal(guest_open(RO, "sub", 0, RIGHTS_WRITE, 0, &fd), WASI_ISDIR);
    assert_int_equal(guest_open(RO, "missing", 0, RIGHTS_WRITE, 0, &fd), WASI_NOENT);
}

static void trailing_slashes(void **state)
{
    unsigned fd;

    assert_int_equal(guest_call("path_create_directory", (unsigned)ROOT, TEXT("new/")), WASI_SUCCESS);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)ROOT, TEXT("new/")), WASI_ISDIR);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("new/"), (unsigned)ROOT, TEXT("newer/")),
                     WASI_SUCCESS);
    assert_int_equal(guest_call("path_remove_directory", (unsigned)ROOT, TEXT("newer/")), WASI_SUCCESS);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)ROOT, TEXT("etc/passwd/")), WASI_NOTDIR);
    assert_int_equal(guest_call("path_remove_directory", (unsigned)ROOT, TEXT("to-b/")), WASI_NOTDIR);
    assert_int_equal(guest_call("path_rename", (unsigned)ROOT, TEXT("etc/passwd/"), (unsigned)ROOT, TEXT("x")),
                     WASI_NOTDIR);
    assert_int_equal(guest_open(ROOT, "new/", WASI_OFLAG_CREAT, RIGHTS_WRITE, 0, &fd), WASI_ISDIR);
    /* a slash makes a link followed even where it would not be */
    assert_int_equal(status(ROOT, "to-b", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_SYMBOLIC_LINK);
    assert_int_equal(status(ROOT, "to-b/", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_DIRECTORY);
    assert_int_equal(status(ROOT, "absolute/", 0), WASI_NOTDIR);
    assert_int_equal(status(ROOT, "dangling/", 0), WASI_NOENT);
}

/* What follows the last link and what means it. */
static void last_links(void **state)
{
    unsigned fd;

    assert_int_equal(guest_call("path_open", (unsigned)ROOT, 0u, TEXT("to-b"), 0u, (uint64_t)0, (uint64_t)0, 0u,
                                (unsigned)GUEST_RESULT),
                     WASI_LOOP);
    assert_int_equal(guest_open(ROOT, "dangling", WASI_OFLAG_CREAT, RIGHTS_WRITE, 0, &fd), WASI_SUCCESS);
    assert_int_equal(access(tree_path("root/nowhere"), F_OK), 0);
    assert_int_equal(guest_open(ROOT, "absolute", WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, RIGHTS_WRITE, 0, &fd),
                     WASI_EXIST);
    assert_int_equal(
        guest_call("path_readlink", (unsigned)ROOT, TEXT("absolute"), (unsigned)GUEST_DATA, 4u, (unsigned)GUEST_RESULT),
        WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 4);
    assert_memory_equal(guest_memory + GUEST_DATA, "/etc", 4);
    assert_int_equal(guest_call("path_readlink", (unsigned)ROOT, TEXT("etc/passwd"), (unsigned)GUEST_DATA, 4u,
                                (unsigned)GUEST_RESULT),
                     WASI_INVAL);
    assert_int_equal(guest_call("path_symlink", TEXT("/etc/passwd"), (unsigned)ROOT, TEXT("made")), WASI_PERM);
    assert_int_equal(guest_call("path_symlink", TEXT("../a"), (unsigned)ROOT, TEXT("etc/made")), WASI_SUCCESS);
    reads(ROOT, "etc/made/b/file", "deep");
    assert_int_equal(guest_call("path_link", (unsigned)ROOT, 0u, TEXT("absolute"), (unsigned)ROOT, TEXT("link")),
                     WASI_SUCCESS);
    assert_int_equal(status(ROOT, "link", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_SYMBOLIC_LINK);
    assert_int_equal(guest_call("path_link", (unsigned)ROOT, 1u, TEXT("absolute"), (unsigned)ROOT, TEXT("file")),
                     WASI_SUCCESS);
    assert_int_equal(status(ROOT, "file", 0), WASI_SUCCESS);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], WASI_FILETYPE_REGULAR_FILE);
    assert_int_equal(guest_call("path_unlink_file", (unsigned)ROOT, TEXT("link")), WASI_SUCCESS);
    assert_int_equal(access(tree_path("root/etc/passwd"), F_OK), 0);
}

static void odd_paths(void **state)
{
    char longest[5000];

    assert_int_equal(
        guest_call("path_filestat_get", (unsigned)ROOT, 0u, (unsigned)GUEST_TEXT, 0u, (unsigned)GUEST_RESULT),
        WASI_NOENT);
    memcpy(guest_memory + GUEST_TEXT, "a\0b", 3);
    assert_int_equal(
        guest_call("path_filestat_get", (unsigned)ROOT, 0u, (unsigned)GUEST_TEXT, 3u, (unsigned)GUEST_RESULT),
        WASI_INVAL);
    assert_int_equal(guest_call("path_filestat_get", (unsigned)ROOT, 0u, (unsigned)GUEST_MEMORY_BYTES - 1, 2u,
                                (unsigned)GUEST_RESULT),
                     WASI_FAULT);
    assert_int_equal(
        guest_call("path_filestat_get", (unsigned)ROOT, 0u, 0xffffffffu, 0xffffffffu, (unsigned)GUEST_RESULT),
        WASI_FAULT);
    memset(longest, 'x', sizeof longest);
    longest[300] = 0;
    fails(ROOT, longest, WASI_NAMETOOLONG);
    longest[300] = 'x';
    longest[4999] = 0;
    fails(ROOT, longest, WASI_NAMETOOLONG);
    for (int i = 0; i < 4998; i += 2)
        memcpy(longest + i, "./", 2);
    longest[4000] = 0;
    memcpy(longest + 3990, "etc/passwd", 10);
    reads(ROOT, longest, "root's passwd");
    fails(0, "etc", WASI_NOTDIR);
    fails(99, "etc", WASI_BADF);
    assert_int_equal(status(ROOT, ".", 0), WASI_SUCCESS);
    assert_int_equal(guest_call("path_remove_directory", (unsigned)ROOT, TEXT(".")), WASI_INVAL);
    assert_int_equal(guest_call("path_create_directory", (unsigned)ROOT, TEXT("a/..")), WASI_EXIST);
}

/* --- the walk against the kernel --------------------------------------------------------------------------------------- */

/* A path of up to 7 components from those of the tree, some of them links of every kind; the same for the same SEED. */
static void random_path(unsigned *seed, char *out, size_t size)
{
    static const char *const names[] = {
        "a",       "b",      "file",       "..",           ".",        "etc", "passwd",  "to-b", "loop",
        "missing", "loop-a", "to-b-slash", "over-the-top", "absolute", "",    "dangling"};
    size_t used = 0;

    for (int left = 1 + rand_r(seed) % 7; left > 0; left--)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used != 0 ? "/" : "",
                                 names[(size_t)rand_r(seed) % (sizeof names / sizeof *names)]);
    if (rand_r(seed) % 4 == 0)
        snprintf(out + used, size - used, "/");
}

/* What PATH is: an inode's number, or a negative errno. */
static long long identity(const struct fsroot *root, const struct fs_directory *base, const char *path, int flags)
{
    struct fs_opened opened;
    int ret = fsroot_open(root, base, path, O_PATH | flags, &opened);

    if (ret < 0)
        return ret;
    close(opened.fd);
    free(opened.guest_path);
    return (long long)opened.st.st_ino;
}

/* A volume without places below: the kernel resolves it in one call. The walk must come to the same end, success or error.
 * (What the kernel refuses as a loop or as leaving the volume is the walk's to answer either way.) */
static void walk_agrees_with_the_kernel(void **state)
{
    struct grant_path only = {GRANT_DIRECTORY, "/volume", NULL, paths[0].fd, true};
    struct grant alone = {.paths = &only, .path_count = 1};
    struct fsroot kernel, hand;
    unsigned seed = 1, found = 0;

    fsroot_init(&kernel, &alone);
    fsroot_init(&hand, &alone);
    hand.has_openat2 = false;
    if (!kernel.has_openat2)
        skip();
    for (int i = 0; i < 20000; i++) {
        struct fs_directory by_kernel = {&kernel.places[0], only.fd, "/volume"},
                            by_hand = {&hand.places[0], only.fd, "/volume"};
        int flags = i % 2 == 0 ? O_NOFOLLOW : 0;
        char path[256];
        long long a, b;
        random_path(&seed, path, sizeof path);
        a = identity(&kernel, &by_kernel, path, flags);
        b = identity(&hand, &by_hand, path, flags);
        if (a != b)
            fail_msg("%s%s: the kernel's way gives %lld, the walk %lld", path, flags != 0 ? " (nofollow)" : "", a, b);
        found += a > 0;
    }
    assert_in_range(found, 1000, 19000); /* the paths are neither all good nor all bad */
    fsroot_done(&kernel);
    fsroot_done(&hand);
}

/* Whatever the guest asks for with hops between places: nothing outside the granted trees is ever reached. */
static void random_paths_stay_inside(void **state)
{
    static const char *const bases[] = {"/", "/data", "/ro"};
    struct stat outside;

    assert_int_equal(stat(tree, &outside), 0);
    tree_link("../../../../../../../../../../tmp", "root/a/far-out");
    for (unsigned seed = 1, i = 0; i < 6000; i++) {
        char path[256], full[300];
        unsigned base = i % 3;
        struct fs_directory directory = {fsroot_place_at(&guest_context->root, base == 0 ? "" : bases[base]),
                                         paths[base].fd, base == 0 ? "" : bases[base]};
        struct fs_opened opened;
        random_path(&seed, path, sizeof path);
        snprintf(full, sizeof full, "%s/%s", i % 5 == 0 ? "data/.." : i % 5 == 1 ? "a/far-out" : ".", path);
        if (fsroot_open(&guest_context->root, &directory, full, O_PATH, &opened) < 0)
            continue;
        if (opened.st.st_ino == outside.st_ino && opened.st.st_dev == outside.st_dev)
            fail_msg("%s from %s is the directory around the grants", full, bases[base]);
        close(opened.fd);
        free(opened.guest_path);
    }
}

#define BOTH_WAYS(test)                                                                                                \
    {#test, test, setup, teardown, NULL},                                                                              \
    {                                                                                                                  \
#test " without openat2", test, setup_without_openat2, teardown, NULL                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(plain_paths),
        BOTH_WAYS(nothing_leaves_its_base),
        BOTH_WAYS(links_below_the_root_grant),
        BOTH_WAYS(links_in_a_volume),
        BOTH_WAYS(link_loops),
        BOTH_WAYS(hops),
        BOTH_WAYS(hidden_places),
        BOTH_WAYS(places_are_busy),
        BOTH_WAYS(device_directory),
        BOTH_WAYS(read_only_places),
        BOTH_WAYS(trailing_slashes),
        BOTH_WAYS(last_links),
        BOTH_WAYS(odd_paths),
        cmocka_unit_test_setup_teardown(walk_agrees_with_the_kernel, setup, teardown),
        BOTH_WAYS(random_paths_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
