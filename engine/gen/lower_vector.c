/* Selecting vector instructions: by signature, as the macro assembler takes them. */
#include "engine/gen/lower.h"

static bool has_lane_immediate(unsigned op)
{
    return opcode_infos[op].immediate == IMMEDIATE_LANE;
}

static bool is_test(unsigned op)
{
    return op == OP_V128_ANY_TRUE || op == OP_I8X16_ALL_TRUE || op == OP_I16X8_ALL_TRUE || op == OP_I32X4_ALL_TRUE ||
           op == OP_I64X2_ALL_TRUE;
}

static bool is_const_operand(const struct lower *l, const struct ir_inst *i)
{
    return opcode_infos[i->op].signature == SIGNATURE_vv_v && i->op != OP_I8X16_SHUFFLE &&
           masm_vector_takes_const(i->op) && ir_is_const(l->f, i->arg[1]);
}

void lower_vector(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);
    bool shift = opcode_infos[i->op].signature == SIGNATURE_vi_v && !has_lane_immediate(i->op);

    if (is_test(i->op)) {
        m = lower_mach(MACH_SET, v, VT_I32);
        m.compare = MACH_COMPARE_VECTOR;
        m.vector = i->op;
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        lower_push_def(l, &m, v);
        return;
    }
    if (i->op == OP_I8X16_SHUFFLE) {
        m.imm = i->imm;
        memcpy(&m.imm_high, &i->arg[2], 8);
    }
    lower_use(l, &m, i->arg[0], MACH_OPERAND);
    if ((shift && ir_is_const(l->f, i->arg[1])) || is_const_operand(l, i)) {
        const struct ir_inst *c = ir_inst(l->f, i->arg[1]);
        m.form = MACH_IMM;
        m.imm = c->imm;
        memcpy(&m.imm_high, c->arg, 8);
    } else {
        for (uint32_t k = 1; k < i->arg_count; k++)
            lower_use(l, &m, i->arg[k], MACH_OPERAND);
        if (shift ||
            ((i->arg_count == 2 || i->arg_count == 1) && i->type == VT_V128 &&
             (opcode_infos[i->op].signature == SIGNATURE_v_v || opcode_infos[i->op].signature == SIGNATURE_vv_v) &&
             i->op != OP_I8X16_SHUFFLE && !masm_vector_is_direct(i->op)))
            m.temp = lower_new_vreg(l, VT_V128);
    }
    lower_push_def(l, &m, v);
}
