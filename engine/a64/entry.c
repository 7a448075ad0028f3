/* Entry into compiled code, calls out of it, and the way back from a trap (contract: gen/entry.h; registers:
 * gen/abi.h).
 *
 * The base frame that entry_enter makes on the Wasm stack looks like any frame ([fp-8] is its struct vm *), with a
 * zero return address that ends the chain. A thunk begins by putting its return address on the Wasm stack, 16 bytes below the
 * arguments, because that is where backtraces and the search for handlers begin; nothing else of it is there. */
#include "engine/gen/entry.h"
#include "engine/gen/entry_layout.h"
#include <signal.h>
#include <ucontext.h>

/* What entry_enter saves of C's registers. */
#define SAVED "176"

/* Register files: the integers in front, the vectors behind them. */
#define LOAD_INTS(base)                                                                                                \
    "ldp x0, x1, [" base "]\n"                                                                                         \
    "ldp x2, x3, [" base ", #16]\n"                                                                                    \
    "ldp x4, x5, [" base ", #32]\n"
#define SAVE_INTS(base)                                                                                                \
    "stp x0, x1, [" base "]\n"                                                                                         \
    "stp x2, x3, [" base ", #16]\n"                                                                                    \
    "stp x4, x5, [" base ", #32]\n"
#define LOAD_VECTORS(base)                                                                                             \
    "ldp q0, q1, [" base ", #" C_VECTORS "]\n"                                                                         \
    "ldp q2, q3, [" base ", #" C_VECTORS "+32]\n"                                                                      \
    "ldp q4, q5, [" base ", #" C_VECTORS "+64]\n"                                                                      \
    "ldp q6, q7, [" base ", #" C_VECTORS "+96]\n"
#define SAVE_VECTORS(base)                                                                                             \
    "stp q0, q1, [" base ", #" C_VECTORS "]\n"                                                                         \
    "stp q2, q3, [" base ", #" C_VECTORS "+32]\n"                                                                      \
    "stp q4, q5, [" base ", #" C_VECTORS "+64]\n"                                                                      \
    "stp q6, q7, [" base ", #" C_VECTORS "+96]\n"

#define FUNCTION(name) ".globl " name "\n.hidden " name "\n.type " name ", %function\n.balign 16\n" name ":\n"

/* The formatter would break the listing at every macro. */
/* clang-format off */
__asm__(".text\n"
        ".globl entry_code_start, entry_code_end, entry_unwind\n"
        ".hidden entry_code_start, entry_code_end, entry_unwind\n"
        "entry_code_start:\n"

        FUNCTION("entry_enter") /* x0: thread, x1: call */
        "stp x29, x30, [sp, #-" SAVED "]!\n"
        "stp x19, x20, [sp, #16]\n"
        "stp x21, x22, [sp, #32]\n"
        "stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n"
        "stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp\n"
        "str x9, [x0, #" T_C_SP "]\n"
        "ldr x9, [x0, #" T_WASM_SP "]\n"
        "and x9, x9, #-16\n"
        "mov sp, x9\n"
        "stp xzr, xzr, [sp, #-16]!\n"
        "mov x29, sp\n"
        "ldr x28, [x1, #" C_VM "]\n"
        "mov x10, x1\n"
        "sub sp, sp, #32\n"
        "stp x1, x28, [x29, #-16]\n" /* [fp-8]: the vm, [fp-16]: the call */
        "str x0, [x29, #-24]\n"      /* the thread */
        "ldr x9, [x10, #" C_RESULT_BYTES "]\n"
        "sub sp, sp, x9\n"
        "ldr x9, [x10, #" C_ARG_BYTES "]\n"
        "ldr x11, [x10, #" C_ARG_SLOTS "]\n"
        "sub sp, sp, x9\n"
        "mov x12, sp\n"
        "cbz x9, 2f\n"
        "1: ldp x13, x14, [x11], #16\n"
        "stp x13, x14, [x12], #16\n"
        "sub x9, x9, #16\n"
        "cbnz x9, 1b\n"
        "2: ldr x9, [x10, #" C_ONLY_INTS "]\n"
        "cbnz x9, 3f\n"
        LOAD_VECTORS("x10")
        "3:\n"
        LOAD_INTS("x10")
        "ldr x27, [x28]\n"
        "ldr x16, [x10, #" C_CODE "]\n"
        "blr x16\n"
        "ldur x10, [x29, #-16]\n"
        SAVE_INTS("x10")
        "ldr x9, [x10, #" C_ONLY_INTS "]\n"
        "cbnz x9, 4f\n"
        SAVE_VECTORS("x10")
        "4: ldr x9, [x10, #" C_RESULT_BYTES "]\n"
        "ldr x11, [x10, #" C_RESULT_SLOTS "]\n"
        "cbz x9, 6f\n"
        "mov x12, sp\n"
        "5: ldp x13, x14, [x12], #16\n"
        "stp x13, x14, [x11], #16\n"
        "sub x9, x9, #16\n"
        "cbnz x9, 5b\n"
        "6: ldur x10, [x29, #-24]\n"
        "ldr x9, [x10, #" T_C_SP "]\n"
        "mov sp, x9\n"
        "mov w0, wzr\n"
        "entry_unwind:\n" /* w0: what entry_enter returns, sp: its C stack */
        "ldp x19, x20, [sp, #16]\n"
        "ldp x21, x22, [sp, #32]\n"
        "ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n"
        "ldp x27, x28, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #" SAVED "\n"
        "ret\n"

        FUNCTION("entry_trap") /* x0: thread, w1: kind */
        "ldr x9, [x0, #" T_C_SP "]\n"
        "mov sp, x9\n"
        "mov w0, w1\n"
        "b entry_unwind\n"

        FUNCTION("entry_resume") /* x0: pc, x1: sp, x2: fp, w3: reference */
        "mov sp, x1\n"
        "mov x29, x2\n"
        "ldur x28, [x29, #-8]\n"
        "ldr x27, [x28]\n"
        "mov x16, x0\n"
        "mov w0, w3\n"
        "br x16\n"

        FUNCTION("entry_host_thunk") /* x28: struct vm_host_func *, x29: the caller's frame */
        "ldur x20, [x29, #-8]\n"
        "ldr x19, [x20, #" VM_THREAD "]\n"
        "mov x21, sp\n"
        "stp x30, xzr, [sp, #-16]!\n"
        "mov x9, sp\n"
        "stp x9, x29, [x19, #" T_WASM_SP "]\n"
        "ldr x9, [x19, #" T_C_SP "]\n"
        "sub sp, x9, #" F_SIZE "\n"
        SAVE_INTS("sp")
        "ldr x9, [x28, #" H_ONLY_INTS "]\n"
        "cbnz x9, 2f\n"
        SAVE_VECTORS("sp")
        "mov x0, x28\n"
        "mov x1, sp\n"
        "mov x2, x21\n"
        "mov x3, x20\n"
        "bl entry_host_dispatch\n"
        "cbnz w0, 1f\n"
        "mov x10, sp\n"
        "ldr x9, [x10, #" F_POP_BYTES "]\n"
        LOAD_VECTORS("x10")
        LOAD_INTS("x10")
        "ldr x11, [x19, #" T_WASM_SP "]\n"
        "ldr x30, [x11]\n"
        "add x9, x9, #16\n"
        "add x9, x9, x11\n"
        "mov sp, x9\n"
        "ret\n"
        "1: ldr x9, [x19, #" T_C_SP "]\n"
        "mov sp, x9\n"
        "b entry_unwind\n"
        "2: mov x0, x28\n" /* the common case: integers in registers, at most one result */
        "mov x1, sp\n"
        "mov x2, x20\n"
        "bl entry_host_dispatch_ints\n"
        "cbnz w0, 1b\n"
        "ldr x0, [sp]\n"
        "b 3f\n"

        FUNCTION("entry_builtin_thunk") /* w16: enum vm_builtin, x1 x2 x3 x4: arguments, x28: struct vm * */
        "ldr x19, [x28, #" VM_THREAD "]\n"
        "stp x30, xzr, [sp, #-16]!\n"
        "mov x9, sp\n"
        "stp x9, x29, [x19, #" T_WASM_SP "]\n"
        "ldr x9, [x19, #" T_C_SP "]\n"
        "mov sp, x9\n"
        "mov x0, x28\n"
        "adrp x9, entry_builtins\n"
        "add x9, x9, :lo12:entry_builtins\n"
        "ldr x9, [x9, w16, uxtw #3]\n"
        "blr x9\n"
        "3: ldr x9, [x19, #" T_WASM_SP "]\n"
        "mov sp, x9\n"
        "ldp x30, xzr, [sp], #16\n"
        "ret\n"

        /* x16: type index and length, then the reference. The registers it saves lie where the collector looks, with
           the return address below them, where a backtrace looks. */
        FUNCTION("entry_allocate_thunk")
        "sub sp, sp, #688\n"
        "stp x30, xzr, [sp]\n"
        "stp x0, x1, [sp, #16]\n"
        "stp x2, x3, [sp, #32]\n"
        "stp x4, x5, [sp, #48]\n"
        "stp x6, x7, [sp, #64]\n"
        "stp x8, x9, [sp, #80]\n"
        "stp x10, x11, [sp, #96]\n"
        "stp x12, x13, [sp, #112]\n"
        "stp x14, x19, [sp, #128]\n" /* C keeps x20 to x28, but what is in them is to be found */
        "stp x20, x21, [sp, #144]\n"
        "stp x22, x23, [sp, #160]\n"
        "stp x24, x25, [sp, #176]\n"
        "str x26, [sp, #192]\n"
        "add x9, sp, #208\n"
        "st1 {v0.16b, v1.16b, v2.16b, v3.16b}, [x9], #64\n"
        "st1 {v4.16b, v5.16b, v6.16b, v7.16b}, [x9], #64\n"
        "st1 {v8.16b, v9.16b, v10.16b, v11.16b}, [x9], #64\n"
        "st1 {v12.16b, v13.16b, v14.16b, v15.16b}, [x9], #64\n"
        "st1 {v16.16b, v17.16b, v18.16b, v19.16b}, [x9], #64\n"
        "st1 {v20.16b, v21.16b, v22.16b, v23.16b}, [x9], #64\n"
        "st1 {v24.16b, v25.16b, v26.16b, v27.16b}, [x9], #64\n"
        "stp q28, q29, [x9]\n" /* v30 finds no room: it is not allocated */
        "ldr x19, [x28, #" VM_THREAD "]\n"
        "mov x9, sp\n"
        "stp x9, x29, [x19, #" T_WASM_SP "]\n"
        "ldr x9, [x19, #" T_C_SP "]\n"
        "mov sp, x9\n"
        "mov x0, x28\n"
        "mov x1, x16\n"
        "bl entry_allocate\n"
        "mov w16, w0\n"
        "ldr x9, [x19, #" T_WASM_SP "]\n"
        "mov sp, x9\n"
        "add x9, sp, #208\n"
        "ld1 {v0.16b, v1.16b, v2.16b, v3.16b}, [x9], #64\n"
        "ld1 {v4.16b, v5.16b, v6.16b, v7.16b}, [x9], #64\n"
        "ld1 {v8.16b, v9.16b, v10.16b, v11.16b}, [x9], #64\n"
        "ld1 {v12.16b, v13.16b, v14.16b, v15.16b}, [x9], #64\n"
        "ld1 {v16.16b, v17.16b, v18.16b, v19.16b}, [x9], #64\n"
        "ld1 {v20.16b, v21.16b, v22.16b, v23.16b}, [x9], #64\n"
        "ld1 {v24.16b, v25.16b, v26.16b, v27.16b}, [x9], #64\n"
        "ldp q28, q29, [x9]\n"
        "ldp x30, xzr, [sp]\n"
        "ldp x0, x1, [sp, #16]\n"
        "ldp x2, x3, [sp, #32]\n"
        "ldp x4, x5, [sp, #48]\n"
        "ldp x6, x7, [sp, #64]\n"
        "ldp x8, x9, [sp, #80]\n"
        "ldp x10, x11, [sp, #96]\n"
        "ldp x12, x13, [sp, #112]\n"
        "ldp x14, x19, [sp, #128]\n"
        "ldp x20, x21, [sp, #144]\n"
        "ldp x22, x23, [sp, #160]\n"
        "ldp x24, x25, [sp, #176]\n"
        "ldr x26, [sp, #192]\n"
        "add sp, sp, #688\n"
        "ret\n"
        "entry_code_end:\n");
/* clang-format on */

extern const char entry_code_start[], entry_code_end[], entry_unwind[];

static const mcontext_t *machine(const void *context)
{
    return &((const ucontext_t *)context)->uc_mcontext;
}

const void *entry_context_pc(const void *context)
{
    return (const void *)(uintptr_t)machine(context)->pc;
}

const void *entry_context_fp(const void *context)
{
    return (const void *)(uintptr_t)machine(context)->regs[29];
}

bool entry_context_in_entry_code(const void *context)
{
    const char *pc = entry_context_pc(context);
    return pc >= entry_code_start && pc < entry_code_end;
}

void entry_context_unwind(void *context, struct vm_thread *thread, enum trap_kind kind)
{
    mcontext_t *registers = &((ucontext_t *)context)->uc_mcontext;

    registers->pc = (uintptr_t)entry_unwind;
    registers->sp = (uintptr_t)thread->c_sp;
    registers->regs[0] = kind;
}
