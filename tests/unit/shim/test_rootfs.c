/* What the layers of an image have in common. */
#include "shim/rootfs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void common_directory(void **state)
{
    assert_int_equal(rootfs_common_directory("/s/1/fs"), 5); /* "/s/1/" */
    assert_int_equal(rootfs_common_directory("/s/1/fs:/s/2/fs"), 3);
    assert_int_equal(rootfs_common_directory("/s/10/fs:/s/1/fs"), 3); /* not "/s/1": no directory of the first */
    assert_int_equal(rootfs_common_directory("/a/b:/c/d"), 1);
    assert_int_equal(rootfs_common_directory("a:b"), 0);
    assert_int_equal(rootfs_common_directory(""), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(common_directory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
