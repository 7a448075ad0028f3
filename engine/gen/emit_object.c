/* Emitting what objects and casts need. */
#include "engine/gen/emit.h"
#include <assert.h>

/* The second result, which nobody uses: a register more to work with. */
static reg spare(struct emitter *e, const struct mach *i)
{
    return allocation_place(e->a, e->mf->defs.data[i->def_first + 1], e->at * 2 + 1).reg;
}

static reg first_result(struct emitter *e, const struct mach *i)
{
    return allocation_place(e->a, e->mf->defs.data[i->def_first], e->at * 2 + 1).reg;
}

static void emit_field(struct emitter *e, const struct mach *i)
{
    struct masm_address at = emit_address(e, i);
    enum trap_kind kind =
        (enum trap_kind)((ir_inst(e->mf->ir, i->ir)->imm & IR_FIELD_KIND_MASK) >> IR_FIELD_KIND_SHIFT);

    if (i->op == IR_FIELD_LOAD)
        masm_field_load(e->m, i->access, false, emit_result(e, i), at, kind);
    else if (i->form == MACH_IMM)
        masm_store_const(e->m, i->type, at, i->imm);
    else
        masm_field_store(e->m, i->access, at, emit_operand(e, i, 2), kind);
}

static void emit_allocate(struct emitter *e, const struct mach *i)
{
    uint32_t type = (uint32_t)i->imm, length = (uint32_t)(i->imm >> 32), end = OBJECT_HEADER_BYTES;
    const struct type_def *t = &e->module->types[type];

    if (t->kind == TYPE_ARRAY)
        end += length * valtype_size_bytes(t->fields[0].type);
    else if (t->field_count != 0)
        end = t->fields[t->field_count - 1].offset + valtype_size_bytes(t->fields[t->field_count - 1].type);
    masm_allocate(e->m, type, length, end, first_result(e, i), spare(e, i), emit_temporary(e, i));
}

/* DST = this process's number of a type index. */
static void load_type_id(struct emitter *e, reg dst, uint64_t type)
{
    masm_load_pointer(e->m, dst, masm_at(target_native.vm, offsetof(struct vm, type_ids)));
    masm_load(e->m, VT_I32, dst, masm_at(dst, (int32_t)(type * sizeof(uint32_t))));
}

/* DST = what is at DISP of the row of NUMBER, which may be DST. */
static void load_row(struct emitter *e, reg dst, reg rows, reg number, uint64_t disp)
{
    _Static_assert(sizeof(struct vm_type_row) == 32, "the shift");
    masm_shift_const(e->m, SHIFT_SHL, true, dst, number, 5);
    masm_load(e->m, VT_I32, dst, (struct masm_address){rows, dst, 0, (int32_t)disp});
}

static void load_rows(struct emitter *e, reg rows)
{
    masm_load_pointer(e->m, rows, masm_at(target_native.vm, offsetof(struct vm, type_rows)));
}

static void emit_type_row(struct emitter *e, const struct mach *i)
{
    load_rows(e, emit_temporary(e, i));
    load_row(e, emit_result(e, i), emit_temporary(e, i), emit_operand(e, i, 0), i->imm);
}

/* From supertype to supertype: the last one is 0, and so is the answer then. */
static void emit_is_subtype(struct emitter *e, const struct mach *i)
{
    reg at = first_result(e, i), rows = spare(e, i), wanted = emit_temporary(e, i);
    struct masm_label again = {0}, yes = {0}, end = {0};

    masm_move(e->m, VT_I32, at, emit_operand(e, i, 0));
    load_type_id(e, wanted, i->imm);
    load_rows(e, rows);
    masm_bind(e->m, &again);
    masm_compare(e->m, false, at, wanted);
    masm_branch(e->m, COND_EQ, &yes);
    load_row(e, at, rows, at, offsetof(struct vm_type_row, supertype));
    masm_compare_const(e->m, false, at, 0);
    masm_branch(e->m, COND_NE, &again);
    masm_jump(e->m, &end);
    masm_bind(e->m, &yes);
    masm_const(e->m, VT_I32, at, 1);
    masm_bind(e->m, &end);
}

bool emit_object(struct emitter *e, const struct mach *i)
{
    unsigned rest;

    switch (i->op) {
    case IR_SPACE:
        masm_load_pointer(e->m, emit_result(e, i), masm_at(target_native.vm, offsetof(struct vm, reference_space)));
        return true;
    case IR_OBJECT_ADDRESS: masm_ref_address(e->m, emit_result(e, i), emit_operand(e, i, 0)); return true;
    case IR_FIELD_LOAD:
    case IR_FIELD_STORE: emit_field(e, i); return true;
    case IR_ARRAY_INDEX:
        masm_compare(e->m, false, emit_operand(e, i, 0), emit_operand(e, i, 1));
        masm_trap_if(e->m, COND_GE_U, TRAP_ARRAY_OUT_OF_BOUNDS);
        masm_move(e->m, VT_I32, emit_result(e, i), emit_operand(e, i, 0));
        return true;
    case IR_ALLOCATE: emit_allocate(e, i); return true;
    case IR_AS_REF: masm_move(e->m, VT_REF_NULL, emit_result(e, i), emit_operand(e, i, 0)); return true;
    case IR_TYPE_ID: load_type_id(e, emit_result(e, i), i->imm); return true;
    case IR_TYPE_ROW: emit_type_row(e, i); return true;
    case IR_IS_SUBTYPE: emit_is_subtype(e, i); return true;
    case IR_TRAP_IF: /* imm is what the condition compares with */
        masm_trap_if(e->m, emit_condition(e, i, &rest), (enum trap_kind)ir_inst(e->mf->ir, i->ir)->imm);
        return true;
    default: return false;
    }
}
