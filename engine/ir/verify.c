/* The IR's invariants (ir.h), checked after every pass in tests and whenever assertions are asked for, and of IR
 * that is read as text. A violation that a pass has left is its bug: it is named and the program aborts. */
#include "engine/ir/ir.h"
#include <errno.h>

struct verifier {
    const struct ir_func *f;
    struct err *err;
    uint32_t *position; /* of each value in its block */
};

/* What does not hold is said, and ends the function that asks with false. */
#define CHECK(v, holds, ...)                                                                                           \
    do {                                                                                                               \
        if (!(holds)) {                                                                                                \
            err_set((v)->err, EINVAL, __VA_ARGS__);                                                                    \
            return false;                                                                                              \
        }                                                                                                              \
    } while (0)

static bool is_there(const uint32_t *list, uint32_t count, uint32_t b)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == b)
            return true;
    return false;
}

static bool check_edges(const struct verifier *v, uint32_t number)
{
    struct ir_block *b = ir_block(v->f, number);

    for (uint32_t i = 0; i < b->succ_count; i++) {
        struct ir_block *to = ir_block(v->f, b->succs[i]);
        CHECK(v, is_there(to->preds, to->pred_count, number), "b%u is no predecessor of b%u", number, b->succs[i]);
        CHECK(v, b->succ_count == 1 || to->pred_count == 1, "the edge from b%u to b%u is critical", number,
              b->succs[i]);
    }
    for (uint32_t i = 0; i < b->pred_count; i++) {
        struct ir_block *from = ir_block(v->f, b->preds[i]);
        CHECK(v, is_there(from->succs, from->succ_count, number), "b%u is no successor of b%u", number, b->preds[i]);
        CHECK(v, from->order < v->f->order.len && v->f->order.data[from->order] == b->preds[i],
              "b%u, before b%u, cannot be reached", b->preds[i], number);
    }
    CHECK(v, b->loop == 0 || (b->order >= v->f->loops.data[b->loop].first && b->order < v->f->loops.data[b->loop].end),
          "b%u lies outside its loop", number);
    return true;
}

static bool check_operand(const struct verifier *v, ir_value user, ir_value arg, uint32_t at_end_of)
{
    const struct ir_inst *i = ir_inst(v->f, user), *a = ir_inst(v->f, arg);

    CHECK(v, a->block != 0 && a->op != IR_COPY, "v%u uses v%u, which is gone", user, arg);
    CHECK(v, a->type != VT_BOTTOM || i->op == IR_RESULT, "v%u uses v%u, which has no value", user, arg);
    if (at_end_of != 0)
        CHECK(v, ir_dominates(v->f, a->block, at_end_of), "v%u does not reach the phi v%u", arg, user);
    else if (a->block == i->block)
        CHECK(v, v->position[arg] < v->position[user], "v%u uses v%u before it is made", user, arg);
    else
        CHECK(v, ir_dominates(v->f, a->block, i->block), "v%u uses v%u, which does not dominate it", user, arg);
    return true;
}

static bool check_inst(const struct verifier *v, ir_value n, bool last, bool after_phis)
{
    struct ir_inst *i = ir_inst(v->f, n);
    const struct ir_block *b = ir_block(v->f, i->block);
    const ir_value *args = ir_args(i);

    CHECK(v, ((ir_effects(i->op) & IR_TERMINATOR) != 0) == last, "v%u: terminator in the wrong place", n);
    CHECK(v, i->origin.inlining <= v->f->inlinings.len, "v%u is part of an inlining that there is not", n);
    if (i->op == IR_PHI) {
        CHECK(v, !after_phis, "the phi v%u is not at the head of its block", n);
        CHECK(v, i->arg_count == b->pred_count, "the phi v%u has %u operands for %u predecessors", n, i->arg_count,
              b->pred_count);
    }
    for (uint32_t k = 0; k < i->arg_count; k++) {
        if (args[k] == IR_NONE) {
            CHECK(v, ir_is_load(i->op) || ir_is_store(i->op) || ir_is_atomic(i->op), "v%u lacks an operand", n);
            continue;
        }
        CHECK(v, i->op != IR_PHI || ir_inst(v->f, args[k])->type == i->type, "the phi v%u mixes types", n);
        if (!check_operand(v, n, args[k], i->op == IR_PHI ? b->preds[k] : 0))
            return false;
    }
    return true;
}

static bool check_block(const struct verifier *v, uint32_t number)
{
    const struct ir_block *b = ir_block(v->f, number);
    bool after_phis = false;
    uint32_t at = 0;

    CHECK(v, b->last != IR_NONE, "b%u is empty", number);
    for (ir_value n = b->first; n != IR_NONE; n = ir_inst(v->f, n)->next)
        v->position[n] = at++;
    for (ir_value n = b->first; n != IR_NONE; n = ir_inst(v->f, n)->next) {
        CHECK(v, ir_inst(v->f, n)->block == number, "v%u stands in b%u but does not know it", n, number);
        if (!check_inst(v, n, n == b->last, after_phis))
            return false;
        after_phis |= ir_inst(v->f, n)->op != IR_PHI && ir_inst(v->f, n)->op != IR_CONST;
    }
    return true;
}

int ir_check(struct ir_func *f, struct err *err)
{
    struct verifier v = {f, err, calloc(f->insts.len, sizeof(uint32_t))};
    bool holds = true;

    if (v.position == NULL)
        out_of_memory();
    ir_compute_dominators(f);
    for (size_t n = 0; n < f->order.len && holds; n++)
        holds = check_edges(&v, f->order.data[n]) && check_block(&v, f->order.data[n]);
    free(v.position);
    return holds ? 0 : -EINVAL;
}

void ir_verify(struct ir_func *f, const char *after)
{
    struct err err;

    if (ir_check(f, &err) == 0)
        return;
    fprintf(stderr, "IR of function %u is broken after %s: %s\n", f->index, after, err.text);
    ir_print(f, stderr);
    abort();
}
