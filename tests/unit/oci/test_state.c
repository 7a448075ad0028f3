/* The state file: what is written is read again, what is damaged is refused, and whether a process lives is asked of the
 * kernel. */
#include "oci/state.h"
#include "base/fd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[] = "/tmp/test-state-XXXXXX";
static struct arena arena;
static struct err e;

static int setup(void **state)
{
    char path[64];

    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/one", root);
    return mkdir(path, 0700);
}

static int teardown(void **state)
{
    arena_free(&arena);
    state_remove(root, "one", &e);
    return rmdir(root);
}

static struct state example(pid_t pid)
{
    static struct config_pair pairs[] = {{"key", "a \"quoted\" value\n"}};
    static char *args[] = {"hook", "x", NULL}, *none[] = {NULL};
    static struct config_hook hooks[] = {{.path = "/bin/a", .args = {args, 2}, .timeout_s = {true, 7}},
                                         {.path = "/bin/b", .env = {none, 0}}};
    bool zombie;

    return (struct state){.id = "one",
                          .oci_version = "1.0.2",
                          .bundle = "/b",
                          .rootfs = "/b/r",
                          .created = "2026-01-01T00:00:00Z",
                          .pid = pid,
                          .start_time = state_start_time(pid, &zombie),
                          .own_pid_namespace = true,
                          .annotations = {pairs, 1},
                          .poststop = {hooks, 2}};
}

static void written_is_read(void **state)
{
    struct state written = example(getpid()), read;

    assert_int_equal(state_write(root, &written, &e), 0);
    assert_int_equal(state_read(root, "one", &arena, &read, &e), 0);
    assert_string_equal(read.bundle, "/b");
    assert_string_equal(read.rootfs, "/b/r");
    assert_int_equal(read.pid, getpid());
    assert_true(read.start_time == written.start_time && read.own_pid_namespace);
    assert_string_equal(read.annotations.data[0].value, "a \"quoted\" value\n");
    assert_int_equal(read.poststart.count, 0);
    assert_int_equal(read.poststop.count, 2);
    assert_string_equal(read.poststop.data[0].args.data[1], "x");
    assert_int_equal(read.poststop.data[0].timeout_s.value, 7);
    assert_null(read.poststop.data[0].env.data);
    assert_non_null(read.poststop.data[1].env.data); /* empty is not absent: absent inherits */
    assert_false(read.poststop.data[1].timeout_s.set);
}

/* The file is written before there is an init: being made while its maker lives, else only to be deleted. */
static void without_an_init(void **state)
{
    struct state s = example(getpid()), read;
    bool zombie;

    s.pid = 0;
    s.start_time = 0;
    s.creator = getpid();
    s.creator_start_time = state_start_time(getpid(), &zombie);
    assert_int_equal(state_write(root, &s, &e), 0);
    assert_int_equal(state_read(root, "one", &arena, &read, &e), 0);
    assert_int_equal(read.creator, getpid());
    assert_int_equal(state_status(root, &read), STATE_CREATING);
    read.creator_start_time--;
    assert_int_equal(state_status(root, &read), STATE_STOPPED);
}

static void damaged_is_refused(void **state)
{
    struct state read;
    char path[64];

    assert_int_equal(state_read(root, "two", &arena, &read, &e), -ENOENT);
    assert_non_null(strstr(e.text, "does not exist"));
    snprintf(path, sizeof path, "%s/one/state.json", root);
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, "{\"pid\": 1", 9), 0);
    assert_int_equal(state_read(root, "one", &arena, &read, &e), -EINVAL);
    assert_non_null(strstr(e.text, path));
}

/* A pid that another process has by now, a zombie, and one that is gone: all stopped. */
static void only_the_same_process_is_alive(void **state)
{
    struct state s = example(getpid());
    pid_t child;
    siginfo_t info;

    assert_int_equal(state_status(root, &s), STATE_RUNNING);
    s.start_time++;
    assert_int_equal(state_status(root, &s), STATE_STOPPED);
    assert_int_equal(state_open_pid(&s), -ESRCH);
    child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    s = example(child);
    assert_true(s.start_time != 0);
    assert_int_equal(state_status(root, &s), STATE_STOPPED);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(state_status(root, &s), STATE_STOPPED);
}

static void the_fifo_says_created(void **state)
{
    struct state s = example(getpid());
    char path[64];

    snprintf(path, sizeof path, "%s/one/start", root);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(state_status(root, &s), STATE_CREATED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(state_status(root, &s), STATE_RUNNING);
}

static void prints_the_spec_s_form(void **state)
{
    struct state s = example(42);
    struct buf out = {0};

    state_print(&s, STATE_STOPPED, false, 0, &out);
    assert_string_equal(buf_cstr(&out),
                        "{\"ociVersion\":\"1.0.2\",\"id\":\"one\",\"pid\":0,\"status\":\"stopped\",\"bundle\":\"/b\","
                        "\"annotations\":{\"key\":\"a \\\"quoted\\\" value\\n\"}}");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_is_read),
        cmocka_unit_test(without_an_init),
        cmocka_unit_test(damaged_is_refused),
        cmocka_unit_test(the_fifo_says_created),
        cmocka_unit_test(only_the_same_process_is_alive),
        cmocka_unit_test(prints_the_spec_s_form),
    };
    return cmocka_run_group_tests_name("state", tests, setup, teardown);
}
