/* Both compilers against an evaluator of its own: random functions, made as trees, run both ways and compared by
 * result and memory. The trees are shaped to move values around: many locals of all types, blocks inside
 * expressions, loops in loops, branches out of everything, calls in between, exceptions in both forms through all of
 * it. SEEDS=n runs more of them, SEED=n only that one. */
#include "engine/body.h"
#include "engine/feature.h"
#include "engine/gen/code.h"
#include "engine/gen/target.h"
#include "engine/opcodes.h"
#include "engine/opt/pass.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum { LOCALS_MAX = 48, FUNCTIONS = 16, MEMORY_BYTES = 256, DEPTH_MAX = 5, FUEL = 200000 };

enum kind {
    /* expressions */
    CONST,
    GET,
    TEE,
    BINARY,
    UNARY,
    SELECT,
    LOAD,
    BLOCK_VALUE,
    IF_VALUE,
    TRY_VALUE,
    CALL,
    /* statements */
    SET,
    STORE,
    IF,
    BLOCK,
    LOOP,
    BRANCH_IF,
    SWITCH,
    THROW,
    TRY,
    DELEGATE,
};

/* Tags: 0 has an i32, 1 an i64 and an f64, 2 nothing. */
enum { TAG_COUNT = 3, CATCH_ANY = TAG_COUNT, VT_EXNREF = 0x69 };

/* Types behind those of the functions. */
enum {
    TYPE_TAG_0 = FUNCTIONS,
    TYPE_TAG_1,
    TYPE_TAG_2,
    TYPE_0_REF, /* what catch_ref and catch_all_ref give, as results and as parameters */
    TYPE_1_REF,
    TYPE_2_REF,
    TYPE_TAKE_0_REF,
    TYPE_TAKE_1_REF,
    TYPE_TAKE_2_REF,
    TYPE_GIVE_1, /* i64 f64 */
    TYPE_COUNT
};

struct node {
    enum kind kind;
    uint8_t type, op; /* op of exceptions: the tag, or CATCH_ANY */
    uint32_t local;   /* or function */
    uint64_t bits;    /* CONST */
    uint32_t label;   /* BRANCH_IF: number of enclosing labels to leave out; DELEGATE: the same, plus one */
    struct node *a, *b, *c;
    bool legacy, reference;               /* TRY, TRY_VALUE: which form */
    bool two;                             /* TRY: an earlier clause catches tag 2 and does nothing about it */
    struct node *body, *otherwise, *next; /* statements */
    struct node *args[12];
};

struct function {
    uint32_t param_count, local_count;
    uint8_t types[LOCALS_MAX];
    bool reserved[LOCALS_MAX]; /* a loop's counter */
    struct node *body;
};

struct program {
    struct arena arena;
    struct function functions[FUNCTIONS];
    uint64_t random;
    uint32_t current; /* function being made */
    uint32_t labels;  /* around what is being made, numbered from outside */
    bool target[64];  /* a label that a branch without a value may go to, and that is no loop's own */
    int budget;
};

static uint32_t pick(struct program *p, uint32_t below)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 20) % below;
}

static uint8_t pick_type(struct program *p)
{
    static const uint8_t types[] = {VT_I32, VT_I32, VT_I64, VT_F64};
    return types[pick(p, 4)];
}

/* --- making trees ------------------------------------------------------------------------------------------------- */
static struct node *statements(struct program *p, unsigned depth);

static void open_label(struct program *p, bool target)
{
    assert_true(p->labels < 64);
    p->target[p->labels++] = target;
}

static struct node *make(struct program *p, enum kind kind, uint8_t type)
{
    struct node *n = arena_new(&p->arena, struct node);
    n->kind = kind;
    n->type = type;
    p->budget--;
    return n;
}

static uint32_t pick_local(struct program *p, uint8_t type, bool write)
{
    const struct function *f = &p->functions[p->current];
    for (unsigned tries = 0; tries < 20; tries++) {
        uint32_t i = pick(p, f->local_count);
        if (f->types[i] == type && !(write && f->reserved[i]))
            return i;
    }
    return type == VT_I32 ? 0 : type == VT_I64 ? 1 : 2; /* parameters 0 to 2 have these types */
}

static struct node *constant(struct program *p, uint8_t type)
{
    static const int64_t ints[] = {0,   1,   -1,  2,     7,         31,        32,        63,       127,
                                   128, 255, 256, 65535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    struct node *n = make(p, CONST, type);
    union {
        double d;
        uint64_t bits;
    } f = {.d = (double)(int32_t)pick(p, 1000) - 500};

    n->bits = type == VT_F64 ? f.bits : pick(p, 2) != 0 ? (uint64_t)ints[pick(p, 17)] : p->random >> pick(p, 60);
    if (type == VT_I32)
        n->bits = (uint32_t)n->bits;
    return n;
}

static struct node *expression(struct program *p, uint8_t type, unsigned depth);

static struct node *binary(struct program *p, uint8_t type, unsigned depth)
{
    static const uint8_t i32[] = {OP_I32_ADD,   OP_I32_SUB,   OP_I32_MUL,   OP_I32_AND,  OP_I32_OR,   OP_I32_XOR,
                                  OP_I32_SHL,   OP_I32_SHR_S, OP_I32_SHR_U, OP_I32_ROTL, OP_I32_ROTR, OP_I32_DIV_U,
                                  OP_I32_REM_U, OP_I32_REM_S, OP_I32_EQ,    OP_I32_LT_S, OP_I32_LT_U, OP_I32_GE_S,
                                  OP_I64_LT_S,  OP_I64_GT_U,  OP_I64_NE,    OP_F64_LT,   OP_F64_EQ,   OP_F64_GE};
    static const uint8_t i64[] = {OP_I64_ADD,  OP_I64_SUB,   OP_I64_MUL,   OP_I64_AND,   OP_I64_OR,
                                  OP_I64_XOR,  OP_I64_SHL,   OP_I64_SHR_S, OP_I64_SHR_U, OP_I64_ROTL,
                                  OP_I64_ROTR, OP_I64_DIV_U, OP_I64_REM_U, OP_I64_REM_S};
    static const uint8_t f64[] = {OP_F64_ADD, OP_F64_SUB, OP_F64_MUL, OP_F64_MIN, OP_F64_MAX};
    struct node *n = make(p, BINARY, type);
    uint8_t operands = type;

    n->op = type == VT_I32   ? i32[pick(p, sizeof i32)]
            : type == VT_I64 ? i64[pick(p, sizeof i64)]
                             : f64[pick(p, sizeof f64)];
    if (n->op >= OP_I64_EQZ && n->op <= OP_I64_GE_U)
        operands = VT_I64;
    else if (n->op >= OP_F64_EQ && n->op <= OP_F64_GE)
        operands = VT_F64;
    n->a = expression(p, operands, depth + 1);
    n->b = expression(p, operands, depth + 1);
    return n;
}

static struct node *unary(struct program *p, uint8_t type, unsigned depth)
{
    static const struct {
        uint8_t op, from, to;
    } ops[] = {{OP_I32_CLZ, VT_I32, VT_I32},           {OP_I32_CTZ, VT_I32, VT_I32},
               {OP_I32_EQZ, VT_I32, VT_I32},           {OP_I32_EXTEND8_S, VT_I32, VT_I32},
               {OP_I32_WRAP_I64, VT_I64, VT_I32},      {OP_I64_EQZ, VT_I64, VT_I32},
               {OP_I64_EXTEND_I32_S, VT_I32, VT_I64},  {OP_I64_EXTEND_I32_U, VT_I32, VT_I64},
               {OP_I64_POPCNT, VT_I64, VT_I64},        {OP_I64_REINTERPRET_F64, VT_F64, VT_I64},
               {OP_F64_CONVERT_I32_S, VT_I32, VT_F64}, {OP_F64_CONVERT_I64_S, VT_I64, VT_F64},
               {OP_F64_CONVERT_I64_U, VT_I64, VT_F64}, {OP_F64_FLOOR, VT_F64, VT_F64},
               {OP_F64_NEAREST, VT_F64, VT_F64}};
    struct node *n = make(p, UNARY, type);
    uint32_t i;

    do
        i = pick(p, sizeof ops / sizeof ops[0]);
    while (ops[i].to != type);
    n->op = ops[i].op;
    n->a = expression(p, ops[i].from, depth + 1);
    return n;
}

static struct node *call(struct program *p, unsigned depth)
{
    struct node *n = make(p, CALL, VT_I64);
    const struct function *callee;

    n->local = pick(p, p->current); /* only earlier functions: no recursion */
    callee = &p->functions[n->local];
    for (uint32_t i = 0; i < callee->param_count; i++)
        n->args[i] = expression(p, callee->types[i], depth + 2);
    return n;
}

static struct node *expression(struct program *p, uint8_t type, unsigned depth)
{
    struct node *n;
    uint32_t choice = depth > DEPTH_MAX || p->budget <= 0 ? pick(p, 4) : pick(p, 24);

    if (choice == 0)
        return constant(p, type);
    if (choice < 4) {
        n = make(p, GET, type);
        n->local = pick_local(p, type, false);
    } else if (choice < 12) {
        n = binary(p, type, depth);
    } else if (choice < 15) {
        n = unary(p, type, depth);
    } else if (choice < 17) {
        n = make(p, TEE, type);
        n->local = pick_local(p, type, true);
        n->a = expression(p, type, depth + 1);
    } else if (choice < 19) {
        n = make(p, SELECT, type);
        n->a = expression(p, type, depth + 1);
        n->b = expression(p, type, depth + 1);
        n->c = expression(p, VT_I32, depth + 1);
    } else if (choice == 19) {
        n = make(p, LOAD, type);
        n->a = expression(p, VT_I32, depth + 1);
    } else if (choice == 20 && type == VT_I64 && p->current != 0) {
        n = call(p, depth);
    } else if (choice == 23 && pick(p, 2) != 0) { /* a; b where anything was thrown */
        n = make(p, TRY_VALUE, type);
        n->legacy = pick(p, 2) != 0;
        open_label(p, false);
        if (!n->legacy) {
            open_label(p, false);
            open_label(p, false);
        }
        n->body = statements(p, depth + 2);
        n->a = expression(p, type, depth + 1);
        p->labels -= n->legacy ? 0 : 2;
        n->b = expression(p, type, depth + 1);
        p->labels--;
    } else { /* a block, or an if with both arms; inside, branches may only leave for labels further out */
        n = make(p, choice < 22 ? BLOCK_VALUE : IF_VALUE, type);
        n->c = n->kind == IF_VALUE ? expression(p, VT_I32, depth + 1) : NULL;
        open_label(p, false);
        n->body = statements(p, depth + 2);
        n->a = expression(p, type, depth + 1);
        n->b = n->kind == IF_VALUE ? expression(p, type, depth + 1) : expression(p, VT_I32, depth + 1);
        p->labels--;
    }
    return n;
}

static uint32_t counter(struct program *p)
{
    struct function *f = &p->functions[p->current];

    for (uint32_t i = f->param_count; i < f->local_count; i++)
        if (f->types[i] == VT_I32 && !f->reserved[i]) {
            f->reserved[i] = true;
            return i;
        }
    return UINT32_MAX;
}

/* Caught values go to locals of their types, then the handler runs. With c, which is evaluated first, the exception may
 * be thrown again instead. */
static struct node *try(struct program *p, unsigned depth)
{
    struct node *n = make(p, TRY, VT_I32);

    n->legacy = pick(p, 2) != 0;
    n->reference = pick(p, 2) != 0;
    n->op = (uint8_t)pick(p, TAG_COUNT + 1);
    n->two = pick(p, 3) == 0;
    n->local = pick_local(p, n->op == 1 ? VT_I64 : VT_I32, true);
    n->bits = pick_local(p, VT_F64, true);
    open_label(p, true);
    if (!n->legacy) {
        open_label(p, false);
        open_label(p, true);
    }
    n->body = statements(p, depth + 1);
    p->labels -= n->legacy ? 0 : 2;
    n->c = n->reference ? expression(p, VT_I32, depth + 1) : NULL;
    n->otherwise = statements(p, depth + 1);
    p->labels--;
    return n;
}

static struct node *throw(struct program * p, unsigned depth)
{
    struct node *n = make(p, THROW, VT_I32);

    n->op = (uint8_t)pick(p, TAG_COUNT);
    n->a = expression(p, VT_I32, depth + 1);
    open_label(p, false); /* it is thrown inside an if */
    if (n->op != 2)
        n->b = expression(p, n->op == 0 ? VT_I32 : VT_I64, depth + 1);
    if (n->op == 1)
        n->c = expression(p, VT_F64, depth + 1);
    p->labels--;
    return n;
}

static struct node *statement(struct program *p, unsigned depth)
{
    uint32_t choice = depth > DEPTH_MAX ? pick(p, 8) : pick(p, 20), local, label;
    struct node *n;

    if (choice < 6) {
        n = make(p, SET, pick_type(p));
        n->local = pick_local(p, n->type, true);
        n->a = expression(p, n->type, depth);
    } else if (choice < 8) {
        n = make(p, STORE, pick_type(p));
        n->a = expression(p, VT_I32, depth + 1);
        n->b = expression(p, n->type, depth + 1);
    } else if (choice < 10 && p->labels != 0 && p->target[label = pick(p, p->labels)]) {
        n = make(p, BRANCH_IF, VT_I32);
        n->label = label;
        n->a = expression(p, VT_I32, depth + 1);
    } else if (choice < 13 && (local = counter(p)) != UINT32_MAX) {
        n = make(p, LOOP, VT_I32);
        n->local = local;
        n->bits = 1 + pick(p, 4);
        open_label(p, false);
        open_label(p, true);
        n->body = statements(p, depth + 1);
        p->labels -= 2;
        p->functions[p->current].reserved[local] = false;
    } else if (choice < 14) {
        n = make(p, SWITCH, VT_I32);
        for (unsigned i = 0; i < 4; i++)
            open_label(p, true);
        n->a = expression(p, VT_I32, depth + 1);
        for (unsigned i = 0; i < 3; i++) {
            p->labels--;
            n->args[i] = statements(p, depth + 2);
        }
        p->labels--;
    } else if (choice < 15) {
        n = make(p, IF, VT_I32);
        n->a = expression(p, VT_I32, depth + 1);
        open_label(p, true);
        n->body = statements(p, depth + 1);
        n->otherwise = pick(p, 2) != 0 ? statements(p, depth + 1) : NULL;
        p->labels--;
    } else if (choice < 17) {
        n = try(p, depth);
    } else if (choice < 18) {
        n = throw(p, depth);
    } else if (choice < 19) {
        n = make(p, DELEGATE, VT_I32);
        n->label = pick(p, p->labels + 1);
        open_label(p, true);
        n->body = statements(p, depth + 1);
        p->labels--;
    } else {
        n = make(p, BLOCK, VT_I32);
        open_label(p, true);
        n->a = expression(p, VT_I32, depth + 1);
        n->body = statements(p, depth + 1);
        p->labels--;
    }
    return n;
}

static struct node *statements(struct program *p, unsigned depth)
{
    struct node *first = NULL, **end = &first;

    for (uint32_t n = 1 + pick(p, 4); n != 0 && p->budget > 0; n--) {
        *end = statement(p, depth);
        end = &(*end)->next;
    }
    return first;
}

static void make_function(struct program *p, uint32_t index)
{
    struct function *f = &p->functions[index];
    uint8_t first[] = {VT_I32, VT_I64, VT_F64};
    struct node **end;

    p->current = index;
    p->labels = 0;
    p->budget = 400;
    f->param_count = 3 + pick(p, 9);
    f->local_count = f->param_count + 2 + pick(p, LOCALS_MAX - 14);
    for (uint32_t i = 0; i < f->local_count; i++)
        f->types[i] = i < 3 ? first[i] : pick_type(p);
    f->body = statements(p, 0);
    for (end = &f->body; p->budget > 0; end = &(*end)->next) {
        while (*end != NULL)
            end = &(*end)->next;
        *end = statement(p, 0);
    }
}

/* --- as a module -------------------------------------------------------------------------------------------------- */
static void put_leb(struct buf *b, int64_t v)
{
    while (v < -64 || v > 63) {
        buf_put_u8(b, (uint8_t)((v & 0x7f) | 0x80));
        v >>= 7;
    }
    buf_put_u8(b, v & 0x7f);
}

static void put_u32(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_u8(b, (uint8_t)(v | 0x80));
    buf_put_u8(b, (uint8_t)v);
}

static void put_op(struct buf *b, uint8_t op, uint32_t immediate)
{
    buf_put_u8(b, op);
    put_u32(b, immediate);
}

static void emit_all(struct buf *b, const struct node *n, uint32_t labels);

static void emit_constant(struct buf *b, const struct node *n)
{
    buf_put_u8(b, n->type == VT_I32 ? OP_I32_CONST : n->type == VT_I64 ? OP_I64_CONST : OP_F64_CONST);
    if (n->type == VT_F64)
        buf_put_u64(b, n->bits);
    else
        put_leb(b, n->type == VT_I32 ? (int32_t)n->bits : (int64_t)n->bits);
}

static bool divides(uint8_t op)
{
    return op == OP_I32_DIV_U || op == OP_I32_REM_U || op == OP_I32_REM_S || op == OP_I64_DIV_U || op == OP_I64_REM_U ||
           op == OP_I64_REM_S;
}

static void emit_address(struct buf *b)
{
    put_op(b, OP_I32_CONST, 0);
    b->data[b->len - 1] = 0xf8; /* as an sleb128 of two bytes: 248, a multiple of 8 below the size */
    buf_put_u8(b, 0x01);
    buf_put_u8(b, OP_I32_AND);
}

static void emit(struct buf *b, const struct node *n, uint32_t labels);

static void emit_throw(struct buf *b, const struct node *n, uint32_t labels)
{
    emit(b, n->a, labels);
    put_op(b, OP_I32_CONST, 7); /* seldom */
    buf_put_u8(b, OP_I32_AND);
    buf_put_u8(b, OP_I32_EQZ);
    put_op(b, OP_IF, 0x40);
    if (n->b != NULL)
        emit(b, n->b, labels + 1);
    if (n->c != NULL)
        emit(b, n->c, labels + 1);
    put_op(b, OP_THROW, n->op);
    buf_put_u8(b, OP_END);
}

static void emit_set_caught(struct buf *b, const struct node *n)
{
    if (n->op == 1)
        put_op(b, OP_LOCAL_SET, (uint32_t)n->bits);
    if (n->op < 2)
        put_op(b, OP_LOCAL_SET, n->local);
}

static void emit_clause(struct buf *b, const struct node *n)
{
    enum catch_kind kind = n->op != CATCH_ANY ? CATCH_TAG : CATCH_ALL;

    put_u32(b, n->two ? 2 : 1);
    if (n->two)
        buf_put(b, "\0\2\1", 3); /* catch 2 1 */
    buf_put_u8(b, (uint8_t)(n->reference ? kind + 1 : kind));
    if (n->op != CATCH_ANY)
        put_u32(b, n->op);
    put_u32(b, 0);
}

/* block; block with what is caught; try_table; body; end; br 1; end; handler; end */
static void emit_try_table(struct buf *b, const struct node *n, uint32_t labels)
{
    uint32_t with_reference = n->op == CATCH_ANY ? 2 : n->op;

    put_op(b, OP_BLOCK, 0x40);
    if (n->reference)
        put_op(b, OP_BLOCK, TYPE_0_REF + with_reference);
    else
        put_op(b, OP_BLOCK, n->op == 0 ? VT_I32 : n->op == 1 ? TYPE_GIVE_1 : 0x40);
    put_op(b, OP_TRY_TABLE, 0x40);
    emit_clause(b, n);
    emit_all(b, n->body, labels + 3);
    buf_put_u8(b, OP_END);
    put_op(b, OP_BR, 1);
    buf_put_u8(b, OP_END);
    if (n->reference) {
        emit(b, n->c, labels + 1);
        put_op(b, OP_IF, TYPE_TAKE_0_REF + with_reference);
        buf_put_u8(b, OP_THROW_REF);
        buf_put_u8(b, OP_ELSE);
        buf_put_u8(b, OP_DROP);
        emit_set_caught(b, n);
        buf_put_u8(b, OP_END);
    } else {
        emit_set_caught(b, n);
    }
    emit_all(b, n->otherwise, labels + 1);
    buf_put_u8(b, OP_END);
}

static void emit_legacy_try(struct buf *b, const struct node *n, uint32_t labels)
{
    put_op(b, OP_TRY, 0x40);
    emit_all(b, n->body, labels + 1);
    if (n->two)
        put_op(b, OP_CATCH, 2);
    if (n->op == CATCH_ANY)
        buf_put_u8(b, OP_CATCH_ALL);
    else
        put_op(b, OP_CATCH, n->op);
    if (n->reference) {
        emit(b, n->c, labels + 1);
        put_op(b, OP_IF, 0x40);
        put_op(b, OP_RETHROW, 1);
        buf_put_u8(b, OP_END);
    }
    emit_set_caught(b, n);
    emit_all(b, n->otherwise, labels + 1);
    buf_put_u8(b, OP_END);
}

static void emit_try_value(struct buf *b, const struct node *n, uint32_t labels)
{
    if (n->legacy) {
        put_op(b, OP_TRY, n->type);
        emit_all(b, n->body, labels + 1);
        emit(b, n->a, labels + 1);
        buf_put_u8(b, OP_CATCH_ALL);
    } else {
        put_op(b, OP_BLOCK, n->type);
        put_op(b, OP_BLOCK, 0x40);
        put_op(b, OP_TRY_TABLE, n->type);
        buf_put(b, "\1\2\0", 3); /* one clause: catch_all 0 */
        emit_all(b, n->body, labels + 3);
        emit(b, n->a, labels + 3);
        buf_put_u8(b, OP_END);
        put_op(b, OP_BR, 1);
        buf_put_u8(b, OP_END);
    }
    emit(b, n->b, labels + 1);
    buf_put_u8(b, OP_END);
}

static void emit(struct buf *b, const struct node *n, uint32_t labels)
{
    static const uint8_t loads[] = {OP_I32_LOAD, OP_I64_LOAD, OP_I64_LOAD},
                         stores[] = {OP_I32_STORE, OP_I64_STORE, OP_F64_STORE};
    unsigned t = n->type == VT_I32 ? 0 : n->type == VT_I64 ? 1 : 2;

    switch (n->kind) {
    case CONST: emit_constant(b, n); break;
    case GET: put_op(b, OP_LOCAL_GET, n->local); break;
    case TEE:
    case SET:
        emit(b, n->a, labels);
        put_op(b, n->kind == SET ? OP_LOCAL_SET : OP_LOCAL_TEE, n->local);
        break;
    case BINARY:
        emit(b, n->a, labels);
        emit(b, n->b, labels);
        if (divides(n->op)) { /* by something that is not zero */
            put_op(b, n->type == VT_I32 ? OP_I32_CONST : OP_I64_CONST, 1);
            buf_put_u8(b, n->type == VT_I32 ? OP_I32_OR : OP_I64_OR);
        }
        buf_put_u8(b, n->op);
        break;
    case UNARY:
        emit(b, n->a, labels);
        buf_put_u8(b, n->op);
        break;
    case SELECT:
        emit(b, n->a, labels);
        emit(b, n->b, labels);
        emit(b, n->c, labels);
        buf_put_u8(b, OP_SELECT);
        break;
    case LOAD:
    case STORE:
        emit(b, n->a, labels);
        emit_address(b);
        if (n->kind == STORE)
            emit(b, n->b, labels);
        put_op(b, n->kind == STORE ? stores[t] : loads[t], 0);
        buf_put_u8(b, 0);
        if (n->kind == LOAD &&
            n->type == VT_F64) /* no NaN with a payload: which operand's survives is not determined */
            buf_put_u8(b, OP_F64_CONVERT_I64_S);
        break;
    case CALL:
        for (unsigned i = 0; n->args[i] != NULL; i++)
            emit(b, n->args[i], labels);
        put_op(b, OP_CALL, n->local);
        break;
    case BLOCK_VALUE: /* body; a; br_if 0 with the value if b */
        put_op(b, OP_BLOCK, n->type);
        emit_all(b, n->body, labels + 1);
        emit(b, n->a, labels + 1);
        emit(b, n->b, labels + 1);
        put_op(b, OP_BR_IF, 0);
        buf_put_u8(b, OP_END);
        break;
    case IF_VALUE:
        emit(b, n->c, labels);
        put_op(b, OP_IF, n->type);
        emit_all(b, n->body, labels + 1);
        emit(b, n->a, labels + 1);
        buf_put_u8(b, OP_ELSE);
        emit(b, n->b, labels + 1);
        buf_put_u8(b, OP_END);
        break;
    case IF:
        emit(b, n->a, labels);
        put_op(b, OP_IF, 0x40);
        emit_all(b, n->body, labels + 1);
        if (n->otherwise != NULL)
            buf_put_u8(b, OP_ELSE);
        emit_all(b, n->otherwise, labels + 1);
        buf_put_u8(b, OP_END);
        break;
    case BLOCK: /* left at once if a */
        put_op(b, OP_BLOCK, 0x40);
        emit(b, n->a, labels + 1);
        put_op(b, OP_BR_IF, 0);
        emit_all(b, n->body, labels + 1);
        buf_put_u8(b, OP_END);
        break;
    case LOOP: /* leaving the block inside is `continue` */
        put_op(b, OP_I32_CONST, (uint32_t)n->bits);
        put_op(b, OP_LOCAL_SET, n->local);
        put_op(b, OP_LOOP, 0x40);
        put_op(b, OP_BLOCK, 0x40);
        emit_all(b, n->body, labels + 2);
        buf_put_u8(b, OP_END);
        put_op(b, OP_LOCAL_GET, n->local);
        put_op(b, OP_I32_CONST, 1);
        buf_put_u8(b, OP_I32_SUB);
        put_op(b, OP_LOCAL_TEE, n->local);
        put_op(b, OP_BR_IF, 0);
        buf_put_u8(b, OP_END);
        break;
    case THROW: emit_throw(b, n, labels); break;
    case TRY_VALUE: emit_try_value(b, n, labels); break;
    case TRY:
        if (n->legacy)
            emit_legacy_try(b, n, labels);
        else
            emit_try_table(b, n, labels);
        break;
    case DELEGATE:
        put_op(b, OP_TRY, 0x40);
        emit_all(b, n->body, labels + 1);
        put_op(b, OP_DELEGATE, labels - n->label);
        break;
    case BRANCH_IF:
        emit(b, n->a, labels);
        put_op(b, OP_BR_IF, labels - 1 - n->label);
        break;
    case SWITCH: /* four blocks; a case falls through to the next */
        for (unsigned i = 0; i < 4; i++)
            put_op(b, OP_BLOCK, 0x40);
        emit(b, n->a, labels + 4);
        put_op(b, OP_BR_TABLE, 3);
        for (unsigned i = 0; i < 4; i++)
            put_u32(b, i);
        for (unsigned i = 0; i < 3; i++) {
            buf_put_u8(b, OP_END);
            emit_all(b, n->args[i], labels + 3 - i);
        }
        buf_put_u8(b, OP_END);
        break;
    }
}

static void emit_all(struct buf *b, const struct node *n, uint32_t labels)
{
    for (; n != NULL; n = n->next)
        emit(b, n, labels);
}

/* The result: every local rotated into one number. */
static void emit_result(struct buf *b, const struct function *f)
{
    put_op(b, OP_I64_CONST, 0);
    for (uint32_t i = 0; i < f->local_count; i++) {
        put_op(b, OP_I64_CONST, 7);
        buf_put_u8(b, OP_I64_ROTL);
        put_op(b, OP_LOCAL_GET, i);
        if (f->types[i] != VT_I64)
            buf_put_u8(b, f->types[i] == VT_I32 ? OP_I64_EXTEND_I32_U : OP_I64_REINTERPRET_F64);
        buf_put_u8(b, OP_I64_XOR);
    }
}

static void put_section(struct buf *out, uint8_t id, struct buf *content)
{
    put_op(out, id, (uint32_t)content->len);
    buf_put(out, content->data, content->len);
    content->len = 0;
}

static void emit_function(struct buf *s, const struct function *f)
{
    struct buf b = {0};

    put_u32(&b, f->local_count - f->param_count);
    for (uint32_t i = f->param_count; i < f->local_count; i++)
        put_op(&b, 1, f->types[i]);
    emit_all(&b, f->body, 0);
    emit_result(&b, f);
    buf_put_u8(&b, OP_END);
    put_u32(s, (uint32_t)b.len);
    buf_put(s, b.data, b.len);
    buf_done(&b);
}

static const uint8_t exception_types[] = {
    TYPE_FUNC, 1,         VT_I32,    0,         TYPE_FUNC, 2,         VT_I64,    VT_F64, 0,
    TYPE_FUNC, 0,         0, /* of the tags */
    TYPE_FUNC, 0,         2,         VT_I32,    VT_EXNREF, TYPE_FUNC, 0,         3,      VT_I64,
    VT_F64,    VT_EXNREF, TYPE_FUNC, 0,         1,         VT_EXNREF, TYPE_FUNC, 2,      VT_I32,
    VT_EXNREF, 0,         TYPE_FUNC, 3,         VT_I64,    VT_F64,    VT_EXNREF, 0,      TYPE_FUNC,
    1,         VT_EXNREF, 0,         TYPE_FUNC, 0,         2,         VT_I64,    VT_F64,
};

static void emit_module(const struct program *p, struct buf *out)
{
    struct buf s = {0};

    buf_put(out, "\0asm\1\0\0\0", 8);
    put_u32(&s, TYPE_COUNT);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        const struct function *f = &p->functions[i];
        put_op(&s, TYPE_FUNC, f->param_count);
        buf_put(&s, f->types, f->param_count);
        put_op(&s, 1, VT_I64);
    }
    buf_put(&s, exception_types, sizeof exception_types);
    put_section(out, 1, &s);
    put_u32(&s, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        put_u32(&s, i);
    put_section(out, 3, &s);
    buf_put(&s, "\1\0\1", 3);
    put_section(out, 5, &s);
    put_u32(&s, TAG_COUNT);
    for (uint32_t i = 0; i < TAG_COUNT; i++)
        put_op(&s, 0, TYPE_TAG_0 + i);
    put_section(out, 13, &s);
    put_u32(&s, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        buf_put_u8(&s, 1);
        buf_put_u8(&s, (uint8_t)('a' + i));
        put_op(&s, EXTERNAL_FUNC, i);
    }
    put_section(out, 7, &s);
    put_u32(&s, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        emit_function(&s, &p->functions[i]);
    put_section(out, 10, &s);
    buf_done(&s);
}

/* --- evaluating trees --------------------------------------------------------------------------------------------- */
struct thrown {
    uint8_t tag;
    uint64_t values[2];
    int out_to; /* a delegate's label, counted from outside: tries further in do not catch */
};

struct evaluation {
    struct thrown *thrown; /* shared by all functions */
    const struct program *p;
    const struct function *f;
    uint64_t locals[LOCALS_MAX];
    uint8_t *memory;
    int64_t *fuel;
};

enum {
    GO_ON = -1,
    THROWN = -2,
    NO_DELEGATE = INT32_MAX
}; /* otherwise the label, counted from outside, that a branch goes to */

static uint64_t value_of(struct evaluation *f, const struct node *n, uint32_t labels, int *leave);
static int run_all(struct evaluation *f, const struct node *n, uint32_t labels);

static double as_double(uint64_t bits)
{
    union {
        uint64_t bits;
        double d;
    } u = {bits};
    return u.d;
}

static uint64_t as_bits(double d)
{
    union {
        double d;
        uint64_t bits;
    } u = {d};
    return u.bits;
}

static uint64_t rotate_left(uint64_t v, unsigned by, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : UINT32_MAX;
    by %= bits;
    return by == 0 ? v & mask : (v << by | (v & mask) >> (bits - by)) & mask;
}

static uint64_t apply_i32(uint8_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case OP_I32_ADD: return a + b;
    case OP_I32_SUB: return a - b;
    case OP_I32_MUL: return a * b;
    case OP_I32_AND: return a & b;
    case OP_I32_OR: return a | b;
    case OP_I32_XOR: return a ^ b;
    case OP_I32_SHL: return a << (b & 31);
    case OP_I32_SHR_S: return (uint32_t)((int32_t)a >> (b & 31));
    case OP_I32_SHR_U: return a >> (b & 31);
    case OP_I32_ROTL: return rotate_left(a, b & 31, 32);
    case OP_I32_ROTR: return rotate_left(a, 32 - (b & 31), 32);
    case OP_I32_DIV_U: return a / (b | 1);
    case OP_I32_REM_U: return a % (b | 1);
    case OP_I32_REM_S: return (b | 1) == UINT32_MAX ? 0 : (uint32_t)((int32_t)a % (int32_t)(b | 1));
    case OP_I32_EQ: return a == b;
    case OP_I32_LT_S: return (int32_t)a < (int32_t)b;
    case OP_I32_LT_U: return a < b;
    default: return (int32_t)a >= (int32_t)b; /* OP_I32_GE_S */
    }
}

static uint64_t apply_i64(uint8_t op, uint64_t a, uint64_t b)
{
    switch (op) {
    case OP_I64_ADD: return a + b;
    case OP_I64_SUB: return a - b;
    case OP_I64_MUL: return a * b;
    case OP_I64_AND: return a & b;
    case OP_I64_OR: return a | b;
    case OP_I64_XOR: return a ^ b;
    case OP_I64_SHL: return a << (b & 63);
    case OP_I64_SHR_S: return (uint64_t)((int64_t)a >> (b & 63));
    case OP_I64_SHR_U: return a >> (b & 63);
    case OP_I64_ROTL: return rotate_left(a, b & 63, 64);
    case OP_I64_ROTR: return rotate_left(a, 64 - (b & 63), 64);
    case OP_I64_DIV_U: return a / (b | 1);
    case OP_I64_REM_U: return a % (b | 1);
    case OP_I64_REM_S: return (b | 1) == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)(b | 1));
    case OP_I64_LT_S: return (int64_t)a < (int64_t)b;
    case OP_I64_GT_U: return a > b;
    default: return a != b; /* OP_I64_NE */
    }
}

static double min_max(bool is_min, double a, double b)
{
    if (isnan(a) || isnan(b))
        return a + b;
    if (a == 0 && b == 0)
        return is_min ? (signbit(a) ? a : b) : (signbit(a) ? b : a);
    return is_min ? (a < b ? a : b) : (a > b ? a : b);
}

static uint64_t apply_f64(uint8_t op, double a, double b)
{
    switch (op) {
    case OP_F64_ADD: return as_bits(a + b);
    case OP_F64_SUB: return as_bits(a - b);
    case OP_F64_MUL: return as_bits(a * b);
    case OP_F64_MIN: return as_bits(min_max(true, a, b));
    case OP_F64_MAX: return as_bits(min_max(false, a, b));
    case OP_F64_LT: return a < b;
    case OP_F64_EQ: return a == b;
    default: return a >= b; /* OP_F64_GE */
    }
}

static uint64_t apply_binary(const struct node *n, uint64_t a, uint64_t b)
{
    if ((n->op >= OP_I32_CLZ && n->op <= OP_I32_ROTR) || (n->op >= OP_I32_EQZ && n->op <= OP_I32_GE_U))
        return apply_i32(n->op, (uint32_t)a, (uint32_t)b);
    if ((n->op >= OP_I64_CLZ && n->op <= OP_I64_ROTR) || (n->op >= OP_I64_EQZ && n->op <= OP_I64_GE_U))
        return apply_i64(n->op, a, b);
    return apply_f64(n->op, as_double(a), as_double(b));
}

static uint64_t apply_unary(uint8_t op, uint64_t a)
{
    switch (op) {
    case OP_I32_CLZ: return (uint32_t)a == 0 ? 32 : (uint64_t)__builtin_clz((uint32_t)a);
    case OP_I32_CTZ: return (uint32_t)a == 0 ? 32 : (uint64_t)__builtin_ctz((uint32_t)a);
    case OP_I32_EQZ: return (uint32_t)a == 0;
    case OP_I32_EXTEND8_S: return (uint32_t)(int8_t)a;
    case OP_I32_WRAP_I64: return (uint32_t)a;
    case OP_I64_EQZ: return a == 0;
    case OP_I64_EXTEND_I32_S: return (uint64_t)(int32_t)a;
    case OP_I64_EXTEND_I32_U: return (uint32_t)a;
    case OP_I64_POPCNT: return (uint64_t)__builtin_popcountll(a);
    case OP_I64_REINTERPRET_F64: return a;
    case OP_F64_CONVERT_I32_S: return as_bits((int32_t)a);
    case OP_F64_CONVERT_I64_S: return as_bits((double)(int64_t)a);
    case OP_F64_CONVERT_I64_U: return as_bits((double)a);
    case OP_F64_NEAREST: return as_bits(rint(as_double(a)));
    default: return as_bits(floor(as_double(a))); /* OP_F64_FLOOR */
    }
}

static uint64_t run_function(const struct program *p, uint32_t index, const uint64_t *params, uint8_t *memory,
                             int64_t *fuel, struct thrown *thrown, int *leave)
{
    struct evaluation f = {.p = p, .f = &p->functions[index], .memory = memory, .fuel = fuel, .thrown = thrown};
    uint64_t result = 0;

    memcpy(f.locals, params, f.f->param_count * sizeof params[0]);
    *leave = run_all(&f, f.f->body, 0);
    thrown->out_to = NO_DELEGATE;
    for (uint32_t i = 0; i < f.f->local_count; i++)
        result = rotate_left(result, 7, 64) ^ f.locals[i];
    return result;
}

static uint64_t loaded(const struct evaluation *f, const struct node *n, uint64_t at)
{
    uint64_t v = 0;
    memcpy(&v, f->memory + (at & 248), n->type == VT_I32 ? 4 : 8);
    return n->type == VT_F64 ? as_bits((double)(int64_t)v) : v;
}

/* Whether the try with that label catches what has been thrown. */
static bool caught(struct evaluation *f, uint8_t tag, uint32_t label, int leave)
{
    if (leave != THROWN || (int)label > f->thrown->out_to || (tag != CATCH_ANY && tag != f->thrown->tag))
        return false;
    f->thrown->out_to = NO_DELEGATE;
    return true;
}

static uint64_t value_of(struct evaluation *f, const struct node *n, uint32_t labels, int *leave)
{
    uint64_t a, b, c, args[12];

#define VALUE(v, node, depth)                                                                                          \
    v = value_of(f, node, depth, leave);                                                                               \
    if (*leave != GO_ON)                                                                                               \
    return 0
    --*f->fuel;
    switch (n->kind) {
    case CONST: return n->bits;
    case GET: return f->locals[n->local];
    case TEE: VALUE(a, n->a, labels); return f->locals[n->local] = a;
    case BINARY:
        VALUE(a, n->a, labels);
        VALUE(b, n->b, labels);
        return apply_binary(n, a, b);
    case UNARY: VALUE(a, n->a, labels); return apply_unary(n->op, a);
    case SELECT:
        VALUE(a, n->a, labels);
        VALUE(b, n->b, labels);
        VALUE(c, n->c, labels);
        return (uint32_t)c != 0 ? a : b;
    case LOAD: VALUE(a, n->a, labels); return loaded(f, n, a);
    case CALL:
        for (unsigned i = 0; n->args[i] != NULL; i++) {
            VALUE(args[i], n->args[i], labels);
        }
        return run_function(f->p, n->local, args, f->memory, f->fuel, f->thrown, leave);
    case TRY_VALUE:
        b = labels + (n->legacy ? 1 : 3);
        if ((*leave = run_all(f, n->body, (uint32_t)b)) == GO_ON)
            a = value_of(f, n->a, (uint32_t)b, leave);
        else
            a = 0;
        if (!caught(f, CATCH_ANY, (uint32_t)b - 1, *leave))
            return a;
        *leave = GO_ON;
        return value_of(f, n->b, labels + 1, leave);
    case BLOCK_VALUE:
        if ((*leave = run_all(f, n->body, labels + 1)) != GO_ON)
            return 0;
        VALUE(a, n->a, labels + 1);
        VALUE(b, n->b, labels + 1);
        return a; /* by branch or by falling through */
    default:      /* IF_VALUE */
        VALUE(c, n->c, labels);
        if ((uint32_t)c == 0)
            return value_of(f, n->b, labels + 1, leave);
        if ((*leave = run_all(f, n->body, labels + 1)) != GO_ON)
            return 0;
        return value_of(f, n->a, labels + 1, leave);
    }
#undef VALUE
}

/* A branch to the label numbered LABELS ends here. */
static int arrive(int leave, uint32_t labels)
{
    return leave == (int)labels ? GO_ON : leave;
}

static int run_switch(struct evaluation *f, const struct node *n, uint32_t labels)
{
    int leave = GO_ON;
    uint32_t at = (uint32_t)value_of(f, n->a, labels + 4, &leave);

    if (leave == GO_ON)
        leave = (int)(labels + 3 - (at < 3 ? at : 3));
    for (uint32_t i = 0; i < 3; i++) {
        leave = arrive(leave, labels + 3 - i);
        if (leave == GO_ON)
            leave = run_all(f, n->args[i], labels + 3 - i);
    }
    return arrive(leave, labels);
}

static int run_loop(struct evaluation *f, const struct node *n, uint32_t labels)
{
    f->locals[n->local] = n->bits;
    do {
        int leave = arrive(run_all(f, n->body, labels + 2), labels + 1);
        if (leave != GO_ON)
            return leave;
        f->locals[n->local] = (uint32_t)(f->locals[n->local] - 1);
    } while (f->locals[n->local] != 0 && *f->fuel > 0);
    return GO_ON;
}

static int run_throw(struct evaluation *f, const struct node *n, uint64_t a, uint32_t labels)
{
    struct thrown thrown = {.tag = n->op, .out_to = NO_DELEGATE};
    int leave = GO_ON;

    if ((a & 7) != 0)
        return GO_ON;
    if (n->b != NULL)
        thrown.values[0] = value_of(f, n->b, labels + 1, &leave);
    if (n->c != NULL && leave == GO_ON)
        thrown.values[1] = value_of(f, n->c, labels + 1, &leave);
    if (leave != GO_ON)
        return leave;
    *f->thrown = thrown;
    return THROWN;
}

static int run_try(struct evaluation *f, const struct node *n, uint32_t labels)
{
    uint32_t inside = labels + (n->legacy ? 1 : 3);
    int leave = arrive(run_all(f, n->body, inside), inside - 1);
    struct thrown exception = *f->thrown; /* the handler may throw and catch others */
    uint64_t again = 0;

    if (n->two && caught(f, 2, inside - 1, leave))
        return GO_ON;
    if (!caught(f, n->op, inside - 1, leave))
        return arrive(leave, labels);
    exception.out_to = NO_DELEGATE;
    leave = GO_ON;
    if (n->c != NULL)
        again = value_of(f, n->c, labels + 1, &leave);
    if (leave != GO_ON)
        return arrive(leave, labels);
    if ((uint32_t)again != 0) {
        *f->thrown = exception;
        return THROWN;
    }
    if (n->op < 2)
        f->locals[n->local] = exception.values[0];
    if (n->op == 1)
        f->locals[n->bits] = exception.values[1];
    return arrive(run_all(f, n->otherwise, labels + 1), labels);
}

static int run_delegate(struct evaluation *f, const struct node *n, uint32_t labels)
{
    int leave = arrive(run_all(f, n->body, labels + 1), labels);

    if (leave == THROWN && (int)labels <= f->thrown->out_to)
        f->thrown->out_to = (int)n->label - 1;
    return leave;
}

static int run(struct evaluation *f, const struct node *n, uint32_t labels)
{
    int leave = GO_ON;
    uint64_t a = 0, b = 0;

    if (--*f->fuel <= 0)
        return GO_ON;
    if (n->kind != LOOP && n->kind != SWITCH && n->kind != TRY && n->kind != DELEGATE)
        a = value_of(f, n->a, n->kind == BLOCK ? labels + 1 : labels, &leave);
    if (leave != GO_ON)
        return n->kind == BLOCK ? arrive(leave, labels) : leave;
    switch (n->kind) {
    case SET: f->locals[n->local] = a; return GO_ON;
    case STORE:
        b = value_of(f, n->b, labels, &leave);
        if (leave == GO_ON)
            memcpy(f->memory + (a & 248), &b, n->type == VT_I32 ? 4 : 8);
        return leave;
    case IF: return arrive(run_all(f, (uint32_t)a != 0 ? n->body : n->otherwise, labels + 1), labels);
    case BLOCK: return (uint32_t)a != 0 ? GO_ON : arrive(run_all(f, n->body, labels + 1), labels);
    case LOOP: return run_loop(f, n, labels);
    case THROW: return run_throw(f, n, a, labels);
    case TRY: return run_try(f, n, labels);
    case DELEGATE: return run_delegate(f, n, labels);
    case BRANCH_IF: return (uint32_t)a != 0 ? (int)n->label : GO_ON;
    default: return run_switch(f, n, labels);
    }
}

static int run_all(struct evaluation *f, const struct node *n, uint32_t labels)
{
    int leave = GO_ON;

    for (; n != NULL && leave == GO_ON; n = n->next)
        leave = run(f, n, labels);
    return leave;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */
struct running {
    struct module m;
    struct code_object code;
    struct buf bytes;
    struct store *store;
    struct code *mapped;
    struct instance *instance;
    int fd;
};

static void start(struct running *r, const struct program *p, const struct code_options *options)
{
    static const uint8_t key[32];
    const uint32_t features = ENGINE_FEATURE_EXCEPTIONS | ENGINE_FEATURE_LEGACY_EXCEPTIONS;
    struct artifact_identity identity = {
        .key = key, .compiler = 1, .explicit_bounds_checks = options->explicit_bounds_checks};
    struct buf artifact = {0};
    struct linker linker = {0};
    struct code_object again = {0};
    struct err err = {0};

    emit_module(p, &r->bytes);
    if (module_decode(&r->m, r->bytes.data, r->bytes.len, features, &err) != 0 ||
        code_compile_module(&r->m, features, options, 1, &r->code, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(code_compile_module(&r->m, features, options, 2, &again, &err), 0);
    assert_int_equal(again.code.len, r->code.code.len);
    assert_memory_equal(again.code.data, r->code.code.data, again.code.len);
    code_object_done(&again);
    assert_int_equal(artifact_write(&r->m, &r->code, &identity, &artifact, &err), 0);
    r->fd = memfd_create("artifact", MFD_CLOEXEC);
    assert_int_equal(write(r->fd, artifact.data, artifact.len), artifact.len);
    buf_done(&artifact);
    assert_int_equal(store_new(&r->store, 0, &err), 0);
    assert_int_equal(code_map(r->fd, &identity, &r->mapped, &err), 0);
    linker.store = r->store;
    if (link_imports(&linker, r->mapped, NULL, &err) != 0 ||
        instance_new(r->store, r->mapped, r->fd, NULL, &r->instance, &err) != 0)
        fail_msg("%s", err.text);
}

static void stop(struct running *r)
{
    store_free(r->store);
    code_unmap(r->mapped);
    close(r->fd);
    code_object_done(&r->code);
    module_free(&r->m);
    buf_done(&r->bytes);
}

static void check_exception(const struct running *r, const struct thrown *thrown)
{
    const struct vm_exception *e = store_object(r->store, r->store->thread->exception);

    assert_ptr_equal(e->tag, r->instance->tags[thrown->tag]);
    if (thrown->tag == 0)
        assert_int_equal((uint32_t)e->values[0], (uint32_t)thrown->values[0]);
    if (thrown->tag == 1)
        assert_memory_equal(e->values, thrown->values, sizeof thrown->values);
}

static void compare_function(struct running *r, struct program *p, uint32_t index, uint64_t seed)
{
    const struct function *f = &p->functions[index];
    union vm_value values[16];
    uint64_t params[16], size_bytes, expected;
    uint8_t memory[MEMORY_BYTES], *real = instance_memory(r->instance, &size_bytes);
    int64_t fuel = FUEL;
    struct thrown thrown = {.out_to = NO_DELEGATE};
    enum trap_kind trap;
    int leave;
    struct external e;
    char name = (char)('a' + index);

    for (uint32_t i = 0; i < f->param_count; i++) {
        params[i] = constant(p, f->types[i])->bits;
        values[i].i64 =
            f->types[i] == VT_I32 ? params[i] | (uint64_t)0xdead << 40 : params[i]; /* the upper half is unspecified */
    }
    memcpy(memory, real, sizeof memory);
    expected = run_function(p, index, params, memory, &fuel, &thrown, &leave);
    if (fuel <= 0)
        return;
    assert_true(instance_export(r->instance, (struct name){&name, 1}, &e));
    trap = call_func(r->store, e.func, values);
    assert_int_equal(trap, leave == THROWN ? TRAP_UNCAUGHT_EXCEPTION : TRAP_NONE);
    if (leave == THROWN) {
        check_exception(r, &thrown);
        values[0].i64 = expected;
    }
    if (values[0].i64 != expected || memcmp(memory, real, sizeof memory) != 0)
        fail_msg("SEED=%llu function %u: %llx, expected %llx%s", (unsigned long long)seed, index,
                 (unsigned long long)values[0].i64, (unsigned long long)expected,
                 memcmp(memory, real, sizeof memory) != 0 ? ", and memory differs" : "");
}

static void compare_program(uint64_t seed, code_function_compiler *compiler, uint64_t passes_off)
{
    struct program p = {.random = seed * 0x9e3779b97f4a7c15 + 1};
    struct code_options options = {.explicit_bounds_checks = seed % 4 == 3,
                                   .cpu_features = seed % 2 != 0 ? target_native_features() : 0,
                                   .compile_function = compiler,
                                   .passes_off = passes_off,
                                   .verify = true};
    struct running r = {0};

    for (uint32_t i = 0; i < FUNCTIONS; i++)
        make_function(&p, i);
    start(&r, &p, &options);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        for (unsigned times = 0; times < 3; times++)
            compare_function(&r, &p, i, seed);
    stop(&r);
    arena_free(&p.arena);
}

static void run_seeds(code_function_compiler *compiler, uint64_t passes_off, uint64_t seeds)
{
    const char *one = getenv("SEED"), *count = getenv("SEEDS");
    uint64_t last = count != NULL ? strtoull(count, NULL, 10) : seeds;

    if (one != NULL)
        compare_program(strtoull(one, NULL, 10), compiler, passes_off);
    for (uint64_t seed = 1; seed <= last && one == NULL; seed++)
        compare_program(seed, compiler, passes_off);
}

static void random_functions_run_as_they_should(void **state)
{
    (void)state;
    run_seeds(NULL, 0, 60);
}

static void random_functions_run_as_they_should_optimized(void **state)
{
    (void)state;
    run_seeds(optimizing_compile_function, 0, 60);
}

static void and_with_each_pass_left_out(void **state)
{
    (void)state;
    for (unsigned n = 0; n < OPT_COUNT; n++)
        run_seeds(optimizing_compile_function, (uint64_t)1 << n, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_functions_run_as_they_should),
        cmocka_unit_test(random_functions_run_as_they_should_optimized),
        cmocka_unit_test(and_with_each_pass_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
