/* The macro assembler on aarch64: moves between registers and memory, constants. */
#include "engine/a64/masm_a64.h"

void masm_move(struct masm *m, uint8_t type, reg dst, reg src)
{
    if (dst == src)
        return;
    if (reg_is_vector(dst))
        a64_rrr(enc(m), A64_ORR_16B, dst, src, src);
    else
        a64_rrr(enc(m), A64_ORR | a64_wide(type == VT_I64), dst, XZR, src);
}

static void load_constant(struct masm *m, uint32_t op, reg dst, uint64_t low, uint64_t high)
{
    a64_link_reference(m, &masm_pool_constant(m, low, high)->chain, a64_refer(enc(m), op | a64_field(dst)));
}

void a64_put_constants(struct masm *m)
{
    struct a64_enc *e = enc(m);

    if (m->constants.len != 0)
        a64_align_code(m);
    for (size_t i = 0; i < m->constants.len; i++) {
        const struct masm_constant *k = &m->constants.data[i];
        a64_bind_chain(m, k->chain, a64_offset(e));
        a64_word(e, (uint32_t)k->low);
        a64_word(e, (uint32_t)(k->low >> 32));
        a64_word(e, (uint32_t)k->high);
        a64_word(e, (uint32_t)(k->high >> 32));
    }
    m->constants.len = 0;
}

static void float_const(struct masm *m, bool wide, reg dst, uint64_t bits)
{
    struct a64_enc *e = enc(m);
    int eight = a64_float_bits(wide, bits);

    if (bits == 0) {
        a64_rr(e, A64_MOVI_ZERO, dst, 0);
    } else if (eight >= 0) {
        a64_rr(e, A64_FMOV_IMM | (wide ? A64_DOUBLE : 0) | (uint32_t)eight << 13, dst, 0);
    } else if (!wide || (bits & 0xffffffffffff) == 0 || m->far) {
        a64_mov_imm(e, wide, A64_ADDRESS, bits);
        a64_rr(e, wide ? A64_FMOV_FROM_X : A64_FMOV_FROM_W, dst, A64_ADDRESS);
    } else {
        load_constant(m, A64_LDR_D_LITERAL, dst, bits, 0);
    }
}

void masm_const(struct masm *m, uint8_t type, reg dst, uint64_t bits)
{
    if (reg_is_vector(dst))
        float_const(m, type == VT_F64, dst, type == VT_F64 ? bits : (uint32_t)bits);
    else
        a64_mov_imm(enc(m), type == VT_I64, dst, type == VT_I64 ? bits : (uint32_t)bits);
}

void masm_v128_const(struct masm *m, reg dst, uint64_t low, uint64_t high)
{
    struct a64_enc *e = enc(m);

    if ((low | high) == 0) {
        a64_rr(e, A64_MOVI_ZERO, dst, 0);
    } else if (!m->far) {
        load_constant(m, A64_LDR_Q_LITERAL, dst, low, high);
    } else {
        a64_mov_imm(e, true, A64_ADDRESS, low);
        a64_rr(e, A64_FMOV_FROM_X, dst, A64_ADDRESS);
        a64_mov_imm(e, true, A64_ADDRESS, high);
        a64_rr(e, A64_INS_D1, dst, A64_ADDRESS);
    }
}

reg masm_scratch(bool vector)
{
    return vector ? A64_VECTOR_SCRATCH : A64_SCRATCH;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
void a64_access(struct masm *m, uint32_t op, reg rt, struct masm_address at, enum trap_kind kind)
{
    struct a64_enc *e = enc(m);
    reg base = at.base, index = at.index;
    int32_t offset = at.disp;
    bool scaled = at.scale_log2 != 0;

    if (index != REG_NONE && (offset != 0 || (scaled && at.scale_log2 != a64_scale(op)))) {
        scaled = false;
        if (a64_offset_fits(op, offset)) {
            a64_rrr_sp(e, A64_ADD, A64_ADDRESS, base, index, at.scale_log2);
            base = A64_ADDRESS;
            index = REG_NONE;
        } else {
            a64_mov_imm(e, true, A64_ADDRESS, (uint64_t)(int64_t)offset);
            a64_rrr_shifted(e, A64_ADD | A64_X, A64_ADDRESS, A64_ADDRESS, index, at.scale_log2);
            index = A64_ADDRESS;
        }
    } else if (index == REG_NONE && !a64_offset_fits(op, offset)) {
        if (offset < 0 && offset > -4096) {
            a64_rri(e, A64_SUB_IMM | A64_X, A64_ADDRESS, base, (uint32_t)-offset, false);
            base = A64_ADDRESS;
            offset = 0;
        } else {
            a64_mov_imm(e, true, A64_ADDRESS, (uint64_t)(int64_t)offset);
            index = A64_ADDRESS;
        }
    }
    if (kind != TRAP_NONE)
        masm_site(m, kind);
    if (index == REG_NONE)
        a64_mem(e, op, rt, base, offset);
    else
        a64_mem_reg(e, op, rt, base, index, scaled);
}

void a64_load_x(struct masm *m, reg dst, reg base, int32_t disp)
{
    a64_access(m, A64_LDR_X, dst, masm_at(base, disp), TRAP_NONE);
}

void a64_address(struct masm *m, struct masm_address at)
{
    reg base = at.base;

    if (at.index != REG_NONE) {
        a64_rrr_sp(enc(m), A64_ADD, A64_ADDRESS, base, at.index, at.scale_log2);
        base = A64_ADDRESS;
    }
    a64_add_const(m, true, A64_ADDRESS, base, at.disp);
}

static uint32_t load_op(uint8_t type)
{
    switch (type) {
    case VT_I64: return A64_LDR_X;
    case VT_F32: return A64_LDR_S;
    case VT_F64: return A64_LDR_D;
    case VT_V128: return A64_LDR_Q;
    default: return A64_LDR_W;
    }
}

static uint32_t store_op(uint8_t type)
{
    switch (type) {
    case VT_I64: return A64_STR_X;
    case VT_F32: return A64_STR_S;
    case VT_F64: return A64_STR_D;
    case VT_V128: return A64_STR_Q;
    default: return A64_STR_W;
    }
}

void masm_load(struct masm *m, uint8_t type, reg dst, struct masm_address from)
{
    a64_access(m, load_op(type), dst, from, TRAP_NONE);
}

void masm_store(struct masm *m, uint8_t type, struct masm_address to, reg src)
{
    a64_access(m, store_op(type), src, to, TRAP_NONE);
}

reg a64_constant_to_store(struct masm *m, bool wide, uint64_t value)
{
    if (value == 0)
        return XZR;
    a64_mov_imm(enc(m), wide, A64_SCRATCH2, value);
    return A64_SCRATCH2;
}

void masm_store_const(struct masm *m, uint8_t type, struct masm_address to, uint64_t bits)
{
    bool wide = type == VT_I64 || type == VT_F64;

    a64_access(m, wide ? A64_STR_X : A64_STR_W, a64_constant_to_store(m, wide, wide ? bits : (uint32_t)bits), to,
               TRAP_NONE);
}

void masm_load_pointer(struct masm *m, reg dst, struct masm_address from)
{
    a64_access(m, A64_LDR_X, dst, from, TRAP_NONE);
}
