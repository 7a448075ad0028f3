/* Divisions by constants (engine/opt/divide.c): quotients and remainders, unsigned and signed, of the dividends around each
 * multiple's edges, as the machine divides. */
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include "tests/unit/engine/machine.h"

static void put_s32(struct buf *b, int32_t value)
{
    for (; value < -64 || value > 63; value >>= 7)
        buf_put_u8(b, (uint8_t)(value | 0x80));
    buf_put_u8(b, (uint8_t)(value & 0x7f));
}

/* (x) -> (x div_s d, x div_u d, x rem_s d, x rem_u d) */
static void put_module(struct buf *out, int32_t divisor)
{
    static const uint8_t head[] = {WASM_HEADER, 1, 9, 1, 0x60, 1, 0x7f, 4, 0x7f, 0x7f, 0x7f, 0x7f,
                                   3,           2, 1, 0, 7,    5, 1,    1, 'f',  0,    0,    10};
    struct buf body = {0};

    buf_put_u8(&body, 0);
    for (uint8_t op = 0x6d; op <= 0x70; op++) { /* div_s, div_u, rem_s, rem_u */
        buf_put(&body, "\x20\x00\x41", 3);
        put_s32(&body, divisor);
        buf_put_u8(&body, op);
    }
    buf_put_u8(&body, 0x0b);
    buf_put(out, head, sizeof head);
    buf_put_u8(out, (uint8_t)(body.len + 2));
    buf_put_u8(out, 1);
    buf_put_u8(out, (uint8_t)body.len);
    buf_put(out, body.data, body.len);
    buf_done(&body);
}

static void divide(struct machine *m, uint32_t x, int32_t divisor)
{
    union vm_value values[4] = {{.i32 = x}};
    const uint32_t u = (uint32_t)divisor;
    const int32_t s = (int32_t)x;

    assert_int_equal(call_func(m->store, m->func.func, values), TRAP_NONE);
    if ((int32_t)values[0].i32 != s / divisor || values[1].i32 != x / u || (int32_t)values[2].i32 != s % divisor ||
        values[3].i32 != x % u)
        fail_msg("%u divided by %d: %d %u %d %u", x, divisor, (int32_t)values[0].i32, values[1].i32,
                 (int32_t)values[2].i32, values[3].i32);
}

static void quotients_are_exact(void **state)
{
    static const int32_t divisors[] = {
        2,     3,  -3,  5,    6,        7,     -7,         9,          10,   -10,     11,          12,       14,
        25,    28, 60,  100,  125,      192,   625,        641,        1000, 3600,    -8,          4096,     65535,
        65537, -2, 127, 1009, 14 << 20, 86400, 1000000000, 2147483647, 1,    1 << 30, -2147483647, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof divisors / sizeof divisors[0]; i++) {
        const uint32_t u = (uint32_t)divisors[i];
        struct buf module = {0};
        struct machine m;
        put_module(&module, divisors[i]);
        machine_start(&m, module.data, module.len, ENGINE_OPTIMIZING);
        buf_done(&module);
        for (uint32_t k = 0; k < 300; k++) {
            uint32_t near = k * (UINT32_MAX / 300) / u * u; /* a multiple, and its neighbours */
            for (uint32_t d = 0; d < 3; d++)
                divide(&m, near + d - 1, divisors[i]);
            divide(&m, k - 150, divisors[i]);
            divide(&m, (uint32_t)INT32_MAX - 150 + k, divisors[i]);
        }
        machine_stop(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotients_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
