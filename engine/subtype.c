/* Canonical types and subtyping. See subtype.h. */
#include "engine/subtype.h"
#include "engine/limits.h"

bool type_exists(const struct module *m, valtype t)
{
    return !valtype_is_ref(t) || valtype_heap(t) >= HEAP_ABSTRACT || valtype_heap(t) < m->type_count;
}

valtype type_canonical(const struct module *m, valtype t)
{
    if (!valtype_is_ref(t) || valtype_heap(t) >= HEAP_ABSTRACT)
        return t;
    return (m->types[valtype_heap(t)].canonical << 8) | valtype_code(t);
}

/* --- subtyping ---------------------------------------------------------------------------------------------------- */
static bool kind_is_subtype(enum type_kind kind, heaptype super)
{
    if (kind == TYPE_FUNC)
        return super == HEAP_FUNC;
    return super == HEAP_ANY || super == HEAP_EQ || super == (kind == TYPE_STRUCT ? HEAP_STRUCT : HEAP_ARRAY);
}

static bool abstract_is_subtype(heaptype sub, heaptype super)
{
    switch (sub) {
    case HEAP_NONE:
        return super == HEAP_I31 || super == HEAP_STRUCT || super == HEAP_ARRAY || super == HEAP_EQ ||
               super == HEAP_ANY;
    case HEAP_I31:
    case HEAP_STRUCT:
    case HEAP_ARRAY: return super == HEAP_EQ || super == HEAP_ANY;
    case HEAP_EQ: return super == HEAP_ANY;
    case HEAP_NOFUNC: return super == HEAP_FUNC;
    case HEAP_NOEXTERN: return super == HEAP_EXTERN;
    case HEAP_NOEXN: return super == HEAP_EXN;
    default: return false;
    }
}

/* Walks at most LIMIT_SUBTYPING_DEPTH supertypes. */
static bool type_is_subtype(const struct module *m, uint32_t sub, uint32_t super)
{
    while (sub != MODULE_NONE) {
        if (m->types[sub].canonical == m->types[super].canonical)
            return true;
        sub = m->types[sub].supertype;
    }
    return false;
}

bool heap_is_subtype(const struct module *m, heaptype sub, heaptype super)
{
    if (sub == super || sub == HEAP_BOTTOM)
        return true;
    if (sub < HEAP_ABSTRACT && super < HEAP_ABSTRACT)
        return type_is_subtype(m, sub, super);
    if (sub < HEAP_ABSTRACT)
        return kind_is_subtype(m->types[sub].kind, super);
    if (super < HEAP_ABSTRACT)
        return sub == (m->types[super].kind == TYPE_FUNC ? HEAP_NOFUNC : HEAP_NONE);
    return abstract_is_subtype(sub, super);
}

bool valtype_is_subtype(const struct module *m, valtype sub, valtype super)
{
    if (sub == super || sub == VT_BOTTOM)
        return true;
    if (!valtype_is_ref(sub) || !valtype_is_ref(super))
        return false;
    if (valtype_code(sub) == VT_REF_NULL && valtype_code(super) == VT_REF)
        return false;
    return heap_is_subtype(m, valtype_heap(sub), valtype_heap(super));
}

/* --- canonical types ---------------------------------------------------------------------------------------------- */
/* A type index as seen from its recursion group: members by position, which must not depend on where the group stands.
 */
static uint64_t relative_index(const struct module *m, const struct type_def *in, uint32_t index)
{
    if (index == MODULE_NONE)
        return UINT64_MAX;
    if (index >= in->rec_first && index - in->rec_first < in->rec_count)
        return (uint64_t)1 << 32 | (index - in->rec_first);
    return m->types[index].canonical;
}

static uint64_t relative_type(const struct module *m, const struct type_def *in, valtype t)
{
    if (!valtype_is_ref(t) || valtype_heap(t) >= HEAP_ABSTRACT)
        return t;
    return relative_index(m, in, valtype_heap(t)) << 8 | valtype_code(t);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t type_hash(const struct module *m, const struct type_def *t, uint64_t hash)
{
    uint32_t i;

    hash = mix(hash, (uint64_t)t->kind << 1 | t->final);
    hash = mix(hash, relative_index(m, t, t->supertype));
    hash = mix(hash, (uint64_t)t->param_count << 32 | t->result_count);
    for (i = 0; i < t->param_count; i++)
        hash = mix(hash, relative_type(m, t, t->params[i]));
    for (i = 0; i < t->result_count; i++)
        hash = mix(hash, relative_type(m, t, t->results[i]));
    for (i = 0; i < t->field_count; i++)
        hash = mix(hash, relative_type(m, t, t->fields[i].type) << 1 | t->fields[i].mutable);
    return hash;
}

static bool same_types(const struct module *m, const struct type_def *a, const valtype *as, const struct type_def *b,
                       const valtype *bs, uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++)
        if (relative_type(m, a, as[i]) != relative_type(m, b, bs[i]))
            return false;
    return true;
}

static bool same_definition(const struct module *m, const struct type_def *a, const struct type_def *b)
{
    uint32_t i;

    if (a->kind != b->kind || a->final != b->final || a->param_count != b->param_count ||
        a->result_count != b->result_count || a->field_count != b->field_count ||
        relative_index(m, a, a->supertype) != relative_index(m, b, b->supertype) ||
        !same_types(m, a, a->params, b, b->params, a->param_count) ||
        !same_types(m, a, a->results, b, b->results, a->result_count))
        return false;
    for (i = 0; i < a->field_count; i++)
        if (a->fields[i].mutable != b->fields[i].mutable ||
            relative_type(m, a, a->fields[i].type) != relative_type(m, b, b->fields[i].type))
            return false;
    return true;
}

static bool same_group(const struct module *m, uint32_t first, uint32_t other)
{
    uint32_t i, count = m->types[first].rec_count;

    if (m->types[other].rec_count != count)
        return false;
    for (i = 0; i < count; i++)
        if (!same_definition(m, &m->types[first + i], &m->types[other + i]))
            return false;
    return true;
}

struct group_slot {
    uint64_t hash;
    uint32_t first_plus_1; /* 0: empty */
};

/* Open addressing, never more than half full. Hashes start from the table's address, which a hostile module cannot
 * know. */
struct group_table {
    struct group_slot *slots;
    size_t mask;
};

/* The first type of an equal group seen before, else FIRST itself, which is then remembered. */
static uint32_t group_intern(const struct module *m, struct group_table *table, uint32_t first)
{
    uint64_t hash = mix((uintptr_t)table->slots, m->types[first].rec_count);
    size_t at;
    uint32_t i;

    for (i = 0; i < m->types[first].rec_count; i++)
        hash = type_hash(m, &m->types[first + i], hash);
    for (at = hash & table->mask; table->slots[at].first_plus_1 != 0; at = (at + 1) & table->mask)
        if (table->slots[at].hash == hash && same_group(m, first, table->slots[at].first_plus_1 - 1))
            return table->slots[at].first_plus_1 - 1;
    table->slots[at] = (struct group_slot){hash, first + 1};
    return first;
}

static void canonicalise(const struct module *m, struct type_def *t)
{
    uint32_t i;

    for (i = 0; i < t->param_count; i++)
        t->params[i] = type_canonical(m, t->params[i]);
    for (i = 0; i < t->result_count; i++)
        t->results[i] = type_canonical(m, t->results[i]);
    for (i = 0; i < t->field_count; i++)
        t->fields[i].type = type_canonical(m, t->fields[i].type);
}

/* --- validation --------------------------------------------------------------------------------------------------- */
static bool type_known(valtype t, uint32_t bound)
{
    return !valtype_is_ref(t) || valtype_heap(t) >= HEAP_ABSTRACT || valtype_heap(t) < bound;
}

/* References reach to the end of the own group, the supertype only backwards. */
static const char *references_check(const struct module *m, uint32_t index)
{
    const struct type_def *t = &m->types[index];
    uint32_t bound = t->rec_first + t->rec_count, i;

    for (i = 0; i < t->param_count; i++)
        if (!type_known(t->params[i], bound))
            return "unknown type";
    for (i = 0; i < t->result_count; i++)
        if (!type_known(t->results[i], bound))
            return "unknown type";
    for (i = 0; i < t->field_count; i++)
        if (!type_known(t->fields[i].type, bound))
            return "unknown type";
    return t->supertype == MODULE_NONE || t->supertype < index ? NULL : "unknown type";
}

static bool field_is_subtype(const struct module *m, const struct field_type *sub, const struct field_type *super)
{
    if (sub->mutable != super->mutable)
        return false;
    return sub->mutable ? sub->type == super->type : valtype_is_subtype(m, sub->type, super->type);
}

static bool definition_is_subtype(const struct module *m, const struct type_def *sub, const struct type_def *super)
{
    uint32_t i;

    if (sub->kind != super->kind || sub->param_count != super->param_count ||
        sub->result_count != super->result_count || sub->field_count < super->field_count)
        return false;
    for (i = 0; i < sub->param_count; i++)
        if (!valtype_is_subtype(m, super->params[i], sub->params[i]))
            return false;
    for (i = 0; i < sub->result_count; i++)
        if (!valtype_is_subtype(m, sub->results[i], super->results[i]))
            return false;
    for (i = 0; i < super->field_count; i++)
        if (!field_is_subtype(m, &sub->fields[i], &super->fields[i]))
            return false;
    return true;
}

static const char *supertype_check(const struct module *m, struct type_def *t)
{
    const struct type_def *super;

    if (t->supertype == MODULE_NONE)
        return NULL;
    super = &m->types[t->supertype];
    t->depth = super->depth + 1;
    if (t->depth > LIMIT_SUBTYPING_DEPTH)
        return "sub type: the chain of supertypes is too long";
    if (super->final)
        return "sub type: the supertype is final";
    return definition_is_subtype(m, t, super) ? NULL : "sub type: the type does not match its supertype";
}

static const char *group_validate(struct module *m, struct group_table *table, uint32_t first, uint32_t *where)
{
    uint32_t end = first + m->types[first].rec_count, canonical;
    const char *fault = NULL;

    for (*where = first; *where < end; ++*where)
        if ((fault = references_check(m, *where)) != NULL)
            return fault;
    canonical = group_intern(m, table, first);
    for (*where = first; *where < end; ++*where)
        m->types[*where].canonical = canonical + (*where - first);
    for (*where = first; *where < end; ++*where)
        canonicalise(m, &m->types[*where]);
    for (*where = first; *where < end; ++*where)
        if ((fault = supertype_check(m, &m->types[*where])) != NULL)
            return fault;
    return NULL;
}

const char *types_validate(struct module *m, uint32_t *where)
{
    struct group_table table;
    const char *fault = NULL;
    uint32_t first;

    for (table.mask = 15; table.mask < (size_t)m->type_count * 2;)
        table.mask = table.mask * 2 + 1;
    table.slots = calloc(table.mask + 1, sizeof *table.slots);
    if (table.slots == NULL)
        out_of_memory();
    for (first = 0; first < m->type_count && fault == NULL; first += m->types[first].rec_count)
        fault = group_validate(m, &table, first, where);
    free(table.slots);
    return fault;
}
