/* Tables, globals and references. */
#include "engine/baseline/compiler.h"

static uint8_t index_type(const struct compiler *c, uint32_t table)
{
    return c->module->tables[table].limits.is64 ? VT_I64 : VT_I32;
}

static void load_table(struct compiler *c, reg r, uint32_t table)
{
    masm_load_pointer(&c->m, r, masm_at(target_native.vm, offsetof(struct vm, tables)));
    masm_load_pointer(&c->m, r, masm_at(r, (int32_t)(table * sizeof(struct vm_table *))));
}

/* Pops the index and checks it. */
static struct masm_address element_address(struct compiler *c, uint32_t table)
{
    struct operand index = vstack_pop_extended(c);
    reg r = vstack_alloc(c, false);

    load_table(c, r, table);
    masm_compare_memory(&c->m, index.reg, masm_at(r, offsetof(struct vm_table, size)));
    masm_trap_if(&c->m, COND_GE_U, TRAP_TABLE_OUT_OF_BOUNDS);
    masm_load_pointer(&c->m, r, masm_at(r, offsetof(struct vm_table, elements)));
    return (struct masm_address){r, index.reg, 2, 0};
}

void compile_table_get(struct compiler *c, uint32_t table)
{
    struct masm_address from = element_address(c, table);
    reg dst = vstack_destination(c, VT_REF_NULL, NULL, NULL);

    masm_load(&c->m, VT_REF_NULL, dst, from);
    vstack_push_result(c, VT_REF_NULL, dst);
}

void compile_table_set(struct compiler *c, uint32_t table)
{
    struct operand value = vstack_pop(c);

    masm_store(&c->m, VT_REF_NULL, element_address(c, table), value.reg);
}

void compile_table_size(struct compiler *c, uint32_t table)
{
    reg dst = vstack_destination(c, index_type(c, table), NULL, NULL);

    load_table(c, dst, table);
    masm_load(&c->m, VT_I64, dst, masm_at(dst, offsetof(struct vm_table, size)));
    vstack_push_result(c, index_type(c, table), dst);
}

/* The builtin takes (table, reference, delta), the instruction has the reference below. */
void compile_table_grow(struct compiler *c, uint32_t table)
{
    call_builtin(c, BUILTIN_TABLE_GROW, table, 2, index_type(c, table));
}

void compile_table_fill(struct compiler *c, uint32_t table)
{
    call_builtin(c, BUILTIN_TABLE_FILL, table, 3, VT_BOTTOM);
}

void compile_table_copy(struct compiler *c, uint32_t to, uint32_t from)
{
    call_builtin(c, BUILTIN_TABLE_COPY, to | (uint64_t)from << 32, 3, VT_BOTTOM);
}

void compile_table_init(struct compiler *c, uint32_t segment, uint32_t table)
{
    call_builtin(c, BUILTIN_TABLE_INIT, table | (uint64_t)segment << 32, 3, VT_BOTTOM);
}

/* --- globals ------------------------------------------------------------------------------------------------------ */
static struct masm_address global_address(struct compiler *c, reg r, uint32_t global)
{
    masm_load_pointer(&c->m, r, masm_at(target_native.vm, offsetof(struct vm, globals)));
    masm_load_pointer(&c->m, r, masm_at(r, (int32_t)(global * sizeof(union vm_value *))));
    return masm_at(r, 0);
}

void compile_global_get(struct compiler *c, uint32_t global)
{
    uint8_t type = value_type(c->module->globals[global].type);
    reg dst, address;

    if (type_is_vector(type)) {
        address = vstack_alloc(c, false);
        dst = vstack_destination(c, type, NULL, NULL);
    } else {
        address = dst = vstack_destination(c, type, NULL, NULL);
    }
    masm_load(&c->m, type, dst, global_address(c, address, global));
    vstack_push_result(c, type, dst);
}

void compile_global_set(struct compiler *c, uint32_t global)
{
    uint8_t type = vstack_top(c)->type;
    struct operand value = vstack_pop(c);

    masm_store(&c->m, type, global_address(c, vstack_alloc(c, false), global), value.reg);
}

/* --- references --------------------------------------------------------------------------------------------------- */
void compile_ref_func(struct compiler *c, uint32_t func)
{
    reg dst = vstack_destination(c, VT_REF_NULL, NULL, NULL);

    masm_load(&c->m, VT_REF_NULL, dst, masm_at(target_native.vm, offsetof(struct vm, func_refs)));
    masm_alu_const(&c->m, ALU_ADD, false, dst, dst, (int64_t)func * (int64_t)sizeof(struct vm_func));
    vstack_push_result(c, VT_REF_NULL, dst);
}

void compile_ref_as_non_null(struct compiler *c)
{
    struct operand o = vstack_pop(c);

    masm_compare_const(&c->m, false, o.reg, 0);
    masm_trap_if(&c->m, COND_EQ, TRAP_NULL_REFERENCE);
    if (o.owned) {
        vstack_push_reg(c, VT_REF_NULL, o.reg);
    } else {
        reg dst = vstack_destination(c, VT_REF_NULL, NULL, NULL);
        masm_move(&c->m, VT_REF_NULL, dst, o.reg);
        vstack_push_result(c, VT_REF_NULL, dst);
    }
}
