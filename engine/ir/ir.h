/* The optimizing compiler's intermediate representation: SSA over a control-flow graph.
 *
 * A value is the number of the instruction that makes it; 0 is none. Blocks are numbers too, and f->order lists the
 * reachable ones so that definitions come before uses (but for the operands of phis at loop heads), the blocks of a
 * loop are contiguous, and a loop begins with its head. An edge from a block with several successors leads to a block
 * with one predecessor, always: the builder makes it so, passes keep it (verify.c checks all of this).
 *
 * An i32 or a reference in a register has a zero upper half. Everything lives in the function's arena;
 * what one stage wants for itself alone is in `scratch`, which every stage leaves empty: the largest function's tables are
 * most of the compiler's peak, and those of one stage lie where those of the stage before have lain. */
#ifndef WHERRY_ENGINE_IR_IR_H
#define WHERRY_ENGINE_IR_IR_H

#include "base/arena.h"
#include "base/vec.h"
#include "engine/gen/code.h"
#include "engine/ir/ops.h"
#include "engine/module.h"
#include "engine/opt/passes.h"
#include <stdbool.h>
#include <stdio.h>

typedef uint32_t ir_value;

enum { IR_NONE = 0, IR_FIXED_ARGS = 4 };
#define IR_CATCH_ALL UINT32_MAX /* in place of a tag */

struct ir_inst {
    uint16_t op;  /* enum opcode or enum ir_op */
    uint8_t type; /* of the value: VT_I32 .. VT_V128, VT_REF_NULL for every reference; VT_BOTTOM: none */
    uint8_t lane; /* vectors: lane number */
    uint32_t block;
    ir_value prev, next; /* in the block */
    uint32_t arg_count;
    union {
        ir_value arg[IR_FIXED_ARGS];
        struct {
            ir_value *args; /* IR_is_variadic */
            uint32_t capacity;
        };
    };
    uint64_t imm;              /* of fields, see IR_FIELD_FIXED */
    struct site_origin origin; /* its inlining is one of f->inlinings */
    uint32_t uses;             /* filled in by ir_count_uses */
};

/* What field_load and field_store access lies at base + (index << scale) + the lower half of imm; base is the reference
 * space, index a reference, or base is an object's address. `lane`: enum masm_access, and the scale from
 * IR_FIELD_SCALE_SHIFT on. Bits of imm: */
enum {
    IR_FIELD_SCALE_SHIFT = 4,
    IR_FIELD_KIND_SHIFT = 32 /* enum trap_kind: what a fault means, as in masm_field_load */
};
#define IR_FIELD_KIND_MASK ((uint64_t)0xff << IR_FIELD_KIND_SHIFT)
#define IR_FIELD_FIXED     ((uint64_t)1 << 40) /* written once, where the object is made */

struct ir_block {
    ir_value first, last;
    uint32_t *preds, *succs;
    uint32_t pred_count, pred_capacity, succ_count;
    uint32_t *table; /* IR_SWITCH: successor numbers; IR_CATCH: tags, or IR_CATCH_ALL */
    uint32_t table_count;
    uint32_t loop;  /* innermost loop, number in f->loops; 0: none */
    uint32_t order; /* index in f->order */
    uint32_t idom, dom_depth;
    bool unlikely; /* the builder thinks so */
    bool cold;     /* that, or it leads to a trap unless something throws first */
};

struct ir_loop {
    uint32_t head, parent, depth;
    uint32_t first, end; /* indexes in f->order */
};

struct ir_func {
    struct arena arena, scratch;
    const struct module *module;
    uint32_t index;
    const struct type_def *type;
    VEC(struct ir_inst) insts;   /* number 0 is none */
    VEC(struct ir_block) blocks; /* number 0 is none */
    VEC(struct ir_loop) loops;   /* number 0 is none */
    VEC(uint32_t) order;
    struct { /* of constants, by type and bits */
        ir_value *slots;
        uint32_t mask, count;
    } constants;
    VEC(struct code_inlining) inlinings; /* calls in place of which a body was built */
    uint32_t entry;
    uint64_t left_out; /* bit n: what enum opt_number calls n */
    bool explicit_bounds_checks;
    uint8_t *callees;            /* by function of the module: enum ir_callee, as far as builds have found out */
    struct validator *validator; /* of those: kept, since it is large */
};

enum ir_callee { IR_CALLEE_UNKNOWN, IR_CALLEE_SMALL, IR_CALLEE_CALLED }; /* valid and small; not to be inlined */

static inline struct ir_inst *ir_inst(const struct ir_func *f, ir_value v)
{
    assert(v != IR_NONE && v < f->insts.len);
    return &f->insts.data[v];
}

static inline struct ir_block *ir_block(const struct ir_func *f, uint32_t b)
{
    assert(b != 0 && b < f->blocks.len);
    return &f->blocks.data[b];
}

/* Whether it does without what enum opt_number calls NUMBER. */
static inline bool ir_leaves_out(const struct ir_func *f, unsigned number)
{
    return (f->left_out >> number & 1) != 0;
}

static inline bool ir_is_variadic(unsigned op)
{
    return op == IR_PHI || op == IR_CALL || op == IR_CALL_ADDRESS || op == IR_BUILTIN || op == IR_BUILTIN_SLOTS ||
           op == IR_TAIL_CALL || op == IR_TAIL_CALL_ADDRESS || op == IR_RETURN;
}

static inline ir_value *ir_args(struct ir_inst *i)
{
    return ir_is_variadic(i->op) ? i->args : i->arg;
}

static inline bool ir_is_const(const struct ir_func *f, ir_value v)
{
    return f->insts.data[v].op == IR_CONST;
}

/* Bits of enum ir_effect. */
extern const uint8_t ir_effect_table[IR_OP_COUNT];
static inline unsigned ir_effects(unsigned op)
{
    return ir_effect_table[op];
}
const char *ir_op_name(unsigned op);
/* Type of the value that the Wasm instruction OP makes, as in struct ir_inst; VT_BOTTOM: none or not fixed. */
uint8_t ir_wasm_type(unsigned op);
static inline bool ir_is_load(unsigned op)
{
    return (op >= OP_I32_LOAD && op <= OP_I64_LOAD32_U) || (op >= OP_V128_LOAD && op <= OP_V128_LOAD64_SPLAT) ||
           op == OP_V128_LOAD32_ZERO || op == OP_V128_LOAD64_ZERO ||
           (op >= OP_V128_LOAD8_LANE && op <= OP_V128_LOAD64_LANE);
}
static inline bool ir_is_store(unsigned op)
{
    return (op >= OP_I32_STORE && op <= OP_I64_STORE32) || op == OP_V128_STORE ||
           (op >= OP_V128_STORE8_LANE && op <= OP_V128_STORE64_LANE);
}

static inline bool ir_is_atomic(unsigned op)
{
    return op >= OPCODE_SPACE_ATOMIC && op < OPCODE_COUNT;
}

/* F is zeroed, or has been used before and keeps its memory. */
void ir_func_init(struct ir_func *f, const struct module *m, uint32_t index);
void ir_func_done(struct ir_func *f);
/* Empties `scratch` behind a stage that has filled it as no other does: what is large is given back. */
void ir_leave_scratch(struct ir_func *f);

uint32_t ir_new_block(struct ir_func *f);
/* Adds an instruction at the end of block B (0: in none yet). The ARG_COUNT ARGS are copied. */
ir_value ir_append(struct ir_func *f, uint32_t b, unsigned op, uint8_t type, const ir_value *args, uint32_t arg_count,
                   uint64_t imm);
/* The same as number V, which f->insts has and nothing uses yet. */
void ir_append_as(struct ir_func *f, ir_value v, uint32_t b, unsigned op, uint8_t type, const ir_value *args,
                  uint32_t arg_count, uint64_t imm);
void ir_insert_before(struct ir_func *f, ir_value v, ir_value before);
void ir_insert_first(struct ir_func *f, uint32_t b, ir_value v);
void ir_insert_last(struct ir_func *f, uint32_t b, ir_value v); /* ahead of the terminator */
void ir_unlink(struct ir_func *f, ir_value v);
void ir_push_arg(struct ir_func *f, ir_value v, ir_value arg); /* of a variadic instruction */
/* The constant V, which stands in the entry block, is what ir_const finds from now on, unless there is another like it. */
void ir_note_const(struct ir_func *f, ir_value v);
/* The constant, which stands in the entry block. */
ir_value ir_const(struct ir_func *f, uint8_t type, uint64_t bits);
void ir_add_edge(struct ir_func *f, uint32_t from, uint32_t to);
void ir_remove_pred(struct ir_func *f, uint32_t b, uint32_t pred); /* with the phis' operands */
/* V becomes another name of BY; ir_apply_copies then rewrites the operands that name it. */
void ir_replace(struct ir_func *f, ir_value v, ir_value by);
ir_value ir_resolve(const struct ir_func *f, ir_value v);
void ir_apply_copies(struct ir_func *f);
void ir_count_uses(struct ir_func *f);

/* Translates a validated body. Returns false, with the reason in *UNSUPPORTED (a static string), if it uses what the
 * optimizing compiler does not do yet; then F holds nothing to be used. */
bool ir_build(struct ir_func *f, const char **unsupported);
/* The form: print.c. */
void ir_print(const struct ir_func *f, FILE *out);
/* The same, appended to OUT. */
void ir_put_text(const struct ir_func *f, struct buf *out);
/* "i32", "ref"; of what is no type of a value "none". */
const char *ir_type_name(uint8_t type);
/* Reads what ir_print has written, or somebody by hand (";" begins a comment), of a function of M. F is zeroed, or has been used
 * before. Returns 0 or -EINVAL: ERR names the line. */
int ir_parse(struct ir_func *f, const struct module *m, const char *text, struct err *err);
/* Checks the invariants above. Returns 0 or -EINVAL. Edges lead to blocks in f->order, and come from blocks there; but for the first
 * each of these has one from an earlier block. */
int ir_check(struct ir_func *f, struct err *err);
/* The same; a violation is a bug and aborts, naming the pass AFTER. */
void ir_verify(struct ir_func *f, const char *after);
/* Fills in idom and dom_depth, and `order` of every block. */
void ir_compute_dominators(struct ir_func *f);
bool ir_dominates(const struct ir_func *f, uint32_t a, uint32_t b);

#endif
