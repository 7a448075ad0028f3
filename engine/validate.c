/* Validation of modules (core specification, chapter "Modules"): types, index spaces, initialisers, names, then bodies.
 */
#include "engine/feature.h"
#include "engine/limits.h"
#include "engine/validator.h"

/* What a failure is about when it is no instruction: "import 3", "table 0". */
static bool fail_about(struct validator *v, const char *what, uint32_t index, const char *reason)
{
    if (!v->failed)
        err_set(v->err, EINVAL, "%s (%s %u)", reason, what, index);
    v->failed = true;
    return false;
}

static void need_about(struct validator *v, uint32_t features, const char *what, uint32_t index)
{
    uint32_t missing = features & ~v->features;

    v->features_used |= features;
    if (missing == 0 || v->failed)
        return;
    v->failed = true;
    err_set(v->err, ENOTSUP, "the module needs the feature %s, which is switched off (%s %u)", feature_name(missing),
            what, index);
}

/* --- index spaces ------------------------------------------------------------------------------------------------- */
static void validate_funcs(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->func_count && !v->failed; i++)
        if (m->funcs[i].type >= m->type_count || m->types[m->funcs[i].type].kind != TYPE_FUNC)
            fail_about(v, "function", i, "unknown type");
}

static void validate_tags(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->tag_count && !v->failed; i++) {
        if (m->tags[i].type >= m->type_count || m->types[m->tags[i].type].kind != TYPE_FUNC)
            fail_about(v, "tag", i, "unknown type");
        else if (m->types[m->tags[i].type].result_count != 0)
            fail_about(v, "tag", i, "non-empty tag result type");
    }
}

static bool limits_in_order(const struct limits *l)
{
    return !l->has_max || l->min <= l->max;
}

/* As many pages as the address type can reach, one byte less where that is all of 64 bits. */
static uint64_t memory_bound_pages(const struct limits *l)
{
    unsigned bits = l->is64 ? 64 : 32;
    return l->page_size_log2 == 0 ? (l->is64 ? UINT64_MAX : UINT64_C(1) << 32)
                                  : UINT64_C(1) << (bits - l->page_size_log2);
}

static void validate_memories(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    if (m->memory_count > 1)
        need_about(v, ENGINE_FEATURE_MULTI_MEMORY, "memory", 1);
    for (i = 0; i < m->memory_count && !v->failed; i++) {
        const struct limits *l = &m->memories[i].limits;
        uint64_t bound;
        if (l->page_size_log2 != 0 && l->page_size_log2 != 16) {
            fail_about(v, "memory", i, "invalid custom page size");
            return;
        }
        bound = memory_bound_pages(l);
        if (l->min > bound || (l->has_max && l->max > bound))
            fail_about(v, "memory", i,
                       l->is64 ? "memory size must be at most 2^48 pages"
                               : "memory size must be at most 65536 pages (4GiB)");
        else if (!limits_in_order(l))
            fail_about(v, "memory", i, "size minimum must not be greater than maximum");
        else if (l->shared && !l->has_max)
            fail_about(v, "memory", i, "shared memory must have maximum");
    }
}

/* Tables come before globals, so that their initialisers see only imported ones. */
static void validate_tables(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->table_count && !v->failed; i++) {
        struct table_decl *t = &m->tables[i];
        if (!type_exists(m, t->type)) {
            fail_about(v, "table", i, "unknown type");
            return;
        }
        t->type = type_canonical(m, t->type);
        if (!limits_in_order(&t->limits))
            fail_about(v, "table", i, "size minimum must not be greater than maximum");
        else if (t->init.len != 0)
            validate_constant(v, t->init, t->type, m->imported_global_count);
        else if (i >= m->imported_table_count && valtype_code(t->type) == VT_REF)
            fail_about(v, "table", i, "type mismatch: a table of non-null references needs an initialiser");
    }
}

/* Each initialiser sees the globals before its own. */
static void validate_globals(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->global_count && !v->failed; i++) {
        struct global_decl *g = &m->globals[i];
        if (!type_exists(m, g->type)) {
            fail_about(v, "global", i, "unknown type");
            return;
        }
        g->type = type_canonical(m, g->type);
        if (i >= m->imported_global_count)
            validate_constant(v, g->init, g->type, i);
    }
}

/* --- segments ----------------------------------------------------------------------------------------------------- */
static void validate_element_items(struct validator *v, const struct element_segment *e, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < e->count && !v->failed; i++) {
        if (e->items != NULL)
            validate_constant(v, e->items[i], e->type, v->m->global_count);
        else if (e->funcs[i] >= v->m->func_count)
            fail_about(v, "element segment", index, "unknown function");
    }
}

static void validate_elements(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->element_count && !v->failed; i++) {
        struct element_segment *e = &m->elements[i];
        if (!type_exists(m, e->type)) {
            fail_about(v, "element segment", i, "unknown type");
            return;
        }
        e->type = type_canonical(m, e->type);
        validate_element_items(v, e, i);
        if (e->mode != SEGMENT_ACTIVE || v->failed)
            continue;
        if (e->table >= m->table_count)
            fail_about(v, "element segment", i, "unknown table");
        else if (!valtype_is_subtype(m, e->type, m->tables[e->table].type))
            fail_about(v, "element segment", i, "type mismatch: its elements are not of the table's type");
        else
            validate_constant(v, e->offset, address_type(&m->tables[e->table].limits), m->global_count);
    }
}

static void validate_datas(struct validator *v)
{
    const struct module *m = v->m;
    uint32_t i;

    for (i = 0; i < m->data_count && !v->failed; i++) {
        const struct data_segment *d = &m->datas[i];
        if (d->mode != SEGMENT_ACTIVE)
            continue;
        if (d->memory >= m->memory_count)
            fail_about(v, "data segment", i, "unknown memory");
        else
            validate_constant(v, d->offset, address_type(&m->memories[d->memory].limits), m->global_count);
    }
}

/* --- exports and start -------------------------------------------------------------------------------------------- */
static uint64_t name_hash(const struct name *name, uint64_t seed)
{
    uint64_t hash = seed;
    uint32_t i;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ (uint8_t)name->data[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool same_name(const struct name *a, const struct name *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Open addressing, seeded with the table's address, which a hostile module cannot know. */
static void validate_export_names(struct validator *v)
{
    const struct module *m = v->m;
    size_t mask = 15, at;
    uint32_t i, *slots;

    while (mask < (size_t)m->export_count * 2)
        mask = mask * 2 + 1;
    slots = calloc(mask + 1, sizeof *slots);
    if (slots == NULL)
        out_of_memory();
    for (i = 0; i < m->export_count && !v->failed; i++) {
        const struct name *name = &m->exports[i].name;
        for (at = name_hash(name, (uintptr_t)slots) & mask; slots[at] != 0; at = (at + 1) & mask)
            if (same_name(name, &m->exports[slots[at] - 1].name))
                fail_about(v, "export", i, "duplicate export name");
        slots[at] = i + 1;
    }
    free(slots);
}

static void validate_exports(struct validator *v)
{
    static const char *const unknown[] = {"unknown function", "unknown table", "unknown memory", "unknown global",
                                          "unknown tag"};
    const struct module *m = v->m;
    const uint32_t counts[] = {m->func_count, m->table_count, m->memory_count, m->global_count, m->tag_count};
    uint32_t i;

    for (i = 0; i < m->export_count && !v->failed; i++)
        if (m->exports[i].index >= counts[m->exports[i].kind])
            fail_about(v, "export", i, unknown[m->exports[i].kind]);
    validate_export_names(v);
}

static void validate_start(struct validator *v)
{
    const struct module *m = v->m;
    const struct type_def *t;

    if (m->start_func == MODULE_NONE || v->failed)
        return;
    if (m->start_func >= m->func_count) {
        fail_about(v, "start function", m->start_func, "unknown function");
        return;
    }
    t = &m->types[m->funcs[m->start_func].type];
    if (t->param_count != 0 || t->result_count != 0)
        fail_about(v, "function", m->start_func, "start function must have no parameters and no results");
}

/* --- the module --------------------------------------------------------------------------------------------------- */
static void validate_types(struct validator *v, struct module *m)
{
    uint32_t where = 0;
    const char *fault = types_validate(m, &where);

    if (fault != NULL)
        fail_about(v, "type", where, fault);
}

static void validate_all_declarations(struct validator *v)
{
    static void (*const steps[])(struct validator *) = {validate_funcs,  validate_tags,    validate_memories,
                                                        validate_tables, validate_globals, validate_elements,
                                                        validate_datas,  validate_exports, validate_start};
    size_t i;

    for (i = 0; i < sizeof steps / sizeof steps[0] && !v->failed; i++)
        steps[i](v);
}

int module_validate_declarations(struct module *m, uint32_t features, struct err *err)
{
    struct validator v = {0};

    validator_reset(&v, m, features_closed(features), err);
    validate_types(&v, m);
    validate_all_declarations(&v);
    validator_done(&v);
    m->features_used |= v.features_used;
    return v.failed ? -err->code : 0;
}

static uint32_t longest_body(const struct module *m, uint32_t first, uint32_t end)
{
    uint32_t longest = 0;

    for (uint32_t func = first; func < end; func++)
        if (m->funcs[func].body.len > longest)
            longest = m->funcs[func].body.len;
    return longest;
}

int module_validate_bodies(struct validator **kept, const struct module *m, uint32_t features, uint32_t first,
                           uint32_t end, uint32_t *features_used, struct loops *loops, struct err *err)
{
    struct validator own = {0}, *v = kept != NULL ? *kept : &own;
    uint32_t func;

    if (v == NULL && (v = *kept = calloc(1, sizeof *v)) == NULL)
        out_of_memory();
    validator_reset(v, m, features_closed(features), err);
    validator_reserve(v, longest_body(m, first, end));
    v->log.out = loops;
    if (loops != NULL)
        loops_empty(loops);
    for (func = first; func < end && !v->failed; func++)
        validate_body(v, func);
    *features_used |= v->features_used;
    if (v == &own)
        validator_done(v);
    return v->failed ? -err->code : 0;
}

void validator_free(struct validator *kept)
{
    if (kept != NULL)
        validator_done(kept);
    free(kept);
}

int module_validate(struct module *m, uint32_t features, struct err *err)
{
    struct err own;
    int status;

    if (err == NULL)
        err = &own;
    status = module_validate_declarations(m, features, err);
    if (status == 0)
        status = module_validate_bodies(NULL, m, features, m->imported_func_count, m->func_count, &m->features_used,
                                        NULL, err);
    return status;
}
