/* Instantiation, in the specification's order (core specification, exec/modules, "instantiation"): the index spaces,
 * globals and tables with their initial values; then active element segments, active data segments, the start
 * function. What runs before a trap stays done, and the instance stays alive: tables of others may hold its
 * functions. */
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include <stdlib.h>
#include <string.h>

static int damaged(struct err *err, const char *what)
{
    return err_set(err, ESTALE, "the artifact is damaged: %s", what);
}

static int not_evaluated(struct err *err, int status, const char *what)
{
    return status == -ENOMEM ? err_set(err, ENOMEM, "out of memory for %s", what) : damaged(err, what);
}

struct limits instance_limits(const struct artifact_limits *l)
{
    return (struct limits){
        .min = l->min,
        .max = l->max,
        .has_max = l->has_max,
        .shared = l->shared,
        .is64 = l->is64,
        .page_size_log2 = l->page_size_log2,
    };
}

static uint64_t imported_func_count(const struct artifact *a)
{
    return a->entries_count == 0 ? a->funcs_count : a->funcs_count - (a->entries_count - 1);
}

/* The arrays that struct vm points at, in one piece with the instance. */
static struct instance *allocate(struct store *store, const struct code *code)
{
    const struct artifact *a = &code->artifact;
    struct arena *arena = &store->arena;
    struct instance *i = arena_new(arena, struct instance);

    i->store = store;
    i->code = code;
    i->artifact = a;
    i->vm.owner = i;
    i->vm.thread = store->thread;
    i->vm.allocate_thunk = (const void *)entry_allocate_thunk;
    i->vm.runs = store->heap.runs;
    i->vm.reference_space = store->space.base;
    i->vm.builtin_thunk = (const void *)entry_builtin_thunk;
    i->vm.memories = arena_array(arena, struct vm_memory *, a->memories_count);
    i->vm.tables = arena_array(arena, struct vm_table *, a->tables_count);
    i->vm.globals = arena_array(arena, union vm_value *, a->globals_count);
    i->vm.imports = arena_array(arena, struct vm_import, imported_func_count(a));
    i->vm.type_ids = arena_array(arena, uint32_t, a->types_count);
    i->globals = arena_array(arena, struct global, a->globals_count);
    i->tags = arena_array(arena, struct tag *, a->tags_count);
    i->elements = arena_array(arena, uint32_t *, a->elements_count);
    i->element_lens = arena_array(arena, uint32_t, a->elements_count);
    i->data_dropped = arena_array(arena, bool, a->datas_count);
    i->next = store->instances;
    store->instances = i;
    return i;
}

/* Puts the imported things into the index spaces. COUNTS: how many of each kind there are then. */
static int take_imports(struct instance *i, const struct external *imports, uint64_t counts[5])
{
    const struct artifact *a = i->artifact;
    const uint64_t limits[5] = {imported_func_count(a), a->tables_count, a->memories_count, a->globals_count,
                                a->tags_count};

    for (uint64_t n = 0; n < a->imports_count; n++) {
        uint32_t kind = a->imports[n].kind;
        uint64_t at;
        if (kind > EXTERNAL_TAG || counts[kind] == limits[kind])
            return -ESTALE;
        at = counts[kind]++;
        switch ((enum external_kind)kind) {
        case EXTERNAL_FUNC: {
            const struct vm_func *f = store_func(i->store, imports[n].func);
            i->vm.imports[at] = (struct vm_import){.code = f->code, .vm = f->vm, .ref = imports[n].func};
            break;
        }
        case EXTERNAL_TABLE: i->vm.tables[at] = &imports[n].table->vm; break;
        case EXTERNAL_MEMORY: i->vm.memories[at] = &imports[n].memory->vm; break;
        case EXTERNAL_GLOBAL: i->vm.globals[at] = &imports[n].global->value; break;
        case EXTERNAL_TAG: i->tags[at] = imports[n].tag; break;
        }
    }
    return counts[EXTERNAL_FUNC] == limits[EXTERNAL_FUNC] ? 0 : -ESTALE;
}

/* A struct vm_func for every function that a reference may be made of; the slots of the others are never touched. */
static int make_funcs(struct instance *i, struct err *err)
{
    const struct artifact *a = i->artifact;
    uint64_t imported = imported_func_count(a);
    struct vm_func *funcs;

    if (a->funcs_count == 0)
        return 0;
    i->vm.func_refs = space_alloc(&i->store->space, a->funcs_count * sizeof *funcs);
    if (i->vm.func_refs == 0)
        return err_set(err, ENOMEM, "the reference space is full");
    funcs = store_func(i->store, i->vm.func_refs);
    for (uint64_t n = 0; n < a->referenced_count; n++) {
        uint32_t index = a->referenced[n];
        if (index >= a->funcs_count || a->funcs[index].type >= a->types_count)
            return damaged(err, "a function");
        if (index < imported) {
            funcs[index] = *store_func(i->store, i->vm.imports[index].ref);
            continue;
        }
        if (a->entries[index - imported] >= a->code_count)
            return damaged(err, "a function's code");
        funcs[index] = (struct vm_func){.code = a->code + a->entries[index - imported],
                                        .vm = &i->vm,
                                        .type_id = i->vm.type_ids[a->funcs[index].type]};
    }
    return 0;
}

static int make_memories(struct instance *i, uint64_t first, int image_fd, struct err *err)
{
    const struct artifact *a = i->artifact;
    uint64_t pages = a->header->sections[ARTIFACT_pages].offset;
    int status;

    for (uint64_t n = first; n < a->memories_count; n++) {
        struct limits limits = instance_limits(&a->memories[n]);
        struct memory *m;
        if (limits.page_size_log2 > 16)
            return damaged(err, "a memory");
        if ((status = memory_new(i->store, &limits, a->header->explicit_bounds_checks, &m, err)) != 0)
            return status;
        i->vm.memories[n] = &m->vm;
    }
    for (uint64_t n = 0; n < a->images_count; n++) {
        const struct artifact_image *image = &a->images[n];
        struct memory *m;
        if (image->memory < first || image->memory >= a->memories_count ||
            !artifact_range_fits(image->first, image->size_bytes, a->pages_count))
            return damaged(err, "an image");
        m = (struct memory *)i->vm.memories[image->memory];
        status =
            image_fd < 0
                ? memory_copy_image(m, image->memory_offset, image->size_bytes, a->pages + image->first, err)
                : memory_map_image(m, image->memory_offset, image->size_bytes, image_fd, pages + image->first, err);
        if (status != 0)
            return status;
    }
    if (a->memories_count != 0) {
        i->vm.memory0 = i->vm.memories[0];
        i->vm.memory0_base = i->vm.memory0->base;
    }
    return 0;
}

static bool type_is_sound(const struct artifact *a, valtype type)
{
    return !valtype_is_ref(type) || valtype_heap(type) >= HEAP_ABSTRACT || valtype_heap(type) < a->types_count;
}

static int make_globals(struct instance *i, uint64_t first, struct err *err)
{
    const struct artifact *a = i->artifact;

    for (uint64_t n = first; n < a->globals_count; n++) {
        struct global *g = &i->globals[n];
        int status =
            type_is_sound(a, a->globals[n].type) ? constant_evaluate(i, a->globals[n].init, &g->value) : -ESTALE;
        if (status != 0)
            return not_evaluated(err, status, "a global");
        g->type = types_resolve(a->globals[n].type, i->vm.type_ids);
        g->mutable = a->globals[n].mutable;
        i->vm.globals[n] = &g->value;
    }
    return 0;
}

static int make_tables(struct instance *i, uint64_t first, struct err *err)
{
    const struct artifact *a = i->artifact;
    int status;

    for (uint64_t n = first; n < a->tables_count; n++) {
        struct limits limits = instance_limits(&a->tables[n].limits);
        union vm_value init = {.ref = 0};
        struct table *t;
        status = type_is_sound(a, a->tables[n].type) ? 0 : -ESTALE;
        if (status == 0 && a->tables[n].init.len != 0)
            status = constant_evaluate(i, a->tables[n].init, &init);
        if (status != 0)
            return not_evaluated(err, status, "a table");
        status = table_new(i->store, &limits, types_resolve(a->tables[n].type, i->vm.type_ids), init.ref, &t, err);
        if (status != 0)
            return status;
        i->vm.tables[n] = &t->vm;
    }
    return 0;
}

static int make_tags(struct instance *i, uint64_t first, struct err *err)
{
    const struct artifact *a = i->artifact;

    for (uint64_t n = first; n < a->tags_count; n++) {
        if (a->tags[n] >= a->types_count || a->types[a->tags[n]].kind != TYPE_FUNC)
            return damaged(err, "a tag");
        i->tags[n] = arena_new(&i->store->arena, struct tag);
        i->tags[n]->type = i->vm.type_ids[a->tags[n]];
    }
    return 0;
}

/* References of a segment: function indexes become references where they are used, expressions now. */
static int make_element(struct instance *i, uint64_t n)
{
    const struct artifact *a = i->artifact;
    const struct artifact_element *e = &a->elements[n];

    if (!artifact_range_fits(e->first, e->count, e->by_items ? a->items_count : a->indexes_count))
        return -ESTALE;
    if (e->mode == SEGMENT_DECLARATIVE || e->count == 0)
        return 0;
    i->elements[n] = malloc(e->count * sizeof **i->elements);
    if (i->elements[n] == NULL)
        return -ENOMEM;
    i->element_lens[n] = e->count;
    for (uint32_t k = 0; k < e->count; k++) {
        union vm_value value;
        if (e->by_items) {
            int status = constant_evaluate(i, a->items[e->first + k], &value);
            if (status != 0)
                return status;
        } else {
            uint32_t index = a->indexes[e->first + k];
            if (index >= a->funcs_count)
                return -ESTALE;
            value.ref = i->vm.func_refs + index * (uint32_t)sizeof(struct vm_func);
        }
        i->elements[n][k] = value.ref;
    }
    return 0;
}

static int make_elements(struct instance *i, struct err *err)
{
    for (uint64_t n = 0; n < i->artifact->elements_count; n++) {
        int status = make_element(i, n);
        if (status != 0)
            return not_evaluated(err, status, "an element segment");
    }
    return 0;
}

int instance_new(struct store *store, const struct code *code, int image_fd, const struct external *imports,
                 struct instance **out, struct err *err)
{
    struct instance *i = allocate(store, code);
    uint64_t counts[5] = {0};
    int status = types_intern(&store->types, i->artifact, i->vm.type_ids, err);

    for (struct instance *each = store->instances; each != NULL; each = each->next) /* the rows may have moved */
        each->vm.type_rows = store->types.rows.data;
    if (status == 0 && take_imports(i, imports, counts) != 0)
        status = damaged(err, "an import");
    if (status != 0 || (status = make_funcs(i, err)) != 0 ||
        (status = make_memories(i, counts[EXTERNAL_MEMORY], image_fd, err)) != 0 ||
        (status = make_globals(i, counts[EXTERNAL_GLOBAL], err)) != 0 ||
        (status = make_tables(i, counts[EXTERNAL_TABLE], err)) != 0 ||
        (status = make_tags(i, counts[EXTERNAL_TAG], err)) != 0 || (status = make_elements(i, err)) != 0)
        return status;
    *out = i;
    return 0;
}

void instance_release(struct instance *i)
{
    for (uint64_t n = 0; n < i->artifact->elements_count; n++)
        free(i->elements[n]);
}

/* --- initialisation, and what the builtins share with it ------------------------------------------------------ */

enum trap_kind instance_table_init(struct instance *i, uint32_t table, uint32_t segment, uint64_t to, uint64_t from,
                                   uint64_t count)
{
    const struct vm_table *t = i->vm.tables[table];

    if (!artifact_range_fits(from, count, i->element_lens[segment]) || !artifact_range_fits(to, count, t->size))
        return TRAP_TABLE_OUT_OF_BOUNDS;
    if (count != 0)
        memcpy(t->elements + to, i->elements[segment] + from, count * sizeof *t->elements);
    return TRAP_NONE;
}

void instance_elem_drop(struct instance *i, uint32_t segment)
{
    free(i->elements[segment]);
    i->elements[segment] = NULL;
    i->element_lens[segment] = 0;
}

enum trap_kind instance_memory_init(struct instance *i, uint32_t memory, uint32_t segment, uint64_t to, uint64_t from,
                                    uint64_t count)
{
    const struct vm_memory *m = i->vm.memories[memory];
    const struct artifact_data *d = &i->artifact->datas[segment];
    uint64_t size_bytes = i->data_dropped[segment] ? 0 : d->size_bytes;

    if (!artifact_range_fits(from, count, size_bytes) || !artifact_range_fits(to, count, m->size_bytes) ||
        !artifact_range_fits(d->first, size_bytes, i->artifact->bytes_count))
        return TRAP_MEMORY_OUT_OF_BOUNDS;
    if (count != 0)
        memcpy(m->base + to, i->artifact->bytes + d->first + from, count);
    return TRAP_NONE;
}

/* The offset of an active segment; one that cannot be evaluated or names no memory or table counts as out of bounds. */
static uint64_t segment_offset(struct instance *i, struct artifact_range expression, bool is64)
{
    union vm_value value;
    if (constant_evaluate(i, expression, &value) != 0)
        return UINT64_MAX;
    return is64 ? value.i64 : value.i32;
}

static enum trap_kind apply_elements(struct instance *i)
{
    const struct artifact *a = i->artifact;

    for (uint32_t n = 0; n < a->elements_count; n++) {
        const struct artifact_element *e = &a->elements[n];
        enum trap_kind trap = TRAP_NONE;
        if (e->mode == SEGMENT_PASSIVE)
            continue;
        if (e->mode == SEGMENT_ACTIVE) {
            if (e->table >= a->tables_count)
                return TRAP_TABLE_OUT_OF_BOUNDS;
            trap = instance_table_init(i, e->table, n, segment_offset(i, e->offset, a->tables[e->table].limits.is64), 0,
                                       e->count);
        }
        if (trap != TRAP_NONE)
            return trap;
        instance_elem_drop(i, n);
    }
    return TRAP_NONE;
}

static enum trap_kind apply_datas(struct instance *i)
{
    const struct artifact *a = i->artifact;

    for (uint32_t n = 0; n < a->datas_count; n++) {
        const struct artifact_data *d = &a->datas[n];
        enum trap_kind trap = TRAP_NONE;
        if (d->mode != SEGMENT_ACTIVE)
            continue;
        if (!d->in_image) {
            if (d->memory >= a->memories_count)
                return TRAP_MEMORY_OUT_OF_BOUNDS;
            trap = instance_memory_init(i, d->memory, n, segment_offset(i, d->offset, a->memories[d->memory].is64), 0,
                                        d->size_bytes);
        }
        if (trap != TRAP_NONE)
            return trap;
        i->data_dropped[n] = true;
    }
    return TRAP_NONE;
}

/* A reference to any function of the instance, also one that the module itself never refers to. 0: damaged. */
static uint32_t func_reference(struct instance *i, uint32_t index)
{
    const struct artifact *a = i->artifact;
    uint64_t imported = imported_func_count(a);
    struct vm_func *f;

    if (index < imported)
        return i->vm.imports[index].ref;
    f = store_func(i->store, i->vm.func_refs) + index;
    if (f->code != NULL)
        return i->vm.func_refs + index * (uint32_t)sizeof *f;
    if (a->entries[index - imported] >= a->code_count || a->funcs[index].type >= a->types_count)
        return 0;
    *f = (struct vm_func){
        .code = a->code + a->entries[index - imported], .vm = &i->vm, .type_id = i->vm.type_ids[a->funcs[index].type]};
    return i->vm.func_refs + index * (uint32_t)sizeof *f;
}

enum trap_kind instance_initialize(struct instance *i)
{
    uint32_t start = i->artifact->header->start_func;
    enum trap_kind trap;
    uint32_t reference;

    if ((trap = apply_elements(i)) != TRAP_NONE || (trap = apply_datas(i)) != TRAP_NONE)
        return trap;
    if (start == MODULE_NONE || start >= i->artifact->funcs_count)
        return TRAP_NONE;
    reference = func_reference(i, start);
    return reference != 0 ? call_func(i->store, reference, NULL) : TRAP_NULL_REFERENCE;
}

static void export_of(struct instance *i, const struct artifact_export *e, struct external *out)
{
    out->kind = (enum external_kind)e->kind;
    switch (out->kind) {
    case EXTERNAL_FUNC: out->func = func_reference(i, e->index); break;
    case EXTERNAL_TABLE: out->table = (struct table *)i->vm.tables[e->index]; break;
    case EXTERNAL_MEMORY: out->memory = (struct memory *)i->vm.memories[e->index]; break;
    case EXTERNAL_GLOBAL: out->global = (struct global *)i->vm.globals[e->index]; break;
    case EXTERNAL_TAG: out->tag = i->tags[e->index]; break;
    }
}

bool instance_export(struct instance *i, struct name name, struct external *out)
{
    const struct artifact *a = i->artifact;
    const uint64_t limits[5] = {a->funcs_count, a->tables_count, a->memories_count, a->globals_count, a->tags_count};

    for (uint64_t n = 0; n < a->exports_count; n++) {
        const struct artifact_export *e = &a->exports[n];
        struct name found = artifact_string(a, e->name);
        if (found.len != name.len || memcmp(found.data, name.data, name.len) != 0)
            continue;
        if (e->kind > EXTERNAL_TAG || e->index >= limits[e->kind])
            return false;
        export_of(i, e, out);
        return out->kind != EXTERNAL_FUNC || out->func != 0;
    }
    return false;
}
