/* The state of validating one piece of code, shared by the files that do it (validate_body.c, validate_op.c,
 * validate_gc.c, const_expr.c): the algorithm of the core specification's appendix "Validation Algorithm".
 *
 * Types on the operand stack are canonical (subtype.h), so the usual match is one compare. The first failure sticks:
 * functions go on with harmless values, and `failed` is looked at once per instruction. */
#ifndef WHERRY_ENGINE_VALIDATOR_H
#define WHERRY_ENGINE_VALIDATOR_H

#include "base/vec.h"
#include "engine/body.h"
#include "engine/loop_log.h"
#include "engine/subtype.h"

/* In place of types, where no operand must ever match. */
enum {
    VT_NO_MEMORY = 1,     /* the address type of a memory that is not there */
    VT_UNINITIALISED = 2, /* of a local without default value that is not set here */
};

struct type_list { /* borrowed */
    const valtype *types;
    uint32_t count;
};

struct frame {  /* a block that is open */
    uint8_t op; /* OP_BLOCK also for the function itself, and for try_table */
    bool unreachable;
    uint32_t height;             /* of the operand stack below the block */
    uint32_t init_height;        /* of the stack of locals initialised */
    uint32_t seen_at;            /* offset of the last br_table that checked this label */
    valtype single;              /* without `type`: the result, or VT_BOTTOM */
    const struct type_def *type; /* NULL: no parameters and at most one result */
};

struct late_local { /* a local without default value */
    uint32_t index;
    valtype type;
};

struct validator {
    struct rd r;            /* the code; origin: the module's first byte */
    const struct module *m; /* several validators may look at one */
    uint32_t features, features_used;
    size_t op_at;  /* offset of the instruction being checked */
    uint32_t func; /* being checked, or MODULE_NONE */
    bool failed;
    struct err *err;

    /* Operand stack. Room for one push per byte of code left and some is always reserved, so that most pushes need no
     * check; whatever pushes a list reserves for it. */
    valtype *stack, *sp;
    valtype *base; /* of the innermost frame: stack + its height */
    size_t stack_capacity;
    VEC(struct frame) frames;

    valtype *locals; /* or VT_UNINITIALISED */
    uint32_t local_count;
    VEC(struct late_local) late_locals; /* by rising index */
    VEC(uint32_t) initialised;          /* late locals that are, in order */
    struct loop_log log;
    valtype memory0_address; /* VT_NO_MEMORY without one */
    bool table0_is_plain;    /* there is a table 0, of funcref with an i32 address */
};

/* Begins anew; V is zeroed, or has been used before and keeps its memory. */
void validator_reset(struct validator *v, const struct module *m, uint32_t features, struct err *err);
/* Makes room for bodies of up to LONGEST_BYTES at once: what grows is copied, and touched twice. */
void validator_reserve(struct validator *v, uint32_t longest_bytes);
void validator_done(struct validator *v);

/* Records a failure at the current instruction unless there is one already (a fault of v->r counts). Returns false. */
__attribute__((format(printf, 2, 3), cold)) bool validator_fail(struct validator *v, const char *format, ...);

/* Fails unless all FEATURES (bits) are switched on. */
void validator_need(struct validator *v, uint32_t features);

/* --- operands ----------------------------------------------------------------------------------------------------- */
void stack_reserve(struct validator *v, size_t count);
void rebase(struct validator *v); /* v->base after the innermost frame changed */
valtype pop_any(struct validator *v);
valtype pop(struct validator *v, valtype expected);
valtype pop_ref(struct validator *v); /* any reference; (ref bottom) where code is unreachable */
void pop_list(struct validator *v, struct type_list list);
void push_list(struct validator *v, struct type_list list);

static inline void push(struct validator *v, valtype t)
{
    *v->sp++ = t;
}

/* --- what immediates name; each fails with "unknown ..." ---------------------------------------------------------- */
valtype read_valtype(struct validator *v);
heaptype read_heaptype(struct validator *v);
const struct type_def *read_type(struct validator *v, enum type_kind kind, uint32_t *canonical);
const struct type_def *func_type(struct validator *v, uint32_t func);
struct frame *read_label(struct validator *v);
const struct table_decl *read_table(struct validator *v);
const struct memory_decl *read_memory(struct validator *v);
uint32_t read_data_segment(struct validator *v);
const struct element_segment *read_element_segment(struct validator *v);
uint32_t read_func(struct validator *v);

static inline valtype address_type(const struct limits *l)
{
    return l->is64 ? VT_I64 : VT_I32;
}

static inline struct type_list type_params(const struct type_def *t)
{
    return (struct type_list){t->params, t->param_count};
}

static inline struct type_list type_results(const struct type_def *t)
{
    return (struct type_list){t->results, t->result_count};
}

static inline struct type_list frame_params(const struct frame *f)
{
    return f->type != NULL ? type_params(f->type) : (struct type_list){NULL, 0};
}

static inline struct type_list frame_results(const struct frame *f)
{
    return f->type != NULL ? type_results(f->type) : (struct type_list){&f->single, f->single != VT_BOTTOM};
}

/* What a branch to F carries. */
static inline struct type_list frame_label(const struct frame *f)
{
    return f->op == OP_LOOP ? frame_params(f) : frame_results(f);
}

void set_unreachable(struct validator *v);

/* --- instructions ------------------------------------------------------------------------------------------------- */
/* Checks one instruction whose opcode has been read. */
void validate_op(struct validator *v, enum opcode op);
void validate_gc_op(struct validator *v, enum opcode op);

/* Checks the body of function FUNC (defined here). Returns whether it is valid; else v->err says why not. */
bool validate_body(struct validator *v, uint32_t func);

/* Checks a constant expression that must give a value of type EXPECTED (canonical) and may see the first GLOBAL_COUNT
 * globals. Returns as above. */
bool validate_constant(struct validator *v, struct byte_range code, valtype expected, uint32_t global_count);

#endif
