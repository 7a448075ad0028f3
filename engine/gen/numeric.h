/* What each instruction of arithmetic, comparison and conversion asks of the macro assembler: one table for both
 * compilers. */
#ifndef WHERRY_ENGINE_GEN_NUMERIC_H
#define WHERRY_ENGINE_GEN_NUMERIC_H

#include "engine/baseline/masm.h"

enum numeric_kind {
    NUMERIC_NONE,
    NUMERIC_COMPARE,
    NUMERIC_EQZ,
    NUMERIC_ALU,
    NUMERIC_SHIFT,
    NUMERIC_DIVIDE,
    NUMERIC_UNARY,
    NUMERIC_WRAP,
    NUMERIC_EXTEND,
    NUMERIC_FLOAT,
    NUMERIC_FLOAT_UNARY,
    NUMERIC_FLOAT_COMPARE,
    NUMERIC_FLOAT_RESIZE,
    NUMERIC_FROM_INT,
    NUMERIC_TO_INT,
    NUMERIC_REINTERPRET,
    NUMERIC_ADD_WIDE,
    NUMERIC_MULTIPLY_WIDE,
};

enum { INT_WIDE = 1, IS_SIGNED = 2, SATURATE = 4 }; /* flags of the conversions, in struct numeric's `op` */

struct numeric {
    uint8_t kind, op; /* op: one of masm.h's enums, as the kind says, or flags; NUMERIC_REINTERPRET: the type made */
    bool wide;        /* 64 bits */
};

extern const struct numeric numerics[OPCODE_SPACE_VECTOR];

/* What OP asks; NUMERIC_NONE for vectors and what is none of these. */
static inline const struct numeric *numeric_of(unsigned op)
{
    return &numerics[op < OPCODE_SPACE_VECTOR ? op : 0];
}

/* The condition on integers that holds for (b, a) if COND does for (a, b). */
enum masm_cond numeric_exchanged(enum masm_cond cond);

#endif
