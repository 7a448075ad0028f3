/* linux.intelRdt on a made-up resctrl tree: directories get the files that the kernel would make in them. */
#include "tests/unit/oci/private.h"
#include "base/fd.h"
#include "oci/rdt.h"
#include "oci/sys.h"
#include <sys/stat.h>

static struct err e;
static int root;

static void put(const char *path, const char *text)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
    close(fd);
}

static const char *get(const char *path)
{
    static char text[256];
    cleanup_fd int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    return n < 0 ? "(none)" : text;
}

static long make_group(int dir, const char *path, mode_t mode)
{
    if (mkdirat(dir, path, mode) < 0)
        return -1;
    cleanup_fd int group = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const files[] = {"tasks", "schemata"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        close(openat(group, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return mkdirat(group, "mon_groups", 0755);
}

/* The kernel's rmdir takes the group with all in it. */
static long remove_group(int dir, const char *path, int flags)
{
    static const char *const inside[] = {"tasks", "schemata", "mon_groups"};
    assert_int_equal(flags, AT_REMOVEDIR);
    cleanup_fd int group = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0)
        return -1;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        if (unlinkat(group, inside[i], 0) < 0 && errno == EISDIR)
            unlinkat(group, inside[i], AT_REMOVEDIR);
    return unlinkat(dir, path, AT_REMOVEDIR);
}

static int begin(void **state)
{
    char path[] = "/tmp/wherry-rdt-XXXXXX";

    if (mkdtemp(path) == NULL)
        return -1;
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = strdup(path);
    sys.mkdirat = make_group;
    sys.unlinkat = remove_group;
    mkdirat(root, "info", 0755);
    return root < 0 ? -1 : 0;
}

static int end(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    close(root);
    free(*state);
    return system(command);
}

static void own_class(void **state)
{
    struct config_rdt rdt = {.set = true,
                             .l3_cache_schema = "L3:0=f;1=f0\nMB:0=10",
                             .mem_bw_schema = "MB:0=20;1=70",
                             .enable_monitoring = true};

    assert_int_equal(rdt_check(root, &rdt, "box", &e), 0);
    assert_int_equal(rdt_make(root, &rdt, "box", &e), 0);
    assert_string_equal(get("box/schemata"), "L3:0=f;1=f0\nMB:0=20;1=70\n");
    assert_int_equal(rdt_attach(root, &rdt, "box", 1234, &e), 0);
    assert_string_equal(get("box/tasks"), "1234");
    assert_string_equal(get("box/mon_groups/box/tasks"), "1234");
    assert_int_equal(rdt_check(root, &rdt, "box", &e), -EEXIST);
    remove_group(root, "box/mon_groups/box", AT_REMOVEDIR);
    assert_int_equal(rdt_remove(root, &rdt, "box", &e), 0);
    assert_string_equal(get("box/tasks"), "(none)");
    assert_int_equal(rdt_remove(root, &rdt, "box", &e), 0);
}

static void named_class(void **state)
{
    char *lines[] = {"L3:0=00F;1=ff", "MB:0=50", NULL};
    struct config_rdt rdt = {.set = true, .clos_id = "gold", .schemata = {lines, 2}};
    struct config_rdt bare = {.set = true, .clos_id = "silver"};

    assert_int_equal(rdt_check(root, &bare, "box", &e), -ENOENT);
    assert_non_null(strstr(e.text, "no class 'silver'"));
    assert_int_equal(rdt_check(root, &rdt, "box", &e), 0);
    assert_int_equal(rdt_make(root, &rdt, "box", &e), 0);
    assert_string_equal(get("gold/schemata"), "L3:0=00F;1=ff\nMB:0=50\n");
    assert_int_equal(rdt_remove(root, &rdt, "box", &e), 0); /* it is others' too */
    assert_string_equal(get("gold/schemata"), "L3:0=00F;1=ff\nMB:0=50\n");

    put("gold/schemata", "    MB:0= 50;1=100\n    L3:0=f;1=ff\n"); /* as the kernel prints it */
    assert_int_equal(rdt_make(root, &rdt, "other", &e), 0);
    assert_string_equal(get("gold/schemata"), "    MB:0= 50;1=100\n    L3:0=f;1=ff\n");
    put("gold/schemata", "    MB:0= 50;1=100\n    L3:0=f;1=7\n");
    assert_int_equal(rdt_make(root, &rdt, "third", &e), -EEXIST);
    assert_non_null(strstr(e.text, "'gold' is there already, with other schemata"));
}

static void monitoring_alone(void **state)
{
    struct config_rdt rdt = {.set = true, .clos_id = "/", .enable_monitoring = true};

    make_group(root, "mon_groups", 0755);
    put("tasks", "");
    assert_int_equal(rdt_check(root, &rdt, "box", &e), 0);
    assert_int_equal(rdt_make(root, &rdt, "box", &e), 0);
    assert_int_equal(rdt_attach(root, &rdt, "box", 77, &e), 0);
    assert_string_equal(get("mon_groups/box/tasks"), "77");
    assert_int_equal(rdt_remove(root, &rdt, "box", &e), 0);
    assert_string_equal(get("mon_groups/box/tasks"), "(none)");
}

static void names(void **state)
{
    static const char *const bad[] = {"..", ".", "", "a/b", "info", "mon_groups", "mon_data", "/x", "a\nb"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config_rdt rdt = {.set = true, .clos_id = bad[i], .mem_bw_schema = "MB:0=10"};
        assert_int_equal(rdt_check(root, &rdt, "box", &e), -EINVAL);
    }
    assert_int_equal(rdt_check(root, &(struct config_rdt){.set = true}, "info", &e), -EINVAL);
}

static void refusal_of_the_kernel(void **state)
{
    struct config_rdt rdt = {.set = true, .clos_id = "gone", .mem_bw_schema = "MB:7=1"};

    assert_int_equal(rdt_make(root, &rdt, "box", &e), 0);
    assert_int_equal(rdt_update(root, &(struct config_rdt){.clos_id = "gone", .l3_cache_schema = "L3:0=1"}, "box", &e),
                     0);
    assert_int_equal(strncmp(get("gone/schemata"), "L3:0=1\n", 7), 0); /* a file keeps the rest */
    put("info/last_cmd_status", "Unknown domain\n");
    unlinkat(root, "gone/schemata", 0);
    assert_int_equal(rdt_update(root, &rdt, "box", &e), -ENOENT);
    assert_non_null(strstr(e.text, "the kernel refuses the schemata: Unknown domain"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_class, begin, end),
        cmocka_unit_test_setup_teardown(named_class, begin, end),
        cmocka_unit_test_setup_teardown(monitoring_alone, begin, end),
        cmocka_unit_test_setup_teardown(names, begin, end),
        cmocka_unit_test_setup_teardown(refusal_of_the_kernel, begin, end),
    };
    return cmocka_run_group_tests_name("rdt", tests, NULL, NULL);
}
