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

/* lower_vector.c */
void lower_vector(struct lower *l, ir_value v, const struct ir_inst *i);

#endif
