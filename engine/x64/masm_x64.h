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

/* The slow ways of the function's masm_allocate, behind it. */
void x64_put_allocations(struct masm *m);
/* The next instruction may fault and means KIND (or, TRAP_NONE, it is where a call returns to). */
void x64_site(struct masm *m, enum trap_kind kind);
void x64_trap_cc(struct masm *m, enum x64_cc cc, enum trap_kind kind);
/* An instruction with a 16-byte constant of the function's pool as its r/m operand. */
void x64_rm_constant(struct masm *m, uint32_t op, reg r, uint64_t low, uint64_t high);

#endif
