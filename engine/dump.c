/* Decoded modules as text. See dump.h. */
#include "engine/dump.h"
#include "engine/body.h"
#include "engine/text.h"

/* --- instructions ------------------------------------------------------------------------------------------------- */
static void dump_u32s(struct buf *out, struct rd *r, uint32_t count)
{
    while (count-- != 0 && r->fault == NULL)
        buf_printf(out, " %u", body_u32(r));
}

static void dump_bytes(struct buf *out, const uint8_t *bytes, uint32_t count)
{
    uint32_t i;

    buf_put_str(out, " ");
    for (i = 0; bytes != NULL && i < count; i++)
        buf_printf(out, "%02x", bytes[i]);
}

static void dump_block_type(struct buf *out, struct rd *r)
{
    struct block_type t = body_block_type(r);

    if (t.type_index != MODULE_NONE)
        buf_printf(out, " type %u", t.type_index);
    else if (t.result != VT_BOTTOM)
        buf_printf(out, " %s", valtype_text(t.result).text);
}

static void dump_catch_clauses(struct buf *out, struct rd *r)
{
    static const char *const names[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
    uint32_t count;

    for (count = body_u32(r); count != 0 && r->fault == NULL; count--) {
        struct catch_clause c = body_catch_clause(r);
        buf_printf(out, " (%s", names[c.kind]);
        if (c.kind <= CATCH_TAG_REF)
            buf_printf(out, " %u", c.tag);
        buf_printf(out, " %u)", c.label);
    }
}

static void dump_memarg(struct buf *out, struct rd *r)
{
    struct memarg arg = body_memarg(r);

    if (arg.memory != 0)
        buf_printf(out, " %u", arg.memory);
    buf_printf(out, " offset=%llu align=%llu", (unsigned long long)arg.offset, 1ull << (arg.align_log2 & 63));
}

static void dump_cast_branch(struct buf *out, struct rd *r)
{
    struct cast_branch c = body_cast_branch(r);
    buf_printf(out, " %u %s %s", c.label, valtype_text(c.from).text, valtype_text(c.to).text);
}

static void dump_valtypes(struct buf *out, struct rd *r)
{
    uint32_t count;

    for (count = body_u32(r); count != 0 && r->fault == NULL; count--)
        buf_printf(out, " %s", valtype_text(body_valtype(r)).text);
}

static void dump_heaptype(struct buf *out, heaptype heap)
{
    struct valtype_text t = valtype_text(valtype_ref(false, heap)); /* "(ref " and the heap type and ")" */
    buf_printf(out, " %.*s", (int)strlen(t.text) - 6, t.text + 5);
}

/* Numbers as they stand in the module; floats as their bytes, since not every NaN survives printing. */
static void dump_immediate(struct buf *out, struct rd *r, enum immediate immediate)
{
    switch (immediate) {
    case IMMEDIATE_ILLEGAL:
    case IMMEDIATE_NONE: break;
    case IMMEDIATE_BLOCK: dump_block_type(out, r); break;
    case IMMEDIATE_LABELS: dump_u32s(out, r, body_u32(r) + 1); break;
    case IMMEDIATE_TRY_TABLE:
        dump_block_type(out, r);
        dump_catch_clauses(out, r);
        break;
    case IMMEDIATE_LABEL:
    case IMMEDIATE_FUNC:
    case IMMEDIATE_LOCAL:
    case IMMEDIATE_GLOBAL:
    case IMMEDIATE_TABLE:
    case IMMEDIATE_ELEM:
    case IMMEDIATE_DATA:
    case IMMEDIATE_MEMORY:
    case IMMEDIATE_TAG:
    case IMMEDIATE_TYPE: dump_u32s(out, r, 1); break;
    case IMMEDIATE_TYPE_TABLE:
    case IMMEDIATE_TABLE_TABLE:
    case IMMEDIATE_ELEM_TABLE:
    case IMMEDIATE_DATA_MEMORY:
    case IMMEDIATE_MEMORY_MEMORY:
    case IMMEDIATE_TYPE_FIELD:
    case IMMEDIATE_TYPE_COUNT:
    case IMMEDIATE_TYPE_DATA:
    case IMMEDIATE_TYPE_ELEM:
    case IMMEDIATE_TYPE_TYPE: dump_u32s(out, r, 2); break;
    case IMMEDIATE_MEMARG: dump_memarg(out, r); break;
    case IMMEDIATE_MEMARG_LANE:
        dump_memarg(out, r);
        buf_printf(out, " %u", rd_u8(r));
        break;
    case IMMEDIATE_LANE: buf_printf(out, " %u", rd_u8(r)); break;
    case IMMEDIATE_FENCE: rd_u8(r); break;
    case IMMEDIATE_SHUFFLE:
    case IMMEDIATE_V128: dump_bytes(out, body_v128(r), 16); break;
    case IMMEDIATE_I32: buf_printf(out, " %d", body_s32(r)); break;
    case IMMEDIATE_I64: buf_printf(out, " %lld", (long long)body_s64(r)); break;
    case IMMEDIATE_F32: dump_bytes(out, rd_bytes(r, 4), 4); break;
    case IMMEDIATE_F64: dump_bytes(out, rd_bytes(r, 8), 8); break;
    case IMMEDIATE_VALTYPES: dump_valtypes(out, r); break;
    case IMMEDIATE_HEAP: dump_heaptype(out, body_heaptype(r)); break;
    case IMMEDIATE_CAST_BRANCH: dump_cast_branch(out, r); break;
    }
}

static bool opens_block(enum opcode op)
{
    return opcode_infos[op].immediate == IMMEDIATE_BLOCK || op == OP_TRY_TABLE;
}

static bool continues_block(enum opcode op)
{
    return op == OP_ELSE || op == OP_CATCH || op == OP_CATCH_ALL;
}

static void dump_instructions(struct buf *out, struct rd r)
{
    enum { INDENT_MAX = 40 }; /* hostile nesting must not make the text quadratic */
    unsigned depth = 1, indent;

    while (!rd_done(&r)) {
        size_t at = rd_offset(&r);
        enum opcode op = body_opcode(&r);
        if (op == OP_ILLEGAL)
            break;
        if ((op == OP_END || op == OP_DELEGATE) && depth != 0)
            depth--;
        indent = depth - (continues_block(op) && depth != 0);
        buf_printf(out, "%6zx %*s%s", at, (int)(indent < INDENT_MAX ? indent : INDENT_MAX) * 2, "", opcode_name(op));
        dump_immediate(out, &r, (enum immediate)opcode_infos[op].immediate);
        buf_put_str(out, "\n");
        if (opens_block(op))
            depth++;
    }
    if (!rd_done(&r) || r.fault != NULL)
        buf_printf(out, "       %s\n", r.fault != NULL ? r.fault : "illegal opcode");
}

static void dump_constant(const struct module *m, struct buf *out, struct byte_range code)
{
    struct rd r = rd_over(m->bytes, code.offset + code.len);

    for (r.at += code.offset; !rd_done(&r);) {
        enum opcode op = body_opcode(&r);
        if (op == OP_END)
            return;
        buf_printf(out, " (%s", opcode_name(op));
        dump_immediate(out, &r, (enum immediate)opcode_infos[op].immediate);
        buf_put_str(out, ")");
    }
}

/* --- declarations ------------------------------------------------------------------------------------------------- */
static void dump_list(struct buf *out, const valtype *types, uint32_t count)
{
    uint32_t i;

    buf_put_str(out, " (");
    for (i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : " ", valtype_text(types[i]).text);
    buf_put_str(out, ")");
}

static void dump_type(struct buf *out, const struct type_def *t, uint32_t index)
{
    uint32_t i;

    buf_printf(out, "type %u", index);
    if (t->rec_count != 1)
        buf_printf(out, " in %u+%u", t->rec_first, t->rec_count);
    if (!t->final)
        buf_put_str(out, " open");
    if (t->supertype != MODULE_NONE)
        buf_printf(out, " sub %u", t->supertype);
    if (t->kind == TYPE_FUNC) {
        buf_put_str(out, " func");
        dump_list(out, t->params, t->param_count);
        dump_list(out, t->results, t->result_count);
    } else {
        buf_put_str(out, t->kind == TYPE_STRUCT ? " struct" : " array");
    }
    for (i = 0; i < t->field_count; i++)
        buf_printf(out, " %s%s", t->fields[i].mutable ? "mut " : "", valtype_text(t->fields[i].type).text);
    buf_put_str(out, "\n");
}

static void dump_limits(struct buf *out, const struct limits *l)
{
    buf_printf(out, " %llu", (unsigned long long)l->min);
    if (l->has_max)
        buf_printf(out, "..%llu", (unsigned long long)l->max);
    buf_printf(out, "%s%s", l->is64 ? " i64" : "", l->shared ? " shared" : "");
    if (l->page_size_log2 != 16)
        buf_printf(out, " pages of 2^%u", l->page_size_log2);
}

static void dump_imports_and_exports(const struct module *m, struct buf *out)
{
    uint32_t i;

    for (i = 0; i < m->import_count; i++) {
        const struct import_decl *import = &m->imports[i];
        buf_put_str(out, "import ");
        text_name(out, import->module);
        buf_put_str(out, " ");
        text_name(out, import->field);
        buf_printf(out, " %s %u\n", text_external_kind(import->kind), import->index);
    }
    for (i = 0; i < m->export_count; i++) {
        buf_put_str(out, "export ");
        text_name(out, m->exports[i].name);
        buf_printf(out, " %s %u\n", text_external_kind(m->exports[i].kind), m->exports[i].index);
    }
    if (m->start_func != MODULE_NONE)
        buf_printf(out, "start %u\n", m->start_func);
}

static void dump_spaces(const struct module *m, struct buf *out)
{
    uint32_t i;

    for (i = 0; i < m->table_count; i++) {
        buf_printf(out, "table %u %s", i, valtype_text(m->tables[i].type).text);
        dump_limits(out, &m->tables[i].limits);
        dump_constant(m, out, m->tables[i].init);
        buf_put_str(out, "\n");
    }
    for (i = 0; i < m->memory_count; i++) {
        buf_printf(out, "memory %u", i);
        dump_limits(out, &m->memories[i].limits);
        buf_put_str(out, "\n");
    }
    for (i = 0; i < m->tag_count; i++)
        buf_printf(out, "tag %u type %u\n", i, m->tags[i].type);
    for (i = 0; i < m->global_count; i++) {
        const struct global_decl *g = &m->globals[i];
        buf_printf(out, "global %u %s%s", i, g->mutable ? "mut " : "", valtype_text(g->type).text);
        dump_constant(m, out, g->init);
        buf_put_str(out, "\n");
    }
}

static void dump_element(const struct module *m, struct buf *out, uint32_t index)
{
    static const char *const modes[] = {"active", "passive", "declarative"};
    const struct element_segment *e = &m->elements[index];
    uint32_t i;

    buf_printf(out, "elem %u %s %s", index, modes[e->mode], valtype_text(e->type).text);
    if (e->mode == SEGMENT_ACTIVE) {
        buf_printf(out, " table %u at", e->table);
        dump_constant(m, out, e->offset);
    }
    buf_put_str(out, ":");
    for (i = 0; i < e->count; i++)
        if (e->items != NULL)
            dump_constant(m, out, e->items[i]);
        else
            buf_printf(out, " %u", e->funcs[i]);
    buf_put_str(out, "\n");
}

static void dump_segments(const struct module *m, struct buf *out)
{
    uint32_t i;

    for (i = 0; i < m->element_count; i++)
        dump_element(m, out, i);
    for (i = 0; i < m->data_count; i++) {
        const struct data_segment *d = &m->datas[i];
        buf_printf(out, "data %u %s", i, d->mode == SEGMENT_ACTIVE ? "active" : "passive");
        if (d->mode == SEGMENT_ACTIVE) {
            buf_printf(out, " memory %u at", d->memory);
            dump_constant(m, out, d->offset);
        }
        buf_printf(out, ": %u bytes at %x\n", d->bytes.len, d->bytes.offset);
    }
    for (i = 0; i < m->custom_count; i++) {
        buf_put_str(out, "custom ");
        text_name(out, m->customs[i].name);
        buf_printf(out, ": %u bytes at %x\n", m->customs[i].bytes.len, m->customs[i].bytes.offset);
    }
}

static void dump_func(const struct module *m, struct buf *out, uint32_t index)
{
    struct rd r;
    uint32_t groups;

    buf_printf(out, "func %u type %u", index, m->funcs[index].type);
    if (m->func_names != NULL && m->func_names[index].len != 0) {
        buf_put_str(out, " ");
        text_name(out, m->func_names[index]);
    }
    buf_put_str(out, "\n");
    if (index < m->imported_func_count)
        return;
    r = body_of(m, index);
    for (groups = body_u32(&r); groups != 0 && r.fault == NULL; groups--) {
        uint32_t count = body_u32(&r);
        buf_printf(out, "       %u local%s %s\n", count, count == 1 ? "" : "s", valtype_text(body_valtype(&r)).text);
    }
    dump_instructions(out, r);
}

void dump_module(const struct module *m, struct buf *out)
{
    uint32_t i;

    for (i = 0; i < m->type_count; i++)
        dump_type(out, &m->types[i], i);
    dump_imports_and_exports(m, out);
    dump_spaces(m, out);
    dump_segments(m, out);
    for (i = 0; i < m->func_count; i++)
        dump_func(m, out, i);
}
