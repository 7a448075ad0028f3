/* Running a module: artifact in, exit status out. What `engine` is for, and `wherry wasm run` the same in its own
 * process.
 *
 * The order matters: everything that needs a descriptor of the artifact or an executable mapping comes first, then
 * the filter that forbids both for ever, then the module's first instruction. */
#include "base/fd.h"
#include "engine/filter.h"
#include "engine/rt/code.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "engine/wasi/p1.h"
#include "wherry/engine.h"
#include <signal.h>
#include <sys/prctl.h>

enum { STATUS_TRAP = 134 /* 128 + SIGABRT, what a crashing native program ends with */ };

/* --- pid 1 ---------------------------------------------------------------------------------------------------- */

static void end_by_signal(int signal)
{
    _exit(128 + signal);
}

/* A SIGPIPE of the guest's own writes is the errno EPIPE to it (WASI has no signals); one that is sent ends it as
 * any other. */
static void on_pipe(int signal, siginfo_t *info, void *context)
{
    if (info->si_pid != getpid())
        _exit(128 + signal);
}

/* The kernel gives pid 1 of a namespace no default actions: without a handler SIGTERM would do nothing. Orphans that
 * end up here are reaped by the kernel, because SIGCHLD is ignored. Anybody else keeps the default actions, which
 * end the process and tell its parent the same story. */
static void be_init(void)
{
    static const int terminating[] = {SIGHUP,    SIGINT,  SIGQUIT, SIGTRAP,   SIGABRT, SIGUSR1,
                                      SIGUSR2,   SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ,
                                      SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,    SIGSYS};
    struct sigaction end = {.sa_handler = end_by_signal, .sa_flags = SA_ONSTACK};
    struct sigaction pipe = {.sa_sigaction = on_pipe, .sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (getpid() != 1)
        return;
    for (unsigned i = 0; i < sizeof terminating / sizeof terminating[0]; i++)
        sigaction(terminating[i], &end, NULL);
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
        sigaction(signal, &end, NULL);
    sigaction(SIGPIPE, &pipe, NULL);
    sigaction(SIGCHLD, &ignore, NULL);
}

/* --- the instance --------------------------------------------------------------------------------------------- */

static int link_wasi(struct store *store, const struct grant *grant, const struct code *code, struct external *imports,
                     struct err *err)
{
    struct linker linker = {.store = store};
    struct wasi_context *wasi;
    int status = wasi_context_new(grant, &wasi, err);

    if (status != 0)
        return status;
    vec_push(&linker.sources,
             ((struct link_source){
                 .module = name_of(WASI_UNSTABLE_MODULE), .host = &wasi_unstable_module, .context = wasi}));
    vec_push(&linker.sources,
             ((struct link_source){.module = name_of(WASI_P1_MODULE), .host = &wasi_p1_module, .context = wasi}));
    status = link_imports(&linker, code, imports, err);
    vec_done(&linker.sources);
    return status;
}

static int instantiate(struct store *store, const struct grant *grant, const struct code *code, int artifact_fd,
                       struct instance **out, struct err *err)
{
    struct external *imports = calloc(code->artifact.imports_count + 1, sizeof *imports);
    int status;

    if (imports == NULL)
        return err_set(err, ENOMEM, "out of memory");
    status = link_wasi(store, grant, code, imports, err);
    if (status == 0)
        status = instance_new(store, code, artifact_fd, imports, out, err);
    free(imports);
    return status;
}

static int find_start(struct instance *instance, struct external *start, struct err *err)
{
    if (instance_export(instance, name_of("_start"), start) && start->kind == EXTERNAL_FUNC) {
        const struct store_type *type =
            types_get(&instance->store->types, store_func(instance->store, start->func)->type_id);
        if (type->param_count == 0 && type->result_count == 0)
            return 0;
        return err_set(err, ENOEXEC, "the module's _start has parameters or results; a command's has none");
    }
    return err_set(err, ENOEXEC, "the module exports no function _start: it is a library, not a command");
}

static int prepare(int artifact_fd, const struct grant *grant, struct instance **out, struct external *start,
                   struct err *err)
{
    const struct artifact_identity any = {.cpu_features = engine_cpu_features()};
    struct store *store;
    struct code *code;
    int status;

    if ((status = code_map(artifact_fd, &any, &code, err)) != 0 ||
        (status = store_new(&store, grant->stack_bytes, err)) != 0)
        return status;
    store->memory_max_bytes = grant->memory_max_bytes;
    if ((status = instantiate(store, grant, code, artifact_fd, out, err)) != 0 ||
        (status = find_start(*out, start, err)) != 0)
        return status;
    return 0;
}

/* Where whoever looks after the container reads it: in its log, and in the file that was granted for that (Kubernetes'
 * termination message). */
static int say_trap(const struct store *store, const struct grant *grant, enum trap_kind trap)
{
    struct buf text = {0};

    buf_printf(&text, "wherry: trap: %s\n", trap_text(trap));
    backtrace_print(store, &text);
    (void)fd_write_all(2, text.data, text.len);
    if (grant->reason_fd > 0)
        (void)fd_write_all(grant->reason_fd, text.data, text.len);
    return STATUS_TRAP;
}

int engine_run(int artifact_fd, const struct grant *grant, bool confined, struct err *err)
{
    struct instance *instance;
    struct external start;
    enum trap_kind trap;
    int status;

    if (grant->module_name != NULL)
        prctl(PR_SET_NAME, grant->module_name);
    status = prepare(artifact_fd, grant, &instance, &start, err);
    close(artifact_fd);
    be_init(); /* after the context of WASI, which ignores SIGPIPE */
    if (status == 0 && confined)
        status = filter_install(instance->artifact->header, err);
    if (status != 0)
        return status;
    trap = instance_initialize(instance);
    if (trap == TRAP_NONE)
        trap = call_func(instance->store, start.func, NULL);
    return trap == TRAP_NONE ? 0 : say_trap(instance->store, grant, trap);
}
