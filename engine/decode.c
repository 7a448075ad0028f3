/* The binary format of modules: bytes → struct module (core specification, chapter "Binary Format").
 *
 * Each section is read straight through a bounded reader whose first fault sticks, and checked once at its end. Counts
 * are checked against the bytes that are left before anything grows by them, so memory stays within a small multiple of
 * the module's size. Bodies are only located here: their instructions are first read by the validator. */
#include "engine/body.h"
#include "engine/feature.h"
#include "engine/gen/layout.h"
#include "engine/limits.h"
#include "engine/name.h"
#include "base/vec.h"

/* Index spaces grow while imports and then definitions come in; they move to the module's arena at the end. */
struct decoder {
    struct rd r; /* the section being read; origin: the module's first byte */
    struct module *m;
    uint32_t features;
    uint32_t missing_feature; /* why r.fault is set, if not 0 */
    uint32_t declared_bodies; /* entries of the function section */
    uint32_t bodies;          /* entries of the code section */
    uint32_t data_count;
    const char *section; /* its name */

    VEC(struct type_def) types;
    VEC(struct func_decl) funcs;
    VEC(struct table_decl) tables;
    VEC(struct memory_decl) memories;
    VEC(struct global_decl) globals;
    VEC(struct tag_decl) tags;
    VEC(struct import_decl) imports;
    VEC(struct export_decl) exports;
    VEC(struct element_segment) elements;
    VEC(struct data_segment) datas;
    VEC(struct custom_section) customs;
};

/* --- pieces ------------------------------------------------------------------------------------------------------- */
static void need_feature_at(struct decoder *d, uint32_t features, size_t offset)
{
    uint32_t missing = features & ~d->features;
    d->m->features_used |= features;
    if (missing != 0 && d->r.fault == NULL) {
        d->missing_feature = missing;
        rd_fail_at(&d->r, offset, "feature");
    }
}

static void need_feature(struct decoder *d, uint32_t features)
{
    need_feature_at(d, features, rd_offset(&d->r) - 1);
}

/* A count of things of at least ELEMENT_BYTES each, with HELD of at most LIMIT in the module so far. */
static uint32_t decode_count(struct decoder *d, size_t held, size_t limit, size_t element_bytes, const char *too_many)
{
    size_t begin = rd_offset(&d->r);
    uint32_t count = body_u32(&d->r);

    if (d->r.fault != NULL)
        return 0;
    if (held > limit || count > limit - held) {
        rd_fail_at(&d->r, begin, too_many);
        return 0;
    }
    if (count > rd_left(&d->r) / element_bytes) {
        rd_fail_at(&d->r, begin, "unexpected end of section or function");
        return 0;
    }
    return count;
}

static bool decode_more(const struct decoder *d, uint32_t *count)
{
    return d->r.fault == NULL && (*count)-- != 0;
}

static bool is_continuation(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* Length of the UTF-8 sequence at P (LEFT bytes), 0 if it is none: shortest forms only, no surrogates. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] < 0xe0)
        return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] < 0xf0) {
        if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
            return 0;
        return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ? 0 : 3;
    }
    if (p[0] >= 0xf0 && p[0] < 0xf5) {
        if (left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3]))
            return 0;
        return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90) ? 0 : 4;
    }
    return 0;
}

bool name_read(struct rd *r, struct name *out)
{
    uint32_t len = body_u32(r);
    const uint8_t *p;
    size_t at = 0, step;

    *out = (struct name){"", 0};
    if (r->fault == NULL && len > rd_left(r))
        rd_fail(r, "length out of bounds");
    if (r->fault != NULL)
        return false;
    p = rd_bytes(r, len);
    for (; at < len; at += step) {
        step = utf8_sequence(p + at, len - at);
        if (step == 0) {
            rd_fail_at(r, (size_t)(p - r->start) + at, "malformed UTF-8 encoding");
            return false;
        }
    }
    *out = (struct name){(const char *)p, len};
    return true;
}

static valtype decode_valtype(struct decoder *d)
{
    size_t begin = rd_offset(&d->r);
    valtype t = body_valtype(&d->r);
    need_feature_at(d, feature_of_valtype(t), begin);
    return t;
}

static valtype decode_reftype(struct decoder *d)
{
    size_t begin = rd_offset(&d->r);
    valtype t = body_reftype(&d->r);
    need_feature_at(d, feature_of_valtype(t), begin);
    return t;
}

static bool decode_mutability(struct decoder *d)
{
    uint8_t b = rd_u8(&d->r);
    if (b > 1)
        rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed mutability");
    return b == 1;
}

/* Bits of the flags in front of limits. */
enum { LIMITS_HAS_MAX = 1, LIMITS_SHARED = 2, LIMITS_64 = 4, LIMITS_PAGE_SIZE = 8 };

static struct limits decode_limits(struct decoder *d, uint8_t allowed_flags)
{
    struct limits l = {.max = UINT64_MAX, .page_size_log2 = 16};
    uint8_t flags = rd_u8(&d->r);

    if ((flags & ~allowed_flags) != 0) {
        rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed limits flags");
        return l;
    }
    need_feature(d, ((flags & LIMITS_SHARED) != 0 ? ENGINE_FEATURE_THREADS : 0) |
                        ((flags & LIMITS_64) != 0 ? ENGINE_FEATURE_MEMORY64 : 0) |
                        ((flags & LIMITS_PAGE_SIZE) != 0 ? ENGINE_FEATURE_CUSTOM_PAGE_SIZES : 0));
    l.has_max = (flags & LIMITS_HAS_MAX) != 0;
    l.shared = (flags & LIMITS_SHARED) != 0;
    l.is64 = (flags & LIMITS_64) != 0;
    l.min = l.is64 ? body_u64(&d->r) : body_u32(&d->r);
    if (l.has_max)
        l.max = l.is64 ? body_u64(&d->r) : body_u32(&d->r);
    if ((flags & LIMITS_PAGE_SIZE) != 0) {
        uint32_t log2 = body_u32(&d->r);
        if (log2 >= 64)
            rd_fail(&d->r, "invalid custom page size");
        l.page_size_log2 = (uint8_t)log2;
    }
    return l;
}

static struct table_decl decode_table_type(struct decoder *d)
{
    struct table_decl t = {.type = decode_reftype(d)};
    t.limits = decode_limits(d, LIMITS_HAS_MAX | LIMITS_64);
    return t;
}

static struct memory_decl decode_memory_type(struct decoder *d)
{
    return (struct memory_decl){decode_limits(d, LIMITS_HAS_MAX | LIMITS_SHARED | LIMITS_64 | LIMITS_PAGE_SIZE)};
}

static struct global_decl decode_global_type(struct decoder *d)
{
    struct global_decl g = {.type = decode_valtype(d)};
    g.mutable = decode_mutability(d);
    return g;
}

static struct tag_decl decode_tag_type(struct decoder *d)
{
    if (rd_u8(&d->r) != 0)
        rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed tag attribute");
    need_feature(d, ENGINE_FEATURE_EXCEPTIONS);
    return (struct tag_decl){body_u32(&d->r)};
}

/* The instructions that may stand in a constant expression. */
static bool is_constant(enum opcode op)
{
    switch (op) {
    case OP_I32_CONST:
    case OP_I64_CONST:
    case OP_F32_CONST:
    case OP_F64_CONST:
    case OP_V128_CONST:
    case OP_GLOBAL_GET:
    case OP_REF_NULL:
    case OP_REF_FUNC:
    case OP_I32_ADD:
    case OP_I32_SUB:
    case OP_I32_MUL:
    case OP_I64_ADD:
    case OP_I64_SUB:
    case OP_I64_MUL:
    case OP_STRUCT_NEW:
    case OP_STRUCT_NEW_DEFAULT:
    case OP_ARRAY_NEW:
    case OP_ARRAY_NEW_DEFAULT:
    case OP_ARRAY_NEW_FIXED:
    case OP_REF_I31:
    case OP_ANY_CONVERT_EXTERN:
    case OP_EXTERN_CONVERT_ANY: return true;
    default: return false;
    }
}

static void mark_referenced(struct decoder *d, uint32_t func)
{
    if (func < d->funcs.len)
        d->funcs.data[func].referenced = true; /* an index out of range is the validator's to find */
}

/* Finds the end of a constant expression, which holds no block. What it computes is checked by the validator. */
static struct byte_range decode_constant(struct decoder *d)
{
    struct rd *r = &d->r;
    uint32_t begin = (uint32_t)rd_offset(r);

    for (;;) {
        size_t at = rd_offset(r);
        enum opcode op = body_opcode(r);
        if (r->fault != NULL)
            return (struct byte_range){begin, 0};
        if (op == OP_END)
            return (struct byte_range){begin, (uint32_t)rd_offset(r) - begin};
        if (op == OP_ILLEGAL)
            rd_fail_at(r, at, "illegal opcode");
        else if (!is_constant(op))
            rd_fail_at(r, at, "constant expression required");
        else if (op == OP_REF_FUNC)
            mark_referenced(d, body_u32(r));
        else
            body_skip_immediate(r, op);
    }
}

/* --- sections ----------------------------------------------------------------------------------------------------- */
static valtype *decode_valtypes(struct decoder *d, uint32_t *count, uint32_t limit, const char *too_many)
{
    valtype *types;
    uint32_t i;

    *count = decode_count(d, 0, limit, 1, too_many);
    types = arena_array(&d->m->arena, valtype, *count);
    for (i = 0; i < *count && d->r.fault == NULL; i++)
        types[i] = decode_valtype(d);
    return types;
}

static struct field_type decode_field(struct decoder *d)
{
    struct field_type f = {0};
    uint8_t code = rd_left(&d->r) != 0 ? *d->r.at : 0;

    if (code == VT_I8 || code == VT_I16)
        f.type = rd_u8(&d->r);
    else
        f.type = decode_valtype(d);
    f.mutable = decode_mutability(d);
    return f;
}

/* func, struct or array, behind its code byte. */
static void decode_composite(struct decoder *d, struct type_def *t, uint8_t code)
{
    uint32_t i, end = OBJECT_HEADER_BYTES;

    t->kind = (enum type_kind)code;
    switch (code) {
    case TYPE_FUNC:
        t->params = decode_valtypes(d, &t->param_count, LIMIT_PARAMS, "too many parameters");
        t->results = decode_valtypes(d, &t->result_count, LIMIT_RESULTS, "too many results");
        return;
    case TYPE_STRUCT:
        need_feature(d, ENGINE_FEATURE_GC);
        t->field_count = decode_count(d, 0, LIMIT_STRUCT_FIELDS, 2, "too many fields");
        break;
    case TYPE_ARRAY:
        need_feature(d, ENGINE_FEATURE_GC);
        t->field_count = 1;
        break;
    default: rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed definition type"); return;
    }
    t->fields = arena_array(&d->m->arena, struct field_type, t->field_count);
    for (i = 0; i < t->field_count && d->r.fault == NULL; i++) {
        t->fields[i] = decode_field(d);
        t->fields[i].offset = object_place(&end, t->fields[i].type);
    }
}

enum { TYPE_REC = 0x4e, TYPE_SUB_FINAL = 0x4f, TYPE_SUB = 0x50 };

static void decode_subtype(struct decoder *d, uint32_t rec_first, uint32_t rec_count)
{
    struct type_def t = {.final = true, .supertype = MODULE_NONE, .rec_first = rec_first, .rec_count = rec_count};
    uint8_t code = rd_u8(&d->r);

    t.canonical = (uint32_t)d->types.len;
    if (code == TYPE_SUB || code == TYPE_SUB_FINAL) {
        need_feature(d, ENGINE_FEATURE_GC);
        t.final = code == TYPE_SUB_FINAL;
        if (decode_count(d, 0, 1, 1, "sub type: at most one supertype is allowed") == 1)
            t.supertype = body_u32(&d->r);
        code = rd_u8(&d->r);
    }
    if (d->r.fault == NULL)
        decode_composite(d, &t, code);
    vec_push(&d->types, t);
}

static void decode_types(struct decoder *d)
{
    uint32_t groups = decode_count(d, 0, LIMIT_TYPES, 1, "too many types");

    while (decode_more(d, &groups)) {
        uint32_t first = (uint32_t)d->types.len, count = 1, left;
        if (rd_left(&d->r) != 0 && *d->r.at == TYPE_REC) {
            rd_u8(&d->r);
            need_feature(d, ENGINE_FEATURE_GC);
            count = decode_count(d, first, LIMIT_TYPES, 2, "too many types");
        } else if (first >= LIMIT_TYPES) {
            rd_fail(&d->r, "too many types");
        }
        for (left = count; decode_more(d, &left);)
            decode_subtype(d, first, count);
    }
}

static uint32_t decode_import(struct decoder *d, enum external_kind kind)
{
    switch (kind) {
    case EXTERNAL_FUNC: vec_push(&d->funcs, (struct func_decl){.type = body_u32(&d->r)}); return d->funcs.len - 1;
    case EXTERNAL_TABLE: vec_push(&d->tables, decode_table_type(d)); return d->tables.len - 1;
    case EXTERNAL_MEMORY: vec_push(&d->memories, decode_memory_type(d)); return d->memories.len - 1;
    case EXTERNAL_GLOBAL: vec_push(&d->globals, decode_global_type(d)); return d->globals.len - 1;
    case EXTERNAL_TAG: vec_push(&d->tags, decode_tag_type(d)); return d->tags.len - 1;
    }
    return 0;
}

static void decode_imports(struct decoder *d)
{
    uint32_t count = decode_count(d, 0, LIMIT_IMPORTS, 4, "too many imports");

    while (decode_more(d, &count)) {
        struct import_decl import = {0};
        uint8_t kind;
        name_read(&d->r, &import.module);
        name_read(&d->r, &import.field);
        kind = rd_u8(&d->r);
        if (d->r.fault == NULL && kind > EXTERNAL_TAG)
            rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed import kind");
        if (d->r.fault != NULL)
            return;
        import.kind = (enum external_kind)kind;
        import.index = decode_import(d, import.kind);
        vec_push(&d->imports, import);
    }
}

static void decode_functions(struct decoder *d)
{
    uint32_t count = decode_count(d, d->funcs.len, LIMIT_FUNCTIONS, 1, "too many functions");
    d->declared_bodies = count;
    while (decode_more(d, &count))
        vec_push(&d->funcs, (struct func_decl){.type = body_u32(&d->r)});
}

/* A table with an initialiser is introduced by 0x40 0x00. */
static void decode_tables(struct decoder *d)
{
    uint32_t count = decode_count(d, d->tables.len, LIMIT_TABLES, 3, "too many tables");

    while (decode_more(d, &count)) {
        struct table_decl t;
        bool has_init = rd_left(&d->r) != 0 && *d->r.at == 0x40;
        if (has_init) {
            rd_u8(&d->r);
            need_feature(d, ENGINE_FEATURE_FUNCTION_REFERENCES);
            if (rd_u8(&d->r) != 0)
                rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed table");
        }
        t = decode_table_type(d);
        if (has_init)
            t.init = decode_constant(d);
        vec_push(&d->tables, t);
    }
}

static void decode_memories(struct decoder *d)
{
    uint32_t count = decode_count(d, d->memories.len, LIMIT_MEMORIES, 2, "too many memories");
    while (decode_more(d, &count))
        vec_push(&d->memories, decode_memory_type(d));
}

static void decode_tags(struct decoder *d)
{
    uint32_t count = decode_count(d, d->tags.len, LIMIT_TAGS, 2, "too many tags");
    while (decode_more(d, &count))
        vec_push(&d->tags, decode_tag_type(d));
}

static void decode_globals(struct decoder *d)
{
    uint32_t count = decode_count(d, d->globals.len, LIMIT_GLOBALS, 3, "too many globals");
    while (decode_more(d, &count)) {
        struct global_decl g = decode_global_type(d);
        g.init = decode_constant(d);
        vec_push(&d->globals, g);
    }
}

static void decode_exports(struct decoder *d)
{
    uint32_t count = decode_count(d, 0, LIMIT_EXPORTS, 3, "too many exports");

    while (decode_more(d, &count)) {
        struct export_decl e = {0};
        uint8_t kind;
        name_read(&d->r, &e.name);
        kind = rd_u8(&d->r);
        if (kind > EXTERNAL_TAG)
            rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed export kind");
        e.kind = (enum external_kind)kind;
        e.index = body_u32(&d->r);
        if (d->r.fault == NULL && e.kind == EXTERNAL_FUNC)
            mark_referenced(d, e.index);
        vec_push(&d->exports, e);
    }
}

static void decode_start(struct decoder *d)
{
    d->m->start_func = body_u32(&d->r);
}

/* Bits of the flags in front of an element segment; the second means "declarative" without a table, else "explicit". */
enum { ELEMENT_NOT_ACTIVE = 1, ELEMENT_EXPLICIT = 2, ELEMENT_EXPRESSIONS = 4 };

static void decode_element_items(struct decoder *d, struct element_segment *e, bool expressions)
{
    uint32_t i;

    e->count = decode_count(d, 0, LIMIT_ELEMENTS_PER_SEGMENT, expressions ? 2 : 1, "too many elements");
    if (expressions) {
        e->items = arena_array(&d->m->arena, struct byte_range, e->count);
        for (i = 0; i < e->count && d->r.fault == NULL; i++)
            e->items[i] = decode_constant(d);
        return;
    }
    e->funcs = arena_array(&d->m->arena, uint32_t, e->count);
    for (i = 0; i < e->count && d->r.fault == NULL; i++) {
        e->funcs[i] = body_u32(&d->r);
        if (d->r.fault == NULL)
            mark_referenced(d, e->funcs[i]);
    }
}

static void decode_element(struct decoder *d)
{
    struct element_segment e = {0};
    size_t begin = rd_offset(&d->r);
    uint32_t flags = body_u32(&d->r);
    bool expressions = (flags & ELEMENT_EXPRESSIONS) != 0;

    if (flags > 7) {
        rd_fail_at(&d->r, begin, "malformed elements segment kind");
        return;
    }
    if ((flags & ELEMENT_NOT_ACTIVE) != 0) {
        e.mode = (flags & ELEMENT_EXPLICIT) != 0 ? SEGMENT_DECLARATIVE : SEGMENT_PASSIVE;
    } else {
        if ((flags & ELEMENT_EXPLICIT) != 0)
            e.table = body_u32(&d->r);
        e.offset = decode_constant(d);
    }
    e.type = valtype_ref(expressions, HEAP_FUNC);
    if ((flags & (ELEMENT_NOT_ACTIVE | ELEMENT_EXPLICIT)) != 0) {
        if (expressions)
            e.type = decode_reftype(d);
        else if (rd_u8(&d->r) != 0)
            rd_fail_at(&d->r, rd_offset(&d->r) - 1, "malformed element kind");
    }
    decode_element_items(d, &e, expressions);
    vec_push(&d->elements, e);
}

static void decode_elements(struct decoder *d)
{
    uint32_t count = decode_count(d, 0, LIMIT_ELEMENT_SEGMENTS, 2, "too many element segments");
    while (decode_more(d, &count))
        decode_element(d);
}

static void decode_data_count(struct decoder *d)
{
    d->m->has_data_count = true;
    d->data_count = body_u32(&d->r);
}

static struct byte_range decode_bytes(struct decoder *d, uint32_t len)
{
    struct byte_range range = {(uint32_t)rd_offset(&d->r), len};
    if (d->r.fault == NULL && len > rd_left(&d->r))
        rd_fail(&d->r, "unexpected end of section or function");
    rd_bytes(&d->r, len);
    return range;
}

static void decode_code(struct decoder *d)
{
    uint32_t count = decode_count(d, 0, LIMIT_FUNCTIONS, 1, "too many functions");
    size_t func;

    d->bodies = count;
    if (count != d->declared_bodies) {
        rd_fail(&d->r, "function and code section have inconsistent lengths");
        return;
    }
    func = d->funcs.len - count;
    for (; decode_more(d, &count); func++) {
        size_t begin = rd_offset(&d->r);
        uint32_t len = body_u32(&d->r);
        if (d->r.fault == NULL && len > LIMIT_FUNCTION_BYTES)
            rd_fail_at(&d->r, begin, "function body too large");
        d->funcs.data[func].body = decode_bytes(d, len);
    }
}

static void decode_datas(struct decoder *d)
{
    uint32_t count = decode_count(d, 0, LIMIT_DATA_SEGMENTS, 2, "too many data segments");

    while (decode_more(d, &count)) {
        struct data_segment s = {0};
        size_t begin = rd_offset(&d->r);
        uint32_t flags = body_u32(&d->r);
        if (flags > 2) {
            rd_fail_at(&d->r, begin, "malformed data segment kind");
            return;
        }
        s.mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
        if (flags == 2)
            s.memory = body_u32(&d->r);
        if (flags != 1)
            s.offset = decode_constant(d);
        s.bytes = decode_bytes(d, body_u32(&d->r));
        vec_push(&d->datas, s);
    }
}

static void decode_custom(struct decoder *d)
{
    struct custom_section s;

    if (!name_read(&d->r, &s.name))
        return;
    s.bytes = (struct byte_range){(uint32_t)rd_offset(&d->r), (uint32_t)rd_left(&d->r)};
    rd_bytes(&d->r, rd_left(&d->r));
    vec_push(&d->customs, s);
}

/* By section id; `order` is the place that the specification gives it. */
static const struct section {
    const char *name;
    void (*decode)(struct decoder *d);
    uint8_t order;
} sections[] = {
    {"custom", decode_custom, 0},          {"type", decode_types, 1},     {"import", decode_imports, 2},
    {"function", decode_functions, 3},     {"table", decode_tables, 4},   {"memory", decode_memories, 5},
    {"global", decode_globals, 7},         {"export", decode_exports, 8}, {"start", decode_start, 9},
    {"element", decode_elements, 10},      {"code", decode_code, 12},     {"data", decode_datas, 13},
    {"data count", decode_data_count, 11}, {"tag", decode_tags, 6},
};

/* --- the module --------------------------------------------------------------------------------------------------- */
static void decode_header(struct decoder *d, size_t len)
{
    static const uint8_t magic[4] = {0, 'a', 's', 'm'}, version[4] = {1, 0, 0, 0};
    const uint8_t *bytes = d->r.at;

    if (len < 4 || memcmp(bytes, magic, 4) != 0)
        rd_fail(&d->r, len < 4 ? "unexpected end" : "magic header not detected");
    else if (len < 8 || memcmp(bytes + 4, version, 4) != 0)
        rd_fail_at(&d->r, 4, len < 8 ? "unexpected end" : "unknown binary version");
    else
        d->r.at += 8;
}

/* Reads one section out of WHOLE, leaving d->r behind it with the section's fault if there was one. */
static void decode_section(struct decoder *d, unsigned *last_order)
{
    size_t begin = rd_offset(&d->r);
    uint8_t id = rd_u8(&d->r);
    const uint8_t *end = d->r.end;
    const struct section *section;
    uint32_t len;

    if (id >= sizeof sections / sizeof sections[0]) {
        rd_fail_at(&d->r, begin, "malformed section id");
        return;
    }
    section = &sections[id];
    d->section = section->name;
    len = body_u32(&d->r);
    if (d->r.fault == NULL && len > rd_left(&d->r))
        rd_fail(&d->r, "length out of bounds");
    if (d->r.fault == NULL && id != 0 && section->order <= *last_order)
        rd_fail_at(&d->r, begin, "unexpected content after last section");
    if (d->r.fault != NULL)
        return;
    if (id != 0)
        *last_order = section->order;
    d->r.end = d->r.at + len;
    section->decode(d);
    if (d->r.fault == NULL && !rd_done(&d->r))
        rd_fail(&d->r, "section size mismatch");
    if (d->r.fault == NULL) {
        d->r.end = end;
        d->section = NULL;
    }
}

static void decode_sections(struct decoder *d)
{
    unsigned last_order = 0;

    while (d->r.fault == NULL && !rd_done(&d->r))
        decode_section(d, &last_order);
    if (d->bodies != d->declared_bodies)
        rd_fail(&d->r, "function and code section have inconsistent lengths");
    if (d->m->has_data_count && d->data_count != d->datas.len)
        rd_fail(&d->r, "data count and data section have inconsistent lengths");
}

static void *freeze(struct arena *a, void *data, size_t count, size_t element_bytes)
{
    void *copy = arena_alloc_array(a, count, element_bytes, 8);
    if (count != 0)
        memcpy(copy, data, count * element_bytes);
    free(data);
    return copy;
}

/* Moves an array into the module's arena, where it has its final address. */
#define FREEZE(d, what, number)                                                                                        \
    ((d)->m->what = freeze(&(d)->m->arena, (d)->what.data, (d)->what.len, sizeof *(d)->what.data),                     \
     (d)->m->number = (uint32_t)(d)->what.len)

static void decode_finish(struct decoder *d)
{
    uint32_t *const imported[] = {
        [EXTERNAL_FUNC] = &d->m->imported_func_count,     [EXTERNAL_TABLE] = &d->m->imported_table_count,
        [EXTERNAL_MEMORY] = &d->m->imported_memory_count, [EXTERNAL_GLOBAL] = &d->m->imported_global_count,
        [EXTERNAL_TAG] = &d->m->imported_tag_count,
    };
    size_t i;

    for (i = 0; i < d->imports.len; i++)
        ++*imported[d->imports.data[i].kind];
    FREEZE(d, types, type_count);
    FREEZE(d, funcs, func_count);
    FREEZE(d, tables, table_count);
    FREEZE(d, memories, memory_count);
    FREEZE(d, globals, global_count);
    FREEZE(d, tags, tag_count);
    FREEZE(d, imports, import_count);
    FREEZE(d, exports, export_count);
    FREEZE(d, elements, element_count);
    FREEZE(d, datas, data_count);
    FREEZE(d, customs, custom_count);
}

static int decode_error(const struct decoder *d, struct err *err)
{
    char where[40] = "";

    if (d->section != NULL)
        snprintf(where, sizeof where, ", %s section", d->section);
    if (d->missing_feature != 0)
        return err_set(err, ENOTSUP, "the module needs the feature %s, which is switched off (at offset 0x%zx%s)",
                       feature_name(d->missing_feature), d->r.fault_at, where);
    return err_set(err, EINVAL, "%s (at offset 0x%zx%s)", d->r.fault, d->r.fault_at, where);
}

int module_decode(struct module *m, const void *bytes, size_t len, uint32_t features, struct err *err)
{
    struct decoder d = {.r = rd_over(bytes, len), .m = m, .features = features_closed(features)};

    *m = (struct module){.bytes = bytes, .len = len, .start_func = MODULE_NONE};
    if (len > LIMIT_MODULE_BYTES)
        return err_set(err, EINVAL, "the module is larger than %d bytes", LIMIT_MODULE_BYTES);
    if (engine_detect(bytes, len) == ENGINE_COMPONENT)
        return err_set(err, ENOTSUP, "this is a component, not a core module: components are not supported yet");
    decode_header(&d, len);
    decode_sections(&d);
    decode_finish(&d);
    if (d.r.fault != NULL)
        return decode_error(&d, err);
    name_section_read(m);
    return 0;
}

void module_free(struct module *m)
{
    arena_free(&m->arena);
}
