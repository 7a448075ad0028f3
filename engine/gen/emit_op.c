/* Emitting arithmetic, memory and vectors: each instruction is one or two calls of the macro assembler. */
#include "engine/gen/emit.h"
#include <assert.h>

/* --- conditions --------------------------------------------------------------------------------------------------- */
static void compare_int(struct emitter *e, const struct mach *i)
{
    reg a = emit_operand(e, i, 0);

    if (i->form == MACH_IMM && i->imm == 0 && (i->cond == COND_EQ || i->cond == COND_NE))
        masm_compare_zero(e->m, i->wide, a);
    else if (i->form == MACH_IMM)
        masm_compare_const(e->m, i->wide, a, (int64_t)i->imm);
    else if (i->form == MACH_MEM)
        masm_compare_with_memory(e->m, i->wide, a, emit_address(e, i));
    else
        masm_compare(e->m, i->wide, a, emit_operand(e, i, 1));
}

enum masm_cond emit_condition(struct emitter *e, const struct mach *i, unsigned *rest)
{
    *rest = 1;
    switch ((enum mach_compare)i->compare) {
    case MACH_COMPARE_INT:
        compare_int(e, i);
        *rest = i->form == MACH_IMM ? 1 : i->form == MACH_REG ? 2 : 1u + (i->base >= 0) + (i->index >= 0);
        break;
    case MACH_COMPARE_TEST:
        if (i->form == MACH_IMM) {
            masm_test_const(e->m, i->wide, emit_operand(e, i, 0), (int64_t)i->imm);
        } else {
            masm_test(e->m, i->wide, emit_operand(e, i, 0), emit_operand(e, i, 1));
            *rest = 2;
        }
        break;
    case MACH_COMPARE_FLOAT:
        masm_float_compare(e->m, i->wide, (enum masm_cond)i->cond, emit_operand(e, i, 0), emit_operand(e, i, 1));
        *rest = 2;
        break;
    case MACH_COMPARE_VECTOR: return masm_vector_test(e->m, (enum opcode)i->vector, emit_operand(e, i, 0)) ^ i->cond;
    case MACH_COMPARE_NONE: assert(!"every condition is one of these");
    }
    return (enum masm_cond)i->cond;
}

static void emit_select(struct emitter *e, const struct mach *i)
{
    unsigned rest;
    enum masm_cond cond = emit_condition(e, i, &rest);

    masm_select(e->m, i->type, cond, emit_result(e, i), emit_operand(e, i, rest), emit_operand(e, i, rest + 1));
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
static void emit_alu(struct emitter *e, const struct mach *i, const struct numeric *n)
{
    reg dst = emit_result(e, i), a = emit_operand(e, i, 0);

    if (i->form == MACH_IMM)
        masm_alu_const(e->m, n->op, n->wide, dst, a, (int64_t)i->imm);
    else if (i->form == MACH_MEM)
        masm_alu_memory(e->m, n->op, n->wide, dst, a, emit_address(e, i));
    else
        masm_alu(e->m, n->op, n->wide, dst, a, emit_operand(e, i, 1));
}

static void emit_shift(struct emitter *e, const struct mach *i, const struct numeric *n)
{
    reg dst = emit_result(e, i), a = emit_operand(e, i, 0);

    if (i->form == MACH_IMM)
        masm_shift_const(e->m, n->op, n->wide, dst, a, (unsigned)i->imm);
    else
        masm_shift(e->m, n->op, n->wide, dst, a, i->use_count == 2 ? emit_operand(e, i, 1) : i->fixed);
}

static void emit_divide(struct emitter *e, const struct mach *i, const struct numeric *n)
{
    bool quotient = n->op == DIVIDE_DIV_S || n->op == DIVIDE_DIV_U, fixed = target_native.quotient != REG_NONE;
    reg dst = quotient ? target_native.quotient : target_native.remainder;

    if (!fixed)
        dst = emit_result(e, i);
    masm_divide(e->m, n->op, n->wide, dst, fixed ? target_native.quotient : emit_operand(e, i, 1),
                emit_operand(e, i, 0), i->imm != 0);
    masm_move(e->m, i->type, emit_result(e, i), dst);
}

static void emit_multiply_high(struct emitter *e, const struct mach *i)
{
    bool fixed = target_native.quotient != REG_NONE;
    reg low = fixed ? target_native.quotient : emit_temporary(e, i);
    reg high = fixed ? target_native.remainder : emit_result(e, i);

    masm_multiply_wide(e->m, i->imm != 0, low, high, fixed ? low : emit_operand(e, i, 1), emit_operand(e, i, 0));
    masm_move(e->m, VT_I64, emit_result(e, i), high);
}

static void emit_float(struct emitter *e, const struct mach *i, const struct numeric *n)
{
    reg dst = emit_result(e, i), a = emit_operand(e, i, 0);

    if (i->form == MACH_IMM)
        masm_float_const(e->m, n->op, n->wide, dst, a, i->imm);
    else if (i->form == MACH_MEM)
        masm_float_memory(e->m, n->op, n->wide, dst, a, emit_address(e, i));
    else
        masm_float(e->m, n->op, n->wide, dst, a, emit_operand(e, i, 1));
}

static bool emit_numeric(struct emitter *e, const struct mach *i)
{
    const struct numeric *n = numeric_of(i->op);
    bool int_wide = (n->op & INT_WIDE) != 0, is_signed = (n->op & IS_SIGNED) != 0;

    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_ALU: emit_alu(e, i, n); return true;
    case NUMERIC_SHIFT: emit_shift(e, i, n); return true;
    case NUMERIC_DIVIDE: emit_divide(e, i, n); return true;
    case NUMERIC_FLOAT: emit_float(e, i, n); return true;
    case NUMERIC_UNARY: masm_unary(e->m, n->op, n->wide, emit_result(e, i), emit_operand(e, i, 0)); return true;
    case NUMERIC_WRAP: masm_zero_extend(e->m, emit_result(e, i), emit_operand(e, i, 0)); return true;
    case NUMERIC_EXTEND:
        if (is_signed)
            masm_unary(e->m, UNARY_EXTEND32, true, emit_result(e, i), emit_operand(e, i, 0));
        else
            masm_move(e->m, VT_I64, emit_result(e, i), emit_operand(e, i, 0));
        return true;
    case NUMERIC_FLOAT_UNARY:
        masm_float_unary(e->m, n->op, n->wide, emit_result(e, i), emit_operand(e, i, 0));
        return true;
    case NUMERIC_FLOAT_RESIZE: masm_float_resize(e->m, n->wide, emit_result(e, i), emit_operand(e, i, 0)); return true;
    case NUMERIC_FROM_INT:
        masm_from_int(e->m, n->wide, int_wide, is_signed, emit_result(e, i), emit_operand(e, i, 0),
                      i->temp != 0 ? emit_temporary(e, i) : emit_operand(e, i, 0));
        return true;
    case NUMERIC_TO_INT:
        masm_to_int(e->m, n->wide, int_wide, is_signed, (n->op & SATURATE) != 0, emit_result(e, i),
                    emit_operand(e, i, 0), emit_temporary(e, i));
        return true;
    case NUMERIC_REINTERPRET: masm_reinterpret(e->m, n->wide, emit_result(e, i), emit_operand(e, i, 0)); return true;
    default: return false;
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
static void emit_load(struct emitter *e, const struct mach *i)
{
    reg dst = emit_result(e, i);

    if (i->op < OPCODE_SPACE_VECTOR)
        masm_memory_load(e->m, i->access, i->type == VT_I64, dst, emit_address(e, i));
    else if (i->op >= OP_V128_LOAD8_LANE && i->op <= OP_V128_LOAD64_LANE)
        masm_vector_load_lane(e->m, (enum opcode)i->op, dst, emit_operand(e, i, i->use_count - 1u), emit_address(e, i),
                              ir_inst(e->mf->ir, i->ir)->lane);
    else
        masm_vector_load(e->m, (enum opcode)i->op, dst, emit_address(e, i));
}

static void emit_store(struct emitter *e, const struct mach *i)
{
    struct masm_address to = emit_address(e, i);

    if (i->form == MACH_IMM)
        masm_memory_store_const(e->m, i->access, to, (int32_t)i->imm);
    else if (i->op < OPCODE_SPACE_VECTOR)
        masm_memory_store(e->m, i->access, to, emit_operand(e, i, i->use_count - 1u));
    else if (i->op == OP_V128_STORE)
        masm_memory_store(e->m, ACCESS_V128, to, emit_operand(e, i, i->use_count - 1u));
    else
        masm_vector_store_lane(e->m, (enum opcode)i->op, emit_operand(e, i, i->use_count - 1u), to,
                               ir_inst(e->mf->ir, i->ir)->lane);
}

/* dst = the pointer at array[index], where the instance's FIELD points at the array. */
static void load_indexed(struct emitter *e, reg dst, size_t field, uint64_t index)
{
    masm_load_pointer(e->m, dst, masm_at(target_native.vm, (int32_t)field));
    masm_load_pointer(e->m, dst, masm_at(dst, (int32_t)(index * sizeof(void *))));
}

static void emit_memory_struct(struct emitter *e, reg dst, uint64_t memory)
{
    if (memory == 0)
        masm_load_pointer(e->m, dst, masm_at(target_native.vm, offsetof(struct vm, memory0)));
    else
        load_indexed(e, dst, offsetof(struct vm, memories), memory);
}

static void emit_bounds(struct emitter *e, const struct mach *i)
{
    reg end = emit_result(e, i), index = emit_operand(e, i, 0), memory = emit_operand(e, i, 1);

    masm_add_or_trap(e->m, end, index, i->imm, TRAP_MEMORY_OUT_OF_BOUNDS);
    masm_compare_memory(e->m, end, masm_at(memory, offsetof(struct vm_memory, size_bytes)));
    masm_trap_if(e->m, COND_GT_U, TRAP_MEMORY_OUT_OF_BOUNDS);
}

static void emit_element(struct emitter *e, const struct mach *i)
{
    reg dst = emit_result(e, i), index = emit_operand(e, i, 0), table = emit_operand(e, i, 1);

    masm_compare_memory(e->m, index, masm_at(table, offsetof(struct vm_table, size)));
    masm_trap_if(e->m, COND_GE_U, TRAP_TABLE_OUT_OF_BOUNDS);
    masm_load_pointer(e->m, dst, masm_at(table, offsetof(struct vm_table, elements)));
    masm_add_shifted(e->m, true, dst, dst, index, 2);
}

static void emit_internal(struct emitter *e, const struct mach *i)
{
    reg dst;

    switch (i->op) {
    case IR_CONST:
        dst = emit_result(e, i);
        if (i->type == VT_V128)
            masm_v128_const(e->m, dst, i->imm, i->imm_high);
        else
            masm_const(e->m, i->type, dst, i->imm);
        break;
    case IR_LOAD: masm_load(e->m, i->type, emit_result(e, i), masm_at(emit_operand(e, i, 0), i->disp)); break;
    case IR_STORE: masm_store(e->m, i->type, masm_at(emit_operand(e, i, 0), i->disp), emit_operand(e, i, 1)); break;
    case IR_MEMORY_STRUCT: emit_memory_struct(e, emit_result(e, i), i->imm); break;
    case IR_MEMORY_BASE:
        dst = emit_result(e, i);
        emit_memory_struct(e, dst, i->imm);
        masm_load_pointer(e->m, dst, masm_at(dst, offsetof(struct vm_memory, base)));
        break;
    case IR_ADDRESS:
        masm_lea(e->m, true, emit_result(e, i),
                 (struct masm_address){target_native.memory0, emit_operand(e, i, 0), 0, 0});
        break;
    case IR_VM: masm_move(e->m, VT_I64, emit_result(e, i), target_native.vm); break;
    case IR_TABLE_STRUCT: load_indexed(e, emit_result(e, i), offsetof(struct vm, tables), i->imm); break;
    case IR_GLOBAL_ADDRESS: load_indexed(e, emit_result(e, i), offsetof(struct vm, globals), i->imm); break;
    case IR_FUNC_REF:
        dst = emit_result(e, i);
        masm_load(e->m, VT_REF_NULL, dst, masm_at(target_native.vm, offsetof(struct vm, func_refs)));
        masm_alu_const(e->m, ALU_ADD, false, dst, dst, (int64_t)i->imm * (int64_t)sizeof(struct vm_func));
        break;
    case IR_BOUNDS: emit_bounds(e, i); break;
    case IR_ELEMENT: emit_element(e, i); break;
    case IR_FUNC_ADDRESS: masm_ref_address(e->m, emit_result(e, i), emit_operand(e, i, 0)); break;
    case IR_CHECK_TYPE:
        masm_check_func_type(e->m, emit_operand(e, i, 0), (uint32_t)i->imm, TRAP_UNINITIALIZED_ELEMENT);
        break;
    case OP_REF_AS_NON_NULL:
        masm_compare_const(e->m, false, emit_operand(e, i, 0), 0);
        masm_trap_if(e->m, COND_EQ, TRAP_NULL_REFERENCE);
        break;
    default: assert(!"every instruction is emitted somewhere");
    }
}

/* --- vectors ------------------------------------------------------------------------------------------------------ */
static void emit_vector_binary(struct emitter *e, const struct mach *i, reg dst, reg a)
{
    if (i->op == OP_I8X16_SHUFFLE) {
        uint8_t lanes[16];
        memcpy(lanes, &i->imm, 8);
        memcpy(lanes + 8, &i->imm_high, 8);
        masm_shuffle(e->m, dst, a, emit_operand(e, i, 1), lanes);
    } else if (i->form == MACH_IMM) {
        masm_vector_binary_const(e->m, (enum opcode)i->op, dst, a, i->imm, i->imm_high);
    } else {
        masm_vector_binary(e->m, (enum opcode)i->op, dst, a, emit_operand(e, i, 1), emit_temporary(e, i));
    }
}

static void emit_vector(struct emitter *e, const struct mach *i)
{
    enum opcode op = (enum opcode)i->op;
    bool lane = opcode_infos[op].immediate == IMMEDIATE_LANE;
    unsigned number = ir_inst(e->mf->ir, i->ir)->lane;
    reg dst = emit_result(e, i), a = emit_operand(e, i, 0), t = emit_temporary(e, i);

    switch ((enum signature_id)opcode_infos[op].signature) {
    case SIGNATURE_v_v: masm_vector_unary(e->m, op, dst, a, t); break;
    case SIGNATURE_vv_v: emit_vector_binary(e, i, dst, a); break;
    case SIGNATURE_vvv_v: masm_vector_ternary(e->m, op, dst, a, emit_operand(e, i, 1), emit_operand(e, i, 2)); break;
    case SIGNATURE_i_v:
    case SIGNATURE_I_v:
    case SIGNATURE_f_v:
    case SIGNATURE_F_v: masm_splat(e->m, op, dst, a); break;
    case SIGNATURE_v_i:
        if (!lane) {
            masm_bitmask(e->m, op, dst, a);
            break;
        }
        __attribute__((fallthrough));
    case SIGNATURE_v_I:
    case SIGNATURE_v_f:
    case SIGNATURE_v_F: masm_extract_lane(e->m, op, dst, a, number); break;
    default: /* a vector and a scalar: a shift or replaces a lane */
        if (lane)
            masm_replace_lane(e->m, op, dst, a, emit_operand(e, i, 1), number);
        else if (i->form == MACH_IMM)
            masm_vector_shift_const(e->m, op, dst, a, (unsigned)i->imm);
        else
            masm_vector_shift(e->m, op, dst, a, emit_operand(e, i, 1), t);
    }
}

void emit_instruction(struct emitter *e, const struct mach *i)
{
    unsigned rest;

    if (i->op == MACH_SET)
        masm_set(e->m, emit_condition(e, i, &rest), emit_result(e, i));
    else if (i->op == MACH_FIX)
        masm_move(e->m, i->type, i->fixed, emit_operand(e, i, 0));
    else if (i->op == MACH_LEA)
        masm_lea(e->m, i->type == VT_I64, emit_result(e, i), emit_address(e, i));
    else if (i->op == MACH_LOAD_PARAM)
        masm_load(e->m, i->type, emit_result(e, i), masm_at(target_native.frame, (int32_t)(16 + i->imm * 8)));
    else if (i->op == OP_SELECT)
        emit_select(e, i);
    else if (ir_is_load(i->op))
        emit_load(e, i);
    else if (ir_is_store(i->op))
        emit_store(e, i);
    else if (i->op >= OPCODE_SPACE_VECTOR && i->op < OPCODE_SPACE_ATOMIC)
        emit_vector(e, i);
    else if (ir_is_atomic(i->op))
        emit_atomic(e, i);
    else if (i->op == IR_MULTIPLY_HIGH)
        emit_multiply_high(e, i);
    else if (!emit_numeric(e, i) && !emit_object(e, i))
        emit_internal(e, i);
}
