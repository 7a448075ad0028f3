/* Artifacts that are not as we made them: never run, never a crash, made anew. */
#include "cache_test.h"
#include "engine/cache/entry.h"
#include "engine/gen/artifact.h"
#include <sched.h>

static char path[512];

static void make_one(void)
{
    assert_false(is_cached(module_a, sizeof module_a));
    find_entry(path, sizeof path, NULL);
}

static void expect_made_anew(void)
{
    struct stat st;

    assert_false(is_cached(module_a, sizeof module_a));
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_uid, geteuid());
    assert_true(is_cached(module_a, sizeof module_a));
}

/* The cache's own view of the file at PATH, without making anything. */
static int open_only(void)
{
    struct cache_directory d;
    struct cache_entry e = {.directory = &d, .options = engine_options_resolved(&options), .kept_private = true};
    struct err err = {0};
    int fd = -1, status;

    assert_int_equal(cache_directory_open(&settings, false, &d, &err), 0);
    digest_bytes(module_a, sizeof module_a, e.key);
    entry_name(&e);
    assert_string_equal(e.name, strrchr(path, '/') + 1);
    status = entry_open(&e, &fd, &err);
    assert_true(status == 0 || err.text[0] != 0);
    fd_close(&fd);
    cache_directory_close(&d);
    return status;
}

/* Writable to its owner for as long as the test writes: an ordinary user cannot write 0400 either. */
static void write_at(off_t at, const void *bytes, size_t len)
{
    int fd;

    assert_int_equal(chmod(path, 0600), 0);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
    assert_int_equal(chmod(path, 0400), 0);
}

static uint8_t *read_all(size_t *len)
{
    struct buf bytes = {0};
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(fd_read_to_end(fd, &bytes, 1 << 24), 0);
    *len = bytes.len;
    return bytes.data;
}

static void test_every_byte(void **state)
{
    size_t len;
    uint8_t *bytes;

    make_one();
    bytes = read_all(&len);
    assert_int_equal(open_only(), 0);
    for (size_t at = 0; at < len; at++) {
        uint8_t flipped = bytes[at] ^ (uint8_t)(1u << (at % 8));
        write_at((off_t)at, &flipped, 1);
        forget_facts("body");
        if (open_only() != -ESTALE)
            fail_msg("byte %zu flipped and not noticed", at);
        write_at((off_t)at, &bytes[at], 1);
    }
    forget_facts("body");
    assert_int_equal(open_only(), 0);
    for (size_t at = 0; at < len; at += 1013) { /* through the whole road */
        uint8_t flipped = bytes[at] ^ 0x10;
        write_at((off_t)at, &flipped, 1);
        forget_facts("body");
        expect_made_anew();
    }
    free(bytes);
}

static void test_truncated_at_every_page(void **state)
{
    struct stat st;

    make_one();
    assert_int_equal(stat(path, &st), 0);
    for (off_t len = 0; len < st.st_size; len += 4096) {
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(chmod(path, 0400), 0);
        expect_made_anew();
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, st.st_size + 4096), 0);
    assert_int_equal(chmod(path, 0400), 0);
    expect_made_anew();
}

static void test_other_modules(void **state)
{
    char b[512];

    make_one();
    assert_false(is_cached(module_b, sizeof module_b));
    find_entry(b, sizeof b, path);
    assert_int_equal(rename(b, path), 0);
    expect_made_anew();
    assert_false(is_cached(module_b, sizeof module_b));
}

/* Changes the header and makes its checksum right again, as a foreign wherry would have written it. */
static void change_header(void (*change)(struct artifact_header *header))
{
    union artifact_page page;
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(pread(fd, &page, sizeof page, 0), sizeof page);
    change(&page.header);
    page.header.checksum = artifact_header_checksum(&page.header);
    write_at(0, &page, sizeof page);
}

static void other_cpu(struct artifact_header *h)
{
    h->cpu_features |= 1u << 31;
}

static void other_architecture(struct artifact_header *h)
{
    h->architecture = ARTIFACT_AARCH64;
}

static void other_build(struct artifact_header *h)
{
    h->build_id[0] ^= 1;
}

static void other_options(struct artifact_header *h)
{
    h->explicit_bounds_checks ^= 1;
}

static void other_format(struct artifact_header *h)
{
    h->format++;
}

static void test_foreign(void **state)
{
    void (*const changes[])(struct artifact_header *) = {other_cpu, other_architecture, other_build, other_options,
                                                         other_format};

    make_one();
    for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        change_header(changes[i]);
        expect_made_anew();
    }
}

static void test_symbolic_link(void **state)
{
    char moved[600];

    make_one();
    snprintf(moved, sizeof moved, "%s.moved", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0); /* even to an artifact that fits */
    expect_made_anew();
}

static void test_hard_link(void **state)
{
    char second[600];

    make_one();
    snprintf(second, sizeof second, "%s.second", path);
    assert_int_equal(link(path, second), 0);
    expect_made_anew();
}

static void test_modes(void **state)
{
    const mode_t modes[] = {0402, 0666, 0600, 0404, 04400, 0500};

    make_one();
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        expect_made_anew();
    }
}

static void test_other_owner(void **state)
{
    if (geteuid() != 0)
        skip();
    make_one();
    assert_int_equal(chown(path, 12345, 12345), 0);
    expect_made_anew();
}

static void test_no_regular_file(void **state)
{
    make_one();
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0400), 0); /* and nobody waits for a writer */
    expect_made_anew();
}

/* While others replace and damage it, every start gets the whole of one artifact or makes its own. */
static void test_replaced_while_starting(void **state)
{
    pid_t pid;
    size_t len;
    uint8_t *bytes;

    make_one();
    bytes = read_all(&len);
    pid = fork();
    if (pid == 0) {
        char temporary[600];
        snprintf(temporary, sizeof temporary, "%s.replaced", path);
        for (unsigned i = 0;; i++) {
            int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
            bytes[4096 + i % (len - 4096)] ^= 0xff; /* every second one is as it should be */
            if (fd_write_all(fd, bytes, i % 3 == 0 ? len / 2 : len) != 0 || rename(temporary, path) != 0)
                _exit(1);
            bytes[4096 + i % (len - 4096)] ^= i % 2 != 0 ? 0xff : 0;
            close(fd);
            sched_yield();
        }
    }
    for (int i = 0; i < 200; i++) {
        int fd = open_artifact(module_a, sizeof module_a, NULL);
        struct buf got = {0};
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(fd_read_to_end(fd, &got, 1 << 24), 0);
        assert_int_equal(got.len, len);
        assert_int_equal(((struct artifact_header *)got.data)->body_digest, artifact_body_digest(got.data, got.len));
        buf_done(&got);
        close(fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_every_byte),      cache_test(test_truncated_at_every_page),
        cache_test(test_other_modules),   cache_test(test_foreign),
        cache_test(test_symbolic_link),   cache_test(test_hard_link),
        cache_test(test_modes),           cache_test(test_other_owner),
        cache_test(test_no_regular_file), cache_test(test_replaced_while_starting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
