/* Allocation of objects: from the run of their size class where it has a cell left, else by a call, behind the
 * function, that keeps every register. */
#include "engine/x64/masm_x64.h"
#include "engine/x64/regs.h"
#include <assert.h>

/* ADDRESS = where the object of REFERENCE lies. */
static void object_address(struct masm *m, reg address, reg reference)
{
    x64_rm(enc(m), X64_MOV | X64_W, address, x64_at(R15, offsetof(struct vm, reference_space)));
    x64_rr(enc(m), X64_ADD | X64_W, address, reference);
}

void masm_allocate(struct masm *m, uint32_t type, uint32_t length, uint32_t size_bytes, reg reference, reg address,
                   reg temporary)
{
    struct x64_enc *e = enc(m);
    uint32_t class = (size_bytes + VM_RUN_GRANULE_BYTES - 1) / VM_RUN_GRANULE_BYTES - 1, jump;
    int32_t run = (int32_t)(class * sizeof(struct vm_run)), cell = (int32_t)((class + 1) * VM_RUN_GRANULE_BYTES);

    assert(class < VM_RUN_CLASSES);
    x64_rm(e, X64_MOV | X64_W, address, x64_at(R15, offsetof(struct vm, runs)));
    x64_rm(e, X64_MOV, reference, x64_at(address, run));
    x64_rm(e, X64_LEA, temporary, x64_at(reference, cell));
    x64_rm(e, X64_CMP, temporary, x64_at(address, run + (int32_t)offsetof(struct vm_run, end)));
    jump = x64_jcc32(e, CC_A);
    x64_rm(e, X64_MOV_STORE, temporary, x64_at(address, run));
    object_address(m, address, reference);
    x64_rm(e, X64_MOV | X64_W, temporary, x64_at(R15, offsetof(struct vm, type_ids)));
    x64_rm(e, X64_MOV, temporary, x64_at(temporary, (int32_t)(type * sizeof(uint32_t))));
    x64_rm(e, X64_MOV_STORE, temporary, x64_at(address, 0));
    if (length != 0)
        masm_store_const(m, VT_I32, masm_at(address, offsetof(struct vm_object, length)), length);
    vec_push(&m->allocations,
             (struct masm_allocation){jump, x64_offset(e), m->origin, type, length, reference, address});
}

void x64_put_allocations(struct masm *m)
{
    struct x64_enc *e = enc(m);

    for (size_t i = 0; i < m->allocations.len; i++) {
        const struct masm_allocation *a = &m->allocations.data[i];
        x64_patch32(e, a->jump, x64_offset(e));
        m->origin = a->origin;
        x64_mov_imm(e, X64_SCRATCH, a->type | (uint64_t)a->length << 32);
        x64_rm(e, X64_GROUP5, X64_DIGIT_CALL, x64_at(R15, offsetof(struct vm, allocate_thunk)));
        masm_site(m, TRAP_NONE);
        x64_rr(e, X64_MOV, a->reference, X64_SCRATCH);
        object_address(m, a->address, a->reference);
        x64_jmp_back(e, a->back);
    }
    m->allocations.len = 0;
}
