/* The macro assembler on x86-64: linear memory and fields of objects. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

void masm_field_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from,
                     enum trap_kind kind)
{
    static const uint32_t ops[] = {
        [ACCESS_8_S] = X64_MOVSX8,     [ACCESS_8_U] = X64_MOVZX8,           [ACCESS_16_S] = X64_MOVSX16,
        [ACCESS_16_U] = X64_MOVZX16,   [ACCESS_32_S] = X64_MOVSXD & ~X64_W, [ACCESS_32_U] = X64_MOV,
        [ACCESS_64] = X64_MOV | X64_W, [ACCESS_F32] = X64_MOVS_LOAD,        [ACCESS_F64] = X64_MOVS_LOAD ^ X64_DOUBLE,
        [ACCESS_V128] = X64_MOVUPS};
    bool extend = wide && (access == ACCESS_8_S || access == ACCESS_16_S || access == ACCESS_32_S);

    if (kind != TRAP_NONE)
        masm_site(m, kind);
    x64_rm(enc(m), ops[access] | x64_wide(extend), dst, x64_mem_of(from));
}

static const uint32_t store_ops[] = {
    [ACCESS_8_S] = X64_MOV8_STORE,       [ACCESS_8_U] = X64_MOV8_STORE, [ACCESS_16_S] = X64_MOV16_STORE,
    [ACCESS_16_U] = X64_MOV16_STORE,     [ACCESS_32_S] = X64_MOV_STORE, [ACCESS_32_U] = X64_MOV_STORE,
    [ACCESS_64] = X64_MOV_STORE | X64_W, [ACCESS_F32] = X64_MOVS_STORE, [ACCESS_F64] = X64_MOVS_STORE ^ X64_DOUBLE,
    [ACCESS_V128] = X64_MOVUPS_STORE};

void masm_field_store(struct masm *m, enum masm_access access, struct masm_address to, reg src, enum trap_kind kind)
{
    if (kind != TRAP_NONE)
        masm_site(m, kind);
    x64_rm(enc(m), store_ops[access], src, x64_mem_of(to));
}

void masm_memory_store_const(struct masm *m, enum masm_access access, struct masm_address to, int32_t value)
{
    struct x64_enc *e = enc(m);

    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    switch (access) {
    case ACCESS_8_S:
    case ACCESS_8_U:
        x64_rm(e, X64_MOV8_IMM8, 0, x64_mem_of(to));
        x64_imm8(e, value);
        break;
    case ACCESS_16_S:
    case ACCESS_16_U:
        x64_rm(e, X64_MOV16_IMM16, 0, x64_mem_of(to));
        x64_imm16(e, (uint16_t)value);
        break;
    default:
        assert(access == ACCESS_32_S || access == ACCESS_32_U || access == ACCESS_64);
        x64_rm(e, X64_MOV_IMM32 | x64_wide(access == ACCESS_64), 0, x64_mem_of(to));
        x64_imm32(e, (uint32_t)value);
    }
}
