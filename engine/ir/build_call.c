/* Calls: of functions, through tables and references, and tail calls.
 *
 * A tail call to another instance is a call and a return: the caller of this function relies on the pinned registers as
 * this function leaves them (gen/abi.h). So is one in an inlined function: what called that was no tail call. */
#include "engine/ir/build.h"
#include <assert.h>

enum { MAY_BE_NULL = 1 };

static void push_results(struct builder *b, ir_value call, const struct type_def *t)
{
    for (uint32_t i = 0; i < t->result_count; i++)
        build_push(b, build_emit1(b, IR_RESULT, build_type(t->results[i]), call, i));
}

static void call_function(struct builder *b, uint32_t func)
{
    const struct type_def *t = &b->module->types[b->module->funcs[func].type];
    ir_value call;

    b->stack.len -= t->param_count;
    call = build_emit(b, IR_CALL, VT_BOTTOM, b->stack.data + b->stack.len, t->param_count, func);
    push_results(b, call, t);
    build_catch(b);
}

/* Puts the function in front of its arguments. Returns where it lies on the stack. */
static uint32_t insert_function(struct builder *b, ir_value func, uint32_t params)
{
    uint32_t first = (uint32_t)b->stack.len - params;

    build_push(b, func);
    memmove(b->stack.data + first + 1, b->stack.data + first, params * sizeof *b->stack.data);
    b->stack.data[first] = func;
    return first;
}

static void call_address(struct builder *b, ir_value func, uint32_t type, unsigned flags)
{
    const struct type_def *t = &b->module->types[type];
    uint32_t first = insert_function(b, func, t->param_count);
    ir_value call = build_emit(b, IR_CALL_ADDRESS, VT_BOTTOM, b->stack.data + first, t->param_count + 1,
                               type | (uint64_t)flags << 32);

    b->stack.len = first;
    push_results(b, call, t);
    build_catch(b);
}

/* The reference at the index on top, which names a function of TYPE. */
static ir_value pop_element(struct builder *b, uint32_t type, uint32_t table)
{
    ir_value reference = build_emit1(b, IR_LOAD, VT_REF_NULL, build_element_address(b, table, build_pop(b)), 0);

    if (b->module->types[type].final)
        build_emit1(b, IR_CHECK_TYPE, VT_BOTTOM, build_emit1(b, IR_FUNC_ADDRESS, VT_I64, reference, 0), type);
    else
        build_check_function(b, reference, type);
    return reference;
}

static void call_reference(struct builder *b, ir_value reference, uint32_t type, unsigned flags)
{
    call_address(b, build_emit1(b, IR_FUNC_ADDRESS, VT_I64, reference, 0), type, flags);
}

/* --- tail calls --------------------------------------------------------------------------------------------------- */
/* Ahead of a tail call that is made as a call: what the function catches is behind it, and in a backtrace it is
 * not seen any more, if it is an inlined one. Returns what return_at_once wants. */
static struct site_origin leave_function(struct builder *b)
{
    struct site_origin origin = b->origin;

    b->try_number = b->frame->try_outside;
    if (b->frame->outer != NULL)
        b->origin = b->f->inlinings.data[origin.inlining - 1].call;
    return origin;
}

static void return_at_once(struct builder *b, struct site_origin origin)
{
    b->origin = origin;
    build_return(b);
    b->try_number = vec_last(&b->labels)->try_inside;
    build_set_unreachable(b);
}

static void tail_function(struct builder *b, uint32_t func)
{
    const struct type_def *t = &b->module->types[b->module->funcs[func].type];

    if (b->frame->outer != NULL || func < b->module->imported_func_count) {
        struct site_origin origin = leave_function(b);
        call_function(b, func);
        return_at_once(b, origin);
        return;
    }
    build_emit(b, IR_TAIL_CALL, VT_BOTTOM, b->stack.data + b->stack.len - t->param_count, t->param_count, func);
    build_set_unreachable(b);
}

static void tail_reference(struct builder *b, ir_value reference, uint32_t type, unsigned flags)
{
    const struct type_def *t = &b->module->types[type];
    enum trap_kind kind = flags == MAY_BE_NULL ? TRAP_NULL_REFERENCE : TRAP_NONE;
    struct site_origin origin;
    uint32_t own, foreign, first;
    ir_value func, vm;

    vm = build_load_pointer(b, reference, offsetof(struct vm_func, vm), kind); /* traps here if it is null */
    if (b->frame->outer != NULL) {
        origin = leave_function(b);
        call_reference(b, reference, type, 0);
        return_at_once(b, origin);
        return;
    }
    func = build_emit1(b, IR_FUNC_ADDRESS, VT_I64, reference, 0);
    vm = build_emit2(b, OP_I64_EQ, VT_I32, vm, build_emit(b, IR_VM, VT_I64, NULL, 0, 0), 0);
    build_branch(b, vm, &own, &foreign);
    build_start_block(b, own);
    first = insert_function(b, func, t->param_count);
    build_emit(b, IR_TAIL_CALL_ADDRESS, VT_BOTTOM, b->stack.data + first, t->param_count + 1, type);
    memmove(b->stack.data + first, b->stack.data + first + 1, t->param_count * sizeof *b->stack.data);
    b->stack.len--;
    build_start_block(b, foreign);
    origin = leave_function(b);
    call_address(b, func, type, 0);
    return_at_once(b, origin);
}

bool build_call_op(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;
    uint32_t index, table;

    switch (op) {
    case OP_CALL:
        index = body_u32(r);
        if (!build_inline(b, index))
            call_function(b, index);
        return true;
    case OP_RETURN_CALL: tail_function(b, body_u32(r)); return true;
    case OP_CALL_INDIRECT:
    case OP_RETURN_CALL_INDIRECT:
        index = body_u32(r);
        table = body_u32(r);
        if (op == OP_CALL_INDIRECT)
            call_reference(b, pop_element(b, index, table), index, 0);
        else
            tail_reference(b, pop_element(b, index, table), index, 0);
        return true;
    case OP_CALL_REF:
        index = body_u32(r);
        call_reference(b, build_pop(b), index, MAY_BE_NULL);
        return true;
    case OP_RETURN_CALL_REF:
        index = body_u32(r);
        tail_reference(b, build_pop(b), index, MAY_BE_NULL);
        return true;
    default: return false;
    }
}
