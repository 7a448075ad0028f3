/* The module: types, spaces, functions and their callers. */
#include "tests/fuzz/generator.h"

uint64_t generate_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void put_section(struct buf *out, uint8_t id, struct buf *content)
{
    buf_put_u8(out, id);
    put_u32(out, (uint32_t)content->len);
    buf_put(out, content->data, content->len);
    content->len = 0;
}

static struct shape random_shape(struct generator *g)
{
    struct shape s = {.param_count = below(g, PARAMS_MAX + 1), .result_count = below(g, 4) != 0 ? 1 : below(g, 4)};

    for (unsigned i = 0; i < s.param_count; i++)
        s.params[i] = value_types[below(g, g->type_count)];
    for (unsigned i = 0; i < s.result_count; i++)
        s.results[i] = value_types[below(g, g->type_count)];
    return s;
}

/* Every call costs one; who finds nothing left returns zeros. */
static void put_fuel(struct generator *g, const struct shape *s)
{
    struct buf *b = &g->out;

    put_with(b, OP_GLOBAL_GET, 0);
    put_op(b, OP_I32_EQZ);
    put_op(b, OP_IF);
    buf_put_u8(b, NO_RESULT);
    for (unsigned i = 0; i < s->result_count; i++)
        put_with(b, OP_LOCAL_GET, scratch(g, s->results[i]));
    put_op(b, OP_RETURN);
    put_op(b, OP_END);
    put_with(b, OP_GLOBAL_GET, 0);
    put_i32(b, 1);
    put_op(b, OP_I32_SUB);
    put_with(b, OP_GLOBAL_SET, 0);
}

static void put_body(struct buf *section, const struct buf *body)
{
    put_u32(section, (uint32_t)body->len);
    buf_put(section, body->data, body->len);
}

static void put_function(struct generator *g, unsigned func, struct buf *section)
{
    const struct shape *s = &g->shapes[func];
    struct buf *b = &g->out;

    g->func = func;
    g->budget = 30 + below(g, 120);
    b->len = 0;
    memcpy(g->locals, s->params, s->param_count);
    g->local_count = s->param_count + LOCALS;
    put_u32(b, LOCALS + 1 + g->type_count);
    for (unsigned i = 0; i < LOCALS; i++) {
        g->locals[s->param_count + i] = value_types[below(g, g->type_count)];
        put_u32(b, 1);
        buf_put_u8(b, g->locals[s->param_count + i]);
    }
    put_u32(b, COUNTERS);
    buf_put_u8(b, VT_I32);
    for (unsigned i = 0; i < g->type_count; i++) {
        put_u32(b, 1);
        buf_put_u8(b, value_types[i]);
    }
    put_fuel(g, s);
    statements(g, 6);
    statements(g, 6);
    for (unsigned i = 0; i < s->result_count; i++)
        expression(g, s->results[i], 4);
    put_op(b, OP_END);
    put_body(section, b);
}

/* The access itself; a reference travels as an i32. */
static void put_access(struct buf *b, uint8_t type, bool store)
{
    static const uint16_t ops[TYPES][2] = {{OP_I32_LOAD, OP_I32_STORE},   {OP_I64_LOAD, OP_I64_STORE},
                                           {OP_F32_LOAD, OP_F32_STORE},   {OP_F64_LOAD, OP_F64_STORE},
                                           {OP_V128_LOAD, OP_V128_STORE}, {OP_I32_LOAD, OP_I32_STORE}};

    if (type == VT_ANY && store) {
        put_op(b, OP_REF_TEST);
        buf_put_u8(b, 0x6c); /* i31 */
    }
    put_op(b, ops[type_index(type)][store]);
    put_u32(b, 0);
    put_u32(b, 0);
    if (type == VT_ANY && !store)
        put_op(b, OP_REF_I31);
}

/* Loads the arguments, calls, stores the results: last first, as they lie on the stack. */
static void put_caller(struct generator *g, unsigned func, struct buf *section)
{
    const struct shape *s = &g->shapes[func];
    struct buf *b = &g->out;

    b->len = 0;
    put_u32(b, g->type_count);
    for (unsigned i = 0; i < g->type_count; i++) {
        put_u32(b, 1);
        buf_put_u8(b, value_types[i]);
    }
    put_i32(b, CALLS_MAX);
    put_with(b, OP_GLOBAL_SET, 0);
    for (unsigned i = 0; i < s->param_count; i++) {
        put_address(b, g->memory_is64[0], GENERATE_ARGS_AT + 16 * i);
        put_access(b, s->params[i], false);
    }
    put_with(b, OP_CALL, func);
    for (unsigned i = s->result_count; i-- != 0;) {
        put_with(b, OP_LOCAL_SET, type_index(s->results[i]));
        put_address(b, g->memory_is64[0], GENERATE_RESULTS_AT + 16 * i);
        put_with(b, OP_LOCAL_GET, type_index(s->results[i]));
        put_access(b, s->results[i], true);
    }
    put_op(b, OP_END);
    put_body(section, b);
}

static void put_field(struct buf *s, uint8_t type)
{
    buf_put_u8(s, type);
    buf_put_u8(s, 1); /* mutable */
}

/* A structure, one derived from it that has more fields, and arrays. */
static void put_object_types(struct buf *s)
{
    static const uint8_t elements[] = {VT_I8, VT_I16, VT_I64, VT_F32, VT_V128, VT_ANY};

    for (unsigned more = 0; more < 2; more++) {
        buf_put_u8(s, 0x50); /* sub, not final */
        put_u32(s, more);
        if (more != 0)
            put_u32(s, TYPE_POINT);
        buf_put_u8(s, 0x5f);
        put_u32(s, more != 0 ? 9 : 7);
        put_field(s, VT_I32);
        put_field(s, VT_I64);
        put_field(s, VT_I8);
        put_field(s, VT_I16);
        put_field(s, VT_F64);
        put_field(s, VT_ANY);
        buf_put_u8(s, VT_REF_NULL);
        put_u32(s, TYPE_POINT);
        buf_put_u8(s, 1);
        if (more != 0) {
            put_field(s, VT_V128);
            put_field(s, VT_F32);
        }
    }
    for (unsigned i = 0; i < sizeof elements; i++) {
        buf_put_u8(s, 0x5e);
        put_field(s, elements[i]);
    }
}

/* The indices in generator.h hold whether or not the later ones are there. */
static void put_further_types(const struct generator *g, struct buf *s)
{
    buf_put(s, "\x60\1\x7f\0\x60\1\x7c\0", 8);
    if (has(g, GENERATE_EXCEPTIONS))
        buf_put(s, "\x60\0\2\x7f\x69", 5);
    else
        buf_put(s, "\x60\0\0", 3);
    if (has(g, GENERATE_GC))
        put_object_types(s);
}

static void put_types(struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, has(g, GENERATE_GC) ? TYPE_END : TYPE_POINT);
    buf_put(&s, "\x60\0\0", 3);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++) {
        g->shapes[i] = random_shape(g);
        buf_put_u8(&s, 0x60);
        put_u32(&s, g->shapes[i].param_count);
        buf_put(&s, g->shapes[i].params, g->shapes[i].param_count);
        put_u32(&s, g->shapes[i].result_count);
        buf_put(&s, g->shapes[i].results, g->shapes[i].result_count);
    }
    put_further_types(g, &s);
    put_section(out, 1, &s);
    put_u32(&s, 2 * GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, 1 + i);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, 0);
    put_section(out, 3, &s);
    buf_done(&s);
}

/* A table with all functions and a few nulls, and one of any references. */
static void put_tables(const struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, has(g, GENERATE_GC) ? 2 : 1);
    buf_put_u8(&s, VT_FUNC);
    buf_put_u8(&s, g->table_is64 ? 5 : 1);
    put_u32(&s, GENERATE_FUNCTIONS + 4);
    put_u32(&s, FUNC_TABLE_MAX);
    if (has(g, GENERATE_GC)) {
        buf_put_u8(&s, VT_ANY);
        buf_put_u8(&s, 1);
        put_u32(&s, ANY_TABLE_MIN);
        put_u32(&s, ANY_TABLE_MIN + 8);
    }
    put_section(out, 4, &s);
    buf_done(&s);
}

/* Memories of one page, and tags. */
static void put_memories(const struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, g->memory_count);
    for (unsigned i = 0; i < g->memory_count; i++) {
        buf_put_u8(&s, g->memory_is64[i] ? 5 : 1);
        buf_put(&s, "\1\3", 2);
    }
    put_section(out, 5, &s);
    if (has(g, GENERATE_EXCEPTIONS | GENERATE_LEGACY_EXCEPTIONS)) {
        static const uint8_t tags[TAGS] = {0, TYPE_TAG_I32, TYPE_TAG_F64};
        put_u32(&s, TAGS);
        for (unsigned i = 0; i < TAGS; i++) {
            buf_put_u8(&s, 0);
            put_u32(&s, tags[i]);
        }
        put_section(out, 13, &s);
    }
    buf_done(&s);
}

/* The fuel, then one of each type. */
static void put_globals(struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, GLOBAL_FIRST + g->type_count);
    buf_put(&s, "\x7f\x01\x41\x00\x0b", 5);
    for (unsigned i = 0; i < g->type_count; i++) {
        put_field(&s, value_types[i]);
        g->out.len = 0;
        put_const(g, value_types[i]);
        buf_put(&s, g->out.data, g->out.len);
        put_op(&s, OP_END);
    }
    put_section(out, 6, &s);
    buf_done(&s);
}

static void put_exports(const struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, g->memory_count + GENERATE_FUNCTIONS);
    buf_put(&s, "\x06memory\x02\x00", 9);
    if (g->memory_count > 1)
        buf_put(&s, "\x07memory1\x02\x01", 10);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "%u", i);
        put_u32(&s, (uint32_t)len);
        buf_put(&s, name, (size_t)len);
        buf_put_u8(&s, 0);
        put_u32(&s, GENERATE_FUNCTIONS + i);
    }
    put_section(out, 7, &s);
    buf_done(&s);
}

/* All functions at the table's beginning; some of them for table.init. */
static void put_elements(const struct generator *g, struct buf *out)
{
    struct buf s = {0};

    buf_put(&s, "\x02\x00", 2);
    put_address(&s, g->table_is64, 0);
    put_op(&s, OP_END);
    put_u32(&s, GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, i);
    buf_put(&s, "\x01\x00", 2); /* passive, of functions */
    put_u32(&s, GENERATE_FUNCTIONS / 2);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS / 2; i++)
        put_u32(&s, 2 * i);
    put_section(out, 9, &s);
    put_u32(&s, 2);
    put_section(out, 12, &s);
    buf_done(&s);
}

static void put_data(struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, 2);
    for (unsigned i = 0; i < 2; i++) {
        buf_put_u8(&s, 1); /* passive */
        put_u32(&s, SEGMENT_BYTES);
        for (unsigned k = 0; k < SEGMENT_BYTES; k++)
            buf_put_u8(&s, (uint8_t)below(g, 256));
    }
    put_section(out, 11, &s);
    buf_done(&s);
}

/* Each of the features in half of the modules. */
static void choose_features(struct generator *g, uint32_t features)
{
    g->features = features & (uint32_t)generate_random(&g->state);
    if (has(g, GENERATE_EXCEPTIONS))
        g->features &= ~(uint32_t)GENERATE_LEGACY_EXCEPTIONS;
    g->type_count = has(g, GENERATE_GC) ? TYPES : TYPES - 1;
    g->memory_count = has(g, GENERATE_MULTI_MEMORY) ? 2 : 1;
    for (unsigned i = 0; i < g->memory_count; i++)
        g->memory_is64[i] = has(g, GENERATE_MEMORY64) && below(g, 2) != 0;
    g->table_is64 = has(g, GENERATE_MEMORY64) && below(g, 2) != 0;
}

struct buf generate_module(uint64_t seed, uint32_t features)
{
    struct generator g = {.state = seed};
    struct buf out = {0}, s = {0};

    generate_prepare();
    choose_features(&g, features);
    buf_put(&out, "\0asm\1\0\0\0", 8);
    put_types(&g, &out);
    put_tables(&g, &out);
    put_memories(&g, &out);
    put_globals(&g, &out);
    put_exports(&g, &out);
    put_elements(&g, &out);
    put_u32(&s, 2 * GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_function(&g, i, &s);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_caller(&g, i, &s);
    put_section(&out, 10, &s);
    put_data(&g, &out);
    buf_done(&s);
    buf_done(&g.out);
    return out;
}
