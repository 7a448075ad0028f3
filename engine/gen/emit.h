/* Emission: what its files share. */
#ifndef WHERRY_ENGINE_GEN_EMIT_H
#define WHERRY_ENGINE_GEN_EMIT_H

#include "engine/gen/numeric.h"
#include "engine/gen/regalloc.h"

struct emitter {
    struct masm *m;
    struct mach_func *mf;
    struct allocation *a;
    const struct module *module;
    struct masm_label *labels; /* by block */
    struct moves_list moves;
    regset unclear;    /* hold 32-bit values with an unknown upper half */
    uint32_t at;   /* the instruction being emitted */
    uint32_t next; /* the block behind the one being emitted; 0: none */
    uint32_t pop_bytes;
};

/* The register of operand K, or of the result, of the instruction at hand. */
reg emit_operand(struct emitter *e, const struct mach *i, unsigned k);
reg emit_result(struct emitter *e, const struct mach *i);
reg emit_temporary(struct emitter *e, const struct mach *i);
struct masm_address emit_address(struct emitter *e, const struct mach *i);
/* emit_op.c: everything but control and calls */
void emit_instruction(struct emitter *e, const struct mach *i);
/* Compares; returns the condition to ask for. FIRST operand of what is not compared any more in *REST. */
enum masm_cond emit_condition(struct emitter *e, const struct mach *i, unsigned *rest);

/* Emits the function that A places registers of; the macro assembler is between two functions. */
void emit_function(struct masm *m, struct mach_func *mf, struct allocation *a);

#endif
