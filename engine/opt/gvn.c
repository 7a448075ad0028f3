/* Value numbering over the dominator tree, with folding on the way: an instruction is replaced by an equal one that
 * dominates it. Loads take part: what memory holds has a number too, which stores and calls change, per block where
 * ways meet and per loop that writes. A store makes its value known to the loads behind it. */
#include "engine/baseline/masm.h"
#include "engine/opt/fold.h"
#include "engine/opt/pass.h"

/* linear memory; globals, tables, sizes; what objects hold */
enum state_kind { STATE_MEMORY, STATE_INTERNAL, STATE_OBJECTS, STATE_COUNT };

struct states {
    uint32_t number[STATE_COUNT];
};

struct entry {
    ir_value value, result; /* result: what it is equal to (of a store: what was stored) */
    uint32_t hash, next, state;
};

struct numbering {
    struct ir_func *f;
    uint32_t *buckets, mask;
    VEC(struct entry) entries;
    struct states *at_end; /* by block */
    bool *loop_writes;     /* by loop: each kind */
    uint32_t last_state;
};

static bool is_numbered(unsigned op)
{
    return op != IR_CONST && op != IR_COPY && (ir_effects(op) & (IR_WRITES | IR_TERMINATOR | IR_PINNED)) == 0;
}

/* The state of what I, which is or could be a load, reads; 0: it never changes. */
static uint32_t state_read(const struct states *s, const struct ir_inst *i)
{
    if ((ir_effects(i->op) & IR_READS) == 0 || (i->op == IR_FIELD_LOAD && (i->imm & IR_FIELD_FIXED) != 0))
        return 0;
    return s->number[ir_is_load(i->op) ? STATE_MEMORY : i->op == IR_FIELD_LOAD ? STATE_OBJECTS : STATE_INTERNAL];
}

/* What a fault means matters to the first load only. */
static uint64_t numbered_imm(const struct ir_inst *i)
{
    return i->op == IR_FIELD_LOAD ? i->imm & ~IR_FIELD_KIND_MASK : i->imm;
}

static uint32_t hash_of(struct ir_inst *i, uint32_t state)
{
    uint64_t h = i->op * UINT64_C(0x9e3779b97f4a7c15) ^ numbered_imm(i) ^ (uint64_t)state << 40 ^ i->lane;

    for (uint32_t k = 0; k < i->arg_count; k++)
        h = (h ^ i->arg[k]) * UINT64_C(0xff51afd7ed558ccd) ^ h >> 29;
    return (uint32_t)(h ^ h >> 32);
}

static bool same(const struct ir_inst *a, const struct ir_inst *b)
{
    return a->op == b->op && a->type == b->type && numbered_imm(a) == numbered_imm(b) && a->lane == b->lane &&
           a->arg_count == b->arg_count && memcmp(a->arg, b->arg, sizeof a->arg) == 0;
}

static ir_value find(const struct numbering *n, ir_value v, uint32_t hash, uint32_t state)
{
    const struct ir_inst *i = ir_inst(n->f, v);

    for (uint32_t e = n->buckets[hash & n->mask]; e != 0; e = n->entries.data[e].next) {
        const struct entry *entry = &n->entries.data[e];
        if (entry->hash == hash && entry->state == state && same(ir_inst(n->f, entry->value), i) &&
            ir_dominates(n->f, ir_inst(n->f, entry->value)->block, i->block))
            return entry->result;
    }
    return IR_NONE;
}

static void enter(struct numbering *n, ir_value key, ir_value result, uint32_t hash, uint32_t state)
{
    vec_push(&n->entries, (struct entry){key, result, hash, n->buckets[hash & n->mask], state});
    n->buckets[hash & n->mask] = (uint32_t)n->entries.len - 1;
}

/* --- what writes -------------------------------------------------------------------------------------------------- */
static bool writes(unsigned op, enum state_kind kind)
{
    if ((ir_effects(op) & IR_WRITES) == 0)
        return false;
    if (op == IR_FIELD_STORE)
        return kind == STATE_OBJECTS;
    return ir_is_store(op) ? kind == STATE_MEMORY : op == IR_STORE ? kind == STATE_INTERNAL : true;
}

static void note_loop_writes(struct numbering *n)
{
    struct ir_func *f = n->f;

    for (size_t k = 0; k < f->order.len; k++) {
        const struct ir_block *b = ir_block(f, f->order.data[k]);
        if (b->loop == 0)
            continue;
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next)
            for (unsigned kind = 0; kind < STATE_COUNT; kind++)
                if (writes(ir_inst(f, v)->op, kind))
                    for (uint32_t l = b->loop; l != 0; l = f->loops.data[l].parent)
                        n->loop_writes[l * STATE_COUNT + kind] = true;
    }
}

static struct states states_at(struct numbering *n, uint32_t number)
{
    const struct ir_block *b = ir_block(n->f, number);
    struct states s = {{0}};
    bool head = b->loop != 0 && n->f->loops.data[b->loop].head == number;

    for (unsigned kind = 0; kind < STATE_COUNT; kind++) {
        uint32_t state = b->pred_count != 0 ? n->at_end[b->preds[0]].number[kind] : 0;
        for (uint32_t p = 1; p < b->pred_count && !head; p++)
            if (n->at_end[b->preds[p]].number[kind] != state)
                state = 0;
        if (head && n->loop_writes[b->loop * STATE_COUNT + kind])
            state = 0;
        s.number[kind] = state != 0 ? state : ++n->last_state;
    }
    return s;
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */
/* The load that would read all of what was stored, as it is; 0: none, or the value changes on the way. */
static unsigned load_of_store(unsigned op)
{
    switch (op) {
    case OP_I32_STORE: return OP_I32_LOAD;
    case OP_I64_STORE: return OP_I64_LOAD;
    case OP_F32_STORE: return OP_F32_LOAD;
    case OP_F64_STORE: return OP_F64_LOAD;
    case OP_V128_STORE: return OP_V128_LOAD;
    default: return 0;
    }
}

/* The same of a field: none where the value is cut. */
static unsigned load_of_field(const struct ir_inst *i)
{
    return (i->lane & ((1 << IR_FIELD_SCALE_SHIFT) - 1)) >= ACCESS_32_S ? IR_FIELD_LOAD : 0;
}

static void enter_store(struct numbering *n, ir_value v, const struct states *s)
{
    struct ir_inst *i = ir_inst(n->f, v), *k;
    bool internal = i->op == IR_STORE;
    ir_value value = i->arg[internal ? 1 : 2], key, args[2] = {i->arg[0], i->arg[1]};
    unsigned op = internal ? IR_LOAD : i->op == IR_FIELD_STORE ? load_of_field(i) : load_of_store(i->op);
    uint64_t imm = i->imm;
    uint32_t state;

    if (op == 0)
        return;
    key = ir_append(n->f, 0, op, ir_inst(n->f, value)->type, args, internal ? 1 : 2, imm);
    k = ir_inst(n->f, key);
    k->lane = ir_inst(n->f, v)->lane;
    k->block = ir_inst(n->f, v)->block; /* for the question whether it dominates; it is in no list */
    state = state_read(s, k);
    enter(n, key, value, hash_of(k, state), state);
}

static void number_instruction(struct numbering *n, ir_value v, struct states *s)
{
    struct ir_inst *i = ir_inst(n->f, v);
    ir_value *args = ir_args(i), by;
    uint32_t state, hash;

    if (i->op == IR_PHI)
        return;
    for (uint32_t k = 0; k < i->arg_count; k++)
        args[k] = ir_resolve(n->f, args[k]);
    for (unsigned kind = 0; kind < STATE_COUNT; kind++)
        if (writes(i->op, kind))
            s->number[kind] = ++n->last_state;
    if (ir_is_store(i->op) || i->op == IR_STORE || i->op == IR_FIELD_STORE)
        enter_store(n, v, s);
    if (!is_numbered(ir_inst(n->f, v)->op))
        return;
    by = fold_instruction(n->f, v);
    i = ir_inst(n->f, v);
    if (by == IR_NONE) {
        state = state_read(s, i);
        hash = hash_of(i, state);
        by = find(n, v, hash, state);
        if (by == IR_NONE)
            enter(n, v, v, hash, state);
    }
    if (by == IR_NONE)
        return;
    if (i->type == VT_BOTTOM)
        ir_unlink(n->f, v); /* a check that has been made */
    else
        ir_replace(n->f, v, by);
}

void pass_gvn(struct ir_func *f)
{
    struct numbering n = {.f = f};
    uint32_t buckets = 64;

    while (buckets < f->insts.len)
        buckets *= 2;
    n.mask = buckets - 1;
    n.buckets = arena_array(&f->scratch, uint32_t, buckets);
    n.at_end = arena_array(&f->scratch, struct states, f->blocks.len);
    n.loop_writes = arena_array(&f->scratch, bool, f->loops.len *STATE_COUNT);
    vec_push(&n.entries, (struct entry){0});
    note_loop_writes(&n);
    for (size_t k = 0; k < f->order.len; k++) {
        uint32_t b = f->order.data[k];
        struct states s = states_at(&n, b);
        for (ir_value v = ir_block(f, b)->first, next; v != IR_NONE; v = next) {
            next = ir_inst(f, v)->next;
            number_instruction(&n, v, &s);
        }
        n.at_end[b] = s;
    }
    ir_apply_copies(f);
    vec_done(&n.entries);
}
