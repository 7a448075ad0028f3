/* The macro assembler on aarch64: linear memory and fields of objects. */
#include "engine/a64/masm_a64.h"

void masm_field_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from,
                     enum trap_kind kind)
{
    static const uint32_t ops[][2] = {/* to 32 bits, and to 64 */
                                      [ACCESS_8_S] = {A64_LDRSB, A64_LDRSB_X},  [ACCESS_8_U] = {A64_LDRB, A64_LDRB},
                                      [ACCESS_16_S] = {A64_LDRSH, A64_LDRSH_X}, [ACCESS_16_U] = {A64_LDRH, A64_LDRH},
                                      [ACCESS_32_S] = {A64_LDR_W, A64_LDRSW},   [ACCESS_32_U] = {A64_LDR_W, A64_LDR_W},
                                      [ACCESS_64] = {A64_LDR_X, A64_LDR_X},     [ACCESS_F32] = {A64_LDR_S, A64_LDR_S},
                                      [ACCESS_F64] = {A64_LDR_D, A64_LDR_D},    [ACCESS_V128] = {A64_LDR_Q, A64_LDR_Q}};

    a64_access(m, ops[access][wide], dst, from, kind);
}

static const uint32_t store_ops[] = {
    [ACCESS_8_S] = A64_STRB,   [ACCESS_8_U] = A64_STRB,   [ACCESS_16_S] = A64_STRH, [ACCESS_16_U] = A64_STRH,
    [ACCESS_32_S] = A64_STR_W, [ACCESS_32_U] = A64_STR_W, [ACCESS_64] = A64_STR_X,  [ACCESS_F32] = A64_STR_S,
    [ACCESS_F64] = A64_STR_D,  [ACCESS_V128] = A64_STR_Q};

void masm_field_store(struct masm *m, enum masm_access access, struct masm_address to, reg src, enum trap_kind kind)
{
    a64_access(m, store_ops[access], src, to, kind);
}

void masm_memory_store_const(struct masm *m, enum masm_access access, struct masm_address to, int32_t value)
{
    bool wide = access == ACCESS_64;
    reg src = a64_constant_to_store(m, wide, wide ? (uint64_t)(int64_t)value : (uint32_t)value);

    a64_access(m, store_ops[access], src, to, TRAP_MEMORY_OUT_OF_BOUNDS);
}
