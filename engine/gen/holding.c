/* What each register holds, and where registers are taken.
 *
 * The first is a sorted list of ranges for each register, asked for what stands in the way. The second is a table of
 * register sets by position, asked far more often: which registers are free wherever a piece is alive is an OR over its
 * ranges, all registers at once. Two coarser tables, of FAN positions and of FAN of those, carry long
 * ranges. */
#include "engine/gen/regalloc.h"
#include <assert.h>

enum { FAN_BITS = 5, FAN = 1 << FAN_BITS };

void holding_begin(struct allocation *a)
{
    size_t count = a->mf->insts.len * 2 + 2;

    for (unsigned level = 0; level < HOLDING_LEVELS; level++) {
        count = (count + FAN - 1) / FAN; /* whole fans, for give_back */
        a->taken[level] = arena_array(&a->mf->ir->scratch, regset, count * FAN);
    }
}

/* The number of the first entry of the register's list that ends behind POSITION. */
static size_t list_behind(const struct allocation *a, reg which, uint32_t position)
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
    size_t k = list_behind(a, r, position);
    const struct held *held = &a->regs[r].list.data[k];

    if (k == a->regs[r].list.len || held->from > position || held->piece == FIXED_PIECE)
        return 0;
    return a->pieces.data[held->piece].web;
}

const struct held *holding_in(const struct allocation *a, reg which, struct live_range range, size_t *count)
{
    size_t first = list_behind(a, which, range.from), end = first;

    while (end < a->regs[which].list.len && a->regs[which].list.data[end].from < range.to)
        end++;
    *count = end - first;
    return a->regs[which].list.data + first;
}

/* --- the tables --------------------------------------------------------------------------------------------------- */
static void take(regset *taken, uint32_t from, uint32_t to, regset set)
{
    for (uint32_t at = from; at < to; at++)
        taken[at] |= set;
}

/* Nothing of SET is left in [from, to) of the level below: here what lies wholly inside is free, and what reaches out
 * of it if nothing below it has it. */
static void give_back(struct allocation *a, unsigned level, uint32_t from, uint32_t to, regset set)
{
    for (uint32_t at = from; at < to; at++) {
        regset left = 0;
        if (level != 0 && (at == from || at + 1 == to)) {
            const regset *below = a->taken[level - 1] + (size_t)at * FAN;
            for (unsigned k = 0; k < FAN; k++)
                left |= below[k];
        }
        a->taken[level][at] &= ~set | left;
    }
}

static uint32_t round_up(uint32_t position)
{
    return (position + FAN - 1) >> FAN_BITS;
}

void holding_add(struct allocation *a, reg which, struct live_range range, uint32_t piece)
{
    size_t at = list_behind(a, which, range.from), n = a->regs[which].list.len;
    struct held next = {range.from, range.to, piece};
    struct held *data;

    vec_reserve(&a->regs[which].list, 1);
    data = a->regs[which].list.data;
    for (; at <= n; at++) { /* musl's memmove is fifteen times as slow where ranges overlap this way */
        struct held here = data[at];
        data[at] = next;
        next = here;
    }
    a->regs[which].list.len++;
    for (unsigned level = 0; level < HOLDING_LEVELS; level++) {
        take(a->taken[level], range.from, range.to, regset_of(which));
        range = (struct live_range){range.from >> FAN_BITS, round_up(range.to)};
    }
}

void holding_remove(struct allocation *a, reg which, struct live_range range, uint32_t piece)
{
    size_t at = list_behind(a, which, range.from), n = a->regs[which].list.len;
    struct held *data = a->regs[which].list.data;

    assert(at < n && data[at].piece == piece);
    memmove(data + at, data + at + 1, (n - at - 1) * sizeof *data);
    a->regs[which].list.len--;
    for (unsigned level = 0; level < HOLDING_LEVELS; level++) {
        give_back(a, level, range.from, range.to, regset_of(which));
        range = (struct live_range){range.from >> FAN_BITS, round_up(range.to)};
    }
}

/* At LEVEL; what begins or ends inside an entry of the next is looked at here. */
static regset taken_at(const struct allocation *a, unsigned level, uint32_t from, uint32_t to)
{
    const regset *taken = a->taken[level];
    uint32_t inner_from = round_up(from), inner_to = to >> FAN_BITS;
    regset set = 0;

    if (level + 1 == HOLDING_LEVELS || inner_from >= inner_to) {
        for (; from < to; from++)
            set |= taken[from];
        return set;
    }
    for (; from < inner_from << FAN_BITS; from++)
        set |= taken[from];
    for (from = inner_to << FAN_BITS; from < to; from++)
        set |= taken[from];
    return set | taken_at(a, level + 1, inner_from, inner_to);
}

regset holding_taken(const struct allocation *a, struct live_range range)
{
    return taken_at(a, 0, range.from, range.to);
}

uint32_t holding_run(const struct allocation *a, struct live_range range, regset *set)
{
    for (uint32_t at = range.from; at < range.to;) {
        regset left;
        if (at % FAN == 0 && at + FAN <= range.to && (a->taken[1][at >> FAN_BITS] & *set) == 0) {
            at += FAN;
            continue;
        }
        left = *set & ~a->taken[0][at];
        if (left == 0)
            return at;
        *set = left;
        at++;
    }
    return range.to;
}
