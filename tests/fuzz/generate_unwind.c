/* What leaves a function or a block otherwise than by its end: exceptions, in the form with exnref or the legacy one, and tail
 * calls. */
#include "tests/fuzz/generator.h"

enum { CATCH = 0, CATCH_REF, CATCH_ALL, CATCH_ALL_REF };

static const uint8_t tag_params[TAGS] = {NO_RESULT, VT_I32, VT_F64}; /* as the type of a block */

/* Takes what was caught of TAG (TAGS: nothing) off the stack. */
static void drop_caught(struct generator *g, unsigned tag)
{
    if (tag != TAG_I32 && tag != TAG_F64)
        return;
    if (!get_local(g, tag_params[tag], OP_LOCAL_SET))
        put_op(&g->out, OP_DROP);
}

/* The exnref on the stack: thrown again, seldom, else dropped. */
static void use_exnref(struct generator *g)
{
    if (below(g, 6) == 0)
        put_op(&g->out, OP_THROW_REF);
    else
        put_op(&g->out, OP_DROP);
}

/* block (result T)  block (result CAUGHT)  try_table (result T) (catch TAG 0) T end  br 1  end  CAUGHT dropped  T  end */
static void try_table(struct generator *g, uint8_t type, unsigned depth)
{
    unsigned kind = below(g, 4), tag = kind < CATCH_ALL ? below(g, TAGS) : TAGS;
    bool with_reference = kind == CATCH_REF || kind == CATCH_ALL_REF;

    if (kind == CATCH_REF && tag == TAG_F64)
        tag = TAG_I32; /* there is one type for both */
    put_op(&g->out, OP_BLOCK);
    buf_put_u8(&g->out, type);
    put_op(&g->out, OP_BLOCK);
    if (with_reference && tag == TAG_I32)
        put_u32(&g->out, TYPE_CAUGHT);
    else if (with_reference)
        buf_put_u8(&g->out, VT_EXN);
    else
        buf_put_u8(&g->out, tag < TAGS ? tag_params[tag] : NO_RESULT);
    put_op(&g->out, OP_TRY_TABLE);
    buf_put_u8(&g->out, type);
    put_u32(&g->out, 1);
    buf_put_u8(&g->out, (uint8_t)kind);
    if (kind < CATCH_ALL)
        put_u32(&g->out, tag);
    put_u32(&g->out, 0);
    statements(g, depth);
    expression(g, type, depth);
    put_op(&g->out, OP_END);
    put_with(&g->out, OP_BR, 1);
    put_op(&g->out, OP_END);
    if (with_reference)
        use_exnref(g);
    drop_caught(g, tag);
    expression(g, type, depth);
    put_op(&g->out, OP_END);
}

static void legacy_try(struct generator *g, uint8_t type, unsigned depth)
{
    unsigned tag = below(g, TAGS);

    put_op(&g->out, OP_TRY);
    buf_put_u8(&g->out, type);
    statements(g, depth);
    expression(g, type, depth);
    if (below(g, 4) == 0) {
        put_with(&g->out, OP_DELEGATE, 0);
        return;
    }
    put_with(&g->out, OP_CATCH, tag);
    drop_caught(g, tag);
    if (below(g, 6) == 0)
        put_with(&g->out, OP_RETHROW, 0);
    expression(g, type, depth);
    if (below(g, 2) != 0) {
        put_op(&g->out, OP_CATCH_ALL);
        expression(g, type, depth);
    }
    put_op(&g->out, OP_END);
}

void try_value(struct generator *g, uint8_t type, unsigned depth)
{
    if (has(g, GENERATE_EXCEPTIONS))
        try_table(g, type, depth);
    else
        legacy_try(g, type, depth);
}

void throw_statement(struct generator *g, unsigned depth)
{
    unsigned tag = below(g, TAGS);

    expression(g, VT_I32, depth);
    put_op(&g->out, OP_IF);
    buf_put_u8(&g->out, NO_RESULT);
    if (tag != TAG_EMPTY)
        expression(g, tag_params[tag], depth);
    put_with(&g->out, OP_THROW, tag);
    put_op(&g->out, OP_END);
}

static bool same_results(const struct shape *a, const struct shape *b)
{
    return a->result_count == b->result_count && memcmp(a->results, b->results, a->result_count) == 0;
}

/* To a function behind this one with the same results. */
bool tail_call_statement(struct generator *g, unsigned depth)
{
    for (unsigned func = g->func + 1 + below(g, 4); func < GENERATE_FUNCTIONS; func++) {
        if (!same_results(&g->shapes[g->func], &g->shapes[func]))
            continue;
        expression(g, VT_I32, depth);
        put_op(&g->out, OP_IF);
        buf_put_u8(&g->out, NO_RESULT);
        arguments(g, &g->shapes[func], depth);
        put_call(g, func, true);
        put_op(&g->out, OP_END);
        return true;
    }
    return false;
}
