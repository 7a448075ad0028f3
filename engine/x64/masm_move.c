/* The macro assembler on x86-64: moves between registers and the frame, constants. */
#include "engine/x64/masm_x64.h"

void masm_move(struct masm *m, uint8_t type, reg dst, reg src)
{
    if (dst == src)
        return;
    if (reg_is_vector(dst))
        x64_rr(enc(m), X64_MOVAPS, dst, src);
    else
        x64_rr(enc(m), X64_MOV | x64_wide(type == VT_I64), dst, src);
}

void x64_rm_constant(struct masm *m, uint32_t op, reg r, uint64_t low, uint64_t high)
{
    struct masm_constant *constant = masm_pool_constant(m, low, high);
    uint32_t at;

    x64_rm(enc(m), op, r, x64_at(REG_NONE, 0));
    at = x64_offset(enc(m)) - 4;
    memcpy(enc(m)->start + at, &constant->chain, 4);
    constant->chain = at;
}

void x64_put_constants(struct masm *m)
{
    struct x64_enc *e = enc(m);

    if (m->constants.len == 0)
        return;
    x64_align_code(m, target_native.code_filler);
    for (size_t i = 0; i < m->constants.len; i++) {
        const struct masm_constant *k = &m->constants.data[i];
        struct masm_label here = {0, k->chain};
        masm_bind(m, &here);
        x64_reserve(e);
        memcpy(e->at, &k->low, 8);
        memcpy(e->at + 8, &k->high, 8);
        e->at += 16;
    }
    m->constants.len = 0;
}

void masm_const(struct masm *m, uint8_t type, reg dst, uint64_t bits)
{
    if (!reg_is_vector(dst))
        x64_mov_imm(enc(m), dst, type == VT_I64 ? bits : (uint32_t)bits);
    else if (bits == 0)
        x64_rr(enc(m), X64_XORPS, dst, dst);
    else
        x64_rm_constant(m, X64_MOVS_LOAD ^ (type == VT_F64 ? X64_DOUBLE : 0), dst, bits, 0);
}

reg masm_scratch(bool vector)
{
    return vector ? X64_VECTOR_SCRATCH : X64_SCRATCH;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
/* By the last bits of a valtype's code: a value of the frame, or of a field, as a whole. */
enum { TYPE_MASK = 0x1f };

static const uint32_t load_ops[TYPE_MASK + 1] = {
    [VT_I32 & TYPE_MASK] = X64_MOV,       [VT_I64 & TYPE_MASK] = X64_MOV | X64_W,
    [VT_F32 & TYPE_MASK] = X64_MOVS_LOAD, [VT_F64 & TYPE_MASK] = X64_MOVS_LOAD ^ X64_DOUBLE,
    [VT_V128 & TYPE_MASK] = X64_MOVUPS,   [VT_REF & TYPE_MASK] = X64_MOV,
    [VT_REF_NULL & TYPE_MASK] = X64_MOV,
};
static const uint32_t store_whole_ops[TYPE_MASK + 1] = {
    [VT_I32 & TYPE_MASK] = X64_MOV_STORE,      [VT_I64 & TYPE_MASK] = X64_MOV_STORE | X64_W,
    [VT_F32 & TYPE_MASK] = X64_MOVS_STORE,     [VT_F64 & TYPE_MASK] = X64_MOVS_STORE ^ X64_DOUBLE,
    [VT_V128 & TYPE_MASK] = X64_MOVUPS_STORE,  [VT_REF & TYPE_MASK] = X64_MOV_STORE,
    [VT_REF_NULL & TYPE_MASK] = X64_MOV_STORE,
};

/* Most of what is loaded and stored are the frame's slots. */
static inline void load_or_store(struct masm *m, uint32_t op, reg r, struct masm_address at)
{
    if (at.base == RBP && at.index == REG_NONE)
        x64_frame(enc(m), op, r, at.disp);
    else
        x64_rm(enc(m), op, r, x64_mem_of(at));
}

void masm_load(struct masm *m, uint8_t type, reg dst, struct masm_address from)
{
    load_or_store(m, load_ops[type & TYPE_MASK], dst, from);
}

void masm_store(struct masm *m, uint8_t type, struct masm_address to, reg src)
{
    load_or_store(m, store_whole_ops[type & TYPE_MASK], src, to);
}

void masm_store_const(struct masm *m, uint8_t type, struct masm_address to, uint64_t bits)
{
    bool wide = type == VT_I64 || type == VT_F64;

    if (wide && !masm_const_fits((int64_t)bits)) {
        x64_mov_imm(enc(m), X64_SCRATCH, bits);
        x64_rm(enc(m), X64_MOV_STORE | X64_W, X64_SCRATCH, x64_mem_of(to));
        return;
    }
    x64_rm(enc(m), X64_MOV_IMM32 | x64_wide(wide), 0, x64_mem_of(to));
    x64_imm32(enc(m), (uint32_t)bits);
}

void masm_load_pointer(struct masm *m, reg dst, struct masm_address from)
{
    x64_rm(enc(m), X64_MOV | X64_W, dst, x64_mem_of(from));
}
