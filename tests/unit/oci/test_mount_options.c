/* Option strings to flags. */
#include "oci/mount_options.h"
#include "oci/mount.h"
#include "oci/sys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct mount_options read_options(struct arena *arena, const char *const *strings)
{
    struct mount_options o;
    struct err e;
    size_t count = 0;
    while (strings[count] != NULL)
        count++;
    assert_int_equal(mount_options_read(strings, count, arena, &o, &e), 0);
    return o;
}
#define READ(arena, ...) read_options((arena), (const char *const[]){__VA_ARGS__, NULL})

static void flags_and_data(void **state)
{
    struct arena arena = {0};
    struct mount_options o =
        READ(&arena, "nosuid", "noexec", "mode=755", "ro", "size=65536k", "rw", "rprivate", "shared");
    assert_int_equal(o.flags, MS_NOSUID | MS_NOEXEC);
    assert_int_equal(o.cleared, MS_RDONLY);
    assert_string_equal(o.data, "mode=755,size=65536k");
    assert_int_equal(o.propagation_count, 2);
    assert_int_equal(o.propagation[0], MS_PRIVATE | MS_REC);
    assert_int_equal(o.propagation[1], MS_SHARED);
    o = READ(&arena, "rbind");
    assert_int_equal(o.flags, MS_BIND | MS_REC);
    assert_string_equal(o.data, "");
    o = READ(&arena, "tmpcopyup", "ridmap");
    assert_true(o.copy_up && o.id_map && o.id_map_tree);
    arena_free(&arena);
    (void)state;
}

static void options_for_the_tree(void **state)
{
    struct arena arena = {0};
    struct mount_options o = READ(&arena, "rro", "rnosuid", "rsuid");
    assert_int_equal(o.recursive_set, MOUNT_ATTR_RDONLY);
    assert_int_equal(o.recursive_clear, MOUNT_ATTR_NOSUID);
    o = READ(&arena, "rnoatime");
    assert_int_equal(o.recursive_set, MOUNT_ATTR_NOATIME);
    assert_int_equal(o.recursive_clear, MOUNT_ATTR__ATIME);
    o = READ(&arena, "rnoatime", "rrelatime", "rnodiratime");
    assert_int_equal(o.recursive_set, MOUNT_ATTR_NODIRATIME);
    assert_int_equal(o.recursive_clear, MOUNT_ATTR__ATIME);
    o = READ(&arena, "rnodev", "rdev");
    assert_int_equal(o.recursive_set, 0);
    assert_int_equal(o.recursive_clear, MOUNT_ATTR_NODEV);
    arena_free(&arena);
    (void)state;
}

static void limits(void **state)
{
    struct arena arena = {0};
    struct mount_options o;
    struct err e;
    static char big[8192];
    const char *five[] = {"private", "slave", "shared", "rslave", "rshared"}, *long_one[] = {big};
    memset(big, 'x', sizeof big - 1);
    assert_int_equal(mount_options_read(five, 5, &arena, &o, &e), -EINVAL);
    assert_int_equal(mount_options_read(long_one, 1, &arena, &o, &e), -EINVAL);
    arena_free(&arena);
    (void)state;
}

/* The table is searched by bisection, and `features` lists it: every name must be found as itself, in order. */
static void table_is_sorted_and_complete(void **state)
{
    struct arena arena = {0};
    size_t count = 0;
    for (const char *name; (name = mount_option_name(count)) != NULL; count++) {
        struct mount_options o = READ(&arena, name);
        assert_string_equal(o.data, "");
        assert_true(count == 0 || strcmp(mount_option_name(count - 1), name) < 0);
    }
    assert_true(count >= 62);
    assert_int_equal(mount_propagation("rslave"), MS_SLAVE | MS_REC);
    assert_int_equal(mount_propagation("rslav"), 0);
    arena_free(&arena);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(flags_and_data), cmocka_unit_test(options_for_the_tree),
                                       cmocka_unit_test(limits), cmocka_unit_test(table_is_sorted_and_complete)};
    return cmocka_run_group_tests_name("mount_options", tests, NULL, NULL);
}
