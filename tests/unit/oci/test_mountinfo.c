/* Lines of /proc/self/mountinfo: with and without optional fields, with escaped blanks, and what is none. */
#include "oci/mountinfo.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static bool read_line(const char *text, struct mountinfo *out)
{
    static char line[256];

    snprintf(line, sizeof line, "%s", text);
    return mountinfo_read(line, out);
}

static void takes_lines_apart(void **state)
{
    struct mountinfo m;

    assert_true(read_line(
        "36 35 98:0 /part /mnt/a\\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue", &m));
    assert_string_equal(m.root, "/part");
    assert_string_equal(m.point, "/mnt/a b");
    assert_string_equal(m.type, "ext3");
    assert_string_equal(m.options, "rw,errors=continue");
    assert_true(read_line("24 1 0:22 / /proc rw - proc proc rw", &m));
    assert_string_equal(m.type, "proc");
    assert_true(read_line("24 1 0:22 / /a\\134\\0407\\8 rw - tmpfs none rw", &m));
    assert_string_equal(m.point, "/a\\ 7\\8");
}

static void refuses_others(void **state)
{
    static const char *const lines[] = {"",
                                        "24",
                                        "24 1 0:22 / /proc",
                                        "24 1 0:22 / /proc rw",
                                        "24 1 0:22 / /proc rw -",
                                        "24 1 0:22 / /proc rw - proc",
                                        "24 1 0:22 / /proc rw - proc proc"};
    struct mountinfo m;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_false(read_line(lines[i], &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_lines_apart), cmocka_unit_test(refuses_others)};
    return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
