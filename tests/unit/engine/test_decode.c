/* Decoding: what is found where, and that each malformation is named with its offset. */
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct module module;
static struct err error;

static int decode(const uint8_t *bytes, size_t len, uint32_t features)
{
    error = (struct err){0};
    return module_decode(&module, bytes, len, features, &error);
}

static void refuses(int code, const char *text, uint32_t features, const uint8_t *bytes, size_t len)
{
    assert_int_equal(decode(bytes, len, features), code);
    if (strstr(error.text, text) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", text, error.text);
    module_free(&module);
}

static void empty_module(void **state)
{
    assert_int_equal(decode(MODULE_BYTES(0x00, 0x02, 0x01, 'x'), 0), 0);
    assert_int_equal(module.func_count, 0);
    assert_int_equal(module.start_func, MODULE_NONE);
    assert_int_equal(module.custom_count, 1);
    module_free(&module);
    (void)state;
}

/* (type (func (param i32) (result i64))) (import "m" "f" (func (type 0))) (import "m" "g" (global (mut i32)))
 * (func (type 0)) (export "e" (func 1)) (start 0), a body, and a name section that names function 1 "hi". */
static void finds_sections(void **state)
{
    assert_int_equal(decode(MODULE_BYTES(0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7e, /* type */
                                         0x02, 0x0e, 0x02, 0x01, 'm', 0x01, 'f', 0x00, 0x00, 0x01, 'm', 0x01, 'g', 0x03,
                                         0x7f, 0x01,                                     /* import */
                                         0x03, 0x02, 0x01, 0x00,                         /* function */
                                         0x07, 0x05, 0x01, 0x01, 'e', 0x00, 0x01,        /* export */
                                         0x08, 0x01, 0x00,                               /* start */
                                         0x0a, 0x06, 0x01, 0x04, 0x00, 0x42, 0x05, 0x0b, /* code */
                                         0x00, 0x0b, 0x04, 'n', 'a', 'm', 'e', 0x01, 0x04, 0x01, 0x01, 0x01, '!'),
                            0),
                     0);
    assert_int_equal(module.type_count, 1);
    assert_int_equal(module.types[0].param_count, 1);
    assert_int_equal(module.types[0].results[0], VT_I64);
    assert_int_equal(module.import_count, 2);
    assert_int_equal(module.imported_func_count, 1);
    assert_int_equal(module.imported_global_count, 1);
    assert_true(module.globals[0].mutable);
    assert_int_equal(module.func_count, 2);
    assert_int_equal(module.funcs[1].body.len, 4);
    assert_int_equal(module.bytes[module.funcs[1].body.offset + 1], 0x42);
    assert_true(module.funcs[1].referenced);
    assert_false(module.funcs[0].referenced);
    assert_int_equal(module.start_func, 0);
    assert_memory_equal(module.func_names[1].data, "!", 1);
    module_free(&module);
    (void)state;
}

static void malformed_modules(void **state)
{
    const uint8_t component[] = {0x00, 'a', 's', 'm', 0x0d, 0x00, 0x01, 0x00};
    refuses(-EINVAL, "unexpected end (at offset 0x0)", 0, (const uint8_t *)"\0as", 3);
    refuses(-EINVAL, "magic header not detected (at offset 0x0)", 0,
            (const uint8_t *)"\x7f"
                             "ELF\1\1\1\1",
            8);
    refuses(-EINVAL, "unknown binary version (at offset 0x4)", 0, (const uint8_t *)"\0asm\2\0\0\0", 8);
    refuses(-ENOTSUP, "component", 0, component, sizeof component);
    refuses(-EINVAL, "malformed section id (at offset 0x8", 0, MODULE_BYTES(0x0e, 0x00));
    refuses(-EINVAL, "length out of bounds", 0, MODULE_BYTES(0x01, 0x05, 0x00));
    refuses(-EINVAL, "section size mismatch (at offset 0xb, type section)", 0, MODULE_BYTES(0x01, 0x02, 0x00, 0x00));
    refuses(-EINVAL, "unexpected content after last section", 0, MODULE_BYTES(0x03, 0x01, 0x00, 0x01, 0x01, 0x00));
    refuses(-EINVAL, "inconsistent lengths", 0, MODULE_BYTES(0x03, 0x02, 0x01, 0x00));
    refuses(-EINVAL, "malformed UTF-8 encoding", 0, MODULE_BYTES(0x00, 0x02, 0x01, 0x80));
    refuses(-EINVAL, "malformed limits flags", FEATURES_ALL, MODULE_BYTES(0x05, 0x03, 0x01, 0x10, 0x00));
    refuses(-EINVAL, "malformed mutability", 0, MODULE_BYTES(0x06, 0x06, 0x01, 0x7f, 0x02, 0x41, 0x00, 0x0b));
    refuses(-EINVAL, "constant expression required (at offset 0xd", 0,
            MODULE_BYTES(0x06, 0x05, 0x01, 0x7f, 0x00, 0x01, 0x0b));
    refuses(-EINVAL, "integer too large", 0, MODULE_BYTES(0x05, 0x07, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0x7f));
    (void)state;
}

/* A count that no section of this size can hold must not be allocated for. */
static void counts_are_bounded(void **state)
{
    refuses(-EINVAL, "unexpected end of section or function", 0, MODULE_BYTES(0x03, 0x04, 0x80, 0x80, 0x3d, 0x00));
    refuses(-EINVAL, "too many types", 0, MODULE_BYTES(0x01, 0x05, 0xff, 0xff, 0xff, 0xff, 0x0f));
    refuses(-EINVAL, "too many functions", 0, MODULE_BYTES(0x03, 0x05, 0xff, 0xff, 0xff, 0xff, 0x0f));
    (void)state;
}

static void features_are_named(void **state)
{
    refuses(-ENOTSUP, "feature simd,", 0, MODULE_BYTES(0x01, 0x05, 0x01, 0x60, 0x01, 0x7b, 0x00));
    refuses(-ENOTSUP, "feature gc,", 0, MODULE_BYTES(0x01, 0x03, 0x01, 0x5f, 0x00));
    refuses(-ENOTSUP, "feature memory64,", 0, MODULE_BYTES(0x05, 0x03, 0x01, 0x04, 0x00));
    refuses(-ENOTSUP, "feature threads,", 0, MODULE_BYTES(0x05, 0x04, 0x01, 0x03, 0x00, 0x01));
    refuses(-ENOTSUP, "feature custom-page-sizes,", 0, MODULE_BYTES(0x05, 0x04, 0x01, 0x08, 0x00, 0x00));
    refuses(-ENOTSUP, "feature exceptions,", 0, MODULE_BYTES(0x0d, 0x03, 0x01, 0x00, 0x00));
    refuses(-ENOTSUP, "feature function-references,", 0, MODULE_BYTES(0x01, 0x06, 0x01, 0x60, 0x01, 0x64, 0x70, 0x00));
    assert_int_equal(decode(MODULE_BYTES(0x05, 0x03, 0x01, 0x04, 0x00), ENGINE_FEATURE_MEMORY64), 0);
    assert_int_equal(module.features_used, ENGINE_FEATURE_MEMORY64);
    module_free(&module);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(empty_module), cmocka_unit_test(finds_sections),
                                       cmocka_unit_test(malformed_modules), cmocka_unit_test(counts_are_bounded),
                                       cmocka_unit_test(features_are_named)};
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
