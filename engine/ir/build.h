/* What the files of the builder share: Wasm → SSA in one pass over the body, after a look ahead (scan.c).
 *
 * In the manner of Braun et al. (2013) SSA is built directly, without a dominance frontier. Structured control makes
 * it simpler than theirs: where a label stands, all that branches to it has been seen, and which locals a loop writes
 * is known from the scan. So each label carries the values of all locals and of its operands; a phi is made when the
 * second branch arrives with another value. */
#ifndef WHERRY_ENGINE_IR_BUILD_H
#define WHERRY_ENGINE_IR_BUILD_H

#include "engine/body.h"
#include "engine/ir/ir.h"

enum build_label_kind { BUILD_FUNCTION, BUILD_INLINED, BUILD_BLOCK, BUILD_LOOP, BUILD_IF, BUILD_ELSE, BUILD_TRY };

struct build_label {
    uint8_t kind;
    uint32_t block;     /* where it leads; 0 until something branches there */
    uint32_t otherwise; /* BUILD_IF: the block of the else part */
    uint32_t height;    /* operands below the block's parameters */
    uint32_t param_count, result_count;
    const valtype *params, *results;
    valtype single;   /* the only result in the short form of block types, where `results` is NULL */
    ir_value *values; /* at the label: locals, then operands */
    ir_value *entry;  /* BUILD_IF: locals and parameters where the condition is false */
    uint32_t loop;    /* f->loops around the label's own block */
    uint32_t stamp;   /* br_table at hand */
    uint32_t table_slot;
    uint32_t try_outside, try_inside; /* what catches around the block, and in it */
    uint32_t own_try;                 /* in builder->tries; 0: it is no try */
    uint32_t clauses;                 /* BUILD_TRY: that have been begun */
    ir_value exception;               /* BUILD_TRY: what its clause at hand has caught */
};

struct build_handler {
    uint32_t tag; /* or IR_CATCH_ALL */
    struct build_label label;
    uint32_t target; /* try_table: index of the label that it leads to */
    bool reference;  /* with the exception's reference behind the values */
};

struct build_try {
    uint32_t outer; /* what is asked next, in builder->tries; 0: nothing */
    uint32_t first_handler, handler_count;
    struct build_frame *frame;
};

struct build_scan_clause { /* of the legacy form */
    uint32_t tag, next;
};

struct build_scan_try {
    uint32_t offset; /* of its immediate */
    uint32_t first_clause, last_clause, delegate;
    bool delegates;
};

struct build_scan_loop {
    uint32_t offset;       /* of the loop's immediate in the module */
    uint32_t first, count; /* into scan->written */
};

struct build_scan {
    VEC(struct build_scan_loop) loops; /* in order */
    VEC(uint32_t) written;             /* locals that a loop writes */
    VEC(struct build_scan_try) tries;  /* of the legacy form, in order */
    VEC(struct build_scan_clause) clauses;
    uint32_t instructions, local_count;
    const char *unsupported;
};

struct build_frame { /* of the function, or of one that is being inlined */
    uint32_t func;
    const struct type_def *type;
    struct rd body;
    struct build_frame *outer;
    ir_value *locals;
    uint32_t local_count;
    struct build_scan scan;
    uint32_t next_loop, next_try;
    uint32_t try_outside;
    size_t first_label;
};

struct builder {
    struct ir_func *f;
    const struct module *module;
    struct build_frame *frame;
    uint32_t block; /* 0: what follows cannot be reached */
    uint32_t loop;
    struct site_origin origin; /* of what is built */
    VEC(ir_value) stack;
    VEC(struct build_label) labels;
    VEC(struct build_try) tries; /* number 0 is none */
    VEC(struct build_handler) handlers;
    uint32_t try_number; /* of the innermost */
    uint32_t stamps;
    uint32_t depth, inlined_instructions;
};

static inline uint8_t build_type(valtype t)
{
    return valtype_is_ref(t) ? VT_REF_NULL : valtype_code(t);
}

static inline void build_push(struct builder *b, ir_value v)
{
    vec_push(&b->stack, v);
}

static inline ir_value build_pop(struct builder *b)
{
    return vec_pop(&b->stack);
}

/* Appends to the current block; the value is not pushed. */
ir_value build_emit(struct builder *b, unsigned op, uint8_t type, const ir_value *args, uint32_t count, uint64_t imm);
ir_value build_const_i64(struct builder *b, uint64_t bits);
static inline ir_value build_emit1(struct builder *b, unsigned op, uint8_t type, ir_value x, uint64_t imm)
{
    return build_emit(b, op, type, &x, 1, imm);
}

static inline ir_value build_emit2(struct builder *b, unsigned op, uint8_t type, ir_value x, ir_value y, uint64_t imm)
{
    ir_value args[] = {x, y};
    return build_emit(b, op, type, args, 2, imm);
}

static inline ir_value build_const_i32(struct builder *b, uint32_t bits)
{
    return ir_const(b->f, VT_I32, bits);
}

/* Looks over a whole body. SCAN is to be released with build_scan_done. */
void build_scan(struct build_scan *scan, const struct module *m, uint32_t func);
void build_scan_done(struct build_scan *scan);

struct build_address {    /* of an access to a linear memory */
    ir_value index, base; /* index: i32 or i64, or none; base: none is memory 0's */
    int32_t disp;
};

/* Pops the index of an access of BYTES. */
struct build_address build_pop_address(struct builder *b, const struct memarg *arg, unsigned bytes);
/* Where the element INDEX of a table is, checked. */
ir_value build_element_address(struct builder *b, uint32_t table, ir_value index);

/* control.c */
void build_start_block(struct builder *b, uint32_t block);
void build_function_body(struct builder *b);
bool build_control(struct builder *b, enum opcode op);
void build_set_unreachable(struct builder *b);
struct build_label *build_label_at(struct builder *b, uint32_t depth);
/* Ends the current block with a branch; returns the two blocks behind it. */
void build_branch(struct builder *b, ir_value condition, uint32_t *yes, uint32_t *no);
/* The current block, which leads nowhere else, goes to the label. */
void build_go_to(struct builder *b, struct build_label *l);
struct build_label *build_open_label(struct builder *b, enum build_label_kind kind, struct block_type type);
/* The current block jumps to the label, with its operands on the stack. */
void build_arrive(struct builder *b, struct build_label *l);
/* Locals and operands become what VALUES says. */
void build_take_values(struct builder *b, const ir_value *values, uint32_t locals, uint32_t operands);
const struct build_scan_try *build_find_scan_try(struct builder *b, uint32_t offset);
/* Ends the current block with a jump to TO. */
void build_jump(struct builder *b, uint32_t to);
/* Translates the callee's body in place of a call, if it is worth it. */
bool build_inline(struct builder *b, uint32_t func);
/* Whether accesses to the memory need no bounds check: its reservation covers every index plus every offset. */
bool build_is_guarded(const struct builder *b, uint32_t memory);
/* build_bulk.c: with the three operands on the stack */
void build_memory_copy(struct builder *b, uint32_t to, uint32_t from);
void build_memory_fill(struct builder *b, uint32_t memory);
/* build_object.c, build_cast.c: objects and casts; false: there is none such */
bool build_object_op(struct builder *b, enum opcode op);
bool build_cast_op(struct builder *b, enum opcode op);
/* build_call.c: calls, tail calls; build_atomic.c: the threads proposal's */
bool build_call_op(struct builder *b, enum opcode op);
bool build_atomic_op(struct builder *b, enum opcode op);
/* build_try.c: exceptions. Behind a call: where it leads if it throws. */
bool build_try_op(struct builder *b, enum opcode op);
void build_catch(struct builder *b);
/* The handlers of the try_table that L is, where it ends; no block is current before and after. */
void build_put_handlers(struct builder *b, const struct build_label *l);
/* Ends the current block with a way to the innermost function's end. */
void build_return(struct builder *b);
/* Traps unless the function that REFERENCE names, a table's element, is of TYPE, which is not final. */
void build_check_function(struct builder *b, ir_value reference, uint32_t type);
/* The field at DISP of what REFERENCE names, which never changes; a fault there means KIND. */
ir_value build_load_pointer(struct builder *b, ir_value reference, uint32_t disp, enum trap_kind kind);
/* Traps as KIND if CONDITION is not 0. */
void build_trap_if(struct builder *b, ir_value condition, enum trap_kind kind);
/* The u32 at DISP of what REFERENCE names, which never changes; a fault there means KIND. */
ir_value build_load_fixed(struct builder *b, ir_value reference, uint32_t disp, enum trap_kind kind);
/* A builtin with the top COUNT operands behind FIRST, in registers or in slots; pushes what it returns. */
void build_builtin(struct builder *b, enum vm_builtin number, uint64_t first, uint32_t count, uint8_t result);
void build_builtin_slots(struct builder *b, enum vm_builtin number, uint32_t first, uint32_t count, uint8_t result);
/* build_op.c: every other instruction; false: there is none such */
bool build_instruction(struct builder *b, enum opcode op);

#endif
