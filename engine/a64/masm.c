/* The macro assembler of baseline/masm.h on aarch64: the machine's description, and functions from their first word to what
 * lies behind their last instruction. The operations are in the files beside this one.
 *
 * x15, x16, x17 and v31 are used freely inside one operation and hold nothing between two; x16 and v31 are masm_scratch,
 * so moves, loads and stores leave them alone.
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

/* --- functions ---------------------------------------------------------------------------------------------------- */
void a64_align_code(struct masm *m)
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

    a64_align_code(m);
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
    a64_mov_imm(e, true, A64_SCRATCH, frame_bytes / A64_PAGE_BYTES);
    loop = a64_offset(e);
    a64_rri(e, A64_SUB_IMM | A64_X, SP, SP, 1, true);
    a64_mem(e, A64_STR_X, XZR, SP, 0);
    a64_rri(e, A64_SUB_IMM | A64_X, A64_SCRATCH, A64_SCRATCH, 1, false);
    a64_patch_or_note(m, a64_refer(e, A64_CBNZ | A64_X | A64_SCRATCH), loop);
    a64_rri(e, A64_SUB_IMM | A64_X, SP, SP, frame_bytes % A64_PAGE_BYTES, false);
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
    } else if (frame_bytes < A64_PAGE_BYTES) {
        uint32_t word = A64_SUB_IMM | A64_X | frame_bytes << 10 | (uint32_t)SP << 5 | SP;
        memcpy(m->code.start + m->frame_patch, &word, sizeof word);
    } else {
        emit_probe(m, frame_bytes);
    }
    emit_traps(m);
    a64_put_foreign_calls(m);
    a64_put_allocations(m);
    a64_put_constants(m);
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
        a64_patch_or_note(m, a64_refer(e, A64_CBNZ | A64_X | A64_SCRATCH), loop);
        pairs = 0;
    }
    for (uint32_t i = 0; i < pairs; i++)
        a64_pair(e, A64_STP, XZR, XZR, A64_ADDRESS, (int32_t)i * 16);
    if (slots % 2 != 0)
        a64_mem(e, A64_STR_X, XZR, A64_ADDRESS, (int32_t)pairs * 16);
}

/* --- functions that can be replaced ------------------------------------------------------------------------------- */
/* The slots and the code begin with pages, and everything is mapped so: the look is at a page, then at a place in it.
 * 16 bytes, filled in by target_patch_look. */
uint32_t masm_replaceable(struct masm *m)
{
    struct a64_enc *e = enc(m);
    uint32_t entry;

    a64_align_code(m);
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

    set_page(&e, entry, (slot >> A64_PAGE_LOG2) - (int32_t)(entry >> A64_PAGE_LOG2));
    a64_mem(&e, A64_LDR_W, A64_SCRATCH, A64_SCRATCH, slot & (A64_PAGE_BYTES - 1));
    a64_patch(&e, entry + 12, stub);
}

void target_put_stub(uint8_t *code, uint32_t stub)
{
    struct a64_enc e = {code, code + stub, code + stub + TARGET_STUB_BYTES};

    a64_word(&e, A64_ADRP | A64_ADDRESS);
    set_page(&e, stub, -(int32_t)(stub >> A64_PAGE_LOG2));
    a64_rrr(&e, A64_ADD | A64_X | 1u << 21 | 6u << 13, A64_SCRATCH, A64_ADDRESS, A64_SCRATCH); /* sign-extended */
    a64_rr(&e, A64_BR, 0, A64_SCRATCH);
    a64_word(&e, A64_UDF);
}
