/* Functions over the cores: whatever their number, the artifact and the error are the same. */
#include "base/buf.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { FUNCTIONS = 6000, OPERATIONS = 60, NONE = -1 };

static void put_u32(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)v);
}

static void put_section(struct buf *out, uint8_t id, struct buf *content)
{
    buf_put_u8(out, id);
    put_u32(out, (uint32_t)content->len);
    buf_put(out, content->data, content->len);
    content->len = 0;
}

/* (i32) -> i32: some arithmetic, a division (a trap site), a call of another function, near or far. */
static void put_body(struct buf *section, uint32_t index, bool valid)
{
    static const uint8_t add[] = {0x20, 0x00, 0x41, 0x03, 0x6d, 0x6a};
    struct buf body = {0};

    put_u32(&body, 0);
    buf_put(&body, "\x41\x01", valid ? 2 : 0);
    for (int i = 0; i < OPERATIONS; i++)
        buf_put(&body, add, sizeof add);
    buf_put_u8(&body, 0x10);
    put_u32(&body, (index * 2654435761u) % FUNCTIONS);
    buf_put_u8(&body, 0x0b);
    put_u32(section, (uint32_t)body.len);
    buf_put(section, body.data, body.len);
    buf_done(&body);
}

/* A module whose functions INVALID and later are not valid. */
static struct buf module_with(int invalid)
{
    struct buf out = {0}, s = {0};

    buf_put(&out, "\0asm\1\0\0\0", 8);
    buf_put(&s, "\x01\x60\x01\x7f\x01\x7f", 6);
    put_section(&out, 1, &s);
    put_u32(&s, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        put_u32(&s, 0);
    put_section(&out, 3, &s);
    put_u32(&s, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        put_body(&s, i, invalid == NONE || i < (uint32_t)invalid);
    put_section(&out, 10, &s);
    buf_done(&s);
    return out;
}

static int compile(const struct buf *module, unsigned cores, struct buf *artifact, struct err *err)
{
    static const uint8_t key[32];
    const struct engine_options options = {.cores = cores};

    return engine_compile(module->data, module->len, key, &options, artifact, err);
}

static void test_same_artifact(void **state)
{
    struct buf module = module_with(NONE), first = {0};
    struct err err = {0};

    assert_int_equal(compile(&module, 1, &first, &err), 0);
    for (unsigned cores = 2; cores <= 8; cores++) {
        struct buf other = {0};
        assert_int_equal(compile(&module, cores, &other, &err), 0);
        assert_int_equal(other.len, first.len);
        assert_memory_equal(other.data, first.data, first.len);
        buf_done(&other);
    }
    buf_done(&first);
    buf_done(&module);
}

static void test_same_error(void **state)
{
    struct buf module = module_with(4321), artifact = {0};
    struct err first = {0}, other = {0};

    assert_int_equal(compile(&module, 1, &artifact, &first), -EINVAL);
    assert_non_null(strstr(first.text, "function 4321"));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(compile(&module, 4, &artifact, &other), -EINVAL);
        assert_string_equal(first.text, other.text);
    }
    buf_done(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_artifact), cmocka_unit_test(test_same_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
