/* What shared code may know about the machine it compiles for.
 *
 * Registers are numbered 0-31 for integers and references and 32-63 for floats and vectors, so that one 64-bit set
 * holds any of them. Which number is which register is the target's business. */
#ifndef WHERRY_ENGINE_GEN_TARGET_H
#define WHERRY_ENGINE_GEN_TARGET_H

#include "engine/gen/layout.h"
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t reg;
typedef uint64_t regset;

enum { REG_NONE = 0xff, REG_FIRST_VECTOR = 32, REG_COUNT = 64 };

static inline regset regset_of(reg r)
{
    return (regset)1 << r;
}

static inline bool regset_has(regset set, reg r)
{
    return (set >> r & 1) != 0;
}

/* The lowest register of a set that is not empty. */
static inline reg regset_first(regset set)
{
    return (reg)__builtin_ctzll(set);
}

static inline bool reg_is_vector(reg r)
{
    return r >= REG_FIRST_VECTOR;
}

/* Bits of code_options.cpu_features: what a CPU has beyond the target's base level (x86-64-v2). */
enum target_feature {
    TARGET_X64_LZCNT = 1u << 0, /* lzcnt */
    TARGET_X64_BMI1 = 1u << 1,  /* tzcnt */
    TARGET_X64_BMI2 = 1u << 2,  /* rorx, shlx, sarx, shrx */
};

struct target {
    const char *name;
    regset ints, vectors;           /* free for a compiler's values */
    regset int_homes, vector_homes; /* of those, the ones that no instruction wants for itself */
    reg vm, memory0, frame, stack;  /* pinned: gen/abi.h */
    reg shift_count;                /* where a variable shift count must be; REG_NONE: anywhere */
    reg quotient, remainder;        /* what an integer division and a wide product work in; REG_NONE: anywhere */
    reg exchange; /* where an atomic compare-exchange finds the expected value and leaves the old one */
    reg callee;   /* holds no argument: for the address of the function to call */
    reg builtin_args[4], builtin_result;
    reg int_args[ABI_INT_REGISTERS], int_results[ABI_INT_REGISTERS];
    reg vector_args[ABI_VECTOR_REGISTERS];
    uint32_t code_bytes_max; /* of a module: as far as calls and offsets reach */
    uint8_t code_filler;     /* what lies between functions: bytes of an instruction that traps */
};

/* The machine that this program was built for. */
extern const struct target target_native;

/* Makes the call at offset AT of CODE (struct code_call) one of what lies at offset TARGET. */
void target_patch_call(uint8_t *code, uint32_t at, uint32_t target);

/* What a function that can be replaced begins with (made by masm_replaceable): at offset ENTRY of
 * CODE, made to look at what lies SLOT bytes from CODE's start and, where that is not 0, to go to offset STUB: which has
 * TARGET_STUB_BYTES, and goes as far from CODE's start as the slot says. */
void target_patch_look(uint8_t *code, uint32_t entry, int32_t slot, uint32_t stub);
void target_put_stub(uint8_t *code, uint32_t stub);
enum { TARGET_STUB_BYTES = 16 };

/* The machine that this program was built for, as an artifact names it (gen/artifact.h). */
extern const uint32_t target_native_architecture;
/* The same as the kernel names it (AUDIT_ARCH_*), for filters of system calls. */
extern const uint32_t target_native_audit_architecture;

/* The features of the CPU at hand (enum target_feature bits). */
uint32_t target_native_features(void);

#endif
