/* What the files of instruction selection share. */
#ifndef WHERRY_ENGINE_GEN_LOWER_H
#define WHERRY_ENGINE_GEN_LOWER_H

#include "engine/gen/mach.h"
#include "engine/gen/numeric.h"

struct lower {
    struct mach_func *mf;
    struct ir_func *f;
    bool *needed;             /* by value: some user wants it in a register */
    bool *folded;             /* by value: its only user has it as an operand */
    VEC(struct mach) pending; /* constants for the instruction about to be pushed */
};

struct mach lower_mach(unsigned op, ir_value v, uint8_t type);
uint32_t lower_new_vreg(struct lower *l, uint8_t type);
/* Adds an operand to M; returns its number. */
int8_t lower_use(struct lower *l, struct mach *m, ir_value v, enum mach_use_kind kind);
int8_t lower_use_vreg(struct lower *l, struct mach *m, uint32_t vreg, enum mach_use_kind kind);
/* Pushes M, which makes DEF or nothing, and what it needs in front of it. */
void lower_push_def(struct lower *l, struct mach *m, uint32_t def);

/* An access's address as operands of M, which has none yet. */
void lower_address(struct lower *l, struct mach *m, const struct ir_inst *i);
/* A claim of the instruction about to be pushed (WITH_FIX: and of the one in front of it) on a register. */
void lower_reserve(struct lower *l, reg r, bool with_fix);
/* Pushes M, which makes V and finds its operand SOURCE in the register FIXED, and the copy there in front of it. */
void lower_push_fixed(struct lower *l, struct mach *m, ir_value v, ir_value source, reg fixed);

/* lower_atomic.c: in the order of the opcodes */
enum lower_atomic_kind {
    ATOMIC_LOAD,
    ATOMIC_STORE,
    ATOMIC_ADD,
    ATOMIC_SUB,
    ATOMIC_AND,
    ATOMIC_OR,
    ATOMIC_XOR,
    ATOMIC_EXCHANGE,
    ATOMIC_COMPARE_EXCHANGE
};
enum lower_atomic_kind lower_atomic_kind(unsigned op);
void lower_atomic(struct lower *l, ir_value v, const struct ir_inst *i);
/* lower_vector.c */
void lower_vector(struct lower *l, ir_value v, const struct ir_inst *i);

#endif
