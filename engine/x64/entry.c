/* Entry into compiled code, calls out of it, and the way back from a trap (contract: gen/entry.h; registers:
 * gen/abi.h).
 *
 * The base frame that entry_enter makes on the Wasm stack looks like any frame ([rbp-8] is its struct vm *), with a
 * zero return address that ends the chain. Nothing here is ever on the Wasm stack beyond that frame, so compiled
 * code needs no head-room for calls into C. */
#include "engine/gen/entry.h"
#include "engine/gen/entry_layout.h"
#include <signal.h>
#include <ucontext.h>

#define LOAD_VECTORS_AT(base, at)                                                                                      \
    "movaps " at "(" base "), %xmm0\n"                                                                                 \
    "movaps " at "+16(" base "), %xmm1\n"                                                                              \
    "movaps " at "+32(" base "), %xmm2\n"                                                                              \
    "movaps " at "+48(" base "), %xmm3\n"                                                                              \
    "movaps " at "+64(" base "), %xmm4\n"                                                                              \
    "movaps " at "+80(" base "), %xmm5\n"                                                                              \
    "movaps " at "+96(" base "), %xmm6\n"                                                                              \
    "movaps " at "+112(" base "), %xmm7\n"
#define LOAD_VECTORS(base) LOAD_VECTORS_AT(base, C_VECTORS)
#define SAVE_VECTORS_AT(base, at)                                                                                      \
    "movaps %xmm0, " at "(" base ")\n"                                                                                 \
    "movaps %xmm1, " at "+16(" base ")\n"                                                                              \
    "movaps %xmm2, " at "+32(" base ")\n"                                                                              \
    "movaps %xmm3, " at "+48(" base ")\n"                                                                              \
    "movaps %xmm4, " at "+64(" base ")\n"                                                                              \
    "movaps %xmm5, " at "+80(" base ")\n"                                                                              \
    "movaps %xmm6, " at "+96(" base ")\n"                                                                              \
    "movaps %xmm7, " at "+112(" base ")\n"
#define SAVE_VECTORS(base) SAVE_VECTORS_AT(base, C_VECTORS)
/* arguments and results differ in the order of the integer registers */
#define LOAD_ARGUMENTS(base)                                                                                           \
    "mov (" base "), %rdi\n"                                                                                           \
    "mov 8(" base "), %rsi\n"                                                                                          \
    "mov 16(" base "), %rdx\n"                                                                                         \
    "mov 24(" base "), %rcx\n"                                                                                         \
    "mov 32(" base "), %r8\n"                                                                                          \
    "mov 40(" base "), %r9\n"
#define SAVE_ARGUMENTS(base)                                                                                           \
    "mov %rdi, (" base ")\n"                                                                                           \
    "mov %rsi, 8(" base ")\n"                                                                                          \
    "mov %rdx, 16(" base ")\n"                                                                                         \
    "mov %rcx, 24(" base ")\n"                                                                                         \
    "mov %r8, 32(" base ")\n"                                                                                          \
    "mov %r9, 40(" base ")\n"
#define LOAD_RESULTS(base)                                                                                             \
    "mov (" base "), %rax\n"                                                                                           \
    "mov 8(" base "), %rdx\n"                                                                                          \
    "mov 16(" base "), %rcx\n"                                                                                         \
    "mov 24(" base "), %rsi\n"                                                                                         \
    "mov 32(" base "), %rdi\n"                                                                                         \
    "mov 40(" base "), %r8\n"
#define SAVE_RESULTS(base)                                                                                             \
    "mov %rax, (" base ")\n"                                                                                           \
    "mov %rdx, 8(" base ")\n"                                                                                          \
    "mov %rcx, 16(" base ")\n"                                                                                         \
    "mov %rsi, 24(" base ")\n"                                                                                         \
    "mov %rdi, 32(" base ")\n"                                                                                         \
    "mov %r8, 40(" base ")\n"

#define FUNCTION(name) ".globl " name "\n.hidden " name "\n.type " name ", @function\n.balign 16\n" name ":\n"

/* The formatter would break the listing at every macro. */
/* clang-format off */
__asm__(".text\n"
        ".globl entry_code_start, entry_code_end, entry_unwind\n"
        ".hidden entry_code_start, entry_code_end, entry_unwind\n"
        "entry_code_start:\n"

        FUNCTION("entry_enter") /* rdi: thread, rsi: call */
        "push %rbp\n"
        "push %rbx\n"
        "push %r12\n"
        "push %r13\n"
        "push %r14\n"
        "push %r15\n"
        "sub $8, %rsp\n"
        "mov %rsp, " T_C_SP "(%rdi)\n"
        "mov %rsi, %r10\n"
        "mov " T_WASM_SP "(%rdi), %rsp\n"
        "and $-16, %rsp\n"
        "push $0\n"
        "push $0\n"
        "mov %rsp, %rbp\n"
        "push " C_VM "(%r10)\n" /* [rbp-8] */
        "push %r10\n"           /* [rbp-16]: the call */
        "push %rdi\n"           /* [rbp-24]: the thread */
        "push %rdi\n"
        "sub " C_RESULT_BYTES "(%r10), %rsp\n"
        "mov " C_ARG_BYTES "(%r10), %rcx\n"
        "test %rcx, %rcx\n"
        "jz 1f\n"
        "sub %rcx, %rsp\n"
        "shr $3, %rcx\n"
        "mov " C_ARG_SLOTS "(%r10), %rsi\n"
        "mov %rsp, %rdi\n"
        "rep movsq\n"
        "1:\n"
        "cmpq $0, " C_ONLY_INTS "(%r10)\n"
        "jne 3f\n"
        LOAD_VECTORS("%r10")
        "3:\n"
        LOAD_ARGUMENTS("%r10")
        "mov " C_VM "(%r10), %r15\n"
        "mov (%r15), %r14\n"
        "call *" C_CODE "(%r10)\n"
        "mov -16(%rbp), %r10\n"
        SAVE_RESULTS("%r10")
        "cmpq $0, " C_ONLY_INTS "(%r10)\n"
        "jne 4f\n"
        SAVE_VECTORS("%r10")
        "4:\n"
        "mov " C_RESULT_BYTES "(%r10), %rcx\n"
        "test %rcx, %rcx\n"
        "jz 2f\n"
        "shr $3, %rcx\n"
        "mov %rsp, %rsi\n"
        "mov " C_RESULT_SLOTS "(%r10), %rdi\n"
        "rep movsq\n"
        "2:\n"
        "mov -24(%rbp), %rdi\n"
        "mov " T_C_SP "(%rdi), %rsp\n"
        "xor %eax, %eax\n"
        "entry_unwind:\n" /* eax: what entry_enter returns, rsp: its C stack */
        "add $8, %rsp\n"
        "pop %r15\n"
        "pop %r14\n"
        "pop %r13\n"
        "pop %r12\n"
        "pop %rbx\n"
        "pop %rbp\n"
        "ret\n"

        FUNCTION("entry_trap") /* rdi: thread, esi: kind */
        "mov " T_C_SP "(%rdi), %rsp\n"
        "mov %esi, %eax\n"
        "jmp entry_unwind\n"

        FUNCTION("entry_resume") /* rdi: pc, rsi: sp, rdx: fp, ecx: reference */
        "mov %rsi, %rsp\n"
        "mov %rdx, %rbp\n"
        "mov -8(%rbp), %r15\n"
        "mov (%r15), %r14\n"
        "mov %ecx, %eax\n"
        "jmp *%rdi\n"

        FUNCTION("entry_host_thunk") /* r15: struct vm_host_func *, rbp: the caller's frame */
        "mov -8(%rbp), %r10\n"
        "mov " VM_THREAD "(%r10), %r12\n"
        "mov %rsp, " T_WASM_SP "(%r12)\n"
        "mov %rbp, " T_WASM_FP "(%r12)\n"
        "lea 8(%rsp), %rbx\n"
        "mov " T_C_SP "(%r12), %rsp\n"
        "sub $" F_SIZE ", %rsp\n"
        SAVE_ARGUMENTS("%rsp")
        "cmpq $0, " H_ONLY_INTS "(%r15)\n"
        "jne 3f\n"
        SAVE_VECTORS("%rsp")
        "mov %r15, %rdi\n"
        "mov %rsp, %rsi\n"
        "mov %rbx, %rdx\n"
        "mov %r10, %rcx\n"
        "call entry_host_dispatch\n"
        "test %eax, %eax\n"
        "jnz 1f\n"
        "mov " F_POP_BYTES "(%rsp), %r11\n"
        LOAD_VECTORS("%rsp")
        "mov %rsp, %r10\n"
        LOAD_RESULTS("%r10")
        "mov " T_WASM_SP "(%r12), %rsp\n"
        "test %r11, %r11\n"
        "jnz 2f\n"
        "ret\n"
        "1: mov " T_C_SP "(%r12), %rsp\n"
        "jmp entry_unwind\n"
        "2: pop %r10\n"
        "add %r11, %rsp\n"
        "jmp *%r10\n"
        "3: mov %r15, %rdi\n" /* the common case: integers in registers, at most one result */
        "mov %rsp, %rsi\n"
        "mov %r10, %rdx\n"
        "call entry_host_dispatch_ints\n"
        "test %eax, %eax\n"
        "jnz 1b\n"
        "mov (%rsp), %rax\n"
        "mov " T_WASM_SP "(%r12), %rsp\n"
        "ret\n"

        FUNCTION("entry_builtin_thunk") /* eax: enum vm_builtin, rsi rdx rcx r8: arguments, r15: struct vm * */
        "mov " VM_THREAD "(%r15), %r12\n"
        "mov %rsp, " T_WASM_SP "(%r12)\n"
        "mov %rbp, " T_WASM_FP "(%r12)\n"
        "mov " T_C_SP "(%r12), %rsp\n"
        "mov %r15, %rdi\n"
        "mov %eax, %eax\n"
        "lea entry_builtins(%rip), %r10\n"
        "call *(%r10,%rax,8)\n"
        "mov " T_WASM_SP "(%r12), %rsp\n"
        "ret\n"

        /* r11: type index and length, then the reference. The registers it saves lie where the collector looks, with the
           return address below them, where a backtrace looks. */
        FUNCTION("entry_allocate_thunk")
        "push %rax\n"
        "push %rcx\n"
        "push %rdx\n"
        "push %rbx\n"
        "push %rsi\n"
        "push %rdi\n"
        "push %r8\n"
        "push %r9\n"
        "push %r10\n"
        "push %r12\n"
        "push %r13\n"
        "sub $240, %rsp\n"
        SAVE_VECTORS_AT("%rsp", "0")
        "movups %xmm8, 128(%rsp)\n"
        "movups %xmm9, 144(%rsp)\n"
        "movups %xmm10, 160(%rsp)\n"
        "movups %xmm11, 176(%rsp)\n"
        "movups %xmm12, 192(%rsp)\n"
        "movups %xmm13, 208(%rsp)\n"
        "movups %xmm14, 224(%rsp)\n"
        "push 328(%rsp)\n"
        "mov " VM_THREAD "(%r15), %r12\n"
        "mov %rsp, " T_WASM_SP "(%r12)\n"
        "mov %rbp, " T_WASM_FP "(%r12)\n"
        "mov " T_C_SP "(%r12), %rsp\n"
        "mov %r15, %rdi\n"
        "mov %r11, %rsi\n"
        "call entry_allocate\n"
        "mov " T_WASM_SP "(%r12), %rsp\n"
        "mov %eax, %r11d\n"
        "add $8, %rsp\n"
        LOAD_VECTORS_AT("%rsp", "0")
        "movups 128(%rsp), %xmm8\n"
        "movups 144(%rsp), %xmm9\n"
        "movups 160(%rsp), %xmm10\n"
        "movups 176(%rsp), %xmm11\n"
        "movups 192(%rsp), %xmm12\n"
        "movups 208(%rsp), %xmm13\n"
        "movups 224(%rsp), %xmm14\n"
        "add $240, %rsp\n"
        "pop %r13\n"
        "pop %r12\n"
        "pop %r10\n"
        "pop %r9\n"
        "pop %r8\n"
        "pop %rdi\n"
        "pop %rsi\n"
        "pop %rbx\n"
        "pop %rdx\n"
        "pop %rcx\n"
        "pop %rax\n"
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
    return (const void *)(uintptr_t)machine(context)->gregs[REG_RIP];
}

const void *entry_context_fp(const void *context)
{
    return (const void *)(uintptr_t)machine(context)->gregs[REG_RBP];
}

bool entry_context_in_entry_code(const void *context)
{
    const char *pc = entry_context_pc(context);
    return pc >= entry_code_start && pc < entry_code_end;
}

void entry_context_unwind(void *context, struct vm_thread *thread, enum trap_kind kind)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    registers[REG_RIP] = (greg_t)(uintptr_t)entry_unwind;
    registers[REG_RSP] = (greg_t)(uintptr_t)thread->c_sp;
    registers[REG_RAX] = (greg_t)kind;
}
