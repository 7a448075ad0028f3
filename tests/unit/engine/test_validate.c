/* Validation: what it says and where, what the suite's text-only folders leave out (legacy exceptions), and resistance
 * to modules that are small and mean. */
#include "base/vec.h"
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <time.h>

static struct module module;
static struct err error;

static int validate(const void *bytes, size_t len, uint32_t features)
{
    int rc;

    error = (struct err){0};
    rc = module_decode(&module, bytes, len, features, &error);
    if (rc == 0)
        rc = module_validate(&module, features, &error);
    return rc;
}

static void put_section(struct buf *out, uint8_t id, const struct buf *content)
{
    size_t len = content->len;

    buf_put_u8(out, id);
    for (; len >= 0x80; len >>= 7)
        buf_put_u8(out, (uint8_t)(len | 0x80));
    buf_put_u8(out, (uint8_t)len);
    buf_put(out, content->data, content->len);
}

static void put_count(struct buf *out, size_t count)
{
    for (; count >= 0x80; count >>= 7)
        buf_put_u8(out, (uint8_t)(count | 0x80));
    buf_put_u8(out, (uint8_t)count);
}

/* One function () -> () with the body BODY (locals and code), a memory of a page, a tag with an i32. */
static int validate_code(const struct buf *body, uint32_t features)
{
    static const uint8_t front[] = {WASM_HEADER,      0x01, 0x08, 0x02, 0x60, 0x00, 0x00, 0x60, 0x01, 0x7f, 0x00,
                                    /* types */ 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01};
    static const uint8_t tags[] = {0x0d, 0x03, 0x01, 0x00, 0x01};
    struct buf out = {0}, code = {0};
    int rc;

    buf_put(&out, front, sizeof front);
    if ((features & (ENGINE_FEATURE_EXCEPTIONS | ENGINE_FEATURE_LEGACY_EXCEPTIONS)) != 0)
        buf_put(&out, tags, sizeof tags);
    buf_put_u8(&code, 1);
    put_count(&code, body->len);
    buf_put(&code, body->data, body->len);
    put_section(&out, 0x0a, &code);
    rc = validate(out.data, out.len, features);
    module_free(&module);
    buf_done(&code);
    buf_done(&out);
    return rc;
}

static int validate_bytes(uint32_t features, const uint8_t *bytes, size_t len)
{
    struct buf body = {0};
    int rc;

    buf_put(&body, bytes, len);
    rc = validate_code(&body, features);
    buf_done(&body);
    return rc;
}

#define BODY(...)                    (const uint8_t[]){0x00, __VA_ARGS__, 0x0b}, sizeof((const uint8_t[]){0x00, __VA_ARGS__, 0x0b})
#define ACCEPTS(features, ...)       assert_int_equal(validate_bytes(features, BODY(__VA_ARGS__)), 0)
#define REFUSES(text, features, ...) (assert_int_not_equal(validate_bytes(features, BODY(__VA_ARGS__)), 0), says(text))

static void says(const char *text)
{
    if (strstr(error.text, text) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", text, error.text);
}

static void operands(void **state)
{
    ACCEPTS(0, 0x41, 0x01, 0x41, 0x02, 0x6a, 0x1a);
    REFUSES("type mismatch: expected i32, found i64 (at offset 0x24, function 0)", 0, 0x41, 0x01, 0x42, 0x02, 0x6a,
            0x1a);
    REFUSES("type mismatch: expected i32, found nothing on the stack", 0, 0x41, 0x01, 0x6a, 0x1a);
    REFUSES("type mismatch: 1 values remain on the stack", 0, 0x41, 0x01);
    REFUSES("unknown local 0", 0, 0x20, 0x00, 0x1a);
    REFUSES("unknown label 1", 0, 0x0c, 0x01);
    REFUSES("illegal opcode", 0, 0xff);
    REFUSES("unexpected end of section or function", 0, 0x02, 0x40);
    REFUSES("END opcode expected", 0, 0x0b, 0x01);
    REFUSES("integer representation too long", 0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a);
    REFUSES("unexpected end (at offset 0x21, function 0)", 0, 0x43, 0x00);
    (void)state;
}

/* After an unconditional branch operands come from nowhere, but those that are there count. */
static void unreachable_code(void **state)
{
    ACCEPTS(0, 0x00, 0x6a, 0x1a);
    ACCEPTS(0, 0x00, 0x42, 0x00, 0x7c, 0x1a);
    REFUSES("expected i32, found i64", 0, 0x00, 0x42, 0x00, 0x6a, 0x1a);
    ACCEPTS(0, 0x00, 0x1b, 0x1a);
    ACCEPTS(0, 0x00, 0x28, 0x02, 0x00, 0x1a);
    REFUSES("1 values remain", 0, 0x02, 0x40, 0x00, 0x1b, 0x0b); /* a value of any type is a value */
    (void)state;
}

static void memory_access(void **state)
{
    ACCEPTS(0, 0x41, 0x00, 0x28, 0x02, 0x80, 0x80, 0x04, 0x1a);
    REFUSES("alignment must not be larger than natural", 0, 0x41, 0x00, 0x28, 0x03, 0x00, 0x1a);
    REFUSES("unknown memory 1", ENGINE_FEATURE_MULTI_MEMORY, 0x41, 0x00, 0x28, 0x42, 0x01, 0x00, 0x1a);
    REFUSES("malformed memop flags", 0, 0x41, 0x00, 0x28, 0x80, 0x01, 0x00, 0x1a);
    REFUSES("atomic alignment must be natural", ENGINE_FEATURE_THREADS, 0x41, 0x00, 0xfe, 0x10, 0x01, 0x00, 0x1a);
    (void)state;
}

/* Without a memory there is no address type, also where any operand would do. */
static void no_memory(void **state)
{
    assert_int_not_equal(validate(MODULE_BYTES(0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a, 0x0b,
                                               0x01, 0x09, 0x00, 0x00, 0x1b, 0x28, 0x02, 0x00, 0x1a, 0x00, 0x0b),
                                  0),
                         0);
    says("unknown memory 0");
    module_free(&module);
    (void)state;
}

static void each_feature_by_name(void **state)
{
    REFUSES("feature simd,", 0, 0xfd, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a);
    REFUSES("feature simd,", 0, 0x00, 0x02, 0x7b, 0x00, 0x0b, 0x1a); /* a block type alone, in unreachable code */
    REFUSES("feature tail-call,", 0, 0x12, 0x00);
    REFUSES("feature threads,", 0, 0xfe, 0x03, 0x00);
    REFUSES("feature exceptions,", 0, 0x08, 0x00);
    REFUSES("feature legacy-exceptions,", ENGINE_FEATURE_EXCEPTIONS, 0x06, 0x40, 0x19, 0x0b);
    REFUSES("feature wide-arithmetic,", 0, 0x42, 0, 0x42, 0, 0xfc, 0x15, 0x1a, 0x1a);
    REFUSES("feature function-references,", 0, 0xd0, 0x70, 0xd4, 0x1a);
    REFUSES("feature gc,", 0, 0xd0, 0x6e, 0x1a);
    assert_int_equal(error.code, ENOTSUP);
    (void)state;
}

/* try (catch $t drop) (catch_all rethrow 0); try inside try with delegate; and what is wrong around them. */
static void legacy_exceptions(void **state)
{
    const uint32_t on = ENGINE_FEATURE_LEGACY_EXCEPTIONS;

    ACCEPTS(on, 0x06, 0x40, 0x01, 0x07, 0x00, 0x1a, 0x19, 0x09, 0x00, 0x0b);
    ACCEPTS(on, 0x06, 0x40, 0x06, 0x40, 0x18, 0x00, 0x19, 0x0b);
    ACCEPTS(on, 0x06, 0x40, 0x41, 0x00, 0x08, 0x00, 0x0b);
    REFUSES("values remain", on, 0x06, 0x40, 0x07, 0x00, 0x0b);
    REFUSES("invalid rethrow label", on, 0x06, 0x40, 0x09, 0x00, 0x0b);
    REFUSES("catch without try", on, 0x02, 0x40, 0x19, 0x0b);
    REFUSES("catch without try", on, 0x06, 0x40, 0x19, 0x19, 0x0b);
    REFUSES("delegate without try", on, 0x02, 0x40, 0x18, 0x00);
    REFUSES("unknown label 2", on, 0x06, 0x40, 0x18, 0x02);
    REFUSES("unknown tag 1", on, 0x06, 0x40, 0x07, 0x01, 0x0b);
    (void)state;
}

static void locals_without_default(void **state)
{
    const uint32_t on = ENGINE_FEATURE_FUNCTION_REFERENCES;
    /* (local (ref extern)) used before it is set; after a block that set it, it is unset again */
    const uint8_t unset[] = {0x01, 0x01, 0x64, 0x6f, 0x20, 0x00, 0x1a, 0x0b};
    const uint8_t after[] = {0x01, 0x01, 0x64, 0x6f, 0x02, 0x40, 0x00, 0x21, 0x00,
                             0x20, 0x00, 0x1a, 0x0b, 0x20, 0x00, 0x1a, 0x0b};
    const uint8_t set[] = {0x01, 0x01, 0x64, 0x6f, 0x00, 0x21, 0x00, 0x20, 0x00, 0x1a, 0x0b};

    assert_int_not_equal(validate_bytes(on, unset, sizeof unset), 0);
    says("uninitialized local 0");
    assert_int_not_equal(validate_bytes(on, after, sizeof after), 0);
    says("uninitialized local 0");
    assert_int_equal(validate_bytes(on, set, sizeof set), 0);
    (void)state;
}

/* A million blocks in one another, then a table of as many labels: no recursion, and time in proportion. */
static void deep_and_wide(void **state)
{
    enum { DEPTH = 1000000 };
    struct buf body = {0};
    clock_t begin = clock();
    size_t i;

    buf_put_u8(&body, 0);
    for (i = 0; i < DEPTH; i++)
        buf_put(&body, "\x02\x40", 2);
    buf_put(&body, "\x41\x00\x0e", 3);
    put_count(&body, DEPTH);
    for (i = 0; i <= DEPTH; i++)
        buf_put_u8(&body, 5);
    for (i = 0; i <= DEPTH; i++)
        buf_put_u8(&body, 0x0b);
    assert_int_equal(validate_code(&body, 0), 0);
    assert_true((clock() - begin) / CLOCKS_PER_SEC < 5);
    buf_done(&body);
    (void)state;
}

static void too_many_locals(void **state)
{
    const uint8_t body[] = {0x02, 0xd0, 0x86, 0x03, 0x7f, 0x01, 0x7f, 0x0b}; /* 50,000 and one more */
    assert_int_not_equal(validate_bytes(0, body, sizeof body), 0);
    says("too many locals");
    (void)state;
}

/* Type 2, written like type 0, is the same type; type 1 differs in mutability. */
static void canonical_types(void **state)
{
    assert_int_equal(
        validate(MODULE_BYTES(0x01, 0x0d, 0x03, 0x5f, 0x01, 0x7f, 0x00, 0x5f, 0x01, 0x7f, 0x01, 0x5f, 0x01, 0x7f, 0x00),
                 ENGINE_FEATURE_GC),
        0);
    assert_int_equal(module.types[1].canonical, 1);
    assert_int_equal(module.types[2].canonical, 0);
    module_free(&module);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands),
        cmocka_unit_test(unreachable_code),
        cmocka_unit_test(memory_access),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(each_feature_by_name),
        cmocka_unit_test(legacy_exceptions),
        cmocka_unit_test(locals_without_default),
        cmocka_unit_test(deep_and_wide),
        cmocka_unit_test(too_many_locals),
        cmocka_unit_test(canonical_types),
    };
    return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
