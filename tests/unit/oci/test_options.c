/* Command lines as the managers write them. */
#include "oci/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *bundle;
static bool detach;
static unsigned count;
static struct err e;
static const struct option_spec specs[] = {{"bundle", 'b', OPTION_TEXT, &bundle, NULL},
                                           {"detach", 'd', OPTION_FLAG, &detach, NULL},
                                           {"preserve-fds", 0, OPTION_NUMBER, &count, NULL},
                                           {"no-subreaper", 0, OPTION_IGNORED_FLAG, NULL, NULL},
                                           {"rootless", 0, OPTION_IGNORED_TEXT, NULL, NULL},
                                           {"pidfd-socket", 0, OPTION_REFUSED, NULL, NULL},
                                           {0}};
static char *line[16];

static int read_line(bool stop_at_word, char *words[])
{
    int argc = 1;

    bundle = NULL, detach = false, count = 0;
    line[0] = "verb";
    for (; words[argc - 1] != NULL; argc++)
        line[argc] = words[argc - 1];
    line[argc] = NULL;
    return options_read(argc, line, specs, stop_at_word, &e);
}
#define READ(...) read_line(false, (char *[]){__VA_ARGS__, NULL})

static void both_forms_before_and_after_the_word(void **state)
{
    assert_int_equal(READ("--bundle", "/b", "id"), 1);
    assert_string_equal(bundle, "/b");
    assert_string_equal(line[1], "id");
    assert_int_equal(READ("id", "--bundle=/c", "-d"), 1);
    assert_string_equal(bundle, "/c");
    assert_true(detach);
    assert_int_equal(READ("-b", "/d", "--preserve-fds=3", "id", "KILL"), 2);
    assert_int_equal(count, 3);
    assert_string_equal(line[2], "KILL");
    assert_int_equal(READ("--bundle=", "id"), 1);
    assert_string_equal(bundle, "");
}

/* containerd's restore says "-no-subreaper"; flags take values too. */
static void odd_spellings(void **state)
{
    assert_int_equal(READ("-no-subreaper", "id"), 1);
    assert_int_equal(READ("--detach=false", "id"), 1);
    assert_false(detach);
    assert_int_equal(READ("--rootless", "auto", "id"), 1);
    assert_int_equal(READ("--", "--bundle"), 1);
    assert_string_equal(line[1], "--bundle");
    assert_int_equal(READ("-"), 1);
}

static void the_global_ones_stop_at_the_verb(void **state)
{
    assert_int_equal(read_line(true, (char *[]){"-d", "create", "--bundle", "/b", NULL}), 3);
    assert_true(detach);
    assert_null(bundle);
    assert_string_equal(line[2], "--bundle");
}

static void refuses(int ret, int wanted, const char *pattern)
{
    assert_int_equal(ret, wanted);
    assert_non_null(strstr(e.text, pattern));
}

static void wrong_ones_are_named(void **state)
{
    refuses(READ("--sail"), -EINVAL, "--sail");
    refuses(READ("--bundle"), -EINVAL, "--bundle");
    refuses(READ("--preserve-fds=-1"), -EINVAL, "--preserve-fds");
    refuses(READ("--preserve-fds=3x"), -EINVAL, "--preserve-fds");
    refuses(READ("--detach=often"), -EINVAL, "--detach");
    refuses(READ("--pidfd-socket=/s"), -ENOTSUP, "--pidfd-socket");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_before_and_after_the_word),
        cmocka_unit_test(odd_spellings),
        cmocka_unit_test(the_global_ones_stop_at_the_verb),
        cmocka_unit_test(wrong_ones_are_named),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
