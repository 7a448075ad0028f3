/* memory.copy and memory.fill of few bytes, which both compilers move in place, the optimizing one also if their number is
 * no constant: against memmove and memset, overlapping, at the memory's end, and just beyond it, where nothing may have
 * been written. */
#include "base/fd.h"
#include "engine/opcodes.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "tests/unit/engine/wasm_bytes.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { PAGE = 65536, BYTE = 0x5a };

/* (memory 1) (func (export "f") (param $a i32) (param $b i32)
 *   (memory.copy (local.get $a) (local.get $b) (i32.const COUNT))), or
 *   (memory.fill (local.get $a) (i32.const BYTE) (i32.const COUNT))); COUNT in two bytes */
static const uint8_t copy_module[] = {
    WASM_HEADER, 0x01, 0x06, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x00, /* type */
    0x03,        0x02, 0x01, 0x00,                               /* function */
    0x05,        0x03, 0x01, 0x00, 0x01,                         /* memory */
    0x07,        0x05, 0x01, 0x01, 'f',  0x00, 0x00,             /* export */
    0x0a,        0x0f, 0x01, 0x0d, 0x00, 0x20, 0x00, 0x20, 0x01, 0x41, 0x80, 0x00, 0xfc, 0x0a, 0x00, 0x00, 0x0b,
};
static const uint8_t fill_module[] = {
    WASM_HEADER, 0x01, 0x06, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x00, /* type */
    0x03,        0x02, 0x01, 0x00,                               /* function */
    0x05,        0x03, 0x01, 0x00, 0x01,                         /* memory */
    0x07,        0x05, 0x01, 0x01, 'f',  0x00, 0x00,             /* export */
    0x0a,        0x0f, 0x01, 0x0d, 0x00, 0x20, 0x00, 0x41, 0xda, 0x00, 0x41, 0x80, 0x00, 0xfc, 0x0b, 0x00, 0x0b,
};
/* (memory 1) (func (export "f") (param $a i32) (param $b i32) (param $c i32)
 *   (memory.copy (local.get $a) (local.get $b) (local.get $c))) */
static const uint8_t copy_unknown_module[] = {
    WASM_HEADER, 0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00, /* type */
    0x03,        0x02, 0x01, 0x00,                                     /* function */
    0x05,        0x03, 0x01, 0x00, 0x01,                               /* memory */
    0x07,        0x05, 0x01, 0x01, 'f',  0x00, 0x00,                   /* export */
    0x0a,        0x0e, 0x01, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x00, 0x0b,
};
/* The same with (memory.fill (local.get $a) (local.get $b) (local.get $c)): of $b the lowest byte counts. */
static const uint8_t fill_unknown_module[] = {
    WASM_HEADER, 0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00, /* type */
    0x03,        0x02, 0x01, 0x00,                                     /* function */
    0x05,        0x03, 0x01, 0x00, 0x01,                               /* memory */
    0x07,        0x05, 0x01, 0x01, 'f',  0x00, 0x00,                   /* export */
    0x0a,        0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0b, 0x00, 0x0b,
};

struct running {
    struct store *store;
    struct code *code;
    uint8_t *memory;
    struct external func;
    int fd;
};

static void start(struct running *r, enum engine_compiler compiler, const uint8_t *module, size_t len)
{
    static const uint8_t key[32];
    const struct engine_options options = {.compiler = compiler};
    struct artifact_identity identity = {0};
    struct buf artifact = {0};
    struct err err = {0};
    struct instance *instance;

    if (engine_compile(module, len, key, &options, &artifact, &err) != 0)
        fail_msg("%s", err.text);
    r->fd = memfd_create("artifact", MFD_CLOEXEC);
    assert_int_equal(fd_write_all(r->fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&r->store, 0, &err), 0);
    assert_int_equal(code_map(r->fd, &identity, &r->code, &err), 0);
    assert_int_equal(instance_new(r->store, r->code, r->fd, NULL, &instance, &err), 0);
    assert_true(instance_export(instance, (struct name){"f", 1}, &r->func));
    r->memory = instance->vm.memory0_base;
    buf_done(&artifact);
}

/* With the constant COUNT in its two bytes. */
static void start_with(struct running *r, enum engine_compiler compiler, const uint8_t *bytes, size_t len,
                       unsigned count)
{
    uint8_t module[sizeof copy_module + sizeof fill_module], *at = module + len - (bytes[len - 3] == 0x0b ? 6 : 7);

    memcpy(module, bytes, len);
    assert_int_equal(at[0], 0x80);
    at[0] = (uint8_t)(0x80 | (count & 0x7f));
    at[1] = (uint8_t)(count >> 7);
    start(r, compiler, module, len);
}

static void stop(struct running *r)
{
    store_free(r->store);
    code_unmap(r->code);
    close(r->fd);
}

static void shuffle(uint8_t *memory)
{
    for (unsigned i = 0; i < PAGE; i++)
        memory[i] = (uint8_t)(i * 7 + i / 256);
}

/* The same in EXPECTED, or a trap and no change. */
static void check(struct running *r, bool fill, uint32_t to, uint32_t from, unsigned count)
{
    static uint8_t expected[PAGE];
    union vm_value values[3] = {{.i32 = to}, {.i32 = from}, {.i32 = count}};
    bool fits = (uint64_t)to + count <= PAGE && (fill || (uint64_t)from + count <= PAGE);

    shuffle(r->memory);
    memcpy(expected, r->memory, PAGE);
    if (fits && fill)
        memset(expected + to, BYTE, count);
    else if (fits)
        memmove(expected + to, expected + from, count);
    assert_int_equal(call_func(r->store, r->func.func, values), fits ? TRAP_NONE : TRAP_MEMORY_OUT_OF_BOUNDS);
    if (memcmp(expected, r->memory, PAGE) != 0)
        fail_msg("%s of %u bytes to %u from %u", fill ? "fill" : "copy", count, to, from);
}

static void check_copies(struct running *r, unsigned count)
{
    for (int distance = -20; distance <= 20; distance++)
        check(r, false, 1000, (uint32_t)(1000 + distance), count);
    check(r, false, PAGE - count, 0, count);
    check(r, false, 0, PAGE - count, count);
    for (uint32_t beyond = 1; beyond <= count + 1; beyond += 5) {
        check(r, false, PAGE - count + beyond, 100, count);
        check(r, false, 100, PAGE - count + beyond, count);
    }
    check(r, false, UINT32_MAX, 100, count);
    check(r, false, 100, UINT32_MAX, count);
}

enum { COUNT_MOST = 70 };

static void copies(void **state)
{
    for (unsigned n = 0; n <= COUNT_MOST * 2 + 1; n++) {
        struct running r;
        start_with(&r, n % 2 == 0 ? ENGINE_BASELINE : ENGINE_OPTIMIZING, copy_module, sizeof copy_module, n / 2);
        check_copies(&r, n / 2);
        stop(&r);
    }
}

static void copies_of_any_length(void **state)
{
    struct running r;

    start(&r, ENGINE_OPTIMIZING, copy_unknown_module, sizeof copy_unknown_module);
    for (unsigned count = 0; count <= COUNT_MOST; count++)
        check_copies(&r, count);
    stop(&r);
}

static void check_fills(struct running *r, unsigned count)
{
    const uint32_t value = 0x765400 | BYTE;

    check(r, true, 1000, value, count);
    check(r, true, PAGE - count, value, count);
    for (uint32_t beyond = 1; beyond <= count + 1; beyond += 5)
        check(r, true, PAGE - count + beyond, value, count);
    check(r, true, UINT32_MAX, value, count);
}

static void fills(void **state)
{
    for (unsigned n = 0; n <= COUNT_MOST * 2 + 1; n++) {
        struct running r;
        start_with(&r, n % 2 == 0 ? ENGINE_BASELINE : ENGINE_OPTIMIZING, fill_module, sizeof fill_module, n / 2);
        check_fills(&r, n / 2);
        stop(&r);
    }
}

static void fills_of_any_length(void **state)
{
    struct running r;

    start(&r, ENGINE_OPTIMIZING, fill_unknown_module, sizeof fill_unknown_module);
    for (unsigned count = 0; count <= COUNT_MOST; count++)
        check_fills(&r, count);
    stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(copies), cmocka_unit_test(copies_of_any_length),
                                       cmocka_unit_test(fills), cmocka_unit_test(fills_of_any_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
