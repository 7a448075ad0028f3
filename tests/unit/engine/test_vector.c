/* Every vector instruction with its operands in other places than parameters.
 *
 * The specification's tests call each instruction on fresh parameters, so they see one pattern of registers. Here the
 * same operation is compiled in all patterns (result over the first, second or third operand, operands in one register,
 * in memory, in registers above the eighth) and every pattern must agree with the plain one, which the suite vouches
 * for; what the operands' locals hold afterwards must be what they held before. Memory forms run with both kinds of
 * bounds checks, at the last address that fits and the first that does not. */
#include "engine/opcodes.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "base/fd.h"
#include "wherry/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { VECTORS = 3, ROUNDS = 12, SHUFFLE_ROUNDS = 500, MEMORY_BYTES = 65536, OFFSET = 3 };

/* Parameters: the vectors, then one of each other type; locals: copies of the vectors, then fillers. */
enum { PARAM_I32 = VECTORS, PARAM_I64, PARAM_F32, PARAM_F64, PARAMS, COPIES = PARAMS, FILLERS = COPIES + VECTORS };

enum place { IN_PARAMETER, IN_LOCAL, IN_REGISTER, IN_SLOT, IN_CONSTANT };

struct pattern {
    enum place places[VECTORS]; /* of the operands; scalars: IN_PARAMETER or IN_CONSTANT */
    bool same;                  /* every vector operand is the first vector */
    int target;                 /* the result goes to this copy's local, or -1 */
    unsigned fillers;           /* locals that take up registers */
};

/* clang-format off: a table */
static const struct pattern patterns[] = {
    {{IN_PARAMETER, IN_PARAMETER, IN_PARAMETER}, false, -1, 0}, /* the plain one, first */
    {{IN_REGISTER, IN_LOCAL, IN_LOCAL}, false, -1, 0},
    {{IN_LOCAL, IN_REGISTER, IN_LOCAL}, false, -1, 0},
    {{IN_LOCAL, IN_LOCAL, IN_REGISTER}, false, -1, 0},
    {{IN_REGISTER, IN_REGISTER, IN_REGISTER}, false, -1, 3},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, 0, 0},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, 1, 0},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, 2, 0},
    {{IN_REGISTER, IN_LOCAL, IN_LOCAL}, false, 1, 0},
    {{IN_LOCAL, IN_REGISTER, IN_LOCAL}, false, 0, 0},
    {{IN_REGISTER, IN_REGISTER, IN_LOCAL}, false, 2, 0},
    {{IN_SLOT, IN_LOCAL, IN_LOCAL}, false, -1, 0},
    {{IN_LOCAL, IN_SLOT, IN_LOCAL}, false, 0, 0},
    {{IN_SLOT, IN_SLOT, IN_SLOT}, false, 1, 0},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, -1, 6},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, 1, 6},
    {{IN_REGISTER, IN_LOCAL, IN_LOCAL}, false, 0, 6},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, false, 0, 20},
    {{IN_REGISTER, IN_REGISTER, IN_LOCAL}, false, -1, 20},
    {{IN_LOCAL, IN_REGISTER, IN_SLOT}, false, 1, 20},
    {{IN_CONSTANT, IN_CONSTANT, IN_CONSTANT}, false, -1, 0},
    {{IN_LOCAL, IN_CONSTANT, IN_LOCAL}, false, 0, 0},
    {{IN_CONSTANT, IN_LOCAL, IN_CONSTANT}, false, 1, 6},
    {{IN_PARAMETER, IN_PARAMETER, IN_PARAMETER}, true, -1, 0}, /* the plain one with equal operands */
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, true, 0, 0},
    {{IN_LOCAL, IN_LOCAL, IN_LOCAL}, true, -1, 6},
    {{IN_REGISTER, IN_LOCAL, IN_LOCAL}, true, 0, 0},
};
/* clang-format on */

enum { PATTERNS = sizeof patterns / sizeof patterns[0], FIRST_SAME = 23 };

/* One instruction with its immediates, and the values that IN_CONSTANT stands for. */
struct instruction {
    enum opcode op;
    const struct signature *signature;
    uint8_t immediates[24];
    unsigned immediates_len;
    union vm_value values[PARAMS];
};

static bool touches_memory(enum opcode op)
{
    return opcode_infos[op].immediate == IMMEDIATE_MEMARG || opcode_infos[op].immediate == IMMEDIATE_MEMARG_LANE;
}

/* --- random values ----------------------------------------------------------------------------------------------- */
static uint64_t random_state = 1;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1d;
}

/* Any bits, or the limits of some lane type. One NaN only: which of two a result repeats is free. */
static uint32_t random_f32(void)
{
    static const uint32_t limits[] = {0,          0x80000000, 0x7f800000, 0xff800000, 0x7fc00000,
                                      0x4f000000, 0xcf000000, 0x4f800000, 0x3f000000, 1};
    uint32_t bits = (uint32_t)(random_bits() >> 32);

    if ((bits & 3) != 0)
        return limits[bits / 4 % 10];
    return (bits & 0x7f800000) == 0x7f800000 ? 0x7fc00000 : bits;
}

static uint64_t random_f64(void)
{
    static const uint64_t limits[] = {0,
                                      UINT64_C(1) << 63,
                                      0x7ff0000000000000,
                                      0xfff0000000000000,
                                      0x7ff8000000000000,
                                      0x41e0000000000000,
                                      0xc1e0000000000000,
                                      0x41f0000000000000,
                                      0x41dfffffffe00000,
                                      0x36a0000000000000};
    uint64_t bits = random_bits();

    if ((bits & 3) != 0)
        return limits[bits / 4 % 10];
    return (bits >> 52 & 0x7ff) == 0x7ff ? 0x7ff8000000000000 : bits;
}

static uint64_t random_integer(void)
{
    static const uint64_t limits[] = {0,
                                      UINT64_MAX,
                                      0x8080808080808080,
                                      0x7f7f7f7f7f7f7f7f,
                                      0x8000800080008000,
                                      0x7fff7fff7fff7fff,
                                      0x8000000080000000,
                                      0x7fffffff7fffffff,
                                      UINT64_C(1) << 63,
                                      INT64_MAX,
                                      0x0f101f2003040506};
    uint64_t bits = random_bits();
    return (bits & 1) != 0 ? bits : limits[bits / 2 % 11];
}

static void random_vector(enum opcode op, union vm_value *out)
{
    const char *name = opcode_name(op);
    bool wide = strncmp(name, "f64x2", 5) == 0 ? strstr(name, "f32x4") == NULL : strstr(name, "f64x2") != NULL;
    uint64_t halves[2];

    for (unsigned i = 0; i < 2; i++) {
        if (wide && strncmp(name, "f64x2.convert", 13) != 0)
            halves[i] = random_f64();
        else if (strstr(name, "f32x4") != NULL && strncmp(name, "f32x4.convert", 13) != 0)
            halves[i] = random_f32() | (uint64_t)random_f32() << 32;
        else
            halves[i] = random_integer();
    }
    if (strncmp(name, "f32x4.demote", 12) == 0)
        halves[0] = random_f64(), halves[1] = random_f64();
    memcpy(out->v128, halves, sizeof halves);
}

static void random_values(struct instruction *in)
{
    memset(in->values, 0, sizeof in->values);
    for (unsigned i = 0; i < VECTORS; i++)
        random_vector(in->op, &in->values[i]);
    in->values[PARAM_I32].i32 = (uint32_t)random_integer();
    in->values[PARAM_I64].i64 = random_integer();
    in->values[PARAM_F32].i32 = random_f32();
    in->values[PARAM_F64].i64 = random_f64();
}

/* --- the module -------------------------------------------------------------------------------------------------- */
static void put_unsigned(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)v);
}

static void put_signed(struct buf *b, int64_t v)
{
    for (; v < -64 || v > 63; v >>= 7)
        buf_put_u8(b, (uint8_t)((v & 0x7f) | 0x80));
    buf_put_u8(b, v & 0x7f);
}

static void put_vector_op(struct buf *b, enum opcode op)
{
    buf_put_u8(b, 0xfd);
    put_unsigned(b, op - OPCODE_SPACE_VECTOR);
}

static void put_local(struct buf *b, enum opcode op, uint32_t local)
{
    buf_put_u8(b, (uint8_t)op);
    put_unsigned(b, local);
}

/* Puts the length and content of PART behind what is there, and frees it. */
static void put_sized(struct buf *b, struct buf *part)
{
    put_unsigned(b, part->len);
    buf_put(b, part->data, part->len);
    buf_done(part);
}

static void put_section(struct buf *b, uint8_t id, struct buf *content)
{
    buf_put_u8(b, id);
    put_sized(b, content);
}

static void put_constant(struct buf *b, uint8_t type, const union vm_value *v)
{
    switch (type) {
    case VT_I32:
        buf_put_u8(b, OP_I32_CONST);
        put_signed(b, (int32_t)v->i32);
        break;
    case VT_I64:
        buf_put_u8(b, OP_I64_CONST);
        put_signed(b, (int64_t)v->i64);
        break;
    case VT_F32:
        buf_put_u8(b, OP_F32_CONST);
        buf_put(b, v, 4);
        break;
    case VT_F64:
        buf_put_u8(b, OP_F64_CONST);
        buf_put(b, v, 8);
        break;
    default: put_vector_op(b, OP_V128_CONST); buf_put(b, v, 16);
    }
}

static unsigned scalar_param(uint8_t type)
{
    return type == VT_I64 ? PARAM_I64 : type == VT_F32 ? PARAM_F32 : type == VT_F64 ? PARAM_F64 : PARAM_I32;
}

static void put_operand(struct buf *b, const struct instruction *in, const struct pattern *p, unsigned index,
                        unsigned vector)
{
    uint8_t type = in->signature->params[index] == SIGNATURE_ADDRESS ? VT_I32 : in->signature->params[index];
    enum place place = p->places[index];

    if (type != VT_V128) {
        if (place == IN_CONSTANT)
            put_constant(b, type, &in->values[scalar_param(type)]);
        else
            put_local(b, OP_LOCAL_GET, scalar_param(type));
        return;
    }
    if (p->same)
        vector = 0;
    if (place == IN_CONSTANT) {
        put_constant(b, VT_V128, &in->values[vector]);
        return;
    }
    put_local(b, OP_LOCAL_GET, place == IN_PARAMETER ? vector : COPIES + vector);
    if (place == IN_REGISTER || place == IN_SLOT) {
        put_vector_op(b, OP_V128_NOT);
        put_vector_op(b, OP_V128_NOT);
    }
    if (place == IN_SLOT) /* what a call leaves behind is in memory */
        put_local(b, OP_CALL, 0);
}

/* Gives the result, the copies and the fillers, these combined by exclusive or. */
static void put_body(struct buf *code, const struct instruction *in, const struct pattern *p)
{
    struct buf b = {0};
    unsigned vector = 0;

    buf_put_u8(&b, 1);
    put_unsigned(&b, VECTORS + p->fillers);
    buf_put_u8(&b, VT_V128);
    for (unsigned i = 0; i < p->fillers; i++) {
        put_local(&b, OP_LOCAL_GET, i % VECTORS);
        put_local(&b, OP_LOCAL_SET, FILLERS + i);
    }
    for (unsigned i = 0; i < VECTORS; i++) {
        put_local(&b, OP_LOCAL_GET, i);
        put_local(&b, OP_LOCAL_SET, COPIES + i);
    }
    for (unsigned i = 0; i < in->signature->param_count; i++)
        put_operand(&b, in, p, i, in->signature->params[i] == VT_V128 ? vector++ : 0);
    put_vector_op(&b, in->op);
    buf_put(&b, in->immediates, in->immediates_len);
    if (in->signature->result_count != 0 && in->signature->results[0] == VT_V128 && p->target >= 0) {
        put_local(&b, OP_LOCAL_SET, COPIES + (unsigned)p->target);
        put_local(&b, OP_LOCAL_GET, COPIES + (unsigned)p->target);
    }
    for (unsigned i = 0; i < VECTORS; i++)
        put_local(&b, OP_LOCAL_GET, COPIES + i);
    put_constant(&b, VT_V128, &(union vm_value){.v128 = {0}});
    for (unsigned i = 0; i < p->fillers; i++) {
        put_local(&b, OP_LOCAL_GET, FILLERS + i);
        put_vector_op(&b, OP_V128_XOR);
    }
    buf_put_u8(&b, OP_END);
    put_sized(code, &b);
}

static void put_types(struct buf *b, const struct instruction *in)
{
    static const uint8_t params[PARAMS] = {VT_V128, VT_V128, VT_V128, VT_I32, VT_I64, VT_F32, VT_F64};

    put_unsigned(b, 2);
    buf_put(b, "\x60\0\0\x60", 4);
    buf_put_u8(b, PARAMS);
    buf_put(b, params, PARAMS);
    put_unsigned(b, in->signature->result_count + VECTORS + 1u);
    buf_put(b, in->signature->results, in->signature->result_count);
    for (unsigned i = 0; i < VECTORS + 1; i++)
        buf_put_u8(b, VT_V128);
}

/* Function 0 does nothing; function 1 + i is pattern i, exported under one letter. */
static void put_module(struct buf *b, const struct instruction *in)
{
    struct buf types = {0}, funcs = {0}, memories = {0}, exports = {0}, code = {0};

    buf_put(b, "\0asm\1\0\0\0", 8);
    put_types(&types, in);
    put_section(b, 1, &types);
    put_unsigned(&funcs, PATTERNS + 1);
    buf_put_u8(&funcs, 0);
    for (unsigned i = 0; i < PATTERNS; i++)
        buf_put_u8(&funcs, 1);
    put_section(b, 3, &funcs);
    buf_put(&memories, "\1\1\1\1", 4); /* one page at the least and at most */
    put_section(b, 5, &memories);
    put_unsigned(&exports, PATTERNS);
    for (unsigned i = 0; i < PATTERNS; i++)
        buf_put(&exports, (const uint8_t[]){1, (uint8_t)('A' + i), EXTERNAL_FUNC, (uint8_t)(i + 1)}, 4);
    put_section(b, 7, &exports);
    put_unsigned(&code, PATTERNS + 1);
    buf_put(&code, "\2\0\x0b", 3);
    for (unsigned i = 0; i < PATTERNS; i++)
        put_body(&code, in, &patterns[i]);
    put_section(b, 10, &code);
}

/* --- running it -------------------------------------------------------------------------------------------------- */
struct run {
    struct store *store;
    struct code *code;
    struct instance *instance;
    int fd;
};

static void start(struct run *r, const struct instruction *in, bool explicit_checks)
{
    static const uint8_t key[32];
    struct engine_options options = {.features = ENGINE_FEATURE_SIMD | ENGINE_FEATURE_RELAXED_SIMD,
                                     .explicit_bounds_checks = explicit_checks};
    struct artifact_identity identity = {0};
    struct buf module = {0}, artifact = {0};
    struct err err = {0};

    put_module(&module, in);
    if (engine_compile(module.data, module.len, key, &options, &artifact, &err) != 0)
        fail_msg("%s: %s", opcode_name(in->op), err.text);
    r->fd = memfd_create("artifact", MFD_CLOEXEC);
    assert_int_equal(fd_write_all(r->fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&r->store, 0, &err), 0);
    assert_int_equal(code_map(r->fd, &identity, &r->code, &err), 0);
    if (instance_new(r->store, r->code, r->fd, NULL, &r->instance, &err) != 0)
        fail_msg("%s", err.text);
    buf_done(&module);
    buf_done(&artifact);
}

static void stop(struct run *r)
{
    store_free(r->store);
    code_unmap(r->code);
    close(r->fd);
}

static enum trap_kind call(const struct run *r, unsigned pattern, const struct instruction *in, union vm_value *values)
{
    char letter = (char)('A' + pattern);
    struct external func;

    assert_true(instance_export(r->instance, (struct name){&letter, 1}, &func));
    memcpy(values, in->values, sizeof in->values);
    return call_func(r->store, func.func, values);
}

static void fill_memory(const struct run *r)
{
    for (unsigned i = 0; i < MEMORY_BYTES; i++)
        r->instance->vm.memory0_base[i] = (uint8_t)(i * 7 + (i >> 8));
}

/* Bytes of the result that count: an i32's register has an upper half. */
static size_t result_bytes(const struct instruction *in)
{
    return valtype_size_bytes(in->signature->results[0]);
}

static void expect_locals(const struct instruction *in, const struct pattern *p, const union vm_value *results,
                          unsigned index)
{
    bool has_result = in->signature->result_count != 0;
    const union vm_value *copies = results + has_result;
    union vm_value folded = {.v128 = {0}}; /* {0} would be its first member alone */

    for (unsigned i = 0; i < VECTORS; i++) {
        bool is_target = has_result && in->signature->results[0] == VT_V128 && p->target == (int)i;
        if (memcmp(copies[i].v128, is_target ? results[0].v128 : in->values[i].v128, 16) != 0)
            fail_msg("%s, pattern %u: local %u is not what it was", opcode_name(in->op), index, i);
    }
    for (unsigned i = 0; i < p->fillers; i++)
        for (unsigned k = 0; k < 16; k++)
            folded.v128[k] ^= in->values[i % VECTORS].v128[k];
    if (memcmp(copies[VECTORS].v128, folded.v128, 16) != 0)
        fail_msg("%s, pattern %u: another local has changed", opcode_name(in->op), index);
}

/* All patterns could trap alike and wrongly. */
static enum trap_kind expected_trap(const struct instruction *in)
{
    uint64_t end = (uint64_t)in->values[PARAM_I32].i32 + OFFSET + (1u << opcode_infos[in->op].width_log2);
    return touches_memory(in->op) && end > MEMORY_BYTES ? TRAP_MEMORY_OUT_OF_BOUNDS : TRAP_NONE;
}

/* Which shapes are worth an instruction is the compiler's choice, so shuffles have an answer of their own. */
static void expect_shuffle(const struct instruction *in, const union vm_value *result, unsigned second)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned lane = in->immediates[i];
        if (result->v128[i] != in->values[lane < 16 ? 0 : second].v128[lane % 16])
            fail_msg("i8x16.shuffle: wrong in lane %u (%u)", i, lane);
    }
}

static void compare_patterns(const struct run *r, const struct instruction *in)
{
    union vm_value plain[PARAMS], results[PARAMS];
    static uint8_t plain_memory[MEMORY_BYTES];
    bool has_memory = touches_memory(in->op);
    enum trap_kind trap = expected_trap(in);

    for (unsigned i = 0; i < PATTERNS; i++) {
        if (has_memory)
            fill_memory(r);
        if (call(r, i, in, results) != trap)
            fail_msg("%s, pattern %u: traps where it should not, or the other way round", opcode_name(in->op), i);
        if (i == 0 || i == FIRST_SAME) {
            memcpy(plain, results, sizeof plain);
            if (in->op == OP_I8X16_SHUFFLE)
                expect_shuffle(in, &plain[0], i == 0);
            if (has_memory)
                memcpy(plain_memory, r->instance->vm.memory0_base, MEMORY_BYTES);
        }
        if (has_memory && memcmp(plain_memory, r->instance->vm.memory0_base, MEMORY_BYTES) != 0)
            fail_msg("%s, pattern %u: another memory", opcode_name(in->op), i);
        if (trap != TRAP_NONE)
            continue;
        if (in->signature->result_count != 0 && memcmp(&plain[0], &results[0], result_bytes(in)) != 0)
            fail_msg("%s, pattern %u: another result", opcode_name(in->op), i);
        expect_locals(in, &patterns[i], results, i);
    }
}

/* --- the instructions -------------------------------------------------------------------------------------------- */
/* Any lanes, or a regular shape that may have an instruction of its own. */
static void random_lanes(uint8_t lanes[16])
{
    uint64_t bits = random_bits();
    unsigned shape = bits % 6, unit = 1u << (bits >> 8) % 4, vectors = (bits >> 16) % 2 + 1, first = (bits >> 24) % 32;

    for (unsigned i = 0; i < 16; i++) {
        unsigned step = i / unit, lane;
        if (i % unit == 0)
            bits = random_bits() >> 32;
        switch (shape) {
        case 0: lane = (unsigned)bits; break;
        case 1: lane = first + i; break;
        case 2: lane = (bits & 1) * 16 + i; break;
        case 3: lane = (first & 1) * 8 + step / 2 * unit + i % unit + step % 2 * 16; break;
        case 4: lane = (bits & 15) / unit * unit + i % unit + i / 8 * 16; break;
        default: lane = (unsigned)(bits & 31) / unit * unit + i % unit;
        }
        lanes[i] = (uint8_t)((lane ^ (shape == 3 && (first & 2) != 0 ? 16 : 0)) % (16 * vectors));
    }
}

static void random_immediates(struct instruction *in)
{
    const struct opcode_info *info = &opcode_infos[in->op];
    unsigned lanes = 16u >> info->width_log2;

    in->immediates_len = 0;
    if (info->immediate == IMMEDIATE_MEMARG || info->immediate == IMMEDIATE_MEMARG_LANE) {
        in->immediates[in->immediates_len++] = 0;
        in->immediates[in->immediates_len++] = OFFSET;
    }
    if (info->immediate == IMMEDIATE_LANE || info->immediate == IMMEDIATE_MEMARG_LANE)
        in->immediates[in->immediates_len++] = (uint8_t)(random_bits() % lanes);
    if (info->immediate == IMMEDIATE_SHUFFLE)
        random_lanes(in->immediates);
    else if (info->immediate == IMMEDIATE_V128)
        memcpy(in->immediates, (const uint64_t[]){random_bits(), random_bits()}, 16);
    if (info->immediate == IMMEDIATE_SHUFFLE || info->immediate == IMMEDIATE_V128)
        in->immediates_len = 16;
}

/* The last address that fits, the first that does not, or any. */
static uint32_t random_address(enum opcode op)
{
    uint32_t last = MEMORY_BYTES - OFFSET - (1u << opcode_infos[op].width_log2);
    uint64_t bits = random_bits();
    return (bits & 3) == 0   ? last
           : (bits & 3) == 1 ? last + 1
           : (bits & 3) == 2 ? (uint32_t)(bits >> 8)
                             : (uint32_t)(bits >> 8) % last;
}

static void check_instruction(enum opcode op, bool explicit_checks)
{
    struct instruction in = {.op = op, .signature = &signatures[opcode_infos[op].signature]};
    struct run r;

    for (unsigned round = 0; round < (op == OP_I8X16_SHUFFLE ? SHUFFLE_ROUNDS : ROUNDS); round++) {
        random_immediates(&in);
        random_values(&in);
        if (touches_memory(op))
            in.values[PARAM_I32].i32 = random_address(op);
        start(&r, &in, explicit_checks);
        compare_patterns(&r, &in);
        stop(&r);
    }
}

static void check_all(bool memory, bool explicit_checks)
{
    unsigned count = 0;

    for (unsigned op = OPCODE_SPACE_VECTOR; op < OPCODE_SPACE_ATOMIC; op++) {
        if (opcode_infos[op].immediate == IMMEDIATE_ILLEGAL || touches_memory(op) != memory)
            continue;
        check_instruction(op, explicit_checks);
        count++;
    }
    assert_int_equal(count, memory ? 22 : 234);
}

static void arithmetic_in_all_patterns(void **state)
{
    check_all(false, false);
}

static void memory_with_guard_regions(void **state)
{
    check_all(true, false);
}

static void memory_with_explicit_checks(void **state)
{
    check_all(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arithmetic_in_all_patterns),
                                       cmocka_unit_test(memory_with_guard_regions),
                                       cmocka_unit_test(memory_with_explicit_checks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
