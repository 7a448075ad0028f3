/* See loop_log.h. */
#include "engine/loop_log.h"
#include "engine/gen/target.h"

enum {
    INNER_ROUNDS = 8, /* assumed rounds of an inner loop for one of the outer */
    WEIGHT_LIMIT = 1 << 20,
    INSTRUCTIONS_PER_CALL = 24, /* a loop with fewer is dominated by its calls, which leave nothing in registers */
};

struct loop_weight {
    uint32_t weight;
    uint32_t writes; /* LOOP_USE_WRITES or 0 */
};

void loop_log_reserve(struct loop_log *log, size_t body_bytes)
{
    size_t room = body_bytes / 2 + 1;

    if (room <= log->capacity)
        return;
    free(log->uses);
    log->capacity = 0;
    log->uses = vec_grow(NULL, &log->capacity, room, sizeof *log->uses);
}

void loop_log_begin(struct loop_log *log, uint32_t local_count, size_t body_bytes)
{
    size_t weights = log->weight_capacity;

    loop_log_reserve(log, body_bytes);
    log->next = log->uses;
    log->step = 0;
    log->open.len = 0;
    if (log->out == NULL)
        return;
    vec_push(&log->out->functions, (uint32_t)log->out->loops.len);
    if (local_count <= weights)
        return;
    log->weights = vec_grow(log->weights, &log->weight_capacity, local_count, sizeof *log->weights);
    memset(log->weights + weights, 0, (log->weight_capacity - weights) * sizeof *log->weights);
}

void loop_log_done(struct loop_log *log)
{
    free(log->uses);
    free(log->weights);
    vec_done(&log->open);
}

static void count_instructions(struct loop_log *log, size_t at)
{
    log->instructions += (uint32_t)(at - log->counted_at) / 2; /* about */
    log->counted_at = at;
}

void loop_log_open(struct loop_log *log, size_t at)
{
    if (log->out == NULL)
        return;
    if (log->open.len == 0) {
        log->next = log->uses;
        log->counted_at = at;
        log->instructions = log->calls = 0;
    }
    count_instructions(log, at);
    vec_push(&log->open, (struct loop_open){(uint32_t)log->out->loops.len, (size_t)(log->next - log->uses),
                                            log->instructions, log->calls});
    vec_push(&log->out->loops, (struct loop_info){0});
    log->instructions = log->calls = 0;
    log->step = 1;
}

/* Adds the uses from FIRST on up per local: afterwards each local stands there once. */
static void add_up(struct loop_log *log, struct loop_use *first)
{
    struct loop_use *unique = first;

    for (const struct loop_use *at = first; at != log->next; at++) {
        struct loop_use use = *at; /* its place may be written next */
        uint32_t local = use.local & ~(uint32_t)LOOP_USE_WRITES;
        struct loop_weight *w = &log->weights[local];
        if (w->weight == 0)
            *unique++ = (struct loop_use){local, 0};
        w->weight += use.weight;
        if (w->weight > WEIGHT_LIMIT)
            w->weight = WEIGHT_LIMIT;
        w->writes |= use.local & LOOP_USE_WRITES;
    }
    log->next = unique;
}

/* Keeps the COUNT_MAX heaviest locals of one register class, heaviest first; locals of equal weight in the order of
 * first use. */
static void select_heaviest(struct loop_log *log, const struct loop_use *uses, const valtype *locals, bool vector,
                            unsigned count_max)
{
    struct loops *out = log->out;
    size_t first = out->locals.len;

    for (const struct loop_use *use = uses; use != log->next; use++) {
        const struct loop_weight *w = &log->weights[use->local];
        size_t at = out->locals.len;
        if (type_is_vector(valtype_code(locals[use->local])) != vector)
            continue;
        while (at > first && log->weights[out->locals.data[at - 1].local].weight < w->weight)
            at--;
        if (at - first >= count_max)
            continue;
        vec_push(&out->locals, (struct loop_local){0});
        memmove(&out->locals.data[at + 1], &out->locals.data[at],
                (out->locals.len - 1 - at) * sizeof out->locals.data[0]);
        out->locals.data[at] = (struct loop_local){use->local, w->writes != 0};
        if (out->locals.len - first > count_max)
            out->locals.len--;
    }
}

/* What is left of a loop's uses for the loop around it. */
static void weigh_for_outer(struct loop_log *log, struct loop_use *first)
{
    for (struct loop_use *use = first; use != log->next; use++) {
        struct loop_weight *w = &log->weights[use->local];
        use->weight = w->weight > WEIGHT_LIMIT / INNER_ROUNDS ? WEIGHT_LIMIT : w->weight * INNER_ROUNDS;
        use->local |= w->writes;
        *w = (struct loop_weight){0};
    }
}

void loop_log_close(struct loop_log *log, size_t at, const valtype *locals)
{
    struct loop_open open;
    struct loop_info *loop;
    struct loop_use *first;

    if (log->out == NULL)
        return;
    count_instructions(log, at);
    open = vec_pop(&log->open);
    first = log->uses + open.first;
    loop = &log->out->loops.data[open.loop];
    add_up(log, first);
    loop->first = (uint32_t)log->out->locals.len;
    loop->calls = log->calls * INSTRUCTIONS_PER_CALL > log->instructions;
    select_heaviest(log, first, locals, false, (unsigned)__builtin_popcountll(target_native.int_homes));
    select_heaviest(log, first, locals, true, (unsigned)__builtin_popcountll(target_native.vector_homes));
    loop->count = (uint32_t)log->out->locals.len - loop->first;
    weigh_for_outer(log, first);
    log->instructions = log->instructions * INNER_ROUNDS + open.instructions;
    log->calls = log->calls * INNER_ROUNDS + open.calls;
    if (log->instructions > WEIGHT_LIMIT) { /* keeps the ratio */
        log->instructions /= INNER_ROUNDS;
        log->calls /= INNER_ROUNDS;
    }
    log->step = log->open.len != 0;
}
