/* Expressions and statements. They are made as trees, from the root down: an expression of a type is an instruction with that
 * result, then its operands; so validity needs no check. Which instructions there are is read from the engine's own table. */
#include "base/vec.h"
#include "engine/body.h"
#include "engine/feature.h"
#include "tests/fuzz/generator.h"

const uint8_t value_types[TYPES] = {VT_I32, VT_I64, VT_F32, VT_F64, VT_V128, VT_ANY};

static VEC(uint16_t) by_result[TYPES + 1]; /* instructions by their result; the last: none */

unsigned type_index(uint8_t type)
{
    unsigned i = 0;
    while (value_types[i] != type)
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

void generate_prepare(void)
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

void put_u32(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)v);
}

void put_signed(struct buf *b, int64_t v)
{
    for (; v < -64 || v > 63; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)(v & 0x7f));
}

void put_op(struct buf *b, unsigned op)
{
    static const struct {
        unsigned start;
        uint8_t prefix;
    } spaces[] = {
        {OPCODE_SPACE_ATOMIC, 0xfe}, {OPCODE_SPACE_VECTOR, 0xfd}, {OPCODE_SPACE_MISC, 0xfc}, {OPCODE_SPACE_GC, 0xfb}};

    for (unsigned i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        if (op < spaces[i].start)
            continue;
        buf_put_u8(b, spaces[i].prefix);
        put_u32(b, op - spaces[i].start);
        return;
    }
    buf_put_u8(b, (uint8_t)op);
}

void put_with(struct buf *b, unsigned op, uint32_t immediate)
{
    put_op(b, op);
    put_u32(b, immediate);
}

void put_i32(struct buf *b, int32_t v)
{
    put_op(b, OP_I32_CONST);
    put_signed(b, v);
}

void put_address(struct buf *b, bool is64, uint32_t v)
{
    put_op(b, is64 ? OP_I64_CONST : OP_I32_CONST);
    put_signed(b, is64 ? (int64_t)v : (int32_t)v);
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

void put_const(struct generator *g, uint8_t type)
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
    case VT_ANY:
        if (below(g, 2) == 0) {
            put_op(b, OP_REF_NULL);
            buf_put_u8(b, 0x71); /* none */
        } else {
            put_i32(b, (int32_t)bits);
            put_op(b, OP_REF_I31);
        }
        break;
    default:
        put_op(b, OP_V128_CONST);
        buf_put_u64(b, bits);
        buf_put_u64(b, more);
    }
}

uint32_t scratch(const struct generator *g, uint8_t type)
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

/* Mostly inside the memory, and aligned where that is asked for. */
static void address(struct generator *g, unsigned memory, unsigned depth, bool aligned)
{
    bool is64 = g->memory_is64[memory];

    expression(g, is64 ? VT_I64 : VT_I32, depth);
    if (below(g, 200) != 0) {
        put_address(&g->out, is64, aligned || below(g, 2) != 0 ? 0x7ff8 : 0x7fff);
        put_op(&g->out, is64 ? OP_I64_AND : OP_I32_AND);
    }
}

static void put_memarg(struct generator *g, const struct opcode_info *info, unsigned memory)
{
    bool atomic = info->feature == ENGINE_FEATURE_THREADS;
    uint32_t offset = below(g, 4) != 0 ? 0 : below(g, 500) != 0 ? below(g, 4096) : (uint32_t)generate_random(&g->state);

    put_u32(&g->out, (atomic ? info->width_log2 : below(g, info->width_log2 + 1u)) | (memory != 0 ? 0x40 : 0));
    if (memory != 0)
        put_u32(&g->out, memory);
    put_u32(&g->out, atomic && below(g, 200) != 0 ? offset & ~7u : offset);
}

static void put_immediate(struct generator *g, unsigned op, unsigned memory)
{
    const struct opcode_info *info = &opcode_infos[op];
    unsigned lanes = 16u >> info->width_log2;

    switch (info->immediate) {
    case IMMEDIATE_MEMARG: put_memarg(g, info, memory); break;
    case IMMEDIATE_MEMARG_LANE:
        put_memarg(g, info, memory);
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
    unsigned memory = below(g, g->memory_count);

    if (info->immediate == IMMEDIATE_I32 || info->immediate == IMMEDIATE_I64 || info->immediate == IMMEDIATE_F32 ||
        info->immediate == IMMEDIATE_F64 || info->immediate == IMMEDIATE_V128) {
        put_const(g, s->results[0]);
        return;
    }
    for (unsigned i = 0; i < s->param_count; i++) {
        if (s->params[i] == SIGNATURE_ADDRESS)
            address(g, memory, depth, info->feature == ENGINE_FEATURE_THREADS);
        else
            expression(g, s->params[i], depth);
    }
    put_op(&g->out, op);
    put_immediate(g, op, memory);
    if (s->result_count != 0)
        make_canonical(g, op, s->results[0]);
}

bool get_local(struct generator *g, uint8_t type, unsigned op)
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

void arguments(struct generator *g, const struct shape *s, unsigned depth)
{
    for (unsigned i = 0; i < s->param_count; i++)
        expression(g, s->params[i], depth);
}

void put_call(struct generator *g, unsigned func, bool tail)
{
    unsigned way = below(g, 6);

    if (way == 0 && has(g, GENERATE_GC)) {
        put_with(&g->out, OP_REF_FUNC, func);
        put_with(&g->out, tail ? OP_RETURN_CALL_REF : OP_CALL_REF, 1 + func);
    } else if (way < 3) { /* through the table, mostly to that one */
        if (below(g, 16) != 0)
            put_address(&g->out, g->table_is64, func);
        else
            expression(g, g->table_is64 ? VT_I64 : VT_I32, 0);
        put_with(&g->out, tail ? OP_RETURN_CALL_INDIRECT : OP_CALL_INDIRECT, 1 + func);
        put_u32(&g->out, 0);
    } else {
        put_with(&g->out, tail ? OP_RETURN_CALL : OP_CALL, func);
    }
}

/* A function behind this one whose only result has the type. */
static bool call(struct generator *g, uint8_t type, unsigned depth)
{
    for (unsigned tries = 0; tries < 4 && g->func + 1 < GENERATE_FUNCTIONS; tries++) {
        unsigned func = g->func + 1 + below(g, GENERATE_FUNCTIONS - g->func - 1);
        const struct shape *s = &g->shapes[func];
        if (s->result_count != 1 || s->results[0] != type)
            continue;
        arguments(g, s, depth);
        put_call(g, func, false);
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

/* Something that only modules of some features have. */
static bool special_value(struct generator *g, uint8_t type, unsigned depth)
{
    if (has(g, GENERATE_EXCEPTIONS | GENERATE_LEGACY_EXCEPTIONS) && below(g, 3) == 0) {
        try_value(g, type, depth);
        return true;
    }
    if (!has(g, GENERATE_GC) || type == VT_ANY)
        return false;
    object_value(g, type, depth);
    return true;
}

void expression(struct generator *g, uint8_t type, unsigned depth)
{
    unsigned choice = below(g, 22);

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
    } else if (choice < 9 && special_value(g, type, depth - 1)) {
        return;
    } else if (type == VT_ANY) {
        reference(g, depth - 1);
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
    buf_put_u8(&g->out, NO_RESULT);
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
        buf_put_u8(&g->out, NO_RESULT);
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

static void put_size(struct generator *g, bool is64, unsigned depth)
{
    if (below(g, 16) == 0)
        expression(g, is64 ? VT_I64 : VT_I32, depth);
    else
        put_address(&g->out, is64, below(g, 300));
}

static void copy_memory(struct generator *g, unsigned to, unsigned from, unsigned depth)
{
    address(g, to, depth, false);
    address(g, from, depth, false);
    put_size(g, g->memory_is64[to] && g->memory_is64[from], depth);
    put_with(&g->out, OP_MEMORY_COPY, to);
    put_u32(&g->out, from);
}

static void bulk(struct generator *g, unsigned depth)
{
    unsigned memory = below(g, g->memory_count), segment = below(g, 2);

    switch (below(g, 8)) {
    case 0:
    case 1:
    case 2: copy_memory(g, memory, below(g, g->memory_count), depth); break;
    case 3:
        address(g, memory, depth, false);
        put_i32(&g->out, (int32_t)below(g, SEGMENT_BYTES / 2));
        put_i32(&g->out, (int32_t)below(g, SEGMENT_BYTES / 2 + 1));
        put_with(&g->out, OP_MEMORY_INIT, segment);
        put_u32(&g->out, memory);
        break;
    case 4:
        if (below(g, 50) == 0) {
            put_with(&g->out, OP_DATA_DROP, segment);
            break;
        } /* fallthrough */
    default:
        address(g, memory, depth, false);
        expression(g, VT_I32, depth);
        put_size(g, g->memory_is64[memory], depth);
        put_with(&g->out, OP_MEMORY_FILL, memory);
    }
}

static void grow_memory(struct generator *g)
{
    unsigned memory = below(g, g->memory_count);

    put_address(&g->out, g->memory_is64[memory], below(g, 2));
    put_with(&g->out, OP_MEMORY_GROW, memory);
    put_op(&g->out, OP_DROP);
}

static void use_global(struct generator *g, unsigned depth)
{
    unsigned global = below(g, g->type_count);

    if (below(g, 2) != 0) {
        expression(g, value_types[global], depth);
        put_with(&g->out, OP_GLOBAL_SET, GLOBAL_FIRST + global);
    } else {
        put_with(&g->out, OP_GLOBAL_GET, GLOBAL_FIRST + global);
        if (!get_local(g, value_types[global], OP_LOCAL_SET))
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

static bool special_statement(struct generator *g, unsigned depth)
{
    switch (below(g, 4)) {
    case 0:
        if (!has(g, GENERATE_EXCEPTIONS | GENERATE_LEGACY_EXCEPTIONS))
            return false;
        throw_statement(g, depth);
        return true;
    case 1: return has(g, GENERATE_TAIL_CALL) && tail_call_statement(g, depth);
    case 2:
        if (!has(g, GENERATE_GC))
            return false;
        object_statement(g, depth);
        return true;
    default: table_statement(g, depth); return true;
    }
}

static void statement(struct generator *g, unsigned depth)
{
    switch (below(g, 19)) {
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
        buf_put_u8(&g->out, NO_RESULT);
        statements(g, depth);
        put_op(&g->out, OP_END);
        break;
    case 7:
        if (below(g, 30) == 0) {
            grow_memory(g);
            break;
        } /* fallthrough */
    case 8:
    case 9:
    case 10: operation(g, choose_operation(g, TYPES), depth); break;
    case 18:
        if (g->loops < COUNTERS && !g->memory_is64[0]) {
            array_loop(g);
            break;
        } /* fallthrough */
    case 11:
    case 12:
        if (special_statement(g, depth))
            break; /* fallthrough */
    default: set_local(g, depth);
    }
}

void statements(struct generator *g, unsigned depth)
{
    for (unsigned count = depth == 0 ? 0 : below(g, 3); count != 0 && g->budget != 0; count--) {
        g->budget--;
        statement(g, depth - 1);
    }
}
