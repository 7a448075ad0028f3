/* Differential fuzzing with the modules of wasm-smith, a generator by others that does not know what this engine finds hard:
 * each is compiled and run in all variants and in another engine, function by function, the variants' backtraces are compared; and some bytes of it are changed,
 * and both engines asked whether the result is still a module.
 *
 * usage: smith SECONDS [SEED]. SMITH is the generator (tests/fuzz/smith/, built by the Makefile). ORACLE: v8 (the default) or
 * wasmtime. An execution is one call or one question. What differs is saved under build/fuzz. */
#include "base/fd.h"
#include "base/vec.h"
#include "engine/module.h"
#include "tests/fuzz/generate.h"
#include "tests/fuzz/variant.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

enum {
    CALLS_PER_FUNCTION = 8,
    CALLS_MAX = 96,
    MUTANTS = 32,
    FINDINGS_MAX = 5,
    PARAMS_MAX = 32,
    MODULE_BYTES_MAX = 1 << 20
};

/* Types as the other side is told them; 0: any reference. */
enum { I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c };

struct call {
    uint32_t func, export; /* indices */
    uint32_t param_count, result_count;
    uint8_t params[PARAMS_MAX], results[PARAMS_MAX];
    uint64_t values[PARAMS_MAX];
};

static struct call calls[CALLS_MAX];
static uint32_t call_count;

struct outcomes {
    uint32_t accepted, started, of_memories, of_call[CALLS_MAX + MUTANTS];
};

static struct peer generator = {-1, -1, 0}, oracle = {-1, -1, 0};
static const char *oracle_name = "V8";
static bool is_wasmtime;
static uint32_t features;
static unsigned findings;
static uint64_t seed;

__attribute__((format(printf, 2, 3))) static void report(const struct buf *module, const char *format, ...)
{
    va_list ap;

    printf("FINDING seed 0x%llx, %s: ", (unsigned long long)seed, save_module(module, "smith", seed));
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    findings++;
}

/* --- what to call ------------------------------------------------------------------------------------------------- */

/* The type on the wire; -1: values of it cannot be passed from outside (vectors, exceptions; a parameter that may not be null). */
static int wire_type(valtype t, bool is_param)
{
    switch (valtype_code(t)) {
    case VT_I32:
    case VT_I64:
    case VT_F32:
    case VT_F64: return valtype_code(t);
    case VT_V128: return -1;
    default: break;
    }
    if (is_wasmtime && valtype_heap(t) != HEAP_FUNC &&
        valtype_heap(t) != HEAP_EXTERN) /* not known to its Python side */
        return -1;
    if (valtype_heap(t) == HEAP_EXN || valtype_heap(t) == HEAP_NOEXN || (is_param && valtype_code(t) == VT_REF))
        return -1;
    return 0;
}

static bool wire_types(const valtype *types, uint32_t count, bool are_params, uint8_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        int type = i < PARAMS_MAX ? wire_type(types[i], are_params) : -1;
        if (type < 0)
            return false;
        out[i] = (uint8_t)type;
    }
    return true;
}

static void add_calls(const struct module *m, uint32_t export, uint64_t *state)
{
    uint32_t func = m->exports[export].index;
    const struct type_def *type = &m->types[m->funcs[func].type];
    struct call call = {
        .func = func, .export = export, .param_count = type->param_count, .result_count = type->result_count};

    if (!wire_types(type->params, type->param_count, true, call.params) ||
        !wire_types(type->results, type->result_count, false, call.results))
        return;
    for (unsigned i = 0; i < CALLS_PER_FUNCTION && call_count < CALLS_MAX; i++) {
        for (uint32_t k = 0; k < call.param_count; k++) {
            call.values[k] = generate_random(state) >> generate_random(state) % 4 * 16;
            if (call.params[k] == I32 || call.params[k] == F32)
                call.values[k] = (uint32_t)call.values[k];
            if (call.params[k] == 0)
                call.values[k] = 0;
        }
        calls[call_count++] = call;
    }
}

static void make_calls(const struct module *m)
{
    uint64_t state = ~seed;

    call_count = 0;
    for (uint32_t i = 0; i < m->export_count; i++)
        if (m->exports[i].kind == EXTERNAL_FUNC)
            add_calls(m, i, &state);
}

/* --- this engine -------------------------------------------------------------------------------------------------- */

static void words_of(uint8_t type, const union vm_value *value, uint32_t out[2])
{
    uint64_t bits = type == I64 || type == F64 ? value->i64 : value->i32;

    if (type == F32 && value->f32 != value->f32)
        bits = 0x7fc00000;
    if (type == F64 && value->f64 != value->f64)
        bits = UINT64_C(0x7ff8000000000000);
    if (type == 0)
        bits = value->ref == 0 ? 1 : 2;
    out[0] = (uint32_t)bits;
    out[1] = (uint32_t)(bits >> 32);
}

static uint32_t do_call(struct instance *instance, const struct module *m, const struct call *call, uint32_t *backtrace)
{
    union vm_value values[PARAMS_MAX] = {0};
    struct external function;
    uint32_t trap, hash, words[2];

    for (uint32_t i = 0; i < call->param_count; i++)
        values[i].i64 = call->values[i];
    if (!instance_export(instance, m->exports[call->export].name, &function))
        abort();
    trap = trap_class(call_func(instance->store, function.func, values));
    *backtrace = hash_backtrace(instance->store, trap, getenv("VERBOSE") != NULL);
    if (trap == TRAP_CLASS_EXHAUSTED)
        return TRAP_CLASS_EXHAUSTED;
    hash = trap + 1;
    for (uint32_t i = 0; trap == 0 && i < call->result_count; i++) {
        words_of(call->results[i], &values[i], words);
        hash = hash_words(hash, words, 2);
    }
    return hash;
}

static uint32_t hash_memories(struct instance *instance, const struct module *m)
{
    uint32_t hash = 0;

    for (uint32_t i = 0; i < m->export_count; i++) {
        struct external found;
        if (m->exports[i].kind != EXTERNAL_MEMORY || !instance_export(instance, m->exports[i].name, &found))
            continue;
        hash = (uint32_t)crc32(hash, found.memory->vm.base, (uInt)found.memory->vm.size_bytes);
    }
    return hash;
}

struct run {
    const struct module *module;
    struct outcomes *out;
    uint32_t backtraces[CALLS_MAX];
};

static void run_calls(struct instance *instance, enum trap_kind started, void *context)
{
    struct run *run = context;

    run->out->started = trap_class(started);
    for (uint32_t i = 0; run->out->started == 0 && i < call_count; i++) {
        run->out->of_call[i] = do_call(instance, run->module, &calls[i], &run->backtraces[i]);
        if (run->out->of_call[i] == TRAP_CLASS_EXHAUSTED)
            return;
    }
    if (run->out->started == 0)
        run->out->of_memories = hash_memories(instance, run->module);
}

static bool is_module(const struct buf *bytes)
{
    struct module m;
    struct err e;
    bool good = module_decode(&m, bytes->data, bytes->len, features, &e) == 0 && module_validate(&m, features, &e) == 0;

    if (getenv("VERBOSE") != NULL)
        fprintf(stderr, "ours: %s\n", good ? "valid" : e.text);
    module_free(&m);
    return good;
}

/* --- the others ----------------------------------------------------------------------------------------------------- */

static bool get_module(struct buf *out)
{
    uint32_t request[3] = {(uint32_t)seed, (uint32_t)(seed >> 32), is_wasmtime}, len;

    out->len = 0;
    return fd_write_all(generator.to, request, sizeof request) == 0 &&
           fd_read_full(generator.from, &len, sizeof len) == sizeof len && len <= MODULE_BYTES_MAX &&
           fd_read_full(generator.from, buf_extend(out, len), len) == (ssize_t)len;
}

static void put_calls(struct buf *out)
{
    buf_put_u32(out, call_count);
    for (uint32_t i = 0; i < call_count; i++) {
        const struct call *c = &calls[i];
        buf_put_u32(out, c->export);
        buf_put_u32(out, c->param_count);
        buf_put_u32(out, c->result_count);
        for (uint32_t k = 0; k < c->param_count; k++) {
            buf_put_u32(out, c->params[k]);
            buf_put_u64(out, c->values[k]);
        }
        for (uint32_t k = 0; k < c->result_count; k++)
            buf_put_u32(out, c->results[k]);
    }
}

/* One to three bytes of MODULE changed. */
static void mutate(const struct buf *module, unsigned number, struct buf *out)
{
    uint64_t state = seed + number + 1;

    out->len = 0;
    buf_put(out, module->data, module->len);
    for (uint64_t changes = 1 + generate_random(&state) % 3; changes != 0; changes--) {
        size_t at = 8 + generate_random(&state) % (module->len - 8);
        uint64_t value = generate_random(&state);
        out->data[at] = (uint8_t)(value % 3 == 0 ? out->data[at] ^ UINT64_C(1) << value / 3 % 8 : value / 3);
    }
}

static bool ask_oracle(const struct buf *module, struct buf mutants[MUTANTS], struct outcomes *out)
{
    struct buf question = {0};
    size_t words = 3 + call_count + MUTANTS;
    bool good;

    buf_put_u32(&question, (uint32_t)module->len);
    buf_put(&question, module->data, module->len);
    put_calls(&question);
    buf_put_u32(&question, MUTANTS);
    for (unsigned i = 0; i < MUTANTS; i++) {
        buf_put_u32(&question, (uint32_t)mutants[i].len);
        buf_put(&question, mutants[i].data, mutants[i].len);
    }
    good = fd_write_all(oracle.to, question.data, question.len) == 0 &&
           fd_read_full(oracle.from, out, 4 * words) == (ssize_t)(4 * words);
    buf_done(&question);
    return good;
}

/* --- comparing ------------------------------------------------------------------------------------------------------- */

/* Returns how many calls could be compared. */
static uint64_t compare(const struct buf *module, const char *name, const struct outcomes *ours,
                        const struct outcomes *theirs)
{
    if (ours->started == TRAP_CLASS_EXHAUSTED || theirs->started == TRAP_CLASS_EXHAUSTED)
        return 0;
    if (ours->started != theirs->started) {
        report(module, "%s: the start ends with %u, in %s with %u", name, ours->started, oracle_name, theirs->started);
        return 0;
    }
    for (uint32_t i = 0; i < call_count; i++) {
        if (ours->of_call[i] == TRAP_CLASS_EXHAUSTED || theirs->of_call[i] == TRAP_CLASS_EXHAUSTED)
            return i;
        if (ours->of_call[i] != theirs->of_call[i]) {
            report(module, "%s: call %u, of function %u: %x, in %s %x", name, i, calls[i].func, ours->of_call[i],
                   oracle_name, theirs->of_call[i]);
            return i;
        }
    }
    if (ours->of_memories != theirs->of_memories)
        report(module, "%s: the memories are not those of %s at the end", name, oracle_name);
    return call_count;
}

/* Of the first COUNT calls in VARIANT and the first one. */
static void compare_backtraces(const struct buf *module, unsigned variant, const struct run *a, const struct run *b,
                               uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (a->backtraces[i] != b->backtraces[i]) {
            report(module, "%s and %s trap at different places in call %u, of function %u", variants[0].name,
                   variants[variant].name, (unsigned)i, calls[i].func);
            return;
        }
    }
}

static uint64_t compare_all(const struct buf *module, const struct module *m, const struct outcomes *theirs)
{
    struct run first = {0};
    uint64_t compared = 0, first_compared = 0;

    for (unsigned i = 0; i < VARIANTS; i++) {
        struct outcomes ours = {0};
        struct run run = {.module = m, .out = &ours};
        struct err err;
        int status = variant_run(module, &variants[i], run_calls, &run, &err);
        if (status == -ENOMEM) /* a constant expression that makes an array of gigabytes */
            continue;
        if (status != 0) {
            report(module, "%s: %s", variants[i].name, err.text);
            continue;
        }
        compared = compare(module, variants[i].name, &ours, theirs);
        if (i == 0) {
            first = run;
            first_compared = compared;
        }
        compare_backtraces(module, i, &first, &run, compared < first_compared ? compared : first_compared);
    }
    return compared;
}

/* V8 lets pass some types behind unreachable code that the specification and wasmtime refuse: there only wasmtime is asked. */
static void compare_mutants(struct buf mutants[MUTANTS], const uint32_t *verdicts)
{
    for (unsigned i = 0; i < MUTANTS; i++) {
        bool ours = is_module(&mutants[i]), theirs = verdicts[i] != 0;
        if (ours != theirs && (ours || is_wasmtime))
            report(&mutants[i], "changed in a few bytes, it is %s in %s, and not so here", theirs ? "valid" : "invalid",
                   oracle_name);
    }
}

static uint64_t test_module(struct buf *module)
{
    static struct buf mutants[MUTANTS];
    struct outcomes theirs = {0};
    struct module m;
    struct err err;
    uint64_t executions = 0;

    if (module_decode(&m, module->data, module->len, features, &err) != 0 || module_validate(&m, features, &err) != 0) {
        report(module, "%s", err.text);
        module_free(&m);
        return 0;
    }
    make_calls(&m);
    for (unsigned i = 0; i < MUTANTS; i++)
        mutate(module, i, &mutants[i]);
    if (!ask_oracle(module, mutants, &theirs)) {
        report(module, "the other engine has ended");
        findings = FINDINGS_MAX;
    } else if (!theirs.accepted) {
        report(module, "the other engine refuses it");
    } else {
        executions = compare_all(module, &m, &theirs);
        compare_mutants(mutants, theirs.of_call + call_count);
        executions += MUTANTS;
    }
    module_free(&m);
    return executions;
}

static bool start_oracle(void)
{
    const char *name = getenv("ORACLE");

    features = engine_default_features();
    if (name != NULL && strcmp(name, "wasmtime") == 0) {
        oracle_name = "wasmtime";
        is_wasmtime = true;
        features &= ~(uint32_t)ENGINE_FEATURE_LEGACY_EXCEPTIONS;
        peer_start(&oracle, "python3", "tests/fuzz/smith_wasmtime.py");
    } else {
        features &= ~(uint32_t)(ENGINE_FEATURE_WIDE_ARITHMETIC | ENGINE_FEATURE_CUSTOM_PAGE_SIZES);
        peer_start(&oracle, find_node(), "tests/fuzz/smith.mjs");
    }
    return getenv("SMITH") != NULL;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
    struct buf module = {0};
    struct timespec now;
    uint64_t executions = 0, state;

    signal(SIGPIPE, SIG_IGN);
    clock_gettime(CLOCK_REALTIME, &now);
    state = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
    if (!start_oracle()) {
        fprintf(stderr, "smith: SMITH names no generator\n");
        return 2;
    }
    peer_start(&generator, getenv("SMITH"), NULL);
    do {
        seed = argc > 2 ? strtoull(argv[2], NULL, 0) : generate_random(&state);
        if (!get_module(&module)) {
            fprintf(stderr, "smith: the generator has ended\n");
            return 2;
        }
        executions += test_module(&module);
    } while (argc <= 2 && time(NULL) < end && findings < FINDINGS_MAX);
    peer_end(&generator);
    peer_end(&oracle);
    buf_done(&module);
    printf("%llu executions, %u findings\n", (unsigned long long)executions, findings);
    return findings != 0;
}
