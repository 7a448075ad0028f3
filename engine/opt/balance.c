/* Sums of three and more values are added in the order in which these are ready.
 *
 * What was written as ((h + choice) + mix) + k + w waits in front of each addition for the one before, though only the choice
 * and the mix come late: k + w + h, then they, is done earlier by two. Integers may be added in any order. Only where that
 * shortens the way by two or more, and not where a constant takes part: it belongs at the end, where an address takes it. */
#include "engine/opt/pass.h"

enum {
    LEAVES_MAX = 8,
    GAIN_MIN = 2,
    LOAD_CYCLES = 4,
    MULTIPLY_CYCLES = 3,
};

struct balancer {
    struct ir_func *f;
    size_t value_count;
    bool *inner;     /* by value: an addition that only another one wants */
    uint32_t *depth; /* by value: cycles from the block's beginning, were there machines enough */
};

struct leaves {
    ir_value value[LEAVES_MAX];
    uint32_t depth[LEAVES_MAX], count;
};

static bool is_addition(unsigned op)
{
    return op == OP_I32_ADD || op == OP_I64_ADD;
}

static bool is_inner(const struct balancer *b, ir_value v, const struct ir_inst *user)
{
    const struct ir_inst *i = ir_inst(b->f, v);
    return i->op == user->op && i->block == user->block && i->uses == 1;
}

static uint32_t depth_in(const struct balancer *b, ir_value v, uint32_t block)
{
    return v < b->value_count && ir_inst(b->f, v)->block == block ? b->depth[v] : 0;
}

static uint32_t cycles(unsigned op)
{
    return (ir_effects(op) & IR_READS) != 0 ? LOAD_CYCLES : op == OP_I32_MUL || op == OP_I64_MUL ? MULTIPLY_CYCLES : 1;
}

static uint32_t depth_of(const struct balancer *b, ir_value v)
{
    struct ir_inst *i = ir_inst(b->f, v);
    const ir_value *args = ir_args(i);
    uint32_t most = 0;

    if (i->op == IR_PHI || i->op == IR_CONST)
        return 0;
    for (uint32_t k = 0; k < i->arg_count; k++) {
        uint32_t depth = args[k] != IR_NONE ? depth_in(b, args[k], i->block) : 0;
        most = depth > most ? depth : most;
    }
    return most + cycles(i->op);
}

/* False: there are too many, or a constant. */
static bool find_leaves(const struct balancer *b, ir_value v, struct leaves *l)
{
    const struct ir_inst *i = ir_inst(b->f, v);

    for (uint32_t k = 0; k < 2; k++) {
        ir_value arg = i->arg[k];
        if (ir_is_const(b->f, arg))
            return false;
        if (is_inner(b, arg, i)) {
            if (!find_leaves(b, arg, l))
                return false;
            continue;
        }
        if (l->count == LEAVES_MAX)
            return false;
        l->value[l->count] = arg;
        l->depth[l->count++] = depth_in(b, arg, i->block);
    }
    return true;
}

/* The first ready leaf first; equal ones stay in order. */
static void sort_leaves(struct leaves *l)
{
    for (uint32_t n = 1; n < l->count; n++) {
        for (uint32_t k = n; k != 0 && l->depth[k] < l->depth[k - 1]; k--) {
            ir_value value = l->value[k];
            uint32_t depth = l->depth[k];
            l->value[k] = l->value[k - 1];
            l->depth[k] = l->depth[k - 1];
            l->value[k - 1] = value;
            l->depth[k - 1] = depth;
        }
    }
}

/* When the sum is ready that adds one leaf after the other. */
static uint32_t sum_depth(const struct leaves *l)
{
    uint32_t depth = l->depth[0];

    for (uint32_t n = 1; n < l->count; n++)
        depth = (l->depth[n] > depth ? l->depth[n] : depth) + 1;
    return depth;
}

static void rebuild(struct balancer *b, ir_value root, const struct leaves *l)
{
    ir_value sum = l->value[0];

    for (uint32_t n = 1; n + 1 < l->count; n++) {
        ir_value args[2] = {sum, l->value[n]};
        sum = ir_append(b->f, 0, ir_inst(b->f, root)->op, ir_inst(b->f, root)->type, args, 2, 0);
        ir_inst(b->f, sum)->origin = ir_inst(b->f, root)->origin;
        ir_insert_before(b->f, sum, root);
    }
    ir_inst(b->f, root)->arg[0] = sum;
    ir_inst(b->f, root)->arg[1] = l->value[l->count - 1];
}

static void visit(struct balancer *b, ir_value v)
{
    struct leaves l = {.count = 0};

    b->depth[v] = depth_of(b, v);
    if (!is_addition(ir_inst(b->f, v)->op) || b->inner[v] || !find_leaves(b, v, &l) || l.count < 3)
        return;
    sort_leaves(&l);
    if (sum_depth(&l) + GAIN_MIN > b->depth[v])
        return;
    b->depth[v] = sum_depth(&l);
    rebuild(b, v, &l);
}

void pass_balance(struct ir_func *f)
{
    struct balancer b = {.f = f, .value_count = f->insts.len};

    b.inner = arena_array(&f->scratch, bool, f->insts.len);
    b.depth = arena_array(&f->scratch, uint32_t, f->insts.len);
    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next)
            for (uint32_t k = 0; k < 2 && is_addition(ir_inst(f, v)->op); k++)
                b.inner[ir_inst(f, v)->arg[k]] |= is_inner(&b, ir_inst(f, v)->arg[k], ir_inst(f, v));
    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first, next; v != IR_NONE; v = next) {
            next = ir_inst(f, v)->next;
            visit(&b, v);
        }
}
