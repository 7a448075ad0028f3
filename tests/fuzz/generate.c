/* Functions are made as trees, from the root down: an expression of a type is an instruction with that result, then its
 * operands; so validity needs no check. Which instructions there are is read from the engine's own table. */
#include "tests/fuzz/generate.h"
#include "base/vec.h"
#include "engine/body.h"
#include "engine/feature.h"
#include "engine/opcodes.h"

enum {
    PARAMS_MAX = 6,
    RESULTS_MAX = 3,
    LOCALS = 6,
    COUNTERS = 3, /* loops in loops */
    ROUNDS = 4,
    CALLS_MAX = 400,
    GLOBALS = 4, /* beside the one that counts calls */
    TYPES = 5,
};

static const uint8_t types[TYPES] = {VT_I32, VT_I64, VT_F32, VT_F64, VT_V128};

struct shape {
    uint8_t params[PARAMS_MAX], results[RESULTS_MAX];
    unsigned param_count, result_count;
};

struct generator {
    uint64_t state;
    struct buf out; /* the body being made */
    struct shape shapes[GENERATE_FUNCTIONS];
    unsigned func, loops, budget;
    uint8_t locals[PARAMS_MAX + LOCALS];
    unsigned local_count;
};

static VEC(uint16_t) by_result[TYPES + 1]; /* instructions by their result; the last: none */

uint64_t generate_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned below(struct generator *g, unsigned bound)
{
    return (unsigned)(generate_random(&g->state) % bound);
}

static unsigned type_index(uint8_t type)
{
    unsigned i = 0;
    while (types[i] != type)
        i++;
    return i;
}

/* Not relaxed SIMD (its results are open), not wide arithmetic (V8 lacks it), no waiting. */
static bool is_usable(unsigned op)
{
    const uint32_t allowed = ENGINE_FEATURE_SIMD | ENGINE_FEATURE_THREADS;
    const struct opcode_info *info = &opcode_infos[op];

    if (info->signature == SIGNATURE_special || (info->feature & ~allowed) != 0)
        return false;
    switch (info->immediate) { /* none that names a segment or a table */
    case IMMEDIATE_NONE:
    case IMMEDIATE_MEMARG:
    case IMMEDIATE_MEMARG_LANE:
    case IMMEDIATE_LANE:
    case IMMEDIATE_SHUFFLE:
    case IMMEDIATE_FENCE:
    case IMMEDIATE_I32:
    case IMMEDIATE_I64:
    case IMMEDIATE_F32:
    case IMMEDIATE_F64:
    case IMMEDIATE_V128: break;
    default: return false;
    }
    if (op == OP_MEMORY_ATOMIC_WAIT32 || op == OP_MEMORY_ATOMIC_WAIT64 || op == OP_NOP)
        return false;
    return signatures[info->signature].result_count <= 1;
}

static void collect_instructions(void)
{
    if (by_result[0].len != 0)
        return;
    for (unsigned op = 0; op < OPCODE_COUNT; op++) {
        const struct signature *s;
        if (!is_usable(op))
            continue;
        s = &signatures[opcode_infos[op].signature];
        vec_push(&by_result[s->result_count == 0 ? TYPES : type_index(s->results[0])], (uint16_t)op);
    }
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static void put_u32(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)v);
}

static void put_signed(struct buf *b, int64_t v)
{
    for (; v < -64 || v > 63; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)(v & 0x7f));
}

static void put_op(struct buf *b, unsigned op)
{
    static const struct {
        unsigned start;
        uint8_t prefix;
    } spaces[] = {{OPCODE_SPACE_ATOMIC, 0xfe}, {OPCODE_SPACE_VECTOR, 0xfd}, {OPCODE_SPACE_MISC, 0xfc}};

    for (unsigned i = 0; i < 3; i++) {
        if (op < spaces[i].start)
            continue;
        buf_put_u8(b, spaces[i].prefix);
        put_u32(b, op - spaces[i].start);
        return;
    }
    buf_put_u8(b, (uint8_t)op);
}

static void put_with(struct buf *b, unsigned op, uint32_t immediate)
{
    put_op(b, op);
    put_u32(b, immediate);
}

static void put_i32(struct buf *b, int32_t v)
{
    put_op(b, OP_I32_CONST);
    put_signed(b, v);
}

/* --- constants, and NaNs ------------------------------------------------------------------------------------------ */

static uint64_t interesting(struct generator *g)
{
    static const uint64_t list[] = {0,
                                    1,
                                    2,
                                    UINT64_MAX,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    UINT64_C(0x7fffffffffffffff),
                                    UINT64_C(0x8000000000000000),
                                    0x3f800000,
                                    UINT64_C(0x3ff0000000000000),
                                    0x7f800000,
                                    UINT64_C(0xfff0000000000000),
                                    0x4f000000,
                                    UINT64_C(0x43e0000000000000),
                                    UINT64_C(0xc1e0000000200000)};
    switch (below(g, 3)) {
    case 0: return list[below(g, sizeof list / sizeof list[0])];
    case 1: return below(g, 256);
    default: return generate_random(&g->state) >> below(g, 64);
    }
}

static void put_const(struct generator *g, uint8_t type)
{
    struct buf *b = &g->out;
    uint64_t bits = interesting(g), more = interesting(g);

    switch (type) {
    case VT_I32: put_i32(b, (int32_t)bits); break;
    case VT_I64:
        put_op(b, OP_I64_CONST);
        put_signed(b, (int64_t)bits);
        break;
    case VT_F32:
        put_op(b, OP_F32_CONST);
        buf_put_u32(b, (uint32_t)bits);
        break;
    case VT_F64:
        put_op(b, OP_F64_CONST);
        buf_put_u64(b, bits);
        break;
    default:
        put_op(b, OP_V128_CONST);
        buf_put_u64(b, bits);
        buf_put_u64(b, more);
    }
}

/* The number of the scratch local of a type: behind the others. */
static uint32_t scratch(const struct generator *g, uint8_t type)
{
    return g->local_count + COUNTERS + type_index(type);
}

static void canonical_scalar(struct generator *g, uint8_t type)
{
    struct buf *b = &g->out;
    uint32_t local = scratch(g, type);

    put_with(b, OP_LOCAL_SET, local);
    if (type == VT_F32) {
        put_op(b, OP_F32_CONST);
        buf_put_u32(b, 0x7fc00000);
    } else {
        put_op(b, OP_F64_CONST);
        buf_put_u64(b, UINT64_C(0x7ff8000000000000));
    }
    put_with(b, OP_LOCAL_GET, local);
    put_with(b, OP_LOCAL_GET, local);
    put_with(b, OP_LOCAL_GET, local);
    put_op(b, type == VT_F32 ? OP_F32_NE : OP_F64_NE);
    put_op(b, OP_SELECT);
}

static void canonical_vector(struct generator *g, bool wide)
{
    struct buf *b = &g->out;
    uint32_t local = scratch(g, VT_V128);

    put_with(b, OP_LOCAL_TEE, local);
    put_op(b, OP_V128_CONST);
    for (int i = 0; i < 2; i++)
        buf_put_u64(b, wide ? UINT64_C(0x7ff8000000000000) : UINT64_C(0x7fc000007fc00000));
    put_with(b, OP_LOCAL_GET, local);
    put_with(b, OP_LOCAL_GET, local);
    put_op(b, wide ? OP_F64X2_EQ : OP_F32X4_EQ);
    put_op(b, OP_V128_BITSELECT);
}

static void make_canonical(struct generator *g, unsigned op, uint8_t type)
{
    const char *name = opcode_name((enum opcode)op);

    if (type == VT_F32 || type == VT_F64)
        canonical_scalar(g, type);
    else if (type == VT_V128 && (strncmp(name, "f32x4", 5) == 0 || strncmp(name, "f64x2", 5) == 0))
        canonical_vector(g, name[1] == '6');
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

static void expression(struct generator *g, uint8_t type, unsigned depth);
static void statements(struct generator *g, unsigned depth);

/* Mostly inside the memory, and aligned where that is asked for. */
static void address(struct generator *g, unsigned depth, bool aligned)
{
    expression(g, VT_I32, depth);
    if (below(g, 200) != 0) {
        put_i32(&g->out, aligned || below(g, 2) != 0 ? 0x7ff8 : 0x7fff);
        put_op(&g->out, OP_I32_AND);
    }
}

static void put_memarg(struct generator *g, const struct opcode_info *info)
{
    bool atomic = info->feature == ENGINE_FEATURE_THREADS;
    uint32_t offset = below(g, 4) != 0 ? 0 : below(g, 500) != 0 ? below(g, 4096) : (uint32_t)generate_random(&g->state);

    put_u32(&g->out, atomic ? info->width_log2 : below(g, info->width_log2 + 1u));
    put_u32(&g->out, atomic && below(g, 200) != 0 ? offset & ~7u : offset);
}

static void put_immediate(struct generator *g, unsigned op)
{
    const struct opcode_info *info = &opcode_infos[op];
    unsigned lanes = 16u >> info->width_log2;

    switch (info->immediate) {
    case IMMEDIATE_MEMARG: put_memarg(g, info); break;
    case IMMEDIATE_MEMARG_LANE:
        put_memarg(g, info);
        buf_put_u8(&g->out, (uint8_t)below(g, lanes));
        break;
    case IMMEDIATE_LANE: buf_put_u8(&g->out, (uint8_t)below(g, lanes)); break;
    case IMMEDIATE_SHUFFLE:
        for (int i = 0; i < 16; i++)
            buf_put_u8(&g->out, (uint8_t)below(g, 32));
        break;
    case IMMEDIATE_FENCE: buf_put_u8(&g->out, 0); break;
    default: break;
    }
}

static void operation(struct generator *g, unsigned op, unsigned depth)
{
    const struct opcode_info *info = &opcode_infos[op];
    const struct signature *s = &signatures[info->signature];

    if (info->immediate == IMMEDIATE_I32 || info->immediate == IMMEDIATE_I64 || info->immediate == IMMEDIATE_F32 ||
        info->immediate == IMMEDIATE_F64 || info->immediate == IMMEDIATE_V128) {
        put_const(g, s->results[0]);
        return;
    }
    for (unsigned i = 0; i < s->param_count; i++) {
        if (s->params[i] == SIGNATURE_ADDRESS)
            address(g, depth, info->feature == ENGINE_FEATURE_THREADS);
        else
            expression(g, s->params[i], depth);
    }
    put_op(&g->out, op);
    put_immediate(g, op);
    if (s->result_count != 0)
        make_canonical(g, op, s->results[0]);
}

static bool get_local(struct generator *g, uint8_t type, unsigned op)
{
    unsigned first = below(g, g->local_count);

    for (unsigned i = 0; i < g->local_count; i++) {
        unsigned local = (first + i) % g->local_count;
        if (g->locals[local] == type) {
            put_with(&g->out, op, local);
            return true;
        }
    }
    return false;
}

/* A function behind this one whose only result has the type. */
static bool call(struct generator *g, uint8_t type, unsigned depth)
{
    for (unsigned tries = 0; tries < 4 && g->func + 1 < GENERATE_FUNCTIONS; tries++) {
        unsigned func = g->func + 1 + below(g, GENERATE_FUNCTIONS - g->func - 1);
        const struct shape *s = &g->shapes[func];
        if (s->result_count != 1 || s->results[0] != type)
            continue;
        for (unsigned i = 0; i < s->param_count; i++)
            expression(g, s->params[i], depth);
        if (below(g, 3) != 0) {
            put_with(&g->out, OP_CALL, func);
            return true;
        }
        /* through the table, mostly to that one */
        if (below(g, 16) != 0)
            put_i32(&g->out, (int32_t)func);
        else
            expression(g, VT_I32, 0);
        put_with(&g->out, OP_CALL_INDIRECT, 1 + func);
        put_u32(&g->out, 0);
        return true;
    }
    return false;
}

static void if_value(struct generator *g, uint8_t type, unsigned depth)
{
    expression(g, VT_I32, depth);
    put_op(&g->out, OP_IF);
    buf_put_u8(&g->out, type);
    if (below(g, 3) == 0)
        statements(g, depth);
    expression(g, type, depth);
    put_op(&g->out, OP_ELSE);
    expression(g, type, depth);
    put_op(&g->out, OP_END);
}

static void block_value(struct generator *g, uint8_t type, unsigned depth)
{
    put_op(&g->out, OP_BLOCK);
    buf_put_u8(&g->out, type);
    statements(g, depth);
    expression(g, type, depth);
    if (below(g, 2) != 0) {
        expression(g, VT_I32, depth);
        put_with(&g->out, OP_BR_IF, 0);
        put_op(&g->out, OP_DROP);
        expression(g, type, depth);
    }
    put_op(&g->out, OP_END);
}

static void select_value(struct generator *g, uint8_t type, unsigned depth)
{
    expression(g, type, depth);
    expression(g, type, depth);
    expression(g, VT_I32, depth);
    put_op(&g->out, OP_SELECT_T);
    put_u32(&g->out, 1);
    buf_put_u8(&g->out, type);
}

/* Divisions and conversions that trap on most operands are rarer than others, or every call would soon end in one. */
static bool traps_often(unsigned op)
{
    return (op >= OP_I32_DIV_S && op <= OP_I32_REM_U) || (op >= OP_I64_DIV_S && op <= OP_I64_REM_U) ||
           (op >= OP_I32_TRUNC_F32_S && op <= OP_I32_TRUNC_F64_U) ||
           (op >= OP_I64_TRUNC_F32_S && op <= OP_I64_TRUNC_F64_U);
}

static unsigned choose_operation(struct generator *g, unsigned kind)
{
    unsigned op;

    do
        op = by_result[kind].data[below(g, (unsigned)by_result[kind].len)];
    while (traps_often(op) && below(g, 12) != 0);
    return op;
}

static void expression(struct generator *g, uint8_t type, unsigned depth)
{
    unsigned choice = below(g, 20);

    if (depth == 0 || g->budget == 0) {
        if (below(g, 3) == 0 || !get_local(g, type, OP_LOCAL_GET))
            put_const(g, type);
        return;
    }
    g->budget--;
    if (choice == 0) {
        if_value(g, type, depth - 1);
    } else if (choice == 1) {
        block_value(g, type, depth - 1);
    } else if (choice == 2) {
        select_value(g, type, depth - 1);
    } else if (choice == 3 && call(g, type, depth - 1)) {
        return;
    } else if (choice == 4) {
        expression(g, type, depth - 1);
        if (!get_local(g, type, OP_LOCAL_TEE))
            return;
    } else if (choice < 7) {
        if (!get_local(g, type, OP_LOCAL_GET))
            put_const(g, type);
    } else {
        operation(g, choose_operation(g, type_index(type)), depth - 1);
    }
}

/* --- statements --------------------------------------------------------------------------------------------------- */

static void loop(struct generator *g, unsigned depth)
{
    uint32_t counter = g->local_count + g->loops;

    put_i32(&g->out, (int32_t)below(g, ROUNDS) + 1);
    put_with(&g->out, OP_LOCAL_SET, counter);
    put_op(&g->out, OP_LOOP);
    buf_put_u8(&g->out, 0x40);
    g->loops++;
    statements(g, depth);
    g->loops--;
    put_with(&g->out, OP_LOCAL_GET, counter);
    put_i32(&g->out, 1);
    put_op(&g->out, OP_I32_SUB);
    put_with(&g->out, OP_LOCAL_TEE, counter);
    put_with(&g->out, OP_BR_IF, 0);
    put_op(&g->out, OP_END);
}

static void switch_over(struct generator *g, unsigned depth)
{
    unsigned arms = 1 + below(g, 4);

    for (unsigned i = 0; i <= arms; i++) {
        put_op(&g->out, OP_BLOCK);
        buf_put_u8(&g->out, 0x40);
    }
    expression(g, VT_I32, depth);
    put_with(&g->out, OP_BR_TABLE, arms);
    for (unsigned i = 0; i < arms; i++)
        put_u32(&g->out, below(g, arms + 1));
    put_u32(&g->out, arms);
    for (unsigned i = 0; i <= arms; i++) {
        put_op(&g->out, OP_END);
        if (i != arms) {
            statements(g, depth);
        }
    }
}

static void bulk(struct generator *g, unsigned depth)
{
    bool copy = below(g, 2) != 0;

    address(g, depth, false);
    if (copy)
        address(g, depth, false);
    else
        expression(g, VT_I32, depth);
    put_i32(&g->out, (int32_t)below(g, 300));
    put_op(&g->out, copy ? OP_MEMORY_COPY : OP_MEMORY_FILL);
    put_u32(&g->out, 0);
    if (copy)
        put_u32(&g->out, 0);
}

static void use_global(struct generator *g, unsigned depth)
{
    unsigned global = below(g, GLOBALS);

    if (below(g, 2) != 0) {
        expression(g, types[global], depth);
        put_with(&g->out, OP_GLOBAL_SET, 1 + global);
    } else {
        put_with(&g->out, OP_GLOBAL_GET, 1 + global);
        if (!get_local(g, types[global], OP_LOCAL_SET))
            put_op(&g->out, OP_DROP);
    }
}

static void set_local(struct generator *g, unsigned depth)
{
    uint8_t type = g->locals[below(g, g->local_count)];

    expression(g, type, depth);
    get_local(g, type, OP_LOCAL_SET);
}

/* The result of a read-modify-write that nobody wants is a form of its own. */
static void drop_result(struct generator *g, unsigned depth)
{
    unsigned op = OP_I32_ATOMIC_RMW_ADD + below(g, OP_I64_ATOMIC_RMW32_CMPXCHG_U - OP_I32_ATOMIC_RMW_ADD + 1);

    operation(g, op, depth);
    put_op(&g->out, OP_DROP);
}

static void statement(struct generator *g, unsigned depth)
{
    switch (below(g, 16)) {
    case 0:
        if (g->loops < COUNTERS) {
            loop(g, depth);
            break;
        } /* fallthrough */
    case 1: switch_over(g, depth); break;
    case 2: bulk(g, depth); break;
    case 3:
    case 4: use_global(g, depth); break;
    case 5: drop_result(g, depth); break;
    case 6:
        expression(g, VT_I32, depth);
        put_op(&g->out, OP_IF);
        buf_put_u8(&g->out, 0x40);
        statements(g, depth);
        put_op(&g->out, OP_END);
        break;
    case 7:
        if (below(g, 30) == 0) {
            put_i32(&g->out, (int32_t)below(g, 2));
            put_with(&g->out, OP_MEMORY_GROW, 0);
            put_op(&g->out, OP_DROP);
            break;
        } /* fallthrough */
    case 8:
    case 9:
    case 10: operation(g, choose_operation(g, TYPES), depth); break;
    default: set_local(g, depth);
    }
}

static void statements(struct generator *g, unsigned depth)
{
    for (unsigned count = depth == 0 ? 0 : below(g, 3); count != 0 && g->budget != 0; count--) {
        g->budget--;
        statement(g, depth - 1);
    }
}

/* --- functions and the module ------------------------------------------------------------------------------------- */

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
        s.params[i] = types[below(g, TYPES)];
    for (unsigned i = 0; i < s.result_count; i++)
        s.results[i] = types[below(g, TYPES)];
    return s;
}

/* Every call costs one; who finds nothing left returns zeros. */
static void put_fuel(struct generator *g, const struct shape *s)
{
    struct buf *b = &g->out;

    put_with(b, OP_GLOBAL_GET, 0);
    put_op(b, OP_I32_EQZ);
    put_op(b, OP_IF);
    buf_put_u8(b, 0x40);
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
    put_u32(b, LOCALS + 1 + TYPES);
    for (unsigned i = 0; i < LOCALS; i++) {
        g->locals[s->param_count + i] = types[below(g, TYPES)];
        put_u32(b, 1);
        buf_put_u8(b, g->locals[s->param_count + i]);
    }
    put_u32(b, COUNTERS);
    buf_put_u8(b, VT_I32);
    for (unsigned i = 0; i < TYPES; i++) {
        put_u32(b, 1);
        buf_put_u8(b, types[i]);
    }
    put_fuel(g, s);
    statements(g, 6);
    statements(g, 6);
    for (unsigned i = 0; i < s->result_count; i++)
        expression(g, s->results[i], 4);
    put_op(b, OP_END);
    put_body(section, b);
}

static void put_access(struct buf *b, uint8_t type, bool store)
{
    static const uint16_t ops[TYPES][2] = {{OP_I32_LOAD, OP_I32_STORE},
                                           {OP_I64_LOAD, OP_I64_STORE},
                                           {OP_F32_LOAD, OP_F32_STORE},
                                           {OP_F64_LOAD, OP_F64_STORE},
                                           {OP_V128_LOAD, OP_V128_STORE}};
    put_op(b, ops[type_index(type)][store]);
    put_u32(b, 0);
    put_u32(b, 0);
}

/* Loads the arguments, calls, stores the results: last first, as they lie on the stack. */
static void put_caller(struct generator *g, unsigned func, struct buf *section)
{
    const struct shape *s = &g->shapes[func];
    struct buf *b = &g->out;

    b->len = 0;
    put_u32(b, TYPES);
    for (unsigned i = 0; i < TYPES; i++) {
        put_u32(b, 1);
        buf_put_u8(b, types[i]);
    }
    put_i32(b, CALLS_MAX);
    put_with(b, OP_GLOBAL_SET, 0);
    for (unsigned i = 0; i < s->param_count; i++) {
        put_i32(b, (int32_t)(GENERATE_ARGS_AT + 16 * i));
        put_access(b, s->params[i], false);
    }
    put_with(b, OP_CALL, func);
    for (unsigned i = s->result_count; i-- != 0;) {
        put_with(b, OP_LOCAL_SET, type_index(s->results[i]));
        put_i32(b, (int32_t)(GENERATE_RESULTS_AT + 16 * i));
        put_with(b, OP_LOCAL_GET, type_index(s->results[i]));
        put_access(b, s->results[i], true);
    }
    put_op(b, OP_END);
    put_body(section, b);
}

static void put_types(struct generator *g, struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, 1 + GENERATE_FUNCTIONS);
    buf_put(&s, "\x60\0\0", 3);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++) {
        g->shapes[i] = random_shape(g);
        buf_put_u8(&s, 0x60);
        put_u32(&s, g->shapes[i].param_count);
        buf_put(&s, g->shapes[i].params, g->shapes[i].param_count);
        put_u32(&s, g->shapes[i].result_count);
        buf_put(&s, g->shapes[i].results, g->shapes[i].result_count);
    }
    put_section(out, 1, &s);
    put_u32(&s, 2 * GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, 1 + i);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, 0);
    put_section(out, 3, &s);
    buf_done(&s);
}

/* A table with all functions and a few nulls, a memory of one page, globals: the fuel, then one of each scalar type. */
static void put_spaces(struct generator *g, struct buf *out)
{
    struct buf s = {0};

    buf_put(&s, "\x01\x70\x00", 3);
    put_u32(&s, GENERATE_FUNCTIONS + 4);
    put_section(out, 4, &s);
    buf_put(&s, "\x01\x01\x01\x03", 4);
    put_section(out, 5, &s);
    put_u32(&s, 1 + GLOBALS);
    buf_put(&s, "\x7f\x01\x41\x00\x0b", 5);
    for (unsigned i = 0; i < GLOBALS; i++) {
        buf_put_u8(&s, types[i]);
        buf_put_u8(&s, 1);
        g->out.len = 0;
        put_const(g, types[i]);
        buf_put(&s, g->out.data, g->out.len);
        put_op(&s, OP_END);
    }
    put_section(out, 6, &s);
    buf_done(&s);
}

static void put_exports(struct buf *out)
{
    struct buf s = {0};

    put_u32(&s, 1 + GENERATE_FUNCTIONS);
    buf_put(&s, "\x06memory\x02\x00", 9);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "%u", i);
        put_u32(&s, (uint32_t)len);
        buf_put(&s, name, (size_t)len);
        buf_put_u8(&s, 0);
        put_u32(&s, GENERATE_FUNCTIONS + i);
    }
    put_section(out, 7, &s);
    buf_put(&s, "\x01\x00\x41\x00\x0b", 5);
    put_u32(&s, GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_u32(&s, i);
    put_section(out, 9, &s);
    buf_done(&s);
}

struct buf generate_module(uint64_t seed)
{
    struct generator g = {.state = seed};
    struct buf out = {0}, s = {0};

    collect_instructions();
    buf_put(&out, "\0asm\1\0\0\0", 8);
    put_types(&g, &out);
    put_spaces(&g, &out);
    put_exports(&out);
    put_u32(&s, 2 * GENERATE_FUNCTIONS);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_function(&g, i, &s);
    for (unsigned i = 0; i < GENERATE_FUNCTIONS; i++)
        put_caller(&g, i, &s);
    put_section(&out, 10, &s);
    buf_done(&s);
    buf_done(&g.out);
    return out;
}
