/* What is remembered of a file, and when that may not be believed. */
#include "cache_test.h"
#include "engine/cache/fact.h"
#include "engine/cache/layer.h"
#include "engine/cache/memo.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

enum { BIG_BYTES = 200000 };

static struct cache_directory d;
static char file[300];

static int set_up_memo(void **state)
{
    struct err err;

    if (set_up(state) != 0 || cache_directory_open(&settings, false, &d, &err) != 0)
        return -1;
    snprintf(file, sizeof file, "%s/file", directory);
    return 0;
}

static int tear_down_memo(void **state)
{
    cache_directory_close(&d);
    return tear_down(state);
}

/* The file of our size full of BYTE, with times that are old. */
static void write_file(const char *path, uint8_t byte)
{
    const struct timespec old[2] = {{1000000000, 1}, {1000000000, 1}};
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct buf bytes = {0};

    memset(buf_extend(&bytes, BIG_BYTES), byte, BIG_BYTES);
    assert_int_equal(fd_write_all(fd, bytes.data, bytes.len), 0);
    assert_int_equal(futimens(fd, old), 0);
    buf_done(&bytes);
}

static void digest_of(uint8_t byte, uint8_t digest[DIGEST_BYTES])
{
    struct buf bytes = {0};

    memset(buf_extend(&bytes, BIG_BYTES), byte, BIG_BYTES);
    digest_bytes(bytes.data, bytes.len, digest);
    buf_done(&bytes);
}

/* A fact about PATH's present state that is not true: whether it is believed shows whether there was a look-up. */
static void plant(const char *path, uint8_t byte)
{
    char text[FACT_VALUE_BYTES];
    uint8_t digest[DIGEST_BYTES];
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    digest_of(byte, digest);
    digest_text(digest, text);
    fact_write(&d, FACT_DIGEST, &st, text);
}

/* The content that the memo takes PATH to have. */
static uint8_t believed(const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t digest[DIGEST_BYTES], other[DIGEST_BYTES];
    uint64_t size_bytes;
    struct err err;

    assert_true(fd >= 0);
    assert_int_equal(memo_digest(&d, fd, 0, digest, &size_bytes, &err), 0);
    assert_int_equal(size_bytes, BIG_BYTES);
    for (uint8_t byte = 'a'; byte <= 'z'; byte++) {
        digest_of(byte, other);
        if (memcmp(digest, other, sizeof digest) == 0)
            return byte;
    }
    return 0;
}

static bool is_remembered(const char *path)
{
    char value[FACT_VALUE_BYTES];
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return fact_read(&d, FACT_DIGEST, &st, value);
}

static bool on_local_disk(void)
{
    struct statfs fs;
    return statfs(directory, &fs) == 0 &&
           (fs.f_type == 0xEF53 || fs.f_type == 0x58465342 || fs.f_type == 0x9123683E || fs.f_type == 0x01021994);
}

static void test_fact(void **state)
{
    char value[FACT_VALUE_BYTES];
    struct stat st, other;

    write_file(file, 'a');
    assert_int_equal(stat(file, &st), 0);
    assert_false(fact_read(&d, "memo", &st, value));
    fact_write(&d, "memo", &st, "one");
    assert_true(fact_read(&d, "memo", &st, value));
    assert_string_equal(value, "one");
    assert_false(fact_read(&d, "body", &st, value));
    fact_write(&d, "memo", &st, "two");
    assert_true(fact_read(&d, "memo", &st, value));
    assert_string_equal(value, "two");
    for (int change = 0; change < 5; change++) {
        other = st;
        other.st_dev += change == 0;
        other.st_ino += change == 1 ? UINT64_C(1) << 40 : 0;
        other.st_size += change == 2;
        other.st_mtim.tv_nsec += change == 3;
        other.st_ctim.tv_nsec += change == 4;
        assert_false(fact_read(&d, "memo", &other, value));
    }
}

/* Another boot's fact about the very same file is none. */
static void test_other_boot(void **state)
{
    char name[300], text[300], value[FACT_VALUE_BYTES];
    struct stat st;
    DIR *memo;
    ssize_t len;

    write_file(file, 'a');
    assert_int_equal(stat(file, &st), 0);
    fact_write(&d, "memo", &st, "one");
    snprintf(name, sizeof name, "%s/memo", directory);
    memo = opendir(name);
    for (struct dirent *e; (e = readdir(memo)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        len = readlinkat(dirfd(memo), e->d_name, text, sizeof text - 1);
        assert_true(len > 0);
        text[len] = 0;
        text[0] = text[0] == '0' ? '1' : '0';
        assert_int_equal(unlinkat(dirfd(memo), e->d_name, 0), 0);
        assert_int_equal(symlinkat(text, dirfd(memo), e->d_name), 0);
    }
    closedir(memo);
    assert_false(fact_read(&d, "memo", &st, value));
}

static void test_memo(void **state)
{
    if (!on_local_disk())
        skip();
    write_file(file, 'a');
    assert_int_equal(believed(file), 'a');
    assert_false(is_remembered(file)); /* its ctime is of now */
    plant(file, 'b');
    assert_int_equal(believed(file), 'b'); /* looked up */
    write_file(file, 'c');
    assert_int_equal(believed(file), 'c'); /* size, mtime, inode as before: ctime is not */
}

/* Two seconds later it is remembered. The one test that waits. */
static void test_memo_is_written(void **state)
{
    if (!on_local_disk())
        skip();
    write_file(file, 'a');
    sleep(3);
    assert_int_equal(believed(file), 'a');
    assert_true(is_remembered(file));
    assert_int_equal(chmod(file, 0400), 0);
    assert_false(is_remembered(file));
}

/* A memo that is wrong costs a second look, and never runs anything else. */
static void test_wrong_memo(void **state)
{
    struct err err = {0};
    cleanup_fd int fd = -1, artifact = -1;
    uint8_t padding[BIG_BYTES + 4] = {0, 0xc0, 0x9a, 0x0c}; /* a custom section of so many bytes, with an empty name */
    bool was_cached;

    if (!on_local_disk())
        skip();
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, module_a, sizeof module_a), 0);
    assert_int_equal(fd_write_all(fd, padding, sizeof padding), 0);
    plant(file, 'x');
    assert_int_equal(cache_open_artifact(fd, &options, &settings, &artifact, &was_cached, &err), 0);
    assert_false(was_cached);
    assert_int_equal(count_files(""), 1);
}

/* In a mount namespace of its own: another file system, as a tenant's volume would be, is always hashed. */
static void in_private_mounts(void (*test)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(77);
        test();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define must(x) ((x) ? (void)0 : (void)(fprintf(stderr, "%d: %s\n", __LINE__, #x), _exit(1)))

static void other_file_system(void)
{
    char place[300], path[320];

    snprintf(place, sizeof place, "%s/place", directory);
    must(mkdir(place, 0700) == 0 && mount("volume", place, "tmpfs", 0, NULL) == 0);
    snprintf(path, sizeof path, "%s/file", place);
    write_file(path, 'a');
    plant(path, 'b');
    must(believed(path) == 'a');
}

static void test_other_file_system(void **state)
{
    if (geteuid() != 0)
        skip();
    in_private_mounts(other_file_system);
}

/* The layer's file is what counts on an overlay; one that was changed since in the upper layer is another. */
static void on_overlay(void)
{
    char place[300], options_text[1400], path[320], lower[320];
    const char *names[] = {"place", "place/one,x", "place/two:y", "place/up", "place/work", "place/merged"};
    struct stat st, layer;
    long magic;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(place, sizeof place, "%s/%s", directory, names[i]);
        must(mkdir(place, 0700) == 0);
    }
    snprintf(lower, sizeof lower, "%s/place/two:y/file", directory);
    write_file(lower, 'a');
    snprintf(options_text, sizeof options_text,
             "lowerdir=%s/place/one\\,x:%s/place/two\\:y,upperdir=%s/place/up,workdir=%s/place/work", directory,
             directory, directory, directory);
    snprintf(place, sizeof place, "%s/place/merged", directory);
    if (mount("overlay", place, "overlay", 0, options_text) != 0)
        _exit(77);
    snprintf(path, sizeof path, "%s/file", place);
    {
        cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
        must(fd >= 0 && fstat(fd, &st) == 0);
        must(layer_find(fd, &st, 0, &layer, &magic));
        must(layer_find(fd, &st, getpid(), &layer, &magic));
        must(stat(lower, &st) == 0 && layer.st_ino == st.st_ino && layer.st_dev == st.st_dev);
        plant(lower, 'b');
        must(believed(path) == 'b');
    }
    write_file(path, 'c'); /* copied up */
    must(believed(path) == 'c');
    must(unlink(path) == 0);
    write_file(path, 'd');
    must(believed(path) == 'd');
}

static void test_overlay(void **state)
{
    if (geteuid() != 0 || !on_local_disk())
        skip();
    in_private_mounts(on_overlay);
}

static void test_unusual_overlays(void **state)
{
    struct stat st, layer;
    char text[700], path[300];
    long magic;

    write_file(file, 'a');
    assert_int_equal(stat(file, &st), 0);
    snprintf(text, sizeof text, "ro,lowerdir=/nonexistent:%s", directory);
    assert_false(layer_search(text, "file", &st, &layer, &magic)); /* a layer that cannot be seen may hold it */
    snprintf(text, sizeof text, "ro,lowerdir=%s", directory);
    assert_true(layer_search(text, "file", &st, &layer, &magic));
    snprintf(text, sizeof text, "ro,lowerdir+=%s", directory);
    assert_true(layer_search(text, "file", &st, &layer, &magic));
    snprintf(text, sizeof text, "ro,lowerdir=%s,metacopy=on", directory);
    assert_false(layer_search(text, "file", &st, &layer, &magic));
    snprintf(text, sizeof text, "ro,lowerdir=%s,redirect_dir=on", directory);
    assert_false(layer_search(text, "file", &st, &layer, &magic));
    assert_false(layer_search("ro,lowerdir=l/ABC", "file", &st, &layer, &magic));
    snprintf(text, sizeof text, "lowerdir=%s", directory);
    assert_false(layer_search(text, "../file", &st, &layer, &magic));
    snprintf(path, sizeof path, "%s/link", directory);
    assert_int_equal(symlink("file", path), 0);
    assert_false(layer_search(text, "link", &st, &layer, &magic));
    st.st_mtim.tv_nsec++;
    assert_false(layer_search(text, "file", &st, &layer, &magic));
}

#define memo_test(f) cmocka_unit_test_setup_teardown(f, set_up_memo, tear_down_memo)

int main(void)
{
    const struct CMUnitTest tests[] = {
        memo_test(test_fact),       memo_test(test_other_boot),
        memo_test(test_memo),       memo_test(test_memo_is_written),
        memo_test(test_wrong_memo), memo_test(test_other_file_system),
        memo_test(test_overlay),    memo_test(test_unusual_overlays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
