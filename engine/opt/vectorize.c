/* Loops over arrays, several elements at a time.
 *
 * In front of an innermost loop whose rounds store to places that follow one another, a second one is put that does
 * the same with vectors of 16 bytes, as far as conditions hold that are looked at once: the rounds are enough, everything is in
 * bounds (so that no vector traps where an element would not, or too early), and no vector holds an element that another one's
 * store would have changed. It leaves a round at least to the loop as it was, which so gives all values that are used
 * behind it (unless there are none); without the conditions that does everything. Each lane is computed by the same operations in the same order
 * as its element: results are equal to the bit. Shared memories are left alone: others could see the stores of a vector at once. */
#include "engine/opt/vectorize.h"
#include "engine/opt/pass.h"
#include <assert.h>

enum {
    ROUNDS_MIN = 2,     /* of the new loop, or it is not worth its conditions */
    GROWTH_MAX = 160,   /* vector instructions of a loop */
    VECTORS_WANTED = 2, /* of each lanes in a round: with fewer the loop's own work weighs */
};

/* --- may it be? ----------------------------------------------------------------------------------------------------- */
static bool memory_fits(const struct ir_func *f)
{
    return f->module->memory_count != 0 && !f->module->memories[0].limits.shared;
}

static bool find_body(struct vectorizer *v)
{
    for (uint32_t k = 0; k < v->loop.block_count; k++) {
        const struct ir_block *b = ir_block(v->f, v->loop.blocks[k]);
        for (ir_value i = b->first; i != b->last; i = ir_inst(v->f, i)->next) {
            if (ir_inst(v->f, i)->op == IR_PHI)
                continue;
            if (v->body_count == VECTOR_BODY_MAX)
                return false;
            v->body[v->body_count++] = i;
        }
    }
    return true;
}

static bool strides_fit(const struct vectorizer *v)
{
    int64_t step = v->loop.step < 0 ? -v->loop.step : v->loop.step;

    for (uint32_t r = 0; r < v->root_count; r++)
        if (v->roots[r].place.stride != 0 && v->roots[r].place.stride != v->stride)
            return false;
    return v->stride % step == 0;
}

static bool find_lanes(struct vectorizer *v)
{
    for (uint32_t s = 0; s < v->store_count; s++) {
        ir_value members[VECTOR_COPIES_MAX];
        for (uint32_t n = 0; n < v->copies; n++) {
            const struct ir_inst *store = ir_inst(v->f, v->accesses[v->stores[s].access[n]].inst);
            if (store->op != ir_inst(v->f, v->accesses[v->stores[s].access[0]].inst)->op)
                return false;
            members[n] = store->arg[2];
        }
        if (!lanes_find(v, members, &v->stores[s].value))
            return false;
    }
    return true;
}

static struct lanes *previous_of(struct vectorizer *v, ir_value phi)
{
    for (uint32_t n = 0; n < v->lanes_count; n++)
        if (v->lanes[n].kind == LANES_PREVIOUS && v->lanes[n].member[0] == phi)
            return &v->lanes[n];
    return NULL;
}

static ir_value next_phi(const struct ir_func *f, ir_value v)
{
    while (v != IR_NONE && ir_inst(f, v)->op != IR_PHI)
        v = ir_inst(f, v)->op == IR_CONST ? ir_inst(f, v)->next : IR_NONE;
    return v;
}

/* What each phi of the loop as it was begins with behind the new loop can be told. */
static bool phis_fit(struct vectorizer *v)
{
    ir_value phi = next_phi(v->f, ir_block(v->f, v->loop.head)->first);
    int64_t step;

    for (; phi != IR_NONE; phi = next_phi(v->f, ir_inst(v->f, phi)->next))
        if (!loop_is_induction(v->f, &v->loop, phi, &step) && previous_of(v, phi) == NULL)
            return false;
    return true;
}

/* The loop is left at the end of a round, to where a second way may lead. */
static bool decides_last(const struct vectorizer *v)
{
    const struct ir_block *exit = ir_block(v->f, v->loop.exit);
    uint32_t branch = exit->preds[0], k = v->loop.block_count;

    if (ir_inst(v->f, exit->first)->op == IR_PHI)
        return false;
    while (v->loop.blocks[--k] != branch)
        if (ir_block(v->f, v->loop.blocks[k])->first != ir_block(v->f, v->loop.blocks[k])->last)
            return false;
    return true;
}

static bool uses_loop(const struct vectorizer *v, ir_value user)
{
    struct ir_inst *i = ir_inst(v->f, user);
    const ir_value *args = ir_args(i);

    for (uint32_t k = 0; k < i->arg_count; k++)
        if (args[k] != IR_NONE && loop_changes(v->f, &v->loop, args[k]))
            return true;
    return false;
}

/* Nothing that the loop makes is used behind it. */
static bool leaves_nothing(const struct vectorizer *v)
{
    const struct ir_func *f = v->f;

    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        if (b->loop == v->loop.number)
            continue;
        for (ir_value i = b->first; i != IR_NONE; i = ir_inst(f, i)->next)
            if (uses_loop(v, i))
                return false;
    }
    return true;
}

static void choose_rounds(struct vectorizer *v)
{
    v->rounds = 1;
    while (v->copies * v->rounds % v->lane_count != 0)
        v->rounds *= 2;
    v->vectors = v->copies * v->rounds / v->lane_count;
    while (v->vectors < VECTORS_WANTED) {
        v->rounds *= 2;
        v->vectors *= 2;
    }
}

static bool is_possible(struct vectorizer *v)
{
    if (!find_body(v) || !vector_find_accesses(v) || !vector_find_stores(v) || !strides_fit(v) || !find_lanes(v))
        return false;
    pass_dead(v->f); /* phis that nobody uses would have to be told what they begin with */
    if (!phis_fit(v))
        return false;
    choose_rounds(v);
    return vector_order_is_possible(v) && v->vectors * (v->lanes_count + v->store_count) <= GROWTH_MAX;
}

/* --- how often ------------------------------------------------------------------------------------------------------ */
static ir_value emit(struct vectorizer *v, unsigned op, uint8_t type, ir_value x, ir_value y)
{
    return vector_emit(v, v->loop.preheader, op, type, x, y, 0);
}

static ir_value const_i64(struct vectorizer *v, int64_t value)
{
    return ir_const(v->f, VT_I64, (uint64_t)value);
}

/* How far the tested value has to go, as an i64: the loop goes on after round n at least if n steps are less than that. */
static ir_value make_distance(struct vectorizer *v)
{
    ir_value from = loop_first_value(v->f, &v->loop, v->loop.tested), to = v->loop.limit, distance;

    if (v->loop.step < 0) {
        to = from;
        from = v->loop.limit;
    }
    distance = emit(v, v->loop.wide ? OP_I64_SUB : OP_I32_SUB, v->loop.wide ? VT_I64 : VT_I32, to, from);
    if (!v->loop.wide)
        return emit(v, OP_I64_EXTEND_I32_U, VT_I64, distance, IR_NONE);
    v->fits = emit(v, OP_I64_LE_U, VT_I32, distance, const_i64(v, UINT32_MAX)); /* what follows does not overflow */
    return distance;
}

static void demand(struct vectorizer *v, ir_value condition)
{
    v->fits = v->fits == IR_NONE ? condition : emit(v, OP_I32_AND, VT_I32, v->fits, condition);
}

/* False: it is known already that there are too few rounds. */
static bool make_span(struct vectorizer *v)
{
    int64_t step = v->loop.step < 0 ? -v->loop.step : v->loop.step;
    ir_value distance = make_distance(v), enough;

    v->span = emit(v, OP_I64_MUL, VT_I64, distance, const_i64(v, v->stride / step));
    if (v->ends) /* the first round runs without a test */
        v->span = emit(v, OP_I64_ADD, VT_I64, v->span, const_i64(v, v->stride));
    enough = emit(v, OP_I64_GT_U, VT_I32, v->span, const_i64(v, (ROUNDS_MIN * (int64_t)v->rounds - 1) * v->stride));
    if (ir_is_const(v->f, enough) && ir_inst(v->f, enough)->imm == 0)
        return false;
    demand(v, enough);
    if (v->loop.cond != COND_NE) { /* the distance is one at all */
        ir_value first = loop_first_value(v->f, &v->loop, v->loop.test);
        demand(v, v->loop.negated ? emit(v, OP_I32_EQZ, VT_I32, first, IR_NONE) : first);
    }
    return true;
}

/* --- the new loop --------------------------------------------------------------------------------------------------- */
struct new_blocks {
    uint32_t ahead, head, again, behind; /* in this order, behind the old preheader */
    uint32_t done, rest;                 /* behind `behind`, if that may be the end; else it is the rest itself */
    uint32_t instead;                    /* behind the old preheader */
};

static void insert_in_order(struct ir_func *f, const uint32_t *blocks, uint32_t count, uint32_t at)
{
    vec_reserve(&f->order, count);
    memmove(f->order.data + at + count, f->order.data + at, (f->order.len - at) * sizeof *f->order.data);
    memcpy(f->order.data + at, blocks, count * sizeof *blocks);
    f->order.len += count;
    for (size_t n = at; n < f->order.len; n++)
        ir_block(f, f->order.data[n])->order = (uint32_t)n;
    for (size_t l = 1; l < f->loops.len; l++) {
        f->loops.data[l].first += f->loops.data[l].first >= at ? count : 0;
        f->loops.data[l].end += f->loops.data[l].end > at ? count : 0;
    }
}

static struct new_blocks make_blocks(struct vectorizer *v)
{
    struct ir_func *f = v->f;
    struct ir_loop loop = f->loops.data[v->loop.number];
    uint32_t at = loop.first, count = v->ends ? 7 : 5;
    struct new_blocks b;
    uint32_t blocks[7];

    for (uint32_t n = 0; n < count; n++) {
        blocks[n] = ir_new_block(f);
        ir_block(f, blocks[n])->loop = loop.parent;
    }
    b = (struct new_blocks){blocks[0], blocks[1],         blocks[2],        blocks[3],
                            blocks[4], blocks[count - 2], blocks[count - 1]};
    insert_in_order(f, blocks, count, at);
    vec_push(&f->loops, (struct ir_loop){b.head, loop.parent, loop.depth, at + 1, at + 3});
    ir_block(f, b.head)->loop = ir_block(f, b.again)->loop = (uint32_t)f->loops.len - 1;
    return b;
}

static void end_block(struct vectorizer *v, uint32_t b, unsigned op, ir_value condition)
{
    ir_append(v->f, b, op, VT_BOTTOM, &condition, condition != IR_NONE, 0);
}

static void make_edges(struct vectorizer *v, const struct new_blocks *b)
{
    struct ir_func *f = v->f;
    struct ir_block *preheader = ir_block(f, v->loop.preheader), *head = ir_block(f, v->loop.head);

    ir_unlink(f, preheader->last);
    end_block(v, v->loop.preheader, IR_BRANCH, v->fits);
    preheader->succ_count = 0;
    ir_add_edge(f, v->loop.preheader, b->ahead);
    ir_add_edge(f, v->loop.preheader, b->instead);
    end_block(v, b->instead, IR_JUMP, IR_NONE);
    ir_add_edge(f, b->instead, v->loop.head);
    head->preds[v->loop.entry] = head->preds[--head->pred_count]; /* in the preheader's place */
    ir_add_edge(f, b->ahead, b->head);
    ir_add_edge(f, b->head, b->again);
    ir_add_edge(f, b->head, b->behind);
    ir_add_edge(f, b->again, b->head);
    ir_add_edge(f, b->rest, v->loop.head);
}

static ir_value new_phi(struct vectorizer *v, uint32_t b, uint8_t type, ir_value first)
{
    return ir_append(v->f, b, IR_PHI, type, &first, 1, 0);
}

/* FIRST, and STEP more for each round of the old loop that OFFSET bytes stand for. */
static ir_value advance(struct vectorizer *v, uint32_t b, ir_value first, ir_value offset, int64_t step)
{
    bool wide = ir_inst(v->f, first)->type == VT_I64;
    uint8_t type = wide ? VT_I64 : VT_I32;

    if (step % v->stride == 0)
        step /= v->stride;
    else
        offset = vector_emit(v, b, OP_I64_DIV_U, VT_I64, offset, const_i64(v, v->stride), 0);
    if (!wide)
        offset = vector_emit(v, b, OP_I32_WRAP_I64, VT_I32, offset, IR_NONE, 0);
    offset = vector_emit(v, b, wide ? OP_I64_MUL : OP_I32_MUL, type, offset, ir_const(v->f, type, (uint64_t)step), 0);
    return vector_emit(v, b, wide ? OP_I64_ADD : OP_I32_ADD, type, first, offset, 0);
}

static unsigned extract_of(uint8_t type)
{
    return type == VT_I32   ? OP_I32X4_EXTRACT_LANE
           : type == VT_I64 ? OP_I64X2_EXTRACT_LANE
           : type == VT_F32 ? OP_F32X4_EXTRACT_LANE
                            : OP_F64X2_EXTRACT_LANE;
}

/* The last vector that a round of the new loop makes of the lanes NUMBER. */
static ir_value last_vector(const struct vectorizer *v, uint32_t number)
{
    const struct lanes *l = &v->lanes[number];
    return l->made[l->kind == LANES_SPLAT ? 0 : v->vectors - 1];
}

/* The element that the old loop's phi holds when the new one is done: the last lane. */
static ir_value last_element(struct vectorizer *v, uint32_t b, const struct lanes *previous)
{
    uint8_t type = previous->type;
    ir_value made, vector = last_vector(v, previous->arg[0]);

    if (type == VT_V128)
        return vector;
    made = vector_emit(v, b, extract_of(type), type, vector, IR_NONE, 0);
    ir_inst(v->f, made)->lane = (uint8_t)(v->lane_count - 1);
    return made;
}

/* The old loop begins where the new one, having come as far as OFFSET, ends. */
static void continue_old_loop(struct vectorizer *v, uint32_t behind, ir_value offset)
{
    ir_value phi = next_phi(v->f, ir_block(v->f, v->loop.head)->first);
    int64_t step;

    for (; phi != IR_NONE; phi = next_phi(v->f, ir_inst(v->f, phi)->next)) {
        ir_value first = ir_inst(v->f, phi)->args[v->loop.entry];
        if (loop_is_induction(v->f, &v->loop, phi, &step))
            ir_push_arg(v->f, phi, advance(v, behind, first, offset, step));
        else
            ir_push_arg(v->f, phi, last_element(v, behind, previous_of(v, phi)));
    }
}

/* The way from the old loop to where it leads gets a block of its own, for there is another way there now. */
static void split_exit(struct vectorizer *v)
{
    struct ir_func *f = v->f;
    uint32_t between = ir_new_block(f);
    struct ir_block *exit = ir_block(f, v->loop.exit), *branch = ir_block(f, exit->preds[0]);

    insert_in_order(f, &between, 1, exit->order);
    ir_block(f, between)->loop = exit->loop;
    ir_add_edge(f, exit->preds[0], between); /* puts it last: into the place of the exit then */
    branch->succs[branch->succs[0] == v->loop.exit ? 0 : 1] = between;
    branch->succ_count = 2;
    end_block(v, between, IR_JUMP, IR_NONE);
    exit->pred_count = 0;
    ir_add_edge(f, between, v->loop.exit);
}

/* Behind the last round of the new loop, which has come as far as OFFSET: the old loop's test of that round. */
static ir_value make_test(struct vectorizer *v, uint32_t b, ir_value offset)
{
    const struct ir_inst *test = ir_inst(v->f, v->loop.test);
    ir_value tested = advance(v, b, v->before, offset, v->loop.step);
    unsigned op = test->op;

    if (v->loop.test == v->loop.tested)
        return tested;
    if (op == OP_I64_EQZ)
        return vector_emit(v, b, op, VT_I32, tested, IR_NONE, 0);
    if (test->arg[0] == v->loop.tested)
        return vector_emit(v, b, op, VT_I32, tested, v->loop.limit, 0);
    return vector_emit(v, b, op, VT_I32, v->loop.limit, tested, 0);
}

static void make_end(struct vectorizer *v, const struct new_blocks *b, ir_value offset)
{
    ir_value goes_on = make_test(v, b->behind, offset);

    end_block(v, b->behind, IR_BRANCH, goes_on);
    ir_add_edge(v->f, b->behind, v->loop.negated ? b->done : b->rest);
    ir_add_edge(v->f, b->behind, v->loop.negated ? b->rest : b->done);
    split_exit(v);
    end_block(v, b->done, IR_JUMP, IR_NONE);
    ir_add_edge(v->f, b->done, v->loop.exit);
}

static void carry_lanes(struct vectorizer *v, uint32_t head)
{
    for (uint32_t n = 0; n < v->lanes_count; n++)
        if (v->lanes[n].kind == LANES_PREVIOUS)
            v->lanes[n].carried = new_phi(v, head, VT_V128, v->lanes[n].carried);
}

static void close_lanes(struct vectorizer *v)
{
    for (uint32_t n = 0; n < v->lanes_count; n++)
        if (v->lanes[n].kind == LANES_PREVIOUS)
            ir_push_arg(v->f, v->lanes[n].carried, last_vector(v, v->lanes[n].arg[0]));
}

static void make_loop(struct vectorizer *v)
{
    struct new_blocks b = make_blocks(v);
    int64_t round = v->rounds * v->stride;
    ir_value offset, next, end, again;

    make_edges(v, &b);
    vector_make_splats(v, b.ahead);
    end = vector_emit(v, b.ahead, OP_I64_ADD, VT_I64, v->span, const_i64(v, v->stride - round), 0);
    end_block(v, b.ahead, IR_JUMP, IR_NONE);
    offset = new_phi(v, b.head, VT_I64, const_i64(v, 0));
    carry_lanes(v, b.head);
    vector_make_body(v, b.head, offset);
    close_lanes(v);
    next = vector_emit(v, b.head, OP_I64_ADD, VT_I64, offset, const_i64(v, round), 0);
    ir_push_arg(v->f, offset, next);
    again = vector_emit(v, b.head, OP_I64_LT_U, VT_I32, next, end, 0);
    end_block(v, b.head, IR_BRANCH, again);
    end_block(v, b.again, IR_JUMP, IR_NONE);
    continue_old_loop(v, b.behind, next);
    if (v->ends)
        make_end(v, &b, next);
    end_block(v, b.rest, IR_JUMP, IR_NONE);
}

/* --- the pass ------------------------------------------------------------------------------------------------------- */
static bool vectorize_loop(struct vectorizer *v, struct ir_func *f, uint32_t loop)
{
    memset(v, 0, sizeof *v);
    v->f = f;
    if (!loop_analyze(f, loop, &v->loop) || !is_possible(v))
        return false;
    v->ends = decides_last(v) && leaves_nothing(v);
    v->origin = ir_inst(f, v->body[0])->origin;
    if (!make_span(v))
        return false;
    vector_make_conditions(v);
    if (v->ends) {
        uint8_t type = v->loop.wide ? VT_I64 : VT_I32;
        v->before = emit(v, v->loop.wide ? OP_I64_SUB : OP_I32_SUB, type, loop_first_value(f, &v->loop, v->loop.tested),
                         ir_const(f, type, (uint64_t)v->loop.step));
    }
    make_loop(v);
    return true;
}

/* Few blocks that store whole elements, call nothing and do not trap otherwise: what is worth a closer look. */
static bool is_candidate(const struct ir_func *f, uint32_t number)
{
    const struct ir_loop *loop = &f->loops.data[number];
    bool stores = false;

    if (ir_block(f, loop->head)->pred_count != 2 || loop->end - loop->first > 2 * LOOP_BLOCKS_MAX)
        return false;
    for (uint32_t n = loop->first; n < loop->end; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        if (b->loop != number)
            continue;
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            unsigned op = ir_inst(f, v)->op;
            if (vector_is_access(op))
                stores |= ir_is_store(op);
            else if (op != IR_PHI && (ir_effects(op) & (IR_WRITES | IR_TRAPS | IR_PINNED)) != 0)
                return false;
        }
    }
    return stores;
}

static bool *find_outer_loops(struct ir_func *f)
{
    bool *outer = arena_array(&f->scratch, bool, f->loops.len);

    for (size_t l = 1; l < f->loops.len; l++)
        if (ir_block(f, f->loops.data[l].head)->pred_count > 1)
            outer[f->loops.data[l].parent] = true;
    return outer;
}

void pass_vectorize(struct ir_func *f)
{
    size_t count = f->loops.len; /* as many again may be made */
    struct vectorizer *v = NULL;
    bool *outer, changed = false;

    if (count == 1 || !memory_fits(f))
        return;
    outer = find_outer_loops(f);
    for (uint32_t l = 1; l < count; l++) {
        if (outer[l] || !is_candidate(f, l))
            continue;
        if (v == NULL)
            v = arena_array(&f->scratch, struct vectorizer, 1);
        changed |= vectorize_loop(v, f, l);
    }
    if (!changed)
        return;
    ir_compute_dominators(f);
    pass_gvn(f);
}
