/* The macro assembler on aarch64: calls. */
#include "engine/a64/masm_a64.h"

void masm_adjust_stack(struct masm *m, int32_t bytes)
{
    for (; bytes <= -A64_PAGE_BYTES; bytes += A64_PAGE_BYTES) {
        a64_rri(enc(m), A64_SUB_IMM | A64_X, SP, SP, 1, true);
        a64_mem(enc(m), A64_STR_X, XZR, SP, 0);
    }
    if (bytes != 0)
        a64_add_const(m, true, SP, SP, bytes);
}

void masm_call_function(struct masm *m, uint32_t func)
{
    masm_refer_to_function(m, a64_refer(enc(m), A64_BL), func);
    masm_call_site(m);
}

static void restore_pinned(struct masm *m)
{
    a64_mem(enc(m), A64_LDR_X, X28, FP, -8);
    a64_mem(enc(m), A64_LDR_X, X27, X28, offsetof(struct vm, memory0_base));
}

/* Calls what the words at BASE + DISP say: code, then struct vm * (both vm_func and vm_import begin so). */
static void call_foreign(struct masm *m, reg base, int32_t disp)
{
    _Static_assert(offsetof(struct vm_func, code) == 0 && offsetof(struct vm_func, vm) == 8, "one sequence for both");
    _Static_assert(offsetof(struct vm_import, code) == 0 && offsetof(struct vm_import, vm) == 8,
                   "one sequence for both");
    a64_load_x(m, X28, base, disp + 8);
    a64_load_x(m, A64_SCRATCH, base, disp);
    a64_mem(enc(m), A64_LDR_X, X27, X28, 0);
    a64_rr(enc(m), A64_BLR, 0, A64_SCRATCH);
    masm_call_site(m);
    restore_pinned(m);
}

void masm_call_import(struct masm *m, uint32_t func)
{
    a64_load_x(m, A64_SCRATCH, X28, offsetof(struct vm, imports));
    call_foreign(m, A64_SCRATCH, (int32_t)(func * sizeof(struct vm_import)));
}

/* Most functions called so are the same instance's, and then nothing need be loaded before or after. */
void masm_call_ref(struct masm *m, reg func, enum trap_kind null_kind)
{
    uint32_t jump;

    masm_compare_func_vm(m, func, null_kind);
    jump = a64_refer_ahead(m, A64_B_COND | CC_NE);
    a64_mem(enc(m), A64_LDR_X, A64_SCRATCH, func, offsetof(struct vm_func, code));
    a64_rr(enc(m), A64_BLR, 0, A64_SCRATCH);
    masm_call_site(m);
    vec_push(&m->foreign_calls, (struct masm_foreign_call){jump, a64_offset(enc(m)), m->origin, m->try_number, func});
}

void a64_put_foreign_calls(struct masm *m)
{
    for (size_t i = 0; i < m->foreign_calls.len; i++) {
        const struct masm_foreign_call *call = &m->foreign_calls.data[i];
        a64_bind_here(m, call->jump);
        m->origin = call->origin;
        m->try_number = call->try_number;
        call_foreign(m, call->func, 0);
        a64_jump_to(m, call->back);
    }
    m->foreign_calls.len = 0;
    m->try_number = 0;
}

void masm_call_builtin(struct masm *m, enum vm_builtin builtin)
{
    a64_mov_imm(enc(m), false, A64_SCRATCH, builtin);
    a64_mem(enc(m), A64_LDR_X, A64_ADDRESS, X28, offsetof(struct vm, builtin_thunk));
    a64_rr(enc(m), A64_BLR, 0, A64_ADDRESS);
    masm_call_site(m);
}

/* --- tail calls --------------------------------------------------------------------------------------------------- */
/* The new arguments end where the old ones ended. Copied from the highest down: the destination lies above the source,
 * and may reach into it and into this frame's two words, which are read before. */
void masm_tail_leave(struct masm *m, uint32_t arg_bytes)
{
    struct a64_enc *e = enc(m);
    int32_t shift = (int32_t)m->pop_bytes - (int32_t)arg_bytes;

    if (shift == 0 && arg_bytes == 0) {
        a64_rri(e, A64_ADD_IMM | A64_X, SP, FP, 0, false);
        a64_pair(e, A64_LDP_AFTER, FP, LR, SP, 16);
        return;
    }
    a64_mem(e, A64_LDR_X, LR, FP, 8);
    a64_mem(e, A64_LDR_X, A64_SCRATCH, FP, 0);
    for (int32_t at = (int32_t)arg_bytes - 16; at >= 0; at -= 16) {
        a64_access(m, A64_LDR_Q, A64_VECTOR_SCRATCH, masm_at(SP, at), TRAP_NONE);
        a64_access(m, A64_STR_Q, A64_VECTOR_SCRATCH, masm_at(FP, 16 + shift + at), TRAP_NONE);
    }
    a64_add_const(m, true, A64_ADDRESS, FP, 16 + shift);
    a64_rri(e, A64_ADD_IMM | A64_X, SP, A64_ADDRESS, 0, false);
    masm_move(m, VT_I64, FP, A64_SCRATCH);
}

void masm_tail_function(struct masm *m, uint32_t func)
{
    masm_refer_to_function(m, a64_refer(enc(m), A64_B), func);
}

void masm_tail_ref(struct masm *m, reg func)
{
    a64_mem(enc(m), A64_LDR_X, A64_SCRATCH, func, offsetof(struct vm_func, code));
    a64_rr(enc(m), A64_BR, 0, A64_SCRATCH);
}

/* --- references to functions -------------------------------------------------------------------------------------- */
void masm_compare_func_vm(struct masm *m, reg func, enum trap_kind null_kind)
{
    a64_access(m, A64_LDR_X, A64_SCRATCH, masm_at(func, offsetof(struct vm_func, vm)), null_kind);
    masm_compare(m, true, X28, A64_SCRATCH);
}

void masm_ref_address(struct masm *m, reg dst, reg reference)
{
    a64_mem(enc(m), A64_LDR_X, A64_SCRATCH, X28, offsetof(struct vm, reference_space));
    a64_rrr_extended(enc(m), A64_ADD | A64_X, dst, A64_SCRATCH, reference, 0);
}

void masm_check_func_type(struct masm *m, reg func, uint32_t type, enum trap_kind null_kind)
{
    a64_mem(enc(m), A64_LDR_X, A64_SCRATCH, X28, offsetof(struct vm, type_ids));
    a64_access(m, A64_LDR_W, A64_SCRATCH2, masm_at(A64_SCRATCH, (int32_t)(type * sizeof(uint32_t))), TRAP_NONE);
    a64_access(m, A64_LDR_W, A64_SCRATCH, masm_at(func, offsetof(struct vm_func, type_id)), null_kind);
    masm_compare(m, false, A64_SCRATCH, A64_SCRATCH2);
    a64_trap_cc(m, CC_NE, TRAP_INDIRECT_CALL_TYPE_MISMATCH);
}
