/* What the files of the macro assembler share. */
#ifndef WHERRY_ENGINE_A64_MASM_A64_H
#define WHERRY_ENGINE_A64_MASM_A64_H

#include "engine/a64/enc.h"
#include "engine/baseline/masm.h"

static inline struct a64_enc *enc(struct masm *m)
{
    return (struct a64_enc *)&m->code;
}

enum { A64_PAGE_BYTES = 4096, A64_PAGE_LOG2 = 12 };

/* A load or store OP of RT, in as many instructions as its address needs, which may use A64_ADDRESS. KIND: what a fault
 * means, or TRAP_NONE. */
void a64_access(struct masm *m, uint32_t op, reg rt, struct masm_address at, enum trap_kind kind);
/* The same for a pointer or a number at a known address. */
void a64_load_x(struct masm *m, reg dst, reg base, int32_t disp);
/* A64_ADDRESS = AT, for the instructions that take a base register only. */
void a64_address(struct masm *m, struct masm_address at);
/* dst = a + value; either may be SP if VALUE has at most 24 bits. May use A64_SCRATCH beyond that. */
void a64_add_const(struct masm *m, bool wide, reg dst, reg a, int64_t value);
/* Traps behind the function if CC holds, or if WORD, a CBZ or CBNZ, jumps. */
void a64_trap_cc(struct masm *m, enum a64_cc cc, enum trap_kind kind);
void a64_trap_word(struct masm *m, uint32_t word, enum trap_kind kind);
/* VALUE in a register, for a store: XZR or A64_SCRATCH2. */
reg a64_constant_to_store(struct masm *m, bool wide, uint64_t value);

/* A constant of ADD_IMM and its like: its 12 bits, and whether they are shifted. */
static inline bool a64_fits_add(uint64_t value, uint32_t *bits, bool *shifted)
{
    *shifted = value >= 4096;
    *bits = (uint32_t)(*shifted ? value >> 12 : value);
    return value < 4096 || ((value & 0xfff) == 0 && value < 1 << 24);
}

/* --- references (masm_control.c) ---------------------------------------------------------------------------------- */
/* Fills in the reference at AT; where it does not reach, the function will be done again. */
void a64_patch_or_note(struct masm *m, uint32_t at, uint32_t target);
/* Puts reference AT before the others of the chain. */
void a64_link_reference(struct masm *m, uint32_t *chain, uint32_t at);
/* Fills in all references of a chain. */
void a64_bind_chain(struct masm *m, uint32_t chain, uint32_t target);
/* Fills in a reference from AT to the next instruction. */
void a64_bind_here(struct masm *m, uint32_t at);
void a64_jump_to(struct masm *m, uint32_t target);
/* The conditional jump WORD to somewhere ahead in the function; returns what a64_bind_here wants. */
uint32_t a64_refer_ahead(struct masm *m, uint32_t word);
/* A jump over a few instructions, for a64_bind_here; CC as in a B_COND. */
uint32_t a64_skip_cc(struct masm *m, enum a64_cc cc);

/* --- behind the function ------------------------------------------------------------------------------------------ */
/* To the next multiple of CODE_ALIGN. */
void a64_align_code(struct masm *m);
/* Its constants. */
void a64_put_constants(struct masm *m);
/* The calls of functions that are another instance's. */
void a64_put_foreign_calls(struct masm *m);
/* The slow ways of its masm_allocate. */
void a64_put_allocations(struct masm *m);

#endif
