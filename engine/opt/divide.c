/* i32 divisions by constants become multiplications (Granlund and Montgomery, "Division by invariant integers using
 * multiplication", 1994): modules have them as divisions, since to a compiler for Wasm one instruction looks cheap. 64-bit registers hold the
 * whole product, so its upper half costs a shift. Unsigned powers of two are fold.c's. */
#include "engine/opt/pass.h"

struct divider {
    struct ir_func *f;
    ir_value before; /* the division: all is made in front of it */
};

static ir_value emit(struct divider *d, unsigned op, uint8_t type, ir_value x, ir_value y)
{
    ir_value v = ir_append(d->f, 0, op, type, (ir_value[]){x, y}, y != IR_NONE ? 2 : 1, 0);

    ir_inst(d->f, v)->origin = ir_inst(d->f, d->before)->origin;
    ir_insert_before(d->f, v, d->before);
    return v;
}

static ir_value with_const(struct divider *d, unsigned op, ir_value x, uint64_t constant)
{
    uint8_t type = ir_inst(d->f, x)->type;
    return emit(d, op, type, x, ir_const(d->f, type, constant));
}

/* n * multiplier / 2^shift, as an i32 */
static ir_value upper_product(struct divider *d, ir_value n, bool is_signed, uint64_t multiplier, unsigned shift)
{
    ir_value wide = emit(d, is_signed ? OP_I64_EXTEND_I32_S : OP_I64_EXTEND_I32_U, VT_I64, n, IR_NONE);
    ir_value product = with_const(d, OP_I64_MUL, wide, multiplier);

    product = with_const(d, is_signed ? OP_I64_SHR_S : OP_I64_SHR_U, product, shift);
    return emit(d, OP_I32_WRAP_I64, VT_I32, product, IR_NONE);
}

static unsigned log2_up(uint32_t divisor)
{
    return divisor <= 1 ? 0 : 32 - (unsigned)__builtin_clz(divisor - 1);
}

/* The smallest multiplier and shift beyond 32 that are exact for dividends of BITS bits. */
static uint64_t choose_multiplier(uint32_t divisor, unsigned bits, unsigned *shift)
{
    unsigned log2 = log2_up(divisor);
    unsigned __int128 one = 1, low = (one << (32 + log2)) / divisor;
    unsigned __int128 high = ((one << (32 + log2)) + (one << (32 + log2 - bits))) / divisor;

    for (*shift = log2; *shift != 0 && low / 2 < high / 2; --*shift) {
        low /= 2;
        high /= 2;
    }
    return (uint64_t)high;
}

static ir_value divide_unsigned(struct divider *d, ir_value n, uint32_t divisor)
{
    unsigned shift, even = (unsigned)__builtin_ctz(divisor);
    uint64_t multiplier = choose_multiplier(divisor, 32, &shift);
    ir_value upper, rest;

    if (multiplier > UINT32_MAX && even != 0) {
        n = with_const(d, OP_I32_SHR_U, n, even);
        multiplier = choose_multiplier(divisor >> even, 32 - even, &shift);
    }
    if (multiplier <= UINT32_MAX)
        return upper_product(d, n, false, multiplier, 32 + shift);
    upper = upper_product(d, n, false, (uint32_t)multiplier, 32); /* a bit too many: (n + upper) / 2 in two steps */
    rest = with_const(d, OP_I32_SHR_U, emit(d, OP_I32_SUB, VT_I32, n, upper), 1);
    return with_const(d, OP_I32_SHR_U, emit(d, OP_I32_ADD, VT_I32, rest, upper), shift - 1);
}

static ir_value divide_signed(struct divider *d, ir_value n, int32_t divisor)
{
    uint32_t size = divisor < 0 ? 0 - (uint32_t)divisor : (uint32_t)divisor;
    unsigned shift = 32 + log2_up(size) - 1;
    ir_value quotient = upper_product(d, n, true, ((uint64_t)1 << shift) / size + 1, shift);
    ir_value sign = with_const(d, OP_I32_SHR_S, n, 31);

    return divisor < 0 ? emit(d, OP_I32_SUB, VT_I32, sign, quotient) : emit(d, OP_I32_SUB, VT_I32, quotient, sign);
}

static void expand(struct ir_func *f, ir_value v)
{
    struct divider d = {f, v};
    const struct ir_inst *i = ir_inst(f, v);
    ir_value n = i->arg[0], c = i->arg[1], quotient;
    bool is_signed = i->op == OP_I32_DIV_S || i->op == OP_I32_REM_S;
    bool remainder = i->op == OP_I32_REM_S || i->op == OP_I32_REM_U;
    uint32_t divisor = (uint32_t)ir_inst(f, c)->imm;

    quotient = is_signed ? divide_signed(&d, n, (int32_t)divisor) : divide_unsigned(&d, n, divisor);
    if (remainder)
        quotient = emit(&d, OP_I32_SUB, VT_I32, n, emit(&d, OP_I32_MUL, VT_I32, quotient, c));
    ir_replace(f, v, quotient);
}

/* Not 0, which traps, nor what is as simple as a comparison or nothing. */
static bool can_be_expanded(const struct ir_func *f, const struct ir_inst *i)
{
    uint32_t divisor;

    if (i->op < OP_I32_DIV_S || i->op > OP_I32_REM_U || i->block == 0 || !ir_is_const(f, i->arg[1]))
        return false;
    divisor = (uint32_t)ir_inst(f, i->arg[1])->imm;
    if (i->op == OP_I32_DIV_U || i->op == OP_I32_REM_U)
        return divisor != 0 && (divisor & (divisor - 1)) != 0;
    return (int32_t)divisor > 1 || ((int32_t)divisor < -1 && (int32_t)divisor != INT32_MIN);
}

void pass_divide(struct ir_func *f)
{
    size_t count = f->insts.len;
    bool changed = false;

    for (size_t v = 1; v < count; v++) {
        if (!can_be_expanded(f, &f->insts.data[v]))
            continue;
        expand(f, (ir_value)v);
        changed = true;
    }
    if (changed)
        ir_apply_copies(f);
}
