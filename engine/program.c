#include "engine/program.h"
#include "base/fd.h"
#include "engine/rt/code.h"
#include "engine/rt/link.h"
#include "engine/wasi/errno.h"
#include "engine/wasi/p1.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STATUS_TRAP = 134,         /* 128 + SIGABRT, what a crashing native program ends with */
    THREADS_MAX = 4096,        /* at once; a pids cgroup or RLIMIT_NPROC usually says less */
    C_STACK_BYTES = 256 << 10, /* host functions' own; touched as far as used */
};

/* --- linking -------------------------------------------------------------------------------------------------- */

static enum trap_kind host_thread_spawn(struct host_call *call)
{
    call->values[0].i32 = (uint32_t)program_spawn(call->context, call->values[0].i32);
    return TRAP_NONE;
}

static const struct host_function_def thread_defs[] = {
    {WASI_THREAD_SPAWN, WASI_THREAD_SPAWN_SIGNATURE, host_thread_spawn}};
static const struct host_module threads_module = {WASI_THREADS_MODULE, thread_defs, 1};

static void add_host_modules(struct program *p, struct linker *linker)
{
    const struct {
        const struct host_module *host;
        void *context;
    } hosts[] = {{&wasi_unstable_module, p->wasi}, {&wasi_p1_module, p->wasi}, {&threads_module, p}};

    for (unsigned i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        vec_push(&linker->sources,
                 ((struct link_source){
                     .module = name_of(hosts[i].host->name), .host = hosts[i].host, .context = hosts[i].context}));
}

/* Adds a source for every shared memory, under the name by which it is imported. */
static void add_memories(struct program *p, struct linker *linker, char **names)
{
    const struct artifact *a = &p->code->artifact;

    for (uint64_t i = 0; i < a->imports_count; i++) {
        struct name field = artifact_string(a, a->imports[i].field);
        if (p->memories[i].memory == NULL)
            continue;
        names[i] = strndup(field.data, field.len);
        if (names[i] == NULL)
            out_of_memory();
        vec_push(&linker->sources, ((struct link_source){.module = artifact_string(a, a->imports[i].module),
                                                         .externals = &p->memories[i],
                                                         .external_names = (const char *const *)&names[i],
                                                         .external_count = 1}));
    }
}

int program_instantiate(struct program *p, struct store *store, int artifact_fd, struct instance **out, struct err *err)
{
    uint64_t count = p->code->artifact.imports_count;
    struct external *imports = calloc(count + 1, sizeof *imports);
    char **names = calloc(count + 1, sizeof *names);
    struct linker linker = {.store = store};
    int status;

    if (imports == NULL || names == NULL)
        out_of_memory();
    store->memory_max_bytes = store->heap.max_bytes = p->grant->memory_max_bytes;
    add_host_modules(p, &linker);
    add_memories(p, &linker, names);
    status = link_imports(&linker, p->code, imports, err);
    if (status == 0)
        status = instance_new(store, p->code, artifact_fd, imports, out, err);
    vec_done(&linker.sources);
    for (uint64_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    free(imports);
    return status;
}

static int make_memories(struct program *p, struct store *store, struct err *err)
{
    const struct artifact *a = &p->code->artifact;
    int status = 0;

    for (uint64_t i = 0; i < a->imports_count && status == 0; i++) {
        const struct artifact_import *import = &a->imports[i];
        struct limits limits;
        if (import->kind != EXTERNAL_MEMORY || import->index >= a->memories_count)
            continue;
        limits = instance_limits(&a->memories[import->index]);
        if (!limits.shared)
            continue;
        p->memories[i].kind = EXTERNAL_MEMORY;
        status = memory_new(store, &limits, a->header->explicit_bounds_checks, &p->memories[i].memory, err);
    }
    return status;
}

int program_init(struct program *p, struct store *store, const struct code *code, const struct grant *grant,
                 struct err *err)
{
    int status;

    *p = (struct program){.code = code, .grant = grant};
    p->memories = calloc(code->artifact.imports_count + 1, sizeof *p->memories);
    if (p->memories == NULL)
        return err_set(err, ENOMEM, "out of memory");
    status = wasi_context_new(grant, &p->wasi, err);
    return status == 0 ? make_memories(p, store, err) : status;
}

/* --- threads -------------------------------------------------------------------------------------------------- */

struct thread {
    struct program *program;
    struct instance *instance;
    uint32_t start; /* reference to wasi_thread_start */
    uint32_t number, argument;
};

static void end_thread(struct thread *t)
{
    struct program *p = t->program;

    store_free(t->instance->store);
    free(t);
    __atomic_fetch_sub(&p->thread_count, 1, __ATOMIC_RELAXED);
}

static void *run_thread(void *argument)
{
    struct thread *t = argument;
    union vm_value values[2] = {{.i32 = t->number}, {.i32 = t->argument}};
    enum trap_kind trap;

    store_attach(t->instance->store);
    trap = instance_initialize(t->instance);
    if (trap == TRAP_NONE)
        trap = call_func(t->instance->store, t->start, values);
    if (trap != TRAP_NONE)
        program_end_by_trap(t->program, t->instance->store, trap);
    end_thread(t);
    return NULL;
}

/* A number above 0 that no running thread has: there are far more numbers than threads, and they come round late. */
static uint32_t next_number(struct program *p)
{
    enum { NUMBERS = (1 << 29) - 1 }; /* wasi-threads: the upper bits are the guest's */
    return __atomic_fetch_add(&p->newest_thread, 1, __ATOMIC_RELAXED) % NUMBERS + 1;
}

static bool find_thread_start(struct instance *instance, struct external *start)
{
    const struct store_type *type;

    if (!instance_export(instance, name_of(WASI_THREAD_START), start) || start->kind != EXTERNAL_FUNC)
        return false;
    type = types_get(&instance->store->types, store_func(instance->store, start->func)->type_id);
    return type->param_count == 2 && type->result_count == 0 && type->types[0] == VT_I32 && type->types[1] == VT_I32;
}

/* Everything that can fail is done on the caller's thread, so that it can be told. */
static int make_thread(struct program *p, uint32_t argument, struct thread **out, struct err *err)
{
    struct thread *t = calloc(1, sizeof *t);
    struct external start;
    struct store *store;
    int status;

    if (t == NULL)
        return -ENOMEM;
    if ((status = store_new_detached(&store, p->grant->stack_bytes, err)) != 0) {
        free(t);
        return status;
    }
    status = program_instantiate(p, store, -1, &t->instance, err);
    if (status == 0 && !find_thread_start(t->instance, &start))
        status = -ENOEXEC;
    if (status != 0) {
        store_free(store);
        free(t);
        return status;
    }
    t->program = p;
    t->start = start.func;
    t->argument = argument;
    t->number = next_number(p);
    *out = t;
    return 0;
}

static int launch(struct thread *t)
{
    pthread_attr_t attributes;
    pthread_t id;
    int status;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, C_STACK_BYTES);
    status = pthread_create(&id, &attributes, run_thread, t);
    pthread_attr_destroy(&attributes);
    return status;
}

int32_t program_spawn(struct program *p, uint32_t argument)
{
    struct err err = {0};
    struct thread *t;
    int32_t number;

    if (__atomic_add_fetch(&p->thread_count, 1, __ATOMIC_RELAXED) > THREADS_MAX ||
        make_thread(p, argument, &t, &err) != 0) {
        __atomic_fetch_sub(&p->thread_count, 1, __ATOMIC_RELAXED);
        return -WASI_AGAIN;
    }
    number = (int32_t)t->number;
    wasi_context_share(p->wasi);
    if (launch(t) != 0) { /* a limit on processes, or no memory for the stack */
        end_thread(t);
        return -WASI_AGAIN;
    }
    return number;
}

bool program_has_threads(const struct program *p)
{
    return __atomic_load_n(&p->newest_thread, __ATOMIC_RELAXED) != 0;
}

_Noreturn void program_end_by_trap(const struct program *p, const struct store *store, enum trap_kind trap)
{
    static pthread_mutex_t ending = PTHREAD_MUTEX_INITIALIZER; /* never unlocked: who comes later waits for the end */
    struct buf text = {0};

    pthread_mutex_lock(&ending);
    if (trap == TRAP_UNCAUGHT_EXCEPTION && store->thread->exception != 0)
        exception_print(store, store->thread->exception, &text);
    else
        buf_printf(&text, "wherry: trap: %s\n", trap_text(trap));
    backtrace_print(store, &text);
    (void)fd_write_all(2, text.data, text.len);
    if (p->grant->reason_fd > 0)
        (void)fd_write_all(p->grant->reason_fd, text.data, text.len);
    _exit(STATUS_TRAP);
}
