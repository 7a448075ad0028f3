/* Writing an artifact (format: artifact.h). Sections are gathered one by one in buffers of their own and laid out at
 * the end, so that their order in the file is the order of the list and nothing depends on addresses. */
#include "engine/gen/artifact.h"
#include "engine/gen/target.h"
#include "engine/body.h"
#include "engine/text.h"
#include "engine/wasi/p1_functions.h"
#include "wherry/engine.h"
#include <stddef.h>
#include <string.h>

enum { IMAGE_GAP_BYTES = 16 * ARTIFACT_PAGE_BYTES }; /* untouched pages that do not split an image */

struct byte_span {
    const void *data;
    size_t len;
};

struct writer {
    const struct module *m;
    struct code_object *code;
    struct buf sections[ARTIFACT_SECTION_COUNT];
    bool *in_image;       /* per data segment */
    uint64_t image_bytes; /* of ARTIFACT_pages, which is put together in the file itself */
};

#define PUT(w, section, ...)                                                                                           \
    do {                                                                                                               \
        __auto_type put_value = (__VA_ARGS__);                                                                         \
        buf_put(&(w)->sections[ARTIFACT_##section], &put_value, sizeof put_value);                                     \
    } while (0)

static struct artifact_range put_string(struct writer *w, struct name name)
{
    struct buf *out = &w->sections[ARTIFACT_strings];
    struct artifact_range range = {(uint32_t)out->len, name.len};
    buf_put(out, name.data, name.len);
    return range;
}

static struct artifact_range put_expression(struct writer *w, struct byte_range expression)
{
    struct buf *out = &w->sections[ARTIFACT_expressions];
    struct artifact_range range = {(uint32_t)out->len, expression.len};
    buf_put(out, w->m->bytes + expression.offset, expression.len);
    return range;
}

static void put_types(struct writer *w)
{
    for (uint32_t i = 0; i < w->m->type_count; i++) {
        const struct type_def *t = &w->m->types[i];
        struct artifact_type out = {
            .kind = (uint8_t)t->kind,
            .final = t->final,
            .supertype = t->supertype,
            .rec_first = t->rec_first,
            .rec_count = t->rec_count,
            .canonical = t->canonical,
            .param_count = t->param_count,
            .result_count = t->result_count,
            .field_count = t->field_count,
            .first = (uint32_t)(w->sections[ARTIFACT_valtypes].len / sizeof(valtype)),
        };
        PUT(w, types, out);
        buf_put(&w->sections[ARTIFACT_valtypes], t->params, t->param_count * sizeof(valtype));
        buf_put(&w->sections[ARTIFACT_valtypes], t->results, t->result_count * sizeof(valtype));
        for (uint32_t f = 0; f < t->field_count; f++) {
            PUT(w, valtypes, t->fields[f].type);
            PUT(w, valtypes, (valtype)t->fields[f].mutable);
        }
    }
}

static struct artifact_limits limits_of(const struct limits *l)
{
    return (struct artifact_limits){
        .min = l->min,
        .max = l->has_max ? l->max : UINT64_MAX,
        .has_max = l->has_max,
        .shared = l->shared,
        .is64 = l->is64,
        .page_size_log2 = l->page_size_log2,
    };
}

static void put_funcs(struct writer *w)
{
    const struct module *m = w->m;
    for (uint32_t i = 0; i < m->func_count; i++) {
        PUT(w, funcs, (struct artifact_func){m->funcs[i].type});
        if (m->funcs[i].referenced)
            PUT(w, referenced, i);
        if (m->func_names != NULL)
            PUT(w, func_names, put_string(w, m->func_names[i]));
    }
}

static void put_definitions(struct writer *w)
{
    const struct module *m = w->m;
    for (uint32_t i = 0; i < m->import_count; i++) {
        const struct import_decl *d = &m->imports[i];
        struct artifact_range module = put_string(w, d->module);
        PUT(w, imports, (struct artifact_import){module, put_string(w, d->field), d->kind, d->index});
    }
    for (uint32_t i = 0; i < m->export_count; i++)
        PUT(w, exports,
            (struct artifact_export){put_string(w, m->exports[i].name), m->exports[i].kind, m->exports[i].index});
    for (uint32_t i = 0; i < m->table_count; i++)
        PUT(w, tables,
            (struct artifact_table){limits_of(&m->tables[i].limits), put_expression(w, m->tables[i].init),
                                    m->tables[i].type, 0});
    for (uint32_t i = 0; i < m->memory_count; i++)
        PUT(w, memories, limits_of(&m->memories[i].limits));
    for (uint32_t i = 0; i < m->global_count; i++)
        PUT(w, globals,
            (struct artifact_global){put_expression(w, m->globals[i].init), m->globals[i].type, m->globals[i].mutable});
    for (uint32_t i = 0; i < m->tag_count; i++)
        PUT(w, tags, m->tags[i].type);
}

static void put_elements(struct writer *w)
{
    for (uint32_t i = 0; i < w->m->element_count; i++) {
        const struct element_segment *e = &w->m->elements[i];
        bool by_items = e->items != NULL;
        size_t first = by_items ? w->sections[ARTIFACT_items].len / sizeof(struct artifact_range)
                                : w->sections[ARTIFACT_indexes].len / sizeof(uint32_t);
        struct artifact_range offset = {0, 0};
        if (e->mode == SEGMENT_ACTIVE)
            offset = put_expression(w, e->offset);
        PUT(w, elements,
            (struct artifact_element){e->mode, e->table, e->type, by_items, (uint32_t)first, e->count, offset});
        for (uint32_t k = 0; by_items && k < e->count; k++)
            PUT(w, items, put_expression(w, e->items[k]));
        if (!by_items)
            buf_put(&w->sections[ARTIFACT_indexes], e->funcs, e->count * sizeof(uint32_t));
    }
}

/* --- memory images -------------------------------------------------------------------------------------------- */

/* The value of an offset expression that is one constant. */
static bool constant_offset(const struct module *m, struct byte_range expression, uint64_t *out)
{
    struct rd r = rd_over(m->bytes, expression.offset + expression.len);
    enum opcode op;

    r.at += expression.offset;
    op = body_opcode(&r);
    if (op == OP_I32_CONST)
        *out = (uint32_t)body_s32(&r);
    else if (op == OP_I64_CONST)
        *out = (uint64_t)body_s64(&r);
    else
        return false;
    return body_opcode(&r) == OP_END && rd_done(&r);
}

static bool segment_of(const struct data_segment *d, uint32_t memory)
{
    return d->mode == SEGMENT_ACTIVE && d->memory == memory;
}

/* Whether the start content of MEMORY is known now and its segments cannot trap. A table of another module keeps an
 * image away: its element segments come first, may trap, and what they have already put there could see the memory. */
static bool can_have_image(const struct module *m, uint32_t memory)
{
    const struct limits *l = &m->memories[memory].limits;
    bool any = false;

    if (memory < m->imported_memory_count || l->page_size_log2 < 12 || l->shared)
        return false;
    for (uint32_t i = 0; i < m->element_count; i++)
        if (m->elements[i].mode == SEGMENT_ACTIVE && m->elements[i].table < m->imported_table_count)
            return false;
    for (uint32_t i = 0; i < m->data_count; i++) {
        uint64_t at, end, size;
        if (!segment_of(&m->datas[i], memory))
            continue;
        if (!constant_offset(m, m->datas[i].offset, &at) || __builtin_add_overflow(at, m->datas[i].bytes.len, &end) ||
            __builtin_mul_overflow(l->min, UINT64_C(1) << l->page_size_log2, &size) || end > size)
            return false;
        any = true;
    }
    return any;
}

struct span { /* pages, end exclusive */
    uint64_t first, end;
};

static int by_first(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static void put_image(struct writer *w, uint32_t memory, struct span span)
{
    uint64_t size_bytes = (span.end - span.first) * ARTIFACT_PAGE_BYTES;

    PUT(w, images, (struct artifact_image){memory, 0, span.first * ARTIFACT_PAGE_BYTES, w->image_bytes, size_bytes});
    w->image_bytes += size_bytes;
}

/* What IMAGE holds, to AT. */
static void fill_image(const struct writer *w, const struct artifact_image *image, uint8_t *at)
{
    const struct module *m = w->m;

    memset(at, 0, image->size_bytes);
    for (uint32_t i = 0; i < m->data_count; i++) {
        const struct data_segment *d = &m->datas[i];
        uint64_t offset = 0;
        if (!segment_of(d, image->memory) || d->bytes.len == 0)
            continue;
        constant_offset(m, d->offset, &offset);
        if (offset >= image->memory_offset && offset - image->memory_offset < image->size_bytes)
            memcpy(at + (offset - image->memory_offset), m->bytes + d->bytes.offset, d->bytes.len);
    }
}

/* Straight into the file: some modules are mostly data, and a copy would have to be touched first. */
static void put_pages(const struct writer *w, struct buf *out)
{
    const struct buf *images = &w->sections[ARTIFACT_images];
    uint8_t *pages = buf_extend(out, w->image_bytes);
    struct artifact_image image;

    for (size_t at = 0; at < images->len; at += sizeof image) {
        memcpy(&image, images->data + at, sizeof image);
        fill_image(w, &image, pages + image.first);
    }
}

static void put_images_of(struct writer *w, uint32_t memory)
{
    const struct module *m = w->m;
    VEC(struct span) spans = {0};
    struct span open;

    for (uint32_t i = 0; i < m->data_count; i++) {
        uint64_t at = 0, len = m->datas[i].bytes.len;
        if (!segment_of(&m->datas[i], memory))
            continue;
        w->in_image[i] = true;
        constant_offset(m, m->datas[i].offset, &at);
        if (len != 0)
            vec_push(&spans, ((struct span){at / ARTIFACT_PAGE_BYTES, (at + len - 1) / ARTIFACT_PAGE_BYTES + 1}));
    }
    if (spans.len != 0) {
        qsort(spans.data, spans.len, sizeof spans.data[0], by_first);
        open = spans.data[0];
        for (size_t i = 1; i < spans.len; i++) {
            if (spans.data[i].first > open.end + IMAGE_GAP_BYTES / ARTIFACT_PAGE_BYTES) {
                put_image(w, memory, open);
                open = spans.data[i];
            } else if (spans.data[i].end > open.end) {
                open.end = spans.data[i].end;
            }
        }
        put_image(w, memory, open);
    }
    vec_done(&spans);
}

/* Makes room for what is in no image. */
static void reserve_bytes(struct writer *w)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < w->m->data_count; i++)
        bytes += w->in_image[i] ? 0 : w->m->datas[i].bytes.len;
    buf_reserve(&w->sections[ARTIFACT_bytes], bytes);
    buf_advise_huge(&w->sections[ARTIFACT_bytes]);
}

static void put_datas(struct writer *w)
{
    const struct module *m = w->m;

    w->in_image = calloc(m->data_count + 1, sizeof *w->in_image);
    if (w->in_image == NULL)
        out_of_memory();
    for (uint32_t i = 0; i < m->memory_count; i++)
        if (can_have_image(m, i))
            put_images_of(w, i);
    reserve_bytes(w);
    for (uint32_t i = 0; i < m->data_count; i++) {
        const struct data_segment *d = &m->datas[i];
        struct artifact_data out = {
            .mode = d->mode, .memory = d->memory, .size_bytes = d->bytes.len, .in_image = w->in_image[i]};
        out.first = w->sections[ARTIFACT_bytes].len;
        if (d->mode == SEGMENT_ACTIVE)
            out.offset = put_expression(w, d->offset);
        PUT(w, datas, out);
        if (!out.in_image)
            buf_put(&w->sections[ARTIFACT_bytes], m->bytes + d->bytes.offset, d->bytes.len);
    }
    free(w->in_image);
}

/* --- host functions ------------------------------------------------------------------------------------------- */

static bool type_has_letters(const struct type_def *t, const char *letters)
{
    static const char codes[] = "fFIi";
    static const valtype types[] = {VT_F32, VT_F64, VT_I64, VT_I32};
    uint32_t count = t->param_count + t->result_count;

    for (uint32_t i = 0; i < count; i++) {
        const char *code;
        if (i == t->param_count && *letters++ != ':')
            return false;
        code = *letters == 0 ? NULL : strchr(codes, *letters);
        if (code == NULL || types[code - codes] != (i < t->param_count ? t->params[i] : t->results[i - t->param_count]))
            return false;
        letters++;
    }
    return t->result_count != 0 ? *letters == 0 : strcmp(letters, ":") == 0;
}

static bool name_is(struct name name, const char *text)
{
    return name.len == strlen(text) && memcmp(name.data, text, name.len) == 0;
}

/* The number of a host function, or -1. */
static int host_function_number(const struct module *m, const struct import_decl *d)
{
    static const struct {
        const char *name, *letters;
    } functions[] = {
#define X(name, letters) {#name, letters},
        WASI_P1_FUNCTIONS(X)
#undef X
    };
    if (d->kind == EXTERNAL_FUNC && name_is(d->module, WASI_THREADS_MODULE) && name_is(d->field, WASI_THREAD_SPAWN) &&
        type_has_letters(&m->types[m->funcs[d->index].type], WASI_THREAD_SPAWN_SIGNATURE))
        return WASI_NUMBER_THREAD_SPAWN;
    if (d->kind != EXTERNAL_FUNC || !(name_is(d->module, WASI_P1_MODULE) || name_is(d->module, WASI_UNSTABLE_MODULE)))
        return -1;
    for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (name_is(d->field, functions[i].name))
            return type_has_letters(&m->types[m->funcs[d->index].type], functions[i].letters) ? (int)i : -1;
    return -1;
}

static void describe_unknown_import(const struct module *m, const struct import_decl *d, char *out, size_t out_bytes)
{
    struct buf text = {0};

    buf_printf(&text, "the module imports the %s ", text_external_kind(d->kind));
    text_name(&text, d->field);
    buf_put_str(&text, " from ");
    text_name(&text, d->module);
    if (d->kind == EXTERNAL_FUNC) {
        const struct type_def *t = &m->types[m->funcs[d->index].type];
        struct buf types = {0};
        buf_put(&types, t->params, t->param_count * sizeof(valtype));
        buf_put(&types, t->results, t->result_count * sizeof(valtype));
        buf_put_str(&text, " with the type ");
        text_func_type(&text, (const valtype *)types.data, t->param_count, t->result_count);
        buf_done(&types);
    }
    buf_put_str(&text, ", which the engine does not have");
    snprintf(out, out_bytes, "%s", buf_cstr(&text));
    buf_done(&text);
}

static void note_imports(const struct module *m, struct artifact_header *header)
{
    for (uint32_t i = 0; i < m->import_count; i++) {
        const struct import_decl *d = &m->imports[i];
        int number = host_function_number(m, d);
        if (d->kind == EXTERNAL_MEMORY && m->memories[d->index].limits.shared)
            continue; /* made by the engine, for all threads of the program */
        if (number >= 0)
            header->host_functions[number / 64] |= UINT64_C(1) << (number % 64);
        else if (header->unknown_import[0] == 0)
            describe_unknown_import(m, d, header->unknown_import, sizeof header->unknown_import);
    }
}

static const struct type_def *exported_func(const struct module *m, const char *name)
{
    for (uint32_t i = 0; i < m->export_count; i++)
        if (m->exports[i].kind == EXTERNAL_FUNC && name_is(m->exports[i].name, name))
            return &m->types[m->funcs[m->exports[i].index].type];
    return NULL;
}

static const char *why_no_command(const struct module *m, bool spawns_threads)
{
    const struct type_def *start = exported_func(m, "_start"), *thread_start = exported_func(m, WASI_THREAD_START);

    if (start == NULL)
        start = exported_func(m, "_initialize"); /* run.c: find_start */
    if (start == NULL)
        return "the module exports no function _start or _initialize: it is a library, not a command";
    if (!type_has_letters(start, ":"))
        return "the module's _start or _initialize has parameters or results; a command's has none";
    if (spawns_threads && (thread_start == NULL || !type_has_letters(thread_start, WASI_THREAD_START_SIGNATURE)))
        return "the module imports thread-spawn from wasi, but exports no function wasi_thread_start of the type "
               "[i32 i32] -> []";
    return "";
}

/* So that a library is refused when a container is created, not when it is started. */
static void note_command(const struct module *m, struct artifact_header *header)
{
    enum { BIT = WASI_NUMBER_THREAD_SPAWN };
    bool spawns_threads = (header->host_functions[BIT / 64] >> (BIT % 64) & 1) != 0;

    snprintf(header->not_a_command, sizeof header->not_a_command, "%s", why_no_command(m, spawns_threads));
}

/* --- layout --------------------------------------------------------------------------------------------------- */

/* What a section other than the code consists of: gathered bytes, or where a compiler has left them. */
static struct byte_span section_bytes(const struct writer *w, unsigned section)
{
    const struct code_object *code = w->code;

    switch (section) {
    case ARTIFACT_pages: return (struct byte_span){NULL, w->image_bytes};
#define TABLE(field)                                                                                                   \
    case ARTIFACT_##field: return (struct byte_span){code->field.data, code->field.len * sizeof code->field.data[0]};
        TABLE(entries)
        TABLE(site_blocks)
        TABLE(sites)
        TABLE(inlinings)
        TABLE(inlined_sites)
        TABLE(calls_in_tries)
        TABLE(tries)
        TABLE(catches)
#undef TABLE
    default: return (struct byte_span){w->sections[section].data, w->sections[section].len};
    }
}

/* Moves the first LEN bytes at DATA up by DISTANCE, in pieces that do not overlap with where they go: musl's memmove goes
 * through what does from its end, and fifteen times as slowly. */
static void move_up(uint8_t *data, size_t len, size_t distance)
{
    while (len != 0) {
        size_t piece = len < distance ? len : distance;
        len -= piece;
        memcpy(data + len + distance, data + len, piece);
    }
}

/* The file begins in the buffer in which the compiler gathered the code, for that is most of it: moving it by a page
 * and the slots is cheaper than the page faults of a copy. */
static void begin_with_code(struct writer *w, struct artifact_header *header, struct buf *out)
{
    size_t slots_bytes = w->code->is_replaceable ? code_slots_bytes((uint32_t)w->code->entries.len - 1) : 0;
    size_t code_bytes = w->code->code.len, before = ARTIFACT_PAGE_BYTES + slots_bytes,
           bytes = before + ARTIFACT_PAGE_BYTES;

    _Static_assert(ARTIFACT_slots == 0 && ARTIFACT_code == 1, "these come first");
    *out = w->code->code;
    w->code->code = (struct buf){0};
    for (unsigned i = ARTIFACT_code + 1; i < ARTIFACT_SECTION_COUNT; i++)
        bytes += section_bytes(w, i).len + ARTIFACT_PAGE_BYTES;
    buf_reserve(out, bytes);
    if (header->compiler == ENGINE_BASELINE)
        buf_advise_huge(out); /* compile_module.c: reserve_code */
    buf_extend(out, before);
    move_up(out->data, code_bytes, before);
    memset(out->data, 0, before); /* the slots too */
    header->sections[ARTIFACT_slots] = (struct artifact_section){ARTIFACT_PAGE_BYTES, slots_bytes};
    header->sections[ARTIFACT_code] = (struct artifact_section){before, code_bytes};
}

static void lay_out(struct writer *w, struct artifact_header *header, struct buf *out)
{
    begin_with_code(w, header, out);
    for (unsigned i = ARTIFACT_code + 1; i < ARTIFACT_SECTION_COUNT; i++) {
        buf_align(out, artifact_section_align(i));
        header->sections[i] = (struct artifact_section){out->len, section_bytes(w, i).len};
        if (i == ARTIFACT_pages)
            put_pages(w, out);
        else
            buf_put(out, section_bytes(w, i).data, section_bytes(w, i).len);
    }
    buf_align(out, ARTIFACT_PAGE_BYTES);
    header->file_bytes = out->len;
    header->body_digest = artifact_body_digest(out->data, out->len);
    memcpy(out->data, header, sizeof *header);
    header = (struct artifact_header *)out->data;
    header->checksum = artifact_header_checksum(header);
}

static int check_sizes(const struct writer *w, struct err *err)
{
    for (unsigned i = ARTIFACT_code + 1; i < ARTIFACT_SECTION_COUNT; i++)
        if (i != ARTIFACT_pages && i != ARTIFACT_bytes && section_bytes(w, i).len > UINT32_MAX)
            return err_set(err, E2BIG, "the module is too large: a table of its artifact exceeds 4 GiB");
    return 0;
}

int artifact_write(const struct module *m, struct code_object *code, const struct artifact_identity *identity,
                   struct buf *out, struct err *err)
{
    struct writer w = {.m = m, .code = code};
    struct artifact_header header;
    int status;

    memset(&header, 0, sizeof header);
    memcpy(header.magic, "wherryAR", 8);
    header.format = ARTIFACT_FORMAT;
    header.architecture = target_native_architecture;
    snprintf(header.build_id, sizeof header.build_id, "%s", engine_build_id);
    memcpy(header.key, identity->key, sizeof header.key);
    header.compiler = identity->compiler;
    header.features = identity->features;
    header.cpu_features = identity->cpu_features;
    header.explicit_bounds_checks = identity->explicit_bounds_checks;
    header.start_func = m->start_func;
    header.features_used = m->features_used;
    header.module_bytes = m->len;
    note_imports(m, &header);
    note_command(m, &header);
    put_types(&w);
    put_funcs(&w);
    put_definitions(&w);
    put_elements(&w);
    put_datas(&w);
    status = check_sizes(&w, err);
    if (status == 0)
        lay_out(&w, &header, out);
    for (unsigned i = 0; i < ARTIFACT_SECTION_COUNT; i++)
        buf_done(&w.sections[i]);
    return status;
}
