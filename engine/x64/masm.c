/* The macro assembler of baseline/masm.h on x86-64: the machine's description, and functions from their first byte to what
 * lies behind their last instruction. The operations are in the files beside this one.
 *
 * r11 and xmm15 are used freely inside one operation and hold nothing between two. */
#include "engine/x64/masm_x64.h"
#include <assert.h>

const struct target target_native = {
    .name = "x86-64",
    .ints = 1 << RAX | 1 << RCX | 1 << RDX | 1 << RBX | 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R12 |
            1 << R13,
    .vectors = (regset)0x7fff << XMM0,
    .int_homes = 1 << RBX | 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R12 | 1 << R13,
    .vector_homes = (regset)0x7ff8 << XMM0,
    .vm = R15,
    .memory0 = R14,
    .frame = RBP,
    .stack = RSP,
    .shift_count = RCX,
    .quotient = RAX,
    .remainder = RDX,
    .exchange = RAX,
    .callee = RAX,
    .int_args = {RDI, RSI, RDX, RCX, R8, R9},
    .int_results = {RAX, RDX, RCX, RSI, RDI, R8},
    .vector_args = {XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7},
    .builtin_args = {RSI, RDX, RCX, R8},
    .builtin_result = RAX,
    .code_bytes_max = INT32_MAX,
    .code_filler = 0xcc, /* int3 */
};

_Static_assert(sizeof(((struct masm *)0)->code) == sizeof(struct x64_enc), "masm.h repeats struct x64_enc");

void masm_init(struct masm *m, struct code_object *out, uint32_t features, uint32_t first_func)
{
    memset(m, 0, sizeof *m);
    m->first_func = first_func;
    m->code.start = m->code.at = out->code.data;
    m->code.end = out->code.data != NULL ? out->code.data + out->code.capacity : NULL;
    out->code = (struct buf){0};
    m->out = out;
    m->features = features;
}

void target_patch_call(uint8_t *code, uint32_t at, uint32_t target)
{
    uint32_t relative = target - (at + 4);
    memcpy(code + at, &relative, sizeof relative);
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
void x64_align_code(struct masm *m, uint8_t filler)
{
    struct x64_enc *e = enc(m);

    x64_reserve(e);
    memset(e->at, filler, CODE_ALIGN);
    e->at += (0 - x64_offset(e)) & (CODE_ALIGN - 1);
}

/* No-operations of 1 to 8 bytes (Intel SDM vol. 2, "NOP"). */
static void nops(struct x64_enc *e, unsigned bytes)
{
    static const uint8_t forms[8][8] = {{0x90},
                                        {0x66, 0x90},
                                        {0x0f, 0x1f, 0},
                                        {0x0f, 0x1f, 0x40, 0},
                                        {0x0f, 0x1f, 0x44, 0, 0},
                                        {0x66, 0x0f, 0x1f, 0x44, 0, 0},
                                        {0x0f, 0x1f, 0x80, 0, 0, 0, 0},
                                        {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}};

    while (bytes != 0) {
        unsigned now = bytes < 8 ? bytes : 8;
        for (unsigned i = 0; i < now; i++)
            x64_byte(e, forms[now - 1][i]);
        bytes -= now;
    }
}

void masm_align_loop(struct masm *m)
{
    nops(enc(m), (0 - x64_offset(enc(m))) & (CODE_ALIGN - 1));
}

static uint32_t begin(struct masm *m, uint32_t pop_bytes, bool leaf)
{
    struct x64_enc *e = enc(m);
    uint32_t entry;

    x64_align_code(m, target_native.code_filler);
    entry = x64_offset(e);
    x64_byte(e, 0x55);
    x64_rr(e, X64_MOV | X64_W, RBP, RSP);
    if (!leaf)
        x64_op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, 0);
    m->frame_patch = leaf ? 0 : x64_offset(e);
    x64_rm(e, X64_MOV_STORE | X64_W, R15, x64_at(RBP, -8));
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
    struct x64_enc *e = enc(m);
    uint32_t sub = m->frame_patch - 7, loop;

    e->start[sub] = 0xe9;
    x64_patch32(e, sub + 1, x64_offset(e));
    memcpy(e->start + sub + 5, "\x66\x90", 2);
    x64_mov_imm(e, X64_SCRATCH, frame_bytes / X64_PAGE_BYTES);
    loop = x64_offset(e);
    x64_op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, X64_PAGE_BYTES);
    x64_rm(e, X64_MOV_STORE | X64_W, X64_SCRATCH, x64_at(RSP, 0));
    x64_op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, X64_SCRATCH, 1);
    x64_jcc_back(e, CC_NE, loop);
    x64_op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, frame_bytes % X64_PAGE_BYTES);
    x64_patch32(e, x64_jmp32(e), m->frame_patch);
}

bool masm_end(struct masm *m, uint32_t frame_bytes)
{
    struct x64_enc *e = enc(m);

    if (m->frame_patch == 0)
        assert(frame_bytes <= MASM_LEAF_BYTES);
    else if (frame_bytes < X64_PAGE_BYTES)
        memcpy(e->start + m->frame_patch - 4, &frame_bytes, 4);
    else
        emit_probe(m, frame_bytes);
    for (size_t i = 0; i < m->traps.len; i++) {
        const struct masm_trap *t = &m->traps.data[i];
        x64_patch32(e, t->jump, x64_offset(e));
        m->origin = t->origin;
        masm_trap(m, t->kind);
    }
    m->traps.len = 0;
    x64_put_foreign_calls(m);
    x64_put_allocations(m);
    x64_put_constants(m);
    return true;
}

void masm_return(struct masm *m)
{
    struct x64_enc *e = enc(m);

    x64_byte(e, m->frame_patch == 0 ? 0x5d /* pop rbp */ : 0xc9 /* leave */);
    if (m->pop_bytes == 0) {
        x64_byte(e, 0xc3);
        return;
    }
    assert(m->pop_bytes <= UINT16_MAX);
    x64_byte(e, 0xc2);
    x64_imm16(e, (uint16_t)m->pop_bytes);
}

void masm_zero_slots(struct masm *m, int32_t from, uint32_t slots)
{
    struct x64_enc *e = enc(m);
    uint32_t at = 0, bytes = slots * 8;

    if (slots == 0)
        return;
    x64_rr(e, X64_XORPS, X64_VECTOR_SCRATCH, X64_VECTOR_SCRATCH);
    if (bytes > 512) {
        uint32_t loop, whole = bytes & ~15u;
        x64_mov_imm(e, X64_SCRATCH, (uint64_t) - (int64_t)whole);
        loop = x64_offset(e);
        x64_rm(e, X64_MOVUPS_STORE, X64_VECTOR_SCRATCH, (struct x64_mem){RBP, X64_SCRATCH, 0, from + (int32_t)whole});
        x64_rr(e, X64_ALU_IMM8 | X64_W, X64_DIGIT_ADD, X64_SCRATCH);
        x64_imm8(e, 16);
        x64_jcc_back(e, CC_NE, loop);
        at = whole;
    }
    for (; bytes - at >= 16; at += 16)
        x64_rm(e, X64_MOVUPS_STORE, X64_VECTOR_SCRATCH, x64_at(RBP, from + (int32_t)at));
    if (at != bytes)
        x64_rm(e, X64_MOVD_STORE | X64_W, X64_VECTOR_SCRATCH, x64_at(RBP, from + (int32_t)at));
}

/* --- functions that can be replaced ------------------------------------------------------------------------------- */
/* mov r11d, [slot]; test r11d, r11d; jne stub: 16 bytes, so that what follows is aligned too. No argument is in r10 or r11. */
uint32_t masm_replaceable(struct masm *m)
{
    static const uint8_t look[16] = {0x44, 0x8b, 0x1d, 0, 0, 0, 0, 0x45, 0x85, 0xdb, 0x0f, 0x85};
    struct x64_enc *e = enc(m);
    uint32_t entry;

    x64_align_code(m, target_native.code_filler);
    entry = x64_offset(e);
    x64_reserve(e);
    memcpy(e->at, look, sizeof look);
    e->at += sizeof look;
    return entry;
}

void target_patch_look(uint8_t *code, uint32_t entry, int32_t slot, uint32_t stub)
{
    uint32_t to_slot = (uint32_t)slot - (entry + 7), to_stub = stub - (entry + 16);

    memcpy(code + entry + 3, &to_slot, sizeof to_slot);
    memcpy(code + entry + 12, &to_stub, sizeof to_stub);
}

/* lea r10, [code]; movsxd r11, r11d; add r11, r10; jmp r11 */
void target_put_stub(uint8_t *code, uint32_t stub)
{
    static const uint8_t jump[TARGET_STUB_BYTES] = {0x4c, 0x8d, 0x15, 0,    0,    0,    0,    0x4d,
                                                    0x63, 0xdb, 0x4d, 0x01, 0xd3, 0x41, 0xff, 0xe3};
    uint32_t to_code = 0 - (stub + 7);

    memcpy(code + stub, jump, sizeof jump);
    memcpy(code + stub + 3, &to_code, sizeof to_code);
}
