/* The order in which blocks are emitted, and which are left out.
 *
 * A block of nothing but a jump is no block. One of nothing but moves and the way back to a loop's head becomes none if
 * its moves can be made ahead of the branch that leads there. A loop whose last block jumps back to a head that may
 * leave the loop is turned: the head goes behind the rest, so that one branch a round is left (some predictors tell
 * the rounds of a loop apart by its conditional branches alone: a dispatching loop of ours ran 1.6 times as fast). Cold
 * blocks go behind everything. */
#include "engine/gen/emit.h"
#include <assert.h>

/* --- blocks that are left out ------------------------------------------------------------------------------------- */
/* A jump, behind moves at most. */
static bool is_only_jump(const struct emitter *e, uint32_t b)
{
    const struct mach_block *block = &e->mf->blocks[b];
    const struct mach *head = &e->mf->insts.data[block->first];

    if (block->end - block->first != 2 || head[1].op != IR_JUMP)
        return false;
    for (uint32_t k = 0; k < head->def_count; k++)
        if (allocation_stores(e->a, e->mf->defs.data[head->def_first + k]))
            return false;
    return true;
}

static bool has_moves(const struct emitter *e, uint32_t b)
{
    const struct mach_block *block = &e->mf->blocks[b];
    size_t n = emit_first_boundary(e, block->first * 2);

    return n < e->a->boundaries.len && e->a->boundaries.data[n].position < block->end * 2;
}

static bool does_nothing(const struct emitter *e, uint32_t b)
{
    return b != e->mf->ir->entry && is_only_jump(e, b) && !has_moves(e, b);
}

/* A loop of nothing keeps a block: the one that jumps back to another that does nothing. Every other way from one block that is left out to
 * the next leads forwards, so that emit_thread ends. */
static bool can_be_left_out(const struct emitter *e, uint32_t b)
{
    const struct ir_func *f = e->mf->ir;
    uint32_t target;

    if (!does_nothing(e, b))
        return false;
    target = ir_block(f, b)->succs[0];
    return ir_block(f, target)->order > ir_block(f, b)->order || !does_nothing(e, target);
}

uint32_t emit_thread(const struct emitter *e, uint32_t b)
{
    while (e->order.empty[b])
        b = ir_block(e->mf->ir, b)->succs[0];
    return b;
}

/* --- moves ahead of a branch -------------------------------------------------------------------------------------- */
/* What is made at the end of FROM must not be missed in OTHER, where the branch may lead as well. */
static bool is_harmless(const struct emitter *e, const struct boundary *b, uint32_t from, uint32_t other)
{
    uint32_t web;

    if (b->to.kind != PLACE_REG)
        return b->web != 0; /* its own slot, and what it is worth now */
    web = allocation_web_in(e->a, b->to.reg, e->mf->blocks[from].end * 2 - 1);
    return web == 0 || !allocation_is_alive(e->a, web, e->mf->blocks[other].first * 2);
}

static bool starts_with_phi(const struct emitter *e, uint32_t b)
{
    return e->mf->insts.data[e->mf->blocks[b].first].def_count != 0;
}

static bool can_be_hoisted(const struct emitter *e, uint32_t from, uint32_t edge, uint32_t other)
{
    const struct ir_func *f = e->mf->ir;
    const struct mach_block *block = &e->mf->blocks[edge];

    if (!is_only_jump(e, edge) || starts_with_phi(e, edge) || starts_with_phi(e, other) ||
        ir_block(f, ir_block(f, edge)->succs[0])->order > ir_block(f, from)->order)
        return false;
    for (size_t n = emit_first_boundary(e, block->first * 2);
         n < e->a->boundaries.len && e->a->boundaries.data[n].position < block->end * 2; n++)
        if (!is_harmless(e, &e->a->boundaries.data[n], from, other))
            return false;
    return true;
}

static void hoist(struct emitter *e, uint32_t from)
{
    const struct ir_block *b = ir_block(e->mf->ir, from);

    if (ir_inst(e->mf->ir, b->last)->op != IR_BRANCH || b->succs[0] == b->succs[1])
        return;
    for (unsigned k = 0; k < 2; k++)
        if (!e->order.empty[b->succs[k]] && can_be_hoisted(e, from, b->succs[k], b->succs[1 - k])) {
            e->order.hoisted[from] = b->succs[k];
            e->order.empty[b->succs[k]] = true;
            return;
        }
}

static void find_empty(struct emitter *e)
{
    const struct ir_func *f = e->mf->ir;

    for (size_t n = 0; n < f->order.len; n++)
        e->order.empty[f->order.data[n]] = can_be_left_out(e, f->order.data[n]);
    for (size_t n = 0; n < f->order.len; n++)
        hoist(e, f->order.data[n]);
}

/* --- loops -------------------------------------------------------------------------------------------------------- */
struct segment { /* of the order: a loop's blocks that are emitted there */
    uint32_t first, end;
};

static bool is_hot(const struct emitter *e, uint32_t b)
{
    return !ir_block(e->mf->ir, b)->cold || b == e->mf->ir->entry;
}

static bool lies_in(const struct emitter *e, uint32_t b, const struct ir_loop *loop)
{
    uint32_t at = ir_block(e->mf->ir, b)->order;
    return at >= loop->first && at < loop->end && is_hot(e, b);
}

static bool may_leave(const struct emitter *e, const struct ir_loop *loop)
{
    const struct ir_block *head = ir_block(e->mf->ir, loop->head);
    unsigned op = ir_inst(e->mf->ir, head->last)->op;

    if (op == IR_SWITCH)
        return true;
    return op == IR_BRANCH &&
           (!lies_in(e, emit_thread(e, head->succs[0]), loop) || !lies_in(e, emit_thread(e, head->succs[1]), loop));
}

static bool turns(const struct emitter *e, const struct ir_loop *loop, struct segment s)
{
    const struct ir_func *f = e->mf->ir;
    const uint32_t *blocks = e->order.blocks;
    uint32_t last;

    if (s.end - s.first < 2 || blocks[s.first] != loop->head || loop->head == f->entry)
        return false;
    last = blocks[s.end - 1];
    return ir_inst(f, ir_block(f, last)->last)->op == IR_JUMP &&
           emit_thread(e, ir_block(f, last)->succs[0]) == loop->head && may_leave(e, loop);
}

static void turn(struct emitter *e, struct segment s)
{
    uint32_t *blocks = e->order.blocks, head = blocks[s.first];

    memmove(blocks + s.first, blocks + s.first + 1, (s.end - s.first - 1) * sizeof *blocks);
    blocks[s.end - 1] = head;
}

/* Loops, the outer ones first; BEFORE: how many hot blocks come before one, by its number in f->order. */
static void turn_loops(struct emitter *e, const uint32_t *before)
{
    const struct ir_func *f = e->mf->ir;
    uint32_t *shift = arena_array(&e->a->arena, uint32_t, f->loops.len);
    bool *outer = arena_array(&e->a->arena, bool, f->loops.len);

    for (size_t l = f->loops.len; l-- > 1;)
        outer[f->loops.data[l].parent] |= ir_block(f, f->loops.data[l].head)->pred_count >= 2;
    for (size_t l = 1; l < f->loops.len; l++) {
        const struct ir_loop *loop = &f->loops.data[l];
        struct segment s = {before[loop->first], before[loop->end]};
        shift[l] = shift[loop->parent];
        s.first -= shift[l];
        s.end -= shift[l];
        if (s.first == s.end || ir_block(f, loop->head)->pred_count < 2)
            continue;
        if (turns(e, loop, s)) {
            turn(e, s);
            shift[l]++;
        }
        e->order.aligned[e->order.blocks[s.first]] = !outer[l];
    }
}

void emit_order(struct emitter *e)
{
    const struct ir_func *f = e->mf->ir;
    uint32_t *before = arena_array(&e->a->arena, uint32_t, f->order.len + 1);

    e->order.blocks = arena_array(&e->a->arena, uint32_t, f->order.len + 1);
    e->order.empty = arena_array(&e->a->arena, bool, f->blocks.len);
    e->order.aligned = arena_array(&e->a->arena, bool, f->blocks.len);
    e->order.hoisted = arena_array(&e->a->arena, uint32_t, f->blocks.len);
    find_empty(e);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t n = 0; n < f->order.len; n++) {
            uint32_t b = f->order.data[n];
            if (turn == 0)
                before[n] = e->order.count;
            if (is_hot(e, b) == (turn == 0) && !e->order.empty[b])
                e->order.blocks[e->order.count++] = b;
        }
        if (turn == 0) {
            before[f->order.len] = e->order.count;
            turn_loops(e, before);
        }
    }
}
