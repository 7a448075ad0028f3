/* The macro assembler of baseline/masm.h on aarch64: functions, control, moves, integers, memory, calls.
 * Floats are in masm_float.c. x15, x16, x17 and v31 are used freely inside one operation and hold nothing between two;
 * x16 and v31 are masm_scratch, so moves, loads and stores leave them alone.
 *
 * Conditional jumps and constants behind the function reach 1 MiB. When something does not, masm_end forgets the
 * function, and the next try jumps over unconditional jumps (128 MiB) and makes constants from pieces. */
#include "engine/a64/masm_a64.h"
#include <assert.h>

const struct target target_native = {
    .name = "aarch64",
    .ints = 0x7fff << X0 | 0xff << X19,
    .vectors = (regset)0x3fffffff << V0,
    .int_homes = (0x7fff & ~(1 << X9)) << X0 | 0xff << X19,
    .vector_homes = (regset)0x3fffff00 << V0,
    .vm = X28,
    .memory0 = X27,
    .frame = FP,
    .stack = SP,
    .shift_count = REG_NONE,
    .quotient = REG_NONE,
    .remainder = REG_NONE,
    .exchange = X9,
    .callee = X9,
    .int_args = {X0, X1, X2, X3, X4, X5},
    .int_results = {X0, X1, X2, X3, X4, X5},
    .vector_args = {V0, V1, V2, V3, V4, V5, V6, V7},
    .builtin_args = {X1, X2, X3, X4},
    .builtin_result = X0,
    .code_bytes_max = 128 << 20, /* how far a call reaches */
    .code_filler = 0,            /* udf */
};

_Static_assert(sizeof(((struct masm *)0)->code) == sizeof(struct a64_enc), "masm.h repeats struct a64_enc");

void masm_init(struct masm *m, struct code_object *out, uint32_t features, uint32_t first_func)
{
    memset(m, 0, sizeof *m);
    m->first_func = first_func;
    m->code.start = m->code.at = out->code.data;
    m->code.end = out->code.data + out->code.capacity;
    out->code = (struct buf){0};
    m->out = out;
    m->features = features;
}

void target_patch_call(uint8_t *code, uint32_t at, uint32_t target)
{
    struct a64_enc e = {code, code, code};
    a64_patch(&e, at, target); /* code_bytes_max: it reaches */
}

void masm_finish(struct masm *m)
{
    struct a64_enc *e = enc(m);

    m->out->code = (struct buf){e->start, (size_t)(e->at - e->start), (size_t)(e->end - e->start)};
    memset(&m->code, 0, sizeof m->code);
}

void a64_site(struct masm *m, enum trap_kind kind)
{
    code_add_site(m->out, (struct site){a64_offset(enc(m)), m->origin.wasm_offset, kind}, m->origin.inlining);
}

/* At the return address of a call. */
static void call_site(struct masm *m)
{
    a64_site(m, TRAP_NONE);
    if (m->try_number != 0)
        vec_push(&m->out->calls_in_tries, (struct code_call_in_try){a64_offset(enc(m)), m->try_number});
}

/* --- references --------------------------------------------------------------------------------------------------- */
static void patch(struct masm *m, uint32_t at, uint32_t target)
{
    if (!a64_patch(enc(m), at, target))
        m->too_far = true;
}

void a64_bind_here(struct masm *m, uint32_t at)
{
    patch(m, at, a64_offset(enc(m)));
}

void a64_jump_to(struct masm *m, uint32_t target)
{
    patch(m, a64_refer(enc(m), A64_B), target);
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

/* Puts reference AT before the others of the chain. */
static void link_reference(struct masm *m, uint32_t *chain, uint32_t at)
{
    if (*chain != 0 && !a64_patch(enc(m), at, *chain))
        m->too_far = true;
    *chain = at;
}

static void bind_chain(struct masm *m, uint32_t chain, uint32_t target)
{
    while (chain != 0 && !m->too_far) {
        int32_t distance = a64_distance(enc(m), chain);
        patch(m, chain, target);
        chain = distance == 0 ? 0 : chain + (uint32_t)(distance * 4);
    }
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
enum { PAGE_BYTES = 4096, PAGE_LOG2 = 12 };

static void align_code(struct masm *m)
{
    while (a64_offset(enc(m)) % CODE_ALIGN != 0)
        a64_word(enc(m), A64_UDF);
}

void masm_align_loop(struct masm *m)
{
    while (a64_offset(enc(m)) % CODE_ALIGN != 0)
        a64_word(enc(m), A64_NOP);
}

static void note_start(struct masm *m)
{
    if (m->before.noted)
        return;
    m->before.noted = true;
    m->before.code = a64_offset(enc(m));
    m->before.entries = m->out->entries.len;
    m->before.calls = m->out->calls.len;
    m->before.site_blocks = m->out->site_blocks.len;
    m->before.sites = m->out->sites.len;
    m->before.inlinings = m->out->inlinings.len;
    m->before.inlined_sites = m->out->inlined_sites.len;
    m->before.calls_in_tries = m->out->calls_in_tries.len;
    m->before.tries = m->out->tries.len;
    m->before.catches = m->out->catches.len;
}

static uint32_t begin(struct masm *m, uint32_t pop_bytes, bool leaf)
{
    struct a64_enc *e = enc(m);
    uint32_t entry;

    align_code(m);
    note_start(m);
    m->flags.at = 0;
    entry = a64_offset(e);
    a64_pair(e, A64_STP_BEFORE, FP, LR, SP, -16);
    a64_rri(e, A64_ADD_IMM | A64_X, FP, SP, 0, false);
    m->frame_patch = leaf ? 0 : a64_offset(e);
    if (!leaf)
        a64_rri(e, A64_SUB_IMM | A64_X, SP, SP, 0, false);
    a64_mem(e, A64_STR_X, X28, FP, -8);
    m->pop_bytes = pop_bytes;
    return entry;
}

/* The slots and the code begin with pages, and everything is mapped so: the look is at a page, then at a place in it.
 * 16 bytes, filled in by target_patch_look. */
uint32_t masm_replaceable(struct masm *m)
{
    struct a64_enc *e = enc(m);
    uint32_t entry;

    align_code(m);
    note_start(m);
    entry = a64_offset(e);
    a64_word(e, A64_ADRP | A64_SCRATCH);
    a64_mem(e, A64_LDR_W, A64_SCRATCH, A64_SCRATCH, 0);
    a64_word(e, A64_CBZ | A64_SCRATCH | 2 << 5);
    a64_word(e, A64_B);
    return entry;
}

static void set_page(struct a64_enc *e, uint32_t at, int32_t pages)
{
    uint32_t word = A64_ADRP | ((uint32_t)pages & 3) << 29 | ((uint32_t)(pages >> 2) & 0x7ffff) << 5;
    uint32_t before;

    memcpy(&before, e->start + at, sizeof before);
    word |= before & 31;
    memcpy(e->start + at, &word, sizeof word);
}

void target_patch_look(uint8_t *code, uint32_t entry, int32_t slot, uint32_t stub)
{
    struct a64_enc e = {code, code + entry + 4, code + entry + 16};

    set_page(&e, entry, (slot >> PAGE_LOG2) - (int32_t)(entry >> PAGE_LOG2));
    a64_mem(&e, A64_LDR_W, A64_SCRATCH, A64_SCRATCH, slot & (PAGE_BYTES - 1));
    a64_patch(&e, entry + 12, stub);
}

void target_put_stub(uint8_t *code, uint32_t stub)
{
    struct a64_enc e = {code, code + stub, code + stub + TARGET_STUB_BYTES};

    a64_word(&e, A64_ADRP | A64_ADDRESS);
    set_page(&e, stub, -(int32_t)(stub >> PAGE_LOG2));
    a64_rrr(&e, A64_ADD | A64_X | 1u << 21 | 6u << 13, A64_SCRATCH, A64_ADDRESS, A64_SCRATCH); /* sign-extended */
    a64_rr(&e, A64_BR, 0, A64_SCRATCH);
    a64_word(&e, A64_UDF);
}

uint32_t masm_begin(struct masm *m, uint32_t pop_bytes)
{
    return begin(m, pop_bytes, false);
}

uint32_t masm_begin_leaf(struct masm *m, uint32_t pop_bytes)
{
    return begin(m, pop_bytes, true);
}

/* A frame of a page or more is made page by page, each touched, so that it cannot step over the guard page. */
static void emit_probe(struct masm *m, uint32_t frame_bytes)
{
    struct a64_enc *e = enc(m);
    uint32_t jump = A64_B, loop;

    memcpy(e->start + m->frame_patch, &jump, sizeof jump);
    a64_bind_here(m, m->frame_patch);
    a64_mov_imm(e, true, A64_SCRATCH, frame_bytes / PAGE_BYTES);
    loop = a64_offset(e);
    a64_rri(e, A64_SUB_IMM | A64_X, SP, SP, 1, true);
    a64_mem(e, A64_STR_X, XZR, SP, 0);
    a64_rri(e, A64_SUB_IMM | A64_X, A64_SCRATCH, A64_SCRATCH, 1, false);
    patch(m, a64_refer(e, A64_CBNZ | A64_X | A64_SCRATCH), loop);
    a64_rri(e, A64_SUB_IMM | A64_X, SP, SP, frame_bytes % PAGE_BYTES, false);
    a64_jump_to(m, m->frame_patch + 4);
}

static void emit_traps(struct masm *m)
{
    for (size_t i = 0; i < m->traps.len; i++) {
        const struct masm_trap *t = &m->traps.data[i];
        a64_bind_here(m, t->jump);
        m->origin = t->origin;
        masm_trap(m, t->kind);
    }
    m->traps.len = 0;
}

static void emit_constants(struct masm *m)
{
    struct a64_enc *e = enc(m);

    if (m->constants.len != 0)
        align_code(m);
    for (size_t i = 0; i < m->constants.len; i++) {
        const struct masm_constant *k = &m->constants.data[i];
        bind_chain(m, k->chain, a64_offset(e));
        a64_word(e, (uint32_t)k->low);
        a64_word(e, (uint32_t)(k->low >> 32));
        a64_word(e, (uint32_t)k->high);
        a64_word(e, (uint32_t)(k->high >> 32));
    }
    m->constants.len = 0;
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
    call_site(m);
    restore_pinned(m);
}

static void emit_foreign_calls(struct masm *m)
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

static void forget_function(struct masm *m)
{
    m->code.at = m->code.start + m->before.code;
    m->out->entries.len = m->before.entries;
    m->out->calls.len = m->before.calls;
    m->out->site_blocks.len = m->before.site_blocks;
    m->out->sites.len = m->before.sites;
    m->out->inlinings.len = m->before.inlinings;
    m->out->inlined_sites.len = m->before.inlined_sites;
    m->out->calls_in_tries.len = m->before.calls_in_tries;
    m->out->tries.len = m->before.tries;
    m->out->catches.len = m->before.catches;
}

bool masm_end(struct masm *m, uint32_t frame_bytes)
{
    bool again;

    if (m->frame_patch == 0) {
        assert(frame_bytes <= MASM_LEAF_BYTES);
    } else if (frame_bytes < PAGE_BYTES) {
        uint32_t word = A64_SUB_IMM | A64_X | frame_bytes << 10 | (uint32_t)SP << 5 | SP;
        memcpy(m->code.start + m->frame_patch, &word, sizeof word);
    } else {
        emit_probe(m, frame_bytes);
    }
    emit_traps(m);
    emit_foreign_calls(m);
    a64_put_allocations(m);
    emit_constants(m);
    again = m->too_far && !m->far; /* what is too far even then exceeds code_bytes_max */
    if (again)
        forget_function(m);
    m->before.noted = false;
    m->far = again;
    m->too_far = false;
    return !again;
}

void masm_return(struct masm *m)
{
    struct a64_enc *e = enc(m);

    a64_rri(e, A64_ADD_IMM | A64_X, SP, FP, 0, false);
    a64_pair(e, A64_LDP_AFTER, FP, LR, SP, 16);
    if (m->pop_bytes != 0)
        a64_add_const(m, true, SP, SP, m->pop_bytes);
    a64_rr(e, A64_RET, 0, LR);
}

void masm_zero_slots(struct masm *m, int32_t from, uint32_t slots)
{
    enum { STRAIGHT_PAIRS = 32 };
    struct a64_enc *e = enc(m);
    uint32_t pairs = slots / 2, loop;

    a64_address(m, masm_at(FP, from));
    if (pairs > STRAIGHT_PAIRS) {
        a64_mov_imm(e, true, A64_SCRATCH, pairs);
        loop = a64_offset(e);
        a64_pair(e, A64_STP_AFTER, XZR, XZR, A64_ADDRESS, 16);
        a64_rri(e, A64_SUB_IMM | A64_X, A64_SCRATCH, A64_SCRATCH, 1, false);
        patch(m, a64_refer(e, A64_CBNZ | A64_X | A64_SCRATCH), loop);
        pairs = 0;
    }
    for (uint32_t i = 0; i < pairs; i++)
        a64_pair(e, A64_STP, XZR, XZR, A64_ADDRESS, (int32_t)i * 16);
    if (slots % 2 != 0)
        a64_mem(e, A64_STR_X, XZR, A64_ADDRESS, (int32_t)pairs * 16);
}

/* --- control ------------------------------------------------------------------------------------------------------ */
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

    bind_chain(m, label->chain, here);
    label->at = here;
    label->chain = 0;
    m->flags.at = 0; /* they come from elsewhere too */
}

void masm_jump(struct masm *m, struct masm_label *label)
{
    uint32_t at = a64_refer(enc(m), A64_B);

    if (label->at != 0)
        patch(m, at, label->at);
    else
        link_reference(m, &label->chain, at);
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
        patch(m, at, label->at);
    else
        link_reference(m, &label->chain, at);
}

void masm_trap(struct masm *m, enum trap_kind kind)
{
    a64_site(m, kind);
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
            patch(m, at, labels[i]->at);
        else
            link_reference(m, &labels[i]->chain, at);
    }
}

void masm_compare(struct masm *m, bool wide, reg a, reg b)
{
    a64_rrr(enc(m), A64_SUBS | a64_wide(wide), XZR, a, b);
}

/* A constant of ADD_IMM and its like: its 12 bits, and whether they are shifted. */
static bool fits_add(uint64_t value, uint32_t *bits, bool *shifted)
{
    *shifted = value >= 4096;
    *bits = (uint32_t)(*shifted ? value >> 12 : value);
    return value < 4096 || ((value & 0xfff) == 0 && value < 1 << 24);
}

void masm_compare_const(struct masm *m, bool wide, reg a, int64_t value)
{
    struct a64_enc *e = enc(m);
    int64_t constant = (int32_t)value;
    uint32_t bits;
    bool shifted;

    if (constant == 0)
        masm_compare_zero(m, wide, a);
    else if (fits_add((uint64_t)constant, &bits, &shifted))
        a64_rri(e, A64_SUBS_IMM | a64_wide(wide), XZR, a, bits, shifted);
    else if (fits_add((uint64_t)-constant, &bits, &shifted))
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

/* --- moves -------------------------------------------------------------------------------------------------------- */
void masm_move(struct masm *m, uint8_t type, reg dst, reg src)
{
    if (dst == src)
        return;
    if (reg_is_vector(dst))
        a64_rrr(enc(m), A64_ORR_16B, dst, src, src);
    else
        a64_rrr(enc(m), A64_ORR | a64_wide(type == VT_I64), dst, XZR, src);
}

static struct masm_constant *find_constant(struct masm *m, uint64_t low, uint64_t high)
{
    /* a function has few; a look at the newest ones finds nearly every repetition */
    for (size_t i = m->constants.len, tries = 8; i != 0 && tries != 0; i--, tries--)
        if (m->constants.data[i - 1].low == low && m->constants.data[i - 1].high == high)
            return &m->constants.data[i - 1];
    vec_push(&m->constants, (struct masm_constant){low, high, 0});
    return vec_last(&m->constants);
}

static void load_constant(struct masm *m, uint32_t op, reg dst, uint64_t low, uint64_t high)
{
    link_reference(m, &find_constant(m, low, high)->chain, a64_refer(enc(m), op | a64_field(dst)));
}

static void float_const(struct masm *m, bool wide, reg dst, uint64_t bits)
{
    struct a64_enc *e = enc(m);
    int eight = a64_float_bits(wide, bits);

    if (bits == 0) {
        a64_rr(e, A64_MOVI_ZERO, dst, 0);
    } else if (eight >= 0) {
        a64_rr(e, A64_FMOV_IMM | (wide ? A64_DOUBLE : 0) | (uint32_t)eight << 13, dst, 0);
    } else if (!wide || (bits & 0xffffffffffff) == 0 || m->far) {
        a64_mov_imm(e, wide, A64_ADDRESS, bits);
        a64_rr(e, wide ? A64_FMOV_FROM_X : A64_FMOV_FROM_W, dst, A64_ADDRESS);
    } else {
        load_constant(m, A64_LDR_D_LITERAL, dst, bits, 0);
    }
}

void masm_const(struct masm *m, uint8_t type, reg dst, uint64_t bits)
{
    if (reg_is_vector(dst))
        float_const(m, type == VT_F64, dst, type == VT_F64 ? bits : (uint32_t)bits);
    else
        a64_mov_imm(enc(m), type == VT_I64, dst, type == VT_I64 ? bits : (uint32_t)bits);
}

void masm_v128_const(struct masm *m, reg dst, uint64_t low, uint64_t high)
{
    struct a64_enc *e = enc(m);

    if ((low | high) == 0) {
        a64_rr(e, A64_MOVI_ZERO, dst, 0);
    } else if (!m->far) {
        load_constant(m, A64_LDR_Q_LITERAL, dst, low, high);
    } else {
        a64_mov_imm(e, true, A64_ADDRESS, low);
        a64_rr(e, A64_FMOV_FROM_X, dst, A64_ADDRESS);
        a64_mov_imm(e, true, A64_ADDRESS, high);
        a64_rr(e, A64_INS_D1, dst, A64_ADDRESS);
    }
}

reg masm_scratch(bool vector)
{
    return vector ? A64_VECTOR_SCRATCH : A64_SCRATCH;
}

void a64_access(struct masm *m, uint32_t op, reg rt, struct masm_address at, enum trap_kind kind)
{
    struct a64_enc *e = enc(m);
    reg base = at.base, index = at.index;
    int32_t offset = at.disp;
    bool scaled = at.scale_log2 != 0;

    if (index != REG_NONE && (offset != 0 || (scaled && at.scale_log2 != a64_scale(op)))) {
        scaled = false;
        if (a64_offset_fits(op, offset)) {
            a64_rrr_sp(e, A64_ADD, A64_ADDRESS, base, index, at.scale_log2);
            base = A64_ADDRESS;
            index = REG_NONE;
        } else {
            a64_mov_imm(e, true, A64_ADDRESS, (uint64_t)(int64_t)offset);
            a64_rrr_shifted(e, A64_ADD | A64_X, A64_ADDRESS, A64_ADDRESS, index, at.scale_log2);
            index = A64_ADDRESS;
        }
    } else if (index == REG_NONE && !a64_offset_fits(op, offset)) {
        if (offset < 0 && offset > -4096) {
            a64_rri(e, A64_SUB_IMM | A64_X, A64_ADDRESS, base, (uint32_t)-offset, false);
            base = A64_ADDRESS;
            offset = 0;
        } else {
            a64_mov_imm(e, true, A64_ADDRESS, (uint64_t)(int64_t)offset);
            index = A64_ADDRESS;
        }
    }
    if (kind != TRAP_NONE)
        a64_site(m, kind);
    if (index == REG_NONE)
        a64_mem(e, op, rt, base, offset);
    else
        a64_mem_reg(e, op, rt, base, index, scaled);
}

void a64_load_x(struct masm *m, reg dst, reg base, int32_t disp)
{
    a64_access(m, A64_LDR_X, dst, masm_at(base, disp), TRAP_NONE);
}

void a64_address(struct masm *m, struct masm_address at)
{
    reg base = at.base;

    if (at.index != REG_NONE) {
        a64_rrr_sp(enc(m), A64_ADD, A64_ADDRESS, base, at.index, at.scale_log2);
        base = A64_ADDRESS;
    }
    a64_add_const(m, true, A64_ADDRESS, base, at.disp);
}

static uint32_t load_op(uint8_t type)
{
    switch (type) {
    case VT_I64: return A64_LDR_X;
    case VT_F32: return A64_LDR_S;
    case VT_F64: return A64_LDR_D;
    case VT_V128: return A64_LDR_Q;
    default: return A64_LDR_W;
    }
}

static uint32_t store_op(uint8_t type)
{
    switch (type) {
    case VT_I64: return A64_STR_X;
    case VT_F32: return A64_STR_S;
    case VT_F64: return A64_STR_D;
    case VT_V128: return A64_STR_Q;
    default: return A64_STR_W;
    }
}

void masm_load(struct masm *m, uint8_t type, reg dst, struct masm_address from)
{
    a64_access(m, load_op(type), dst, from, TRAP_NONE);
}

void masm_store(struct masm *m, uint8_t type, struct masm_address to, reg src)
{
    a64_access(m, store_op(type), src, to, TRAP_NONE);
}

/* VALUE in a register, for a store. */
static reg constant_to_store(struct masm *m, bool wide, uint64_t value)
{
    if (value == 0)
        return XZR;
    a64_mov_imm(enc(m), wide, A64_SCRATCH2, value);
    return A64_SCRATCH2;
}

void masm_store_const(struct masm *m, uint8_t type, struct masm_address to, uint64_t bits)
{
    bool wide = type == VT_I64 || type == VT_F64;

    a64_access(m, wide ? A64_STR_X : A64_STR_W, constant_to_store(m, wide, wide ? bits : (uint32_t)bits), to,
               TRAP_NONE);
}

void masm_copy(struct masm *m, uint8_t type, struct masm_address to, struct masm_address from)
{
    reg scratch = masm_scratch(type == VT_V128);
    uint8_t moved = type == VT_F32 ? VT_I32 : type == VT_F64 ? VT_I64 : type;

    masm_load(m, moved, scratch, from);
    masm_store(m, moved, to, scratch);
}

void masm_load_pointer(struct masm *m, reg dst, struct masm_address from)
{
    a64_access(m, A64_LDR_X, dst, from, TRAP_NONE);
}

/* --- integers ----------------------------------------------------------------------------------------------------- */
bool masm_const_fits(int64_t value)
{
    return value == (int32_t)value; /* what has no short form goes by the scratch register */
}

static const uint32_t alu_ops[] = {[ALU_ADD] = A64_ADD, [ALU_SUB] = A64_SUB, [ALU_AND] = A64_AND,
                                   [ALU_OR] = A64_ORR,  [ALU_XOR] = A64_EOR, [ALU_MUL] = A64_MUL};

void masm_alu(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, reg b)
{
    a64_rrr(enc(m), alu_ops[op] | a64_wide(wide), dst, a, b);
}

void masm_alu_memory(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, struct masm_address b)
{
    a64_access(m, wide ? A64_LDR_X : A64_LDR_W, A64_SCRATCH, b, TRAP_MEMORY_OUT_OF_BOUNDS);
    masm_alu(m, op, wide, dst, a, A64_SCRATCH);
}

void a64_add_const(struct masm *m, bool wide, reg dst, reg a, int64_t value)
{
    struct a64_enc *e = enc(m);
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint32_t op = (value < 0 ? A64_SUB_IMM : A64_ADD_IMM) | a64_wide(wide), bits;
    bool shifted;

    if (fits_add(size, &bits, &shifted)) {
        a64_rri(e, op, dst, a, bits, shifted);
    } else if (size < 1 << 24) {
        a64_rri(e, op, dst, a, (uint32_t)(size >> 12), true);
        a64_rri(e, op, dst, dst, size & 0xfff, false);
    } else {
        a64_mov_imm(e, wide, A64_SCRATCH, wide ? (uint64_t)value : (uint32_t)value);
        a64_rrr_extended(e, A64_ADD | a64_wide(wide) | (wide ? 1u << 13 : 0), dst, a, A64_SCRATCH, 0);
    }
}

void masm_alu_const(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, int64_t b)
{
    static const uint32_t logical[] = {[ALU_AND] = A64_AND_IMM, [ALU_OR] = A64_ORR_IMM, [ALU_XOR] = A64_EOR_IMM};
    uint64_t value = wide ? (uint64_t)(int64_t)(int32_t)b : (uint32_t)b;
    bool is_logical = op == ALU_AND || op == ALU_OR || op == ALU_XOR;
    uint32_t fields = is_logical ? a64_logical_fields(value, wide) : A64_NO_FIELDS;

    if (op == ALU_ADD || op == ALU_SUB) {
        a64_add_const(m, wide, dst, a, op == ALU_ADD ? (int32_t)b : -(int64_t)(int32_t)b);
    } else if (fields != A64_NO_FIELDS) {
        a64_logical(enc(m), logical[op] | a64_wide(wide), dst, a, fields);
    } else if (op == ALU_MUL && value != 0 && (value & (value - 1)) == 0) {
        masm_shift_const(m, SHIFT_SHL, wide, dst, a, (unsigned)__builtin_ctzll(value));
    } else {
        a64_mov_imm(enc(m), wide, A64_SCRATCH, value);
        masm_alu(m, op, wide, dst, a, A64_SCRATCH);
    }
}

void masm_add_shifted(struct masm *m, bool wide, reg dst, reg a, reg b, unsigned shift)
{
    a64_rrr_shifted(enc(m), A64_ADD | a64_wide(wide), dst, a, b, shift);
}

void masm_lea(struct masm *m, bool wide, reg dst, struct masm_address address)
{
    reg base = address.base;

    if (address.index != REG_NONE) {
        base = address.disp == 0 ? dst : A64_ADDRESS;
        masm_add_shifted(m, wide, base, address.base, address.index, address.scale_log2);
    }
    if (base != dst || address.disp != 0)
        a64_add_const(m, wide, dst, base, address.disp);
}

bool masm_shift_is_free(const struct masm *m, enum masm_shift op)
{
    return true;
}

void masm_shift(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, reg count)
{
    static const uint32_t ops[] = {[SHIFT_SHL] = A64_LSLV,
                                   [SHIFT_SHR_S] = A64_ASRV,
                                   [SHIFT_SHR_U] = A64_LSRV,
                                   [SHIFT_ROTL] = A64_RORV,
                                   [SHIFT_ROTR] = A64_RORV};

    if (op == SHIFT_ROTL) { /* to the right by what is left to a whole turn */
        a64_rrr(enc(m), A64_SUB, A64_SCRATCH, XZR, count);
        count = A64_SCRATCH;
    }
    a64_rrr(enc(m), ops[op] | a64_wide(wide), dst, a, count);
}

void masm_shift_const(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, unsigned count)
{
    struct a64_enc *e = enc(m);
    unsigned bits = wide ? 64 : 32, back;

    count &= bits - 1;
    back = (bits - count) & (bits - 1);
    switch (op) {
    case SHIFT_SHL: a64_bits(e, A64_UBFM, wide, dst, a, back, bits - 1 - count); break;
    case SHIFT_SHR_S: a64_bits(e, A64_SBFM, wide, dst, a, count, bits - 1); break;
    case SHIFT_SHR_U: a64_bits(e, A64_UBFM, wide, dst, a, count, bits - 1); break;
    case SHIFT_ROTL:
    case SHIFT_ROTR:
        a64_rrr_shifted(e, A64_EXTR | (wide ? A64_X | A64_N : 0), dst, a, a, op == SHIFT_ROTR ? count : back);
        break;
    }
}

/* A division by zero gives zero, and the smallest number by -1 itself: so both are asked for. */
void masm_divide(struct masm *m, enum masm_divide op, bool wide, reg dst, reg a, reg b, bool divisor_safe)
{
    struct a64_enc *e = enc(m);
    uint32_t width = a64_wide(wide);
    bool is_signed = op == DIVIDE_DIV_S || op == DIVIDE_REM_S, remainder = op == DIVIDE_REM_S || op == DIVIDE_REM_U;
    reg quotient = remainder ? A64_SCRATCH : dst;

    if (!divisor_safe)
        a64_trap_word(m, A64_CBZ | width | b, TRAP_INTEGER_DIVIDE_BY_ZERO);
    if (!divisor_safe && op == DIVIDE_DIV_S) {
        a64_rri(e, A64_ADDS_IMM | width, XZR, b, 1, false); /* is it -1? then a - 1 overflows for the smallest only */
        a64_rrr_cc(e, A64_CCMP_IMM | width, 0, a, 1, CC_EQ);
        a64_trap_cc(m, CC_VS, TRAP_INTEGER_OVERFLOW);
    }
    a64_rrr(e, (is_signed ? A64_SDIV : A64_UDIV) | width, quotient, a, b);
    if (remainder)
        a64_rrr(e, A64_MSUB | width | (uint32_t)a << 10, dst, quotient, b);
}

void masm_multiply_wide(struct masm *m, bool is_signed, reg low, reg high, reg a, reg b)
{
    struct a64_enc *e = enc(m);

    a64_rrr(e, A64_MUL | A64_X, A64_SCRATCH, a, b);
    a64_rrr(e, is_signed ? A64_SMULH : A64_UMULH, high, a, b);
    masm_move(m, VT_I64, low, A64_SCRATCH);
}

void masm_add_wide(struct masm *m, bool subtract, reg low, reg high, reg a_low, reg a_high, reg b_low, reg b_high)
{
    a64_rrr(enc(m), (subtract ? A64_SUBS : A64_ADDS) | A64_X, low, a_low, b_low);
    a64_rrr(enc(m), (subtract ? A64_SBC : A64_ADC) | A64_X, high, a_high, b_high);
}

/* Bits are counted by the vectors only. */
static void count_bits(struct masm *m, bool wide, reg dst, reg a)
{
    struct a64_enc *e = enc(m);

    a64_rr(e, wide ? A64_FMOV_FROM_X : A64_FMOV_FROM_W, A64_VECTOR_SCRATCH, a);
    a64_rr(e, A64_CNT_8B, A64_VECTOR_SCRATCH, A64_VECTOR_SCRATCH);
    a64_rr(e, A64_ADDV_8B, A64_VECTOR_SCRATCH, A64_VECTOR_SCRATCH);
    a64_rr(e, A64_FMOV_TO_W, dst, A64_VECTOR_SCRATCH);
}

void masm_unary(struct masm *m, enum masm_unary op, bool wide, reg dst, reg a)
{
    struct a64_enc *e = enc(m);
    uint32_t width = a64_wide(wide);

    switch (op) {
    case UNARY_CLZ: a64_rr(e, A64_CLZ | width, dst, a); break;
    case UNARY_CTZ:
        a64_rr(e, A64_RBIT | width, A64_SCRATCH, a);
        a64_rr(e, A64_CLZ | width, dst, A64_SCRATCH);
        break;
    case UNARY_POPCNT: count_bits(m, wide, dst, a); break;
    case UNARY_EXTEND8: a64_bits(e, A64_SBFM, wide, dst, a, 0, 7); break;
    case UNARY_EXTEND16: a64_bits(e, A64_SBFM, wide, dst, a, 0, 15); break;
    case UNARY_EXTEND32: a64_bits(e, A64_SBFM, true, dst, a, 0, 31); break;
    }
}

void masm_zero_extend(struct masm *m, reg dst, reg src)
{
    a64_rrr(enc(m), A64_ORR, dst, XZR, src);
}

/* --- linear memory ------------------------------------------------------------------------------------------------ */
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

void masm_memory_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from)
{
    masm_field_load(m, access, wide, dst, from, TRAP_MEMORY_OUT_OF_BOUNDS);
}

static const uint32_t store_ops[] = {
    [ACCESS_8_S] = A64_STRB,   [ACCESS_8_U] = A64_STRB,   [ACCESS_16_S] = A64_STRH, [ACCESS_16_U] = A64_STRH,
    [ACCESS_32_S] = A64_STR_W, [ACCESS_32_U] = A64_STR_W, [ACCESS_64] = A64_STR_X,  [ACCESS_F32] = A64_STR_S,
    [ACCESS_F64] = A64_STR_D,  [ACCESS_V128] = A64_STR_Q};

void masm_field_store(struct masm *m, enum masm_access access, struct masm_address to, reg src, enum trap_kind kind)
{
    a64_access(m, store_ops[access], src, to, kind);
}

void masm_memory_store(struct masm *m, enum masm_access access, struct masm_address to, reg src)
{
    a64_access(m, store_ops[access], src, to, TRAP_MEMORY_OUT_OF_BOUNDS);
}

void masm_memory_store_const(struct masm *m, enum masm_access access, struct masm_address to, int32_t value)
{
    bool wide = access == ACCESS_64;
    reg src = constant_to_store(m, wide, wide ? (uint64_t)(int64_t)value : (uint32_t)value);

    a64_access(m, store_ops[access], src, to, TRAP_MEMORY_OUT_OF_BOUNDS);
}

void masm_add_or_trap(struct masm *m, reg sum, reg a, uint64_t value, enum trap_kind kind)
{
    assert(sum != a);
    a64_mov_imm(enc(m), true, sum, value);
    a64_rrr(enc(m), A64_ADDS | A64_X, sum, sum, a);
    a64_trap_cc(m, CC_HS, kind);
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

/* --- calls -------------------------------------------------------------------------------------------------------- */
void masm_adjust_stack(struct masm *m, int32_t bytes)
{
    for (; bytes <= -PAGE_BYTES; bytes += PAGE_BYTES) {
        a64_rri(enc(m), A64_SUB_IMM | A64_X, SP, SP, 1, true);
        a64_mem(enc(m), A64_STR_X, XZR, SP, 0);
    }
    if (bytes != 0)
        a64_add_const(m, true, SP, SP, bytes);
}

static void refer_to_function(struct masm *m, uint32_t at, uint32_t func)
{
    if (func - m->first_func < m->out->entries.len)
        target_patch_call(m->code.start, at, m->out->entries.data[func - m->first_func]);
    else
        vec_push(&m->out->calls, (struct code_call){at, func});
}

void masm_call_function(struct masm *m, uint32_t func)
{
    refer_to_function(m, a64_refer(enc(m), A64_BL), func);
    call_site(m);
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
    call_site(m);
    vec_push(&m->foreign_calls, (struct masm_foreign_call){jump, a64_offset(enc(m)), m->origin, m->try_number, func});
}

void masm_call_builtin(struct masm *m, enum vm_builtin builtin)
{
    a64_mov_imm(enc(m), false, A64_SCRATCH, builtin);
    a64_mem(enc(m), A64_LDR_X, A64_ADDRESS, X28, offsetof(struct vm, builtin_thunk));
    a64_rr(enc(m), A64_BLR, 0, A64_ADDRESS);
    call_site(m);
}

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
    refer_to_function(m, a64_refer(enc(m), A64_B), func);
}

void masm_tail_ref(struct masm *m, reg func)
{
    a64_mem(enc(m), A64_LDR_X, A64_SCRATCH, func, offsetof(struct vm_func, code));
    a64_rr(enc(m), A64_BR, 0, A64_SCRATCH);
}

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
