/* Which locals deserve a register in a loop: a look ahead over the bodies of outermost loops, each byte read once.
 *
 * Uses of locals are logged in order. Where a loop ends, its part of the log is added up per local and replaced by
 * the sums, weighted with how often an inner loop runs for one round of the outer; so the work stays linear in the
 * length of the body. */
#include "engine/baseline/compiler.h"
#include <assert.h>

enum {
    INNER_ROUNDS = 8, /* assumed rounds of an inner loop for one of the outer */
    WEIGHT_LIMIT = 1 << 20,
    INSTRUCTIONS_PER_CALL = 24, /* a loop with fewer is dominated by its calls, which leave nothing in registers */
    NOT_A_LOOP = UINT32_MAX,
};

struct use {
    uint32_t local, weight;
    bool written;
};

struct open_block {
    uint32_t loop; /* index in c->loops, or NOT_A_LOOP */
    size_t log_start;
    uint32_t instructions, calls;
};

struct scan { /* kept from one scan to the next for its memory */
    VEC(struct use) log;
    VEC(struct open_block) blocks;
    uint32_t instructions, calls; /* of the innermost loop so far */
};

static void open_block(struct compiler *c, struct scan *s, bool is_loop)
{
    struct open_block block = {NOT_A_LOOP, s->log.len, s->instructions, s->calls};

    if (is_loop) {
        block.loop = (uint32_t)c->loops.len;
        vec_push(&c->loops, (struct loop_info){0});
        s->instructions = s->calls = 0;
    }
    vec_push(&s->blocks, block);
}

/* Adds the log from START on up per local: afterwards each local stands there once. */
static void add_up(struct compiler *c, struct scan *s, size_t start)
{
    size_t unique = start;

    for (size_t i = start; i < s->log.len; i++) {
        struct use *use = &s->log.data[i];
        struct local *l = &c->locals[use->local];
        if (l->scan_weight == 0) {
            s->log.data[unique++] = *use;
            l->scan_written = false;
        }
        l->scan_weight += use->weight;
        if (l->scan_weight > WEIGHT_LIMIT)
            l->scan_weight = WEIGHT_LIMIT;
        l->scan_written |= use->written;
    }
    s->log.len = unique;
}

/* Keeps the COUNT_MAX heaviest locals of one register class, heaviest first; locals of equal weight in the order of
 * first use. */
static void select_heaviest(struct compiler *c, const struct scan *s, size_t start, bool vector, unsigned count_max)
{
    size_t first = c->scan_locals.len;

    for (size_t i = start; i < s->log.len; i++) {
        uint32_t local = s->log.data[i].local;
        size_t at = c->scan_locals.len;
        if (type_is_vector(c->locals[local].type) != vector)
            continue;
        while (at > first && c->locals[c->scan_locals.data[at - 1].local].scan_weight < c->locals[local].scan_weight)
            at--;
        if (at - first >= count_max)
            continue;
        vec_push(&c->scan_locals, (struct loop_local){0});
        memmove(&c->scan_locals.data[at + 1], &c->scan_locals.data[at],
                (c->scan_locals.len - 1 - at) * sizeof c->scan_locals.data[0]);
        c->scan_locals.data[at] = (struct loop_local){local, c->locals[local].scan_written};
        if (c->scan_locals.len - first > count_max)
            c->scan_locals.len--;
    }
}

static void close_loop(struct compiler *c, struct scan *s, const struct open_block *block)
{
    struct loop_info *loop = &c->loops.data[block->loop];

    add_up(c, s, block->log_start);
    loop->first = (uint32_t)c->scan_locals.len;
    loop->calls = s->calls * INSTRUCTIONS_PER_CALL > s->instructions;
    select_heaviest(c, s, block->log_start, false, (unsigned)__builtin_popcountll(target_native.int_homes));
    select_heaviest(c, s, block->log_start, true, (unsigned)__builtin_popcountll(target_native.vector_homes));
    loop->count = (uint32_t)c->scan_locals.len - loop->first;
    for (size_t i = block->log_start; i < s->log.len; i++) {
        struct use *use = &s->log.data[i];
        struct local *l = &c->locals[use->local];
        use->weight = l->scan_weight > WEIGHT_LIMIT / INNER_ROUNDS ? WEIGHT_LIMIT : l->scan_weight * INNER_ROUNDS;
        use->written = l->scan_written;
        l->scan_weight = 0;
    }
    s->instructions = s->instructions * INNER_ROUNDS + block->instructions;
    s->calls = s->calls * INNER_ROUNDS + block->calls;
    if (s->instructions > WEIGHT_LIMIT) { /* keeps the ratio */
        s->instructions /= INNER_ROUNDS;
        s->calls /= INNER_ROUNDS;
    }
}

/* What follows each one-byte instruction that the scan passes over, or only notes. */
enum { SKIP_OTHER, SKIP_NOTHING, SKIP_INTEGER, SKIP_TWO_INTEGERS, SKIP_LOCAL_READ, SKIP_LOCAL_WRITE };

static const uint8_t skips[256] = {
    [OP_I32_EQZ... OP_I64_EXTEND32_S] = SKIP_NOTHING,
    [OP_DROP... OP_SELECT] = SKIP_NOTHING,
    [OP_ELSE] = SKIP_NOTHING,
    [OP_RETURN] = SKIP_NOTHING,
    [OP_BR... OP_BR_IF] = SKIP_INTEGER,
    [OP_GLOBAL_GET... OP_GLOBAL_SET] = SKIP_INTEGER,
    [OP_I32_CONST... OP_I64_CONST] = SKIP_INTEGER,
    [OP_I32_LOAD... OP_I64_STORE32] = SKIP_TWO_INTEGERS,
    [OP_LOCAL_GET] = SKIP_LOCAL_READ,
    [OP_LOCAL_SET... OP_LOCAL_TEE] = SKIP_LOCAL_WRITE,
};

static const uint8_t *skip_integer(const uint8_t *at)
{
    while ((*at++ & 0x80) != 0)
        ;
    return at;
}

/* Up to the next instruction that opens or ends a block, calls, or is rare (among them a load from a memory other
 * than the first). */
static void scan_plain(struct scan *s, struct rd *r)
{
    const uint8_t *start = r->at;

    for (;;) {
        uint8_t skip = skips[*r->at];
        if (skip == SKIP_OTHER || (skip == SKIP_TWO_INTEGERS && r->at[1] >= 0x40))
            break;
        r->at++;
        if (skip >= SKIP_LOCAL_READ) {
            vec_push(&s->log, (struct use){read_u32(r), 1, skip == SKIP_LOCAL_WRITE});
        } else if (skip >= SKIP_INTEGER) {
            r->at = skip_integer(r->at);
            if (skip == SKIP_TWO_INTEGERS)
                r->at = skip_integer(r->at);
        }
    }
    s->instructions += (uint32_t)(r->at - start) / 2; /* about */
}

static void scan_instruction(struct compiler *c, struct scan *s, struct rd *r)
{
    enum opcode op;

    scan_plain(s, r);
    op = body_opcode(r);
    s->instructions++;
    switch (op) {
    case OP_LOOP:
        body_block_type(r);
        open_block(c, s, true);
        break;
    case OP_BLOCK:
    case OP_IF:
    case OP_TRY:
    case OP_TRY_TABLE:
        body_skip_immediate(r, op);
        open_block(c, s, false);
        break;
    case OP_DELEGATE: body_skip_immediate(r, op); /* fall through */
    case OP_END: {
        struct open_block block = vec_pop(&s->blocks);
        if (block.loop != NOT_A_LOOP)
            close_loop(c, s, &block);
        break;
    }
    case OP_CALL:
    case OP_CALL_INDIRECT:
    case OP_CALL_REF:
    case OP_MEMORY_GROW:
    case OP_MEMORY_COPY:
    case OP_MEMORY_FILL:
        s->calls++;
        body_skip_immediate(r, op);
        break;
    default: body_skip_immediate(r, op);
    }
}

void scan_loop(struct compiler *c, struct rd r)
{
    struct scan *s = c->scan;

    if (s == NULL && (s = c->scan = calloc(1, sizeof *s)) == NULL)
        out_of_memory();
    c->loops.len = c->scan_locals.len = s->log.len = 0;
    c->next_loop = 0;
    open_block(c, s, true);
    while (s->blocks.len != 0) {
        assert(r.fault == NULL && r.at != r.end);
        scan_instruction(c, s, &r);
    }
}

void scan_done(struct compiler *c)
{
    if (c->scan == NULL)
        return;
    vec_done(&c->scan->log);
    vec_done(&c->scan->blocks);
    free(c->scan);
}

/* --- homes -------------------------------------------------------------------------------------------------------- */
static void note_homes(struct compiler *c, bool present)
{
    const struct homes *homes = vec_last(&c->homes);

    for (regset left = homes->set; left != 0; left &= left - 1)
        c->locals[homes->local_of[regset_first(left)]].home = present ? regset_first(left) : REG_NONE;
}

static void add_home(struct homes *homes, reg r, uint32_t local)
{
    homes->set |= regset_of(r);
    homes->local_of[r] = (uint16_t)local;
}

/* A register for LOCAL that is no home yet: where it is now, if that is one, else any. */
static reg choose_home(struct compiler *c, const struct homes *homes, uint32_t local)
{
    const struct local *l = &c->locals[local];
    regset left = (type_is_vector(l->type) ? target_native.vector_homes : target_native.int_homes) & ~homes->set;

    if (l->reg != REG_NONE && regset_has(left, l->reg))
        return l->reg;
    if ((left & ~c->regs.locals) != 0)
        return regset_first(left & ~c->regs.locals);
    return left != 0 ? regset_first(left) : REG_NONE;
}

static void choose_homes(struct compiler *c, const struct loop_info *loop, const struct homes *outer,
                         struct homes *homes)
{
    homes->set = 0;
    if (loop->calls)
        return;
    for (uint32_t i = 0; i < loop->count; i++) { /* an outer loop's home stays where it is */
        uint32_t local = c->scan_locals.data[loop->first + i].local;
        for (regset left = outer->set; left != 0; left &= left - 1)
            if (outer->local_of[regset_first(left)] == local)
                add_home(homes, regset_first(left), local);
    }
    for (uint32_t i = 0; i < loop->count; i++) {
        uint32_t local = c->scan_locals.data[loop->first + i].local;
        bool has = false;
        reg r;
        for (regset left = homes->set; left != 0; left &= left - 1)
            has |= homes->local_of[regset_first(left)] == local;
        r = has ? REG_NONE : choose_home(c, homes, local);
        if (r != REG_NONE)
            add_home(homes, r, local);
    }
    for (regset left = outer->set & ~homes->set; left != 0;
         left &= left - 1) { /* room for the outer's that pass through */
        reg r = regset_first(left);
        bool has = false;
        for (regset all = homes->set; all != 0; all &= all - 1)
            has |= homes->local_of[regset_first(all)] == outer->local_of[r];
        if (!has && c->locals[outer->local_of[r]].reg == r)
            add_home(homes, r, outer->local_of[r]);
    }
}

void homes_enter_loop(struct compiler *c, const struct loop_info *loop)
{
    struct homes homes;

    choose_homes(c, loop, vec_last(&c->homes), &homes);
    note_homes(c, false);
    vec_push(&c->homes, homes);
    c->home_set = homes.set;
    note_homes(c, true);
}

void homes_leave_loop(struct compiler *c)
{
    note_homes(c, false);
    c->homes.len--;
    c->home_set = vec_last(&c->homes)->set;
    note_homes(c, true);
}
