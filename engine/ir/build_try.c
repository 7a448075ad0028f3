/* Exceptions: throwing, and what a call that throws leads to.
 *
 * A call that a handler may follow ends its block (ir_op IR_CATCH): one way goes on, the others each lead to a block of
 * their own, where the call's exception arrives, and from there to the handler. A handler is a label that takes the
 * exception's reference; its code is put where the try ends, or, in the legacy form, where its clause stands. Tries around
 * one another are a list; a call has the handlers of all of them, up to the first that catches everything. */
#include "engine/ir/build.h"
#include <assert.h>

/* --- what may throw ----------------------------------------------------------------------------------------------- */
static bool catches_all(const struct build_handler *h)
{
    return h->tag == IR_CATCH_ALL;
}

typedef void visit_handler(struct builder *b, struct build_try *t, struct build_handler *h, void *data);

/* From the innermost try on. Returns how many there are. */
static uint32_t each_handler(struct builder *b, visit_handler *visit, void *data)
{
    uint32_t count = 0;

    for (uint32_t n = b->try_number; n != 0; n = b->tries.data[n].outer) {
        struct build_try *t = &b->tries.data[n];
        for (uint32_t k = 0; k < t->handler_count; k++) {
            struct build_handler *h = &b->handlers.data[t->first_handler + k];
            count++;
            if (visit != NULL)
                visit(b, t, h, data);
            if (catches_all(h))
                return count;
        }
    }
    return count;
}

struct catching {
    uint32_t from, count;
    uint32_t *tags;
};

static void add_way(struct builder *b, struct build_try *t, struct build_handler *h, void *data)
{
    struct catching *c = data;
    uint32_t pad = ir_new_block(b->f);
    struct build_frame *frame = b->frame;

    c->tags[c->count++] = h->tag;
    ir_add_edge(b->f, c->from, pad);
    build_start_block(b, pad);
    ir_block(b->f, pad)->unlikely = true;
    build_push(b, build_emit(b, IR_EXCEPTION, VT_REF_NULL, NULL, 0, 0));
    b->frame = t->frame; /* whose locals the handler sees */
    build_go_to(b, &h->label);
    b->frame = frame;
    build_pop(b);
    ir_block(b->f, h->label.block)->unlikely = true;
}

void build_catch(struct builder *b)
{
    struct catching c = {.from = b->block, .count = 0};
    uint32_t count = each_handler(b, NULL, NULL), next;

    if (count == 0)
        return;
    c.tags = arena_array(&b->f->arena, uint32_t, count);
    build_emit(b, IR_CATCH, VT_BOTTOM, NULL, 0, 0);
    next = ir_new_block(b->f);
    ir_add_edge(b->f, c.from, next);
    each_handler(b, add_way, &c);
    ir_block(b->f, c.from)->table = c.tags;
    ir_block(b->f, c.from)->table_count = count;
    build_start_block(b, next);
}

/* Behind a call that does not come back. */
static void end_here(struct builder *b)
{
    build_catch(b);
    build_emit(b, IR_TRAP, VT_BOTTOM, NULL, 0, TRAP_UNREACHABLE);
    build_set_unreachable(b);
}

static void throw_tag(struct builder *b, uint32_t tag)
{
    build_builtin_slots(b, BUILTIN_THROW, tag, b->module->types[b->module->tags[tag].type].param_count, VT_BOTTOM);
    end_here(b);
}

static void throw_reference(struct builder *b)
{
    build_builtin(b, BUILTIN_THROW_REF, 0, 1, VT_BOTTOM);
    end_here(b);
}

/* --- tries -------------------------------------------------------------------------------------------------------- */
static void add_handler(struct builder *b, uint32_t tag)
{
    struct build_handler h = {.tag = tag, .label = {.kind = BUILD_BLOCK, .loop = b->loop, .result_count = 1}};
    vec_push(&b->handlers, h);
}

static uint32_t open_try(struct builder *b, uint32_t outer)
{
    if (b->tries.len == 0)
        vec_push(&b->tries, (struct build_try){0});
    vec_push(&b->tries,
             (struct build_try){.outer = outer, .first_handler = (uint32_t)b->handlers.len, .frame = b->frame});
    return (uint32_t)b->tries.len - 1;
}

static void close_clauses(struct builder *b, uint32_t try_number)
{
    struct build_try *t = &b->tries.data[try_number];
    t->handler_count = (uint32_t)b->handlers.len - t->first_handler;
}

static void open_try_table(struct builder *b)
{
    struct rd *r = &b->frame->body;
    struct block_type type = body_block_type(r);
    uint32_t count = body_u32(r), try_number = open_try(b, b->try_number);
    struct build_label *l;

    for (; count != 0; count--) {
        struct catch_clause clause = body_catch_clause(r);
        bool named = clause.kind == CATCH_TAG || clause.kind == CATCH_TAG_REF;
        add_handler(b, named ? clause.tag : IR_CATCH_ALL);
        vec_last(&b->handlers)->target = (uint32_t)b->labels.len - 1 - clause.label;
        vec_last(&b->handlers)->reference = clause.kind == CATCH_TAG_REF || clause.kind == CATCH_ALL_REF;
    }
    close_clauses(b, try_number);
    l = build_open_label(b, BUILD_BLOCK, type);
    l->own_try = try_number;
    b->try_number = l->try_inside = try_number;
}

/* The caught values, out of the exception. */
static void push_payload(struct builder *b, uint32_t tag, ir_value exception)
{
    const struct type_def *type;
    uint32_t at = offsetof(struct vm_exception, values);
    ir_value address;

    if (tag == IR_CATCH_ALL)
        return;
    type = &b->module->types[b->module->tags[tag].type];
    address = build_emit1(b, IR_OBJECT_ADDRESS, VT_I64, exception, 0);
    for (uint32_t i = 0; i < type->param_count; i++) {
        uint8_t kind = build_type(type->params[i]);
        build_push(b, build_emit1(b, IR_LOAD, kind, address, at));
        at += kind == VT_V128 ? 16 : 8;
    }
}

/* Where the exceptions of a handler arrive. Returns the exception. */
static ir_value enter_handler(struct builder *b, const struct build_handler *h)
{
    b->loop = h->label.loop;
    build_start_block(b, h->label.block);
    build_take_values(b, h->label.values, b->frame->local_count, 1);
    return build_pop(b);
}

void build_put_handlers(struct builder *b, const struct build_label *l)
{
    const struct build_try *t = &b->tries.data[l->own_try];

    b->try_number = l->try_outside;
    for (uint32_t k = 0; k < t->handler_count && l->kind == BUILD_BLOCK; k++) {
        const struct build_handler *h = &b->handlers.data[t->first_handler + k];
        ir_value exception;
        if (h->label.block == 0)
            continue;
        b->stack.len = l->height;
        exception = enter_handler(b, h);
        push_payload(b, h->tag, exception);
        if (h->reference)
            build_push(b, exception);
        build_go_to(b, &b->labels.data[h->target]);
    }
}

/* --- the legacy form ---------------------------------------------------------------------------------------------- */
static void open_legacy_try(struct builder *b)
{
    uint32_t offset = (uint32_t)rd_offset(&b->frame->body), try_number;
    const struct build_scan_try *scan = build_find_scan_try(b, offset);
    struct block_type type = body_block_type(&b->frame->body);
    uint32_t outer = b->try_number;
    struct build_label *l;

    if (scan->delegates) /* from inside of the label's block */
        outer = build_label_at(b, scan->delegate)->try_inside;
    try_number = open_try(b, outer);
    for (uint32_t n = scan->first_clause; n != 0; n = b->frame->scan.clauses.data[n].next)
        add_handler(b, b->frame->scan.clauses.data[n].tag);
    close_clauses(b, try_number);
    l = build_open_label(b, BUILD_TRY, type);
    l->own_try = try_number;
    b->try_number = l->try_inside = try_number;
}

static void catch_legacy(struct builder *b, uint32_t tag)
{
    struct build_label *l = vec_last(&b->labels);
    const struct build_handler *h;

    if (b->block != 0)
        build_arrive(b, l);
    h = &b->handlers.data[b->tries.data[l->own_try].first_handler + l->clauses++];
    assert(h->tag == tag);
    b->try_number = l->try_inside = l->try_outside;
    b->stack.len = l->height;
    if (h->label.block == 0)
        return;
    l->exception = enter_handler(b, h);
    push_payload(b, tag, l->exception);
}

bool build_try_op(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;

    switch (op) {
    case OP_THROW: throw_tag(b, body_u32(r)); return true;
    case OP_THROW_REF: throw_reference(b); return true;
    case OP_TRY_TABLE: open_try_table(b); return true;
    case OP_TRY: open_legacy_try(b); return true;
    case OP_CATCH: catch_legacy(b, body_u32(r)); return true;
    case OP_CATCH_ALL: catch_legacy(b, IR_CATCH_ALL); return true;
    case OP_RETHROW:
        build_push(b, build_label_at(b, body_u32(r))->exception);
        throw_reference(b);
        return true;
    default: return false;
    }
}
