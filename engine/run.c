/* Running a module: artifact in, exit status out. What `engine` is for, and `wherry wasm run` the same in its own
 * process.
 *
 * The order matters: everything that needs a descriptor of the artifact or an executable mapping comes first, then
 * the filter that forbids both for ever, then the module's first instruction. */
#include "engine/filter.h"
#include "engine/program.h"
#include "engine/rt/code.h"
#include "engine/rt/link.h"
#include "wherry/engine.h"
#include <signal.h>
#include <sys/prctl.h>

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

/* --- the module ----------------------------------------------------------------------------------------------- */

/* A command's _start; of a module without one (WASI's reactors) _initialize, in which some toolchains, Kotlin's among
 * them, call main. */
static int find_start(struct instance *instance, struct external *start, struct err *err)
{
    if ((instance_export(instance, name_of("_start"), start) && start->kind == EXTERNAL_FUNC) ||
        (instance_export(instance, name_of("_initialize"), start) && start->kind == EXTERNAL_FUNC)) {
        const struct store_type *type =
            types_get(&instance->store->types, store_func(instance->store, start->func)->type_id);
        if (type->param_count == 0 && type->result_count == 0)
            return 0;
        return err_set(err, ENOEXEC,
                       "the module's _start or _initialize has parameters or results; a command's has none");
    }
    return err_set(err, ENOEXEC,
                   "the module exports no function _start or _initialize: it is a library, not a command");
}

static int prepare(struct program *program, int artifact_fd, int live_fd, const struct grant *grant,
                   struct instance **out, struct external *start, struct err *err)
{
    const struct artifact_identity any = {0};
    struct store *store;
    struct code *code;
    int status;

    if ((status = code_map_with_live(artifact_fd, live_fd, &any, &code, err)) != 0 ||
        (status = store_new(&store, grant->stack_bytes, err)) != 0 ||
        (status = program_init(program, store, code, grant, err)) != 0 ||
        (status = program_instantiate(program, store, artifact_fd, out, err)) != 0)
        return status;
    return find_start(*out, start, err);
}

int engine_run(int artifact_fd, int live_fd, const struct grant *grant, bool confined, struct err *err)
{
    static struct program program; /* threads may still run when this function returns */
    struct instance *instance;
    struct external start;
    enum trap_kind trap;
    int status;

    if (grant->module_name != NULL)
        prctl(PR_SET_NAME, grant->module_name);
    status = prepare(&program, artifact_fd, live_fd, grant, &instance, &start, err);
    close(artifact_fd);
    if (live_fd >= 0)
        close(live_fd);
    be_init(); /* after the context of WASI, which ignores SIGPIPE */
    if (status == 0 && confined)
        status = filter_install(instance->artifact->header, err);
    if (status != 0)
        return status;
    trap = instance_initialize(instance);
    if (trap == TRAP_NONE)
        trap = call_func(instance->store, start.func, NULL);
    if (trap != TRAP_NONE)
        program_end_by_trap(&program, instance->store, trap);
    if (program_has_threads(&program)) /* they end with the first one, wherever they are */
        _exit(0);
    return 0;
}
