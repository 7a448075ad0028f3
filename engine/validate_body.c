/* Validation of function bodies: a fast loop for the instructions that programs are made of.
 *
 * The loop takes an instruction when everything is as it is in nearly all code: immediates of few bytes, operands of
 * exactly the types wanted, no feature needed. Whatever is not so goes, undecided and from its first byte, to
 * validate_op, which knows all the rules and all the messages. So the loop may refuse to take anything, but never
 * accepts what the other would not. Its state lives in local variables; immediates are read without a check for the
 * end, which the margin before the end of the module allows, and a body that ends within an instruction is noticed
 * behind it. */
#include "engine/feature.h"
#include "engine/limits.h"
#include "engine/validator.h"

enum { FAST_MARGIN_BYTES = 16 }; /* no instruction taken by the fast loop is longer */

/* --- locals --------------------------------------------------------------------------------------------------------
 */
static void add_locals(struct validator *v, valtype t, uint32_t count)
{
    uint32_t i, end = v->local_count + count;

    if (valtype_code(t) == VT_REF) {
        for (i = v->local_count; i < end; i++)
            vec_push(&v->late_locals, (struct late_local){i, t});
        t = VT_BOTTOM;
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

/* --- the fast loop --------------------------------------------------------------------------------------------------
 */
/* Reads a LEB128 u32 of at most four bytes into *VALUE; NULL if it is longer. */
static inline const uint8_t *short_u32(const uint8_t *at, uint32_t *value)
{
    uint32_t x = at[0];

    if (__builtin_expect(x < 0x80, 1)) {
        *value = x;
        return at + 1;
    }
    x = (x & 0x7f) | (uint32_t)at[1] << 7;
    if (at[1] < 0x80) {
        *value = x;
        return at + 2;
    }
    x = (x & 0x3fff) | (uint32_t)at[2] << 14;
    if (at[2] < 0x80) {
        *value = x;
        return at + 3;
    }
    x = (x & 0x1fffff) | (uint32_t)at[3] << 21;
    *value = x;
    return at[3] < 0x80 ? at + 4 : NULL;
}

static inline bool top_is(const valtype *sp, const valtype *base, valtype t)
{
    return sp > base && sp[-1] == t;
}

static inline bool top_two_are(const valtype *sp, const valtype *base, valtype below, valtype top)
{
    return sp - base >= 2 && sp[-1] == top && sp[-2] == below;
}

/* Takes instructions from AT while it can; returns where it stopped: before an instruction it did not take, or behind
 * FAST_END. V->sp is kept up to date on return. */
static const uint8_t *take_instructions(struct validator *v, const uint8_t *at, const uint8_t *fast_end)
{
    valtype *sp = v->sp;
    const valtype *const base = v->base, *const locals = v->locals;
    const uint32_t local_count = v->local_count;
    const valtype address = v->memory0_address;
    const uint8_t *next;
    uint32_t n;

#define UNARY(from, to)                                                                                                \
    if (!top_is(sp, base, from))                                                                                       \
        goto out;                                                                                                      \
    sp[-1] = to;                                                                                                       \
    at++;                                                                                                              \
    break
#define BINARY(from, to)                                                                                               \
    if (!top_two_are(sp, base, from, from))                                                                            \
        goto out;                                                                                                      \
    sp--;                                                                                                              \
    sp[-1] = to;                                                                                                       \
    at++;                                                                                                              \
    break
#define MEMARG(width)                                                                                                  \
    if (at[1] > (width) || (next = short_u32(at + 2, &n)) == NULL)                                                     \
    goto out
#define LOAD(to, width)                                                                                                \
    MEMARG(width);                                                                                                     \
    if (!top_is(sp, base, address))                                                                                    \
        goto out;                                                                                                      \
    sp[-1] = to;                                                                                                       \
    at = next;                                                                                                         \
    break
#define STORE(from, width)                                                                                             \
    MEMARG(width);                                                                                                     \
    if (!top_two_are(sp, base, address, from))                                                                         \
        goto out;                                                                                                      \
    sp -= 2;                                                                                                           \
    at = next;                                                                                                         \
    break

    while (at < fast_end) {
        switch (*at) {
        case OP_LOCAL_GET:
            next = short_u32(at + 1, &n);
            if (next == NULL || n >= local_count || locals[n] == VT_BOTTOM)
                goto out;
            *sp++ = locals[n];
            at = next;
            break;
        case OP_LOCAL_SET:
            next = short_u32(at + 1, &n);
            if (next == NULL || n >= local_count || sp == base || locals[n] == VT_BOTTOM || sp[-1] != locals[n])
                goto out;
            sp--;
            at = next;
            break;
        case OP_LOCAL_TEE:
            next = short_u32(at + 1, &n);
            if (next == NULL || n >= local_count || sp == base || locals[n] == VT_BOTTOM || sp[-1] != locals[n])
                goto out;
            at = next;
            break;
        case OP_I32_CONST:
            if ((next = short_u32(at + 1, &n)) == NULL)
                goto out;
            *sp++ = VT_I32;
            at = next;
            break;
        case OP_I64_CONST:
            if ((next = short_u32(at + 1, &n)) == NULL)
                goto out;
            *sp++ = VT_I64;
            at = next;
            break;
        case OP_F32_CONST:
            *sp++ = VT_F32;
            at += 5;
            break;
        case OP_F64_CONST:
            *sp++ = VT_F64;
            at += 9;
            break;
        case OP_DROP:
            if (sp == base)
                goto out;
            sp--;
            at++;
            break;
        case OP_I32_LOAD: LOAD(VT_I32, 2);
        case OP_I64_LOAD: LOAD(VT_I64, 3);
        case OP_F32_LOAD: LOAD(VT_F32, 2);
        case OP_F64_LOAD: LOAD(VT_F64, 3);
        case OP_I32_LOAD8_S:
        case OP_I32_LOAD8_U: LOAD(VT_I32, 0);
        case OP_I32_LOAD16_S:
        case OP_I32_LOAD16_U: LOAD(VT_I32, 1);
        case OP_I64_LOAD8_S:
        case OP_I64_LOAD8_U: LOAD(VT_I64, 0);
        case OP_I64_LOAD16_S:
        case OP_I64_LOAD16_U: LOAD(VT_I64, 1);
        case OP_I64_LOAD32_S:
        case OP_I64_LOAD32_U: LOAD(VT_I64, 2);
        case OP_I32_STORE: STORE(VT_I32, 2);
        case OP_I64_STORE: STORE(VT_I64, 3);
        case OP_F32_STORE: STORE(VT_F32, 2);
        case OP_F64_STORE: STORE(VT_F64, 3);
        case OP_I32_STORE8: STORE(VT_I32, 0);
        case OP_I32_STORE16: STORE(VT_I32, 1);
        case OP_I64_STORE8: STORE(VT_I64, 0);
        case OP_I64_STORE16: STORE(VT_I64, 1);
        case OP_I64_STORE32: STORE(VT_I64, 2);
        case OP_I32_EQZ:
        case OP_I32_CLZ ... OP_I32_POPCNT:
        case OP_I32_EXTEND8_S:
        case OP_I32_EXTEND16_S: UNARY(VT_I32, VT_I32);
        case OP_I64_CLZ ... OP_I64_POPCNT:
        case OP_I64_EXTEND8_S ... OP_I64_EXTEND32_S: UNARY(VT_I64, VT_I64);
        case OP_I64_EQZ:
        case OP_I32_WRAP_I64: UNARY(VT_I64, VT_I32);
        case OP_I64_EXTEND_I32_S:
        case OP_I64_EXTEND_I32_U: UNARY(VT_I32, VT_I64);
        case OP_F32_ABS ... OP_F32_SQRT: UNARY(VT_F32, VT_F32);
        case OP_F64_ABS ... OP_F64_SQRT: UNARY(VT_F64, VT_F64);
        case OP_I32_EQ ... OP_I32_GE_U:
        case OP_I32_ADD ... OP_I32_ROTR: BINARY(VT_I32, VT_I32);
        case OP_I64_EQ ... OP_I64_GE_U: BINARY(VT_I64, VT_I32);
        case OP_I64_ADD ... OP_I64_ROTR: BINARY(VT_I64, VT_I64);
        case OP_F32_EQ ... OP_F32_GE: BINARY(VT_F32, VT_I32);
        case OP_F32_ADD ... OP_F32_COPYSIGN: BINARY(VT_F32, VT_F32);
        case OP_F64_EQ ... OP_F64_GE: BINARY(VT_F64, VT_I32);
        case OP_F64_ADD ... OP_F64_COPYSIGN: BINARY(VT_F64, VT_F64);
        default: goto out;
        }
    }
out:
    v->sp = sp;
    return at;
#undef UNARY
#undef BINARY
#undef MEMARG
#undef LOAD
#undef STORE
}

/* --- bodies --------------------------------------------------------------------------------------------------------
 */
static void validate_instructions(struct validator *v)
{
    const uint8_t *margin = v->m->len < FAST_MARGIN_BYTES ? v->m->bytes : v->m->bytes + v->m->len - FAST_MARGIN_BYTES;
    const uint8_t *fast_end = v->r.end < margin ? v->r.end : margin;

    while (v->frames.len != 0 && !v->failed) {
        const uint8_t *at = take_instructions(v, v->r.at, fast_end);
        if (at >= v->r.end) {
            v->op_at = (size_t)(v->r.end - v->r.start);
            rd_fail(&v->r, "unexpected end of section or function: END opcode expected");
            validator_fail(v, "%s", v->r.fault);
            return;
        }
        v->r.at = at;
        v->op_at = rd_offset(&v->r);
        validate_op(v, body_opcode(&v->r));
        if (v->r.fault != NULL)
            validator_fail(v, "%s", v->r.fault);
    }
    if (!rd_done(&v->r)) {
        v->op_at = rd_offset(&v->r);
        validator_fail(v, "END opcode expected at the end of the body: there are bytes behind it");
    }
}

bool validate_body(struct validator *v, uint32_t func)
{
    const struct type_def *type = &v->m->types[v->m->funcs[func].type];
    struct frame f = {.op = OP_BLOCK, .results = type_results(type)};

    v->r = body_of(v->m, func);
    v->op_at = rd_offset(&v->r);
    v->func = func;
    read_locals(v, type);
    v->frames.len = 0;
    v->sp = v->base = v->stack;
    vec_push(&v->frames, f);
    stack_reserve(v, 0);
    if (!v->failed)
        validate_instructions(v);
    return !v->failed;
}
