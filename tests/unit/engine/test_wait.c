/* Waiting on addresses: what each of the three ends of a wait gives back, and that nobody sleeps through a notify. */
#include "engine/rt/wait.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint32_t word;
static uint64_t wide_word;
static uint32_t turns[2]; /* whose turn it is; two threads hand it to each other */

static void *wait_for_ever(void *unused)
{
    return (void *)(uintptr_t)wait_on(&word, false, 7, -1);
}

static void *wait_wide(void *unused)
{
    return (void *)(uintptr_t)wait_on(&wide_word, true, UINT64_C(1) << 40, -1);
}

/* Wakes COUNT that wait at ADDRESS or are about to. */
static void wake(const void *address, uint32_t count)
{
    while (count != 0)
        count -= wait_notify(address, 1);
}

static void test_results(void **state)
{
    pthread_t waiting;
    void *result;

    word = 7;
    assert_int_equal(wait_on(&word, false, 8, -1), WAIT_NOT_EQUAL);
    assert_int_equal(wait_on(&word, false, 7, 0), WAIT_TIMED_OUT);
    assert_int_equal(wait_on(&word, false, 7, 1000000), WAIT_TIMED_OUT);
    assert_int_equal(wait_notify(&word, 100), 0);
    pthread_create(&waiting, NULL, wait_for_ever, NULL);
    wake(&word, 1);
    pthread_join(waiting, &result);
    assert_int_equal((uintptr_t)result, WAIT_WOKEN);
}

static void test_64_bits(void **state)
{
    pthread_t waiting;
    void *result;

    wide_word = UINT64_C(1) << 40;
    assert_int_equal(wait_on(&wide_word, true, 0, -1), WAIT_NOT_EQUAL);
    pthread_create(&waiting, NULL, wait_wide, NULL);
    wake(&wide_word, 1);
    pthread_join(waiting, &result);
    assert_int_equal((uintptr_t)result, WAIT_WOKEN);
}

/* A notify of another address, or with a count of 0, wakes nobody; one with a large count wakes all. */
static void test_counts(void **state)
{
    enum { THREADS = 8 };
    pthread_t waiting[THREADS];

    word = 7;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&waiting[i], NULL, wait_for_ever, NULL);
    assert_int_equal(wait_notify(&word, 0), 0);
    assert_int_equal(wait_notify(&wide_word, THREADS), 0);
    wake(&word, 3);
    for (uint32_t left = THREADS - 3; left != 0;)
        left -= wait_notify(&word, UINT32_MAX);
    for (int i = 0; i < THREADS; i++)
        pthread_join(waiting[i], NULL);
    assert_int_equal(wait_notify(&word, 1), 0);
}

enum { ROUNDS = 20000 };

static void *take_turns(void *me)
{
    unsigned mine = (unsigned)(uintptr_t)me;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        while (__atomic_load_n(&turns[mine], __ATOMIC_ACQUIRE) <= round)
            wait_on(&turns[mine], false, round, -1);
        __atomic_fetch_add(&turns[!mine], 1, __ATOMIC_RELEASE);
        wait_notify(&turns[!mine], 1);
    }
    return NULL;
}

/* A lost notify would hang this. */
static void test_no_notify_is_lost(void **state)
{
    pthread_t other;

    turns[0] = 1;
    pthread_create(&other, NULL, take_turns, (void *)1);
    take_turns(NULL);
    pthread_join(other, NULL);
    assert_int_equal(turns[1], ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_64_bits),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_no_notify_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
