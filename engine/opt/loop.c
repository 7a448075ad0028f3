/* See loop.h. */
#include "engine/opt/loop.h"
#include "engine/gen/numeric.h"
#include "engine/opt/fold.h"
#include <assert.h>

bool loop_changes(const struct ir_func *f, const struct loop *l, ir_value v)
{
    return ir_block(f, ir_inst(f, v)->block)->loop == l->number;
}

static int64_t sign_extend(uint64_t value, uint8_t type)
{
    return type == VT_I32 ? (int32_t)value : (int64_t)value;
}

enum { ADDITIONS_MAX = 8 }; /* between a phi and what it becomes */

bool loop_is_induction(const struct ir_func *f, const struct loop *l, ir_value v, int64_t *step)
{
    const struct ir_inst *phi = ir_inst(f, v);
    uint64_t sum = 0;
    ir_value at;

    if (phi->op != IR_PHI || phi->block != l->head || (phi->type != VT_I32 && phi->type != VT_I64))
        return false;
    at = phi->args[l->back];
    for (unsigned n = 0; at != v; n++) {
        const struct ir_inst *i = ir_inst(f, at);
        if (n == ADDITIONS_MAX || (i->op != OP_I32_ADD && i->op != OP_I64_ADD) || !ir_is_const(f, i->arg[1]))
            return false;
        sum += ir_inst(f, i->arg[1])->imm;
        at = i->arg[0];
    }
    *step = sign_extend(sum, phi->type);
    return true;
}

ir_value loop_first_value(struct ir_func *f, const struct loop *l, ir_value v)
{
    const struct ir_inst *i = ir_inst(f, v);
    ir_value args[IR_FIXED_ARGS] = {IR_NONE}, made, equal;

    if (!loop_changes(f, l, v))
        return v;
    if (i->op == IR_PHI)
        return i->args[l->entry];
    assert(ir_effects(i->op) == IR_PURE && i->arg_count <= IR_FIXED_ARGS);
    for (uint32_t k = 0; k < ir_inst(f, v)->arg_count; k++)
        args[k] = loop_first_value(f, l, ir_inst(f, v)->arg[k]);
    i = ir_inst(f, v);
    made = ir_append(f, 0, i->op, i->type, args, i->arg_count, i->imm);
    ir_insert_last(f, l->preheader, made);
    equal = fold_instruction(f, made);
    if (equal == IR_NONE)
        return made;
    ir_unlink(f, made);
    return equal;
}

/* --- sums --------------------------------------------------------------------------------------------------------- */
enum { LINEAR_DEPTH_MAX = 8 };

static bool add_term(struct linear *sum, ir_value v, uint64_t factor)
{
    unsigned at = 0;

    while (at < sum->count && sum->term[at] < v)
        at++;
    if (at < sum->count && sum->term[at] == v) {
        sum->factor[at] += factor;
        return true;
    }
    if (sum->count == LINEAR_TERMS_MAX)
        return false;
    memmove(sum->term + at + 1, sum->term + at, (sum->count - at) * sizeof *sum->term);
    memmove(sum->factor + at + 1, sum->factor + at, (sum->count - at) * sizeof *sum->factor);
    sum->term[at] = v;
    sum->factor[at] = factor;
    sum->count++;
    return true;
}

static bool add_value(const struct ir_func *f, const struct loop *l, struct linear *sum, ir_value v, uint64_t factor,
                      unsigned depth)
{
    const struct ir_inst *i = ir_inst(f, v);
    bool by_constant = i->arg_count == 2 && i->op != IR_PHI && ir_is_const(f, i->arg[1]);
    int64_t step;

    if (i->op == IR_CONST) {
        sum->constant += factor * i->imm;
        return true;
    }
    if (depth < LINEAR_DEPTH_MAX) {
        switch (i->op) {
        case OP_I32_ADD:
        case OP_I64_ADD:
        case OP_I32_SUB:
        case OP_I64_SUB:
            return add_value(f, l, sum, i->arg[0], factor, depth + 1) &&
                   add_value(f, l, sum, i->arg[1], i->op == OP_I32_ADD || i->op == OP_I64_ADD ? factor : 0 - factor,
                             depth + 1);
        case OP_I32_MUL:
        case OP_I64_MUL:
            if (by_constant)
                return add_value(f, l, sum, i->arg[0], factor * ir_inst(f, i->arg[1])->imm, depth + 1);
            break;
        case OP_I32_SHL:
        case OP_I64_SHL:
            if (by_constant)
                return add_value(f, l, sum, i->arg[0],
                                 factor << (ir_inst(f, i->arg[1])->imm & (i->op == OP_I32_SHL ? 31 : 63)), depth + 1);
            break;
        case OP_I32_WRAP_I64: return add_value(f, l, sum, i->arg[0], factor, depth + 1);
        default: break;
        }
    }
    if (loop_changes(f, l, v) && !loop_is_induction(f, l, v, &step))
        return false;
    return add_term(sum, v, factor);
}

bool linear_of(const struct ir_func *f, const struct loop *l, ir_value v, struct linear *out)
{
    uint8_t type = ir_inst(f, v)->type;
    unsigned kept = 0;
    uint64_t stride = 0;
    int64_t step;

    memset(out, 0, sizeof *out);
    if ((type != VT_I32 && type != VT_I64) || !add_value(f, l, out, v, 1, 0))
        return false;
    for (unsigned k = 0; k < out->count; k++) {
        uint64_t factor = type == VT_I32 ? (uint32_t)out->factor[k] : out->factor[k];
        if (factor == 0)
            continue;
        if (loop_changes(f, l, out->term[k]) && loop_is_induction(f, l, out->term[k], &step))
            stride += factor * (uint64_t)step;
        out->term[kept] = out->term[k];
        out->factor[kept++] = factor;
    }
    out->count = kept;
    out->constant = (uint64_t)sign_extend(out->constant, type);
    out->stride = sign_extend(stride, type);
    return true;
}

bool linear_same_terms(const struct linear *a, const struct linear *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned k = 0; k < a->count; k++)
        if (a->term[k] != b->term[k] || a->factor[k] != b->factor[k])
            return false;
    return true;
}

/* --- the loop itself ---------------------------------------------------------------------------------------------- */
/* The block behind B in the loop; 0: B has two such, or leaves the loop on every way. */
static uint32_t next_in_loop(const struct ir_func *f, const struct loop *l, uint32_t b)
{
    const struct ir_block *block = ir_block(f, b);
    uint32_t next = 0;

    for (uint32_t k = 0; k < block->succ_count; k++) {
        if (ir_block(f, block->succs[k])->loop != l->number)
            continue;
        if (next != 0)
            return 0;
        next = block->succs[k];
    }
    return next;
}

static bool find_chain(const struct ir_func *f, struct loop *l, uint32_t *branch)
{
    uint32_t b = l->head;

    *branch = 0;
    do {
        unsigned op = ir_inst(f, ir_block(f, b)->last)->op;
        if (l->block_count == LOOP_BLOCKS_MAX || (op != IR_JUMP && op != IR_BRANCH) ||
            (op == IR_BRANCH && *branch != 0))
            return false;
        if (op == IR_BRANCH)
            *branch = b;
        l->blocks[l->block_count++] = b;
        b = next_in_loop(f, l, b);
    } while (b != 0 && b != l->head);
    return b != 0 && *branch != 0;
}

static bool find_preheader(const struct ir_func *f, struct loop *l)
{
    const struct ir_block *head = ir_block(f, l->head);

    if (head->pred_count != 2)
        return false;
    l->back = head->preds[1] == l->blocks[l->block_count - 1];
    l->entry = 1 - l->back;
    l->preheader = head->preds[l->entry];
    return ir_inst(f, ir_block(f, l->preheader)->last)->op == IR_JUMP;
}

/* A condition that grows towards its end: tested < limit and growing, tested > limit and shrinking. */
static bool counts_down_to_limit(const struct loop *l)
{
    switch (l->cond) {
    case COND_NE: return l->step != 0;
    case COND_LT_S:
    case COND_LT_U:
    case COND_LE_S:
    case COND_LE_U: return l->step > 0;
    case COND_GT_S:
    case COND_GT_U:
    case COND_GE_S:
    case COND_GE_U: return l->step < 0;
    default: return false;
    }
}

static bool set_test(const struct ir_func *f, struct loop *l, ir_value tested, ir_value limit, enum masm_cond cond)
{
    struct linear sum;

    if (loop_changes(f, l, limit) || !linear_of(f, l, tested, &sum))
        return false;
    l->tested = tested;
    l->limit = limit;
    l->step = sum.stride;
    l->cond = cond;
    return counts_down_to_limit(l);
}

static bool find_test(struct ir_func *f, struct loop *l, uint32_t branch)
{
    const struct ir_block *b = ir_block(f, branch);
    const struct ir_inst *i;
    const struct numeric *n;

    l->test = ir_inst(f, b->last)->arg[0];
    l->negated = ir_block(f, b->succs[0])->loop != l->number;
    l->exit = b->succs[l->negated ? 0 : 1];
    for (i = ir_inst(f, l->test); i->op == OP_I32_EQZ; i = ir_inst(f, l->test)) {
        l->test = i->arg[0];
        l->negated = !l->negated;
    }
    n = numeric_of(i->op);
    l->wide = n->kind == NUMERIC_COMPARE ? n->wide : i->op == OP_I64_EQZ;
    if (n->kind == NUMERIC_COMPARE) {
        enum masm_cond cond = n->op ^ l->negated;
        ir_value x = i->arg[0], y = i->arg[1];
        return set_test(f, l, x, y, cond) || set_test(f, l, y, x, numeric_exchanged(cond));
    }
    if (i->op == OP_I64_EQZ)
        return set_test(f, l, i->arg[0], ir_const(f, VT_I64, 0), COND_EQ ^ l->negated);
    return set_test(f, l, l->test, ir_const(f, VT_I32, 0), COND_NE ^ l->negated);
}

bool loop_analyze(struct ir_func *f, uint32_t number, struct loop *l)
{
    uint32_t branch;

    memset(l, 0, sizeof *l);
    l->number = number;
    l->head = f->loops.data[number].head;
    return find_chain(f, l, &branch) && find_preheader(f, l) && find_test(f, l, branch);
}
