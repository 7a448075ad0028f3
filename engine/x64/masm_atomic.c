/* The atomic part of the macro assembler on x86-64.
 *
 * Ordinary loads and stores are acquire and release; sequential consistency needs the stores to be exchanges, which
 * lock (Intel SDM vol. 3, 9.2). Aligned accesses of up to 8 bytes are single. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

static const uint8_t lock = 0xf0;

/* How an instruction of OP on 32 bits is encoded for ACCESS; its 8-bit form is the opcode below. */
static uint32_t sized(uint32_t op, enum masm_access access)
{
    switch (access) {
    case ACCESS_8_U: return (op - 1) | X64_REG8;
    case ACCESS_16_U: return op | X64_66;
    case ACCESS_32_U: return op;
    default: assert(access == ACCESS_64); return op | X64_W;
    }
}

static void zero_extend(struct masm *m, enum masm_access access, reg r)
{
    if (access == ACCESS_8_U)
        x64_rr(enc(m), X64_MOVZX8, r, r);
    else if (access == ACCESS_16_U)
        x64_rr(enc(m), X64_MOVZX16, r, r);
}

static void locked(struct masm *m, uint32_t op, enum masm_access access, reg r, struct masm_address at)
{
    x64_byte(enc(m), lock);
    x64_rm(enc(m), sized(op, access), r, x64_mem_of(at));
}

void masm_fence(struct masm *m)
{
    static const uint8_t mfence[] = {0x0f, 0xae, 0xf0};
    for (unsigned i = 0; i < sizeof mfence; i++)
        x64_byte(enc(m), mfence[i]);
}

void masm_atomic_load(struct masm *m, enum masm_access access, reg dst, struct masm_address from)
{
    masm_memory_load(m, access, access == ACCESS_64, dst, from);
}

void masm_atomic_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at)
{
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), sized(X64_XCHG, access), value, x64_mem_of(at));
    zero_extend(m, access, value);
}

void masm_atomic_add(struct masm *m, bool subtract, enum masm_access access, reg value, struct masm_address at)
{
    if (subtract)
        x64_rr(enc(m), X64_GROUP3 | x64_wide(access == ACCESS_64), X64_DIGIT_NEG, value);
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    locked(m, X64_XADD_STORE, access, value, at);
    zero_extend(m, access, value);
}

static uint32_t alu_op(enum masm_alu op)
{
    static const uint8_t ops[] = {
        [ALU_ADD] = X64_ADD, [ALU_SUB] = X64_SUB, [ALU_AND] = X64_AND, [ALU_OR] = X64_OR, [ALU_XOR] = X64_XOR};
    assert(op < sizeof ops);
    return ops[op];
}

void masm_atomic_update(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at)
{
    enum { TO_MEMORY = 2 }; /* from "reg, r/m" to "r/m, reg" */

    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    locked(m, alu_op(op) - TO_MEMORY, access, value, at);
}

/* A failed compare-exchange has loaded the newer value; the upper part of a narrow one stays zero from the first load. */
void masm_atomic_fetch(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at)
{
    uint32_t again;

    masm_memory_load(m, access, access == ACCESS_64, RAX, at);
    again = x64_offset(enc(m));
    x64_rr(enc(m), X64_MOV | X64_W, X64_SCRATCH, RAX);
    x64_rr(enc(m), alu_op(op) | X64_W, X64_SCRATCH, value);
    locked(m, X64_CMPXCHG_STORE, access, X64_SCRATCH, at);
    x64_jcc_back(enc(m), CC_NE, again);
}

void masm_atomic_compare_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at)
{
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    locked(m, X64_CMPXCHG_STORE, access, value, at);
    if (access == ACCESS_32_U) /* success leaves the upper half of rax as it was */
        x64_rr(enc(m), X64_MOV, RAX, RAX);
    zero_extend(m, access, RAX);
}
