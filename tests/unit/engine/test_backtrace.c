/* A backtrace names functions and offsets, not frames: what the optimizing compiler has inlined is in it as if it had been
 * called. The baseline compiler, which inlines nothing, says what is right. */
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tests/unit/engine/machine.h"

#define NOPS_10  1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define NOPS_50  NOPS_10, NOPS_10, NOPS_10, NOPS_10, NOPS_10
#define NOPS_170 NOPS_50, NOPS_50, NOPS_50, NOPS_10, NOPS_10 /* nobody inlines a body with these */

/* clang-format off */
static const uint8_t module[] = {
    WASM_HEADER,
    1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,
    3, 10, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 4, 1, 0x70, 0, 1,
    5, 3, 1, 0, 1,
    7, 5, 1, 1, 'f', 0, 3,
    10, 0xd8, 3, 9,
    7, 0, 0x20, 0, 0x28, 2, 0, 0x0b,                            /* 0: loads */
    9, 0, 0x20, 0, 0x41, 4, 0x6a, 0x10, 0, 0x0b,                /* 1: calls 0 with 4 more */
    7, 0, 0x41, 7, 0x20, 0, 0x6d, 0x0b,                         /* 2: 7 divided by it */
    63, 0, 2, 0x40, 2, 0x40, 2, 0x40, 2, 0x40, 2, 0x40, 2, 0x40,/* 3: does what the parameter says: */
        0x20, 0, 0x0e, 5, 0, 1, 2, 3, 4, 5,
        0x0b, 0x41, 0x78, 0x10, 1, 0x0f,                        /* calls 1 */
        0x0b, 0x41, 0, 0x10, 2, 0x0f,                           /* calls 2 */
        0x0b, 0x41, 0x78, 0x10, 4, 0x0f,                        /* calls 4 */
        0x0b, 0x41, 0x78, 0x10, 6, 0x28, 2, 0, 0x0f,            /* calls 6 and loads */
        0x0b, 0x41, 0xe3, 0, 0x10, 7, 0x0f,                     /* calls 7 */
        0x0b, 0x41, 0, 0x10, 8, 0x0b,                           /* calls 8 */
    6, 0, 0x20, 0, 0x12, 5, 0x0b,                               /* 4: tail calls 5 */
    0xb1, 1, 0, NOPS_170, 0x20, 0, 0x28, 2, 0, 0x0b,            /* 5: loads */
    0xae, 1, 0, NOPS_170, 0x20, 0, 0x0b,                        /* 6: returns its parameter */
    9, 0, 0x20, 0, 0x20, 0, 0x11, 0, 0, 0x0b,                   /* 7: calls the element that it is told */
    8, 0, 0x20, 0, 0xd0, 0, 0x15, 0, 0x0b,                      /* 8: tail calls null */
};
/* clang-format on */

/* Returns how many frames there were on the stack. */
static uint32_t trap(enum engine_compiler compiler, uint32_t what, enum trap_kind *kind, struct buf *text)
{
    union vm_value values[1] = {{.i32 = what}};
    struct machine m;
    uint32_t frames;

    machine_start(&m, module, sizeof module, compiler);
    *kind = call_func(m.store, m.func.func, values);
    backtrace_print(m.store, text);
    frames = m.store->frame_count;
    machine_stop(&m);
    return frames;
}

static void test_same_backtraces(void **state)
{
    static const struct {
        enum trap_kind kind;
        uint32_t functions, frames; /* named, and on the stack of optimized code */
    } expected[] = {
        {TRAP_MEMORY_OUT_OF_BOUNDS, 3, 1}, {TRAP_INTEGER_DIVIDE_BY_ZERO, 2, 1}, {TRAP_MEMORY_OUT_OF_BOUNDS, 2, 2},
        {TRAP_MEMORY_OUT_OF_BOUNDS, 1, 1}, {TRAP_TABLE_OUT_OF_BOUNDS, 2, 1},    {TRAP_NULL_REFERENCE, 2, 1},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct buf baseline = {0}, optimized = {0};
        enum trap_kind kind;
        assert_int_equal(trap(ENGINE_BASELINE, i, &kind, &baseline), expected[i].functions);
        assert_int_equal(kind, expected[i].kind);
        assert_int_equal(trap(ENGINE_OPTIMIZING, i, &kind, &optimized), expected[i].frames);
        assert_int_equal(kind, expected[i].kind);
        assert_string_equal(buf_cstr(&optimized), buf_cstr(&baseline));
        buf_done(&baseline);
        buf_done(&optimized);
    }
}

/* Two levels of inlining and the function, to the byte. */
static void test_says_where(void **state)
{
    struct buf text = {0};
    enum trap_kind kind;

    (void)state;
    trap(ENGINE_OPTIMIZING, 0, &kind, &text);
    assert_string_equal(buf_cstr(&text), "   0: function 0 (at 0x36)\n"
                                         "   1: function 1 (at 0x41)\n"
                                         "   2: function 3 (at 0x67)\n");
    buf_done(&text);
}

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

enum { CALLERS = 1000 };

/* So many functions, which divide and call the first, which divides too, that they are compiled in several parts; every other one
 * neither calls nor divides. */
static void put_module_of_parts(struct buf *out)
{
    static const uint8_t divide[] = {0x00, 0x41, 0x07, 0x20, 0x00, 0x6d, 0x0b}, nops[] = {NOPS_170};
    static const uint8_t divide_and_call[] = {0x41, 0x07, 0x20, 0x00, 0x6d, 0x20, 0x00,
                                              0x41, 0x01, 0x6b, 0x10, 0x00, 0x6a, 0x0b};
    struct buf s = {0};

    buf_put(out, module, 8);
    buf_put(&s, "\x01\x60\x01\x7f\x01\x7f", 6);
    put_section(out, 1, &s);
    put_u32(&s, CALLERS + 1);
    for (uint32_t i = 0; i <= CALLERS; i++)
        put_u32(&s, 0);
    put_section(out, 3, &s);
    buf_put(&s,
            "\x01\x01"
            "f\x00",
            4);
    put_u32(&s, CALLERS);
    put_section(out, 7, &s);
    put_u32(&s, CALLERS + 1);
    put_u32(&s, sizeof divide);
    buf_put(&s, divide, sizeof divide);
    for (uint32_t i = 1; i <= CALLERS; i++) {
        bool calls = i % 2 == 0;
        put_u32(&s, (uint32_t)(1 + sizeof nops + (calls ? sizeof divide_and_call : 3)));
        put_u32(&s, 0);
        buf_put(&s, nops, sizeof nops);
        if (calls)
            buf_put(&s, divide_and_call, sizeof divide_and_call);
        else
            buf_put(&s, "\x20\x00\x0b", 3);
    }
    put_section(out, 10, &s);
    buf_done(&s);
}

/* The last function of the last part: what parts are joined must not lose count. */
static void test_joined_parts(void **state)
{
    struct buf module_of_parts = {0}, text = {0};
    union vm_value values[1] = {{.i32 = 1}};
    uint32_t last = CALLERS, at;
    char expected[128];
    struct machine m;

    (void)state;
    put_module_of_parts(&module_of_parts);
    at = (uint32_t)module_of_parts.len;
    machine_start(&m, module_of_parts.data, module_of_parts.len, ENGINE_OPTIMIZING);
    assert_int_equal(call_func(m.store, m.func.func, values), TRAP_INTEGER_DIVIDE_BY_ZERO);
    backtrace_print(m.store, &text);
    snprintf(expected, sizeof expected, "   0: function 0 (at 0x%x)\n   1: function %u (at 0x%x)\n",
             at - CALLERS / 2 * (3 + 170 + 14) - CALLERS / 2 * (3 + 170 + 3) - 2, last, at - 4);
    assert_string_equal(buf_cstr(&text), expected);
    buf_done(&text);
    values[0].i32 = 0;
    assert_int_equal(call_func(m.store, m.func.func, values), TRAP_INTEGER_DIVIDE_BY_ZERO);
    backtrace_print(m.store, &text);
    snprintf(expected, sizeof expected, "   0: function %u (at 0x%x)\n", last, at - 10);
    assert_string_equal(buf_cstr(&text), expected);
    machine_stop(&m);
    buf_done(&text);
    buf_done(&module_of_parts);
}

/* Whatever a damaged artifact says, there is an end to it, and nothing outside is read. */
static void test_damaged_tables(void **state)
{
    static const uint8_t bytes[64];
    static const uint32_t entries[] = {0, sizeof bytes};
    struct code_object sites = {0};
    struct code_inlining inlinings[] = {{7, {1, 1}},  {8, {2, 3}},  {9, {3, 99}},
                                        {10, {4, 0}}, {11, {5, 4}}, {12, {6, 5}}};
    static const uint32_t numbers[] = {1, 2, 3, 6, 7, UINT32_MAX}, counts[] = {1, 1, 1, 4, 1, 1};
    struct code_place places[8];
    struct code code = {0};

    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        code_add_site(&sites, (struct site){i, 100 + i, TRAP_UNREACHABLE}, numbers[i]);
    code.artifact.code = bytes, code.artifact.code_count = sizeof bytes;
    code.artifact.entries = entries, code.artifact.entries_count = 2;
    code.artifact.funcs_count = 1;
    code.artifact.site_blocks = sites.site_blocks.data, code.artifact.site_blocks_count = sites.site_blocks.len;
    code.artifact.sites = sites.sites.data, code.artifact.sites_count = sites.sites.len;
    code.artifact.inlined_sites = sites.inlined_sites.data, code.artifact.inlined_sites_count = sites.inlined_sites.len;
    code.artifact.inlinings = inlinings, code.artifact.inlinings_count = 6;
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(code_locate(&code, bytes + i, true, places, 8), counts[i]);
    assert_int_equal(code_locate(&code, bytes + 3, true, places, 8), 4);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(places[i].func, 12 - i);
    assert_int_equal(places[0].wasm_offset, 103);
    assert_int_equal(places[1].wasm_offset, 6);
    assert_int_equal(places[3].func, 0);
    assert_int_equal(code_locate(&code, bytes + 3, true, places, 2), 2);
    assert_int_equal(code_locate(&code, bytes + 3, false, places, 8), 1);
    assert_int_equal(places[0].wasm_offset, 0);
    code_object_done(&sites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_backtraces),
        cmocka_unit_test(test_says_where),
        cmocka_unit_test(test_joined_parts),
        cmocka_unit_test(test_damaged_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
