/* Casts along a chain of supertypes longer than a type's row holds, from and to every type of it, and to a side branch. */
#include "base/fd.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "tests/unit/engine/wasm_bytes.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

/* Types: CHAIN structures, each the next one's supertype, the last one final; one more below the one of BRANCH. */
enum { CHAIN = 12, BRANCH = 5, SIDE = CHAIN, STRUCTS, FUNC = STRUCTS };

static void put(struct buf *out, const char *hex)
{
    unsigned byte;
    int len;

    for (; sscanf(hex, "%x%n", &byte, &len) == 1; hex += len)
        buf_put_u8(out, (uint8_t)byte);
}

/* A section or body with its size in five bytes. */
static void put_sized(struct buf *out, const struct buf *content)
{
    for (unsigned i = 0; i < 5; i++)
        buf_put_u8(out, (uint8_t)((content->len >> 7 * i & 0x7f) | (i < 4 ? 0x80 : 0)));
    buf_put(out, content->data, content->len);
}

static void put_types(struct buf *out)
{
    buf_put_u8(out, FUNC + 1);
    put(out, "50 00 5f 00");
    for (unsigned i = 1; i < CHAIN; i++) {
        buf_put_u8(out, i == CHAIN - 1 ? 0x4f : 0x50);
        buf_put_u8(out, 1);
        buf_put_u8(out, (uint8_t)(i - 1));
        put(out, "5f 00");
    }
    put(out, "50 01");
    buf_put_u8(out, BRANCH);
    put(out, "5f 01 7f 00 60 00 00");
}

static bool is_subtype(unsigned sub, unsigned super)
{
    if (sub == SIDE || super == SIDE)
        return sub == super || (sub == SIDE && super <= BRANCH);
    return super <= sub;
}

/* unreachable unless the i32 on the stack is EXPECTED */
static void put_check(struct buf *out, bool expected)
{
    buf_put_u8(out, 0x41);
    buf_put_u8(out, expected);
    put(out, "47 04 40 00 0b");
}

static void put_tests(struct buf *out, uint8_t made, uint8_t wanted)
{
    bool expected = is_subtype(made, wanted);

    put(out, "fb 01"); /* ref.test */
    buf_put_u8(out, made);
    put(out, "fb 14");
    buf_put_u8(out, wanted);
    put_check(out, expected);
    put(out, "02 7f 02 64"); /* (block (result i32) (block (result (ref wanted)) (br_on_cast 0 ...) ... */
    buf_put_u8(out, wanted);
    put(out, "fb 01");
    buf_put_u8(out, made);
    put(out, "fb 18 00 00 6e");
    buf_put_u8(out, wanted);
    put(out, "1a 41 00 0c 01 0b 1a 41 01 0b");
    put_check(out, expected);
    if (expected) {
        put(out, "fb 01"); /* ref.cast */
        buf_put_u8(out, made);
        put(out, "fb 16");
        buf_put_u8(out, wanted);
        put(out, "1a");
    }
}

static void put_section(struct buf *out, uint8_t id, struct buf *content)
{
    buf_put_u8(out, id);
    put_sized(out, content);
    buf_done(content);
}

static void make_module(struct buf *out)
{
    struct buf types = {0}, functions = {0}, exports = {0}, code = {0}, body = {0};

    put(out, "00 61 73 6d 01 00 00 00");
    put_types(&types);
    put_section(out, 1, &types);
    put(&functions, "01");
    buf_put_u8(&functions, FUNC);
    put_section(out, 3, &functions);
    put(&exports, "01 01 66 00 00");
    put_section(out, 7, &exports);
    put(&body, "00");
    for (uint8_t made = 0; made < STRUCTS; made++)
        for (uint8_t wanted = 0; wanted < STRUCTS; wanted++)
            put_tests(&body, made, wanted);
    put(&body, "0b");
    put(&code, "01");
    put_sized(&code, &body);
    buf_done(&body);
    put_section(out, 10, &code);
}

static void test_chain(void **state)
{
    static const uint8_t key[32];
    struct engine_options options = {0};
    struct artifact_identity identity = {0};
    struct buf module = {0}, artifact = {0};
    struct err err = {0};
    struct store *store;
    struct code *code;
    struct instance *instance;
    struct external func;
    union vm_value value;
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    make_module(&module);
    if (engine_compile(module.data, module.len, key, &options, &artifact, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(fd_write_all(fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&store, 0, &err), 0);
    assert_int_equal(code_map(fd, &identity, &code, &err), 0);
    assert_int_equal(instance_new(store, code, fd, NULL, &instance, &err), 0);
    assert_true(instance_export(instance, (struct name){"f", 1}, &func));
    assert_int_equal(call_func(store, func.func, &value), TRAP_NONE);
    store_free(store);
    code_unmap(code);
    close(fd);
    buf_done(&artifact);
    buf_done(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
