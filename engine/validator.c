/* The pieces that all code is validated with: failure, operands, and what immediates name. See validator.h. */
#include "engine/validator.h"
#include "engine/gen/layout.h"
#include "engine/feature.h"
#include "engine/limits.h"

enum { STACK_SLACK = 8 }; /* of one instruction that pops little and pushes more, in unreachable code */

void validator_reset(struct validator *v, const struct module *m, uint32_t features, struct err *err)
{
    v->m = m;
    v->features = features;
    v->features_used = 0;
    v->err = err;
    v->func = MODULE_NONE;
    v->failed = false;
    v->r = (struct rd){0};
    v->frames.len = 0;
    v->sp = v->base = v->stack;
    if (v->locals == NULL && (v->locals = malloc(LIMIT_LOCALS * sizeof *v->locals)) == NULL)
        out_of_memory();
    v->memory0_address = m->memory_count == 0 ? VT_NO_MEMORY : address_type(&m->memories[0].limits);
    v->table0_is_plain =
        m->table_count != 0 && !m->tables[0].limits.is64 && m->tables[0].type == valtype_ref(true, HEAP_FUNC);
}

void validator_reserve(struct validator *v, uint32_t longest_bytes)
{
    size_t need = (size_t)longest_bytes + STACK_SLACK;

    if (need > v->stack_capacity) {
        free(v->stack);
        v->stack_capacity = 0;
        v->stack = vec_grow(NULL, &v->stack_capacity, need, sizeof *v->stack);
    }
    loop_log_reserve(&v->log, longest_bytes);
}

void validator_done(struct validator *v)
{
    free(v->stack);
    free(v->locals);
    vec_done(&v->frames);
    vec_done(&v->late_locals);
    vec_done(&v->initialised);
    loop_log_done(&v->log);
}

/* --- failure ------------------------------------------------------------------------------------------------------ */
/* ", function 12 "name"", with only what is printable of a name, which may hold anything. */
static void describe_function(const struct validator *v, char *out, size_t size)
{
    const struct name *name;
    char text[64];
    uint32_t i;

    out[0] = 0;
    if (v->func == MODULE_NONE)
        return;
    name = v->m->func_names == NULL ? NULL : &v->m->func_names[v->func];
    if (name == NULL || name->len == 0) {
        snprintf(out, size, ", function %u", v->func);
        return;
    }
    for (i = 0; i < name->len && i < sizeof text - 1; i++)
        text[i] = name->data[i] >= ' ' && name->data[i] < 0x7f ? name->data[i] : '?';
    text[i] = 0;
    snprintf(out, size, ", function %u \"%s\"", v->func, text);
}

bool validator_fail(struct validator *v, const char *format, ...)
{
    char what[200], where[100];
    size_t at = v->op_at;
    va_list ap;

    if (v->failed)
        return false;
    v->failed = true;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    if (v->r.fault != NULL) {
        snprintf(what, sizeof what, "%s", v->r.fault);
        at = v->r.fault_at;
    }
    describe_function(v, where, sizeof where);
    err_set(v->err, EINVAL, "%s (at offset 0x%zx%s)", what, at, where);
    return false;
}

void validator_need(struct validator *v, uint32_t features)
{
    uint32_t missing = features & ~v->features;

    v->features_used |= features;
    if (missing == 0 || v->failed)
        return;
    validator_fail(v, "the module needs the feature %s, which is switched off", feature_name(missing));
    if (v->err != NULL && v->r.fault == NULL)
        v->err->code = ENOTSUP;
}

/* --- operands ----------------------------------------------------------------------------------------------------- */
static struct frame *innermost(struct validator *v)
{
    return vec_last(&v->frames);
}

void rebase(struct validator *v)
{
    v->base = v->stack + (v->frames.len == 0 ? 0 : innermost(v)->height);
}

void stack_reserve(struct validator *v, size_t count)
{
    size_t height = (size_t)(v->sp - v->stack);
    size_t need = height + count + rd_left(&v->r) + STACK_SLACK;

    if (need <= v->stack_capacity)
        return;
    v->stack = vec_grow(v->stack, &v->stack_capacity, need, sizeof *v->stack);
    v->sp = v->stack + height;
    rebase(v);
}

valtype pop_any(struct validator *v)
{
    if (v->sp > v->base)
        return *--v->sp;
    if (!innermost(v)->unreachable)
        validator_fail(v, "type mismatch: expected a value, found nothing on the stack");
    return VT_BOTTOM;
}

static valtype pop_mismatch(struct validator *v, valtype expected, valtype found)
{
    if (v->sp == v->base && found == VT_BOTTOM)
        validator_fail(v, "type mismatch: expected %s, found nothing on the stack", valtype_text(expected).text);
    else
        validator_fail(v, "type mismatch: expected %s, found %s", valtype_text(expected).text,
                       valtype_text(found).text);
    return expected;
}

valtype pop(struct validator *v, valtype expected)
{
    valtype found;

    if (v->sp == v->base)
        return innermost(v)->unreachable ? VT_BOTTOM : pop_mismatch(v, expected, VT_BOTTOM);
    found = *--v->sp;
    if (found == expected || valtype_is_subtype(v->m, found, expected))
        return found;
    return pop_mismatch(v, expected, found);
}

valtype pop_ref(struct validator *v)
{
    valtype found = pop_any(v);

    if (found == VT_BOTTOM)
        return valtype_ref(false, HEAP_BOTTOM);
    if (!valtype_is_ref(found)) {
        validator_fail(v, "type mismatch: expected a reference, found %s", valtype_text(found).text);
        return valtype_ref(false, HEAP_BOTTOM);
    }
    return found;
}

void pop_list(struct validator *v, struct type_list list)
{
    while (list.count != 0 && !v->failed)
        pop(v, list.types[--list.count]);
}

void push_list(struct validator *v, struct type_list list)
{
    uint32_t i;

    stack_reserve(v, list.count);
    for (i = 0; i < list.count; i++)
        *v->sp++ = list.types[i];
}

void set_unreachable(struct validator *v)
{
    v->sp = v->base;
    innermost(v)->unreachable = true;
}

/* --- what immediates name ----------------------------------------------------------------------------------------- */
valtype read_valtype(struct validator *v)
{
    valtype t = body_valtype(&v->r);

    validator_need(v, feature_of_valtype(t));
    if (!type_exists(v->m, t)) {
        validator_fail(v, "unknown type %u", valtype_heap(t));
        return VT_BOTTOM;
    }
    return type_canonical(v->m, t);
}

heaptype read_heaptype(struct validator *v)
{
    valtype t = valtype_ref(true, body_heaptype(&v->r));

    validator_need(v, feature_of_valtype(t));
    if (!type_exists(v->m, t)) {
        validator_fail(v, "unknown type %u", valtype_heap(t));
        return HEAP_BOTTOM;
    }
    return valtype_heap(type_canonical(v->m, t));
}

/* What a failing read_type gives, so that nobody has to look. */
static const struct type_def empty_types[] = {
    {.kind = TYPE_FUNC},
    {.kind = TYPE_STRUCT},
    {.kind = TYPE_ARRAY, .fields = &(struct field_type){VT_I32, true, OBJECT_HEADER_BYTES}}};

static const struct type_def *empty_type(enum type_kind kind)
{
    return &empty_types[kind == TYPE_FUNC ? 0 : kind == TYPE_STRUCT ? 1 : 2];
}

const struct type_def *read_type(struct validator *v, enum type_kind kind, uint32_t *canonical)
{
    uint32_t index = body_u32(&v->r);

    *canonical = 0;
    if (index >= v->m->type_count) {
        validator_fail(v, "unknown type %u", index);
        return empty_type(kind);
    }
    if (v->m->types[index].kind != kind) {
        validator_fail(v, "type mismatch: type %u is not %s type", index,
                       kind == TYPE_FUNC     ? "a function"
                       : kind == TYPE_STRUCT ? "a structure"
                                             : "an array");
        return empty_type(kind);
    }
    *canonical = v->m->types[index].canonical;
    return &v->m->types[index];
}

uint32_t read_func(struct validator *v)
{
    uint32_t func = body_u32(&v->r);
    if (func < v->m->func_count)
        return func;
    validator_fail(v, "unknown function %u", func);
    return MODULE_NONE;
}

const struct type_def *func_type(struct validator *v, uint32_t func)
{
    return func == MODULE_NONE ? empty_type(TYPE_FUNC) : &v->m->types[v->m->funcs[func].type];
}

struct frame *read_label(struct validator *v)
{
    uint32_t label = body_u32(&v->r);
    if (label < v->frames.len)
        return &v->frames.data[v->frames.len - 1 - label];
    validator_fail(v, "unknown label %u", label);
    return innermost(v);
}

const struct table_decl *read_table(struct validator *v)
{
    static const struct table_decl none = {.type = VT_REF_NULL | (valtype)HEAP_FUNC << 8};
    uint32_t table = body_u32(&v->r);
    if (table < v->m->table_count)
        return &v->m->tables[table];
    validator_fail(v, "unknown table %u", table);
    return &none;
}

const struct memory_decl *read_memory(struct validator *v)
{
    static const struct memory_decl none;
    uint32_t memory = body_u32(&v->r);
    if (memory < v->m->memory_count)
        return &v->m->memories[memory];
    validator_fail(v, "unknown memory %u", memory);
    return &none;
}

uint32_t read_data_segment(struct validator *v)
{
    uint32_t segment = body_u32(&v->r);
    if (!v->m->has_data_count)
        validator_fail(v, "data count section required");
    else if (segment >= v->m->data_count)
        validator_fail(v, "unknown data segment %u", segment);
    return segment;
}

const struct element_segment *read_element_segment(struct validator *v)
{
    static const struct element_segment none = {.type = VT_REF_NULL | (valtype)HEAP_FUNC << 8};
    uint32_t segment = body_u32(&v->r);
    if (segment < v->m->element_count)
        return &v->m->elements[segment];
    validator_fail(v, "unknown elem segment %u", segment);
    return &none;
}
