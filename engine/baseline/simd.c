/* Vectors. What an instruction takes and gives is its signature in opcodes.h; what it does is the macro assembler's
 * business. */
#include "engine/baseline/compiler.h"
#include <assert.h>

static reg temporary(struct compiler *c, enum opcode op)
{
    return masm_vector_is_direct(op) ? REG_NONE : vstack_alloc(c, true);
}

static void unary(struct compiler *c, enum opcode op)
{
    struct operand a = vstack_pop(c);
    reg t = temporary(c, op), dst = vstack_destination(c, VT_V128, &a, NULL);

    masm_vector_unary(&c->m, op, dst, a.reg, t);
    vstack_push_result(c, VT_V128, dst);
}

static void binary(struct compiler *c, enum opcode op)
{
    const uint8_t *lanes = op == OP_I8X16_SHUFFLE ? body_v128(&c->body) : NULL;
    struct operand b = vstack_pop(c), a = vstack_pop(c);
    reg t = temporary(c, op), dst = vstack_destination(c, VT_V128, &a, &b);

    if (lanes != NULL)
        masm_shuffle(&c->m, dst, a.reg, b.reg, lanes);
    else
        masm_vector_binary(&c->m, op, dst, a.reg, b.reg, t);
    vstack_push_result(c, VT_V128, dst);
}

static void ternary(struct compiler *c, enum opcode op)
{
    struct operand third = vstack_pop(c), b = vstack_pop(c), a = vstack_pop(c);
    reg dst = vstack_destination(c, VT_V128, &a, &b);

    masm_vector_ternary(&c->m, op, dst, a.reg, b.reg, third.reg);
    vstack_push_result(c, VT_V128, dst);
}

static void shift(struct compiler *c, enum opcode op)
{
    struct operand count = {REG_NONE, false}, a;
    uint64_t bits = vstack_top(c)->bits;
    bool constant = vstack_top_is_const(c);
    reg t, dst;

    if (constant)
        vstack_drop(c);
    else
        count = vstack_pop(c);
    a = vstack_pop(c);
    t = constant ? REG_NONE : vstack_alloc(c, true);
    dst = vstack_destination(c, VT_V128, &a, NULL);
    if (constant)
        masm_vector_shift_const(&c->m, op, dst, a.reg, (unsigned)bits);
    else
        masm_vector_shift(&c->m, op, dst, a.reg, count.reg, t);
    vstack_push_result(c, VT_V128, dst);
}

static void replace_lane(struct compiler *c, enum opcode op)
{
    unsigned lane = rd_u8(&c->body);
    struct operand b = vstack_pop(c), a = vstack_pop(c);
    reg dst = vstack_destination(c, VT_V128, &a, NULL);

    masm_replace_lane(&c->m, op, dst, a.reg, b.reg, lane);
    vstack_push_result(c, VT_V128, dst);
}

static void extract_lane(struct compiler *c, enum opcode op, uint8_t type)
{
    unsigned lane = rd_u8(&c->body);
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, type, &a, NULL);

    masm_extract_lane(&c->m, op, dst, a.reg, lane);
    vstack_push_result(c, type, dst);
}

static void splat(struct compiler *c, enum opcode op)
{
    struct operand a = vstack_pop(c);
    reg dst = vstack_destination(c, VT_V128, &a, NULL);

    masm_splat(&c->m, op, dst, a.reg);
    vstack_push_result(c, VT_V128, dst);
}

static void to_int(struct compiler *c, enum opcode op)
{
    struct operand a = vstack_pop(c);
    reg dst;

    switch (op) {
    case OP_I8X16_BITMASK:
    case OP_I16X8_BITMASK:
    case OP_I32X4_BITMASK:
    case OP_I64X2_BITMASK:
        dst = vstack_destination(c, VT_I32, NULL, NULL);
        masm_bitmask(&c->m, op, dst, a.reg);
        vstack_push_result(c, VT_I32, dst);
        break;
    default: numeric_push_condition(c, masm_vector_test(&c->m, op, a.reg));
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
static unsigned bytes_of(enum opcode op)
{
    return 1u << opcode_infos[op].width_log2;
}

static void load(struct compiler *c, enum opcode op)
{
    struct memarg arg = read_memarg(&c->body);
    struct masm_address from = memory_address(c, &arg, bytes_of(op));
    reg dst = vstack_destination(c, VT_V128, NULL, NULL);

    masm_vector_load(&c->m, op, dst, from);
    vstack_push_result(c, VT_V128, dst);
}

static void store(struct compiler *c)
{
    struct memarg arg = read_memarg(&c->body);
    struct operand value = vstack_pop(c);

    masm_memory_store(&c->m, ACCESS_V128, memory_address(c, &arg, 16), value.reg);
}

static void load_lane(struct compiler *c, enum opcode op)
{
    struct memarg arg = read_memarg(&c->body);
    unsigned lane = rd_u8(&c->body);
    struct operand a = vstack_pop(c);
    struct masm_address from = memory_address(c, &arg, bytes_of(op));
    reg dst = vstack_destination(c, VT_V128, &a, NULL);

    masm_vector_load_lane(&c->m, op, dst, a.reg, from, lane);
    vstack_push_result(c, VT_V128, dst);
}

static void store_lane(struct compiler *c, enum opcode op)
{
    struct memarg arg = read_memarg(&c->body);
    unsigned lane = rd_u8(&c->body);
    struct operand a = vstack_pop(c);

    masm_vector_store_lane(&c->m, op, a.reg, memory_address(c, &arg, bytes_of(op)), lane);
}

static bool is_vector(enum opcode op)
{
    return (unsigned)op >= OPCODE_SPACE_VECTOR && (unsigned)op < OPCODE_SPACE_ATOMIC;
}

/* The next instruction, then taken as read, if it can have a constant as its second operand; else OP_ILLEGAL. */
static enum opcode take_user_of_const(struct compiler *c)
{
    struct rd ahead = c->body;
    enum opcode op = body_opcode(&ahead);

    if (!is_vector(op) || !masm_vector_takes_const(op))
        return OP_ILLEGAL;
    c->body = ahead;
    return op;
}

static void constant(struct compiler *c)
{
    const uint8_t *bytes = body_v128(&c->body);
    enum opcode user = take_user_of_const(c);
    struct operand a;
    uint64_t halves[2];
    reg dst;

    memcpy(halves, bytes, sizeof halves);
    if (user != OP_ILLEGAL) {
        a = vstack_pop(c);
        dst = vstack_destination(c, VT_V128, &a, NULL);
        masm_vector_binary_const(&c->m, user, dst, a.reg, halves[0], halves[1]);
    } else {
        dst = vstack_destination(c, VT_V128, NULL, NULL);
        masm_v128_const(&c->m, dst, halves[0], halves[1]);
    }
    vstack_push_result(c, VT_V128, dst);
}

bool vector_op(struct compiler *c, enum opcode op)
{
    bool lane = opcode_infos[op].immediate == IMMEDIATE_LANE;

    if (!is_vector(op))
        return false;
    switch ((enum signature_id)opcode_infos[op].signature) {
    case SIGNATURE__v: constant(c); break;
    case SIGNATURE_v_v: unary(c, op); break;
    case SIGNATURE_vv_v: binary(c, op); break;
    case SIGNATURE_vvv_v: ternary(c, op); break;
    case SIGNATURE_i_v:
    case SIGNATURE_I_v:
    case SIGNATURE_f_v:
    case SIGNATURE_F_v: splat(c, op); break;
    case SIGNATURE_v_i:
        if (lane)
            extract_lane(c, op, VT_I32);
        else
            to_int(c, op);
        break;
    case SIGNATURE_v_I: extract_lane(c, op, VT_I64); break;
    case SIGNATURE_v_f: extract_lane(c, op, VT_F32); break;
    case SIGNATURE_v_F: extract_lane(c, op, VT_F64); break;
    case SIGNATURE_vi_v:
        if (lane)
            replace_lane(c, op);
        else
            shift(c, op);
        break;
    case SIGNATURE_vI_v:
    case SIGNATURE_vf_v:
    case SIGNATURE_vF_v: replace_lane(c, op); break;
    case SIGNATURE_a_v: load(c, op); break;
    case SIGNATURE_av_v: load_lane(c, op); break;
    case SIGNATURE_av_:
        if (op == OP_V128_STORE)
            store(c);
        else
            store_lane(c, op);
        break;
    default: assert(!"a vector instruction has one of these signatures");
    }
    return true;
}
