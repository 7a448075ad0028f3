/* What validation tells of loops, by its fast loop and without it. */
#include "engine/loops.h"
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CUSTOM_BYTES = 64 }; /* longer than the end of a module that the fast loop leaves alone */

/* (func (local $a i32) (local $b i32) (local $c f64) (local $d i32)
 *   (loop (drop (local.get $a))
 *     (loop (local.set $b (local.get $b)) (drop (local.get $c))))
 *   (drop (local.get $d)))
 * (func (loop (call 0))) */
static const uint8_t module[] = {
    WASM_HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00,                                     /* type */
    0x03,        0x03, 0x02, 0x00, 0x00,                                                 /* function */
    0x0a,        0x25, 0x02, 0x1b, 0x03, 0x02, 0x7f, 0x01, 0x7c, 0x01, 0x7f, 0x03, 0x40, /* code */
    0x20,        0x00, 0x1a, 0x03, 0x40, 0x20, 0x01, 0x21, 0x01, 0x20, 0x02, 0x1a, 0x0b,
    0x0b,        0x20, 0x03, 0x1a, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x10, 0x00, 0x0b, 0x0b,
};

static struct loops validated(const uint8_t *bytes, size_t len)
{
    struct loops loops = {0};
    struct module m;
    struct err err = {0};
    uint32_t features_used = 0;

    assert_int_equal(module_decode(&m, bytes, len, FEATURES_ALL, &err), 0);
    assert_int_equal(module_validate_declarations(&m, FEATURES_ALL, &err), 0);
    for (int again = 0; again < 2; again++) /* what was there before is emptied */
        assert_int_equal(module_validate_bodies(NULL, &m, FEATURES_ALL, 0, 2, &features_used, &loops, &err), 0);
    module_free(&m);
    return loops;
}

static void assert_local(const struct loops *l, const struct loop_info *loop, uint32_t index, uint32_t local,
                         bool written)
{
    assert_int_equal(l->locals.data[loop->first + index].local, local);
    assert_int_equal(l->locals.data[loop->first + index].written, written);
}

static void check(const uint8_t *bytes, size_t len)
{
    struct loops l = validated(bytes, len);
    const struct loop_info *outer = &l.loops.data[0], *inner = &l.loops.data[1], *caller = &l.loops.data[2];

    assert_int_equal(l.functions.len, 2);
    assert_int_equal(l.functions.data[0], 0);
    assert_int_equal(l.functions.data[1], 2);
    assert_int_equal(l.loops.len, 3);
    assert_int_equal(inner->count, 2);
    assert_local(&l, inner, 0, 1, true);
    assert_local(&l, inner, 1, 2, false);
    assert_int_equal(outer->count, 3); /* the inner loop's weigh more; then vectors; nothing from behind the loop */
    assert_local(&l, outer, 0, 1, true);
    assert_local(&l, outer, 1, 0, false);
    assert_local(&l, outer, 2, 2, false);
    assert_false(outer->calls || inner->calls);
    assert_true(caller->calls);
    assert_int_equal(caller->count, 0);
    loops_done(&l);
}

static void every_rule(void **state)
{
    check(module, sizeof module);
}

static void fast_loop(void **state)
{
    uint8_t bytes[sizeof module + 2 + CUSTOM_BYTES] = {0};

    memcpy(bytes, module, sizeof module);
    bytes[sizeof module + 1] = CUSTOM_BYTES; /* section 0, without a name */
    check(bytes, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule), cmocka_unit_test(fast_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
