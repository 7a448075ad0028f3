/* Registers of x86-64 in the numbering of gen/target.h: the low four bits are the hardware's number. */
#ifndef WHERRY_ENGINE_X64_REGS_H
#define WHERRY_ENGINE_X64_REGS_H

#include "engine/gen/target.h"

enum x64_reg {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    XMM0 = REG_FIRST_VECTOR,
    XMM1,
    XMM2,
    XMM3,
    XMM4,
    XMM5,
    XMM6,
    XMM7,
    XMM8,
    XMM9,
    XMM10,
    XMM11,
    XMM12,
    XMM13,
    XMM14,
    XMM15,
};

/* The macro assembler's own, never allocated. */
enum { X64_SCRATCH = R11, X64_VECTOR_SCRATCH = XMM15 };

#endif
