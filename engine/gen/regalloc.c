/* Register allocation by priority, with splitting.
 *
 * Pieces (regalloc.h) are taken in order of weight, that is uses per position, by how often they run. A piece gets a
 * register that is free wherever it is alive, first one that it is hinted at; else it takes one from lighter pieces;
 * else it is cut: around loops first, then where its longest-free register ends. A piece that no instruction wants in
 * a register goes to the slot. In the end a piece is one instruction long and heavier than everything: it gets one.
 * Calls, which leave no register alone, are known beforehand. */
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
    uint32_t *calls_before; /* by instruction */
    uint32_t *next_head;    /* by place in f->order */
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

/* --- calls -------------------------------------------------------------------------------------------------------- */
/* Calls before each instruction: the first behind a position is found at once. */
static void count_calls(struct allocator *r)
{
    size_t call = 0;

    r->calls_before = arena_array(&r->f->scratch, uint32_t, r->mf->insts.len + 1);
    for (size_t m = 0; m <= r->mf->insts.len; m++) {
        r->calls_before[m] = (uint32_t)call;
        call += call < r->mf->calls.len && r->mf->calls.data[call] == m;
    }
}

/* The position of the first call at POSITION or behind it. */
static uint32_t next_call(const struct allocator *r, uint32_t position)
{
    uint32_t call = r->calls_before[(position + 1) / 2];
    return call < r->mf->calls.len ? r->mf->calls.data[call] * 2 : UINT32_MAX;
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

/* --- placing ------------------------------------------------------------------------------------------------------ */
static regset class_of(const struct web *w)
{
    return mach_type_is_vector(w->type) ? target_native.vectors : target_native.ints;
}

static void place_in_register(struct allocator *r, uint32_t number, reg which)
{
    struct piece *p = piece_at(r, number);
    uint32_t at = range_behind(r, web_of_piece(r, number), p->from);
    struct live_range range;

    p->reg = which;
    p->placed = true;
    while (next_range(r, p, &at, &range))
        holding_add(r->a, which, range, number);
}

static void release(struct allocator *r, uint32_t number)
{
    struct piece *p = piece_at(r, number);
    uint32_t at = range_behind(r, web_of_piece(r, number), p->from);
    struct live_range range;

    while (next_range(r, p, &at, &range))
        holding_remove(r->a, p->reg, range, number);
    p->reg = REG_NONE;
    p->placed = false;
}

/* The registers of its class that are free wherever the piece is alive. */
static regset free_registers(const struct allocator *r, const struct piece *p)
{
    const struct web *w = &r->a->webs.data[p->web];
    uint32_t at = range_behind(r, w, p->from);
    regset class = class_of(w), set = class;
    struct live_range range;

    while (set != 0 && next_range(r, p, &at, &range))
        set &= ~holding_taken(r->a, range);
    return set;
}

static regset register_of(const struct allocator *r, uint32_t number)
{
    const struct piece *p = &r->a->pieces.data[number];
    return number != 0 && p->reg != REG_NONE ? regset_of(p->reg) : 0;
}

/* Of the registers in FREE one that is better than the others: what instructions want, that of a neighbour piece, that of
 * the hinted web next to it. REG_NONE: none is. */
static reg hinted(struct allocator *r, uint32_t number, regset free)
{
    const struct piece *p = piece_at(r, number);
    struct web *w = web_of_piece(r, number), *other = &r->a->webs.data[w->hint_web];
    uint32_t end = w->need_first + w->need_count, q;
    unsigned count = 0;
    regset near;

    for (uint32_t n = need_from(r, w, p->from / 2); n < end && r->a->needs.data[n].inst * 2 < p->to && count < 3; n++) {
        reg hint = r->a->needs.data[n].hint;
        if (hint == REG_NONE)
            continue;
        if (regset_has(free, hint))
            return hint;
        count++;
    }
    near = (register_of(r, p->previous) | register_of(r, p->next)) & free;
    if (near != 0 || w->hint_web == 0)
        return near != 0 ? regset_first(near) : REG_NONE;
    q = other->cursor;
    if (piece_at(r, q)->from > p->from)
        q = other->piece;
    for (; q != 0 && piece_at(r, q)->from <= p->to + 2; q = piece_at(r, q)->next) {
        if (piece_at(r, q)->to + 2 < p->from)
            other->cursor = q;
        else if ((register_of(r, q) & free) != 0)
            return piece_at(r, q)->reg;
    }
    return REG_NONE;
}

static bool try_free(struct allocator *r, uint32_t number)
{
    regset free = free_registers(r, piece_at(r, number)), plain;
    reg chosen;

    if (free == 0)
        return false;
    chosen = hinted(r, number, free);
    /* the registers that instructions want for themselves last */
    plain = free & (target_native.int_homes | target_native.vector_homes);
    if (chosen == REG_NONE)
        chosen = regset_first(plain != 0 ? plain : free);
    place_in_register(r, number, chosen);
    return true;
}

/* The heaviest piece in the way in WHICH; WEIGHT_MOST if something is that cannot give way. */
static float weight_in_way(const struct allocator *r, const struct piece *p, reg which, float limit)
{
    uint32_t at = range_behind(r, &r->a->webs.data[p->web], p->from);
    struct live_range range;
    float most = 0;

    while (most < limit && next_range(r, p, &at, &range)) {
        size_t count;
        const struct held *held = holding_in(r->a, which, range, &count);
        for (size_t k = 0; k < count && most < limit; k++) {
            float weight = held[k].piece == FIXED_PIECE ? WEIGHT_MOST : r->a->pieces.data[held[k].piece].weight;
            most = weight > most ? weight : most;
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
    while (next_range(r, p, &at, &range)) {
        size_t count;
        const struct held *held = holding_in(r->a, which, range, &count);
        for (size_t k = 0; k < count; k++)
            vec_push(&r->victims, held[k].piece);
    }
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
    piece_at(r, behind)->previous = number;
    if (p->next != 0)
        piece_at(r, p->next)->previous = behind;
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

/* The heads of loops that follow in f->order, by place in it: UINT32_MAX none. */
static void find_heads(struct allocator *r)
{
    size_t count = r->f->order.len;
    uint32_t next = UINT32_MAX;

    r->next_head = arena_array(&r->f->scratch, uint32_t, count + 1);
    r->next_head[count] = next;
    for (size_t n = count; n-- > 0;) {
        uint32_t b = r->f->order.data[n], loop = ir_block(r->f, b)->loop;
        if (loop != 0 && r->f->loops.data[loop].head == b)
            next = b;
        r->next_head[n] = next;
    }
}

/* A loop that the piece reaches into or spans without being inside: the outermost such, the first of them. 0: none */
static uint32_t loop_to_cut_at(const struct allocator *r, const struct piece *p)
{
    uint32_t block = r->a->block_of[p->from / 2], found = 0, head;

    for (uint32_t l = ir_block(r->f, block)->loop; l != 0; l = r->f->loops.data[l].parent) {
        if (loop_to(r, &r->f->loops.data[l]) >= p->to)
            break;
        found = l;
    }
    if (found != 0)
        return found;
    head = r->next_head[ir_block(r->f, block)->order + 1];
    if (head != UINT32_MAX && r->mf->blocks[head].first * 2 < p->to)
        return ir_block(r->f, head)->loop;
    return 0;
}

static bool cut_at_loop(struct allocator *r, uint32_t number)
{
    uint32_t found = loop_to_cut_at(r, piece_at(r, number));

    if (found == 0)
        return false;
    return cut_out(r, number, loop_from(r, &r->f->loops.data[found]), loop_to(r, &r->f->loops.data[found]));
}

/* The even position up to which the piece may have the register that stays free longest. */
static uint32_t longest_free(struct allocator *r, uint32_t number)
{
    const struct piece *p = piece_at(r, number);
    const struct web *w = web_of_piece(r, number);
    uint32_t at = range_behind(r, w, p->from);
    regset set = class_of(w);
    struct live_range range;

    while (next_range(r, p, &at, &range)) {
        uint32_t until = holding_run(r->a, range, &set);
        if (until < range.to)
            return until & ~1u;
    }
    return UINT32_MAX & ~1u;
}

/* Where a piece that is alive at CALL is to be cut: around loops, then from the first need of a register to the next call.
 * FIRST: that need, which there is. */
static uint32_t place_to_cut(const struct allocator *r, const struct piece *p, const struct need *first, uint32_t call)
{
    uint32_t loop = loop_to_cut_at(r, p);

    if (loop != 0) {
        uint32_t from = loop_from(r, &r->f->loops.data[loop]);
        return from > p->from ? from : loop_to(r, &r->f->loops.data[loop]);
    }
    return first->inst * 2 > p->from && call <= first->inst * 2 ? first->inst * 2 : call & ~1u;
}

/* Queues a web's pieces. What is alive at calls is cut there beforehand, all in one walk: what is in no register behind
 * the one call competes for none before the next need. */
static void queue_web(struct allocator *r, uint32_t first_piece)
{
    for (uint32_t number = first_piece; number != 0;) {
        struct piece *p = piece_at(r, number);
        uint32_t call = first_call(r, p);
        const struct need *first = call != UINT32_MAX ? next_need(r, p, p->from) : NULL;

        if (first != NULL) {
            cut(r, number, place_to_cut(r, p, first, call));
            continue;
        }
        if (call == UINT32_MAX)
            requeue(r, number);
        else
            p->placed = true; /* nothing wants it in a register */
        number = piece_at(r, number)->next;
    }
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
    uint32_t until;

    if (first == NULL) { /* nothing wants it in a register */
        p->placed = true;
        return;
    }
    if (cut_at_loop(r, number))
        return;
    until = longest_free(r, number);
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

void allocate_registers(struct allocation *a)
{
    struct allocator *r = calloc(1, sizeof *r);

    if (r == NULL)
        out_of_memory();
    r->a = a;
    r->mf = a->mf;
    r->f = a->mf->ir;
    count_calls(r);
    find_heads(r);
    holding_begin(a);
    for (size_t i = 0; i < a->mf->reservations.len; i++) {
        const struct mach_reservation *v = &a->mf->reservations.data[i];
        holding_add(a, v->reg, (struct live_range){v->from, v->to}, FIXED_PIECE);
    }
    vec_push(&a->pieces, (struct piece){0});
    for (uint32_t w = 1; w < a->webs.len; w++) {
        const struct web *web = &a->webs.data[w];
        uint32_t last = web->range_first + web->range_count - 1;
        uint32_t p = new_piece(r, w, a->ranges.data[web->range_first].from & ~1u, (a->ranges.data[last].to + 1) & ~1u);
        a->webs.data[w].piece = a->webs.data[w].cursor = p;
        queue_web(r, p);
    }
    while (r->queue.len != 0) {
        uint32_t number = dequeue(r);
        if (!try_free(r, number) && !try_evict(r, number))
            split(r, number);
    }
    vec_done(&r->queue);
    vec_done(&r->victims);
    ir_leave_scratch(r->f);
    free(r);
}
