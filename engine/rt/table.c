/* Tables: arrays of references that may move when they grow (compiled code reloads the pointer). */
#include "engine/rt/store.h"
#include <stdlib.h>

/* Elements a table may ever have: above it, growth fails as the specification lets it. */
#define TABLE_MAX (UINT64_C(1) << 27)

static void fill(uint32_t *at, uint64_t count, uint32_t reference)
{
    for (uint64_t i = 0; i < count; i++)
        at[i] = reference;
}

int table_new(struct store *store, const struct limits *limits, valtype type, uint32_t init, struct table **out,
              struct err *err)
{
    struct table *t = arena_new(&store->arena, struct table);

    if (limits->min > TABLE_MAX)
        return err_set(err, ENOMEM, "a table of %llu elements is too large", (unsigned long long)limits->min);
    t->limits = *limits;
    t->type = type;
    t->vm.size = t->capacity = limits->min;
    if (limits->min != 0) {
        t->vm.elements = calloc(limits->min, sizeof *t->vm.elements);
        if (t->vm.elements == NULL)
            return err_set(err, ENOMEM, "cannot allocate a table of %llu elements", (unsigned long long)limits->min);
        if (init != 0)
            fill(t->vm.elements, limits->min, init);
    }
    t->next = store->tables;
    store->tables = t;
    *out = t;
    return 0;
}

uint64_t table_grow(struct table *t, uint64_t delta, uint32_t init)
{
    uint64_t old = t->vm.size, size;

    if (__builtin_add_overflow(old, delta, &size) || size > t->limits.max || size > TABLE_MAX)
        return UINT64_MAX;
    if (size > t->capacity) {
        uint64_t capacity = t->capacity * 2 > size ? t->capacity * 2 : size;
        uint32_t *elements = realloc(t->vm.elements, capacity * sizeof *elements);
        if (elements == NULL)
            return UINT64_MAX;
        t->vm.elements = elements;
        t->capacity = capacity;
    }
    if (delta != 0) /* a table without elements has no memory */
        fill(t->vm.elements + old, delta, init);
    t->vm.size = size;
    return old;
}

void table_free(struct table *t)
{
    free(t->vm.elements);
}
