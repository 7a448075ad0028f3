/* What the files of the macro assembler share. */
#ifndef WHERRY_ENGINE_X64_MASM_X64_H
#define WHERRY_ENGINE_X64_MASM_X64_H

#include "engine/baseline/masm.h"
#include "engine/x64/enc.h"

static inline struct x64_enc *enc(struct masm *m)
{
    return (struct x64_enc *)&m->code;
}

static inline struct x64_mem x64_mem_of(struct masm_address a)
{
    return (struct x64_mem){a.base, a.index, a.scale_log2, a.disp};
}

enum { X64_PAGE_BYTES = 4096 };

static inline void x64_op_imm32(struct x64_enc *e, uint32_t op, unsigned digit, reg r, int32_t value)
{
    x64_rr(e, op, digit, r);
    x64_imm32(e, (uint32_t)value);
}

/* An X64_ALU_IMM with the short form of the immediate where it fits. */
void x64_alu_imm(struct x64_enc *e, uint32_t width, unsigned digit, reg r, int32_t value);

static inline void x64_cmov(struct x64_enc *e, uint32_t width, enum x64_cc cc, reg dst, reg src)
{
    x64_rr(e, (X64_CMOV + cc) | width, dst, src);
}

void x64_trap_cc(struct masm *m, enum x64_cc cc, enum trap_kind kind);
/* An instruction with a 16-byte constant of the function's pool as its r/m operand. */
void x64_rm_constant(struct masm *m, uint32_t op, reg r, uint64_t low, uint64_t high);

/* --- behind the function ------------------------------------------------------------------------------------------ */
/* To the next multiple of CODE_ALIGN, with bytes FILLER. */
void x64_align_code(struct masm *m, uint8_t filler);
/* Its constants. */
void x64_put_constants(struct masm *m);
/* The calls of functions that are another instance's. */
void x64_put_foreign_calls(struct masm *m);
/* The slow ways of its masm_allocate. */
void x64_put_allocations(struct masm *m);

#endif
