#include "tests/fuzz/variant.h"
#include "base/fd.h"
#include "engine/rt/code.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { HEAP_BYTES_MAX = 64 << 20 }; /* or a module would be free to fill gigabytes */

const struct variant variants[VARIANTS] = {
    {"baseline", {.compiler = ENGINE_BASELINE}, 0},
    {"baseline, explicit checks", {.compiler = ENGINE_BASELINE, .explicit_bounds_checks = true}, 16},
    {"optimizing", {.compiler = ENGINE_OPTIMIZING}, 0},
    {"optimizing, explicit checks", {.compiler = ENGINE_OPTIMIZING, .explicit_bounds_checks = true}, 0},
};

static int run_artifact(const struct buf *artifact, const struct variant *v, use_instance *use, void *context,
                        struct err *err)
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
        store->heap.max_bytes = HEAP_BYTES_MAX;
        if ((status = link_imports(&linker, code, &none, err)) == 0 &&
            (status = instance_new(store, code, fd, &none, &instance, err)) == 0)
            use(instance, instance_initialize(instance), context);
        store_free(store);
    }
    code_unmap(code);
    return status;
}

int variant_run(const struct buf *module, const struct variant *v, use_instance *use, void *context, struct err *err)
{
    static const uint8_t key[32];
    struct buf artifact = {0};
    int status = engine_compile(module->data, module->len, key, &v->options, &artifact, err);

    if (status == 0)
        status = run_artifact(&artifact, v, use, context, err);
    buf_done(&artifact);
    return status;
}

uint32_t trap_class(enum trap_kind kind)
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
    default: return TRAP_CLASS_EXHAUSTED;
    }
}

uint32_t hash_words(uint32_t hash, const void *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const uint32_t *)words)[i]) * 0x01000193;
    return hash;
}

uint32_t hash_backtrace(const struct store *store, uint32_t class, bool shown)
{
    struct buf text = {0};
    uint32_t hash;

    if (class == 0 || class == TRAP_CLASS_EXHAUSTED)
        return 0;
    backtrace_print(store, &text);
    if (shown)
        fprintf(stderr, "%s", buf_cstr(&text));
    while (text.len % 4 != 0)
        buf_put_u8(&text, 0);
    hash = hash_words(1, text.data, text.len / 4);
    buf_done(&text);
    return hash;
}

void peer_start(struct peer *peer, const char *program, const char *argument)
{
    int down[2], up[2];

    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0 || (peer->pid = fork()) < 0)
        abort();
    if (peer->pid == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        execlp(program, program, argument, NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    peer->to = down[1];
    peer->from = up[0];
}

void peer_end(struct peer *peer)
{
    close(peer->to);
    close(peer->from);
    waitpid(peer->pid, NULL, 0);
    peer->to = peer->from = -1;
}

const char *find_node(void)
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

const char *save_module(const struct buf *module, const char *name, uint64_t seed)
{
    static char path[256];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "%s/fuzz/%s-%llx.wasm", getenv("BUILD") != NULL ? getenv("BUILD") : "build", name,
             (unsigned long long)seed);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || fd_write_all(fd, module->data, module->len) != 0)
        fprintf(stderr, "cannot write %s\n", path);
    return path;
}
