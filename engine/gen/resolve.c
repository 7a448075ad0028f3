/* After allocation: the moves between pieces of a web, on edges into phis, and what is stored when.
 *
 * A web that is sometimes in its slot is written there either by each move from a register to the slot, or once behind
 * each of its definitions, after which those moves are nothing: whichever runs less often. */
#include "engine/gen/regalloc.h"
#include <assert.h>

static struct place piece_place(const struct allocation *a, const struct piece *p)
{
    const struct web *w = &a->webs.data[p->web];

    if (p->reg != REG_NONE)
        return (struct place){.kind = PLACE_REG, .reg = p->reg};
    return (struct place){.kind = PLACE_SLOT, .disp = w->slot};
}

static const struct piece *piece_of(struct allocation *a, uint32_t web, uint32_t position)
{
    struct web *w = &a->webs.data[web];
    const struct piece *pieces = a->pieces.data;
    uint32_t p = w->cursor;

    assert(web != 0);
    while (pieces[p].from > position && pieces[p].previous != 0)
        p = pieces[p].previous;
    while (pieces[p].to <= position && pieces[p].next != 0)
        p = pieces[p].next;
    w->cursor = p;
    return &pieces[p];
}

static struct place const_place(const struct allocation *a, ir_value v)
{
    const struct ir_inst *i = ir_inst(a->mf->ir, v);
    struct place p = {.kind = PLACE_CONST, .disp = (int32_t)v, .bits = i->imm}; /* disp: for boundary_place */

    if (i->type == VT_V128)
        memcpy(&p.high, i->arg, 8);
    return p;
}

static bool is_const(const struct allocation *a, uint32_t vreg)
{
    return vreg < a->mf->ir->insts.len && ir_is_const(a->mf->ir, vreg);
}

struct place allocation_place(struct allocation *a, uint32_t vreg, uint32_t position)
{
    if (is_const(a, vreg))
        return const_place(a, vreg);
    return piece_place(a, piece_of(a, a->web_of[vreg], position));
}

bool allocation_stores(const struct allocation *a, uint32_t vreg)
{
    const struct web *w = &a->webs.data[a->web_of[vreg]];
    return w->slot != 0 && w->policy == STORE_AT_DEFINITIONS;
}

static void give_slot(struct allocation *a, struct web *w)
{
    if (w->slot != 0)
        return;
    a->frame_bytes += w->type == VT_V128 ? 16 : 8;
    w->slot = -(int32_t)a->frame_bytes;
}

static void give_slots(struct allocation *a)
{
    a->frame_bytes = 8; /* the instance, gen/abi.h */
    for (size_t p = 1; p < a->pieces.len; p++)
        if (a->pieces.data[p].reg == REG_NONE)
            give_slot(a, &a->webs.data[a->pieces.data[p].web]);
    for (size_t n = 0; n < a->mf->rare_calls.len; n++)
        for (regset set = target_native.ints | target_native.vectors; set != 0; set &= set - 1) {
            uint32_t web = allocation_web_in(a, regset_first(set), a->mf->rare_calls.data[n] * 2);
            if (web != 0)
                give_slot(a, &a->webs.data[web]);
        }
}

static struct boundary_place boundary_place(const struct place *p)
{
    return (struct boundary_place){p->kind, p->reg, p->disp};
}

static void add_boundary(struct allocation *a, uint32_t position, enum boundary_phase phase, float frequency,
                         uint32_t web, uint8_t type, struct place to, struct place from)
{
    if (place_equal(&to, &from))
        return;
    assert(to.kind != PLACE_CONST);
    vec_push(&a->boundaries, (struct boundary){position, (uint8_t)phase, type, boundary_place(&to),
                                               boundary_place(&from), web, frequency});
}

static struct place place_of(const struct boundary_place *p)
{
    return (struct place){.kind = p->kind, .reg = p->reg, .disp = p->disp};
}

struct move allocation_move(const struct allocation *a, const struct boundary *b)
{
    return (struct move){place_of(&b->to),
                         b->from.kind == PLACE_CONST ? const_place(a, (ir_value)b->from.disp) : place_of(&b->from),
                         b->type};
}

/* --- within blocks ------------------------------------------------------------------------------------------------ */
static bool is_block_start(const struct allocation *a, uint32_t position)
{
    return position / 2 >= a->mf->insts.len || a->mf->insts.data[position / 2].op == MACH_BLOCK;
}

/* The first of the web's ranges that ends behind POSITION. */
static const struct live_range *range_behind(const struct allocation *a, const struct web *w, uint32_t position)
{
    uint32_t low = 0, high = w->range_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (a->ranges.data[w->range_first + middle].to <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->range_count ? &a->ranges.data[w->range_first + low] : NULL;
}

/* Alive both before and at POSITION. */
static bool is_alive_across(const struct allocation *a, const struct web *w, uint32_t position)
{
    const struct live_range *range = range_behind(a, w, position);
    return range != NULL && range->from < position;
}

bool allocation_is_alive(const struct allocation *a, uint32_t web, uint32_t position)
{
    const struct live_range *range = range_behind(a, &a->webs.data[web], position);
    return range != NULL && range->from <= position;
}

static void moves_within_blocks(struct allocation *a, uint32_t web)
{
    const struct web *w = &a->webs.data[web];

    for (uint32_t p = w->piece; a->pieces.data[p].next != 0; p = a->pieces.data[p].next) {
        const struct piece *before = &a->pieces.data[p], *behind = &a->pieces.data[before->next];
        uint32_t at = before->to;
        if (!is_block_start(a, at) && is_alive_across(a, w, at))
            add_boundary(a, at, BOUNDARY_WITHIN, a->mf->blocks[a->block_of[at / 2]].frequency, web, w->type,
                         piece_place(a, behind), piece_place(a, before));
    }
}

/* --- edges -------------------------------------------------------------------------------------------------------- */
struct edge_spot {
    uint32_t position, end; /* end: of the predecessor */
    enum boundary_phase phase;
    float frequency;
};

/* Where a call throws, registers hold nothing any more, and everything is where it was at the call: that is the last but
 * one instruction of its block. */
static bool is_thrown(const struct allocation *a, uint32_t from, uint32_t to)
{
    const struct ir_block *b = ir_block(a->mf->ir, from);
    return ir_inst(a->mf->ir, b->last)->op == IR_CATCH && b->succs[0] != to;
}

/* At the end of the predecessor, ahead of its jump, or at the head of the successor. */
static struct edge_spot edge_spot(const struct allocation *a, uint32_t from, uint32_t to)
{
    const struct mach_block *x = &a->mf->blocks[from], *y = &a->mf->blocks[to];

    if (ir_block(a->mf->ir, from)->succ_count == 1)
        return (struct edge_spot){(x->end - 1) * 2, x->end * 2, BOUNDARY_AT_END, x->frequency};
    return (struct edge_spot){y->first * 2, is_thrown(a, from, to) ? (x->end - 2) * 2 + 1 : x->end * 2,
                              BOUNDARY_AT_HEAD, y->frequency};
}

static bool has_phi_of_web(const struct allocation *a, uint32_t b, uint32_t web)
{
    const struct mach *head = &a->mf->insts.data[a->mf->blocks[b].first];

    for (uint32_t k = 0; k < head->def_count; k++)
        if (a->web_of[a->mf->defs.data[head->def_first + k]] == web)
            return true;
    return false;
}

/* Moves on the edges into B, at whose start PIECE of the web is alive, from where the web is in other pieces. */
static void moves_into(struct allocation *a, uint32_t b, const struct piece *piece)
{
    const struct ir_block *block = ir_block(a->mf->ir, b);
    uint32_t web = piece->web;

    for (uint32_t k = 0; k < block->pred_count; k++) {
        uint32_t end = a->mf->blocks[block->preds[k]].end * 2 - 1;
        struct edge_spot spot;
        if (end >= piece->from && end < piece->to)
            continue;
        if (has_phi_of_web(a, b, web))
            return;
        spot = edge_spot(a, block->preds[k], b);
        add_boundary(a, spot.position, spot.phase, spot.frequency, web, a->webs.data[web].type, piece_place(a, piece),
                     piece_place(a, piece_of(a, web, end)));
    }
}

/* The blocks at whose start the web, which has several pieces, is alive. */
static void moves_on_edges(struct allocation *a, uint32_t web)
{
    const struct web *w = &a->webs.data[web];
    const struct ir_func *f = a->mf->ir;
    const struct piece *piece = &a->pieces.data[w->piece];

    for (uint32_t n = 0; n < w->range_count; n++) {
        struct live_range range = a->ranges.data[w->range_first + n];
        uint32_t first = a->block_of[range.from / 2], order = ir_block(f, first)->order;
        if (a->mf->blocks[first].first * 2 < range.from)
            order++;
        for (; order < f->order.len; order++) {
            uint32_t b = f->order.data[order], start = a->mf->blocks[b].first * 2;
            if (start >= range.to)
                break;
            while (piece->to <= start && piece->next != 0)
                piece = &a->pieces.data[piece->next];
            moves_into(a, b, piece);
        }
    }
}

static void moves_into_phis(struct allocation *a, uint32_t b)
{
    const struct ir_block *block = ir_block(a->mf->ir, b);
    const struct mach *head = &a->mf->insts.data[a->mf->blocks[b].first];

    for (uint32_t n = 0; n < head->def_count; n++) {
        ir_value phi = a->mf->defs.data[head->def_first + n];
        const struct ir_inst *i = ir_inst(a->mf->ir, phi);
        struct place to = allocation_place(a, phi, a->mf->blocks[b].first * 2);
        for (uint32_t k = 0; k < block->pred_count; k++) {
            struct edge_spot spot = edge_spot(a, block->preds[k], b);
            uint32_t web = a->web_of[phi];
            add_boundary(a, spot.position, spot.phase, spot.frequency,
                         !is_const(a, i->args[k]) && a->web_of[i->args[k]] == web ? web : 0, i->type, to,
                         allocation_place(a, i->args[k], spot.end - 1));
        }
    }
}

/* --- when to store ------------------------------------------------------------------------------------------------ */
static void choose_policies(struct allocation *a)
{
    float *cost = arena_array(&a->mf->ir->scratch, float, a->webs.len);

    for (size_t n = 0; n < a->boundaries.len; n++) {
        const struct boundary *b = &a->boundaries.data[n];
        if (b->web != 0 && b->to.kind == PLACE_SLOT && b->from.kind == PLACE_REG)
            cost[b->web] += b->frequency;
    }
    for (uint32_t m = 0; m < a->mf->insts.len; m++) {
        const struct mach *i = &a->mf->insts.data[m];
        for (uint32_t k = 0; k < i->def_count; k++) {
            uint32_t v = a->mf->defs.data[i->def_first + k], web = a->web_of[v];
            if (a->webs.data[web].slot != 0 &&
                piece_of(a, web, i->op == MACH_BLOCK ? 2 * m : 2 * m + 1)->reg != REG_NONE)
                cost[web] -= a->mf->blocks[a->block_of[m]].frequency;
        }
    }
    for (size_t w = 1; w < a->webs.len; w++)
        a->webs.data[w].policy = cost[w] > 0 ? STORE_AT_DEFINITIONS : STORE_AT_MOVES;
}

static bool is_done_already(const struct allocation *a, const struct boundary *b)
{
    return b->web != 0 && a->webs.data[b->web].policy == STORE_AT_DEFINITIONS && b->to.kind == PLACE_SLOT &&
           b->from.kind == PLACE_REG;
}

static uint32_t sort_key(const struct boundary *b)
{
    return b->position / 2 * 3 + b->phase; /* positions of boundaries are even */
}

/* Puts boundary N at RANK[N], in place: beside a list of the largest function's there is no room for a second. */
static void permute(struct boundary *list, uint32_t *rank, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        while (rank[n] != n) {
            uint32_t to = rank[n];
            struct boundary moved = list[to];
            list[to] = list[n];
            list[n] = moved;
            rank[n] = rank[to];
            rank[to] = to;
        }
    }
}

/* By position, then phase: counted, since there are about as many boundaries as instructions. */
static void sort_boundaries(struct allocation *a)
{
    size_t count = a->boundaries.len, keys = a->mf->insts.len * 3 + 3;
    uint32_t *start = arena_array(&a->mf->ir->scratch, uint32_t, keys + 1), sum = 0;
    uint32_t *rank = arena_array(&a->mf->ir->scratch, uint32_t, count);

    for (size_t n = 0; n < count; n++)
        start[sort_key(&a->boundaries.data[n])]++;
    for (size_t k = 0; k < keys; k++) {
        uint32_t here = start[k];
        start[k] = sum;
        sum += here;
    }
    for (size_t n = 0; n < count; n++)
        rank[n] = start[sort_key(&a->boundaries.data[n])]++;
    permute(a->boundaries.data, rank, count);
}

void resolve_places(struct allocation *a)
{
    size_t kept = 0;

    give_slots(a);
    for (uint32_t w = 1; w < a->webs.len; w++) {
        if (a->pieces.data[a->webs.data[w].piece].next == 0)
            continue;
        moves_within_blocks(a, w);
        moves_on_edges(a, w);
    }
    for (size_t n = 0; n < a->mf->ir->order.len; n++)
        moves_into_phis(a, a->mf->ir->order.data[n]);
    choose_policies(a);
    for (size_t n = 0; n < a->boundaries.len; n++)
        if (!is_done_already(a, &a->boundaries.data[n]))
            a->boundaries.data[kept++] = a->boundaries.data[n];
    a->boundaries.len = kept;
    sort_boundaries(a);
    arena_reset(&a->mf->ir->scratch);
}

void allocation_done(struct allocation *a)
{
    vec_done(&a->webs);
    vec_done(&a->ranges);
    vec_done(&a->needs);
    vec_done(&a->pieces);
    vec_done(&a->boundaries);
    for (unsigned r = 0; r < REG_COUNT; r++)
        vec_done(&a->regs[r].list);
    arena_free(&a->arena);
}
