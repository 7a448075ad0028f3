/* Traps: hardware faults in compiled code become the return value of the entry that is running.
 *
 * The handler runs on an alternate stack (the Wasm stack may be what overflowed), reads only mapped code, the
 * current thread and its own arguments, and changes nothing but the interrupted registers. A fault that is not
 * compiled code's gets the default action by returning with that action set: the faulting instruction runs again and
 * the core dump shows it. */
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>

enum {
    GUARD_BYTES = 1 << 20, /* a frame larger than this probes (the compilers' duty) */
    STACK_BYTES_DEFAULT = 8 << 20,
    STACK_BYTES_MIN = 64 << 10,
};

static __thread struct vm_thread *current_thread;

const char *trap_text(enum trap_kind kind)
{
    switch (kind) {
    case TRAP_UNREACHABLE: return "unreachable";
    case TRAP_MEMORY_OUT_OF_BOUNDS: return "out of bounds memory access";
    case TRAP_TABLE_OUT_OF_BOUNDS: return "out of bounds table access";
    case TRAP_UNINITIALIZED_ELEMENT: return "uninitialized element";
    case TRAP_INDIRECT_CALL_TYPE_MISMATCH: return "indirect call type mismatch";
    case TRAP_INTEGER_OVERFLOW: return "integer overflow";
    case TRAP_INTEGER_DIVIDE_BY_ZERO: return "integer divide by zero";
    case TRAP_INVALID_CONVERSION: return "invalid conversion to integer";
    case TRAP_STACK_OVERFLOW: return "call stack exhausted";
    case TRAP_NULL_REFERENCE: return "null reference";
    case TRAP_CAST_FAILURE: return "cast failure";
    case TRAP_ARRAY_OUT_OF_BOUNDS: return "out of bounds array access";
    case TRAP_UNALIGNED_ATOMIC: return "unaligned atomic";
    case TRAP_EXPECTED_SHARED_MEMORY: return "expected shared memory";
    case TRAP_UNCAUGHT_EXCEPTION: return "uncaught exception";
    case TRAP_OUT_OF_MEMORY: return "out of memory: no room for another object";
    case TRAP_NONE:
    case TRAP_COUNT: break;
    }
    return "unknown trap";
}

static bool in_guard(const struct vm_thread *thread, const siginfo_t *info)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    return at >= (uintptr_t)thread->guard_low && at < (uintptr_t)thread->stack_low;
}

static enum trap_kind fault_kind(int signal, const siginfo_t *info, const void *context, const struct vm_thread *thread)
{
    const void *pc = entry_context_pc(context);
    const struct code *code = code_at(pc);

    if (code == NULL && !entry_context_in_entry_code(context))
        return TRAP_NONE;
    if (signal == SIGSEGV && in_guard(thread, info))
        return TRAP_STACK_OVERFLOW;
    return code == NULL ? TRAP_NONE : code_trap_at(code, pc);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    struct vm_thread *thread = current_thread;
    enum trap_kind kind = TRAP_NONE;

    /* si_code > 0: raised by the hardware, not sent by somebody */
    if (thread != NULL && thread->newest != NULL && info->si_code > 0)
        kind = fault_kind(signal, info, context, thread);
    if (kind == TRAP_NONE) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigaction(signal, &by_default, NULL);
        if (info->si_code <= 0)
            raise(signal);
        return;
    }
    thread->trap_pc = entry_context_pc(context);
    thread->trap_fp = entry_context_fp(context);
    entry_context_unwind(context, thread, kind);
}

int trap_install_handlers(struct err *err)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return err_sys(err, "cannot install the trap handler");
    return 0;
}

void thread_attach(struct vm_thread *thread)
{
    stack_t alternate = {.ss_sp = thread->stack_high};

    alternate.ss_size = (uintptr_t)thread->mapping + thread->mapping_bytes - (uintptr_t)thread->stack_high;
    sigaltstack(&alternate, NULL);
    current_thread = thread;
}

/* One mapping: guard, Wasm stack, alternate signal stack (low to high). */
int thread_new(struct vm_thread **out, uint64_t stack_bytes, struct err *err)
{
    /* the frame that the kernel pushes grows with the CPU's vector state */
    uint64_t signal_bytes = (getauxval(AT_MINSIGSTKSZ) + 16384 + 4095) & ~UINT64_C(4095);
    struct vm_thread *thread;
    uint8_t *base;

    stack_bytes = ((stack_bytes == 0 ? STACK_BYTES_DEFAULT : stack_bytes) + 4095) & ~UINT64_C(4095);
    if (stack_bytes < STACK_BYTES_MIN)
        stack_bytes = STACK_BYTES_MIN;
    thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return err_set(err, ENOMEM, "out of memory");
    thread->mapping_bytes = GUARD_BYTES + stack_bytes + signal_bytes;
    base = mmap(NULL, thread->mapping_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED || mprotect(base, GUARD_BYTES, PROT_NONE) != 0) {
        int status = err_sys(err, "cannot allocate a Wasm stack of %llu bytes", (unsigned long long)stack_bytes);
        if (base != MAP_FAILED)
            munmap(base, thread->mapping_bytes);
        free(thread);
        return status;
    }
    thread->mapping = thread->guard_low = base;
    thread->stack_low = base + GUARD_BYTES;
    thread->wasm_sp = thread->stack_high = thread->stack_low + stack_bytes;
    *out = thread;
    return 0;
}

void thread_free(struct vm_thread *thread)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    if (current_thread == thread) {
        current_thread = NULL;
        sigaltstack(&none, NULL);
    }
    munmap(thread->mapping, thread->mapping_bytes);
    free(thread);
}
