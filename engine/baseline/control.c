/* Blocks, branches, returns and select. */
#include "engine/baseline/compiler.h"
#include <assert.h>

struct control *control_innermost(struct compiler *c)
{
    return vec_last(&c->controls);
}

void control_set_unreachable(struct compiler *c)
{
    vstack_truncate(c, control_innermost(c)->height);
    vstack_forget_registers(c);
    c->unreachable = true;
}

static void set_reachable(struct compiler *c)
{
    c->unreachable = false;
}

/* --- opening a block ---------------------------------------------------------------------------------------------- */
struct control *control_open(struct compiler *c, enum control_kind kind, struct block_type type)
{
    struct control *k;

    vec_reserve(&c->controls, 1);
    k = &c->controls.data[c->controls.len++];
    k->kind = (uint8_t)kind;
    k->reached = false;
    k->result = REG_NONE;
    k->param_count = k->result_count = 0;
    k->params = k->results = NULL;
    if (type.type_index != MODULE_NONE) {
        const struct type_def *t = &c->module->types[type.type_index];
        k->param_count = t->param_count;
        k->params = t->params;
        k->result_count = t->result_count;
        k->results = t->results;
    } else if (type.result != VT_BOTTOM) {
        k->single = type.result;
        k->result_count = 1;
    }
    k->height = c->height - k->param_count;
    k->homes = (uint32_t)c->homes.len - 1;
    k->label = k->otherwise = k->stub = (struct masm_label){0};
    k->table_stamp = 0;
    k->try_number = c->m.try_number;
    k->handlers = 0;
    return k;
}

static uint32_t param_count(const struct compiler *c, struct block_type type)
{
    return type.type_index == MODULE_NONE ? 0 : c->module->types[type.type_index].param_count;
}

void control_flush_below(struct compiler *c, struct block_type type, bool params)
{
    uint32_t first = c->height - param_count(c, type), from = control_innermost(c)->height;

    if (c->zeros)
        vstack_settle_zeros(c);
    vstack_flush(c, from, first, false);
    if (params)
        vstack_flush(c, first, c->height, true);
}

void control_block(struct compiler *c)
{
    struct block_type type = body_block_type(&c->body);

    control_flush_below(c, type, false);
    control_open(c, CONTROL_BLOCK, type);
}

/* The head's state: every home holds its local; dirty if the loop writes it, so that the way round need not store
 * it. */
static void loop_state(struct compiler *c, const struct loop_info *loop, struct regfile *state)
{
    const struct homes *homes = vec_last(&c->homes);

    state->locals = homes->set;
    state->upper = 0;
    state->dirty = homes->set & c->regs.dirty;
    memcpy(state->local_of, homes->local_of, sizeof state->local_of);
    for (uint32_t i = 0; i < loop->count; i++) {
        const struct loop_local *l = &c->loops->locals.data[loop->first + i];
        reg home = c->locals[l->local].home;
        if (home == REG_NONE)
            continue;
        if (l->written)
            state->dirty |= regset_of(home);
        else
            state->dirty &= ~regset_of(home);
    }
}

void control_loop(struct compiler *c)
{
    struct block_type type = body_block_type(&c->body);
    const struct loop_info *loop;
    struct control *k;
    struct edge edge;

    control_flush_below(c, type, true);
    loop = &c->loops->loops.data[c->next_loop++];
    homes_enter_loop(c, loop);
    k = control_open(c, CONTROL_LOOP, type);
    k->reached = true;
    loop_state(c, loop, &k->state);
    merge_plan(c, k, &edge);
    edge.results = false; /* the parameters are in their slots */
    merge_emit(c, k, &edge);
    masm_bind(&c->m, &k->label);
    vstack_set_regfile(c, &k->state);
}

/* Takes a condition off the stack: the flags that the instruction before left, or those of a test emitted by
 * control_test. */
struct condition {
    enum masm_cond cond;
    reg tested; /* or REG_NONE: the flags are set */
};

static struct condition pop_condition(struct compiler *c)
{
    struct condition condition = {COND_NE, REG_NONE};

    if (vstack_top(c)->kind == VALUE_FLAGS) {
        condition.cond = vstack_top(c)->cond;
        vstack_drop(c);
    } else {
        condition.tested = vstack_pop(c).reg;
    }
    return condition;
}

static void test_condition(struct compiler *c, const struct condition *condition)
{
    if (condition->tested != REG_NONE)
        masm_compare_zero(&c->m, false, condition->tested);
}

void control_if(struct compiler *c)
{
    struct block_type type = body_block_type(&c->body);
    struct condition condition = pop_condition(c);
    struct control *k;

    control_flush_below(c, type, true);
    test_condition(c, &condition);
    k = control_open(c, CONTROL_IF, type);
    masm_branch(&c->m, condition.cond ^ 1, &k->otherwise);
    regfile_copy(&k->entry, &c->regs);
}

/* --- edges -------------------------------------------------------------------------------------------------------- */
static void merge_into(struct compiler *c, struct control *k)
{
    struct edge edge;

    merge_plan(c, k, &edge);
    merge_emit(c, k, &edge);
}

static void arrive(struct compiler *c, struct control *k)
{
    masm_bind(&c->m, &k->label);
    merge_arrive(c, k);
    set_reachable(c);
}

/* Where the condition was false. */
static void enter_otherwise(struct compiler *c, struct control *k)
{
    masm_bind(&c->m, &k->otherwise);
    vstack_truncate(c, k->height);
    vstack_set_regfile(c, &k->entry);
    for (uint32_t i = 0; i < k->param_count; i++)
        vstack_push_slot(c, value_type(k->params[i]));
    set_reachable(c);
}

void control_else(struct compiler *c)
{
    struct control *k = control_innermost(c);

    assert(k->kind == CONTROL_IF);
    if (!c->unreachable) {
        merge_into(c, k);
        masm_jump(&c->m, &k->label);
    }
    enter_otherwise(c, k);
    k->kind = CONTROL_ELSE;
}

/* --- closing a block ---------------------------------------------------------------------------------------------- */
/* Without else: both ways meet here. When nothing else has settled the label, the state at the condition does, so
 * that the false way needs no code of its own. */
static void end_if(struct compiler *c, struct control *k)
{
    if (k->result_count == 0 && !k->reached) {
        regfile_copy(&k->state, &k->entry);
        k->reached = true;
        if (!c->unreachable)
            merge_into(c, k);
        masm_bind(&c->m, &k->otherwise);
        arrive(c, k);
        return;
    }
    if (!c->unreachable) {
        merge_into(c, k);
        masm_jump(&c->m, &k->label);
    }
    enter_otherwise(c, k);
    merge_into(c, k);
    arrive(c, k);
}

static void end_block(struct compiler *c, struct control *k)
{
    if (!c->unreachable && k->reached)
        merge_into(c, k);
    if (k->reached)
        arrive(c, k);
}

void control_end(struct compiler *c)
{
    struct control *k = control_innermost(c);

    if (k->handlers != 0)
        try_put_handlers(c);
    switch ((enum control_kind)k->kind) {
    case CONTROL_FUNCTION:
        if (!c->unreachable)
            control_return(c);
        break;
    case CONTROL_IF: end_if(c, k); break;
    case CONTROL_BLOCK:
    case CONTROL_TRY:
    case CONTROL_ELSE: end_block(c, k); break;
    case CONTROL_CATCH: /* the caught exception lies below the results */
        if (!c->unreachable)
            control_br(c, 0);
        end_block(c, k);
        break;
    case CONTROL_LOOP: homes_leave_loop(c); break;
    }
    c->controls.len--;
    if (c->controls.len == 0)
        return;
    c->m.try_number = control_innermost(c)->try_number;
    if (c->unreachable)
        vstack_truncate(c, control_innermost(c)->height);
}

/* --- branches ----------------------------------------------------------------------------------------------------- */
struct control *control_label(struct compiler *c, uint32_t depth)
{
    assert(depth < c->controls.len);
    return &c->controls.data[c->controls.len - 1 - depth];
}

static void emit_return(struct compiler *c)
{
    const struct type_def *t = c->type;

    merge_place(c, t->results, t->result_count, target_native.int_results, target_native.vector_args,
                masm_at(target_native.frame, (int32_t)(16 + c->m.pop_bytes)));
    masm_return(&c->m);
}

void control_return(struct compiler *c)
{
    emit_return(c);
    control_set_unreachable(c);
}

static void go_to(struct compiler *c, struct control *k)
{
    if (k->kind == CONTROL_FUNCTION) {
        emit_return(c);
    } else {
        merge_into(c, k);
        masm_jump(&c->m, &k->label);
    }
}

void control_go_to(struct compiler *c, uint32_t depth)
{
    go_to(c, control_label(c, depth));
}

void control_br(struct compiler *c, uint32_t depth)
{
    control_go_to(c, depth);
    control_set_unreachable(c);
}

static void branch_if(struct compiler *c, enum masm_cond cond, struct control *k)
{
    struct masm_label skip = {0};
    struct edge edge;

    if (k->kind == CONTROL_FUNCTION) {
        masm_branch(&c->m, cond ^ 1, &skip);
        emit_return(c);
        masm_bind(&c->m, &skip);
        return;
    }
    merge_plan(c, k, &edge);
    if (edge.empty) {
        masm_branch(&c->m, cond, &k->label);
        return;
    }
    masm_branch(&c->m, cond ^ 1, &skip);
    merge_emit(c, k, &edge);
    masm_jump(&c->m, &k->label);
    masm_bind(&c->m, &skip);
}

void control_br_if(struct compiler *c, uint32_t depth)
{
    struct condition condition = pop_condition(c);

    test_condition(c, &condition);
    branch_if(c, condition.cond, control_label(c, depth));
}

void control_push_again(struct compiler *c, const struct value *v, struct operand o)
{
    if (v->kind == VALUE_LOCAL)
        vstack_push_local(c, v->local);
    else
        vstack_push_reg(c, v->type, o.reg);
}

void control_br_on_null(struct compiler *c, uint32_t depth)
{
    struct value v = *vstack_top(c);
    struct operand o = vstack_pop(c);

    masm_compare_const(&c->m, false, o.reg, 0);
    branch_if(c, COND_EQ, control_label(c, depth));
    control_push_again(c, &v, o);
}

void control_br_on_non_null(struct compiler *c, uint32_t depth)
{
    struct value v = *vstack_top(c);
    struct operand o = vstack_pop(c);

    masm_compare_const(&c->m, false, o.reg, 0);
    control_push_again(c, &v, o);
    branch_if(c, COND_NE, control_label(c, depth));
    vstack_drop(c);
}

/* The label of a br_table's target, or of a stub in front of it when something must be moved on the way. */
static struct masm_label *table_target(struct compiler *c, uint32_t depth)
{
    struct control *k = control_label(c, depth);
    struct edge edge;

    if (k->table_stamp == c->table_stamps)
        return &k->stub;
    if (k->kind != CONTROL_FUNCTION) {
        merge_plan(c, k, &edge);
        if (edge.empty)
            return &k->label;
    }
    k->table_stamp = c->table_stamps;
    k->stub = (struct masm_label){0};
    return &k->stub;
}

static void emit_table_stubs(struct compiler *c)
{
    for (size_t i = c->controls.len; i != 0; i--) {
        struct control *k = &c->controls.data[i - 1];
        if (k->table_stamp != c->table_stamps)
            continue;
        masm_bind(&c->m, &k->stub);
        go_to(c, k);
    }
}

/* A register that holds the operand and nothing else. */
static reg own(struct compiler *c, struct operand o)
{
    reg r;

    if (o.owned)
        return o.reg;
    r = vstack_alloc(c, false);
    masm_move(&c->m, VT_I32, r, o.reg);
    return r;
}

void control_br_table(struct compiler *c)
{
    reg index = own(c, vstack_pop_extended(c));
    uint32_t count = read_u32(&c->body);

    c->table_stamps++;
    c->table_labels.len = 0;
    for (uint32_t i = 0; i <= count; i++)
        /* an array of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
        vec_push(&c->table_labels, table_target(c, read_u32(&c->body)));
    if (count != 0) {
        masm_compare_const(&c->m, false, index, count);
        masm_branch(&c->m, COND_GE_U, c->table_labels.data[count]);
        masm_jump_table(&c->m, index, c->table_labels.data, count);
    } else {
        masm_jump(&c->m, c->table_labels.data[0]);
    }
    emit_table_stubs(c);
    control_set_unreachable(c);
}

/* --- select ------------------------------------------------------------------------------------------------------- */
void control_select(struct compiler *c)
{
    struct condition condition = pop_condition(c);
    uint8_t type = vstack_top(c)->type;
    struct operand b = vstack_pop(c), a = vstack_pop(c);
    reg dst = vstack_destination(c, type, &a, &b);

    test_condition(c, &condition);
    masm_select(&c->m, type, condition.cond, dst, a.reg, b.reg);
    vstack_push_result(c, type, dst);
}

/* --- code that cannot be reached ---------------------------------------------------------------------------------- */
static bool opens_block(enum opcode op)
{
    return op == OP_BLOCK || op == OP_LOOP || op == OP_IF || op == OP_TRY_TABLE || op == OP_TRY;
}

static bool continues_block(enum opcode op)
{
    return op == OP_ELSE || op == OP_CATCH || op == OP_CATCH_ALL;
}

static bool closes_block(enum opcode op)
{
    return op == OP_END || op == OP_DELEGATE;
}

void control_skip(struct compiler *c)
{
    uint32_t depth = 0;

    for (;;) {
        const uint8_t *at = c->body.at;
        enum opcode op = read_opcode(&c->body);
        if (depth == 0 && (closes_block(op) || continues_block(op))) {
            c->body.at = at;
            return;
        }
        c->next_loop += op == OP_LOOP;
        depth += opens_block(op);
        depth -= closes_block(op);
        body_skip_immediate(&c->body, op);
    }
}
