/* What is the same in the macro assembler of every architecture. */
#include "engine/baseline/masm.h"

void masm_finish(struct masm *m)
{
    m->out->code =
        (struct buf){m->code.start, (size_t)(m->code.at - m->code.start), (size_t)(m->code.end - m->code.start)};
    memset(&m->code, 0, sizeof m->code);
}

static uint32_t offset(const struct masm *m)
{
    return (uint32_t)(m->code.at - m->code.start);
}

void masm_site(struct masm *m, enum trap_kind kind)
{
    code_add_site(m->out, (struct site){offset(m), m->origin.wasm_offset, kind}, m->origin.inlining);
}

void masm_call_site(struct masm *m)
{
    masm_site(m, TRAP_NONE);
    if (m->try_number != 0)
        vec_push(&m->out->calls_in_tries, (struct code_call_in_try){offset(m), m->try_number});
}

void masm_refer_to_function(struct masm *m, uint32_t at, uint32_t func)
{
    if (func - m->first_func < m->out->entries.len)
        target_patch_call(m->code.start, at, m->out->entries.data[func - m->first_func]);
    else
        vec_push(&m->out->calls, (struct code_call){at, func});
}

struct masm_constant *masm_pool_constant(struct masm *m, uint64_t low, uint64_t high)
{
    /* a function has few; a look at the newest ones finds nearly every repetition */
    for (size_t i = m->constants.len, tries = 8; i != 0 && tries != 0; i--, tries--)
        if (m->constants.data[i - 1].low == low && m->constants.data[i - 1].high == high)
            return &m->constants.data[i - 1];
    vec_push(&m->constants, (struct masm_constant){low, high, 0});
    return vec_last(&m->constants);
}

void masm_copy(struct masm *m, uint8_t type, struct masm_address to, struct masm_address from)
{
    reg scratch = masm_scratch(type == VT_V128);
    uint8_t moved = type == VT_F32 ? VT_I32 : type == VT_F64 ? VT_I64 : type;

    masm_load(m, moved, scratch, from);
    masm_store(m, moved, to, scratch);
}
