/* Validation of function bodies: a fast loop for the instructions that programs are made of.
 *
 * The loop takes an instruction when everything is as it is in nearly all code: immediates of few bytes, operands of
 * exactly the types wanted, no feature needed. Whatever is not so goes, undecided and from its first byte, to
 * validate_op, which knows all the rules and all the messages. So the loop may refuse to take anything, but never
 * accepts what the other would not. Its state lives in local variables; immediates are read without a check for the
 * end, which the margin before the end of the module allows; a body that ends within an instruction is noticed behind
 * it and read again without the loop. */
#include "engine/feature.h"
#include "engine/limits.h"
#include "engine/validator.h"

enum { FAST_MARGIN_BYTES = 32 }; /* no instruction taken by the fast loop is longer */

/* --- locals ------------------------------------------------------------------------------------------------------- */
static void add_locals(struct validator *v, valtype t, uint32_t count)
{
    uint32_t i, end = v->local_count + count;

    if (valtype_code(t) == VT_REF) {
        for (i = v->local_count; i < end; i++)
            vec_push(&v->late_locals, (struct late_local){i, t});
        t = VT_UNINITIALISED;
    }
    for (i = v->local_count; i < end; i++)
        v->locals[i] = t;
    v->local_count = end;
}

static void read_locals(struct validator *v, const struct type_def *type)
{
    uint32_t groups, count;
    valtype t;

    v->late_locals.len = v->initialised.len = 0;
    for (v->local_count = 0; v->local_count < type->param_count; v->local_count++)
        v->locals[v->local_count] = type->params[v->local_count];
    for (groups = body_u32(&v->r); groups != 0 && v->r.fault == NULL && !v->failed; groups--) {
        v->op_at = rd_offset(&v->r);
        count = body_u32(&v->r);
        t = read_valtype(v);
        if (count > LIMIT_LOCALS - v->local_count)
            validator_fail(v, "too many locals");
        else
            add_locals(v, t, count);
    }
}

/* --- the fast loop ------------------------------------------------------------------------------------------------ */
struct long_u32 {
    uint32_t value;
    const uint8_t *next; /* NULL: malformed */
};

/* A LEB128 u32 of three bytes or more: linkers leave room for any number. */
static __attribute__((noinline)) struct long_u32 long_u32(const uint8_t *at)
{
    uint32_t x = at[0] & 0x7f;
    unsigned i;

    for (i = 1; i < 5; i++) {
        x |= (uint32_t)(at[i] & 0x7f) << 7 * i;
        if (at[i] < 0x80)
            break;
    }
    return (struct long_u32){x, i == 5 || (i == 4 && at[i] >= 0x10) ? NULL : at + i + 1};
}

/* Reads a LEB128 u32 into *VALUE; NULL if it is malformed. */
static inline const uint8_t *short_u32(const uint8_t *at, uint32_t *value)
{
    struct long_u32 x;

    if (__builtin_expect(at[0] < 0x80, 1)) {
        *value = at[0];
        return at + 1;
    }
    if (at[1] < 0x80) {
        *value = (at[0] & 0x7f) | (uint32_t)at[1] << 7;
        return at + 2;
    }
    x = long_u32(at);
    *value = x.value;
    return x.next;
}

/* Skips a LEB128 of at most BYTES bytes; NULL if it is longer. */
static inline const uint8_t *skip_leb(const uint8_t *at, unsigned bytes)
{
    const uint8_t *bound = at + bytes;

    while (*at >= 0x80)
        if (++at == bound)
            return NULL;
    return at + 1;
}

/* Skips a LEB128 s32: in a fifth byte the bits beyond the 32 repeat the sign. */
static inline const uint8_t *skip_s32(const uint8_t *at)
{
    const uint8_t *next = skip_leb(at, 5);
    return next == at + 5 && at[4] >= 0x08 && at[4] < 0x78 ? NULL : next;
}

static inline bool top_is(const valtype *sp, const valtype *base, valtype t)
{
    return sp > base && sp[-1] == t;
}

static inline bool top_two_are(const valtype *sp, const valtype *base, valtype below, valtype top)
{
    return sp - base >= 2 && sp[-1] == top && sp[-2] == below;
}

static inline bool is_number(valtype t)
{
    return t >= VT_V128 && t <= VT_I32;
}

/* The fast loop's view of the code and of the operand stack. */
struct cursor {
    const uint8_t *at;
    valtype *sp; /* NULL: not taken */
};

static const struct cursor not_taken = {NULL, NULL};

/* Whether the operands on top are the parameters of T and may be replaced by its results without more room. */
static inline valtype *take_call(const struct type_def *t, valtype *sp, const valtype *base)
{
    uint32_t count = t->param_count, i;

    if (t->result_count > 1 || sp - base < (ptrdiff_t)count)
        return NULL;
    sp -= count;
    for (i = 0; i < count; i++)
        if (sp[i] != t->params[i])
            return NULL;
    if (t->result_count != 0)
        *sp++ = t->results[0];
    return sp;
}

/* All lanes of i8x16.shuffle below 32? */
static inline bool are_shuffle_lanes(const uint8_t *lanes)
{
    uint64_t halves[2];
    memcpy(halves, lanes, sizeof halves);
    return ((halves[0] | halves[1]) & 0xe0e0e0e0e0e0e0e0u) == 0;
}

/* A vector instruction, AT behind its prefix: by its signature out of the table. */
static struct cursor take_vector(struct validator *v, const uint8_t *at, valtype *sp, const valtype *base)
{
    const struct opcode_info *info;
    const struct signature *s;
    uint32_t code, offset;
    unsigned i;

    at = short_u32(at, &code);
    if (at == NULL || code >= OPCODE_SPACE_ATOMIC - OPCODE_SPACE_VECTOR)
        return not_taken;
    info = &opcode_infos[OPCODE_SPACE_VECTOR + code];
    s = &signatures[info->signature];
    if ((info->feature & ~v->features) != 0 || sp - base < s->param_count)
        return not_taken;
    v->features_used |= info->feature;
    switch (info->immediate) {
    case IMMEDIATE_NONE: break;
    case IMMEDIATE_V128: at += 16; break;
    case IMMEDIATE_LANE:
        if (*at++ >= 16u >> info->width_log2)
            return not_taken;
        break;
    case IMMEDIATE_SHUFFLE:
        if (!are_shuffle_lanes(at))
            return not_taken;
        at += 16;
        break;
    case IMMEDIATE_MEMARG:
        if (at[0] > info->width_log2 || (at = short_u32(at + 1, &offset)) == NULL)
            return not_taken;
        break;
    default: return not_taken;
    }
    sp -= s->param_count;
    for (i = 0; i < s->param_count; i++)
        if (sp[i] != (s->params[i] == SIGNATURE_ADDRESS ? v->memory0_address : s->params[i]))
            return not_taken;
    if (s->result_count != 0)
        *sp++ = s->results[0];
    return (struct cursor){at, sp};
}

/* What a branch to F carries, if that is at most one value: its type, or VT_BOTTOM for none. VT_UNINITIALISED: more. */
static inline valtype short_label(const struct frame *f)
{
    if (f->type != NULL)
        return VT_UNINITIALISED;
    return f->op == OP_LOOP ? VT_BOTTOM : f->single;
}

/* Whether the block F of at most one result may end here: exactly that is on its stack, or nothing and code after a
 * branch; and it initialised no local. */
static inline bool is_finished(const struct validator *v, const struct frame *f, const valtype *sp, const valtype *base)
{
    if (f->type != NULL || f->init_height != v->initialised.len)
        return false;
    if (sp == base)
        return f->single == VT_BOTTOM || f->unreachable;
    return sp == base + 1 && f->single != VT_BOTTOM && *base == f->single; /* an operand can be VT_BOTTOM too */
}

/* Takes instructions from AT while it can; returns where it stopped: before an instruction it did not take, or behind
 * FAST_END.
 *
 * Every instruction jumps to the next one's code itself, so that the processor predicts each of those jumps by what
 * came before it. The tables hold distances of labels, which need no relocation; 0 stands for all that is not taken. The
 * second is for the inside of loops whose locals somebody wants to know. */
static const uint8_t *take_instructions(struct validator *v, const uint8_t *at, const uint8_t *fast_end)
{
#define CODE(label) ((char *)&&label - (char *)&&out)
#define IN_BOTH_TABLES                                                                                                 \
    [OP_UNREACHABLE] = CODE(unreachable), [OP_NOP] = CODE(nop),                                                        \
    [OP_BLOCK... OP_LOOP] = CODE(block), [OP_IF] = CODE(if_block), [OP_ELSE] = CODE(else_arm), [OP_END] = CODE(end),   \
    [OP_BR] = CODE(br), [OP_BR_IF] = CODE(br_if), [OP_RETURN] = CODE(return_), [OP_CALL] = CODE(call),                 \
    [OP_CALL_INDIRECT] = CODE(call_indirect), [OP_DROP] = CODE(drop), [OP_SELECT] = CODE(select),                      \
    [OP_GLOBAL_GET] = CODE(global_get), [OP_GLOBAL_SET] = CODE(global_set), [OP_I32_LOAD] = CODE(load_i32),            \
    [OP_I64_LOAD] = CODE(load_i64), [OP_F32_LOAD] = CODE(load_f32), [OP_F64_LOAD] = CODE(load_f64),                    \
    [OP_I32_LOAD8_S... OP_I32_LOAD8_U] = CODE(load8_i32), [OP_I32_LOAD16_S... OP_I32_LOAD16_U] = CODE(load16_i32),     \
    [OP_I64_LOAD8_S... OP_I64_LOAD8_U] = CODE(load8_i64), [OP_I64_LOAD16_S... OP_I64_LOAD16_U] = CODE(load16_i64),     \
    [OP_I64_LOAD32_S... OP_I64_LOAD32_U] = CODE(load32_i64), [OP_I32_STORE] = CODE(store_i32),                         \
    [OP_I64_STORE] = CODE(store_i64), [OP_F32_STORE] = CODE(store_f32), [OP_F64_STORE] = CODE(store_f64),              \
    [OP_I32_STORE8] = CODE(store8_i32), [OP_I32_STORE16] = CODE(store16_i32), [OP_I64_STORE8] = CODE(store8_i64),      \
    [OP_I64_STORE16] = CODE(store16_i64), [OP_I64_STORE32] = CODE(store32_i64), [OP_I32_CONST] = CODE(const_i32),      \
    [OP_I64_CONST] = CODE(const_i64), [OP_F32_CONST] = CODE(const_f32), [OP_F64_CONST] = CODE(const_f64),              \
    [OP_I32_EQZ] = CODE(i32_i32), [OP_I32_EQ... OP_I32_GE_U] = CODE(i32_i32_i32), [OP_I64_EQZ] = CODE(i64_i32),        \
    [OP_I64_EQ... OP_I64_GE_U] = CODE(i64_i64_i32), [OP_F32_EQ... OP_F32_GE] = CODE(f32_f32_i32),                      \
    [OP_F64_EQ... OP_F64_GE] = CODE(f64_f64_i32), [OP_I32_CLZ... OP_I32_POPCNT] = CODE(i32_i32),                       \
    [OP_I32_ADD... OP_I32_ROTR] = CODE(i32_i32_i32), [OP_I64_CLZ... OP_I64_POPCNT] = CODE(i64_i64),                    \
    [OP_I64_ADD... OP_I64_ROTR] = CODE(i64_i64_i64), [OP_F32_ABS... OP_F32_SQRT] = CODE(f32_f32),                      \
    [OP_F32_ADD... OP_F32_COPYSIGN] = CODE(f32_f32_f32), [OP_F64_ABS... OP_F64_SQRT] = CODE(f64_f64),                  \
    [OP_F64_ADD... OP_F64_COPYSIGN] = CODE(f64_f64_f64), [OP_I32_WRAP_I64] = CODE(i64_i32),                            \
    [OP_I32_TRUNC_F32_S... OP_I32_TRUNC_F32_U] = CODE(f32_i32),                                                        \
    [OP_I32_TRUNC_F64_S... OP_I32_TRUNC_F64_U] = CODE(f64_i32),                                                        \
    [OP_I64_EXTEND_I32_S... OP_I64_EXTEND_I32_U] = CODE(i32_i64),                                                      \
    [OP_I64_TRUNC_F64_S... OP_I64_TRUNC_F64_U] = CODE(f64_i64),                                                        \
    [OP_F32_CONVERT_I32_S... OP_F32_CONVERT_I32_U] = CODE(i32_f32), [OP_F32_DEMOTE_F64] = CODE(f64_f32),               \
    [OP_F64_CONVERT_I32_S... OP_F64_CONVERT_I32_U] = CODE(i32_f64),                                                    \
    [OP_F64_CONVERT_I64_S... OP_F64_CONVERT_I64_U] = CODE(i64_f64), [OP_F64_PROMOTE_F32] = CODE(f32_f64),              \
    [OP_I32_REINTERPRET_F32] = CODE(f32_i32), [OP_I64_REINTERPRET_F64] = CODE(f64_i64),                                \
    [OP_F32_REINTERPRET_I32] = CODE(i32_f32), [OP_F64_REINTERPRET_I64] = CODE(i64_f64),                                \
    [OP_I32_EXTEND8_S... OP_I32_EXTEND16_S] = CODE(i32_i32), [OP_I64_EXTEND8_S... OP_I64_EXTEND32_S] = CODE(i64_i64),  \
    [0xfd] = CODE(vector) /* the prefix of OPCODE_SPACE_VECTOR */
    static const int32_t codes[2][256] = {
        {IN_BOTH_TABLES, [OP_LOCAL_GET] = CODE(local_get), [OP_LOCAL_SET] = CODE(local_set),
         [OP_LOCAL_TEE] = CODE(local_tee)},
        {IN_BOTH_TABLES, [OP_LOCAL_GET] = CODE(logged_local_get), [OP_LOCAL_SET] = CODE(logged_local_set),
         [OP_LOCAL_TEE] = CODE(logged_local_tee)}};
    const int32_t *code = codes[v->log.step];
    valtype *sp = v->sp, *base = v->base, t;
    const uint8_t *next;
    struct frame *f;
    struct cursor c;
    uint32_t n;

#define NEXT(behind)                                                                                                   \
    at = behind;                                                                                                       \
    if (at >= fast_end)                                                                                                \
        goto out;                                                                                                      \
    goto *((char *)&&out + code[*at])
#define UNARY(from, to)                                                                                                \
    if (!top_is(sp, base, from))                                                                                       \
        goto out;                                                                                                      \
    sp[-1] = to;                                                                                                       \
    NEXT(at + 1)
#define BINARY(from, to)                                                                                               \
    if (!top_two_are(sp, base, from, from))                                                                            \
        goto out;                                                                                                      \
    sp--;                                                                                                              \
    sp[-1] = to;                                                                                                       \
    NEXT(at + 1)
#define LOAD(to, width)                                                                                                \
    if (at[1] > (width) || (next = short_u32(at + 2, &n)) == NULL || !top_is(sp, base, v->memory0_address))            \
        goto out;                                                                                                      \
    sp[-1] = to;                                                                                                       \
    NEXT(next)
#define STORE(from, width)                                                                                             \
    if (at[1] > (width) || (next = short_u32(at + 2, &n)) == NULL || !top_two_are(sp, base, v->memory0_address, from)) \
        goto out;                                                                                                      \
    sp -= 2;                                                                                                           \
    NEXT(next)
#define LOCAL_GET(note, again)                                                                                         \
    next = short_u32(at + 1, &n);                                                                                      \
    if (next == NULL || n >= v->local_count || v->locals[n] == VT_UNINITIALISED)                                       \
        goto out;                                                                                                      \
    *sp++ = v->locals[n];                                                                                              \
    note;                                                                                                              \
    at = next;                                                                                                         \
    if (at >= fast_end)                                                                                                \
        goto out;                                                                                                      \
    if (*at == OP_LOCAL_GET)                                                                                           \
        goto again;                                                                                                    \
    if (*at == OP_I32_CONST)                                                                                           \
        goto const_i32;                                                                                                \
    NEXT(at)
#define LOCAL_WRITE(popped, note)                                                                                      \
    next = short_u32(at + 1, &n);                                                                                      \
    if (next == NULL || n >= v->local_count || !top_is(sp, base, v->locals[n]))                                        \
        goto out;                                                                                                      \
    sp -= popped;                                                                                                      \
    note;                                                                                                              \
    NEXT(next)
#define LOG_WRITE loop_log_use(&v->log, n | LOOP_USE_WRITES)
#define CONSTANT(type, behind)                                                                                         \
    next = behind;                                                                                                     \
    if (next == NULL)                                                                                                  \
        goto out;                                                                                                      \
    *sp++ = type;                                                                                                      \
    NEXT(next)

    NEXT(at);
nop:
    NEXT(at + 1);
unreachable:
    sp = base;
    vec_last(&v->frames)->unreachable = true;
    NEXT(at + 1);
if_block:
    if (!top_is(sp, base, VT_I32))
        goto out;
    t = at[1];
    if ((t != 0x40 && (t < VT_F64 || t > VT_I32)) || v->frames.len == v->frames.capacity)
        goto out;
    sp--;
    goto open;
block: /* also loop */
    t = at[1];
    if ((t != 0x40 && (t < VT_F64 || t > VT_I32)) || v->frames.len == v->frames.capacity)
        goto out;
open:
    if (*at == OP_LOOP) {
        loop_log_open(&v->log, (size_t)(at - v->r.start));
        code = codes[v->log.step];
    }
    base = sp;
    v->frames.data[v->frames.len++] = (struct frame){.op = *at,
                                                     .height = (uint32_t)(sp - v->stack),
                                                     .init_height = (uint32_t)v->initialised.len,
                                                     .single = t == 0x40 ? VT_BOTTOM : t};
    NEXT(at + 2);
else_arm:
    f = vec_last(&v->frames);
    if (f->op != OP_IF || !is_finished(v, f, sp, base))
        goto out;
    f->op = OP_ELSE;
    f->unreachable = false;
    sp = base;
    NEXT(at + 1);
end:
    f = vec_last(&v->frames);
    if (v->frames.len == 1 || (f->op == OP_IF && f->single != VT_BOTTOM) || !is_finished(v, f, sp, base))
        goto out;
    if (f->op == OP_LOOP) {
        loop_log_close(&v->log, (size_t)(at - v->r.start), v->locals);
        code = codes[v->log.step];
    }
    sp = base;
    if (f->single != VT_BOTTOM)
        *sp++ = f->single;
    v->frames.len--;
    base = v->stack + f[-1].height;
    NEXT(at + 1);
br:
    next = short_u32(at + 1, &n);
    if (next == NULL || n >= v->frames.len)
        goto out;
    t = short_label(&v->frames.data[v->frames.len - 1 - n]);
    if (t != VT_BOTTOM && !top_is(sp, base, t))
        goto out;
    sp = base;
    vec_last(&v->frames)->unreachable = true;
    NEXT(next);
br_if:
    next = short_u32(at + 1, &n);
    if (next == NULL || n >= v->frames.len)
        goto out;
    t = short_label(&v->frames.data[v->frames.len - 1 - n]);
    if (t == VT_BOTTOM ? !top_is(sp, base, VT_I32) : !top_two_are(sp, base, t, VT_I32))
        goto out;
    sp--;
    NEXT(next);
return_:
    t = short_label(&v->frames.data[0]);
    if (t != VT_BOTTOM && !top_is(sp, base, t))
        goto out;
    sp = base;
    vec_last(&v->frames)->unreachable = true;
    NEXT(at + 1);
call:
    next = short_u32(at + 1, &n);
    if (next == NULL || n >= v->m->func_count)
        goto out;
    c.sp = take_call(&v->m->types[v->m->funcs[n].type], sp, base);
    if (c.sp == NULL)
        goto out;
    sp = c.sp;
    v->log.calls++;
    NEXT(next);
call_indirect:
    next = short_u32(at + 1, &n);
    if (next == NULL || *next != 0 || !v->table0_is_plain || n >= v->m->type_count ||
        v->m->types[n].kind != TYPE_FUNC || !top_is(sp, base, VT_I32))
        goto out;
    c.sp = take_call(&v->m->types[n], sp - 1, base);
    if (c.sp == NULL)
        goto out;
    sp = c.sp;
    v->log.calls++;
    NEXT(next + 1);
drop:
    if (sp == base)
        goto out;
    sp--;
    NEXT(at + 1);
select:
    if (sp - base < 3 || sp[-1] != VT_I32 || sp[-2] != sp[-3] || !is_number(sp[-2]))
        goto out;
    sp -= 2;
    NEXT(at + 1);
local_get:
    LOCAL_GET(, local_get);
logged_local_get:
    LOCAL_GET(loop_log_use(&v->log, n), logged_local_get);
local_set:
    LOCAL_WRITE(1, );
logged_local_set:
    LOCAL_WRITE(1, LOG_WRITE);
local_tee:
    LOCAL_WRITE(0, );
logged_local_tee:
    LOCAL_WRITE(0, LOG_WRITE);
global_get:
    next = short_u32(at + 1, &n);
    if (next == NULL || n >= v->m->global_count)
        goto out;
    *sp++ = v->m->globals[n].type;
    NEXT(next);
global_set:
    next = short_u32(at + 1, &n);
    if (next == NULL || n >= v->m->global_count || !v->m->globals[n].mutable ||
        !top_is(sp, base, v->m->globals[n].type))
        goto out;
    sp--;
    NEXT(next);
const_i32:
    CONSTANT(VT_I32, skip_s32(at + 1));
const_i64:
    CONSTANT(VT_I64, skip_leb(at + 1, 9)); /* a tenth byte has rules of its own */
const_f32:
    CONSTANT(VT_F32, at + 5);
const_f64:
    CONSTANT(VT_F64, at + 9);
load_i32:
    LOAD(VT_I32, 2);
load_i64:
    LOAD(VT_I64, 3);
load_f32:
    LOAD(VT_F32, 2);
load_f64:
    LOAD(VT_F64, 3);
load8_i32:
    LOAD(VT_I32, 0);
load16_i32:
    LOAD(VT_I32, 1);
load8_i64:
    LOAD(VT_I64, 0);
load16_i64:
    LOAD(VT_I64, 1);
load32_i64:
    LOAD(VT_I64, 2);
store_i32:
    STORE(VT_I32, 2);
store_i64:
    STORE(VT_I64, 3);
store_f32:
    STORE(VT_F32, 2);
store_f64:
    STORE(VT_F64, 3);
store8_i32:
    STORE(VT_I32, 0);
store16_i32:
    STORE(VT_I32, 1);
store8_i64:
    STORE(VT_I64, 0);
store16_i64:
    STORE(VT_I64, 1);
store32_i64:
    STORE(VT_I64, 2);
i32_i32:
    UNARY(VT_I32, VT_I32);
i32_i64:
    UNARY(VT_I32, VT_I64);
i32_f32:
    UNARY(VT_I32, VT_F32);
i32_f64:
    UNARY(VT_I32, VT_F64);
i64_i32:
    UNARY(VT_I64, VT_I32);
i64_i64:
    UNARY(VT_I64, VT_I64);
i64_f64:
    UNARY(VT_I64, VT_F64);
f32_i32:
    UNARY(VT_F32, VT_I32);
f32_f32:
    UNARY(VT_F32, VT_F32);
f32_f64:
    UNARY(VT_F32, VT_F64);
f64_i32:
    UNARY(VT_F64, VT_I32);
f64_i64:
    UNARY(VT_F64, VT_I64);
f64_f32:
    UNARY(VT_F64, VT_F32);
f64_f64:
    UNARY(VT_F64, VT_F64);
i32_i32_i32:
    BINARY(VT_I32, VT_I32);
i64_i64_i32:
    BINARY(VT_I64, VT_I32);
i64_i64_i64:
    BINARY(VT_I64, VT_I64);
f32_f32_i32:
    BINARY(VT_F32, VT_I32);
f32_f32_f32:
    BINARY(VT_F32, VT_F32);
f64_f64_i32:
    BINARY(VT_F64, VT_I32);
f64_f64_f64:
    BINARY(VT_F64, VT_F64);
vector:
    c = take_vector(v, at + 1, sp, base);
    if (c.sp == NULL)
        goto out;
    sp = c.sp;
    NEXT(c.at);
out:
    v->sp = sp;
    v->base = base;
    return at;
#undef CODE
#undef IN_BOTH_TABLES
#undef LOCAL_GET
#undef LOCAL_WRITE
#undef LOG_WRITE
#undef NEXT
#undef UNARY
#undef BINARY
#undef LOAD
#undef STORE
#undef CONSTANT
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */
/* Returns whether the fast loop ran past the end of the body, which is then invalid. */
static bool validate_instructions(struct validator *v, const uint8_t *fast_end)
{
    while (v->frames.len != 0 && !v->failed) {
        const uint8_t *at = take_instructions(v, v->r.at, fast_end);
        if (at > v->r.end)
            return true;
        v->r.at = at;
        v->op_at = rd_offset(&v->r);
        if (rd_done(&v->r))
            rd_fail(&v->r, "unexpected end of section or function: END opcode expected");
        else
            validate_op(v, body_opcode(&v->r));
        if (v->r.fault != NULL)
            validator_fail(v, "%s", v->r.fault);
    }
    v->op_at = rd_offset(&v->r);
    if (!rd_done(&v->r))
        validator_fail(v, "END opcode expected at the end of the body: there are bytes behind it");
    return false;
}

/* The end of the bytes where the fast loop may start an instruction. */
static const uint8_t *fast_end_of(const struct validator *v)
{
    const struct module *m = v->m;
    const uint8_t *margin = m->len < FAST_MARGIN_BYTES ? m->bytes : m->bytes + m->len - FAST_MARGIN_BYTES;
    return v->r.end < margin ? v->r.end : margin;
}

static void begin_body(struct validator *v, uint32_t func)
{
    const struct type_def *type = &v->m->types[v->m->funcs[func].type];
    struct frame f = {.op = OP_BLOCK, .type = type};

    if (type->result_count <= 1) { /* the short form, since nothing asks the function's own block for parameters */
        f.type = NULL;
        f.single = type->result_count == 0 ? VT_BOTTOM : type->results[0];
    }
    v->r = body_of(v->m, func);
    v->op_at = rd_offset(&v->r);
    v->func = func;
    read_locals(v, type);
    if (v->r.fault != NULL)
        validator_fail(v, "%s", v->r.fault);
    v->frames.len = 0;
    v->sp = v->base = v->stack;
    vec_push(&v->frames, f);
    stack_reserve(v, 0);
    loop_log_begin(&v->log, v->local_count, rd_left(&v->r));
}

bool validate_body(struct validator *v, uint32_t func)
{
    begin_body(v, func);
    if (!v->failed && validate_instructions(v, fast_end_of(v))) {
        begin_body(v, func); /* once more without the fast loop, which cannot say where it went wrong */
        validate_instructions(v, v->r.at);
    }
    return !v->failed;
}
