/* The flat form of a grant: what goes in comes out, and no damaged block is taken or read past its end. */
#include "wherry/grant.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *const args[] = {"hello", "", "three words here"};
static const char *const environment[] = {"NAME=wherry", "EMPTY="};
static const struct grant_path paths[] = {
    {GRANT_DIRECTORY, "/", NULL, 5, true},      {GRANT_DIRECTORY, "/data", "", 6, false},
    {GRANT_FILE, "/etc/hosts", NULL, 7, false}, {GRANT_DEVICES, "/dev", "dev", -1, true},
    {GRANT_HIDDEN, "/proc", NULL, -1, false},
};
static const struct grant_socket sockets[] = {{8, "http"}};

static const struct grant full = {
    .module_name = "hello.wasm",
    .args = args,
    .arg_count = 3,
    .environment = environment,
    .environment_count = 2,
    .paths = paths,
    .path_count = 5,
    .sockets = sockets,
    .socket_count = 1,
    .working_directory = "/data",
    .network = true,
    .memory_max_bytes = 1ull << 33,
    .stack_bytes = 1 << 20,
    .reason_fd = 9,
};

static void same_string(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL)
        assert_string_equal(a, b);
}

static void round_trip(void **state)
{
    struct buf block = {0};
    struct grant got;
    struct err err;

    grant_encode(&full, &block);
    assert_int_equal(grant_decode(block.data, block.len, &got, &err), 0);
    same_string(got.module_name, "hello.wasm");
    same_string(got.working_directory, "/data");
    assert_int_equal(got.arg_count, 3);
    for (int i = 0; i < 3; i++)
        same_string(got.args[i], args[i]);
    assert_int_equal(got.environment_count, 2);
    assert_int_equal(got.reason_fd, 9);
    same_string(got.environment[1], "EMPTY=");
    assert_int_equal(got.path_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(got.paths[i].kind, paths[i].kind);
        same_string(got.paths[i].guest_path, paths[i].guest_path);
        same_string(got.paths[i].preopen_name, paths[i].preopen_name);
        assert_int_equal(got.paths[i].fd, paths[i].fd);
        assert_int_equal(got.paths[i].writable, paths[i].writable);
    }
    assert_int_equal(got.socket_count, 1);
    assert_int_equal(got.sockets[0].fd, 8);
    assert_true(got.network);
    assert_true(got.memory_max_bytes == full.memory_max_bytes && got.stack_bytes == full.stack_bytes);
    grant_decoded_free(&got);
    buf_done(&block);
    (void)state;
}

static void empty_grant(void **state)
{
    struct grant none = {0}, got;
    struct buf block = {0};

    grant_encode(&none, &block);
    assert_int_equal(grant_decode(block.data, block.len, &got, NULL), 0);
    assert_int_equal(got.arg_count + got.environment_count + got.path_count + got.socket_count, 0);
    assert_null(got.module_name);
    grant_decoded_free(&got);
    buf_done(&block);
    (void)state;
}

/* Each shorter block is refused; each copy lies at the end of its own allocation, so that a sanitizer sees a read
 * beyond. */
static void every_truncation_is_refused(void **state)
{
    struct buf block = {0};

    grant_encode(&full, &block);
    for (size_t len = 0; len < block.len; len++) {
        uint8_t *copy = malloc(len + 1);
        struct grant got;
        struct err err = {0};
        memcpy(copy, block.data, len);
        assert_int_equal(grant_decode(copy, len, &got, &err), -EINVAL);
        assert_non_null(strstr(err.text, "the block of grants is damaged at byte"));
        free(copy);
    }
    buf_done(&block);
    (void)state;
}

/* A changed byte is refused or gives another grant, never a crash or a count beyond the block. */
static void every_changed_byte_is_survived(void **state)
{
    struct buf block = {0};

    grant_encode(&full, &block);
    for (size_t at = 0; at < block.len; at++)
        for (unsigned value = 0; value < 256; value += 15) {
            uint8_t saved = block.data[at];
            struct grant got;
            block.data[at] = (uint8_t)value;
            if (grant_decode(block.data, block.len, &got, NULL) == 0) {
                assert_true(got.path_count <= block.len && got.arg_count <= block.len);
                grant_decoded_free(&got);
            }
            block.data[at] = saved;
        }
    buf_done(&block);
    (void)state;
}

static void refuses(const struct grant_path *path, const char *text)
{
    struct grant grant = {.paths = path, .path_count = 1}, got;
    struct buf block = {0};
    struct err err = {0};

    grant_encode(&grant, &block);
    assert_int_equal(grant_decode(block.data, block.len, &got, &err), -EINVAL);
    if (strstr(err.text, text) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", text, err.text);
    buf_done(&block);
}

static void contradictions_are_refused(void **state)
{
    static const char *const names[] = {"", "data", "/data/", "//data", "/a/../b", "/a/.", "/a//b"};

    refuses(&(struct grant_path){.kind = 9, .guest_path = "/a", .fd = -1}, "unknown kind");
    refuses(&(struct grant_path){.kind = GRANT_DIRECTORY, .guest_path = "/a", .fd = -1}, "descriptor");
    refuses(&(struct grant_path){.kind = GRANT_HIDDEN, .guest_path = "/a", .fd = 4}, "descriptor");
    refuses(&(struct grant_path){.kind = GRANT_HIDDEN, .guest_path = NULL, .fd = -1}, "missing");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refuses(&(struct grant_path){.kind = GRANT_HIDDEN, .guest_path = names[i], .fd = -1}, "normalised");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty_grant),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
