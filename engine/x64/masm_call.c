/* The macro assembler on x86-64: calls. */
#include "engine/x64/masm_x64.h"

void masm_adjust_stack(struct masm *m, int32_t bytes)
{
    struct x64_enc *e = enc(m);

    for (; bytes <= -X64_PAGE_BYTES; bytes += X64_PAGE_BYTES) {
        x64_alu_imm(e, X64_W, X64_DIGIT_SUB, RSP, X64_PAGE_BYTES);
        x64_rm(e, X64_MOV_STORE | X64_W, RBP, x64_at(RSP, 0));
    }
    if (bytes != 0)
        x64_rm(e, X64_LEA | X64_W, RSP, x64_at(RSP, bytes));
}

void masm_call_function(struct masm *m, uint32_t func)
{
    masm_refer_to_function(m, x64_call32(enc(m)), func);
    masm_call_site(m);
}

static void restore_pinned(struct masm *m)
{
    x64_rm(enc(m), X64_MOV | X64_W, R15, x64_at(RBP, -8));
    x64_rm(enc(m), X64_MOV | X64_W, R14, x64_at(R15, offsetof(struct vm, memory0_base)));
}

/* Calls what the words at BASE + DISP say: code, then struct vm * (both vm_func and vm_import begin so). */
static void call_foreign(struct masm *m, reg base, int32_t disp)
{
    struct x64_enc *e = enc(m);

    _Static_assert(offsetof(struct vm_func, code) == 0 && offsetof(struct vm_func, vm) == 8, "one sequence for both");
    _Static_assert(offsetof(struct vm_import, code) == 0 && offsetof(struct vm_import, vm) == 8,
                   "one sequence for both");
    x64_rm(e, X64_MOV | X64_W, R15, x64_at(base, disp + 8));
    x64_rm(e, X64_MOV | X64_W, R14, x64_at(R15, 0));
    x64_rm(e, X64_GROUP5, X64_DIGIT_CALL, x64_at(base, disp));
    masm_call_site(m);
    restore_pinned(m);
}

void masm_call_import(struct masm *m, uint32_t func)
{
    x64_rm(enc(m), X64_MOV | X64_W, R10, x64_at(R15, offsetof(struct vm, imports)));
    call_foreign(m, R10, (int32_t)(func * sizeof(struct vm_import)));
}

/* Most functions called so are the same instance's, and then nothing need be loaded before or after: what the callee
 * does next does not wait for the loads of its own registers. */
void masm_call_ref(struct masm *m, reg func, enum trap_kind null_kind)
{
    struct x64_enc *e = enc(m);
    uint32_t jump;

    masm_compare_func_vm(m, func, null_kind);
    jump = x64_jcc32(e, CC_NE);
    x64_rm(e, X64_GROUP5, X64_DIGIT_CALL, x64_at(func, offsetof(struct vm_func, code)));
    masm_call_site(m);
    vec_push(&m->foreign_calls, (struct masm_foreign_call){jump, x64_offset(e), m->origin, m->try_number, func});
}

void x64_put_foreign_calls(struct masm *m)
{
    for (size_t i = 0; i < m->foreign_calls.len; i++) {
        const struct masm_foreign_call *call = &m->foreign_calls.data[i];
        x64_patch32(enc(m), call->jump, x64_offset(enc(m)));
        m->origin = call->origin;
        m->try_number = call->try_number;
        call_foreign(m, call->func, 0);
        x64_jmp_back(enc(m), call->back);
    }
    m->foreign_calls.len = 0;
    m->try_number = 0;
}

void masm_call_builtin(struct masm *m, enum vm_builtin builtin)
{
    x64_mov_imm(enc(m), RAX, builtin);
    x64_rm(enc(m), X64_GROUP5, X64_DIGIT_CALL, x64_at(R15, offsetof(struct vm, builtin_thunk)));
    masm_call_site(m);
}

/* --- tail calls --------------------------------------------------------------------------------------------------- */
/* The new arguments end where the old ones ended, so the return address moves by the difference. Copied from the
 * highest down: the destination lies above the source, and may reach into it. */
void masm_tail_leave(struct masm *m, uint32_t arg_bytes)
{
    struct x64_enc *e = enc(m);
    int32_t shift = (int32_t)m->pop_bytes - (int32_t)arg_bytes;

    if (shift == 0 && arg_bytes == 0) {
        x64_byte(e, 0xc9);
        return;
    }
    x64_rm(e, X64_MOV | X64_W, R10, x64_at(RBP, 8));
    x64_rm(e, X64_MOV | X64_W, X64_SCRATCH, x64_at(RBP, 0));
    for (int32_t at = (int32_t)arg_bytes - 16; at >= 0; at -= 16) {
        x64_rm(e, X64_MOVUPS, X64_VECTOR_SCRATCH, x64_at(RSP, at));
        x64_rm(e, X64_MOVUPS_STORE, X64_VECTOR_SCRATCH, x64_at(RBP, 16 + shift + at));
    }
    x64_rm(e, X64_LEA | X64_W, RSP, x64_at(RBP, 8 + shift));
    x64_rm(e, X64_MOV_STORE | X64_W, R10, x64_at(RSP, 0));
    x64_rr(e, X64_MOV | X64_W, RBP, X64_SCRATCH);
}

void masm_tail_function(struct masm *m, uint32_t func)
{
    masm_refer_to_function(m, x64_jmp32(enc(m)), func);
}

void masm_tail_ref(struct masm *m, reg func)
{
    x64_rm(enc(m), X64_GROUP5, X64_DIGIT_JMP, x64_at(func, offsetof(struct vm_func, code)));
}

/* --- references to functions -------------------------------------------------------------------------------------- */
void masm_compare_func_vm(struct masm *m, reg func, enum trap_kind null_kind)
{
    if (null_kind != TRAP_NONE)
        masm_site(m, null_kind);
    x64_rm(enc(m), X64_CMP | X64_W, R15, x64_at(func, offsetof(struct vm_func, vm)));
}

void masm_ref_address(struct masm *m, reg dst, reg reference)
{
    x64_rr(enc(m), X64_MOV, dst, reference);
    x64_rm(enc(m), X64_ADD | X64_W, dst, x64_at(R15, offsetof(struct vm, reference_space)));
}

void masm_check_func_type(struct masm *m, reg func, uint32_t type, enum trap_kind null_kind)
{
    struct x64_enc *e = enc(m);

    x64_rm(e, X64_MOV | X64_W, X64_SCRATCH, x64_at(R15, offsetof(struct vm, type_ids)));
    x64_rm(e, X64_MOV, X64_SCRATCH, x64_at(X64_SCRATCH, (int32_t)(type * 4)));
    masm_site(m, null_kind);
    x64_rm(e, X64_CMP, X64_SCRATCH, x64_at(func, offsetof(struct vm_func, type_id)));
    x64_trap_cc(m, CC_NE, TRAP_INDIRECT_CALL_TYPE_MISMATCH);
}
