/* Arithmetic whose second operand is loaded, with the result in the local that is the load's address (found by SQLite). */
#include "engine/opcodes.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "base/fd.h"
#include "tests/unit/engine/wasm_bytes.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

/* (memory 1) (func (export "f") (param $a i32) (param $p i32) (result i32)
 *   (local.set $p (OPERATION (local.get $a) (i32.load (local.get $p)))) (local.get $p)) */
static const uint8_t module[] = {
    WASM_HEADER, 0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, /* type */
    0x03,        0x02, 0x01, 0x00,                                     /* function */
    0x05,        0x03, 0x01, 0x00, 0x01,                               /* memory */
    0x07,        0x05, 0x01, 0x01, 'f',  0x00, 0x00,                   /* export */
    0x0a,        0x10, 0x01, 0x0e, 0x00, 0x20, 0x00, 0x20, 0x01, 0x28, 0x02, 0x00, 0x6a, 0x21, 0x01, 0x20, 0x01, 0x0b,
};

static uint32_t run(uint8_t operation, bool explicit_bounds_checks)
{
    static const uint8_t key[32];
    struct engine_options options = {.explicit_bounds_checks = explicit_bounds_checks};
    struct artifact_identity identity = {0};
    union vm_value values[2] = {{.i32 = 100000}, {.i32 = 16}};
    uint8_t bytes[sizeof module];
    struct buf artifact = {0};
    struct err err = {0};
    struct store *store;
    struct code *code;
    struct instance *instance;
    struct external func;
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    memcpy(bytes, module, sizeof bytes);
    assert_int_equal(bytes[sizeof bytes - 6], 0x6a);
    bytes[sizeof bytes - 6] = operation;
    if (engine_compile(bytes, sizeof bytes, key, &options, &artifact, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(fd_write_all(fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&store, 0, &err), 0);
    assert_int_equal(code_map(fd, &identity, &code, &err), 0);
    assert_int_equal(instance_new(store, code, fd, NULL, &instance, &err), 0);
    memcpy(instance->vm.memory0_base + 16, &(uint32_t){7}, 4);
    assert_true(instance_export(instance, (struct name){"f", 1}, &func));
    assert_int_equal(call_func(store, func.func, values), TRAP_NONE);
    store_free(store);
    code_unmap(code);
    close(fd);
    buf_done(&artifact);
    return values[0].i32;
}

static void result_over_the_address(void **state)
{
    for (int checks = 0; checks < 2; checks++) {
        assert_int_equal(run(0x6a, checks), 100007);
        assert_int_equal(run(0x6b, checks), 99993);
        assert_int_equal(run(0x6c, checks), 700000);
        assert_int_equal(run(0x71, checks), 100000 & 7);
        assert_int_equal(run(0x72, checks), 100000 | 7);
        assert_int_equal(run(0x73, checks), 100000 ^ 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(result_over_the_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
