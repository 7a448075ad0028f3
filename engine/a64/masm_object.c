/* Allocation of objects: from the run of their size class where it has a cell left, else by a call, behind the
 * function, that keeps every register. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

void masm_allocate(struct masm *m, uint32_t type, uint32_t length, uint32_t size_bytes, reg reference, reg address,
                   reg temporary)
{
    struct a64_enc *e = enc(m);
    uint32_t class = (size_bytes + VM_RUN_GRANULE_BYTES - 1) / VM_RUN_GRANULE_BYTES - 1;
    int32_t run = (int32_t)(class * sizeof(struct vm_run));
    uint32_t jump;

    assert(class < VM_RUN_CLASSES);
    a64_load_x(m, address, X28, offsetof(struct vm, runs));
    a64_mem(e, A64_LDR_W, reference, address, run);
    a64_mem(e, A64_LDR_W, A64_SCRATCH, address, run + (int32_t)offsetof(struct vm_run, end));
    a64_add_const(m, false, temporary, reference, (int32_t)((class + 1) * VM_RUN_GRANULE_BYTES));
    masm_compare(m, false, temporary, A64_SCRATCH);
    jump = a64_refer_ahead(m, A64_B_COND | CC_HI);
    a64_mem(e, A64_STR_W, temporary, address, run);
    masm_ref_address(m, address, reference);
    a64_load_x(m, temporary, X28, offsetof(struct vm, type_ids));
    a64_access(m, A64_LDR_W, temporary, masm_at(temporary, (int32_t)(type * sizeof(uint32_t))), TRAP_NONE);
    a64_mem(e, A64_STR_W, temporary, address, 0);
    if (length != 0)
        masm_store_const(m, VT_I32, masm_at(address, offsetof(struct vm_object, length)), length);
    vec_push(&m->allocations,
             (struct masm_allocation){jump, a64_offset(e), m->origin, type, length, reference, address});
}

void a64_put_allocations(struct masm *m)
{
    struct a64_enc *e = enc(m);

    for (size_t i = 0; i < m->allocations.len; i++) {
        const struct masm_allocation *a = &m->allocations.data[i];
        a64_bind_here(m, a->jump);
        m->origin = a->origin;
        a64_mov_imm(e, true, A64_SCRATCH, a->type | (uint64_t)a->length << 32);
        a64_load_x(m, A64_ADDRESS, X28, offsetof(struct vm, allocate_thunk));
        a64_rr(e, A64_BLR, 0, A64_ADDRESS);
        masm_site(m, TRAP_NONE);
        masm_zero_extend(m, a->reference, A64_SCRATCH);
        masm_ref_address(m, a->address, a->reference);
        a64_jump_to(m, a->back);
    }
    m->allocations.len = 0;
}
