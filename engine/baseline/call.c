/* Calls: of functions, through tables and references, of builtins; and tail calls.
 *
 * Nothing survives a call in a register, so operands and dirty locals are written back first. A tail call to another
 * instance is made as an ordinary call and a return: the caller of this function relies on the pinned registers as
 * this function leaves them (gen/abi.h). */
#include "engine/baseline/compiler.h"

struct areas {
    uint32_t args, results; /* bytes on the stack */
};

static struct areas areas_of(const struct type_def *t)
{
    return (struct areas){abi_types_area_bytes(t->params, t->param_count),
                          abi_types_area_bytes(t->results, t->result_count)};
}

/* Arguments to their places; all other values to memory unless this function ends here (which also leaves every try). */
static struct areas call_begin(struct compiler *c, const struct type_def *t, bool leaves)
{
    struct areas areas = areas_of(t);
    uint32_t first = c->height - t->param_count;

    if (leaves)
        c->m.try_number = 0;
    else
        vstack_save_all(c, first);
    masm_adjust_stack(&c->m, -(int32_t)(areas.args + areas.results));
    merge_place(c, t->params, t->param_count, target_native.int_args, target_native.vector_args,
                masm_at(target_native.stack, 0));
    vstack_truncate(c, first);
    vstack_forget_registers(c);
    return areas;
}

static void push_register_result(struct compiler *c, uint8_t type, reg r)
{
    vstack_push_reg(c, type, r);
    if (type == VT_I32 || type == VT_REF_NULL)
        c->regs.upper |= regset_of(r);
}

static void call_end(struct compiler *c, const struct type_def *t, struct areas areas)
{
    struct abi_walk walk = {0};

    for (uint32_t i = 0; i < t->result_count; i++) {
        uint8_t type = value_type(t->results[i]);
        struct abi_place place = abi_next(&walk, t->results[i]);
        if (place.kind == ABI_SLOT) {
            vstack_push_slot(c, type);
            masm_copy(&c->m, type, vstack_slot(c, vstack_top(c)),
                      masm_at(target_native.stack, (int32_t)(place.index * 8)));
        } else {
            push_register_result(c, type,
                                 place.kind == ABI_INT ? target_native.int_results[place.index]
                                                       : target_native.vector_args[place.index]);
        }
    }
    masm_adjust_stack(&c->m, (int32_t)areas.results);
}

/* Behind the call that stands for a tail call. */
static void return_at_once(struct compiler *c)
{
    c->m.try_number = control_innermost(c)->try_number;
    control_return(c);
}

void call_function(struct compiler *c, uint32_t func, bool tail)
{
    const struct module *module = c->module;
    const struct type_def *t = &module->types[module->funcs[func].type];
    bool import = func < module->imported_func_count, jumps = tail && !import;
    struct areas areas;

    if (jumps) {
        uint32_t args = areas_of(t).args;
        masm_adjust_stack(&c->m, -(int32_t)args);
        merge_place(c, t->params, t->param_count, target_native.int_args, target_native.vector_args,
                    masm_at(target_native.stack, 0));
        masm_tail_leave(&c->m, args);
        masm_tail_function(&c->m, func);
        control_set_unreachable(c);
        return;
    }
    areas = call_begin(c, t, tail);
    if (import)
        masm_call_import(&c->m, func);
    else
        masm_call_function(&c->m, func);
    call_end(c, t, areas);
    if (tail)
        return_at_once(c);
}

/* FUNC, the callee's address, is in target->callee. */
static void call_address(struct compiler *c, const struct type_def *t, enum trap_kind null_kind, bool tail)
{
    reg func = target_native.callee;
    struct areas areas = call_begin(c, t, tail);

    if (tail) {
        struct masm_label foreign = {0};
        masm_compare_func_vm(&c->m, func, null_kind);
        masm_branch(&c->m, COND_NE, &foreign);
        masm_tail_leave(&c->m, areas.args);
        masm_tail_ref(&c->m, func);
        masm_bind(&c->m, &foreign);
        null_kind = TRAP_NONE;
    }
    masm_call_ref(&c->m, func, null_kind);
    call_end(c, t, areas);
    if (tail)
        return_at_once(c);
}

void call_indirect(struct compiler *c, uint32_t type, uint32_t table, bool tail)
{
    reg func = target_native.callee;
    struct operand index = vstack_pop_extended(c);

    if (index.reg == func) { /* the register is needed while the index still is */
        reg other = vstack_alloc(c, false);
        masm_move(&c->m, VT_I64, other, index.reg);
        index.reg = other;
        c->pinned &= ~regset_of(func);
    }
    if (!regset_has(c->pinned, func))
        vstack_vacate(c, func);
    masm_load_pointer(&c->m, func, masm_at(target_native.vm, offsetof(struct vm, tables)));
    masm_load_pointer(&c->m, func, masm_at(func, (int32_t)(table * sizeof(struct vm_table *))));
    masm_compare_memory(&c->m, index.reg, masm_at(func, offsetof(struct vm_table, size)));
    masm_trap_if(&c->m, COND_GE_U, TRAP_TABLE_OUT_OF_BOUNDS);
    masm_load_pointer(&c->m, func, masm_at(func, offsetof(struct vm_table, elements)));
    masm_load(&c->m, VT_REF_NULL, func, (struct masm_address){func, index.reg, 2, 0});
    masm_ref_address(&c->m, func, func);
    if (c->module->types[type].final)
        masm_check_func_type(&c->m, func, type, TRAP_UNINITIALIZED_ELEMENT);
    else
        cast_check_func(c, func, type, TRAP_UNINITIALIZED_ELEMENT);
    call_address(c, &c->module->types[type], TRAP_NONE, tail);
}

void call_reference(struct compiler *c, uint32_t type, bool tail)
{
    reg func = target_native.callee;
    struct operand o = vstack_pop(c);

    if (o.reg != func) {
        vstack_vacate(c, func);
    } else if (!o.owned) { /* a local lives there: it is saved before its register changes */
        c->pinned &= ~regset_of(func);
        vstack_vacate(c, func);
    }
    masm_ref_address(&c->m, func, o.reg);
    call_address(c, &c->module->types[type], TRAP_NULL_REFERENCE, tail);
}

/* --- builtins ----------------------------------------------------------------------------------------------------- */
static bool is_extended(const struct compiler *c, const struct value *v, reg r)
{
    return (v->type != VT_I32 && v->type != VT_REF_NULL) || !regset_has(c->regs.upper, r);
}

void call_builtin(struct compiler *c, enum vm_builtin builtin, uint64_t first, unsigned count, uint8_t result)
{
    const reg *args = target_native.builtin_args;
    uint32_t at = c->height - count;
    struct moves moves;
    regset extends = 0;

    moves.targets = 0;
    vstack_save_all(c, at);
    for (unsigned i = 0; i < count; i++) {
        const struct value *v = &c->stack[at + i];
        reg to = args[1 + i], from = vstack_register_of(c, v);
        if (from == REG_NONE)
            continue;
        moves_add(&moves, v->type, to, from);
        if (from == to && !is_extended(c, v, from))
            extends |= regset_of(from);
    }
    moves_emit(c, &moves);
    for (; extends != 0; extends &= extends - 1)
        masm_zero_extend(&c->m, regset_first(extends), regset_first(extends));
    for (unsigned i = 0; i < count; i++) {
        const struct value *v = &c->stack[at + i];
        if (v->kind == VALUE_CONST)
            masm_const(&c->m, v->type, args[1 + i], v->bits);
        else if (v->kind == VALUE_SLOT)
            masm_load(&c->m, v->type, args[1 + i], vstack_slot(c, v));
        else if (v->kind == VALUE_LOCAL && c->locals[v->local].reg == REG_NONE)
            masm_load(&c->m, v->type, args[1 + i], vstack_local_slot(c, v->local));
    }
    masm_const(&c->m, VT_I64, args[0], first);
    vstack_truncate(c, at);
    vstack_forget_registers(c);
    masm_call_builtin(&c->m, builtin);
    if (result != VT_BOTTOM)
        push_register_result(c, result, target_native.builtin_result);
}
