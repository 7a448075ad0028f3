/* Which workload an entry point is: by its bytes alone, whatever names and annotations say. */
#include "config_text.h"
#include "oci/wasm_detect.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char module[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
static const char component[8] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
static const char unknown[8] = {0, 'a', 's', 'm', 9, 0, 0, 0};
static const char elf[8] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};

static struct arena arena;
static struct config plain, sandbox, annotated;
static struct wasm_decision decision;
static struct err e;

static int setup(void **state)
{
    assert_int_equal(config_of(&arena, "", "", "", &plain, &e), 0);
    assert_int_equal(config_of(&arena, "", ", \"annotations\": {\"io.kubernetes.cri.container-type\": \"sandbox\"}", "",
                               &sandbox, &e),
                     0);
    assert_int_equal(
        config_of(&arena, "",
                  ", \"annotations\": {\"run.oci.handler\": \"wasm\", \"module.wasm.image/variant\": \"compat\"}", "",
                  &annotated, &e),
        0);
    return 0;
}

static int done(void **state)
{
    arena_free(&arena);
    return 0;
}

static int detect(const struct config *config, const char *path, const void *bytes, long len)
{
    return wasm_detect(config, path, bytes, len, &decision, &e);
}

static void bytes_decide(void **state)
{
    assert_int_equal(detect(&plain, "/app", module, 8), 0);
    assert_true(decision.is_wasm);
    assert_int_equal(detect(&plain, "/app", elf, 8), 0);
    assert_false(decision.is_wasm);
    assert_non_null(strstr(decision.rule, "ELF"));
    assert_int_equal(detect(&plain, "/app", "#!/bin/s", 8), 0);
    assert_false(decision.is_wasm);
    assert_non_null(strstr(decision.rule, "script"));
}

static void annotations_do_not_make_wasm_of_elf(void **state)
{
    assert_int_equal(detect(&annotated, "/sidecar", elf, 8), 0);
    assert_false(decision.is_wasm);
    assert_int_equal(detect(&annotated, "/app", module, 8), 0);
    assert_true(decision.is_wasm);
}

static void a_sandbox_is_never_wasm(void **state)
{
    assert_int_equal(detect(&sandbox, "/pause", elf, 8), 0);
    assert_false(decision.is_wasm);
    assert_int_equal(detect(&sandbox, "/pause", module, 8), -ENOEXEC); /* and binfmt_misc does not get it either */
}

static void what_cannot_run_is_named(void **state)
{
    assert_int_equal(detect(&plain, "/x.wasm", "no module", 8), -ENOEXEC);
    assert_non_null(strstr(e.text, "/x.wasm"));
    assert_int_equal(detect(&plain, "/x.wasm", "", 0), -ENOEXEC);
    assert_int_equal(detect(&plain, "/data", "01234567", 8), -ENOEXEC);
    assert_int_equal(detect(&plain, "/c.wasm", component, 8), -ENOTSUP);
    assert_non_null(strstr(e.text, "component"));
    assert_int_equal(detect(&plain, "/u.wasm", unknown, 8), -ENOEXEC);
    assert_non_null(strstr(e.text, "version"));
    assert_int_equal(detect(&plain, "/short.wasm", module, 5), -ENOEXEC);
}

static void an_unreadable_file_is_left_to_the_kernel(void **state)
{
    assert_int_equal(detect(&plain, "/bin/secret", NULL, -1), 0);
    assert_false(decision.is_wasm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_decide),
        cmocka_unit_test(annotations_do_not_make_wasm_of_elf),
        cmocka_unit_test(a_sandbox_is_never_wasm),
        cmocka_unit_test(what_cannot_run_is_named),
        cmocka_unit_test(an_unreadable_file_is_left_to_the_kernel),
    };
    return cmocka_run_group_tests_name("wasm_detect", tests, setup, done);
}
