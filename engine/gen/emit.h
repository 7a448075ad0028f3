/* Emission: what its files share. */
#ifndef WHERRY_ENGINE_GEN_EMIT_H
#define WHERRY_ENGINE_GEN_EMIT_H

#include "engine/gen/numeric.h"
#include "engine/gen/regalloc.h"

struct emit_pad { /* where a clause leads */
    uint32_t clause, block;
};

struct emitter {
    struct masm *m;
    struct mach_func *mf;
    struct allocation *a;
    const struct module *module;
    struct masm_label *labels; /* by block */
    struct moves_list moves;
    VEC(struct emit_pad) pads;
    uint32_t *inlinings; /* of the IR's inlinings: the number in the code object, 0 while nothing refers to it */
    regset unclear;      /* hold 32-bit values with an unknown upper half */
    uint32_t at;         /* the instruction being emitted */
    uint32_t next;       /* the block behind the one being emitted; 0: none */
    uint32_t pop_bytes, frame_bytes;
    struct { /* order.c */
        uint32_t *blocks, count;
        bool *empty, *aligned; /* by block: left out; the top of an innermost loop */
        uint32_t *hoisted;     /* by block: the one behind its branch whose moves are made ahead of it; 0: none */
    } order;
};

/* The register of operand K, or of the result, of the instruction at hand. */
reg emit_operand(struct emitter *e, const struct mach *i, unsigned k);
reg emit_result(struct emitter *e, const struct mach *i);
reg emit_temporary(struct emitter *e, const struct mach *i);
struct masm_address emit_address(struct emitter *e, const struct mach *i);
/* emit_op.c: everything but control and calls */
void emit_instruction(struct emitter *e, const struct mach *i);
/* emit_object.c: what objects need; false: I is nothing of that */
bool emit_object(struct emitter *e, const struct mach *i);
/* emit_atomic.c */
void emit_atomic(struct emitter *e, const struct mach *i);
/* Compares; returns the condition to ask for. FIRST operand of what is not compared any more in *REST. */
enum masm_cond emit_condition(struct emitter *e, const struct mach *i, unsigned *rest);

/* The first boundary at POSITION or behind it. */
size_t emit_first_boundary(const struct emitter *e, uint32_t position);
/* order.c: fills in e->order */
void emit_order(struct emitter *e);
/* Where a jump to B ends up. */
uint32_t emit_thread(const struct emitter *e, uint32_t b);

/* Emits the function that A places registers of; the macro assembler is between two functions. */
void emit_function(struct masm *m, struct mach_func *mf, struct allocation *a);

#endif
