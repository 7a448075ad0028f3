/* Loops that the vectoriser rewrites (engine/opt/vectorize.h), at the edges of its conditions: few rounds, arrays that overlap by
 * less than a vector either way, the end of the memory, sums that wrap. What they leave in memory, and whether they trap, must
 * be what the baseline compiler's code does. */
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include "tests/unit/engine/machine.h"

enum { PAGE = 65536 };

/* (to, from, end) -> (): one type, one function "f" with locals i32 i, f64 before, f64 x, i32 y; one page of memory, three at most */
#define HEAD            1, 7, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0, 3, 2, 1, 0, 5, 4, 1, 1, 1, 3, 7, 5, 1, 1, 'f', 0, 0
#define LOCALS          3, 1, 0x7f, 2, 0x7c, 1, 0x7f
#define LOCALS_BYTES    7
#define CODE(size, ...) 10, (size) + LOCALS_BYTES + 2, 1, (size) + LOCALS_BYTES, LOCALS, __VA_ARGS__

/* loop: x = from[i]; to[i] = x * 2 + before; before = x; i += 8; while i < end */
#define BODY_PREVIOUS                                                                                                  \
    0x03, 0x40, 0x20, 1, 0x20, 3, 0x6a, 0x2b, 3, 0, 0x21, 5, 0x20, 0, 0x20, 3, 0x6a, 0x20, 5, 0x44, 0, 0, 0, 0, 0, 0,  \
        0, 0x40, 0xa2, 0x20, 4, 0xa0, 0x39, 3, 0, 0x20, 5, 0x21, 4, 0x20, 3, 0x41, 8, 0x6a, 0x22, 3, 0x20, 2, 0x49,    \
        0x0d, 0, 0x0b, 0x0b

/* the same with i32: to[i] = from[i] + to[i], to[i + 1] = from[i + 1] + to[i + 1]; while i != end */
#define BODY_TWICE                                                                                                     \
    0x03, 0x40, 0x20, 0, 0x20, 3, 0x6a, 0x20, 1, 0x20, 3, 0x6a, 0x28, 2, 0, 0x20, 0, 0x20, 3, 0x6a, 0x28, 2, 0, 0x6a,  \
        0x36, 2, 0, 0x20, 0, 0x20, 3, 0x6a, 0x20, 1, 0x20, 3, 0x6a, 0x28, 2, 4, 0x20, 0, 0x20, 3, 0x6a, 0x28, 2, 4,    \
        0x6a, 0x36, 2, 4, 0x20, 3, 0x41, 8, 0x6a, 0x22, 3, 0x20, 2, 0x47, 0x0d, 0, 0x0b, 0x0b

/* the element is stored before another is loaded: y = from[0]; to[i] = y; to[i + 4 behind a page's half] = from[i] */
#define BODY_LATE                                                                                                      \
    0x03, 0x40, 0x20, 0, 0x20, 3, 0x6a, 0x20, 1, 0x28, 2, 0, 0x36, 2, 0, 0x20, 0, 0x20, 3, 0x6a, 0x20, 1, 0x20, 3,     \
        0x6a, 0x28, 2, 0, 0x36, 2, 0x80, 0x80, 1, 0x20, 3, 0x41, 4, 0x6a, 0x22, 3, 0x20, 2, 0x48, 0x0d, 0, 0x0b, 0x0b

/* the first element is another than all that follow: to[i] = y; y = from; while i < end */
#define BODY_FIRST                                                                                                     \
    0x03, 0x40, 0x20, 0, 0x20, 3, 0x6a, 0x20, 6, 0x36, 2, 0, 0x20, 1, 0x21, 6, 0x20, 3, 0x41, 4, 0x6a, 0x22, 3, 0x20,  \
        2, 0x48, 0x0d, 0, 0x0b, 0x0b

#define MODULE(body) HEAD, CODE(sizeof((const uint8_t[]){body}), body)

struct module_bytes {
    const uint8_t *data;
    size_t len;
};

static const struct module_bytes modules[] = {{MODULE_BYTES(MODULE(BODY_PREVIOUS))},
                                              {MODULE_BYTES(MODULE(BODY_TWICE))},
                                              {MODULE_BYTES(MODULE(BODY_LATE))},
                                              {MODULE_BYTES(MODULE(BODY_FIRST))}};

struct call {
    uint32_t to, from, end;
};

static enum trap_kind run(struct machine *m, const struct call *call)
{
    union vm_value values[3] = {{.i32 = call->to}, {.i32 = call->from}, {.i32 = call->end}};
    uint32_t *words = (uint32_t *)m->instance->vm.memory0_base;

    for (uint32_t i = 0; i < m->instance->vm.memory0->size_bytes / 4; i++)
        words[i] = 0x3ff00000 + i * 7; /* finite, as f64 too */
    return call_func(m->store, m->func.func, values);
}

struct outcome {
    struct call call;
    enum trap_kind trap;
    uint64_t memory; /* a sum that depends on the order */
};

enum { OUTCOMES_MAX = 2000 };

static void add_outcome(struct machine *m, struct outcome *outcomes, uint32_t *count, struct call call)
{
    struct outcome *o = &outcomes[(*count)++];
    const uint64_t *words = (const uint64_t *)m->instance->vm.memory0_base;

    assert_true(*count <= OUTCOMES_MAX);
    *o = (struct outcome){.call = call, .trap = run(m, &call)};
    for (uint32_t i = 0; i < m->instance->vm.memory0->size_bytes / 8; i++)
        o->memory = (o->memory ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t run_all(const struct module_bytes *module, enum engine_compiler compiler, struct outcome *outcomes)
{
    struct machine m;
    uint32_t count = 0;

    machine_start(&m, module->data, module->len, compiler);
    for (uint32_t end = 8; end < 30 * 8; end += 8) /* rounds */
        add_outcome(&m, outcomes, &count, (struct call){1024, 4096, end});
    for (uint32_t from = 4096 - 50; from < 4096 + 50; from++) /* overlap */
        add_outcome(&m, outcomes, &count, (struct call){4096, from, 160});
    for (uint32_t at = PAGE - 250; at < PAGE + 8; at++) { /* the end of the memory */
        add_outcome(&m, outcomes, &count, (struct call){at, 1024, 240});
        add_outcome(&m, outcomes, &count, (struct call){1024, at, 240});
    }
    for (uint32_t at = 0 - 60u; at != 20; at++) { /* sums that wrap */
        add_outcome(&m, outcomes, &count, (struct call){at, 1024, 240});
        add_outcome(&m, outcomes, &count, (struct call){1024, at, 240});
    }
    machine_stop(&m);
    return count;
}

static void compare_module(const struct module_bytes *module)
{
    static struct outcome wanted[OUTCOMES_MAX], got[OUTCOMES_MAX];
    uint32_t count = run_all(module, ENGINE_BASELINE, wanted), traps = 0;

    assert_int_equal(run_all(module, ENGINE_OPTIMIZING, got), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *w = &wanted[i];
        if (w->trap != got[i].trap || w->memory != got[i].memory)
            fail_msg("to %#x from %#x end %u: trap %d, not %d, or memory differs", w->call.to, w->call.from,
                     w->call.end, got[i].trap, w->trap);
        traps += w->trap != TRAP_NONE;
    }
    assert_true(traps != 0 && traps != count);
}

static void loops_do_what_their_elements_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        compare_module(&modules[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loops_do_what_their_elements_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
