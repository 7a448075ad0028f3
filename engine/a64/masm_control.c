/* The macro assembler on aarch64: places in the code that refer to one another, jumps, traps, and the flags that decide. */
#include "engine/a64/masm_a64.h"

/* --- references --------------------------------------------------------------------------------------------------- */
void a64_patch_or_note(struct masm *m, uint32_t at, uint32_t target)
{
    if (!a64_patch(enc(m), at, target))
        m->too_far = true;
}

void a64_bind_here(struct masm *m, uint32_t at)
{
    a64_patch_or_note(m, at, a64_offset(enc(m)));
}

void a64_jump_to(struct masm *m, uint32_t target)
{
    a64_patch_or_note(m, a64_refer(enc(m), A64_B), target);
}

uint32_t a64_skip_cc(struct masm *m, enum a64_cc cc)
{
    return a64_refer(enc(m), A64_B_COND | cc);
}

/* The conditional jump WORD to somewhere ahead; returns what will be patched. */
uint32_t a64_refer_ahead(struct masm *m, uint32_t word)
{
    struct a64_enc *e = enc(m);
    uint32_t over;

    if (!m->far)
        return a64_refer(e, word);
    /* the opposite condition is one bit away in B_COND, CBZ and CBNZ */
    over = a64_refer(e, word ^ ((word & 0xff000000) == A64_B_COND ? 1 : 1 << 24));
    word = a64_refer(e, A64_B);
    a64_bind_here(m, over);
    return word;
}

void a64_link_reference(struct masm *m, uint32_t *chain, uint32_t at)
{
    if (*chain != 0 && !a64_patch(enc(m), at, *chain))
        m->too_far = true;
    *chain = at;
}

void a64_bind_chain(struct masm *m, uint32_t chain, uint32_t target)
{
    while (chain != 0 && !m->too_far) {
        int32_t distance = a64_distance(enc(m), chain);
        a64_patch_or_note(m, chain, target);
        chain = distance == 0 ? 0 : chain + (uint32_t)(distance * 4);
    }
}

/* --- jumps and traps ---------------------------------------------------------------------------------------------- */
static const uint8_t condition_codes[] = {
    [COND_EQ] = CC_EQ,
    [COND_NE] = CC_NE,
    [COND_LT_S] = CC_LT,
    [COND_GE_S] = CC_GE,
    [COND_LT_U] = CC_LO,
    [COND_GE_U] = CC_HS,
    [COND_GT_S] = CC_GT,
    [COND_LE_S] = CC_LE,
    [COND_GT_U] = CC_HI,
    [COND_LE_U] = CC_LS,
    /* fcmp of a NaN sets carry and overflow alone */
    [COND_FLOAT_EQ] = CC_EQ,
    [COND_FLOAT_NE] = CC_NE,
    [COND_FLOAT_LT] = CC_MI,
    [COND_FLOAT_NOT_LT] = CC_PL,
    [COND_FLOAT_GT] = CC_GT,
    [COND_FLOAT_NOT_GT] = CC_LE,
    [COND_FLOAT_LE] = CC_LS,
    [COND_FLOAT_NOT_LE] = CC_HI,
    [COND_FLOAT_GE] = CC_GE,
    [COND_FLOAT_NOT_GE] = CC_LT,
};

void masm_bind(struct masm *m, struct masm_label *label)
{
    uint32_t here = a64_offset(enc(m));

    a64_bind_chain(m, label->chain, here);
    label->at = here;
    label->chain = 0;
    m->flags.at = 0; /* they come from elsewhere too */
}

void masm_jump(struct masm *m, struct masm_label *label)
{
    uint32_t at = a64_refer(enc(m), A64_B);

    if (label->at != 0)
        a64_patch_or_note(m, at, label->at);
    else
        a64_link_reference(m, &label->chain, at);
}

/* The jump for COND: a compare with zero right before it becomes part of it. */
static uint32_t take_condition(struct masm *m, enum masm_cond cond)
{
    if (m->flags.at != a64_offset(enc(m)) || cond > COND_NE)
        return A64_B_COND | condition_codes[cond];
    m->code.at -= 4;
    m->flags.at = 0;
    return (cond == COND_EQ ? A64_CBZ : A64_CBNZ) | a64_wide(m->flags.wide) | m->flags.result;
}

void masm_branch(struct masm *m, enum masm_cond cond, struct masm_label *label)
{
    uint32_t word = take_condition(m, cond), at = a64_refer_ahead(m, word);

    if (label->at != 0)
        a64_patch_or_note(m, at, label->at);
    else
        a64_link_reference(m, &label->chain, at);
}

void masm_trap(struct masm *m, enum trap_kind kind)
{
    masm_site(m, kind);
    a64_word(enc(m), A64_UDF | kind); /* the number is for whoever reads the code */
}

void a64_trap_word(struct masm *m, uint32_t word, enum trap_kind kind)
{
    vec_push(&m->traps, (struct masm_trap){a64_refer_ahead(m, word), m->origin, kind});
}

void a64_trap_cc(struct masm *m, enum a64_cc cc, enum trap_kind kind)
{
    a64_trap_word(m, A64_B_COND | cc, kind);
}

void masm_trap_if(struct masm *m, enum masm_cond cond, enum trap_kind kind)
{
    a64_trap_word(m, take_condition(m, cond), kind);
}

/* Each entry of the table counts instructions from itself, like a jump, so that labels need one kind of reference. */
void masm_jump_table(struct masm *m, reg index, struct masm_label **labels, uint32_t count)
{
    enum { INSTRUCTIONS = 6 };
    struct a64_enc *e = enc(m);

    a64_word(e, A64_ADR | INSTRUCTIONS << 5 | A64_SCRATCH);
    a64_rrr_shifted(e, A64_ADD | A64_X, A64_SCRATCH, A64_SCRATCH, index, 2);
    a64_mem(e, A64_LDR_W, A64_ADDRESS, A64_SCRATCH, 0);
    a64_bits(e, A64_SBFM, true, A64_ADDRESS, A64_ADDRESS, 64 - 2, 25);
    a64_rrr(e, A64_ADD | A64_X, A64_SCRATCH, A64_SCRATCH, A64_ADDRESS);
    a64_rr(e, A64_BR, 0, A64_SCRATCH);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = a64_refer(e, 0);
        if (labels[i]->at != 0)
            a64_patch_or_note(m, at, labels[i]->at);
        else
            a64_link_reference(m, &labels[i]->chain, at);
    }
}

/* --- flags -------------------------------------------------------------------------------------------------------- */
void masm_compare(struct masm *m, bool wide, reg a, reg b)
{
    a64_rrr(enc(m), A64_SUBS | a64_wide(wide), XZR, a, b);
}

void masm_compare_const(struct masm *m, bool wide, reg a, int64_t value)
{
    struct a64_enc *e = enc(m);
    int64_t constant = (int32_t)value;
    uint32_t bits;
    bool shifted;

    if (constant == 0)
        masm_compare_zero(m, wide, a);
    else if (a64_fits_add((uint64_t)constant, &bits, &shifted))
        a64_rri(e, A64_SUBS_IMM | a64_wide(wide), XZR, a, bits, shifted);
    else if (a64_fits_add((uint64_t)-constant, &bits, &shifted))
        a64_rri(e, A64_ADDS_IMM | a64_wide(wide), XZR, a, bits, shifted);
    else {
        a64_mov_imm(e, wide, A64_SCRATCH, wide ? (uint64_t)constant : (uint32_t)constant);
        masm_compare(m, wide, a, A64_SCRATCH);
    }
}

void masm_compare_zero(struct masm *m, bool wide, reg a)
{
    a64_rri(enc(m), A64_SUBS_IMM | a64_wide(wide), XZR, a, 0, false);
    m->flags.at = a64_offset(enc(m));
    m->flags.result = a;
    m->flags.wide = wide;
}

void masm_test(struct masm *m, bool wide, reg a, reg b)
{
    a64_rrr(enc(m), A64_ANDS | a64_wide(wide), XZR, a, b);
}

void masm_test_const(struct masm *m, bool wide, reg a, int64_t value)
{
    uint32_t fields = a64_logical_fields((uint64_t)value, wide);

    if (fields != A64_NO_FIELDS) {
        a64_logical(enc(m), A64_ANDS_IMM | a64_wide(wide), XZR, a, fields);
        return;
    }
    a64_mov_imm(enc(m), wide, A64_SCRATCH, wide ? (uint64_t)value : (uint32_t)value);
    masm_test(m, wide, a, A64_SCRATCH);
}

void masm_compare_memory(struct masm *m, reg a, struct masm_address b)
{
    a64_access(m, A64_LDR_X, A64_SCRATCH, b, TRAP_NONE);
    masm_compare(m, true, a, A64_SCRATCH);
}

void masm_compare_with_memory(struct masm *m, bool wide, reg a, struct masm_address b)
{
    a64_access(m, wide ? A64_LDR_X : A64_LDR_W, A64_SCRATCH, b, TRAP_MEMORY_OUT_OF_BOUNDS);
    masm_compare(m, wide, a, A64_SCRATCH);
}

void masm_set(struct masm *m, enum masm_cond cond, reg dst)
{
    a64_rrr_cc(enc(m), A64_CSINC, dst, XZR, XZR, condition_codes[cond] ^ 1);
}

void masm_select(struct masm *m, uint8_t type, enum masm_cond cond, reg dst, reg a, reg b)
{
    struct masm_label no = {0}, end = {0};

    if (type != VT_V128) {
        uint32_t op =
            !reg_is_vector(dst) ? A64_CSEL | a64_wide(type == VT_I64) : A64_FCSEL | (type == VT_F64 ? A64_DOUBLE : 0);
        a64_rrr_cc(enc(m), op, dst, a, b, condition_codes[cond]);
        return;
    }
    masm_branch(m, cond ^ 1, &no);
    masm_move(m, type, dst, a);
    masm_jump(m, &end);
    masm_bind(m, &no);
    masm_move(m, type, dst, b);
    masm_bind(m, &end);
}
