/* Innermost loops whose number of rounds is known when they are compiled: several rounds at a time.
 *
 * The number is a multiple of the copies, so only the last of these asks whether the loop goes on. What grows by the same
 * amount each round is in a later copy a constant more than in the first, which addresses take for nothing; values that
 * only pass from one phi to the next (a hash's eight names) are moved no more within a round of the new loop. Where the
 * counter's range shows that a sum does not wrap, its constant goes into the displacement. */
#include "engine/opt/fold.h"
#include "engine/opt/loop.h"
#include "engine/opt/pass.h"

enum {
    ROUNDS_MAX = 4096, /* counted one by one */
    COPIES_MAX = 8,
    BODY_MAX = 64,    /* instructions of a round */
    GROWTH_MAX = 320, /* of the new loop's */
    PHIS_MAX = 16,
};

struct counted {
    bool known;
    struct linear sum;
};

struct unroller {
    struct ir_func *f;
    struct loop loop;
    uint32_t rounds, copies, body_count, phi_count;
    ir_value phi[PHIS_MAX], body[BODY_MAX];
    struct counted phi_sum[PHIS_MAX], body_sum[BODY_MAX];
    ir_value *now; /* by value of a loop: what it is in the copy at hand; in the end, in the last one */
};

/* --- may it be? --------------------------------------------------------------------------------------------------- */
/* All that a round does stands in the head, and could stand there twice. */
static bool find_body(struct unroller *u)
{
    const struct ir_func *f = u->f;
    const struct ir_block *head = ir_block(f, u->loop.head);

    for (uint32_t k = 1; k < u->loop.block_count; k++)
        if (ir_block(f, u->loop.blocks[k])->first != ir_block(f, u->loop.blocks[k])->last)
            return false;
    if (ir_inst(f, head->last)->op != IR_BRANCH)
        return false;
    for (ir_value v = head->first; v != head->last; v = ir_inst(f, v)->next) {
        const struct ir_inst *i = ir_inst(f, v);
        if (i->op == IR_PHI && u->phi_count < PHIS_MAX)
            u->phi[u->phi_count++] = v;
        else if (!ir_is_variadic(i->op) && (ir_effects(i->op) & IR_PINNED) == 0 && i->type != VT_V128 &&
                 u->body_count < BODY_MAX)
            u->body[u->body_count++] = v;
        else
            return false;
    }
    return true;
}

/* SUM, in round 0, as far as it is a constant and one phi that begins with one. The phi is then in *PHI. */
static bool is_known_first(const struct unroller *u, const struct linear *sum, ir_value *phi, uint64_t *first)
{
    ir_value begin;

    if (sum->count != 1 || !loop_changes(u->f, &u->loop, sum->term[0]))
        return false;
    *phi = sum->term[0];
    begin = ir_inst(u->f, *phi)->args[u->loop.entry];
    if (!ir_is_const(u->f, begin))
        return false;
    *first = ir_inst(u->f, begin)->imm;
    return true;
}

/* 0: it is not known, or large. */
static uint32_t count_rounds(const struct unroller *u)
{
    const struct loop *l = &u->loop;
    struct linear sum;
    uint64_t tested;
    ir_value phi;
    uint32_t n = 1;

    if (!ir_is_const(u->f, l->limit) || !linear_of(u->f, l, l->tested, &sum) || !is_known_first(u, &sum, &phi, &tested))
        return 0;
    tested = tested * sum.factor[0] + sum.constant;
    while (n <= ROUNDS_MAX && fold_holds(l->cond, l->wide, tested, ir_inst(u->f, l->limit)->imm)) {
        tested += (uint64_t)l->step;
        n++;
    }
    return n <= ROUNDS_MAX ? n : 0;
}

static uint32_t choose_copies(const struct unroller *u)
{
    uint32_t copies = COPIES_MAX;

    while (copies > 1 && (u->rounds % copies != 0 || u->rounds < copies * 2 || u->body_count * copies > GROWTH_MAX))
        copies /= 2;
    return copies;
}

/* --- the copies --------------------------------------------------------------------------------------------------- */
static struct counted count_value(const struct unroller *u, ir_value v)
{
    const struct ir_inst *i = ir_inst(u->f, v);
    struct counted c = {0};
    int64_t step;

    if (i->op == IR_PHI ? loop_is_induction(u->f, &u->loop, v, &step) : ir_effects(i->op) == IR_PURE)
        c.known = linear_of(u->f, &u->loop, v, &c.sum);
    return c;
}

static void count_values(struct unroller *u)
{
    for (uint32_t n = 0; n < u->phi_count; n++)
        u->phi_sum[n] = count_value(u, u->phi[n]);
    for (uint32_t n = 0; n < u->body_count; n++)
        u->body_sum[n] = count_value(u, u->body[n]);
}

static ir_value in_copy(const struct unroller *u, ir_value v)
{
    return v != IR_NONE && loop_changes(u->f, &u->loop, v) ? u->now[v] : v;
}

static ir_value append(struct unroller *u, ir_value like, unsigned op, const ir_value *args, uint32_t count)
{
    ir_value v = ir_append(u->f, 0, op, ir_inst(u->f, like)->type, args, count, ir_inst(u->f, like)->imm);

    ir_inst(u->f, v)->lane = ir_inst(u->f, like)->lane;
    ir_inst(u->f, v)->origin = ir_inst(u->f, like)->origin;
    ir_insert_last(u->f, u->loop.head, v);
    return v;
}

/* V, which grows by a known amount, COPY rounds later. */
static ir_value grown(struct unroller *u, ir_value v, const struct linear *sum, uint32_t copy)
{
    uint8_t type = ir_inst(u->f, v)->type;
    ir_value args[2] = {v}, made;

    if (sum->stride == 0)
        return v;
    args[1] = ir_const(u->f, type, (uint64_t)sum->stride * copy);
    made = append(u, v, type == VT_I32 ? OP_I32_ADD : OP_I64_ADD, args, 2);
    ir_inst(u->f, made)->imm = 0;
    return made;
}

/* An access at a sum of the counter and a constant, COPY rounds behind the new loop's first. */
static void fold_index(struct unroller *u, ir_value access, const struct linear *sum, uint32_t copy)
{
    struct ir_inst *i = ir_inst(u->f, access);
    int64_t first, last, constant = (int64_t)sum->constant + sum->stride * copy;
    uint64_t begin;
    ir_value phi;

    if (sum->factor[0] != 1 || !is_known_first(u, sum, &phi, &begin) || ir_inst(u->f, phi)->type != VT_I32)
        return;
    first = (int64_t)begin;
    last = first + sum->stride * (int64_t)(u->rounds - u->copies);
    if (last < 0 || last > UINT32_MAX || first + constant < 0 || last + constant < 0 || first + constant > UINT32_MAX ||
        last + constant > UINT32_MAX)
        return;
    if ((int64_t)i->imm + constant < 0 || (int64_t)i->imm + constant > INT32_MAX)
        return;
    i->arg[0] = phi;
    i->imm += (uint64_t)constant;
}

static const struct counted *counted_index(const struct unroller *u, ir_value access)
{
    const struct ir_inst *i = ir_inst(u->f, access);

    if ((!ir_is_load(i->op) && !ir_is_store(i->op)) || i->arg[0] == IR_NONE || i->arg[1] != IR_NONE)
        return NULL;
    for (uint32_t n = 0; n < u->body_count; n++)
        if (u->body[n] == i->arg[0])
            return u->body_sum[n].known ? &u->body_sum[n] : NULL;
    return NULL;
}

static void make_copy(struct unroller *u, uint32_t copy)
{
    ir_value next[PHIS_MAX];

    for (uint32_t n = 0; n < u->phi_count; n++)
        next[n] = u->phi_sum[n].known ? grown(u, u->phi[n], &u->phi_sum[n].sum, copy)
                                      : in_copy(u, ir_inst(u->f, u->phi[n])->args[u->loop.back]);
    for (uint32_t n = 0; n < u->phi_count; n++)
        u->now[u->phi[n]] = next[n];
    for (uint32_t n = 0; n < u->body_count; n++) {
        ir_value v = u->body[n], args[IR_FIXED_ARGS] = {IR_NONE};
        const struct counted *index = counted_index(u, v);
        if (u->body_sum[n].known) {
            u->now[v] = grown(u, v, &u->body_sum[n].sum, copy);
            continue;
        }
        for (uint32_t k = 0; k < ir_inst(u->f, v)->arg_count; k++)
            args[k] = in_copy(u, ir_inst(u->f, v)->arg[k]);
        u->now[v] = append(u, v, ir_inst(u->f, v)->op, args, ir_inst(u->f, v)->arg_count);
        if (index != NULL)
            fold_index(u, u->now[v], &index->sum, copy);
    }
}

static void unroll_loop(struct unroller *u)
{
    struct ir_func *f = u->f;
    ir_value back[PHIS_MAX];

    count_values(u);
    for (uint32_t n = 0; n < u->phi_count; n++)
        u->now[u->phi[n]] = u->phi[n];
    for (uint32_t n = 0; n < u->body_count; n++)
        u->now[u->body[n]] = u->body[n];
    for (uint32_t copy = 1; copy < u->copies; copy++)
        make_copy(u, copy);
    for (uint32_t n = 0; n < u->body_count; n++) {
        const struct counted *index = counted_index(u, u->body[n]);
        if (index != NULL)
            fold_index(u, u->body[n], &index->sum, 0);
    }
    for (uint32_t n = 0; n < u->phi_count; n++)
        back[n] = in_copy(u, ir_inst(f, u->phi[n])->args[u->loop.back]);
    for (uint32_t n = 0; n < u->phi_count; n++)
        ir_inst(f, u->phi[n])->args[u->loop.back] = back[n];
    ir_inst(f, ir_block(f, u->loop.head)->last)->arg[0] =
        in_copy(u, ir_inst(f, ir_block(f, u->loop.head)->last)->arg[0]);
}

/* --- the pass ----------------------------------------------------------------------------------------------------- */
static uint32_t loop_of(const struct ir_func *f, ir_value v)
{
    return ir_block(f, ir_inst(f, v)->block)->loop;
}

/* What is used behind an unrolled loop is what its last round has made. */
static void use_last_round(struct ir_func *f, const bool *unrolled, const ir_value *now, size_t value_count)
{
    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            struct ir_inst *i = ir_inst(f, v);
            ir_value *args = ir_args(i);
            for (uint32_t k = 0; k < i->arg_count; k++)
                if (args[k] != IR_NONE && args[k] < value_count && unrolled[loop_of(f, args[k])] &&
                    loop_of(f, args[k]) != b->loop)
                    args[k] = now[args[k]];
        }
    }
}

static bool try_unroll(struct unroller *u, uint32_t number)
{
    u->body_count = u->phi_count = 0;
    if (ir_block(u->f, u->f->loops.data[number].head)->pred_count != 2 ||
        u->f->loops.data[number].end - u->f->loops.data[number].first > LOOP_BLOCKS_MAX ||
        !loop_analyze(u->f, number, &u->loop) || !find_body(u))
        return false;
    u->rounds = count_rounds(u);
    u->copies = choose_copies(u);
    if (u->copies < 2)
        return false;
    unroll_loop(u);
    return true;
}

void pass_unroll(struct ir_func *f)
{
    size_t value_count = f->insts.len;
    struct unroller *u;
    bool *unrolled, any = false;

    if (f->loops.len == 1)
        return;
    u = arena_array(&f->scratch, struct unroller, 1);
    u->f = f;
    u->now = arena_array(&f->scratch, ir_value, value_count);
    unrolled = arena_array(&f->scratch, bool, f->loops.len);
    for (uint32_t l = 1; l < f->loops.len; l++)
        any |= unrolled[l] = try_unroll(u, l);
    if (!any)
        return;
    use_last_round(f, unrolled, u->now, value_count);
    pass_gvn(f);
}
