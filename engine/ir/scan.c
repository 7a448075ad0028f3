/* A look over a body before it is translated: which locals each loop writes, how large the body is, and whether it
 * uses anything that the optimizing compiler leaves to the baseline compiler. */
#include "engine/ir/build.h"
#include "wherry/engine.h"
#include <assert.h>

enum { NOT_A_LOOP = UINT32_MAX };

struct open_block {
    uint32_t loop;      /* index in scan->loops, or NOT_A_LOOP */
    uint32_t try_index; /* in scan->tries, of the legacy form */
    size_t log_start;
};

struct scanner {
    struct build_scan *scan;
    const struct module *module;
    VEC(struct open_block) blocks;
    VEC(uint32_t) log;   /* locals written, of the open loops */
    VEC(uint32_t) marks; /* per local: the loop that has it already, plus 1 */
};

/* The part of the log that belongs to a loop, each local once, becomes the loop's; it stays for the loop around. */
static void close_loop(struct scanner *s, const struct open_block *block)
{
    struct build_scan_loop *loop = &s->scan->loops.data[block->loop];
    size_t unique = block->log_start;

    loop->first = (uint32_t)s->scan->written.len;
    for (size_t i = block->log_start; i < s->log.len; i++) {
        uint32_t local = s->log.data[i];
        if (s->marks.data[local] == block->loop + 1)
            continue;
        s->marks.data[local] = block->loop + 1;
        s->log.data[unique++] = local;
        vec_push(&s->scan->written, local);
    }
    s->log.len = unique;
    loop->count = (uint32_t)(s->scan->written.len - loop->first);
}

static void open_block(struct scanner *s, bool is_loop, uint32_t offset)
{
    struct open_block block = {NOT_A_LOOP, 0, s->log.len};

    if (is_loop) {
        block.loop = (uint32_t)s->scan->loops.len;
        vec_push(&s->scan->loops, (struct build_scan_loop){.offset = offset});
    }
    vec_push(&s->blocks, block);
}

static void open_try(struct scanner *s, uint32_t offset)
{
    open_block(s, false, offset);
    vec_last(&s->blocks)->try_index = (uint32_t)s->scan->tries.len;
    vec_push(&s->scan->tries, (struct build_scan_try){.offset = offset});
}

static struct build_scan_try *innermost_try(struct scanner *s)
{
    return &s->scan->tries.data[vec_last(&s->blocks)->try_index];
}

static void add_clause(struct scanner *s, uint32_t tag)
{
    struct build_scan_try *t = innermost_try(s);
    uint32_t number;

    if (s->scan->clauses.len == 0)
        vec_push(&s->scan->clauses, (struct build_scan_clause){0}); /* number 0 is none */
    number = (uint32_t)s->scan->clauses.len;
    vec_push(&s->scan->clauses, (struct build_scan_clause){tag, 0});
    if (t->first_clause == 0)
        t->first_clause = number;
    else
        s->scan->clauses.data[t->last_clause].next = number;
    t->last_clause = number;
}

static bool scan_instruction(struct scanner *s, struct rd *r)
{
    enum opcode op = body_opcode(r);
    uint32_t offset = (uint32_t)rd_offset(r);
    struct open_block block;

    s->scan->instructions++;
    switch (op) {
    case OP_LOCAL_SET:
    case OP_LOCAL_TEE: vec_push(&s->log, body_u32(r)); return true;
    case OP_BLOCK:
    case OP_IF:
    case OP_LOOP:
        open_block(s, op == OP_LOOP, offset);
        body_block_type(r);
        return true;
    case OP_TRY_TABLE: open_block(s, false, offset); break;
    case OP_TRY:
        open_try(s, offset);
        body_block_type(r);
        return true;
    case OP_CATCH: add_clause(s, body_u32(r)); return true;
    case OP_CATCH_ALL: add_clause(s, IR_CATCH_ALL); return true;
    case OP_DELEGATE:
        innermost_try(s)->delegates = true;
        innermost_try(s)->delegate = body_u32(r);
        vec_pop(&s->blocks);
        return true;
    case OP_END:
        block = vec_pop(&s->blocks);
        if (block.loop != NOT_A_LOOP)
            close_loop(s, &block);
        return s->blocks.len != 0;
    default: break;
    }
    body_skip_immediate(r, op);
    return true;
}

static uint32_t read_locals(struct rd *r, uint32_t params)
{
    uint32_t count = params;

    for (uint32_t groups = body_u32(r); groups != 0; groups--) {
        count += body_u32(r);
        body_valtype(r);
    }
    return count;
}

void build_scan(struct build_scan *scan, const struct module *m, uint32_t func)
{
    struct scanner s = {.scan = scan, .module = m};
    struct rd r = body_of(m, func);

    memset(scan, 0, sizeof *scan);
    scan->local_count = read_locals(&r, m->types[m->funcs[func].type].param_count);
    vec_reserve(&s.marks, scan->local_count);
    if (scan->local_count != 0)
        memset(s.marks.data, 0, scan->local_count * sizeof *s.marks.data);
    open_block(&s, false, 0);
    while (scan_instruction(&s, &r))
        ;
    vec_done(&s.blocks);
    vec_done(&s.log);
    vec_done(&s.marks);
}

void build_scan_done(struct build_scan *scan)
{
    vec_done(&scan->loops);
    vec_done(&scan->written);
    vec_done(&scan->tries);
    vec_done(&scan->clauses);
}
