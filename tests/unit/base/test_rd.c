/* LEB128 reading at its edges: the rules of the core specification's binary integers. */
#include "base/rd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void reads_unsigned_limits(void **state)
{
    struct rd r = rd_over("\xff\xff\xff\xff\x0f", 5);
    assert_int_equal(rd_uleb32(&r), UINT32_MAX);
    assert_null(r.fault);
    r = rd_over("\xff\xff\xff\xff\x1f", 5);
    rd_uleb32(&r);
    assert_string_equal(r.fault, "integer too large");
    r = rd_over("\x80\x80\x80\x80\x80\x00", 6);
    rd_uleb32(&r);
    assert_string_equal(r.fault, "integer representation too long");
    (void)state;
}

static void reads_signed_limits(void **state)
{
    struct rd r = rd_over("\x80\x80\x80\x80\x78", 5);
    assert_int_equal(rd_sleb(&r, 32), INT32_MIN);
    assert_null(r.fault);
    r = rd_over("\x80\x80\x80\x80\x70", 5);
    rd_sleb(&r, 32);
    assert_string_equal(r.fault, "integer too large");
    r = rd_over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    rd_sleb(&r, 64);
    assert_string_equal(r.fault, "integer too large");
    r = rd_over("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 10);
    assert_true(rd_sleb(&r, 64) == INT64_MIN);
    assert_null(r.fault);
    r = rd_over("\x40", 1);
    assert_int_equal(rd_sleb(&r, 33), -64);
    (void)state;
}

static void first_fault_sticks(void **state)
{
    struct rd r = rd_over("\x01", 1);
    rd_u32(&r);
    assert_int_equal(r.fault_at, 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_string_equal(r.fault, "unexpected end");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_unsigned_limits), cmocka_unit_test(reads_signed_limits),
                                       cmocka_unit_test(first_fault_sticks)};
    return cmocka_run_group_tests_name("rd", tests, NULL, NULL);
}
