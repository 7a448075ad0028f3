/* The systemd driver's names and properties: what cgroupsPath, resources and annotations become. */
#include "oci/systemd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena arena;
static struct err e;

static void names(void **state)
{
    struct systemd_unit unit;

    assert_int_equal(systemd_unit_read("machine.slice:libpod:abc", "id", &arena, &unit, &e), 0);
    assert_string_equal(unit.name, "libpod-abc.scope");
    assert_string_equal(unit.slice, "machine.slice");
    assert_int_equal(systemd_unit_read("kubepods-besteffort.slice::abc", "id", &arena, &unit, &e), 0);
    assert_string_equal(unit.name, "abc.scope");
    assert_int_equal(systemd_unit_read(NULL, "id", &arena, &unit, &e), 0);
    assert_string_equal(unit.name, "wherry-id.scope");
}

static void bad_names(void **state)
{
    static const char *const bad[] = {"/a/b",       "a.slice:b",  "a.slice:b:c:d", "a:b:c",
                                      ".slice:b:c", "a.slice:b:", "a.slice:b:c/d", "a.slice:b:c\nproperty"};
    struct systemd_unit unit;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(systemd_unit_read(bad[i], "id", &arena, &unit, &e), -EINVAL);
}

static const char *resources(const struct config_resources *r, bool unified)
{
    struct buf out = {0};
    char *text;

    systemd_put_resources(r, unified, &out);
    text = arena_strdup(&arena, buf_cstr(&out));
    buf_done(&out);
    return text;
}

static void limits(void **state)
{
    const struct config_resources r = {.memory = {.limit = {true, 100}, .swap = {true, 150}},
                                       .cpu = {.shares = {true, 1024}, .quota = {true, 12345}, .cpus = "0,9"},
                                       .pids_limit = {true, 7}};
    const struct config_resources none = {
        .memory = {.limit = {true, -1}, .swap = {true, -1}}, .cpu = {.quota = {true, -1}}, .pids_limit = {true, -1}};

    assert_string_equal(resources(&r, true), "property t MemoryMax 100\nproperty t MemorySwapMax 50\n"
                                             "property t CPUWeight 100\nproperty ay AllowedCPUs 0102\n"
                                             "property t CPUQuotaPeriodUSec 100000\n"
                                             "property t CPUQuotaPerSecUSec 130000\nproperty t TasksMax 7\n");
    assert_string_equal(resources(&r, false), "property t MemoryLimit 100\nproperty t CPUShares 1024\n"
                                              "property t CPUQuotaPerSecUSec 130000\nproperty t TasksMax 7\n");
    assert_string_equal(resources(&none, true), "property t MemoryMax 18446744073709551615\n"
                                                "property t MemorySwapMax 18446744073709551615\n"
                                                "property t CPUQuotaPerSecUSec 18446744073709551615\n"
                                                "property t TasksMax 18446744073709551615\n");
}

/* What the annotation org.systemd.property.KEY=VALUE becomes, or "refused". */
static const char *annotation(const char *key, const char *value)
{
    struct config_pair pair = {arena_printf(&arena, "org.systemd.property.%s", key), value};
    const struct config_pairs pairs = {&pair, 1};
    struct buf out = {0};
    const char *text = "refused";

    if (systemd_put_annotations(&pairs, &out, &e) == 0)
        text = arena_strdup(&arena, buf_cstr(&out));
    buf_done(&out);
    return text;
}

static void annotations(void **state)
{
    assert_string_equal(annotation("A", "true"), "property b A true\n");
    assert_string_equal(annotation("A", "'it\\'s'"), "property s A it's\n");
    assert_string_equal(annotation("A", "['a', \"b\"]"), "property as A a\x1f"
                                                         "b\n");
    assert_string_equal(annotation("A", "@as []"), "property as A \n");
    assert_string_equal(annotation("A", "uint64 5"), "property t A 5\n");
    assert_string_equal(annotation("A", "-5"), "property i A -5\n");
    assert_string_equal(annotation("TimeoutStopSec", "1.5"), "property t TimeoutStopUSec 1500000\n");
    assert_string_equal(annotation("TimeoutStopUSec", "uint64 15"), "property t TimeoutStopUSec 15\n");
    assert_string_equal(annotation("A", "{1}"), "refused");
    assert_string_equal(annotation("A", "'a"), "refused");
    assert_string_equal(annotation("A", "['a'"), "refused");
    assert_string_equal(annotation("A", "uint64 -5"), "refused");
    assert_string_equal(annotation("A", "5x"), "refused");
    assert_string_equal(annotation("A", "'a\nproperty b Delegate false'"), "refused");
    assert_string_equal(annotation("A B", "5"), "refused");
    assert_string_equal(annotation("", "5"), "refused");
}

static void paths_of_scopes(void **state)
{
    assert_true(systemd_names_scope("kubepods-besteffort-pod1.slice:cri-containerd:abc"));
    assert_true(systemd_names_scope("system.slice::abc"));
    assert_false(systemd_names_scope("/kubepods/besteffort/pod1/abc"));
    assert_false(systemd_names_scope("/a.slice:b:c"));
    assert_false(systemd_names_scope("a.slice:b"));
    assert_false(systemd_names_scope(".slice:b:c"));
    assert_false(systemd_names_scope(":b:c"));
    assert_false(systemd_names_scope(""));
    assert_false(systemd_names_scope(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_scopes), cmocka_unit_test(names),       cmocka_unit_test(bad_names),
        cmocka_unit_test(limits),          cmocka_unit_test(annotations),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    arena_free(&arena);
    return failed;
}
