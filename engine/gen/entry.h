/* Crossing between C and compiled code: what each target's entry.c offers, and what it asks of the runtime.
 *
 * Compiled code runs on its own stack. entry_enter switches to it, calls, and switches back; entry_host_thunk and
 * entry_builtin_thunk do the reverse for the time of a call into C. A trap, wherever it is found, abandons everything
 * down to the newest entry_enter, which then returns its kind. */
#ifndef WHERRY_ENGINE_GEN_ENTRY_H
#define WHERRY_ENGINE_GEN_ENTRY_H

#include "engine/gen/abi.h"
#include "engine/gen/layout.h"
#include <stdbool.h>
#include <stdint.h>

/* Per thread that runs Wasm. The entry code knows the first three fields by offset. */
struct vm_thread {
    void *wasm_sp; /* where the next entry begins: top of the stack, or the frame that made the newest call into C */
    void *wasm_fp; /* frame pointer of the Wasm frame that made the newest call into C */
    void *c_sp;    /* C stack at the newest entry */
    struct entry_call *newest;
    uint8_t *stack_low, *stack_high; /* usable part of the Wasm stack; the guard lies below stack_low */
    uint8_t *guard_low;
    const void *trap_pc; /* of a trap by fault; NULL: the trap came from a call into C */
    const void *trap_fp;
    uint32_t exception; /* that left the newest entry, which returned TRAP_UNCAUGHT_EXCEPTION; else 0 */
    void *mapping;      /* stack, guard and alternate signal stack together */
    uint64_t mapping_bytes;
};

/* One call from C. Also the register file that thunks fill and drain. */
struct entry_call {
    uint64_t ints[ABI_INT_REGISTERS];
    uint8_t vectors[ABI_VECTOR_REGISTERS][16] __attribute__((aligned(16)));
    const void *code;
    void *vm; /* struct vm *, or struct vm_host_func * */
    uint64_t *arg_slots, *result_slots;
    uint64_t arg_bytes, result_bytes; /* padded area sizes */
    uint64_t only_ints;               /* not 0: no vector register takes part, in either direction */
    /* the runtime's: the entry below this one on the same thread */
    struct entry_call *outer;
    void *outer_sp, *outer_fp, *outer_c_sp;
};

/* What a struct vm_host_func begins with. */
struct entry_host_head {
    uint8_t *memory0_base; /* NULL; where compiled code looks for its callee's memory */
    uint64_t only_ints;
};

/* Registers and Wasm stack at a call into C, as entry_host_dispatch sees and changes them. */
struct entry_host_frame {
    uint64_t ints[ABI_INT_REGISTERS];
    uint8_t vectors[ABI_VECTOR_REGISTERS][16] __attribute__((aligned(16)));
    uint64_t pop_bytes; /* out: padded size of the stack arguments */
};

/* Runs CALL on THREAD's Wasm stack. Returns TRAP_NONE, or the trap that ended it. */
enum trap_kind entry_enter(struct vm_thread *thread, struct entry_call *call);

/* Abandons everything above the newest entry on THREAD, which returns KIND. For builtins; only on the C stack. */
_Noreturn void entry_trap(struct vm_thread *thread, enum trap_kind kind);

/* Goes on in compiled code at PC with these stack and frame pointers, the pinned registers of that frame, and REFERENCE
 * as the first integer result. For the runtime's handler search; only on the C stack. */
_Noreturn void entry_resume(const void *pc, const void *sp, const void *fp, uint32_t reference);

/* What vm_func.code and vm_import.code point at for a host function, and what vm->builtin_thunk is. */
void entry_host_thunk(void);
void entry_builtin_thunk(void);
/* What vm->allocate_thunk is. */
void entry_allocate_thunk(void);

/* Given by the runtime (rt/host.c, rt/builtin.c). `slots` is the caller's stack argument area, results follow it. */
struct vm_host_func;
enum trap_kind entry_host_dispatch(struct vm_host_func *func, struct entry_host_frame *frame, uint64_t *slots,
                                   struct vm *caller);
/* The same for a function whose head says only_ints: up to six integer parameters, at most one result, into
 * frame->ints[0]. */
enum trap_kind entry_host_dispatch_ints(struct vm_host_func *func, struct entry_host_frame *frame, struct vm *caller);
/* A new object (rt/object.c). Does not return when it traps. */
uint32_t entry_allocate(struct vm *vm, uint64_t type_and_length);
typedef uint64_t entry_builtin(struct vm *vm, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
extern entry_builtin *const entry_builtins[BUILTIN_COUNT];

/* The machine state in a signal handler (CONTEXT: the handler's third argument). */
const void *entry_context_pc(const void *context);
const void *entry_context_fp(const void *context);
bool entry_context_in_entry_code(const void *context);
/* Makes the handler return into the newest entry of THREAD, which then returns KIND. */
void entry_context_unwind(void *context, struct vm_thread *thread, enum trap_kind kind);

#endif
