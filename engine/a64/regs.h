/* Registers of aarch64 in the numbering of gen/target.h: the low five bits are the hardware's number. */
#ifndef WHERRY_ENGINE_A64_REGS_H
#define WHERRY_ENGINE_A64_REGS_H

#include "engine/gen/target.h"

enum a64_reg {
    X0,
    X1,
    X2,
    X3,
    X4,
    X5,
    X6,
    X7,
    X8,
    X9,
    X10,
    X11,
    X12,
    X13,
    X14,
    X15,
    X16,
    X17,
    X18, /* the platform's: never used */
    X19,
    X20,
    X21,
    X22,
    X23,
    X24,
    X25,
    X26,
    X27,
    X28,
    FP,
    LR,
    SP,       /* as a base address and in additions of constants; elsewhere the same number is */
    XZR = SP, /* the register that reads as zero */
    V0 = REG_FIRST_VECTOR,
    V1,
    V2,
    V3,
    V4,
    V5,
    V6,
    V7,
    V30 = V0 + 30,
    V31,
};

/* The macro assembler's own, never allocated: for values, for addresses, and for what the first two do not suffice. */
enum { A64_SCRATCH = X16, A64_ADDRESS = X17, A64_SCRATCH2 = X15, A64_VECTOR_SCRATCH = V31 };

#endif
