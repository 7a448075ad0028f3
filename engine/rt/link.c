#include "engine/rt/link.h"
#include "engine/text.h"
#include <stdlib.h>
#include <string.h>

static bool name_equals(struct name a, struct name b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Binary search by name: the definitions are sorted. */
static const struct host_function_def *host_find(const struct host_module *host, struct name name)
{
    uint32_t low = 0, high = host->def_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *at = host->defs[middle].name;
        int order = strncmp(at, name.data, name.len);
        if (order == 0 && at[name.len] == 0)
            return &host->defs[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool source_find(struct linker *linker, const struct link_source *source, struct name field,
                        struct external *out)
{
    const struct host_function_def *def;

    if (source->instance != NULL)
        return instance_export(source->instance, field, out);
    for (uint32_t i = 0; i < source->external_count; i++) {
        if (name_equals(name_of(source->external_names[i]), field)) {
            *out = source->externals[i];
            return true;
        }
    }
    def = source->host != NULL ? host_find(source->host, field) : NULL;
    if (def == NULL)
        return false;
    out->kind = EXTERNAL_FUNC;
    out->func = host_func_new(linker->store, def, source->context);
    return out->func != 0;
}

static bool find(struct linker *linker, struct name module, struct name field, struct external *out)
{
    for (size_t i = linker->sources.len; i-- != 0;)
        if (name_equals(linker->sources.data[i].module, module) &&
            source_find(linker, &linker->sources.data[i], field, out))
            return true;
    return false;
}

/* Import subtyping of limits (core specification, valid/matching). SIZE is the current one. */
static bool limits_match(uint64_t size, const struct limits *have, const struct artifact_limits *want)
{
    return size >= want->min && have->is64 == want->is64 && have->shared == want->shared &&
           (!want->has_max || (have->has_max && have->max <= want->max));
}

static bool global_matches(const struct type_table *types, const struct global *g, const struct artifact_global *want,
                           const uint32_t *numbers)
{
    valtype type = types_resolve(want->type, numbers);
    if (g->mutable != (want->mutable != 0) || !types_value_matches(types, g->type, type))
        return false;
    return !g->mutable || types_value_matches(types, type, g->type);
}

static bool table_matches(const struct type_table *types, const struct table *t, const struct artifact_table *want,
                          const uint32_t *numbers)
{
    valtype type = types_resolve(want->type, numbers);
    return limits_match(t->vm.size, &t->limits, &want->limits) && types_value_matches(types, t->type, type) &&
           types_value_matches(types, type, t->type);
}

static bool memory_matches(const struct memory *m, const struct artifact_limits *want)
{
    uint64_t size_pages = __atomic_load_n(&m->size_pages, __ATOMIC_ACQUIRE); /* a shared one may be growing */
    return m->limits.page_size_log2 == want->page_size_log2 && limits_match(size_pages, &m->limits, want);
}

/* Whether EXTERNAL may stand for the artifact's definition INDEX of its kind. */
static bool matches(const struct store *store, const struct artifact *a, const struct external *external,
                    uint32_t index, const uint32_t *numbers)
{
    const struct type_table *types = &store->types;

    switch (external->kind) {
    case EXTERNAL_FUNC:
        return index < a->funcs_count && a->funcs[index].type < a->types_count &&
               types_is_subtype(types, store_func(store, external->func)->type_id, numbers[a->funcs[index].type]);
    case EXTERNAL_TABLE:
        return index < a->tables_count && table_matches(types, external->table, &a->tables[index], numbers);
    case EXTERNAL_MEMORY: return index < a->memories_count && memory_matches(external->memory, &a->memories[index]);
    case EXTERNAL_GLOBAL:
        return index < a->globals_count && global_matches(types, external->global, &a->globals[index], numbers);
    case EXTERNAL_TAG:
        return index < a->tags_count && a->tags[index] < a->types_count &&
               external->tag->type == numbers[a->tags[index]];
    }
    return false;
}

static void put_wanted(struct buf *text, const struct artifact *a, const struct artifact_import *import)
{
    const struct artifact_type *t;

    if (import->kind != EXTERNAL_FUNC || import->index >= a->funcs_count ||
        a->funcs[import->index].type >= a->types_count)
        return;
    t = &a->types[a->funcs[import->index].type];
    if (!artifact_range_fits(t->first, (uint64_t)t->param_count + t->result_count, a->valtypes_count))
        return;
    buf_put_str(text, " of the type ");
    text_func_type(text, a->valtypes + t->first, t->param_count, t->result_count);
}

static int refuse(const struct store *store, const struct artifact *a, const struct artifact_import *import,
                  const struct external *found, struct err *err)
{
    struct buf text = {0};
    int code = found == NULL ? ENOENT : EINVAL;

    buf_put_str(&text, found == NULL ? "unknown import: the module wants the "
                                     : "incompatible import type: the module wants the ");
    buf_put_str(&text, text_external_kind(import->kind));
    buf_put_str(&text, " ");
    text_name(&text, artifact_string(a, import->field));
    buf_put_str(&text, " from ");
    text_name(&text, artifact_string(a, import->module));
    put_wanted(&text, a, import);
    if (found != NULL && found->kind == EXTERNAL_FUNC && import->kind == EXTERNAL_FUNC) {
        const struct store_type *t = types_get(&store->types, store_func(store, found->func)->type_id);
        buf_put_str(&text, ", but it has the type ");
        text_func_type(&text, t->types, t->param_count, t->result_count);
    } else if (found != NULL) {
        buf_printf(&text, ", but what is there is a %s of another type", text_external_kind(found->kind));
    }
    err_set(err, code, "%s", buf_cstr(&text));
    buf_done(&text);
    return -code;
}

static int link_all(struct linker *linker, const struct artifact *a, const uint32_t *numbers, struct external *imports,
                    struct err *err)
{
    for (uint64_t i = 0; i < a->imports_count; i++) {
        const struct artifact_import *import = &a->imports[i];
        if (!find(linker, artifact_string(a, import->module), artifact_string(a, import->field), &imports[i]))
            return refuse(linker->store, a, import, NULL, err);
        if (imports[i].kind != import->kind || !matches(linker->store, a, &imports[i], import->index, numbers))
            return refuse(linker->store, a, import, &imports[i], err);
    }
    return 0;
}

int link_imports(struct linker *linker, const struct code *code, struct external *imports, struct err *err)
{
    const struct artifact *a = &code->artifact;
    uint32_t *numbers = calloc(a->types_count + 1, sizeof *numbers);
    int status;

    if (numbers == NULL)
        return err_set(err, ENOMEM, "out of memory");
    status = types_intern(&linker->store->types, a, numbers, err);
    if (status == 0)
        status = link_all(linker, a, numbers, imports, err);
    free(numbers);
    return status;
}
