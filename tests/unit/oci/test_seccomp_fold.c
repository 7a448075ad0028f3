/* Folded filters answer as the filters that they are made of. */
#include "oci/seccomp_check.h"
#include "oci/seccomp_fold.h"
#include "private.h"
#include <linux/audit.h>
#include <linux/filter.h>

enum { NUMBERS = 700, X32 = 0x40000000, THIRD_ARCHITECTURE = 0x4242 };

static uint32_t seed = 1;

static uint32_t some(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void put(struct buf *out, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    const struct sock_filter i = {code, jt, jf, k};
    buf_put(out, &i, sizeof i);
}

static void put_answer(struct buf *out, uint32_t answer)
{
    put(out, BPF_RET | BPF_K, 0, 0, answer);
}

/* One number: an answer, or one by the first argument. */
static void put_number(struct buf *out, uint32_t number, uint32_t answer)
{
    bool looks = some(12) == 0;

    put(out, BPF_JMP | BPF_JEQ | BPF_K, 0, looks ? 5 : 1, number);
    if (looks) {
        put(out, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args));
        put(out, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff);
        put(out, BPF_JMP | BPF_JGT | BPF_K, 0, 1, some(300));
        put_answer(out, SECCOMP_RET_ERRNO | 1);
    }
    put_answer(out, answer);
}

/* A list of comparisons for each of three architectures, as a compiler without ideas would make it. */
static void make_filter(struct buf *out, unsigned allowed_of_ten)
{
    static const uint32_t architectures[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, THIRD_ARCHITECTURE};

    for (int a = 0; a < 3; a++) {
        size_t jump;
        put(out, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
        put(out, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architectures[a]);
        jump = out->len / sizeof(struct sock_filter);
        put(out, BPF_JMP | BPF_JA, 0, 0, 0);
        put(out, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
        if (a == 0) { /* x32, all but one refused */
            put(out, BPF_JMP | BPF_JGE | BPF_K, 0, 3, X32);
            put(out, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, X32 + 5);
            put_answer(out, SECCOMP_RET_KILL_PROCESS);
            put_answer(out, SECCOMP_RET_ALLOW);
        }
        for (uint32_t n = some(20); n < NUMBERS - 100; n += 1 + (some(6) == 0))
            put_number(out, n, some(10) < allowed_of_ten ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | some(40));
        put_answer(out, SECCOMP_RET_ERRNO | 38);
        ((struct sock_filter *)out->data)[jump].k = (uint32_t)(out->len / sizeof(struct sock_filter) - jump - 1);
    }
    put_answer(out, SECCOMP_RET_KILL_PROCESS);
}

static void check_call(const struct buf *filter, const struct buf *folded, uint32_t architecture, uint32_t number)
{
    const struct seccomp_data call = {.nr = (int)number, .arch = architecture, .args = {some(400), some(2)}};
    assert_int_equal(seccomp_ask(folded, &call), seccomp_ask(filter, &call));
}

static void check_same(const struct buf *filter, const struct buf *folded)
{
    static const uint32_t architectures[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, THIRD_ARCHITECTURE, AUDIT_ARCH_AARCH64,
                                             0};

    for (size_t a = 0; a < sizeof architectures / sizeof architectures[0]; a++)
        for (uint32_t n = 0; n < NUMBERS; n++) {
            check_call(filter, folded, architectures[a], n);
            check_call(filter, folded, architectures[a], X32 + n);
            check_call(filter, folded, architectures[a], ~n);
        }
}

/* Jumps forward, within the filter, to an answer: what the kernel asks of one. */
static void check_form(const struct buf *folded)
{
    const struct sock_filter *code = (const struct sock_filter *)folded->data;
    size_t count = folded->len / sizeof *code;

    assert_int_equal(BPF_CLASS(code[count - 1].code), BPF_RET);
    for (size_t i = 0; i < count; i++)
        if (code[i].code == (BPF_JMP | BPF_JA))
            assert_true(i + 1 + code[i].k < count);
        else if (BPF_CLASS(code[i].code) == BPF_JMP)
            assert_true(i + 1 + code[i].jt < count && i + 1 + code[i].jf < count);
}

static void folded_filters_answer_the_same(void **state)
{
    for (unsigned round = 0; round < 60; round++) {
        struct buf filter = {0}, folded = {0};
        make_filter(&filter, round % 11);
        assert_true(seccomp_fold(&filter, &folded));
        check_form(&folded);
        check_same(&filter, &folded);
        if (round % 11 >= 9)
            assert_true(folded.len < filter.len / 2);
        buf_done(&filter);
        buf_done(&folded);
    }
    (void)state;
}

/* No architecture asked for, and none at all. */
static void small_filters(void **state)
{
    struct buf filter = {0}, folded = {0};

    put_answer(&filter, SECCOMP_RET_ALLOW);
    assert_true(seccomp_fold(&filter, &folded));
    check_same(&filter, &folded);
    filter.len = folded.len = 0;
    put(&filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    put_number(&filter, 0xffffffff, SECCOMP_RET_KILL_THREAD);
    put_answer(&filter, SECCOMP_RET_ALLOW);
    assert_true(seccomp_fold(&filter, &folded));
    check_same(&filter, &folded);
    buf_done(&filter);
    buf_done(&folded);
    (void)state;
}

/* Arithmetic on the number, memory, an architecture compared by size: such filters stay as they are. */
static void others_are_left_alone(void **state)
{
    struct buf filter = {0}, folded = {0};

    put(&filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    put(&filter, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff);
    put_answer(&filter, SECCOMP_RET_ALLOW);
    assert_false(seccomp_fold(&filter, &folded));
    filter.len = 0;
    put(&filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    put(&filter, BPF_JMP | BPF_JGE | BPF_K, 0, 1, 7);
    put_answer(&filter, SECCOMP_RET_ALLOW);
    put_answer(&filter, SECCOMP_RET_KILL_PROCESS);
    assert_false(seccomp_fold(&filter, &folded));
    filter.len = 0;
    put(&filter, BPF_ST, 0, 0, 1);
    put_answer(&filter, SECCOMP_RET_ALLOW);
    assert_false(seccomp_fold(&filter, &folded));
    assert_int_equal(folded.len, 0);
    buf_done(&filter);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_filters_answer_the_same),
        cmocka_unit_test(small_filters),
        cmocka_unit_test(others_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
