/* The contract between compiled code and the runtime, and between functions compiled by different compilers.
 *
 * Compiled code is position-independent and shared by every process that maps it: it holds no address and no number that
 * one process assigned. Everything it needs beyond itself it reaches through the instance register.
 *
 * x86-64 registers (the names used below; aarch64's further down)
 *   r15  struct vm * of the running instance         pinned; restored by the caller after any call that may change it
 *   r14  base of memory 0 (vm->memory0_base)         pinned; reloaded together with r15
 *   rbp  frame chain: [rbp] caller's rbp, [rbp+8] return address, [rbp-8] this frame's struct vm *
 *   rsp  the Wasm stack (not the C stack), 16-byte aligned at every call instruction
 *   no register is callee-saved besides rbp, rsp, r15, r14 (r15/r14 only in the sense above: the callee may leave them
 *   changed if it is another instance's; a direct call to a function of the same instance leaves them as they were)
 * aarch64: the same roles in x28 (vm), x27 (memory), x29 (frame) and sp, 16-byte aligned always. The callee pushes x29
 *   and the return address as its first act, so that frames and areas look the same. Arguments: x0-x5 and v0-v7, results
 *   too; x16 where r11 is named below.
 *
 * Arguments   i32 i64 ref, in order: rdi rsi rdx rcx r8 r9; f32 f64 v128, in order: xmm0-xmm7; the rest on the stack,
 *             one 8-byte slot each (v128: 16, slot-aligned), the first at the lowest address, directly above the return address.
 * Results     the first six integer or reference results: rax rdx rcx rsi rdi r8; the first eight float or vector
 *             ones: xmm0-xmm7; the rest in slots in an area that the caller made directly above the stack arguments.
 *             The callee pops the stack arguments (so that tail calls can change their number), not the result area.
 *             Both areas are padded so that rsp is 16-byte aligned at the call.
 * The upper half of a register or slot that holds an i32 or a reference is unspecified: users extend what they need.
 *
 * References are 32-bit offsets into one reserved region per process (the reference space), 0 is null. The region's
 * first page is never mapped, so that using null faults. A function reference is the offset of a struct vm_func.
 * Bit 0 set: an i31 (value << 1 | 1). So nothing here ever needs a stack map (the collector is conservative on stacks).
 *
 * Traps are faults: ud2 (aarch64: udf) for explicit ones, #DE for division where the machine has it, SIGSEGV for guard pages and null references. The trap
 * table of the artifact says which kind a pc stands for. */
#ifndef WHERRY_ENGINE_GEN_ABI_H
#define WHERRY_ENGINE_GEN_ABI_H

#include <stddef.h>
#include <stdint.h>

enum trap_kind {
    TRAP_NONE,
    TRAP_UNREACHABLE,
    TRAP_MEMORY_OUT_OF_BOUNDS,
    TRAP_TABLE_OUT_OF_BOUNDS,
    TRAP_UNINITIALIZED_ELEMENT,
    TRAP_INDIRECT_CALL_TYPE_MISMATCH,
    TRAP_INTEGER_OVERFLOW,
    TRAP_INTEGER_DIVIDE_BY_ZERO,
    TRAP_INVALID_CONVERSION,
    TRAP_STACK_OVERFLOW,
    TRAP_NULL_REFERENCE,
    TRAP_CAST_FAILURE,
    TRAP_ARRAY_OUT_OF_BOUNDS,
    TRAP_UNALIGNED_ATOMIC,
    TRAP_EXPECTED_SHARED_MEMORY,
    TRAP_UNCAUGHT_EXCEPTION,
    TRAP_OUT_OF_MEMORY,
    TRAP_COUNT
};

/* What lies in front of every guarded memory and is never opened, and how far below 4 GiB the size of a 32-bit memory
 * stays unless its minimum is more: so compiled code may add constants up to that to an address that it knows to be
 * valid, in either direction, without asking whether the sum wraps (opt/anchors.c). */
enum { MEMORY_MARGIN_BYTES = 16 << 20 };

/* A memory never moves; instances that import it share this struct. The size of a shared one grows under the eyes of
 * other threads: it is read and written as a whole. */
struct vm_memory {
    uint8_t *base;
    uint64_t size_bytes;
};

struct vm_table {
    uint32_t *elements; /* references; may move on growth */
    uint64_t size;
};

/* What a function reference points at, in the reference space. 32 bytes. For a host function `vm` is a struct
 * vm_host_func and `code` the runtime's host-call thunk. */
struct vm_func {
    const void *code;
    void *vm;
    uint32_t type_id; /* process-wide identity of the canonical function type: compare with vm->type_ids[type index] */
    uint32_t reserved[3];
};

/* What everything else in the reference space begins with. 16-byte aligned. Fields and elements follow, each at its
 * natural alignment (v128: 8), a structure's in their order, so that a subtype's begin with its supertype's. */
struct vm_object {
    uint32_t type;   /* process-wide number of its canonical type, or one of those below; 0: nothing is here */
    uint32_t length; /* array: elements; exception: payload in bytes; else 0 */
};

enum vm_object_type {
    VM_OBJECT_HOST = 1,      /* something of the host's, as an externref: 8 bytes that only the host understands */
    VM_OBJECT_EXCEPTION = 2, /* struct vm_exception */
    VM_OBJECT_TYPED = 3,     /* types are numbered from here */
};

/* An exception: what exnref points at. Values in slots of 8 bytes (v128: two), in the order of the tag's parameters:
 * so the tag's type says which of them are references. Nothing changes once it is thrown. */
struct vm_exception {
    struct vm_object object;
    const void *tag; /* its identity: struct tag * of the runtime */
    uint64_t values[];
};

/* Free cells of one size, all zero: an object is allocated by moving `next`, and its header written at once. One for
 * each multiple of the granule, the smallest first, at vm->runs. A run may be empty at any time. */
struct vm_run {
    uint32_t next, end;
};

enum { VM_RUN_GRANULE_BYTES = 16, VM_RUN_CLASSES = 32 };

/* A field that ends within the reference space's first page needs no check for null. */
enum { VM_NULL_PAGE_BYTES = 4096 };

/* What a cast needs to know of a type, by its number. */
enum { VM_TYPE_DISPLAY = 6 };

struct vm_type_row {
    uint32_t kind;                     /* enum type_kind; 0: an object of no Wasm type */
    uint32_t display[VM_TYPE_DISPLAY]; /* its supertype of that depth, itself included; 0: none */
    uint32_t supertype;                /* the direct one, or 0: the way to those further down */
};

/* How an imported function is called: load r15 from `vm`, r14 from [r15], call `code`, restore both. */
struct vm_import {
    const void *code;
    void *vm;
    uint32_t ref; /* the same function as a reference */
    uint32_t reserved[3];
};

union vm_value { /* a global, an element of the argument array between C and Wasm */
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
    uint32_t ref;
    uint8_t v128[16];
} __attribute__((aligned(16)));

/* Services that compiled code asks the runtime for: index into vm->builtins by way of vm->builtin_thunk, which switches
 * to the C stack. Call: rdi (x0) = struct vm * (the thunk sets it), rsi rdx rcx r8 (x1-x4) = arguments, eax (w16) =
 * number; result in rax (x0); everything but the frame, stack and pinned registers is lost. A builtin that traps does not return. */
enum vm_builtin {
    BUILTIN_MEMORY_GROW, /* (u32 memory, u64 delta_pages) -> u64 old size in pages or -1 */
    BUILTIN_MEMORY_INIT, /* (u32 memory | u32 segment << 32, u64 destination, u32 source, u32 count) */
    BUILTIN_MEMORY_COPY, /* (u32 destination memory | u32 source memory << 32, u64 destination, u64 source, u64 count) */
    BUILTIN_MEMORY_FILL, /* (u32 memory, u64 destination, u32 byte, u64 count) */
    BUILTIN_DATA_DROP,   /* (u32 segment) */
    BUILTIN_TABLE_GROW,  /* (u32 table, u32 reference, u64 delta) -> u64 old size or -1 */
    BUILTIN_TABLE_FILL,  /* (u32 table, u64 at, u32 reference, u64 count) */
    BUILTIN_TABLE_COPY,  /* (u32 destination table | u32 source table << 32, u64 destination, u64 source, u64 count) */
    BUILTIN_TABLE_INIT,  /* (u32 table | u32 segment << 32, u64 destination, u32 source, u32 count) */
    BUILTIN_ELEM_DROP,   /* (u32 segment) */
    /* The three of memory.atomic: (u32 memory | offset << BUILTIN_ATOMIC_OFFSET_SHIFT, u64 address, ...) -> u32 */
    BUILTIN_MEMORY_ATOMIC_NOTIFY, /* (..., u32 count) */
    BUILTIN_MEMORY_ATOMIC_WAIT32, /* (..., u32 expected, i64 timeout_ns) */
    BUILTIN_MEMORY_ATOMIC_WAIT64, /* (..., u64 expected, i64 timeout_ns) */
    BUILTIN_THROW,     /* (u32 tag | u32 distance << 32): its values lie in 8-byte slots (v128: 16), the first one the
                            highest, directly below rbp - distance; does not return */
    BUILTIN_THROW_REF, /* (0, u32 reference): null traps; does not return */
    /* Objects. "Slots" are the operands in 8-byte slots (v128: 16), the first one the highest, directly below
     * rbp - (argument 1 >> 32); the lower half of argument 1 is the type index. */
    BUILTIN_STRUCT_NEW,        /* (u32 type) -> u32 reference */
    BUILTIN_ARRAY_NEW_DEFAULT, /* (u32 type, u32 length) -> u32 reference */
    BUILTIN_ARRAY_NEW,         /* (slots: value, u32 length) -> u32 reference */
    BUILTIN_ARRAY_NEW_DATA,    /* (u32 type | u32 segment << 32, u32 source, u32 length) -> u32 reference */
    BUILTIN_ARRAY_NEW_ELEM,    /* the same */
    BUILTIN_ARRAY_FILL,        /* (slots: reference, u32 at, value, u32 count) */
    BUILTIN_ARRAY_COPY,        /* (slots: reference, u32 at, reference, u32 at, u32 count) */
    BUILTIN_ARRAY_INIT_DATA,   /* (slots: reference, u32 at, u32 source, u32 count, u32 segment) */
    BUILTIN_ARRAY_INIT_ELEM,   /* the same */
    BUILTIN_COUNT
};

enum { BUILTIN_ATOMIC_OFFSET_SHIFT = 8 }; /* a module has at most LIMIT_MEMORIES */
#define BUILTIN_ATOMIC_OFFSET_MAX (UINT64_MAX >> BUILTIN_ATOMIC_OFFSET_SHIFT)

/* The instance, as compiled code sees it. Offsets are part of the artifact format: append only, bump the build id. */
struct vm {
    uint8_t *memory0_base;       /* first: r14 is reloaded from [r15] */
    struct vm_memory **memories; /* by memory index */
    struct vm_table **tables;    /* by table index */
    union vm_value **globals;    /* by global index: where its value is, in this instance or, imported, in another */
    struct vm_import *imports;   /* by function index, imported functions only */
    uint32_t *type_ids;          /* by type index: process-wide identity of the canonical type */
    uint8_t *reference_space;    /* base of the reference space */
    uint32_t func_refs; /* reference to the vm_func of this module's function 0; one per function, 32 bytes apart */
    uint32_t reserved;
    const void *builtin_thunk;
    struct vm_memory *memory0; /* == memories[0], one load less for memory.size and explicit bounds checks */
    void *owner;               /* struct instance *, the runtime's own view */
    struct vm_thread *thread;  /* stacks and trap state of the thread that runs this instance */
    const struct vm_type_row *type_rows;
    struct vm_run *runs;
    const void
        *allocate_thunk; /* where a run is empty: in and out by the scratch register, r11, type index | length << 32
                                   in, the new object's reference out; every other register keeps its value */
};

#endif
