/* The heap of `wherry`, which is linked into that program alone, beside cmocka's own. */
#include "private.h"
#include <string.h>

enum { BLOCK_BYTES_MAX = 64 * 1024 };

void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void __wrap_free(void *old);
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void __real_free(void *old);

static unsigned from_libc;

void *__real_malloc(size_t len)
{
    from_libc++;
    return malloc(len);
}

void *__real_calloc(size_t count, size_t len)
{
    from_libc++;
    return calloc(count, len);
}

void *__real_realloc(void *old, size_t len)
{
    from_libc++;
    return realloc(old, len);
}

void __real_free(void *old)
{
    free(old);
}

static void the_last_block_grows_in_place(void **state)
{
    char *first = __wrap_malloc(100), *last;

    memset(first, 7, 100);
    assert_ptr_equal(__wrap_realloc(first, 30000), first);
    last = __wrap_malloc(16);
    assert_ptr_not_equal(__wrap_realloc(first, 100), NULL); /* smaller: stays */
    first = __wrap_realloc(first, 40000);
    assert_true(first > last && first[0] == 7 && first[99] == 7); /* not the last any more: it moves */
    __wrap_free(first);
    __wrap_free(last);
    assert_int_equal(from_libc, 0);
    (void)state;
}

static void calloc_is_zero_where_something_was(void **state)
{
    uint8_t *dirty = __wrap_malloc(5000), *zeros;
    int sum = 0;

    memset(dirty, 0xff, 5000);
    __wrap_free(dirty);
    zeros = __wrap_calloc(100, 80);
    assert_ptr_equal(zeros, dirty); /* it was taken back */
    for (int i = 0; i < 8000; i++)
        sum += zeros[i];
    assert_int_equal(sum, 0);
    zeros = __wrap_realloc(zeros, 8);
    memset(zeros, 0xff, 8);
    assert_ptr_equal(__wrap_realloc(zeros, 9000), zeros);
    __wrap_free(zeros);
    zeros = __wrap_calloc(1, 9000);
    for (int i = 0; i < 9000; i++)
        sum += zeros[i];
    assert_int_equal(sum, 0);
    __wrap_free(zeros);
    (void)state;
}

/* Large ones, impossible ones and those for which there is no room any more are libc's, and so they are freed. */
static void the_rest_is_libcs(void **state)
{
    void *large = __wrap_malloc(BLOCK_BYTES_MAX + 1), *blocks[20];
    volatile size_t huge = SIZE_MAX / 2;

    assert_int_equal(from_libc, 1);
    large = __wrap_realloc(large, 100);
    assert_int_equal(from_libc, 2);
    __wrap_free(large);
    assert_null(__wrap_calloc(huge, 4));
    from_libc = 0;
    for (int i = 0; i < 20; i++) {
        blocks[i] = __wrap_malloc(BLOCK_BYTES_MAX);
        assert_non_null(blocks[i]);
        memset(blocks[i], i, BLOCK_BYTES_MAX);
    }
    assert_true(from_libc >= 12 && from_libc < 20);
    for (int i = 20; i-- > 0;) {
        assert_int_equal(((uint8_t *)blocks[i])[BLOCK_BYTES_MAX - 1], i);
        __wrap_free(blocks[i]);
    }
    __wrap_free(NULL);
    large = __wrap_malloc(16);
    assert_ptr_equal(large, blocks[0]); /* all of it was taken back */
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_block_grows_in_place),
        cmocka_unit_test(calloc_is_zero_where_something_was),
        cmocka_unit_test(the_rest_is_libcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
