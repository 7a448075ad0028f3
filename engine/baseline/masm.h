/* The macro assembler: what a one-pass compiler asks of a machine, in the machine's own registers but without their
 * names.
 *
 * Every operation takes its destination and operands in any registers of the right class, equal or not, and reads
 * all operands before it writes (so `dst` may be one of them); the implementation pays for two-operand instructions.
 * Only shift counts and division may have fixed places, named by struct target. Apart from the compares nothing here
 * leaves flags that anybody uses, and the operations marked "keeps flags" leave those of a compare alone.
 *
 * A struct masm lives for a range of functions. Between masm_begin and masm_end one function is emitted; traps that must be
 * reached by a jump are collected and put behind it, together with its constants. */
#ifndef WHERRY_ENGINE_BASELINE_MASM_H
#define WHERRY_ENGINE_BASELINE_MASM_H

#include "engine/gen/code.h"
#include "engine/gen/target.h"
#include "engine/opcodes.h"

/* A place in the current function. Zeroed: not bound yet, nothing refers to it. */
struct masm_label {
    uint32_t at;    /* where it is bound, or 0 */
    uint32_t chain; /* the newest reference, which holds the one before it, or 0 */
};

struct masm_trap { /* a jump to a trap behind the function */
    uint32_t jump;
    struct site_origin origin;
    enum trap_kind kind;
};

struct masm_foreign_call { /* of a function that turns out to be another instance's: behind the function */
    uint32_t jump, back;
    struct site_origin origin;
    uint32_t try_number;
    reg func;
};

struct masm_allocation { /* that finds its run empty: behind the function */
    uint32_t jump, back;
    struct site_origin origin;
    uint32_t type, length;
    reg reference, address;
};

struct masm_constant { /* in the function's pool, 16 bytes */
    uint64_t low, high;
    uint32_t chain;
};

/* Opaque to the compiler but for `origin` and `try_number`, which it keeps at the instruction being compiled. */
struct masm {
    struct { /* the same as the target's struct x64_enc, a64_enc: the bytes so far */
        uint8_t *start, *at, *end;
    } code;
    struct site_origin origin;
    uint32_t try_number; /* gen/code.h: of the innermost try around it */
    uint32_t features;   /* enum target_feature bits */
    uint32_t first_func; /* whose entry is the first in `out` */
    struct code_object *out;
    VEC(struct masm_trap) traps;
    VEC(struct masm_constant) constants;
    VEC(struct masm_foreign_call) foreign_calls;
    VEC(struct masm_allocation) allocations;
    uint32_t frame_patch, pop_bytes; /* frame_patch 0: a leaf's */
    bool far, too_far; /* this function is compiled with branches that reach further; some branch does not reach */
    struct {           /* lengths of what masm_end may have to forget */
        size_t code, entries, calls, site_blocks, sites, inlinings, inlined_sites, calls_in_tries, tries, catches;
        bool noted;
    } before;
    struct { /* the operation that ended at `at` left the flags of `result` */
        uint32_t at;
        reg result;
        bool wide;
    } flags;
};

/* FIRST_FUNC: the function whose entry is out->entries[0]. */
void masm_init(struct masm *m, struct code_object *out, uint32_t features, uint32_t first_func);
/* Hands the bytes over to `out`. */
void masm_finish(struct masm *m);
static inline void masm_done(struct masm *m)
{
    free(m->code.start);
    vec_done(&m->traps);
    vec_done(&m->constants);
    vec_done(&m->foreign_calls);
    vec_done(&m->allocations);
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
/* Prologue; the frame's size is given at the end. POP_BYTES: padded size of the stack arguments. Returns the entry's
 * offset, which the caller then puts into out->entries. */
/* In front of it, where the function can be replaced: goes to the better code that its slot names, if it does (target_patch_look
 * says which slot). Returns the entry's offset in the place of masm_begin. */
uint32_t masm_replaceable(struct masm *m);
uint32_t masm_begin(struct masm *m, uint32_t pop_bytes);
/* The same for a function that calls nothing: its frame, of MASM_LEAF_BYTES at most, lies below the stack pointer, where
 * nothing else is (signals are taken on a stack of their own). */
enum { MASM_LEAF_BYTES = 1024 };
uint32_t masm_begin_leaf(struct masm *m, uint32_t pop_bytes);
/* Everything behind the last instruction. FRAME_BYTES: what lies between the frame pointer and the stack pointer. False:
 * some branch does not reach its target; all that was emitted since masm_begin is forgotten, and the same function, compiled
 * once more, will reach. */
bool masm_end(struct masm *m, uint32_t frame_bytes);
void masm_return(struct masm *m);
/* Zeroes 8-byte slots from frame + FROM upwards; touches no register of the compiler's. */
void masm_zero_slots(struct masm *m, int32_t from, uint32_t slots);

/* --- control ------------------------------------------------------------------------------------------------------ */
/* In pairs: `cond ^ 1` is the opposite. Float conditions are false (and their opposites true) when an operand is
 * NaN. */
enum masm_cond {
    COND_EQ,
    COND_NE,
    COND_LT_S,
    COND_GE_S,
    COND_LT_U,
    COND_GE_U,
    COND_GT_S,
    COND_LE_S,
    COND_GT_U,
    COND_LE_U,
    COND_FLOAT_EQ,
    COND_FLOAT_NE,
    COND_FLOAT_LT,
    COND_FLOAT_NOT_LT,
    COND_FLOAT_GT,
    COND_FLOAT_NOT_GT,
    COND_FLOAT_LE,
    COND_FLOAT_NOT_LE,
    COND_FLOAT_GE,
    COND_FLOAT_NOT_GE,
};

void masm_bind(struct masm *m, struct masm_label *label);
void masm_align_loop(struct masm *m); /* ahead of a loop's top */
void masm_jump(struct masm *m, struct masm_label *label);
void masm_branch(struct masm *m, enum masm_cond cond, struct masm_label *label);
void masm_trap(struct masm *m, enum trap_kind kind);
void masm_trap_if(struct masm *m, enum masm_cond cond, enum trap_kind kind);
/* Jumps to labels[index], index (i32, upper half zero) below COUNT. Clobbers INDEX. */
void masm_jump_table(struct masm *m, reg index, struct masm_label **labels, uint32_t count);
/* Sets the flags from a compare of two integers (or with zero, or a constant); VALUE of masm_compare_const must fit. */
void masm_compare(struct masm *m, bool wide, reg a, reg b);
void masm_compare_const(struct masm *m, bool wide, reg a, int64_t value);
/* Like a compare with 0, for COND_EQ and COND_NE only: nothing to do if the last operation made A. */
void masm_compare_zero(struct masm *m, bool wide, reg a);
void masm_test(struct masm *m, bool wide, reg a, reg b); /* compares a & b with zero */
void masm_test_const(struct masm *m, bool wide, reg a, int64_t value);
/* Sets the flags so that COND (a float condition) can be asked. */
void masm_float_compare(struct masm *m, bool wide, enum masm_cond cond, reg a, reg b);
void masm_set(struct masm *m, enum masm_cond cond, reg dst);
/* dst = cond ? a : b. Keeps nothing. */
void masm_select(struct masm *m, uint8_t type, enum masm_cond cond, reg dst, reg a, reg b);

/* --- moves; all keep flags ---------------------------------------------------------------------------------------- */
/* TYPE is a valtype's code. i32 and references arrive zero-extended. */
void masm_move(struct masm *m, uint8_t type, reg dst, reg src);
void masm_const(struct masm *m, uint8_t type, reg dst, uint64_t bits);
/* A register in place of one that must be vacated while moves go in a circle: never allocated. */
reg masm_scratch(bool vector);

struct masm_address {
    reg base, index; /* index: 64 bits, or REG_NONE */
    uint8_t scale_log2;
    int32_t disp;
};

static inline struct masm_address masm_at(reg base, int32_t disp)
{
    return (struct masm_address){base, REG_NONE, 0, disp};
}

/* One value of TYPE in its 4, 8 or 16 bytes. */
void masm_load(struct masm *m, uint8_t type, reg dst, struct masm_address from);
void masm_store(struct masm *m, uint8_t type, struct masm_address to, reg src);
void masm_store_const(struct masm *m, uint8_t type, struct masm_address to, uint64_t bits);
/* From memory to memory through the scratch register. */
void masm_copy(struct masm *m, uint8_t type, struct masm_address to, struct masm_address from);
void masm_load_pointer(struct masm *m, reg dst, struct masm_address from);

/* --- integers ----------------------------------------------------------------------------------------------------- */
enum masm_alu { ALU_ADD, ALU_SUB, ALU_AND, ALU_OR, ALU_XOR, ALU_MUL };
enum masm_shift { SHIFT_SHL, SHIFT_SHR_S, SHIFT_SHR_U, SHIFT_ROTL, SHIFT_ROTR };
enum masm_divide { DIVIDE_DIV_S, DIVIDE_DIV_U, DIVIDE_REM_S, DIVIDE_REM_U };
enum masm_unary {
    UNARY_CLZ,
    UNARY_CTZ,
    UNARY_POPCNT,
    UNARY_EXTEND8,
    UNARY_EXTEND16,
    UNARY_EXTEND32, /* sign extensions */
};

bool masm_const_fits(int64_t value); /* as the operand of the operations below */
void masm_alu(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, reg b);
void masm_alu_const(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, int64_t b);
/* The same with b in linear memory; records a trap site. */
void masm_alu_memory(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, struct masm_address b);
/* dst = a + (b << shift), shift below 4 */
void masm_add_shifted(struct masm *m, bool wide, reg dst, reg a, reg b, unsigned shift);
/* dst = the address, of 32 or 64 bits. */
void masm_lea(struct masm *m, bool wide, reg dst, struct masm_address address);
/* The count is masked by the machine as Wasm masks it. */
void masm_shift(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, reg count);
void masm_shift_const(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, unsigned count);
/* True if a variable count need not be in target->shift_count. */
bool masm_shift_is_free(const struct masm *m, enum masm_shift op);
/* DIVISOR_SAFE: b is a constant that is neither 0 nor -1. Where target->quotient is a register, A is it, DST is it or
 * target->remainder, whichever the operation says, the other is lost, and B is neither. */
void masm_divide(struct masm *m, enum masm_divide op, bool wide, reg dst, reg a, reg b, bool divisor_safe);
/* 128 bits of product in LOW and HIGH: like a division's, quotient and remainder, where the machine has such. */
void masm_multiply_wide(struct masm *m, bool is_signed, reg low, reg high, reg a, reg b);
/* 128 bits in two registers each; LOW and HIGH are none of the operands. */
void masm_add_wide(struct masm *m, bool subtract, reg low, reg high, reg a_low, reg a_high, reg b_low, reg b_high);
void masm_unary(struct masm *m, enum masm_unary op, bool wide, reg dst, reg a);
void masm_zero_extend(struct masm *m, reg dst, reg src); /* i32 to i64 */

/* --- floats ------------------------------------------------------------------------------------------------------- */
enum masm_float { FLOAT_ADD, FLOAT_SUB, FLOAT_MUL, FLOAT_DIV, FLOAT_MIN, FLOAT_MAX, FLOAT_COPYSIGN };
enum masm_float_unary { FLOAT_ABS, FLOAT_NEG, FLOAT_CEIL, FLOAT_FLOOR, FLOAT_TRUNC, FLOAT_NEAREST, FLOAT_SQRT };

/* VALUE as a constant of f64 (WIDE) or f32. */
static inline uint64_t masm_float_bits(bool wide, double value)
{
    union {
        double d;
        uint64_t bits;
    } as64 = {.d = value};
    union {
        float f;
        uint32_t bits;
    } as32 = {.f = (float)value};
    return wide ? as64.bits : as32.bits;
}

void masm_float(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, reg b);
/* The first four, with b in linear memory (records a trap site) or a constant. */
void masm_float_memory(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, struct masm_address b);
void masm_float_const(struct masm *m, enum masm_float op, bool wide, reg dst, reg a, uint64_t bits);
void masm_float_unary(struct masm *m, enum masm_float_unary op, bool wide, reg dst, reg a);
void masm_float_resize(struct masm *m, bool to_wide, reg dst, reg a);
void masm_reinterpret(struct masm *m, bool wide, reg dst, reg src); /* between the classes, either way */
void masm_from_int(struct masm *m, bool wide, bool int_wide, bool is_signed, reg dst, reg src, reg temporary);
/* Trapping, or saturating with SATURATE. VECTOR_TEMPORARY: not A. */
void masm_to_int(struct masm *m, bool wide, bool int_wide, bool is_signed, bool saturate, reg dst, reg a,
                 reg vector_temporary);

/* --- linear memory ------------------------------------------------------------------------------------------------ */
enum masm_access {
    ACCESS_8_S,
    ACCESS_8_U,
    ACCESS_16_S,
    ACCESS_16_U,
    ACCESS_32_S,
    ACCESS_32_U,
    ACCESS_64,
    ACCESS_F32,
    ACCESS_F64,
    ACCESS_V128
};

/* How a field or an element of this storage type is loaded (packed ones IS_SIGNED or not) and stored. */
static inline enum masm_access masm_storage_access(valtype storage, bool is_signed)
{
    switch (valtype_code(storage)) {
    case VT_I8: return is_signed ? ACCESS_8_S : ACCESS_8_U;
    case VT_I16: return is_signed ? ACCESS_16_S : ACCESS_16_U;
    case VT_I64: return ACCESS_64;
    case VT_F32: return ACCESS_F32;
    case VT_F64: return ACCESS_F64;
    case VT_V128: return ACCESS_V128;
    default: return ACCESS_32_U;
    }
}

/* Of a field of an object: loads and extends to 32 bits or, WIDE, to 64; a fault means KIND, TRAP_NONE: there is none. */
void masm_field_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from,
                     enum trap_kind kind);
void masm_field_store(struct masm *m, enum masm_access access, struct masm_address to, reg src, enum trap_kind kind);

/* The same in linear memory. */
static inline void masm_memory_load(struct masm *m, enum masm_access access, bool wide, reg dst,
                                    struct masm_address from)
{
    masm_field_load(m, access, wide, dst, from, TRAP_MEMORY_OUT_OF_BOUNDS);
}

static inline void masm_memory_store(struct masm *m, enum masm_access access, struct masm_address to, reg src)
{
    masm_field_store(m, access, to, src, TRAP_MEMORY_OUT_OF_BOUNDS);
}

void masm_memory_store_const(struct masm *m, enum masm_access access, struct masm_address to, int32_t value);
/* A new object of type index TYPE, at most VM_RUN_CLASSES granules large, zero but for its header: its REFERENCE, and
 * its ADDRESS. Every other register but TEMPORARY keeps its value. */
void masm_allocate(struct masm *m, uint32_t type, uint32_t length, uint32_t size_bytes, reg reference, reg address,
                   reg temporary);
/* sum = a + value; traps as KIND when that needs more than 64 bits. A is not SUM. */
void masm_add_or_trap(struct masm *m, reg sum, reg a, uint64_t value, enum trap_kind kind);
/* Compares with b in linear memory; records a trap site. */
void masm_compare_with_memory(struct masm *m, bool wide, reg a, struct masm_address b);
/* Compares 64 bits with a 64-bit field in memory, a table's element count for instance. */
void masm_compare_memory(struct masm *m, reg a, struct masm_address b);

/* --- atomics; sequentially consistent, at aligned addresses; all but the fence record a trap site ------------------- */
/* ACCESS is one of the unsigned ones or ACCESS_64; what comes back is zero-extended. */
void masm_fence(struct masm *m);
void masm_atomic_load(struct masm *m, enum masm_access access, reg dst, struct masm_address from);
/* Memory and VALUE change places. */
void masm_atomic_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at);
/* Adds VALUE to memory, or subtracts it; VALUE becomes what was there. */
void masm_atomic_add(struct masm *m, bool subtract, enum masm_access access, reg value, struct masm_address at);
/* memory = memory OP value, what was there not wanted. OP is no multiplication. */
void masm_atomic_update(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at);
/* The same; what was there is then in target->exchange, which is no other operand. */
void masm_atomic_fetch(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at);
/* If memory holds what target->exchange holds (as wide as the access), VALUE is put there; target->exchange becomes
 * what was there. */
void masm_atomic_compare_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at);

/* --- vectors ------------------------------------------------------------------------------------------------------ */
/* An operation is named by its Wasm instruction. T: a further register for the operations that are not direct, none
 * of the operands and not DST; those that are direct take REG_NONE. */
bool masm_vector_is_direct(enum opcode op);
void masm_v128_const(struct masm *m, reg dst, uint64_t low, uint64_t high);
void masm_vector_unary(struct masm *m, enum opcode op, reg dst, reg a, reg t);
void masm_vector_binary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg t);
/* The same with a constant as the second operand, for the operations that take one. */
bool masm_vector_takes_const(enum opcode op);
void masm_vector_binary_const(struct masm *m, enum opcode op, reg dst, reg a, uint64_t low, uint64_t high);
void masm_vector_ternary(struct masm *m, enum opcode op, reg dst, reg a, reg b, reg c);
void masm_vector_shift(struct masm *m, enum opcode op, reg dst, reg a, reg count, reg t);
void masm_vector_shift_const(struct masm *m, enum opcode op, reg dst, reg a, unsigned count);
void masm_shuffle(struct masm *m, reg dst, reg a, reg b, const uint8_t lanes[16]);
void masm_splat(struct masm *m, enum opcode op, reg dst, reg a);
void masm_extract_lane(struct masm *m, enum opcode op, reg dst, reg a, unsigned lane);
void masm_replace_lane(struct masm *m, enum opcode op, reg dst, reg a, reg b, unsigned lane);
void masm_bitmask(struct masm *m, enum opcode op, reg dst, reg a);
/* any_true and all_true, in the flags; returns the condition that says yes. */
enum masm_cond masm_vector_test(struct masm *m, enum opcode op, reg a);
/* These record a trap site. */
void masm_vector_load(struct masm *m, enum opcode op, reg dst, struct masm_address from);
void masm_vector_load_lane(struct masm *m, enum opcode op, reg dst, reg a, struct masm_address from, unsigned lane);
void masm_vector_store_lane(struct masm *m, enum opcode op, reg a, struct masm_address to, unsigned lane);

/* --- calls -------------------------------------------------------------------------------------------------------- */
void masm_adjust_stack(struct masm *m, int32_t bytes); /* negative: makes room, touching every page on the way */
void masm_call_function(struct masm *m, uint32_t func);
/* Calls the function that the vm_import at index describes; the pinned registers are right again afterwards. */
void masm_call_import(struct masm *m, uint32_t func);
/* Calls the vm_func at FUNC (an address, not a reference). If null has not been ruled out, NULL_KIND is what it
 * traps as. */
void masm_call_ref(struct masm *m, reg func, enum trap_kind null_kind);
void masm_call_builtin(struct masm *m, enum vm_builtin builtin);
/* Instead of a call: leaves the frame, with the stack arguments (ARG_BYTES at the stack pointer) where the callee,
 * entered by a jump, expects them; then one of the jumps. */
void masm_tail_leave(struct masm *m, uint32_t arg_bytes);
void masm_tail_function(struct masm *m, uint32_t func);
void masm_tail_ref(struct masm *m, reg func);
/* COND_EQ: the vm_func at FUNC belongs to the running instance. NULL_KIND as above. */
void masm_compare_func_vm(struct masm *m, reg func, enum trap_kind null_kind);
/* dst = address of what the reference names; null is found by the first use. */
void masm_ref_address(struct masm *m, reg dst, reg reference);
/* Traps unless the vm_func at FUNC has the canonical type of type index TYPE; the first use of FUNC. Clobbers
 * nothing. */
void masm_check_func_type(struct masm *m, reg func, uint32_t type, enum trap_kind null_kind);

/* --- what the architectures have in common (masm.c), for their own use --------------------------------------------- */
/* The next instruction may fault and means KIND. */
void masm_site(struct masm *m, enum trap_kind kind);
/* At the return address of a call. */
void masm_call_site(struct masm *m);
/* The call or jump at offset AT goes to FUNC. */
void masm_refer_to_function(struct masm *m, uint32_t at, uint32_t func);
/* The constant of the function's pool; valid until the next one is asked for. */
struct masm_constant *masm_pool_constant(struct masm *m, uint64_t low, uint64_t high);

#endif
