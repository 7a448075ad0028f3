/* Sites in four bytes each (gen/site.h): what goes in comes out, over every border of a block. */
#include "engine/gen/code.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct site_list list_of(const struct code_object *o)
{
    return (struct site_list){o->site_blocks.data, o->site_blocks.len, o->sites.data, o->sites.len};
}

static void assert_site(struct site a, struct site b)
{
    assert_int_equal(a.pc, b.pc);
    assert_int_equal(a.wasm_offset, b.wasm_offset);
    assert_int_equal(a.kind, b.kind);
}

/* Short and long ways between sites, forwards and backwards in the module, several at one pc. */
static void test_all_come_back(void **state)
{
    static const uint32_t pcs[] = {3, 0, 17, 8191, 8192, 8193, 100000, 1, 1u << 30};
    static const int32_t offsets[] = {1, -1, 100, 8191, 8192, -8192, -8193, 1 << 20, -(1 << 20)};
    enum { COUNT = 3000 };
    static struct site all[COUNT];
    struct code_object o = {0};
    struct site_cursor cursor;
    struct site now = {5, 1u << 29, TRAP_NONE}, out;

    for (unsigned i = 0; i < COUNT; i++) {
        if (now.pc < 1u << 30)
            now.pc += pcs[i * 7 % (i % 100 == 99 ? 9 : 6)];
        now.wasm_offset += (uint32_t)offsets[i * 5 % (i % 10 == 9 ? 9 : 3)];
        now.kind = (enum trap_kind)(i % TRAP_COUNT);
        all[i] = now;
        code_add_site(&o, now, 0);
    }
    assert_in_range(o.site_blocks.len, 2, COUNT - 1);
    cursor = site_find(list_of(&o), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(site_next(&cursor, &out));
        assert_site(out, all[i]);
    }
    assert_false(site_next(&cursor, &out));
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned first = i;
        while (first != 0 && all[first - 1].pc == all[i].pc)
            first--;
        cursor = site_find(list_of(&o), all[i].pc);
        assert_true(site_next(&cursor, &out));
        assert_site(out, all[first]);
    }
    cursor = site_find(list_of(&o), all[COUNT - 1].pc + 1);
    assert_false(site_next(&cursor, &out));
    code_object_done(&o);
}

static void test_none(void **state)
{
    struct site_cursor cursor = site_find((struct site_list){0}, 7);
    struct site out;

    assert_false(site_next(&cursor, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_come_back), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
