/* The atomic part of the macro assembler on aarch64, for Armv8.0: loops over exclusive loads and stores.
 *
 * Acquire on the load and release on the store, as compilers do for sequential consistency (the mapping of the C++
 * memory model that Arm publishes). The fault, if there is one, is the load's. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

/* OP, for a byte, as wide as ACCESS. */
static uint32_t sized(uint32_t op, enum masm_access access)
{
    switch (access) {
    case ACCESS_8_U: return op;
    case ACCESS_16_U: return op | 1u << 30;
    case ACCESS_32_U: return op | 2u << 30;
    default: assert(access == ACCESS_64); return op | 3u << 30;
    }
}

void masm_fence(struct masm *m)
{
    a64_word(enc(m), A64_DMB_ISH);
}

void masm_atomic_load(struct masm *m, enum masm_access access, reg dst, struct masm_address from)
{
    a64_address(m, from);
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    a64_rr(enc(m), sized(A64_LDAR, access), dst, A64_ADDRESS);
}

/* A64_ADDRESS = AT and OLD = what is there; returns where the loop begins. */
static uint32_t load_exclusive(struct masm *m, enum masm_access access, reg old, struct masm_address at)
{
    uint32_t again;

    a64_address(m, at);
    again = a64_offset(enc(m));
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    a64_rr(enc(m), sized(A64_LDAXR, access), old, A64_ADDRESS);
    return again;
}

/* Stores VALUE, or begins again; A64_SCRATCH2, which says which, is not VALUE. */
static void store_exclusive(struct masm *m, enum masm_access access, reg value, uint32_t again)
{
    a64_rrr(enc(m), sized(A64_STLXR, access), value, A64_ADDRESS, A64_SCRATCH2);
    a64_patch(enc(m), a64_refer(enc(m), A64_CBNZ | A64_SCRATCH2), again);
}

void masm_atomic_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at)
{
    uint32_t again = load_exclusive(m, access, A64_SCRATCH, at);

    store_exclusive(m, access, value, again);
    masm_move(m, VT_I64, value, A64_SCRATCH);
}

/* The new value needs a register besides the old one and the store's outcome: lr is free inside a function. */
static void update(struct masm *m, enum masm_alu op, enum masm_access access, reg old, reg value,
                   struct masm_address at)
{
    uint32_t again = load_exclusive(m, access, old, at);

    masm_alu(m, op, true, LR, old, value);
    store_exclusive(m, access, LR, again);
}

void masm_atomic_add(struct masm *m, bool subtract, enum masm_access access, reg value, struct masm_address at)
{
    update(m, subtract ? ALU_SUB : ALU_ADD, access, A64_SCRATCH, value, at);
    masm_move(m, VT_I64, value, A64_SCRATCH);
}

void masm_atomic_update(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at)
{
    update(m, op, access, A64_SCRATCH, value, at);
}

void masm_atomic_fetch(struct masm *m, enum masm_alu op, enum masm_access access, reg value, struct masm_address at)
{
    update(m, op, access, target_native.exchange, value, at);
}

/* The expected value is compared as far as the access is wide. */
void masm_atomic_compare_exchange(struct masm *m, enum masm_access access, reg value, struct masm_address at)
{
    static const uint8_t last_bits[] = {[ACCESS_8_U] = 7, [ACCESS_16_U] = 15, [ACCESS_32_U] = 31, [ACCESS_64] = 63};
    struct a64_enc *e = enc(m);
    reg exchange = target_native.exchange;
    uint32_t again, differs;

    a64_bits(e, A64_UBFM, true, exchange, exchange, 0, last_bits[access]);
    again = load_exclusive(m, access, A64_SCRATCH, at);
    masm_compare(m, true, A64_SCRATCH, exchange);
    differs = a64_skip_cc(m, CC_NE);
    store_exclusive(m, access, value, again);
    a64_bind_here(m, differs);
    masm_move(m, VT_I64, exchange, A64_SCRATCH);
}
