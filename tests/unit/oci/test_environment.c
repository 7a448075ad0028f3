/* HOME from the image's passwd file, which may be anything, and the environment as a whole. */
#include "oci/environment.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena arena;

static int done(void **state)
{
    arena_free(&arena);
    return 0;
}

static const char *home(const char *text, uid_t uid)
{
    const char *found = environment_find_home(text, uid, &arena);
    return found != NULL ? found : "(none)";
}

static void finds_the_line_of_the_user(void **state)
{
    static const char text[] =
        "root:x:0:0:root:/root:/bin/sh\nmate:x:1000:1000::/home/mate:/bin/sh\ncook:x:10:10::/galley:";
    assert_string_equal(home(text, 0), "/root");
    assert_string_equal(home(text, 1000), "/home/mate");
    assert_string_equal(home(text, 10), "/galley");
    assert_string_equal(home(text, 100), "(none)");
    assert_string_equal(home("", 0), "(none)");
}

static void survives_broken_lines(void **state)
{
    assert_string_equal(home("root:x:0\n:::::\n\nroot:x:00:0::/wrong:\nroot:x:0:0::/right:/bin/sh", 0), "/right");
    assert_string_equal(home("root:x:0:0:root:", 0), "(none)");
    assert_string_equal(home("root:x:0:0:root::/bin/sh", 0), "(none)");
    assert_string_equal(home("a:x:0\n0:0:", 0), "(none)");
}

static void composes(void **state)
{
    char *given[] = {"A=1", "HOME=", "B=2", NULL}, *with_home[] = {"HOME=/h", NULL};
    char *notifies[] = {"NOTIFY_SOCKET=/run/systemd/notify", "HOME=/h", NULL};
    struct config_process process = {.env = {given, 3}, .user.uid = 4000000};
    char **made = environment_make(&process, 2, false, &arena);
    assert_string_equal(made[0], "A=1");
    assert_string_equal(made[1], "B=2");
    assert_string_equal(made[2], "HOME=/");
    assert_string_equal(made[3], "LISTEN_FDS=2");
    assert_string_equal(made[4], "LISTEN_PID=1");
    assert_null(made[5]);
    process.env = (struct strings){with_home, 1};
    made = environment_make(&process, 0, false, &arena);
    assert_string_equal(made[0], "HOME=/h");
    assert_null(made[1]);
    process.env = (struct strings){notifies, 2};
    made = environment_make(&process, 0, true, &arena);
    assert_string_equal(made[1], "NOTIFY_SOCKET=/run/notify/notify.sock");
    assert_null(made[2]);
}

static void keeps_the_last_of_a_name(void **state)
{
    char *given[] = {"A=1", "AB=1", "A=2", "B=", "A=3", "AB=2", NULL};
    struct strings unique = environment_unique(&(struct strings){given, 6}, &arena);

    assert_int_equal(unique.count, 3);
    assert_string_equal(unique.data[0], "B=");
    assert_string_equal(unique.data[1], "A=3");
    assert_string_equal(unique.data[2], "AB=2");
    assert_int_equal(environment_unique(&(struct strings){given, 0}, &arena).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_line_of_the_user),
        cmocka_unit_test(survives_broken_lines),
        cmocka_unit_test(composes),
        cmocka_unit_test(keeps_the_last_of_a_name),
    };
    return cmocka_run_group_tests_name("environment", tests, NULL, done);
}
