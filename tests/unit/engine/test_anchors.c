/* Constants folded past wrapping additions (opt/anchors.c): two loads at distances from one parameter, where the second
 * wraps, ends in the memory, or lies beyond it. Both compilers, with and without explicit checks, must agree. */
#include "base/fd.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "tests/unit/engine/wasm_bytes.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

struct pair { /* load (x + first), then load (x + second) offset=disp */
    uint32_t x;
    int32_t first, second;
    uint32_t disp;
};

static void put_leb(struct buf *b, int64_t value, bool is_signed)
{
    for (;;) {
        uint8_t byte = value & 0x7f;
        bool last;
        value = is_signed ? value >> 7 : (int64_t)((uint64_t)value >> 7);
        last = is_signed ? (value == 0 && (byte & 0x40) == 0) || (value == -1 && (byte & 0x40) != 0) : value == 0;
        buf_put(b, &(uint8_t){(uint8_t)(byte | (last ? 0 : 0x80))}, 1);
        if (last)
            return;
    }
}

static void put_load(struct buf *b, int32_t distance, uint32_t disp)
{
    buf_put(b, "\x20\x00\x41", 3); /* local.get 0, i32.const */
    put_leb(b, distance, true);
    buf_put(b, "\x6a\x2d\x00", 3); /* i32.add, i32.load8_u */
    put_leb(b, disp, false);
}

static void put_module(struct buf *out, const struct pair *p)
{
    static const uint8_t head[] = {WASM_HEADER, 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 3,   2, 1, 0,
                                   5,           3, 1, 0, 1,    7, 5,    1, 1,    'f', 0, 0, 10};
    struct buf body = {0};

    buf_put(&body, "\x00", 1);
    put_load(&body, p->first, 0);
    buf_put(&body, "\x1a", 1); /* drop */
    put_load(&body, p->second, p->disp);
    buf_put(&body, "\x0b", 1);
    buf_put(out, head, sizeof head);
    put_leb(out, (int64_t)body.len + 2, false);
    buf_put(out, "\x01", 1);
    put_leb(out, (int64_t)body.len, false);
    buf_put(out, body.data, body.len);
    buf_done(&body);
}

static enum trap_kind run(const struct pair *p, enum engine_compiler compiler, bool checks, uint32_t *result)
{
    static const uint8_t key[32];
    struct engine_options options = {.compiler = compiler, .explicit_bounds_checks = checks};
    struct artifact_identity identity = {0};
    union vm_value values[2] = {{.i32 = p->x}};
    struct buf module = {0}, artifact = {0};
    struct err err = {0};
    struct store *store;
    struct code *code;
    struct instance *instance;
    struct external func;
    enum trap_kind trap;
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    put_module(&module, p);
    if (engine_compile(module.data, module.len, key, &options, &artifact, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(fd_write_all(fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&store, 0, &err), 0);
    assert_int_equal(code_map(fd, &identity, &code, &err), 0);
    assert_int_equal(instance_new(store, code, fd, NULL, &instance, &err), 0);
    for (uint32_t i = 0; i < 65536; i++)
        instance->vm.memory0_base[i] = (uint8_t)(i * 7 + i / 256);
    assert_true(instance_export(instance, (struct name){"f", 1}, &func));
    trap = call_func(store, func.func, values);
    *result = trap == TRAP_NONE ? values[0].i32 : 0;
    store_free(store);
    code_unmap(code);
    close(fd);
    buf_done(&module);
    buf_done(&artifact);
    return trap;
}

static const struct {
    struct pair pair;
    bool traps;
} cases[] = {
    {{100, 8, 16, 0}, false},
    {{100, 16, 8, 4}, false},
    {{100, 0, 65435, 0}, false},
    {{100, 0, 65436, 0}, true},
    {{(uint32_t)-16, 16, 20, 0}, false}, /* both wrap */
    {{(uint32_t)-16, 16, 0, 0}, true},   /* the first wraps, the second is just below 4 GiB */
    {{(uint32_t)-16, 16, 8, 32}, true},  /* the same; its displacement does not lead back into the memory */
    {{(uint32_t)-16, 16, -(16 << 20), 1 << 25}, true},
    {{0, 0, -(16 << 20), 0}, true},
    {{0, 0, -(16 << 20) - 1, 0}, true},
    {{0, 0, 16 << 20, 0}, true},
    {{65535, 0, 1, 0}, true},
    {{65535, 0, INT32_MIN, 0}, true},
    {{65535, 0, -65535, 65535}, false},
};

static void constants_fold_as_if_they_wrapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t wanted, got;
        enum trap_kind trap = run(&cases[i].pair, ENGINE_BASELINE, false, &wanted);
        assert_int_equal(trap, cases[i].traps ? TRAP_MEMORY_OUT_OF_BOUNDS : TRAP_NONE);
        for (int checks = 0; checks < 2; checks++) {
            assert_int_equal(run(&cases[i].pair, ENGINE_OPTIMIZING, checks, &got), trap);
            assert_int_equal(got, wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(constants_fold_as_if_they_wrapped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
