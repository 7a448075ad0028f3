/* Identity of types across modules: recursion groups interned by their structure.
 *
 * A group's serial form writes references to its own types by position and to all others by their number, so two groups
 * are the same type (core specification, "closed" recursive types) exactly when their serial forms are equal. */
#include "engine/rt/store.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_GROUP = 0x400000 }; /* heap type bit in a serial form: position in the group. Numbers stay below */

static uint64_t hash_serial(const uint32_t *serial, uint32_t len)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < len; i++) {
        hash = (hash ^ serial[i]) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool is_concrete(valtype type)
{
    return valtype_is_ref(type) && valtype_heap(type) < HEAP_ABSTRACT;
}

valtype types_resolve(valtype type, const uint32_t *numbers)
{
    if (!is_concrete(type))
        return type;
    return valtype_ref(valtype_code(type) == VT_REF_NULL, numbers[valtype_heap(type)]);
}

static uint32_t serial_index(uint32_t index, const struct artifact_type *in, const uint32_t *numbers)
{
    if (index - in->rec_first < in->rec_count)
        return OWN_GROUP | (index - in->rec_first);
    assert(numbers != NULL); /* a type names none behind its group, so there is one before it */
    return numbers[index];
}

static valtype serial_valtype(valtype type, const struct artifact_type *in, const uint32_t *numbers)
{
    if (!is_concrete(type))
        return type;
    return valtype_ref(valtype_code(type) == VT_REF_NULL, serial_index(valtype_heap(type), in, numbers));
}

static uint32_t type_words(const struct artifact_type *t)
{
    return t->param_count + t->result_count + 2 * t->field_count;
}

static void serialise(struct type_table *table, const struct artifact_type *t, const valtype *types,
                      const uint32_t *numbers)
{
    vec_push(&table->serial, (uint32_t)t->kind | (t->final ? 0x100u : 0));
    vec_push(&table->serial, t->supertype == MODULE_NONE ? 0 : serial_index(t->supertype, t, numbers));
    vec_push(&table->serial, t->param_count);
    vec_push(&table->serial, t->result_count);
    vec_push(&table->serial, t->field_count);
    for (uint32_t i = 0; i < type_words(t); i++)
        vec_push(&table->serial, t->kind != TYPE_FUNC && i % 2 == 1 ? types[i] : serial_valtype(types[i], t, numbers));
}

static void slots_put(struct type_table *table, uint32_t group)
{
    uint32_t at = (uint32_t)table->groups.data[group].hash & (table->slot_count - 1);
    while (table->slots[at] != 0)
        at = (at + 1) & (table->slot_count - 1);
    table->slots[at] = group + 1;
}

static void slots_grow(struct type_table *table)
{
    table->slot_count = table->slot_count == 0 ? 64 : table->slot_count * 2;
    free(table->slots);
    table->slots = calloc(table->slot_count, sizeof *table->slots);
    if (table->slots == NULL)
        out_of_memory();
    for (uint32_t i = 0; i < table->groups.len; i++)
        slots_put(table, i);
}

static uint32_t resolve_serial(uint32_t word, uint32_t first)
{
    return (word & OWN_GROUP) != 0 ? first + (word & ~(uint32_t)OWN_GROUP) : word;
}

static void note_call(struct store_type *t)
{
    struct abi_walk params = {0}, results = {0};

    for (uint32_t i = 0; i < t->param_count; i++)
        abi_next(&params, t->types[i]);
    for (uint32_t i = 0; i < t->result_count; i++)
        abi_next(&results, t->types[t->param_count + i]);
    t->arg_bytes = abi_area_bytes(&params);
    t->result_bytes = abi_area_bytes(&results);
    t->only_ints = params.vectors + results.vectors + params.slots + results.slots == 0 && t->result_count <= 1;
}

static void note_object(struct type_table *table, struct store_type *t)
{
    uint32_t end = OBJECT_HEADER_BYTES;

    t->references = arena_array(&table->arena, uint32_t, t->field_count);
    for (uint32_t i = 0; i < t->field_count; i++) {
        uint32_t at = object_place(&end, t->types[2 * i]);
        if (valtype_is_ref(t->types[2 * i]))
            t->references[t->reference_count++] = at;
    }
    t->size_bytes = t->kind == TYPE_ARRAY ? valtype_size_bytes(t->types[0]) : end;
}

/* The row of the type that comes next in TABLE. */
static void add_row(struct type_table *table, const struct store_type *t)
{
    struct vm_type_row row = {.kind = t->kind, .supertype = t->supertype};
    uint32_t depth = 0;

    while (table->rows.len < VM_OBJECT_TYPED)
        vec_push(&table->rows, (struct vm_type_row){0});
    if (t->supertype != 0) {
        const struct vm_type_row *super = &table->rows.data[t->supertype];
        memcpy(row.display, super->display, sizeof row.display);
        while (depth < VM_TYPE_DISPLAY && row.display[depth] != 0)
            depth++;
    }
    if (depth < VM_TYPE_DISPLAY)
        row.display[depth] = (uint32_t)table->rows.len;
    vec_push(&table->rows, row);
}

/* Appends the types that SERIAL describes, numbered from FIRST. */
static void add_types(struct type_table *table, const uint32_t *serial, uint32_t count, uint32_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_type t = {.kind = (uint8_t)serial[0], .final = (serial[0] & 0x100) != 0};
        uint32_t words = serial[2] + serial[3] + 2 * serial[4];
        valtype *types = arena_array(&table->arena, valtype, words);

        t.supertype = resolve_serial(serial[1], first);
        t.param_count = serial[2];
        t.result_count = serial[3];
        t.field_count = serial[4];
        for (uint32_t k = 0; k < words; k++) {
            valtype v = serial[5 + k];
            bool mutability = t.kind != TYPE_FUNC && k % 2 == 1;
            if (!mutability && is_concrete(v))
                v = valtype_ref(valtype_code(v) == VT_REF_NULL, resolve_serial(valtype_heap(v), first));
            types[k] = v;
        }
        t.types = types;
        if (t.kind == TYPE_FUNC)
            note_call(&t);
        else
            note_object(table, &t);
        add_row(table, &t);
        vec_push(&table->types, t);
        serial += 5 + words;
    }
}

/* The number of the first type of the group that SERIAL describes. */
static uint32_t intern(struct type_table *table, const uint32_t *serial, uint32_t len, uint32_t count)
{
    uint64_t hash = hash_serial(serial, len);
    struct type_group group = {
        .hash = hash, .first = (uint32_t)table->types.len + VM_OBJECT_TYPED, .count = count, .serial_len = len};

    if (table->groups.len * 2 >= table->slot_count)
        slots_grow(table);
    for (uint32_t at = (uint32_t)hash & (table->slot_count - 1); table->slots[at] != 0;
         at = (at + 1) & (table->slot_count - 1)) {
        const struct type_group *g = &table->groups.data[table->slots[at] - 1];
        if (g->hash == hash && g->count == count && g->serial_len == len && memcmp(g->serial, serial, len * 4) == 0)
            return g->first;
    }
    group.serial = arena_array(&table->arena, uint32_t, len);
    memcpy(group.serial, serial, len * sizeof *serial);
    add_types(table, serial, count, group.first);
    vec_push(&table->groups, group);
    slots_put(table, (uint32_t)table->groups.len - 1);
    return group.first;
}

/* Whether type I of A, in the group that begins at FIRST, only refers to types that exist by then. */
static bool type_is_sound(const struct artifact *a, uint32_t i, uint32_t first, uint32_t count)
{
    const struct artifact_type *t = &a->types[i];
    uint64_t words = (uint64_t)t->param_count + t->result_count + 2 * (uint64_t)t->field_count;

    if (t->rec_first != first || t->rec_count != count || !artifact_range_fits(t->first, words, a->valtypes_count) ||
        (t->supertype != MODULE_NONE && t->supertype >= i) ||
        (t->kind != TYPE_FUNC && t->kind != TYPE_STRUCT && t->kind != TYPE_ARRAY) ||
        (t->kind == TYPE_ARRAY && t->field_count != 1))
        return false;
    for (uint64_t k = 0; k < words; k++)
        if (is_concrete(a->valtypes[t->first + k]) && valtype_heap(a->valtypes[t->first + k]) >= first + count)
            return false;
    return true;
}

/* The numbers of a group that is the same as an earlier one. */
static int copy_numbers(const struct artifact *a, uint32_t first, uint32_t count, uint32_t *numbers, struct err *err)
{
    uint32_t canonical = a->types[first].canonical;

    if (!artifact_range_fits(canonical, count, first))
        return err_set(err, ESTALE, "the artifact is damaged: type %u", first);
    memcpy(numbers + first, numbers + canonical, count * sizeof *numbers);
    return 0;
}

int types_intern(struct type_table *table, const struct artifact *a, uint32_t *numbers, struct err *err)
{
    int status = 0;

    for (uint32_t first = 0, count; first < a->types_count && status == 0; first += count) {
        count = a->types[first].rec_count;
        table->serial.len = 0;
        if (count == 0 || !artifact_range_fits(first, count, a->types_count)) {
            status = err_set(err, ESTALE, "the artifact is damaged: type %u", first);
            break;
        }
        if (a->types[first].canonical < first) { /* its references within the group lead into the earlier one */
            status = copy_numbers(a, first, count, numbers, err);
            continue;
        }
        for (uint32_t i = first; i < first + count && status == 0; i++) {
            if (type_is_sound(a, i, first, count))
                serialise(table, &a->types[i], a->valtypes + a->types[i].first, numbers);
            else
                status = err_set(err, ESTALE, "the artifact is damaged: type %u", i);
        }
        if (status == 0) {
            uint32_t number = intern(table, table->serial.data, (uint32_t)table->serial.len, count);
            for (uint32_t i = 0; i < count; i++)
                numbers[first + i] = number + i;
        }
    }
    return status;
}

uint32_t types_intern_func(struct type_table *table, const valtype *types, uint32_t param_count, uint32_t result_count)
{
    const struct artifact_type t = {.kind = TYPE_FUNC,
                                    .final = 1,
                                    .supertype = MODULE_NONE,
                                    .param_count = param_count,
                                    .result_count = result_count};

    table->serial.len = 0;
    serialise(table, &t, types, NULL);
    return intern(table, table->serial.data, (uint32_t)table->serial.len, 1);
}

const struct store_type *types_get(const struct type_table *table, uint32_t number)
{
    assert(number >= VM_OBJECT_TYPED && number - VM_OBJECT_TYPED < table->types.len);
    return &table->types.data[number - VM_OBJECT_TYPED];
}

bool types_is_subtype(const struct type_table *table, uint32_t sub, uint32_t super)
{
    while (sub != super && sub != 0)
        sub = types_get(table, sub)->supertype;
    return sub != 0;
}

/* The abstract heap type directly above a concrete one's kind. */
static heaptype kind_heap(uint8_t kind)
{
    return kind == TYPE_FUNC ? HEAP_FUNC : kind == TYPE_STRUCT ? HEAP_STRUCT : HEAP_ARRAY;
}

static bool abstract_heap_matches(heaptype sub, heaptype super)
{
    bool internal = sub == HEAP_ANY || sub == HEAP_EQ || sub == HEAP_I31 || sub == HEAP_STRUCT || sub == HEAP_ARRAY ||
                    sub == HEAP_NONE;

    if (sub == super)
        return true;
    switch (super) {
    case HEAP_ANY: return internal;
    case HEAP_EQ: return internal && sub != HEAP_ANY;
    case HEAP_I31:
    case HEAP_STRUCT:
    case HEAP_ARRAY: return sub == HEAP_NONE;
    case HEAP_FUNC: return sub == HEAP_NOFUNC;
    case HEAP_EXTERN: return sub == HEAP_NOEXTERN;
    case HEAP_EXN: return sub == HEAP_NOEXN;
    default: return false;
    }
}

static bool heap_matches(const struct type_table *table, heaptype sub, heaptype super)
{
    if (sub < HEAP_ABSTRACT && super < HEAP_ABSTRACT)
        return types_is_subtype(table, sub, super);
    if (sub < HEAP_ABSTRACT)
        return abstract_heap_matches(kind_heap(types_get(table, sub)->kind), super);
    if (super < HEAP_ABSTRACT)
        return sub == (types_get(table, super)->kind == TYPE_FUNC ? HEAP_NOFUNC : HEAP_NONE);
    return abstract_heap_matches(sub, super);
}

bool types_value_matches(const struct type_table *table, valtype sub, valtype super)
{
    if (!valtype_is_ref(sub) || !valtype_is_ref(super))
        return sub == super;
    if (valtype_code(sub) == VT_REF_NULL && valtype_code(super) == VT_REF)
        return false;
    return heap_matches(table, valtype_heap(sub), valtype_heap(super));
}

void types_free(struct type_table *table)
{
    arena_free(&table->arena);
    vec_done(&table->types);
    vec_done(&table->rows);
    vec_done(&table->groups);
    vec_done(&table->serial);
    free(table->slots);
}
