/* Simplification of single instructions. */
#ifndef WHERRY_ENGINE_OPT_FOLD_H
#define WHERRY_ENGINE_OPT_FOLD_H

#include "engine/baseline/masm.h"
#include "engine/ir/ir.h"

/* The value that V equals, IR_NONE if it has to stay; then it may have been changed to something simpler. */
ir_value fold_instruction(struct ir_func *f, ir_value v);

/* Whether the condition on integers holds for A and B: i32 if not WIDE, whose upper halves do not matter. */
bool fold_holds(enum masm_cond cond, bool wide, uint64_t a, uint64_t b);

#endif
