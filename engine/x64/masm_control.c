/* The macro assembler on x86-64: labels, jumps, traps, and the flags that decide. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

static const uint8_t condition_codes[] = {
    [COND_EQ] = CC_E,
    [COND_NE] = CC_NE,
    [COND_LT_S] = CC_L,
    [COND_GE_S] = CC_GE,
    [COND_LT_U] = CC_B,
    [COND_GE_U] = CC_AE,
    [COND_GT_S] = CC_G,
    [COND_LE_S] = CC_LE,
    [COND_GT_U] = CC_A,
    [COND_LE_U] = CC_BE,
    /* ucomis sets the carry when an operand is NaN; the compares for less have exchanged their operands */
    [COND_FLOAT_LT] = CC_A,
    [COND_FLOAT_NOT_LT] = CC_BE,
    [COND_FLOAT_GT] = CC_A,
    [COND_FLOAT_NOT_GT] = CC_BE,
    [COND_FLOAT_LE] = CC_AE,
    [COND_FLOAT_NOT_LE] = CC_B,
    [COND_FLOAT_GE] = CC_AE,
    [COND_FLOAT_NOT_GE] = CC_B,
};

static bool cond_is_double(enum masm_cond cond)
{
    return cond == COND_FLOAT_EQ || cond == COND_FLOAT_NE; /* needs the parity flag too */
}

void masm_bind(struct masm *m, struct masm_label *label)
{
    struct x64_enc *e = enc(m);
    uint32_t here = x64_offset(e), at = label->chain;

    while (at != 0) {
        uint32_t before;
        memcpy(&before, e->start + at, 4);
        x64_patch32(e, at, here);
        at = before;
    }
    label->at = here;
    label->chain = 0;
    m->flags.at = 0; /* they come from elsewhere too */
}

static void link_label(struct masm *m, struct masm_label *label, uint32_t at)
{
    memcpy(enc(m)->start + at, &label->chain, 4);
    label->chain = at;
}

void masm_jump(struct masm *m, struct masm_label *label)
{
    if (label->at != 0)
        x64_jmp_back(enc(m), label->at);
    else
        link_label(m, label, x64_jmp32(enc(m)));
}

static void jcc(struct masm *m, enum x64_cc cc, struct masm_label *label)
{
    if (label->at != 0)
        x64_jcc_back(enc(m), cc, label->at);
    else
        link_label(m, label, x64_jcc32(enc(m), cc));
}

void masm_branch(struct masm *m, enum masm_cond cond, struct masm_label *label)
{
    if (cond == COND_FLOAT_EQ) {
        uint32_t unordered = x64_jcc_short(enc(m), CC_P);
        jcc(m, CC_E, label);
        x64_bind_short(enc(m), unordered);
    } else if (cond == COND_FLOAT_NE) {
        jcc(m, CC_NE, label);
        jcc(m, CC_P, label);
    } else {
        jcc(m, condition_codes[cond], label);
    }
}

void masm_trap(struct masm *m, enum trap_kind kind)
{
    masm_site(m, kind);
    x64_ud2(enc(m));
}

void masm_trap_if(struct masm *m, enum masm_cond cond, enum trap_kind kind)
{
    assert(!cond_is_double(cond));
    x64_trap_cc(m, condition_codes[cond], kind);
}

void x64_trap_cc(struct masm *m, enum x64_cc cc, enum trap_kind kind)
{
    vec_push(&m->traps, (struct masm_trap){x64_jcc32(enc(m), cc), m->origin, kind});
}

/* Each entry of the table is relative to the byte behind it, like a jump, so that labels need one kind of reference. */
void masm_jump_table(struct masm *m, reg index, struct masm_label **labels, uint32_t count)
{
    struct x64_enc *e = enc(m);
    uint32_t table;

    x64_rm(e, X64_LEA | X64_W, X64_SCRATCH, x64_at(REG_NONE, 0));
    table = x64_offset(e) - 4;
    x64_rm(e, X64_LEA | X64_W, X64_SCRATCH, (struct x64_mem){X64_SCRATCH, index, 2, 0});
    x64_rm(e, X64_MOVSXD, index, x64_at(X64_SCRATCH, 0));
    x64_rm(e, X64_LEA | X64_W, index, (struct x64_mem){X64_SCRATCH, index, 0, 4});
    x64_rr(e, X64_GROUP5, X64_DIGIT_JMP, index);
    x64_patch32(e, table, x64_offset(e));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at;
        x64_reserve(e);
        at = x64_offset(e);
        x64_imm32(e, 0);
        if (labels[i]->at != 0)
            x64_patch32(e, at, labels[i]->at);
        else
            link_label(m, labels[i], at);
    }
}

/* --- flags -------------------------------------------------------------------------------------------------------- */
void masm_compare(struct masm *m, bool wide, reg a, reg b)
{
    x64_rr(enc(m), X64_CMP | x64_wide(wide), a, b);
}

void masm_compare_const(struct masm *m, bool wide, reg a, int64_t value)
{
    if ((int32_t)value == 0)
        x64_rr(enc(m), X64_TEST | x64_wide(wide), a, a);
    else
        x64_alu_imm(enc(m), x64_wide(wide), X64_DIGIT_CMP, a, (int32_t)value);
}

void masm_compare_zero(struct masm *m, bool wide, reg a)
{
    if (m->flags.at != x64_offset(enc(m)) || m->flags.result != a || m->flags.wide != wide)
        x64_rr(enc(m), X64_TEST | x64_wide(wide), a, a);
}

void masm_test(struct masm *m, bool wide, reg a, reg b)
{
    x64_rr(enc(m), X64_TEST | x64_wide(wide), a, b);
}

void masm_test_const(struct masm *m, bool wide, reg a, int64_t value)
{
    x64_rr(enc(m), X64_GROUP3 | x64_wide(wide), X64_DIGIT_TEST, a);
    x64_imm32(enc(m), (uint32_t)value);
}

void masm_compare_memory(struct masm *m, reg a, struct masm_address b)
{
    x64_rm(enc(m), X64_CMP | X64_W, a, x64_mem_of(b));
}

void masm_compare_with_memory(struct masm *m, bool wide, reg a, struct masm_address b)
{
    masm_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), X64_CMP | x64_wide(wide), a, x64_mem_of(b));
}

static void setcc(struct x64_enc *e, enum x64_cc cc, reg dst)
{
    x64_rr(e, X64_SETCC + cc, 0, dst);
}

void masm_set(struct masm *m, enum masm_cond cond, reg dst)
{
    struct x64_enc *e = enc(m);

    if (cond_is_double(cond)) {
        setcc(e, cond == COND_FLOAT_EQ ? CC_NP : CC_P, X64_SCRATCH);
        setcc(e, cond == COND_FLOAT_EQ ? CC_E : CC_NE, dst);
        x64_rr(e, cond == COND_FLOAT_EQ ? X64_AND : X64_OR, dst, X64_SCRATCH);
    } else {
        setcc(e, condition_codes[cond], dst);
    }
    x64_rr(e, X64_MOVZX8, dst, dst);
}

static void select_int(struct masm *m, uint32_t width, enum masm_cond cond, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);

    if (cond_is_double(cond)) {
        bool eq = cond == COND_FLOAT_EQ;
        x64_rr(e, X64_MOV | width, X64_SCRATCH, eq ? a : b);
        x64_cmov(e, width, CC_NE, X64_SCRATCH, eq ? b : a);
        x64_cmov(e, width, CC_P, X64_SCRATCH, eq ? b : a);
        x64_rr(e, X64_MOV | width, dst, X64_SCRATCH);
    } else if (dst == a) {
        x64_cmov(e, width, condition_codes[cond ^ 1], dst, b);
    } else {
        if (dst != b)
            x64_rr(e, X64_MOV | width, dst, b);
        x64_cmov(e, width, condition_codes[cond], dst, a);
    }
}

void masm_select(struct masm *m, uint8_t type, enum masm_cond cond, reg dst, reg a, reg b)
{
    struct masm_label done = {0};

    if (!reg_is_vector(dst)) {
        select_int(m, x64_wide(type == VT_I64), cond, dst, a, b);
    } else if (dst == b) {
        masm_branch(m, cond ^ 1, &done);
        masm_move(m, type, dst, a);
        masm_bind(m, &done);
    } else {
        masm_move(m, type, dst, a);
        masm_branch(m, cond, &done);
        masm_move(m, type, dst, b);
        masm_bind(m, &done);
    }
}
