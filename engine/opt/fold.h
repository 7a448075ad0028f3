/* Simplification of single instructions. */
#ifndef WHERRY_ENGINE_OPT_FOLD_H
#define WHERRY_ENGINE_OPT_FOLD_H

#include "engine/ir/ir.h"

/* The value that V equals, IR_NONE if it has to stay; then it may have been changed to something simpler. */
ir_value fold_instruction(struct ir_func *f, ir_value v);

#endif
