/* Exceptions: throwing, and the handlers (gen/code.h; the search for them is rt/exception.c).
 *
 * At every call all locals and operands below are in memory, in a try or not, so a handler starts from there with no
 * register but the exception's reference. In the legacy form that reference stays below a catch's operands, in a slot
 * of its own, for rethrow. */
#include "engine/baseline/compiler.h"
#include <assert.h>

/* --- throwing ----------------------------------------------------------------------------------------------------- */
/* So that the return address of a call that never returns is this function's too. */
static void end_here(struct compiler *c)
{
    masm_trap(&c->m, TRAP_UNREACHABLE);
    control_set_unreachable(c);
}

void compile_throw(struct compiler *c, uint32_t tag)
{
    uint32_t count = c->module->types[c->module->tags[tag].type].param_count, first = c->height - count;
    uint64_t distance = count == 0 ? 0 : c->fixed_bytes + c->stack[first].slot * 8;

    vstack_flush(c, first, c->height, true);
    vstack_truncate(c, first);
    call_builtin(c, BUILTIN_THROW, tag | distance << 32, 0, VT_BOTTOM);
    end_here(c);
}

void compile_throw_ref(struct compiler *c)
{
    call_builtin(c, BUILTIN_THROW_REF, 0, 1, VT_BOTTOM);
    end_here(c);
}

/* --- tries and clauses -------------------------------------------------------------------------------------------- */
static uint32_t open_try(struct compiler *c)
{
    vec_push(&c->m.out->tries, (struct code_try){.outer = c->m.try_number});
    return (uint32_t)c->m.out->tries.len;
}

static uint32_t add_catch(struct compiler *c, uint32_t try_number, uint32_t last, uint32_t tag)
{
    struct code_object *out = c->m.out;
    uint32_t number = (uint32_t)out->catches.len + 1;

    vec_push(&out->catches, (struct code_catch){.tag = tag});
    if (last == 0)
        out->tries.data[try_number - 1].catches = number;
    else
        out->catches.data[last - 1].next = number;
    return number;
}

/* The caught values, from the exception at REFERENCE. */
static void push_payload(struct compiler *c, uint32_t tag, reg reference)
{
    const struct type_def *type;
    int32_t at = offsetof(struct vm_exception, values);
    reg base;

    if (tag == CODE_CATCH_ALL)
        return;
    type = &c->module->types[c->module->tags[tag].type];
    if (type->param_count == 0)
        return;
    base = vstack_alloc(c, false);
    masm_ref_address(&c->m, base, reference);
    for (uint32_t i = 0; i < type->param_count; i++) {
        uint8_t kind = value_type(type->params[i]);
        reg to = vstack_alloc(c, type_is_vector(kind));
        masm_load(&c->m, kind, to, masm_at(base, at));
        vstack_push_reg(c, kind, to);
        c->pinned &= ~regset_of(to);
        at += kind == VT_V128 ? 16 : 8;
    }
}

/* Here begins what is done about an exception that the clause has caught. KEEP, REFERENCE: its reference is pushed
 * below, above the values. */
static void enter_handler(struct compiler *c, uint32_t catch_number, bool keep, bool reference)
{
    struct code_catch *clause = &c->m.out->catches.data[catch_number - 1];
    reg exception = target_native.int_results[0];
    struct masm_label here = {0};

    assert(c->unreachable);
    c->unreachable = false;
    vstack_truncate(c, control_innermost(c)->height);
    masm_bind(&c->m, &here);
    clause->pc = here.at;
    c->pinned |= regset_of(exception);
    if (keep) {
        vstack_push_reg(c, VT_REF_NULL, exception);
        vstack_flush(c, c->height - 1, c->height, true);
    }
    push_payload(c, clause->tag, exception);
    if (reference)
        vstack_push_reg(c, VT_REF_NULL, exception);
}

void try_put_handlers(struct compiler *c)
{
    uint32_t next = control_innermost(c)->handlers;

    if (!c->unreachable)
        control_br(c, 0);
    while (next != 0) {
        struct handler h = c->handlers.data[next - 1];
        next = h.next;
        enter_handler(c, h.catch_number, false, h.reference);
        if (h.depth != 0 || next != 0)
            control_br(c, h.depth);
        vstack_end_instruction(c);
    }
}

/* --- try_table ---------------------------------------------------------------------------------------------------- */
static void add_handler(struct compiler *c, struct control *k, struct handler handler)
{
    handler.next = k->handlers;
    vec_push(&c->handlers, handler);
    k->handlers = (uint32_t)c->handlers.len;
}

void compile_try_table(struct compiler *c)
{
    struct block_type type = body_block_type(&c->body);
    uint32_t count = read_u32(&c->body), number, last = 0;
    struct control *k;

    control_flush_below(c, type, false);
    k = control_open(c, CONTROL_BLOCK, type);
    if (count == 0)
        return;
    number = open_try(c);
    k->try_number = c->m.try_number = number;
    while (count-- != 0) {
        struct catch_clause clause = body_catch_clause(&c->body);
        struct control *target = control_label(c, clause.label + 1);
        bool named = clause.kind == CATCH_TAG || clause.kind == CATCH_TAG_REF;
        struct handler h = {.reference = clause.kind == CATCH_TAG_REF || clause.kind == CATCH_ALL_REF};

        h.catch_number = last = add_catch(c, number, last, named ? clause.tag : CODE_CATCH_ALL);
        if (target->kind == CONTROL_LOOP) { /* its label is not at its end */
            h.depth = clause.label + 1;
            target = k;
        }
        add_handler(c, target, h);
    }
}

/* --- the legacy form ---------------------------------------------------------------------------------------------- */
void compile_try(struct compiler *c)
{
    struct block_type type = body_block_type(&c->body);
    struct control *k;

    control_flush_below(c, type, false);
    k = control_open(c, CONTROL_TRY, type);
    k->own_try = k->try_number = c->m.try_number = open_try(c);
    k->last_catch = 0;
}

void compile_catch(struct compiler *c, uint32_t tag)
{
    struct control *k = control_innermost(c);

    if (!c->unreachable)
        control_br(c, 0);
    k->kind = CONTROL_CATCH;
    k->try_number = c->m.try_number = c->m.out->tries.data[k->own_try - 1].outer;
    k->last_catch = add_catch(c, k->own_try, k->last_catch, tag);
    enter_handler(c, k->last_catch, true, false);
}

/* An empty try, whose exceptions go to the label's. */
void compile_delegate(struct compiler *c, uint32_t depth)
{
    c->m.out->tries.data[control_innermost(c)->own_try - 1].outer = control_label(c, depth + 1)->try_number;
    control_end(c);
}

void compile_rethrow(struct compiler *c, uint32_t depth)
{
    const struct value *kept = &c->stack[control_label(c, depth)->height];
    reg exception = vstack_alloc(c, false);

    assert(kept->kind == VALUE_SLOT);
    masm_load(&c->m, VT_REF_NULL, exception, vstack_slot(c, kept));
    vstack_push_reg(c, VT_REF_NULL, exception);
    compile_throw_ref(c);
}

void try_end_function(struct compiler *c, size_t first, uint32_t frame_bytes)
{
    for (size_t i = first; i < c->m.out->tries.len; i++)
        c->m.out->tries.data[i].frame_bytes = frame_bytes;
}
