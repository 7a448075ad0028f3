/* Register allocation by priority, with splitting.
 *
 * Pieces (regalloc.h) are taken in order of weight, that is uses per position, by how often they run. A piece gets a
 * register that is free wherever it is alive, first one that it is hinted at; else it takes one from lighter pieces;
 * else it is cut: around loops first, then where its longest-free register ends. A piece that no instruction wants in
 * a register goes to the slot. In the end a piece is one instruction long and heavier than everything: it gets one.
 *
 * What each register holds is a sorted list of ranges. Calls, which leave no register alone, are a list of their own. */
#include "engine/gen/regalloc.h"
#include <assert.h>

struct queued {
    float weight;
    uint32_t piece;
};

struct allocator {
    struct allocation *a;
    struct mach_func *mf;
    struct ir_func *f;
    VEC(struct queued) queue; /* heap, the heaviest first */
    VEC(uint32_t) victims;
};

static const float WEIGHT_MOST = 1e30f;

static struct piece *piece_at(struct allocator *r, uint32_t p)
{
    return &r->a->pieces.data[p];
}

static struct web *web_of_piece(struct allocator *r, uint32_t p)
{
    return &r->a->webs.data[piece_at(r, p)->web];
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */
static bool queued_before(const struct queued *a, const struct queued *b)
{
    return a->weight != b->weight ? a->weight > b->weight : a->piece < b->piece;
}

static void enqueue(struct allocator *r, uint32_t p)
{
    size_t at = r->queue.len;
    struct queued entry = {piece_at(r, p)->weight, p};

    vec_push(&r->queue, entry);
    while (at != 0 && queued_before(&entry, &r->queue.data[(at - 1) / 2])) {
        r->queue.data[at] = r->queue.data[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    r->queue.data[at] = entry;
}

static uint32_t dequeue(struct allocator *r)
{
    uint32_t first = r->queue.data[0].piece;
    struct queued last = vec_pop(&r->queue);
    size_t at = 0, n = r->queue.len;

    if (n == 0)
        return first;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < n && queued_before(&r->queue.data[child + 1], &r->queue.data[child]))
            child++;
        if (child >= n || !queued_before(&r->queue.data[child], &last))
            break;
        r->queue.data[at] = r->queue.data[child];
        at = child;
    }
    r->queue.data[at] = last;
    return first;
}

/* --- a piece's ranges and needs ----------------------------------------------------------------------------------- */
/* The first range of the web that ends behind POSITION. */
static uint32_t range_behind(const struct allocator *r, const struct web *w, uint32_t position)
{
    uint32_t low = 0, high = w->range_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (r->a->ranges.data[w->range_first + middle].to <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Steps through the ranges of a piece, cut to its window: *AT from range_behind(from). */
static bool next_range(const struct allocator *r, const struct piece *p, uint32_t *at, struct live_range *out)
{
    const struct web *w = &r->a->webs.data[p->web];

    if (*at == w->range_count)
        return false;
    *out = r->a->ranges.data[w->range_first + (*at)++];
    if (out->from >= p->to)
        return false;
    if (out->from < p->from)
        out->from = p->from;
    if (out->to > p->to)
        out->to = p->to;
    return true;
}

static uint32_t need_from(const struct allocator *r, const struct web *w, uint32_t inst)
{
    uint32_t low = w->need_first, high = w->need_first + w->need_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (r->a->needs.data[middle].inst < inst)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first need of a register at or behind POSITION (even) in the piece, or NULL. */
static const struct need *next_need(const struct allocator *r, const struct piece *p, uint32_t position)
{
    const struct web *w = &r->a->webs.data[p->web];
    uint32_t end = w->need_first + w->need_count;

    for (uint32_t n = need_from(r, w, position / 2); n < end; n++) {
        const struct need *need = &r->a->needs.data[n];
        if (need->inst * 2 >= p->to)
            return NULL;
        if (!need->anywhere)
            return need;
    }
    return NULL;
}

static void weigh(struct allocator *r, uint32_t number)
{
    struct piece *p = piece_at(r, number);
    const struct web *w = &r->a->webs.data[p->web];
    uint32_t end = w->need_first + w->need_count, at = range_behind(r, w, p->from), length = 0;
    struct live_range range;
    float sum = 0;
    bool must = false;

    for (uint32_t n = need_from(r, w, p->from / 2); n < end && r->a->needs.data[n].inst * 2 < p->to; n++) {
        sum += r->a->needs.data[n].weight * (r->a->needs.data[n].anywhere ? 0.5f : 1);
        must |= !r->a->needs.data[n].anywhere;
    }
    while (next_range(r, p, &at, &range))
        length += range.to - range.from;
    p->weight = must && p->to - p->from <= 2 ? WEIGHT_MOST : sum / (float)(length + 4);
}

static uint32_t new_piece(struct allocator *r, uint32_t web, uint32_t from, uint32_t to)
{
    vec_push(&r->a->pieces, (struct piece){.web = web, .from = from, .to = to, .reg = REG_NONE});
    return (uint32_t)r->a->pieces.len - 1;
}

/* --- what registers hold ------------------------------------------------------------------------------------------ */
static size_t held_behind(const struct allocation *a, reg which, uint32_t position)
{
    size_t low = 0, high = a->regs[which].list.len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (a->regs[which].list.data[middle].to <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t allocation_web_in(const struct allocation *a, reg r, uint32_t position)
{
    size_t k = held_behind(a, r, position);
    const struct held *held = &a->regs[r].list.data[k];

    if (k == a->regs[r].list.len || held->from > position || held->piece == FIXED_PIECE)
        return 0;
    return a->pieces.data[held->piece].web;
}

static void hold(struct allocator *r, reg which, struct live_range range, uint32_t piece)
{
    size_t at = held_behind(r->a, which, range.from), n = r->a->regs[which].list.len;
    struct held *data;

    vec_reserve(&r->a->regs[which].list, 1);
    data = r->a->regs[which].list.data;
    memmove(data + at + 1, data + at, (n - at) * sizeof *data);
    data[at] = (struct held){range.from, range.to, piece};
    r->a->regs[which].list.len++;
}

static void release(struct allocator *r, uint32_t number)
{
    struct piece *p = piece_at(r, number);
    uint32_t at = range_behind(r, web_of_piece(r, number), p->from);
    struct live_range range;

    while (next_range(r, p, &at, &range)) {
        size_t k = held_behind(r->a, p->reg, range.from), n = r->a->regs[p->reg].list.len;
        struct held *data = r->a->regs[p->reg].list.data;
        assert(k < n && data[k].piece == number);
        memmove(data + k, data + k + 1, (n - k - 1) * sizeof *data);
        r->a->regs[p->reg].list.len--;
    }
    p->reg = REG_NONE;
    p->placed = false;
}

static uint32_t next_call(const struct allocator *r, uint32_t position)
{
    size_t low = 0, high = r->mf->calls.len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->mf->calls.data[middle] * 2 + 1 <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->mf->calls.len ? r->mf->calls.data[low] * 2 : UINT32_MAX;
}

/* Where the piece is alive at a call; UINT32_MAX: nowhere. */
static uint32_t first_call(const struct allocator *r, const struct piece *p)
{
    uint32_t at = range_behind(r, &r->a->webs.data[p->web], p->from);
    struct live_range range;

    while (next_range(r, p, &at, &range)) {
        uint32_t call = next_call(r, range.from);
        if (call < range.to)
            return call > range.from ? call : range.from;
    }
    return UINT32_MAX;
}

/* The first position at which WHICH is taken where the piece is alive; UINT32_MAX: none. */
static uint32_t first_conflict(const struct allocator *r, const struct piece *p, reg which)
{
    uint32_t at = range_behind(r, &r->a->webs.data[p->web], p->from);
    struct live_range range;

    while (next_range(r, p, &at, &range)) {
        size_t k = held_behind(r->a, which, range.from);
        if (k < r->a->regs[which].list.len && r->a->regs[which].list.data[k].from < range.to) {
            uint32_t from = r->a->regs[which].list.data[k].from;
            return from > range.from ? from : range.from;
        }
    }
    return UINT32_MAX;
}

/* --- placing ------------------------------------------------------------------------------------------------------ */
static void place_in_register(struct allocator *r, uint32_t number, reg which)
{
    struct piece *p = piece_at(r, number);
    uint32_t at = range_behind(r, web_of_piece(r, number), p->from);
    struct live_range range;

    p->reg = which;
    p->placed = true;
    while (next_range(r, p, &at, &range))
        hold(r, which, range, number);
}

static regset class_of(const struct web *w)
{
    return mach_type_is_vector(w->type) ? target_native.vectors : target_native.ints;
}

/* Registers to try first: that of a neighbour piece, what instructions want, that of the hinted web. */
static unsigned hinted(struct allocator *r, uint32_t number, reg out[8])
{
    const struct piece *p = piece_at(r, number);
    const struct web *w = web_of_piece(r, number);
    uint32_t end = w->need_first + w->need_count;
    unsigned count = 0;

    for (uint32_t n = need_from(r, w, p->from / 2); n < end && r->a->needs.data[n].inst * 2 < p->to && count < 3; n++)
        if (r->a->needs.data[n].hint != REG_NONE)
            out[count++] = r->a->needs.data[n].hint;
    for (uint32_t q = w->piece; q != 0 && count < 6; q = piece_at(r, q)->next)
        if (q != number && piece_at(r, q)->reg != REG_NONE &&
            (piece_at(r, q)->to == p->from || piece_at(r, q)->from == p->to))
            out[count++] = piece_at(r, q)->reg;
    if (w->hint_web != 0)
        for (uint32_t q = r->a->webs.data[w->hint_web].piece; q != 0 && count < 8; q = piece_at(r, q)->next)
            if (piece_at(r, q)->reg != REG_NONE && piece_at(r, q)->to + 2 >= p->from &&
                piece_at(r, q)->from <= p->to + 2)
                out[count++] = piece_at(r, q)->reg;
    return count;
}

static bool try_free(struct allocator *r, uint32_t number)
{
    const struct piece *p = piece_at(r, number);
    regset class = class_of(web_of_piece(r, number)), plain;
    reg hints[8];
    unsigned count = hinted(r, number, hints);

    for (unsigned k = 0; k < count; k++) {
        if (regset_has(class, hints[k]) && first_conflict(r, p, hints[k]) == UINT32_MAX) {
            place_in_register(r, number, hints[k]);
            return true;
        }
    }
    /* the registers that instructions want for themselves last */
    plain = class & (target_native.int_homes | target_native.vector_homes);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (regset set = turn == 0 ? plain : class & ~plain; set != 0; set &= set - 1) {
            reg candidate = regset_first(set);
            if (first_conflict(r, p, candidate) == UINT32_MAX) {
                place_in_register(r, number, candidate);
                return true;
            }
        }
    }
    return false;
}

/* The heaviest piece in the way in WHICH; WEIGHT_MOST if something is that cannot give way. */
static float weight_in_way(const struct allocator *r, const struct piece *p, reg which, float limit)
{
    uint32_t at = range_behind(r, &r->a->webs.data[p->web], p->from);
    struct live_range range;
    float most = 0;

    while (next_range(r, p, &at, &range)) {
        for (size_t k = held_behind(r->a, which, range.from);
             k < r->a->regs[which].list.len && r->a->regs[which].list.data[k].from < range.to; k++) {
            uint32_t other = r->a->regs[which].list.data[k].piece;
            float weight = other == FIXED_PIECE ? WEIGHT_MOST : r->a->pieces.data[other].weight;
            if (weight > most)
                most = weight;
            if (most >= limit)
                return most;
        }
    }
    return most;
}

static void evict(struct allocator *r, uint32_t number, reg which)
{
    const struct piece *p = piece_at(r, number);
    uint32_t at = range_behind(r, web_of_piece(r, number), p->from);
    struct live_range range;

    r->victims.len = 0;
    while (next_range(r, p, &at, &range))
        for (size_t k = held_behind(r->a, which, range.from);
             k < r->a->regs[which].list.len && r->a->regs[which].list.data[k].from < range.to; k++)
            vec_push(&r->victims, r->a->regs[which].list.data[k].piece);
    for (size_t i = 0; i < r->victims.len; i++) {
        if (!piece_at(r, r->victims.data[i])->placed)
            continue;
        release(r, r->victims.data[i]);
        enqueue(r, r->victims.data[i]);
    }
}

static bool try_evict(struct allocator *r, uint32_t number)
{
    const struct piece *p = piece_at(r, number);
    float best = p->weight;
    reg chosen = REG_NONE;

    for (regset set = class_of(web_of_piece(r, number)); set != 0; set &= set - 1) {
        reg candidate = regset_first(set);
        float weight = weight_in_way(r, p, candidate, best);
        if (weight < best) {
            best = weight;
            chosen = candidate;
        }
    }
    if (chosen == REG_NONE)
        return false;
    evict(r, number, chosen);
    place_in_register(r, number, chosen);
    return true;
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */
/* Cuts the piece at the even position AT; the part behind is new. Either may turn out to be dead and vanish. */
static uint32_t cut(struct allocator *r, uint32_t number, uint32_t at)
{
    struct piece *p = piece_at(r, number);
    uint32_t behind;

    assert(at % 2 == 0 && at > p->from && at < p->to);
    behind = new_piece(r, p->web, at, p->to);
    p = piece_at(r, number);
    piece_at(r, behind)->next = p->next;
    p->next = behind;
    p->to = at;
    return behind;
}

static void requeue(struct allocator *r, uint32_t number)
{
    weigh(r, number);
    enqueue(r, number);
}

/* Cuts out the window; the parts are queued. Returns false if the window is all of the piece or none. */
static bool cut_out(struct allocator *r, uint32_t number, uint32_t from, uint32_t to)
{
    struct piece *p = piece_at(r, number);
    uint32_t middle = number;
    bool changed = false;

    if (from >= p->to || to <= p->from)
        return false;
    if (from > p->from) {
        middle = cut(r, number, from);
        changed = true;
    }
    if (to < piece_at(r, middle)->to) {
        requeue(r, cut(r, middle, to));
        changed = true;
    }
    if (!changed)
        return false;
    if (middle != number)
        requeue(r, middle);
    requeue(r, number);
    return true;
}

static uint32_t loop_from(const struct allocator *r, const struct ir_loop *loop)
{
    return r->mf->blocks[r->f->order.data[loop->first]].first * 2;
}

static uint32_t loop_to(const struct allocator *r, const struct ir_loop *loop)
{
    return r->mf->blocks[r->f->order.data[loop->end - 1]].end * 2;
}

/* A loop that the piece reaches into or spans without being inside: the outermost such, the one where it is used most
 * often first. */
static bool cut_at_loop(struct allocator *r, uint32_t number)
{
    const struct piece *p = piece_at(r, number);
    uint32_t found = 0, found_depth = UINT32_MAX;

    for (uint32_t l = 1; l < r->f->loops.len; l++) {
        const struct ir_loop *loop = &r->f->loops.data[l];
        uint32_t from = loop_from(r, loop), to = loop_to(r, loop);
        if (ir_block(r->f, loop->head)->pred_count < 2 || from >= p->to || to <= p->from ||
            (from <= p->from && to >= p->to) || loop->depth >= found_depth)
            continue;
        found = l;
        found_depth = loop->depth;
    }
    if (found == 0)
        return false;
    return cut_out(r, number, loop_from(r, &r->f->loops.data[found]), loop_to(r, &r->f->loops.data[found]));
}

/* The even position up to which the piece may have the register that stays free longest. */
static uint32_t longest_free(struct allocator *r, uint32_t number, reg *best)
{
    const struct piece *p = piece_at(r, number);
    uint32_t longest = 0;

    *best = REG_NONE;
    for (regset set = class_of(web_of_piece(r, number)); set != 0; set &= set - 1) {
        reg candidate = regset_first(set);
        uint32_t at = first_conflict(r, p, candidate);
        if (at > longest) {
            longest = at;
            *best = candidate;
        }
    }
    return longest & ~1u;
}

/* Behind AT: the part up to the next need of a register is not to compete for one. */
static void requeue_rest(struct allocator *r, uint32_t rest)
{
    const struct piece *p = piece_at(r, rest);
    const struct need *need = next_need(r, p, p->from);

    if (need != NULL && need->inst * 2 > p->from) {
        requeue(r, cut(r, rest, need->inst * 2));
        need = NULL;
    }
    requeue(r, rest);
}

static void split(struct allocator *r, uint32_t number)
{
    struct piece *p = piece_at(r, number);
    const struct need *first = next_need(r, p, p->from);
    uint32_t until, call = first_call(r, p);
    reg which;

    if (first == NULL) { /* nothing wants it in a register */
        p->placed = true;
        return;
    }
    if (cut_at_loop(r, number))
        return;
    if (first->inst * 2 > p->from && call <= first->inst * 2) {
        requeue(r, cut(r, number, first->inst * 2));
        requeue(r, number);
        return;
    }
    until = longest_free(r, number, &which);
    if (call < until)
        until = call & ~1u;
    if (until >= first->inst * 2 + 2 && until < p->to && until > p->from) {
        uint32_t rest = cut(r, number, until);
        requeue_rest(r, rest);
        requeue(r, number);
        return;
    }
    if (first->inst * 2 > p->from) {
        requeue(r, cut(r, number, first->inst * 2));
        requeue(r, number);
        return;
    }
    assert(p->to > first->inst * 2 + 2);
    requeue_rest(r, cut(r, number, first->inst * 2 + 2));
    requeue(r, number);
}

static void allocate_piece(struct allocator *r, uint32_t number)
{
    const struct piece *p = piece_at(r, number);

    if (first_call(r, p) == UINT32_MAX && (try_free(r, number) || try_evict(r, number)))
        return;
    split(r, number);
}

void allocate_registers(struct allocation *a)
{
    struct allocator *r = calloc(1, sizeof *r);

    if (r == NULL)
        out_of_memory();
    r->a = a;
    r->mf = a->mf;
    r->f = a->mf->ir;
    for (size_t i = 0; i < a->mf->reservations.len; i++) {
        const struct mach_reservation *v = &a->mf->reservations.data[i];
        hold(r, v->reg, (struct live_range){v->from, v->to}, FIXED_PIECE);
    }
    vec_push(&a->pieces, (struct piece){0});
    for (uint32_t w = 1; w < a->webs.len; w++) {
        const struct web *web = &a->webs.data[w];
        uint32_t last = web->range_first + web->range_count - 1;
        uint32_t p = new_piece(r, w, a->ranges.data[web->range_first].from & ~1u, (a->ranges.data[last].to + 1) & ~1u);
        a->webs.data[w].piece = a->webs.data[w].cursor = p;
        requeue(r, p);
    }
    while (r->queue.len != 0)
        allocate_piece(r, dequeue(r));
    vec_done(&r->queue);
    vec_done(&r->victims);
    free(r);
}
