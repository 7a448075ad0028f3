/* The one-pass compiler's state, shared by the files of this folder.
 *
 * A function is translated while its body is read once. Where a value is, is known only to the compiler:
 *  - an operand is a constant, a register of its own, the (unchanged) value of a local, its own slot in the frame,
 *    or the flags;
 *  - a local is in its slot, or in one register ("cached") that may be newer than the slot ("dirty"). A label
 *    remembers which registers hold which locals there (struct regfile); whoever jumps to it brings that about
 *    (merge.c). Operands below a block lie in slots or are constants while the block is open, so labels need not
 *    describe them.
 *
 * In a loop the locals it uses most have a home register (homes.c): they are there at the loop's head and at every
 * label inside, so that the way round the loop touches no memory for their sake. */
#ifndef WHERRY_ENGINE_BASELINE_COMPILER_H
#define WHERRY_ENGINE_BASELINE_COMPILER_H

#include "engine/baseline/masm.h"
#include "engine/body.h"
#include "engine/limits.h"

enum { NO_LOCAL = UINT32_MAX };

/* Where locals are. For registers in `locals`, `local_of` says which one it holds. */
struct regfile {
    regset locals;
    regset dirty; /* newer than the local's slot */
    regset upper; /* an i32 or reference whose upper half is unknown (arguments, results of calls): gen/abi.h */
    uint16_t local_of[REG_COUNT];
};
_Static_assert(LIMIT_LOCALS <= UINT16_MAX, "every block that is open has two of these: they are kept small");

struct local {
    int32_t slot;  /* frame offset */
    uint32_t refs; /* operands that are this local's value */
    bool zero;     /* still zero from the start, which its slot does not say yet */
    uint8_t type;  /* valtype code, every reference as VT_REF_NULL */
    reg reg;       /* or REG_NONE */
    reg home;      /* or REG_NONE */
};

enum value_kind { VALUE_SLOT, VALUE_CONST, VALUE_REG, VALUE_LOCAL, VALUE_FLAGS };

struct value {
    uint8_t kind, type;
    reg reg;       /* VALUE_REG */
    uint8_t cond;  /* VALUE_FLAGS: enum masm_cond */
    uint32_t slot; /* its own slot: number of the first 8 bytes */
    union {
        uint64_t bits;  /* VALUE_CONST */
        uint32_t local; /* VALUE_LOCAL */
    };
};

struct homes {
    regset set;
    uint16_t local_of[REG_COUNT];
};

enum control_kind {
    CONTROL_FUNCTION,
    CONTROL_BLOCK, /* also try_table */
    CONTROL_LOOP,
    CONTROL_IF,
    CONTROL_ELSE,
    CONTROL_TRY, /* the legacy form, before its first catch */
    CONTROL_CATCH,
};

struct control {
    uint8_t kind;
    bool reached;    /* the label has a state: something jumps to it (a loop's has one from the start) */
    reg result;      /* where a label's only value is handed over; REG_NONE: in its slot */
    uint32_t height; /* operands below the block's parameters */
    uint32_t param_count, result_count;
    const valtype *params, *results;
    valtype single; /* the only result in the short form of block types, where `results` is NULL */
    uint32_t homes; /* index of the struct homes that holds at the label */
    struct masm_label label, otherwise;
    struct regfile state; /* at the label */
    struct regfile entry; /* CONTROL_IF: where the condition is false */
    uint32_t table_stamp; /* br_table that made `stub` for this label */
    struct masm_label stub;
    uint32_t try_number;          /* innermost try around what is directly inside: gen/code.h */
    uint32_t handlers;            /* 1 + index of the first in c->handlers that is put before the end; 0: none */
    uint32_t own_try, last_catch; /* CONTROL_TRY, CONTROL_CATCH: numbers in gen/code.h */
};

/* Of a try_table's clause: branches to a label with what was caught. Put where the label's block ends, so that no other
 * code jumps around it. */
struct handler {
    uint32_t catch_number;
    uint32_t depth; /* of the label, as seen from where it is put */
    bool reference; /* the exnref comes after the values */
    uint32_t next;  /* 1 + index; 0: none */
};

struct compiler {
    struct masm m;
    const struct module *module;
    const struct code_options *options;
    struct optimizer *optimizer;
    struct err *err;
    struct rd body;
    const struct type_def *type;
    uint32_t func;

    struct local *locals;
    uint32_t local_count, local_capacity;
    bool zeros; /* some local may be `zero` */
    struct regfile regs;
    regset temps;  /* hold operands */
    regset pinned; /* in use by the instruction being compiled */
    uint32_t value_of[REG_COUNT];
    unsigned turn; /* of eviction */
    uint32_t
        destination; /* the local that the following local.set or local.tee names, if this result goes there directly */
    const uint8_t *destination_next;
    bool destination_tee;

    struct value *stack;
    uint32_t height, stack_capacity;
    uint32_t easy_height;            /* below it a push has nothing to see to */
    uint32_t fixed_bytes, max_slots; /* frame: locals, then operand slots */
    VEC(struct control) controls;
    VEC(struct handler) handlers;
    VEC(struct homes) homes; /* the last one holds now */
    regset home_set;         /* its */
    bool unreachable;

    const struct loops *loops;
    uint32_t next_loop; /* the next one's index in them */
    uint32_t table_stamps;
    VEC(struct masm_label *) table_labels;
};

/* --- reading ------------------------------------------------------------------------------------------------------ */
/* The body is valid, so its integers need none of the checks of engine/body.h. */
static __attribute__((noinline)) uint64_t read_unsigned_long(struct rd *r)
{
    const uint8_t *at = r->at;
    uint64_t value = *at & 0x7f;

    for (unsigned shift = 7; (*at++ & 0x80) != 0; shift += 7)
        value |= (uint64_t)(*at & 0x7f) << shift;
    r->at = at;
    return value;
}

static inline uint64_t read_unsigned(struct rd *r)
{
    return __builtin_expect(*r->at < 0x80, 1) ? *r->at++ : read_unsigned_long(r);
}

static inline enum opcode read_opcode(struct rd *r)
{
    return __builtin_expect(*r->at < 0xfb, 1) ? (enum opcode) * r->at++ : body_opcode(r);
}

static inline uint32_t read_u32(struct rd *r)
{
    return (uint32_t)read_unsigned(r);
}

static inline int64_t read_signed(struct rd *r)
{
    const uint8_t *start = r->at;
    uint64_t value;
    unsigned bits;

    if (*start < 0x80) {
        r->at++;
        return (int64_t)(*start ^ 0x40) - 0x40;
    }
    value = read_unsigned_long(r);
    bits = (unsigned)(r->at - start) * 7;
    return bits >= 64 ? (int64_t)value : (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline struct memarg read_memarg(struct rd *r)
{
    struct memarg arg = {.align_log2 = read_u32(r)};

    if (arg.align_log2 >= 0x40) {
        arg.align_log2 -= 0x40;
        arg.memory = read_u32(r);
    }
    arg.offset = read_unsigned(r);
    return arg;
}

/* --- vstack.c: operands, locals, registers ------------------------------------------------------------------------ */
struct operand {
    reg reg;
    bool owned; /* nothing else needs the register's value: it may be overwritten */
};

static inline uint8_t value_type(valtype t)
{
    return valtype_is_ref(t) ? VT_REF_NULL : valtype_code(t);
}

static inline struct value *vstack_top(struct compiler *c)
{
    return &c->stack[c->height - 1];
}

static inline uint8_t control_result_type(const struct control *control, uint32_t index)
{
    return value_type(control->results != NULL ? control->results[index] : control->single);
}

/* The register that holds operand V now, or REG_NONE. */
static inline reg vstack_register_of(const struct compiler *c, const struct value *v)
{
    return v->kind == VALUE_REG ? v->reg : v->kind == VALUE_LOCAL ? c->locals[v->local].reg : REG_NONE;
}

static inline uint32_t value_end_slot(const struct value *v)
{
    return v->slot + (v->type == VT_V128 ? 2 : 1);
}

static inline struct masm_address vstack_slot(const struct compiler *c, const struct value *v)
{
    return masm_at(target_native.frame, -(int32_t)(c->fixed_bytes + value_end_slot(v) * 8));
}

static inline struct masm_address vstack_local_slot(const struct compiler *c, uint32_t local)
{
    return masm_at(target_native.frame, c->locals[local].slot);
}

/* Where the stack has reached c->easy_height: makes room, and sees to it that what lies deep down is in slots. */
void vstack_push_slow(struct compiler *c);

/* The next place on the stack, for its user to fill in. */
static inline struct value *vstack_push(struct compiler *c, enum value_kind kind, uint8_t type)
{
    struct value *v;

    if (__builtin_expect(c->height >= c->easy_height, 0))
        vstack_push_slow(c);
    v = &c->stack[c->height];
    v->slot = c->height != 0 ? value_end_slot(v - 1) : 0;
    v->kind = (uint8_t)kind;
    v->type = type;
    c->height++;
    return v;
}

/* A value for the next place on the stack. */
static inline void vstack_push_const(struct compiler *c, uint8_t type, uint64_t bits)
{
    vstack_push(c, VALUE_CONST, type)->bits = bits;
}

static inline void vstack_push_reg(struct compiler *c, uint8_t type, reg r)
{
    vstack_push(c, VALUE_REG, type)->reg = r;
    c->temps |= regset_of(r);
    c->value_of[r] = c->height - 1;
}

static inline void vstack_push_local(struct compiler *c, uint32_t local)
{
    struct local *l = &c->locals[local];
    struct value *v = vstack_push(c, l->zero ? VALUE_CONST : VALUE_LOCAL, l->type);

    if (__builtin_expect(l->zero, 0)) {
        v->bits = 0;
    } else {
        v->local = local;
        l->refs++;
    }
}

static inline void vstack_push_flags(struct compiler *c, enum masm_cond cond)
{
    vstack_push(c, VALUE_FLAGS, VT_I32)->cond = (uint8_t)cond;
}

void vstack_push_slot(struct compiler *c, uint8_t type);
/* Takes the top off without looking at it. */
static inline void vstack_drop(struct compiler *c)
{
    const struct value *v = &c->stack[--c->height];

    if (v->kind == VALUE_LOCAL)
        c->locals[v->local].refs--;
    else if (v->kind == VALUE_REG)
        c->temps &= ~regset_of(v->reg);
}

/* Takes the top into a register, pinned until the end of the instruction. */
struct operand vstack_pop(struct compiler *c);
/* The same for an i32 that is used as 64 bits. */
struct operand vstack_pop_extended(struct compiler *c);
static inline bool vstack_top_is_const(const struct compiler *c)
{
    return c->stack[c->height - 1].kind == VALUE_CONST;
}

/* A free register, pinned. */
reg vstack_alloc(struct compiler *c, bool vector);
/* Where the result should go: into the local that is about to be set, into an operand's register, or a new one.
 * Either operand may be NULL. To be followed by vstack_push_result with that register. */
reg vstack_destination(struct compiler *c, uint8_t type, const struct operand *a, const struct operand *b);
void vstack_push_result(struct compiler *c, uint8_t type, reg r);
/* Empties R and pins it. */
void vstack_vacate(struct compiler *c, reg r);
/* Gives every operand from index FROM up to index TO that is not a constant its place in memory. */
void vstack_flush(struct compiler *c, uint32_t from, uint32_t to, bool constants_too);
void vstack_set_local(struct compiler *c, uint32_t local, bool tee);
/* Writes the zeros of the locals that nobody has set: from here on ways meet. */
void vstack_settle_zeros(struct compiler *c);
/* Before a call: operands below index TO and locals are in memory (registers still hold them). */
void vstack_save_all(struct compiler *c, uint32_t to);
/* After a call: no register holds anything. */
void vstack_forget_registers(struct compiler *c);
void vstack_truncate(struct compiler *c, uint32_t height);
/* The operands' registers must already be gone. */
void vstack_set_regfile(struct compiler *c, const struct regfile *state);
void regfile_copy(struct regfile *to, const struct regfile *from);

static inline void vstack_end_instruction(struct compiler *c)
{
    c->pinned = 0;
}

/* --- merge.c: moves between states -------------------------------------------------------------------------------- */
struct moves {
    regset targets;
    reg source[REG_COUNT];
    uint8_t type[REG_COUNT];
};

void moves_add(struct moves *moves, uint8_t type, reg to, reg from);
void moves_emit(struct compiler *c, struct moves *moves);

struct edge {
    struct moves moves;
    regset stores;  /* registers whose local must be written to its slot */
    regset extends; /* registers whose upper half must be cleared */
    regset loads;   /* registers that get their local from its slot */
    bool results;   /* operands must be handed over, besides by moves */
    bool empty;
};

/* Works out what a jump to the label of CONTROL must do first, and fits the label's state to it where that is still
 * open. */
void merge_plan(struct compiler *c, struct control *control, struct edge *edge);
/* Emits that, once. The compiler's own state stays as it was. */
void merge_emit(struct compiler *c, const struct control *control, struct edge *edge);
/* The current state becomes the label's: registers, and the results on the stack. */
void merge_arrive(struct compiler *c, struct control *control);
/* Moves the top COUNT operands into argument or result places: registers, or slots of 8 bytes from AREA up. */
void merge_place(struct compiler *c, const valtype *types, uint32_t count, const reg *ints, const reg *vectors,
                 struct masm_address area);

/* --- homes.c: the registers of a loop's locals -------------------------------------------------------------------- */
void homes_enter_loop(struct compiler *c, const struct loop_info *loop);
void homes_leave_loop(struct compiler *c);

/* --- the instructions, by topic ----------------------------------------------------------------------------------- */
void control_block(struct compiler *c);
void control_loop(struct compiler *c);
void control_if(struct compiler *c);
void control_else(struct compiler *c);
void control_end(struct compiler *c);
void control_br(struct compiler *c, uint32_t depth);
void control_br_if(struct compiler *c, uint32_t depth);
void control_br_table(struct compiler *c);
void control_br_on_null(struct compiler *c, uint32_t depth);
void control_br_on_non_null(struct compiler *c, uint32_t depth);
void control_return(struct compiler *c);
/* The way of a branch that is taken, up to its jump; the compiler's own state stays as it was. */
void control_go_to(struct compiler *c, uint32_t depth);
/* Pushes the operand that V was before it was popped into O. */
void control_push_again(struct compiler *c, const struct value *v, struct operand o);
/* What follows cannot be reached: it is skipped up to the end or else that makes it reachable again. */
void control_set_unreachable(struct compiler *c);
void control_skip(struct compiler *c);
void control_select(struct compiler *c);
/* For blocks of other files: operands below a block's parameters go to memory, with PARAMS these too; then it is opened. */
struct control *control_innermost(struct compiler *c);
struct control *control_label(struct compiler *c, uint32_t depth);
void control_flush_below(struct compiler *c, struct block_type type, bool params);
struct control *control_open(struct compiler *c, enum control_kind kind, struct block_type type);

/* --- try.c -------------------------------------------------------------------------------------------------------- */
void compile_try_table(struct compiler *c);
void compile_throw(struct compiler *c, uint32_t tag);
void compile_throw_ref(struct compiler *c);
/* The legacy form; catch_all is a catch of CODE_CATCH_ALL. */
void compile_try(struct compiler *c);
void compile_catch(struct compiler *c, uint32_t tag);
void compile_delegate(struct compiler *c, uint32_t depth);
void compile_rethrow(struct compiler *c, uint32_t depth);
/* Puts the handlers that belong before the end of the innermost block; the last one may go on into it. */
void try_put_handlers(struct compiler *c);
/* The function has ended: the tries from index FIRST on are its. */
void try_end_function(struct compiler *c, size_t first, uint32_t frame_bytes);

void call_function(struct compiler *c, uint32_t func, bool tail);
void call_indirect(struct compiler *c, uint32_t type, uint32_t table, bool tail);
void call_reference(struct compiler *c, uint32_t type, bool tail);
/* A builtin's arguments: the constant FIRST, then the top COUNT operands; pushes a result of RESULT unless
 * VT_BOTTOM. */
void call_builtin(struct compiler *c, enum vm_builtin builtin, uint64_t first, unsigned count, uint8_t result);

/* Pops the address of an access of BYTES and checks it as far as the memory's guard does not. */
struct masm_address memory_address(struct compiler *c, const struct memarg *arg, unsigned bytes);
/* Whether accesses of MEMORY need no check: what lies behind it faults. */
bool memory_is_guarded(const struct compiler *c, uint32_t memory);
/* The same for an atomic access, which traps first of all where it is not aligned. */
struct masm_address memory_aligned_address(struct compiler *c, const struct memarg *arg, unsigned bytes);
/* Compiles OP if it works on structures, arrays or i31 references, or is a cast (gc.c, cast.c); false: it is none. */
bool gc_op(struct compiler *c, enum opcode op);
bool cast_op(struct compiler *c, enum opcode op);
/* Traps unless the vm_func at FUNC has TYPE or a subtype of it; the first use of FUNC. */
void cast_check_func(struct compiler *c, reg func, uint32_t type, enum trap_kind null_kind);
/* Compiles OP if it is an atomic instruction; false: it is none. */
bool atomic_op(struct compiler *c, enum opcode op);
/* Compiles OP if it is a load or a store; false: it is none. */
void compile_load(struct compiler *c, enum opcode op);
void compile_store(struct compiler *c, enum opcode op);
void compile_memory_size(struct compiler *c, uint32_t memory);
void compile_memory_grow(struct compiler *c, uint32_t memory);
void compile_memory_fill(struct compiler *c, uint32_t memory);
void compile_memory_copy(struct compiler *c, uint32_t to, uint32_t from);
void compile_memory_init(struct compiler *c, uint32_t segment, uint32_t memory);

void compile_table_get(struct compiler *c, uint32_t table);
void compile_table_set(struct compiler *c, uint32_t table);
void compile_table_size(struct compiler *c, uint32_t table);
void compile_table_grow(struct compiler *c, uint32_t table);
void compile_table_fill(struct compiler *c, uint32_t table);
void compile_table_copy(struct compiler *c, uint32_t to, uint32_t from);
void compile_table_init(struct compiler *c, uint32_t segment, uint32_t table);
void compile_global_get(struct compiler *c, uint32_t global);
void compile_global_set(struct compiler *c, uint32_t global);
void compile_ref_func(struct compiler *c, uint32_t func);
void compile_ref_is_null(struct compiler *c);
void compile_ref_as_non_null(struct compiler *c);

/* Pushes the i32 that says whether COND holds, or leaves it in the flags if the next instruction takes them from
 * there. */
void numeric_push_condition(struct compiler *c, enum masm_cond cond);
/* If the next instruction is arithmetic on two values of TYPE and one machine instruction can take the second, which
 * has been loaded from B, from memory: compiles it. */
bool numeric_with_memory(struct compiler *c, uint8_t type, struct masm_address b);
/* Compiles OP if it works on vectors; false: it does not. */
bool vector_op(struct compiler *c, enum opcode op);
/* Compiles OP if it is arithmetic, a comparison or a conversion; false: it is none. */
bool numeric_op(struct compiler *c, enum opcode op);

#endif
