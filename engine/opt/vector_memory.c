/* Memory in the vectoriser: what a round accesses, and under which conditions the accesses of several rounds may be made
 * together.
 *
 * In the new loop a round's elements are loaded before those are stored that a later round loads. So if a load comes before the
 * store of its own element, what must not be is a store to its place made by one of the few elements in front of its own: the load's
 * address lies behind the store's by less than a round of the new loop stores. All other distances, 0 included, are right.
 * Where the old round's own order is different, accesses of one round must not meet at all. */
#include "engine/gen/abi.h"
#include "engine/opt/vectorize.h"
#include <stddef.h>

/* --- what is accessed --------------------------------------------------------------------------------------------- */
bool vector_is_access(unsigned op)
{
    return (op >= OP_I32_LOAD && op <= OP_F64_LOAD) || (op >= OP_I32_STORE && op <= OP_F64_STORE) ||
           op == OP_V128_LOAD || op == OP_V128_STORE;
}

static uint32_t bytes_of(const struct vectorizer *v, const struct vector_access *a)
{
    return 1u << opcode_infos[ir_inst(v->f, a->inst)->op].width_log2;
}

static bool find_root(struct vectorizer *v, const struct linear *place, uint32_t *found)
{
    for (*found = 0; *found < v->root_count; ++*found)
        if (linear_same_terms(&v->roots[*found].place, place))
            return true;
    if (v->root_count == VECTOR_ROOTS_MAX)
        return false;
    v->roots[v->root_count++] = (struct vector_root){.place = *place, .constant = place->constant};
    return true;
}

enum { OFFSET_MAX = 1 << 29 }; /* what an address's displacement can hold, and more beside it */

static bool add_access(struct vectorizer *v, ir_value inst, uint32_t position)
{
    const struct ir_inst *i = ir_inst(v->f, inst);
    struct vector_access *a = &v->accesses[v->access_count];
    struct vector_root *root;
    struct linear place;

    if (v->access_count == VECTOR_ACCESSES_MAX || i->arg[1] != IR_NONE || i->arg[0] == IR_NONE ||
        ir_inst(v->f, i->arg[0])->type != VT_I32 || !linear_of(v->f, &v->loop, i->arg[0], &place))
        return false;
    *a = (struct vector_access){.inst = inst, .position = position};
    if (!find_root(v, &place, &a->root))
        return false;
    root = &v->roots[a->root];
    a->offset = (int32_t)(place.constant - root->place.constant); /* from the root's first access for now */
    if (root->lowest == IR_NONE || a->offset < (int32_t)(root->constant - root->place.constant)) {
        root->lowest = i->arg[0];
        root->constant = place.constant;
    }
    v->access_count++;
    return true;
}

/* Distances from each root's lowest index, all of them positive then. */
static bool settle_offsets(struct vectorizer *v)
{
    for (uint32_t k = 0; k < v->access_count; k++) {
        struct vector_access *a = &v->accesses[k];
        struct vector_root *root = &v->roots[a->root];
        a->offset += (int64_t)ir_inst(v->f, a->inst)->imm - (int32_t)(root->constant - root->place.constant);
        if (a->offset < 0 || a->offset > OFFSET_MAX)
            return false;
        if (a->offset + bytes_of(v, a) > root->end)
            root->end = a->offset + bytes_of(v, a);
    }
    return true;
}

bool vector_find_accesses(struct vectorizer *v)
{
    for (uint32_t n = 0; n < v->body_count; n++) {
        const struct ir_inst *i = ir_inst(v->f, v->body[n]);
        if (vector_is_access(i->op) && !add_access(v, v->body[n], n))
            return false;
    }
    return settle_offsets(v);
}

struct vector_access *vector_access_of(struct vectorizer *v, ir_value inst)
{
    for (uint32_t k = 0; k < v->access_count; k++)
        if (v->accesses[k].inst == inst)
            return &v->accesses[k];
    return NULL;
}

/* --- stores ------------------------------------------------------------------------------------------------------- */
static bool is_store(const struct vectorizer *v, const struct vector_access *a)
{
    return ir_is_store(ir_inst(v->f, a->inst)->op);
}

static bool set_element(struct vectorizer *v, const struct vector_access *a)
{
    uint32_t bytes = bytes_of(v, a);
    int64_t stride = v->roots[a->root].place.stride;

    if (v->element_bytes == 0) {
        if (stride <= 0 || stride % bytes != 0 || stride / bytes > VECTOR_COPIES_MAX)
            return false;
        v->element_bytes = bytes;
        v->lane_count = VECTOR_BYTES / bytes;
        v->stride = stride;
        v->copies = (uint32_t)(stride / bytes);
    }
    return bytes == v->element_bytes && stride == v->stride;
}

/* The access that is the next of a group, OFFSET behind the root. */
static bool find_store(const struct vectorizer *v, uint32_t root, int64_t offset, uint32_t *found)
{
    for (uint32_t k = 0; k < v->access_count; k++)
        if (is_store(v, &v->accesses[k]) && !v->accesses[k].used && v->accesses[k].root == root &&
            v->accesses[k].offset == offset) {
            *found = k;
            return true;
        }
    return false;
}

/* The unused store with the lowest address of FIRST's root. */
static uint32_t lowest_store(const struct vectorizer *v, uint32_t first)
{
    uint32_t lowest = first;

    for (uint32_t k = first; k < v->access_count; k++)
        if (is_store(v, &v->accesses[k]) && !v->accesses[k].used && v->accesses[k].root == v->accesses[first].root &&
            v->accesses[k].offset < v->accesses[lowest].offset)
            lowest = k;
    return lowest;
}

bool vector_find_stores(struct vectorizer *v)
{
    for (uint32_t k = 0; k < v->access_count; k++) {
        struct vector_store *s = &v->stores[v->store_count];
        const struct vector_access *a;
        if (!is_store(v, &v->accesses[k]) || v->accesses[k].used)
            continue;
        a = &v->accesses[lowest_store(v, k)];
        if (!set_element(v, a))
            return false;
        for (uint32_t n = 0; n < v->copies; n++) {
            if (!find_store(v, a->root, a->offset + n * v->element_bytes, &s->access[n]))
                return false;
            v->accesses[s->access[n]].used = true;
        }
        v->store_count++;
        k = UINT32_MAX; /* the lowest was not always this one */
    }
    return v->store_count != 0;
}

/* --- order -------------------------------------------------------------------------------------------------------- */
struct order {        /* of a store and another access, one of each per copy */
    bool by_element;  /* all of one element's come before the next one's, the load before the store */
    int64_t distance; /* from the store to the other, if they have one root */
    bool known;
};

static bool is_by_element(const struct vectorizer *v, const uint32_t *stores, const uint32_t *others)
{
    for (uint32_t i = 0; i < v->copies; i++)
        for (uint32_t k = 0; k < v->copies; k++)
            if ((v->accesses[stores[i]].position < v->accesses[others[k]].position) != (i < k))
                return false;
    return true;
}

/* What a round of the new loop stores in one place, and so how far apart accesses are at least that never meet in one. */
static int64_t round_bytes(const struct vectorizer *v)
{
    return v->rounds * v->stride;
}

static struct order order_of(const struct vectorizer *v, const uint32_t *stores, const uint32_t *others)
{
    const struct vector_access *s = &v->accesses[stores[0]], *o = &v->accesses[others[0]];

    return (struct order){.by_element = !is_store(v, o) && is_by_element(v, stores, others),
                          .distance = o->offset - s->offset,
                          .known = s->root == o->root};
}

static bool distance_is_right(const struct vectorizer *v, const struct order *o)
{
    if (o->by_element)
        return o->distance >= 0 || o->distance <= -round_bytes(v);
    return o->distance >= round_bytes(v) || o->distance <= -round_bytes(v);
}

/* The accesses of lanes that are loaded. */
static void load_accesses(const struct vectorizer *v, const struct lanes *l, uint32_t *accesses)
{
    for (uint32_t n = 0; n < v->copies; n++)
        for (uint32_t k = 0; k < v->access_count; k++)
            if (v->accesses[k].inst == l->member[n])
                accesses[n] = k;
}

typedef bool visit_order(struct vectorizer *v, const struct vector_access *store, const struct vector_access *other,
                         const struct order *order);

/* Every store with every load that is a vector, and with every other store. */
static bool each_order(struct vectorizer *v, visit_order *visit)
{
    for (uint32_t s = 0; s < v->store_count; s++) {
        const uint32_t *stores = v->stores[s].access;
        for (uint32_t n = 0; n < v->lanes_count; n++) {
            uint32_t loads[VECTOR_COPIES_MAX] = {0};
            struct order order;
            if (v->lanes[n].kind != LANES_LOAD)
                continue;
            load_accesses(v, &v->lanes[n], loads);
            order = order_of(v, stores, loads);
            if (!visit(v, &v->accesses[stores[0]], &v->accesses[loads[0]], &order))
                return false;
        }
        for (uint32_t n = s + 1; n < v->store_count; n++) {
            struct order order = order_of(v, stores, v->stores[n].access);
            if (!visit(v, &v->accesses[stores[0]], &v->accesses[v->stores[n].access[0]], &order))
                return false;
        }
    }
    return true;
}

static bool is_possible(struct vectorizer *v, const struct vector_access *store, const struct vector_access *other,
                        const struct order *order)
{
    (void)store;
    (void)other;
    return !order->known || distance_is_right(v, order);
}

bool vector_order_is_possible(struct vectorizer *v)
{
    return each_order(v, is_possible);
}

/* --- conditions --------------------------------------------------------------------------------------------------- */
static ir_value emit(struct vectorizer *v, unsigned op, uint8_t type, ir_value x, ir_value y, uint64_t imm)
{
    return vector_emit(v, v->loop.preheader, op, type, x, y, imm);
}

static ir_value plus(struct vectorizer *v, ir_value x, int64_t constant)
{
    return emit(v, OP_I64_ADD, VT_I64, x, ir_const(v->f, VT_I64, (uint64_t)constant), 0);
}

static void demand(struct vectorizer *v, ir_value condition)
{
    v->fits = v->fits == IR_NONE ? condition : emit(v, OP_I32_AND, VT_I32, v->fits, condition, 0);
}

static ir_value place_of(struct vectorizer *v, const struct vector_access *a)
{
    return plus(v, v->roots[a->root].first, a->offset);
}

/* X is not below LIMIT: for differences modulo 2^64, so that one comparison leaves out a range. */
static void demand_outside(struct vectorizer *v, ir_value x, ir_value limit)
{
    demand(v, emit(v, OP_I64_GE_U, VT_I32, x, limit, 0));
}

static bool demand_order(struct vectorizer *v, const struct vector_access *store, const struct vector_access *other,
                         const struct order *order)
{
    ir_value store_at, other_at;
    int64_t apart = round_bytes(v);

    if (order->known)
        return true;
    store_at = place_of(v, store);
    other_at = place_of(v, other);
    if (order->by_element) /* not: 0 < store - load < apart */
        demand_outside(v, plus(v, emit(v, OP_I64_SUB, VT_I64, store_at, other_at, 0), -1),
                       ir_const(v->f, VT_I64, (uint64_t)(apart - 1)));
    else /* not: -apart < store - other < apart */
        demand_outside(v, plus(v, emit(v, OP_I64_SUB, VT_I64, store_at, other_at, 0), apart - 1),
                       ir_const(v->f, VT_I64, (uint64_t)(2 * apart - 1)));
    return true;
}

/* The load, which is made once for all rounds, is not stored to in any. */
static void demand_unchanged(struct vectorizer *v, const struct vector_access *load)
{
    int64_t bytes = bytes_of(v, load);

    for (uint32_t s = 0; s < v->store_count; s++) {
        const struct vector_access *store = &v->accesses[v->stores[s].access[0]];
        ir_value behind = emit(v, OP_I64_SUB, VT_I64, place_of(v, load), place_of(v, store), 0);
        demand_outside(v, plus(v, behind, bytes - 1), plus(v, v->span, v->stride + bytes - 1));
    }
}

static void demand_bounds(struct vectorizer *v, struct vector_root *root, ir_value size)
{
    ir_value index = loop_first_value(v->f, &v->loop, root->lowest), end;

    root->first = emit(v, OP_I64_EXTEND_I32_U, VT_I64, index, IR_NONE, 0);
    end = plus(v, root->place.stride != 0 ? emit(v, OP_I64_ADD, VT_I64, root->first, v->span, 0) : root->first,
               root->end);
    demand(v, emit(v, OP_I64_LE_U, VT_I32, end, size, 0));
}

void vector_make_conditions(struct vectorizer *v)
{
    ir_value memory = emit(v, IR_MEMORY_STRUCT, VT_I64, IR_NONE, IR_NONE, 0);
    ir_value size = emit(v, IR_LOAD, VT_I64, memory, IR_NONE, offsetof(struct vm_memory, size_bytes));

    for (uint32_t r = 0; r < v->root_count; r++)
        demand_bounds(v, &v->roots[r], size);
    each_order(v, demand_order);
    for (uint32_t n = 0; n < v->lanes_count; n++)
        if (v->lanes[n].kind == LANES_SPLAT && v->lanes[n].access != 0)
            demand_unchanged(v, &v->accesses[v->lanes[n].access - 1]);
}
