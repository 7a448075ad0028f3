/* Loops over arrays in memory, such as compilers make and the vectoriser looks for: counted, with loads and stores near each
 * other, in one copy a round or several equal ones. Floats are made finite, so that no NaN's bits are open. */
#include "tests/fuzz/generator.h"

enum { BASES = 3, ROUNDS_MAX = 24, COPIES_MAX = 4, NO_LOCAL = UINT32_MAX };

struct array_loop {
    uint8_t type; /* of the elements */
    uint32_t bytes, copies, step;
    struct { /* where arrays begin: a constant, or a local's value */
        bool is_local;
        uint32_t value;
    } bases[BASES];
    uint32_t counter, previous; /* previous: a local that holds what the round before has loaded */
    uint64_t seed;              /* of the choices that all copies share */
};

static bool is_float(const struct array_loop *l)
{
    return l->type == VT_F32 || l->type == VT_F64;
}

static bool is_wide(const struct array_loop *l)
{
    return l->type == VT_I64 || l->type == VT_F64;
}

static uint32_t find_local(struct generator *g, uint8_t type)
{
    unsigned first = below(g, g->local_count);

    for (unsigned i = 0; i < g->local_count; i++)
        if (g->locals[(first + i) % g->local_count] == type)
            return (first + i) % g->local_count;
    return NO_LOCAL;
}

/* An element's index on the stack; returns the offset that the access has. */
static uint32_t put_place(struct generator *g, const struct array_loop *l, unsigned copy)
{
    struct buf *b = &g->out;
    unsigned base = below(g, BASES);
    int32_t distance = (int32_t)(below(g, 12) * l->bytes) - 16 + (int32_t)(copy * l->bytes);
    bool folded = below(g, 2) != 0;

    if (below(g, 16) == 0)
        distance += 1;
    if (l->bases[base].is_local) {
        put_with(b, OP_LOCAL_GET, l->bases[base].value);
        put_i32(b, 0x7ff8);
        put_op(b, OP_I32_AND);
    } else {
        put_i32(b, (int32_t)l->bases[base].value);
    }
    if (below(g, 20) != 0) { /* else the same place in all rounds */
        put_with(b, OP_LOCAL_GET, l->counter);
        put_op(b, OP_I32_ADD);
    }
    if (folded && distance >= 0)
        return (uint32_t)distance;
    put_i32(b, distance);
    put_op(b, OP_I32_ADD);
    return 0;
}

static void put_access(struct generator *g, unsigned op, uint32_t offset)
{
    put_op(&g->out, op);
    put_u32(&g->out, 0);
    put_u32(&g->out, offset);
}

static void put_load(struct generator *g, const struct array_loop *l, unsigned copy)
{
    uint32_t offset = put_place(g, l, copy);

    put_access(g, l->type == VT_V128 ? OP_V128_LOAD : is_wide(l) ? OP_I64_LOAD : OP_I32_LOAD, offset);
    if (!is_float(l))
        return;
    if (is_wide(l)) {
        put_op(&g->out, OP_I64_CONST);
        put_signed(&g->out, INT64_C(0x3fffffffffffffff));
        put_op(&g->out, OP_I64_AND);
        put_op(&g->out, OP_F64_REINTERPRET_I64);
    } else {
        put_i32(&g->out, 0x3fffffff);
        put_op(&g->out, OP_I32_AND);
        put_op(&g->out, OP_F32_REINTERPRET_I32);
    }
}

static void put_number(struct generator *g, const struct array_loop *l)
{
    static const uint64_t doubles[] = {0, UINT64_C(0x3ff8000000000000), UINT64_C(0xc000000000000000),
                                       UINT64_C(0x3fe0000000000000)};
    static const uint32_t floats[] = {0, 0x3fc00000, 0xc0000000, 0x3f000000};

    if (!is_float(l)) {
        put_const(g, l->type);
    } else if (is_wide(l)) {
        put_op(&g->out, OP_F64_CONST);
        buf_put_u64(&g->out, doubles[below(g, 4)]);
    } else {
        put_op(&g->out, OP_F32_CONST);
        buf_put_u32(&g->out, floats[below(g, 4)]);
    }
}

static unsigned choose(struct generator *g, const struct array_loop *l, bool unary)
{
    static const uint16_t of_vectors[] = {OP_I32X4_ADD,       OP_V128_XOR,    OP_I8X16_SUB, OP_I16X8_MUL,
                                          OP_I8X16_ADD_SAT_U, OP_V128_ANDNOT, OP_I64X2_SUB, OP_I32X4_MAX_S};
    static const uint16_t binary[][4] = {
        /* by type: i32, i64, f32, f64 */
        {OP_I32_ADD, OP_I64_ADD, OP_F32_ADD, OP_F64_ADD},     {OP_I32_SUB, OP_I64_SUB, OP_F32_SUB, OP_F64_SUB},
        {OP_I32_MUL, OP_I64_XOR, OP_F32_MUL, OP_F64_MUL},     {OP_I32_AND, OP_I64_AND, OP_F32_MIN, OP_F64_MIN},
        {OP_I32_OR, OP_I64_OR, OP_F32_MAX, OP_F64_MAX},       {OP_I32_SHL, OP_I64_SHL, OP_F32_ADD, OP_F64_ADD},
        {OP_I32_SHR_S, OP_I64_SHR_S, OP_F32_SUB, OP_F64_SUB}, {OP_I32_SHR_U, OP_I64_SHR_U, OP_F32_MUL, OP_F64_MUL}};
    static const uint16_t of_floats[][2] = {{OP_F32_ABS, OP_F64_ABS},         {OP_F32_NEG, OP_F64_NEG},
                                            {OP_F32_CEIL, OP_F64_CEIL},       {OP_F32_FLOOR, OP_F64_FLOOR},
                                            {OP_F32_NEAREST, OP_F64_NEAREST}, {OP_F32_TRUNC, OP_F64_TRUNC}};

    if (l->type == VT_V128)
        return of_vectors[below(g, 8)];
    return unary ? of_floats[below(g, 6)][is_wide(l)] : binary[below(g, 8)][type_index(l->type)];
}

static bool shifts(unsigned op)
{
    return (op >= OP_I32_SHL && op <= OP_I32_SHR_U) || (op >= OP_I64_SHL && op <= OP_I64_SHR_U);
}

static void put_value(struct generator *g, const struct array_loop *l, unsigned copy, unsigned depth)
{
    unsigned choice = below(g, depth == 0 ? 5 : 12), op;

    if (choice == 0) {
        put_number(g, l);
    } else if (choice == 1 && l->previous != NO_LOCAL) {
        put_with(&g->out, OP_LOCAL_GET, l->previous);
    } else if (choice == 2 && l->previous != NO_LOCAL) {
        put_with(&g->out, OP_LOCAL_GET, scratch(g, l->type));
    } else if (choice < 5) {
        put_load(g, l, copy);
    } else if (choice == 5 && is_float(l)) {
        op = choose(g, l, true);
        put_value(g, l, copy, depth - 1);
        put_op(&g->out, op);
    } else {
        op = choose(g, l, false);
        put_value(g, l, copy, depth - 1);
        if (shifts(op) && below(g, 8) != 0)
            put_number(g, l);
        else
            put_value(g, l, copy, depth - 1);
        put_op(&g->out, op);
    }
}

/* One element's work; all copies make the same choices. */
static void put_copy(struct generator *g, const struct array_loop *l, unsigned copy)
{
    static const uint16_t stores[] = {OP_I32_STORE, OP_I64_STORE, OP_F32_STORE, OP_F64_STORE, OP_V128_STORE};

    g->state = l->seed;
    if (l->previous != NO_LOCAL) {
        if (below(g, 4) == 0)
            put_number(g, l);
        else
            put_load(g, l, copy);
        put_with(&g->out, OP_LOCAL_SET, scratch(g, l->type));
    }
    for (unsigned count = 1 + (below(g, 3) == 0); count != 0; count--) {
        uint32_t offset = put_place(g, l, copy);
        put_value(g, l, copy, 2);
        put_access(g, stores[type_index(l->type)], offset);
    }
    if (l->previous != NO_LOCAL) {
        put_with(&g->out, OP_LOCAL_GET, scratch(g, l->type));
        put_with(&g->out, OP_LOCAL_SET, l->previous);
    }
}

static void choose_bases(struct generator *g, struct array_loop *l)
{
    for (unsigned n = 0; n < BASES; n++) {
        uint32_t local = find_local(g, VT_I32);
        l->bases[n].is_local = local != NO_LOCAL && below(g, 3) == 0;
        l->bases[n].value = l->bases[n].is_local ? local
                            : below(g, 10) == 0  ? 65536 - below(g, 300) /* out of the memory, or up to its end */
                            : below(g, 30) == 0  ? 0 - below(g, 200)
                                                 : 1024 + below(g, 40) * 16;
    }
}

static void choose_loop(struct generator *g, struct array_loop *l)
{
    static const uint8_t types[] = {VT_I32, VT_I64, VT_F32, VT_F64, VT_V128};

    l->type = types[below(g, 5)];
    l->bytes = l->type == VT_V128 ? 16 : is_wide(l) ? 8 : 4;
    l->copies = below(g, 2) == 0 ? 1 : 1 + below(g, COPIES_MAX);
    l->step = l->copies * l->bytes * (below(g, 30) == 0 ? 2 : 1);
    l->counter = g->local_count + g->loops;
    l->previous = below(g, 3) == 0 ? find_local(g, l->type) : NO_LOCAL;
    choose_bases(g, l);
    if (l->previous == NO_LOCAL)
        return;
    put_number(g, l);
    put_with(&g->out, OP_LOCAL_SET, l->previous);
}

static void put_body(struct generator *g, struct array_loop *l)
{
    uint64_t state;

    l->seed = g->state;
    for (unsigned copy = 0; copy < l->copies; copy++)
        put_copy(g, l, copy);
    state = g->state;
    g->state = generate_random(&state);
    put_with(&g->out, OP_LOCAL_GET, l->counter);
    put_i32(&g->out, (int32_t)l->step);
    put_op(&g->out, OP_I32_ADD);
    put_with(&g->out, OP_LOCAL_TEE, l->counter);
}

static void put_start(struct generator *g, const struct array_loop *l, int32_t start)
{
    put_i32(&g->out, start);
    put_with(&g->out, OP_LOCAL_SET, l->counter);
}

static void open(struct generator *g, unsigned op)
{
    put_op(&g->out, op);
    buf_put_u8(&g->out, NO_RESULT);
}

/* The comparison behind the round, up to a constant or what a local holds. */
static void loop_tested_behind(struct generator *g, struct array_loop *l)
{
    static const uint16_t tests[] = {OP_I32_LT_S, OP_I32_LT_U, OP_I32_LE_S, OP_I32_NE};
    uint32_t limit = find_local(g, VT_I32);
    unsigned test = below(g, 4);

    put_start(g, l, 0);
    open(g, OP_LOOP);
    put_body(g, l);
    if (limit != NO_LOCAL && test < 3 && below(g, 2) == 0) {
        put_with(&g->out, OP_LOCAL_GET, limit);
        put_i32(&g->out, 0xff);
        put_op(&g->out, OP_I32_AND);
    } else {
        put_i32(&g->out, (int32_t)(l->step * (1 + below(g, ROUNDS_MAX))));
    }
    put_op(&g->out, tests[test]);
    put_with(&g->out, OP_BR_IF, 0);
    put_op(&g->out, OP_END);
}

static void loop_tested_ahead(struct generator *g, struct array_loop *l)
{
    put_start(g, l, 0);
    open(g, OP_BLOCK);
    open(g, OP_LOOP);
    put_with(&g->out, OP_LOCAL_GET, l->counter);
    put_i32(&g->out, (int32_t)(l->step * below(g, ROUNDS_MAX)));
    put_op(&g->out, below(g, 2) != 0 ? OP_I32_GE_S : OP_I32_GE_U);
    put_with(&g->out, OP_BR_IF, 1);
    put_body(g, l);
    put_op(&g->out, OP_DROP);
    put_with(&g->out, OP_BR, 0);
    put_op(&g->out, OP_END);
    put_op(&g->out, OP_END);
}

/* Up to zero, or a counter of its own down to zero. */
static void loop_to_zero(struct generator *g, struct array_loop *l)
{
    unsigned rounds = 1 + below(g, ROUNDS_MAX);
    bool other = g->loops + 1 < COUNTERS && below(g, 2) != 0;

    put_start(g, l, other ? 0 : -(int32_t)(l->step * rounds));
    if (other) {
        put_i32(&g->out, (int32_t)rounds);
        put_with(&g->out, OP_LOCAL_SET, l->counter + 1);
    }
    open(g, OP_LOOP);
    put_body(g, l);
    if (other) {
        put_op(&g->out, OP_DROP);
        put_with(&g->out, OP_LOCAL_GET, l->counter + 1);
        put_i32(&g->out, -1);
        put_op(&g->out, OP_I32_ADD);
        put_with(&g->out, OP_LOCAL_TEE, l->counter + 1);
    }
    put_with(&g->out, OP_BR_IF, 0);
    put_op(&g->out, OP_END);
}

void array_loop(struct generator *g)
{
    struct array_loop l = {0};

    choose_loop(g, &l);
    switch (below(g, 4)) {
    case 0: loop_tested_ahead(g, &l); break;
    case 1: loop_to_zero(g, &l); break;
    default: loop_tested_behind(g, &l);
    }
}
