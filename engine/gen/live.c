/* Where virtual registers are alive, and which of them become one web.
 *
 * Per register: from each use upwards through the blocks to the definition (Boissinot et al. 2008, "by use"): the work
 * is proportional to the result and needs no sets of registers per block. */
#include "engine/gen/regalloc.h"
#include <assert.h>

struct use_list { /* per virtual register, by counting sort */
    uint32_t *first;
    uint32_t *end; /* exclusive ends of life, positions */
    uint32_t *block;
    uint32_t count;
};

struct live {
    struct allocation *a;
    struct mach_func *mf;
    struct ir_func *f;
    uint32_t vregs;
    uint32_t *def_position, *def_block;
    struct use_list uses;
    uint32_t *at_end; /* by block: the last register that was seen alive at its end */
    VEC(uint32_t) work;
    struct { /* ranges of the register at hand, by the place in f->order of the block where they begin */
        uint64_t *begins;
        uint32_t *to;
        uint32_t low, high; /* words of `begins` */
    } found;
    uint32_t *parent;             /* union-find of webs, by virtual register */
    size_t ranges_most;           /* beyond so many they are packed */
    struct live_range *ranges_of; /* by virtual register: first and count, as from and to */
};

static uint32_t block_start(const struct live *l, uint32_t b)
{
    return l->mf->blocks[b].first * 2;
}

static uint32_t block_end(const struct live *l, uint32_t b)
{
    return l->mf->blocks[b].end * 2;
}

static void find_definitions(struct live *l)
{
    for (uint32_t m = 0; m < l->mf->insts.len; m++) {
        const struct mach *i = &l->mf->insts.data[m];
        for (uint32_t k = 0; k < i->def_count; k++) {
            uint32_t v = l->mf->defs.data[i->def_first + k];
            l->def_position[v] = i->op == MACH_BLOCK ? 2 * m : 2 * m + 1;
            l->def_block[v] = l->a->block_of[m];
        }
        if (i->temp != 0) {
            l->def_position[i->temp] = 2 * m;
            l->def_block[i->temp] = l->a->block_of[m];
        }
    }
}

static bool is_value(const struct live *l, uint32_t v)
{
    return v >= l->f->insts.len || !ir_is_const(l->f, v);
}

typedef void visit_use(struct live *l, uint32_t v, uint32_t end, uint32_t block);

static void each_use(struct live *l, visit_use *visit)
{
    static const uint8_t ends[] = {[MACH_ANYWHERE] = 0, [MACH_OPERAND] = 1, [MACH_KEPT] = 2};

    for (uint32_t m = 0; m < l->mf->insts.len; m++) {
        const struct mach *i = &l->mf->insts.data[m];
        for (uint32_t k = 0; k < i->use_count; k++) {
            const struct mach_use *u = &l->mf->uses.data[i->use_first + k];
            if (is_value(l, u->vreg))
                visit(l, u->vreg, 2 * m + ends[u->kind], l->a->block_of[m]);
        }
        if (i->temp != 0)
            visit(l, i->temp, 2 * m + 2, l->a->block_of[m]);
        if (i->op != MACH_BLOCK)
            continue;
        for (uint32_t k = 0; k < i->def_count; k++) {
            const struct ir_inst *phi = ir_inst(l->f, l->mf->defs.data[i->def_first + k]);
            const struct ir_block *b = ir_block(l->f, phi->block);
            for (uint32_t p = 0; p < b->pred_count; p++)
                if (is_value(l, phi->args[p]))
                    visit(l, phi->args[p], block_end(l, b->preds[p]), b->preds[p]);
        }
    }
}

static void count_use(struct live *l, uint32_t v, uint32_t end, uint32_t block)
{
    (void)end;
    (void)block;
    l->uses.first[v]++;
    l->uses.count++;
}

static void place_use(struct live *l, uint32_t v, uint32_t end, uint32_t block)
{
    uint32_t at = --l->uses.first[v];
    l->uses.end[at] = end;
    l->uses.block[at] = block;
}

static void collect_uses(struct live *l)
{
    uint32_t sum = 0;

    l->uses.first = arena_array(&l->f->scratch, uint32_t, l->vregs + 1);
    each_use(l, count_use);
    l->uses.end = arena_array(&l->f->scratch, uint32_t, l->uses.count);
    l->uses.block = arena_array(&l->f->scratch, uint32_t, l->uses.count);
    for (uint32_t v = 0; v < l->vregs; v++) {
        sum += l->uses.first[v];
        l->uses.first[v] = sum;
    }
    l->uses.first[l->vregs] = sum;
    each_use(l, place_use);
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */
static void add_range(struct live *l, uint32_t from, uint32_t to)
{
    vec_push(&l->a->ranges, (struct live_range){from, to});
}

/* From BLOCK's start, or the definition in it, to position TO. */
static void find_range(struct live *l, uint32_t block, uint32_t to)
{
    uint32_t n = ir_block(l->f, block)->order, word = n / 64;
    uint64_t bit = UINT64_C(1) << n % 64;

    if ((l->found.begins[word] & bit) == 0 || l->found.to[n] < to)
        l->found.to[n] = to;
    l->found.begins[word] |= bit;
    l->found.low = word < l->found.low ? word : l->found.low;
    l->found.high = word > l->found.high ? word : l->found.high;
}

/* The ranges that were found, in order; what touches or overlaps is one. */
static void take_ranges(struct live *l, uint32_t v)
{
    size_t first = l->a->ranges.len;

    for (uint32_t word = l->found.low; word <= l->found.high; word++) {
        for (uint64_t bits = l->found.begins[word]; bits != 0; bits &= bits - 1) {
            uint32_t n = word * 64 + (uint32_t)__builtin_ctzll(bits), b = l->f->order.data[n], to = l->found.to[n];
            uint32_t from = b == l->def_block[v] ? l->def_position[v] : block_start(l, b);
            if (l->a->ranges.len == first || vec_last(&l->a->ranges)->to < from)
                add_range(l, from, to);
            else if (vec_last(&l->a->ranges)->to < to)
                vec_last(&l->a->ranges)->to = to;
        }
        l->found.begins[word] = 0;
    }
    l->ranges_of[v] = (struct live_range){(uint32_t)first, (uint32_t)(l->a->ranges.len - first)};
}

static void leave_upwards(struct live *l, uint32_t block)
{
    const struct ir_block *b = ir_block(l->f, block);

    for (uint32_t p = 0; p < b->pred_count; p++)
        vec_push(&l->work, b->preds[p]);
}

/* V is alive at the end of BLOCK: one range as far up as blocks follow one another and nothing else leads into them. */
static void live_at_end(struct live *l, uint32_t v, uint32_t block)
{
    uint32_t to = block_end(l, block), top = 0;

    while (l->at_end[block] != v) {
        const struct ir_block *b = ir_block(l->f, block);
        l->at_end[block] = v;
        top = block;
        if (block == l->def_block[v])
            break;
        if (b->pred_count != 1 || block_end(l, b->preds[0]) != block_start(l, block)) {
            leave_upwards(l, block);
            break;
        }
        block = b->preds[0];
    }
    if (top != 0)
        find_range(l, top, to);
}

/* The uses of V, of which those in one block mostly follow one another, the last first. */
static void follow_uses(struct live *l, uint32_t v)
{
    uint32_t def = l->def_position[v], home = l->def_block[v], end = def + 1, seen = 0;

    for (uint32_t u = l->uses.first[v]; u < l->uses.first[v + 1]; u++) {
        uint32_t block = l->uses.block[u], until = l->uses.end[u];
        if (until == block_end(l, block)) {
            vec_push(&l->work, block);
        } else if (block == home) {
            end = until > end ? until : end;
        } else {
            find_range(l, block, until);
            if (block != seen)
                leave_upwards(l, block);
            seen = block;
        }
    }
    find_range(l, home, end);
    while (l->work.len != 0)
        live_at_end(l, v, vec_pop(&l->work));
}

/* Joins ranges that touch. */
static void join_ranges(struct live *l, size_t first)
{
    struct live_range *r = l->a->ranges.data;
    size_t n = first;

    for (size_t i = first + 1; i < l->a->ranges.len; i++) {
        if (r[n].to >= r[i].from)
            r[n].to = r[i].to > r[n].to ? r[i].to : r[n].to;
        else
            r[++n] = r[i];
    }
    l->a->ranges.len = n + 1;
}

static void compute_ranges(struct live *l, uint32_t v)
{
    l->found.low = UINT32_MAX;
    l->found.high = 0;
    follow_uses(l, v);
    take_ranges(l, v);
}

/* --- webs --------------------------------------------------------------------------------------------------------- */
static uint32_t web_root(struct live *l, uint32_t v)
{
    while (l->parent[v] != v)
        v = l->parent[v] = l->parent[l->parent[v]];
    return v;
}

static bool disjoint(const struct live *l, uint32_t v, uint32_t w)
{
    const struct live_range *x = l->a->ranges.data + l->ranges_of[v].from, *x_end = x + l->ranges_of[v].to;
    const struct live_range *y = l->a->ranges.data + l->ranges_of[w].from, *y_end = y + l->ranges_of[w].to;

    while (x != x_end && y != y_end) {
        if (x->to <= y->from)
            x++;
        else if (y->to <= x->from)
            y++;
        else
            return false;
    }
    return true;
}

enum {
    JOIN_LIMIT = 2000, /* ranges of a web: joining copies them, */
    LEFT_BEHIND =
        8192, /* and leaves the old ones behind: at least so many, and as many as are of use, before they go */
};

static void pack_ranges(struct live *l)
{
    struct live_range *packed;
    size_t count = 0;

    for (uint32_t v = 1; v < l->vregs; v++)
        if (l->def_block[v] != 0 && l->parent[v] == v)
            count += l->ranges_of[v].to;
    packed = malloc((count + LEFT_BEHIND) * sizeof *packed);
    if (packed == NULL)
        out_of_memory();
    count = 0;
    for (uint32_t v = 1; v < l->vregs; v++) {
        struct live_range *of = &l->ranges_of[v];
        if (l->def_block[v] == 0 || l->parent[v] != v)
            continue;
        memcpy(packed + count, l->a->ranges.data + of->from, of->to * sizeof *packed);
        of->from = (uint32_t)count;
        count += of->to;
    }
    free(l->a->ranges.data);
    l->a->ranges.data = packed;
    l->a->ranges.len = count;
    l->a->ranges.capacity = count + LEFT_BEHIND;
    l->ranges_most = count * 2 + LEFT_BEHIND;
}

static bool join_webs(struct live *l, uint32_t v, uint32_t w)
{
    struct live_range x, y;
    size_t first;

    if (l->a->ranges.len > l->ranges_most)
        pack_ranges(l);
    first = l->a->ranges.len;
    v = web_root(l, v);
    w = web_root(l, w);
    if (v == w)
        return true;
    x = l->ranges_of[v];
    y = l->ranges_of[w];
    if (x.to + y.to > JOIN_LIMIT || !disjoint(l, v, w))
        return false;
    vec_reserve(&l->a->ranges, x.to + y.to);
    for (uint32_t i = 0, j = 0; i < x.to || j < y.to;) {
        const struct live_range *r = l->a->ranges.data + x.from + i, *s = l->a->ranges.data + y.from + j;
        bool take_r = j == y.to || (i < x.to && r->from < s->from);
        add_range(l, take_r ? r->from : s->from, take_r ? r->to : s->to);
        i += take_r;
        j += !take_r;
    }
    join_ranges(l, first);
    l->parent[w] = v;
    l->ranges_of[v] = (struct live_range){(uint32_t)first, (uint32_t)(l->a->ranges.len - first)};
    return true;
}

/* Phis, the most frequent first: a loop's before those of what is around it. */
static void join_phis(struct live *l, float at_least)
{
    for (size_t n = 0; n < l->f->order.len; n++) {
        uint32_t b = l->f->order.data[n];
        const struct mach *head = &l->mf->insts.data[l->mf->blocks[b].first];
        if (l->mf->blocks[b].frequency < at_least)
            continue;
        for (uint32_t k = 0; k < head->def_count; k++) {
            uint32_t v = l->mf->defs.data[head->def_first + k];
            const struct ir_inst *phi = ir_inst(l->f, v);
            for (uint32_t p = phi->arg_count; p != 0; p--) /* the way back first */
                if (is_value(l, phi->args[p - 1]))
                    join_webs(l, v, phi->args[p - 1]);
        }
    }
}

/* The operand whose register the result of a two-operand instruction takes if it can; 0: none. */
static uint32_t taken_operand(const struct live *l, const struct mach *i)
{
    uint32_t v, u;

    if (i->use_count == 0 || i->def_count != 1 || i->op >= OPCODE_COUNT || ir_is_load(i->op))
        return 0;
    v = l->mf->defs.data[i->def_first];
    u = l->mf->uses.data[i->use_first].vreg;
    if (i->op == OP_SELECT && i->use_count >= 2)
        u = l->mf->uses.data[i->use_first + i->use_count - 1].vreg;
    return mach_type_is_vector(l->mf->types.data[u]) == mach_type_is_vector(l->mf->types.data[v]) ? u : 0;
}

enum { CHAIN_MOST = 64 }; /* positions */

static bool is_short(struct live *l, uint32_t v)
{
    struct live_range web = l->ranges_of[web_root(l, v)];
    return web.to == 1 && l->a->ranges.data[web.from].to - l->a->ranges.data[web.from].from <= CHAIN_MOST;
}

/* Values of one block that an instruction makes of one another, the last use of the one being what makes the next. Given
 * registers one by one, the heaviest first, they would be moved from one to the other. What phis connect stays as it is. */
static void join_chains(struct live *l)
{
    bool *connected = arena_array(&l->a->arena, bool, l->vregs);

    for (uint32_t v = 1; v < l->vregs; v++)
        if (web_root(l, v) != v)
            connected[v] = connected[web_root(l, v)] = true;
    for (uint32_t m = 0; m < l->mf->insts.len; m++) {
        const struct mach *i = &l->mf->insts.data[m];
        uint32_t u = taken_operand(l, i), v;
        if (u == 0 || !is_value(l, u))
            continue;
        v = l->mf->defs.data[i->def_first];
        if (connected[u] || connected[v] || l->mf->types.data[u] != l->mf->types.data[v]) /* a web has one width */
            continue;
        if (is_short(l, u) && is_short(l, v) && l->def_block[u] == l->def_block[v])
            join_webs(l, u, v);
    }
}

static void make_webs(struct live *l)
{
    struct allocation *a = l->a;

    vec_push(&a->webs, (struct web){0});
    for (uint32_t v = 1; v < l->vregs; v++) {
        uint32_t root;
        if (l->def_block[v] == 0)
            continue;
        root = web_root(l, v);
        if (a->web_of[root] == 0) {
            a->web_of[root] = (uint32_t)a->webs.len;
            vec_push(&a->webs, (struct web){.range_first = l->ranges_of[root].from,
                                            .range_count = l->ranges_of[root].to,
                                            .type = l->mf->types.data[v]});
        }
        a->web_of[v] = a->web_of[root];
    }
}

/* --- needs -------------------------------------------------------------------------------------------------------- */
static reg abi_register(const struct abi_place place, const reg *ints, const reg *vectors)
{
    return place.kind == ABI_INT ? ints[place.index] : place.kind == ABI_VECTOR ? vectors[place.index] : REG_NONE;
}

static const struct type_def *callee_type(const struct live *l, const struct mach *i)
{
    return mach_callee_type(l->f->module, i->op, i->imm);
}

/* The register in which operand K of a call or return travels. */
static reg argument_register(const struct live *l, const struct mach *i, uint32_t k)
{
    const struct type_def *t;
    struct abi_walk walk = {0};
    struct abi_place place = {0};

    if (i->op == IR_BUILTIN)
        return target_native.builtin_args[k];
    if (i->op == IR_BUILTIN_SLOTS)
        return REG_NONE;
    if (i->op == IR_CALL_ADDRESS || i->op == IR_TAIL_CALL_ADDRESS) {
        if (k == 0)
            return target_native.callee;
        k--;
    }
    t = i->op == IR_RETURN ? l->f->type : callee_type(l, i);
    for (uint32_t n = 0; n <= k; n++)
        place = abi_next(&walk, i->op == IR_RETURN ? t->results[n] : t->params[n]);
    return abi_register(place, i->op == IR_RETURN ? target_native.int_results : target_native.int_args,
                        target_native.vector_args);
}

static reg result_register(const struct live *l, const struct mach *i, uint32_t v)
{
    const struct type_def *t;
    struct abi_walk walk = {0};
    struct abi_place place = {0};

    if (i->op == IR_BUILTIN || i->op == IR_BUILTIN_SLOTS)
        return target_native.builtin_result;
    t = callee_type(l, i);
    for (uint32_t n = 0; n <= ir_inst(l->f, v)->imm; n++)
        place = abi_next(&walk, t->results[n]);
    return abi_register(place, target_native.int_results, target_native.vector_args);
}

static reg param_register(const struct live *l, uint32_t v)
{
    struct abi_walk walk = {0};
    struct abi_place place = {0};

    for (uint32_t n = 0; n <= ir_inst(l->f, v)->imm; n++)
        place = abi_next(&walk, l->f->type->params[n]);
    return abi_register(place, target_native.int_args, target_native.vector_args);
}

static bool is_call(unsigned op)
{
    return op == IR_CALL || op == IR_CALL_ADDRESS || op == IR_BUILTIN || op == IR_BUILTIN_SLOTS;
}

static bool is_divide(unsigned op)
{
    return op < OPCODE_SPACE_VECTOR &&
           ((op >= OP_I32_DIV_S && op <= OP_I32_REM_U) || (op >= OP_I64_DIV_S && op <= OP_I64_REM_U));
}

static reg definition_hint(const struct live *l, const struct mach *i, uint32_t v)
{
    if (i->op == MACH_PARAMS)
        return param_register(l, v);
    if (is_call(i->op))
        return result_register(l, i, v);
    if (i->op == IR_EXCEPTION)
        return target_native.int_results[0];
    if (is_divide(i->op))
        return i->op == OP_I32_DIV_S || i->op == OP_I32_DIV_U || i->op == OP_I64_DIV_S || i->op == OP_I64_DIV_U
                   ? target_native.quotient
                   : target_native.remainder;
    return REG_NONE;
}

typedef void visit_need(struct live *l, uint32_t v, struct need need);

static void each_need(struct live *l, visit_need *visit)
{
    for (uint32_t m = 0; m < l->mf->insts.len; m++) {
        const struct mach *i = &l->mf->insts.data[m];
        float weight = l->mf->blocks[l->a->block_of[m]].frequency;
        for (uint32_t k = 0; k < i->use_count; k++) {
            const struct mach_use *u = &l->mf->uses.data[i->use_first + k];
            bool anywhere = u->kind == MACH_ANYWHERE;
            reg hint = anywhere ? argument_register(l, i, k) : i->op == MACH_FIX ? i->fixed : REG_NONE;
            if (is_value(l, u->vreg))
                visit(l, u->vreg, (struct need){m, weight, hint, anywhere});
        }
        for (uint32_t k = 0; k < i->def_count && i->op != MACH_BLOCK; k++) {
            uint32_t v = l->mf->defs.data[i->def_first + k];
            visit(l, v,
                  (struct need){m, weight, definition_hint(l, i, v),
                                is_call(i->op) || i->op == MACH_PARAMS || i->op == IR_EXCEPTION});
        }
        if (i->temp != 0)
            visit(l, i->temp, (struct need){m, weight, REG_NONE, false});
    }
}

static void count_need(struct live *l, uint32_t v, struct need need)
{
    (void)need;
    l->a->webs.data[l->a->web_of[v]].need_count++;
}

static void place_need(struct live *l, uint32_t v, struct need need)
{
    struct web *w = &l->a->webs.data[l->a->web_of[v]];
    l->a->needs.data[w->need_first + w->need_count++] = need;
}

static void collect_needs(struct live *l)
{
    struct allocation *a = l->a;
    uint32_t sum = 0;

    each_need(l, count_need);
    for (size_t w = 1; w < a->webs.len; w++) {
        a->webs.data[w].need_first = sum;
        sum += a->webs.data[w].need_count;
        a->webs.data[w].need_count = 0;
    }
    vec_reserve(&a->needs, sum);
    a->needs.len = sum;
    each_need(l, place_need);
}

/* The result of a two-operand instruction likes the register of its first operand. */
static void add_hints(struct live *l)
{
    for (uint32_t m = 0; m < l->mf->insts.len; m++) {
        const struct mach *i = &l->mf->insts.data[m];
        uint32_t u = taken_operand(l, i), v;
        if (u == 0)
            continue;
        v = l->mf->defs.data[i->def_first];
        l->a->webs.data[l->a->web_of[v]].hint_web = l->a->web_of[u];
        if (l->a->webs.data[l->a->web_of[u]].hint_web == 0)
            l->a->webs.data[l->a->web_of[u]].hint_web = l->a->web_of[v];
    }
}

void live_compute(struct allocation *a)
{
    struct live l = {.a = a, .mf = a->mf, .f = a->mf->ir, .vregs = (uint32_t)a->mf->types.len};
    uint32_t blocks = (uint32_t)l.f->blocks.len;

    a->webs.len = a->ranges.len = a->needs.len = a->pieces.len = a->boundaries.len = 0;
    for (unsigned r = 0; r < REG_COUNT; r++)
        a->regs[r].list.len = 0;
    arena_reset(&a->arena);
    a->web_of = arena_array(&a->arena, uint32_t, l.vregs);
    a->block_of = arena_array(&a->arena, uint32_t, a->mf->insts.len);
    for (size_t n = 0; n < l.f->order.len; n++)
        for (uint32_t b = l.f->order.data[n], m = a->mf->blocks[b].first; m < a->mf->blocks[b].end; m++)
            a->block_of[m] = b;
    l.def_position = arena_array(&l.f->scratch, uint32_t, l.vregs);
    l.def_block = arena_array(&l.f->scratch, uint32_t, l.vregs);
    l.parent = arena_array(&l.f->scratch, uint32_t, l.vregs);
    l.ranges_of = arena_array(&l.f->scratch, struct live_range, l.vregs);
    l.at_end = arena_array(&l.f->scratch, uint32_t, blocks);
    l.found.begins = arena_array(&l.f->scratch, uint64_t, blocks / 64 + 1);
    l.found.to = arena_array(&l.f->scratch, uint32_t, blocks);
    find_definitions(&l);
    collect_uses(&l);
    for (uint32_t v = 1; v < l.vregs; v++) {
        l.parent[v] = v;
        if (l.def_block[v] != 0)
            compute_ranges(&l, v);
    }
    l.ranges_most = a->ranges.len * 2 + LEFT_BEHIND;
    for (int power = 15; power >= 0; power -= 3)
        join_phis(&l, (float)(1 << power));
    join_phis(&l, 0);
    if (!ir_leaves_out(l.f, OPT_chains))
        join_chains(&l);
    make_webs(&l);
    collect_needs(&l);
    add_hints(&l);
    vec_done(&l.work);
    ir_leave_scratch(l.f);
}
