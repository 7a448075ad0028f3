/* Between IR and machine code: instructions of the macro assembler over virtual registers.
 *
 * lower.c chooses them (folding constants, addresses, loads and comparisons into their users), live.c and regalloc.c
 * give every virtual register a place wherever it lives, emit.c hands them to the macro assembler. A virtual register
 * below f->insts.len is the IR value of that number; others are constants at their use and temporaries.
 *
 * Instruction m reads at position 2m, still holds its operands until 2m + 1 and writes there. Blocks begin with a
 * MACH_BLOCK, where their phis come to life. */
#ifndef WHERRY_ENGINE_GEN_MACH_H
#define WHERRY_ENGINE_GEN_MACH_H

#include "engine/baseline/masm.h"
#include "engine/ir/ir.h"

enum mach_op { /* besides enum opcode and enum ir_op */
               MACH_BLOCK = IR_OP_COUNT,
               MACH_PARAMS,     /* makes those parameters that arrive in registers */
               MACH_LOAD_PARAM, /* one that arrives in slot imm */
               MACH_FIX,        /* moves its operand to the register `fixed` */
               MACH_SET,        /* the condition as an i32 */
               MACH_LEA,        /* base + (index << scale) + disp, of type */
};

enum mach_form { MACH_REG, MACH_IMM, MACH_MEM }; /* of the last operand of a binary instruction or a comparison */

enum mach_compare {
    MACH_COMPARE_NONE,
    MACH_COMPARE_INT,   /* a with b */
    MACH_COMPARE_TEST,  /* a & b with zero */
    MACH_COMPARE_FLOAT, /* a with b */
    MACH_COMPARE_VECTOR /* any_true, all_true: `vector` of a */
};

enum mach_use_kind {
    MACH_ANYWHERE, /* a register or a slot, read before the instruction begins: calls and returns */
    MACH_OPERAND,  /* a register, which the result may take */
    MACH_KEPT,     /* a register, not the result's */
};

struct mach_use {
    uint32_t vreg;
    uint8_t kind;
};

struct mach {
    uint16_t op, vector;
    uint8_t form, type;
    uint8_t compare, cond, wide;
    uint8_t access; /* enum masm_access of a load or store */
    uint8_t scale;
    bool rare;          /* among mach_func's rare_calls */
    reg fixed;          /* MACH_FIX */
    int8_t base, index; /* of the address: numbers of operands; base -1: memory 0; index -1: none */
    uint16_t use_count, def_count;
    uint32_t use_first, def_first;
    uint32_t temp; /* a further register, neither operand nor result; 0: none */
    int32_t disp;
    uint64_t imm, imm_high;
    ir_value ir;
};

struct mach_block {
    uint32_t first, end; /* instructions */
    float frequency;
};

struct mach_reservation { /* an instruction's claim on a register: from, to are positions */
    reg reg;
    uint32_t from, to;
};

struct mach_func {
    struct ir_func *ir;
    VEC(struct mach) insts;
    VEC(struct mach_use) uses;
    VEC(uint32_t) defs;
    VEC(uint8_t) types; /* of virtual registers; the first are the IR's values */
    VEC(struct mach_reservation) reservations;
    VEC(uint32_t) calls;       /* instructions that leave no register alone, in order */
    VEC(uint32_t) rare_calls;  /* calls that keep what registers hold in the slots meanwhile: not among `calls` */
    struct mach_block *blocks; /* by IR block */
    uint32_t features;
    bool calls_aside; /* something calls and keeps all registers: there must be a frame */
};

/* The type of what a call of function or type IMM, direct or not, a tail call or not, calls. */
static inline const struct type_def *mach_callee_type(const struct module *m, unsigned op, uint64_t imm)
{
    return op == IR_CALL || op == IR_TAIL_CALL ? &m->types[m->funcs[imm].type] : &m->types[(uint32_t)imm];
}

static inline uint32_t mach_tail_call_bytes(const struct module *m, unsigned op, uint64_t imm)
{
    const struct type_def *t = mach_callee_type(m, op, imm);
    return abi_types_area_bytes(t->params, t->param_count);
}

static inline bool mach_type_is_vector(uint8_t type)
{
    return type == VT_F32 || type == VT_F64 || type == VT_V128;
}

/* A place for a value. */
enum place_kind { PLACE_NONE, PLACE_REG, PLACE_SLOT, PLACE_CONST, PLACE_STACK };

struct place {
    uint8_t kind;
    reg reg;
    int32_t disp;  /* PLACE_SLOT: from the frame pointer; PLACE_STACK: from the stack pointer */
    uint64_t bits; /* PLACE_CONST; of a v128 the lower half */
    uint64_t high;
};

static inline bool place_equal(const struct place *a, const struct place *b)
{
    return a->kind == b->kind && (a->kind == PLACE_REG ? a->reg == b->reg : a->disp == b->disp) &&
           a->kind != PLACE_CONST;
}

struct move {
    struct place to, from;
    uint8_t type;
};

struct moves_list {
    VEC(struct move) list;
};

/* moves.c: makes all of them at once, each source read as it was before. Empties the list. */
void moves_resolve(struct masm *m, struct moves_list *moves);

/* lower.c. F's use counts are right; MF is zeroed, or has been used before and keeps its memory. */
void mach_lower(struct mach_func *mf, struct ir_func *f, uint32_t features);
void mach_done(struct mach_func *mf);

#endif
