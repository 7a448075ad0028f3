/* The macro assembler of baseline/masm.h on x86-64: functions, control, moves, integers, memory, calls.
 * Floats are in masm_float.c. r11 and xmm15 are used freely inside one operation and hold nothing between two. */
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

void masm_finish(struct masm *m)
{
    struct x64_enc *e = enc(m);

    m->out->code = (struct buf){e->start, (size_t)(e->at - e->start), (size_t)(e->end - e->start)};
    memset(&m->code, 0, sizeof m->code);
}

void x64_site(struct masm *m, enum trap_kind kind)
{
    code_add_site(m->out, (struct site){x64_offset(enc(m)), m->origin.wasm_offset, kind}, m->origin.inlining);
}

/* At the return address of a call. */
static void call_site(struct masm *m)
{
    x64_site(m, TRAP_NONE);
    if (m->try_number != 0)
        vec_push(&m->out->calls_in_tries, (struct code_call_in_try){x64_offset(enc(m)), m->try_number});
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
enum { PAGE_BYTES = 4096 };

static void align_code(struct masm *m, uint8_t filler)
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

static void op_imm32(struct x64_enc *e, uint32_t op, unsigned digit, reg r, int32_t value)
{
    x64_rr(e, op, digit, r);
    x64_imm32(e, (uint32_t)value);
}

static uint32_t begin(struct masm *m, uint32_t pop_bytes, bool leaf)
{
    struct x64_enc *e = enc(m);
    uint32_t entry;

    align_code(m, target_native.code_filler);
    entry = x64_offset(e);
    x64_byte(e, 0x55);
    x64_rr(e, X64_MOV | X64_W, RBP, RSP);
    if (!leaf)
        op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, 0);
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

/* mov r11d, [slot]; test r11d, r11d; jne stub: 16 bytes, so that what follows is aligned too. No argument is in r10 or r11. */
uint32_t masm_replaceable(struct masm *m)
{
    static const uint8_t look[16] = {0x44, 0x8b, 0x1d, 0, 0, 0, 0, 0x45, 0x85, 0xdb, 0x0f, 0x85};
    struct x64_enc *e = enc(m);
    uint32_t entry;

    align_code(m, target_native.code_filler);
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

/* A frame of a page or more is made page by page, each touched, so that it cannot step over the guard page. */
static void emit_probe(struct masm *m, uint32_t frame_bytes)
{
    struct x64_enc *e = enc(m);
    uint32_t sub = m->frame_patch - 7, loop;

    e->start[sub] = 0xe9;
    x64_patch32(e, sub + 1, x64_offset(e));
    memcpy(e->start + sub + 5, "\x66\x90", 2);
    x64_mov_imm(e, X64_SCRATCH, frame_bytes / PAGE_BYTES);
    loop = x64_offset(e);
    op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, PAGE_BYTES);
    x64_rm(e, X64_MOV_STORE | X64_W, X64_SCRATCH, x64_at(RSP, 0));
    op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, X64_SCRATCH, 1);
    x64_jcc_back(e, CC_NE, loop);
    op_imm32(e, X64_ALU_IMM32 | X64_W, X64_DIGIT_SUB, RSP, frame_bytes % PAGE_BYTES);
    x64_patch32(e, x64_jmp32(e), m->frame_patch);
}

static void emit_constants(struct masm *m)
{
    struct x64_enc *e = enc(m);

    if (m->constants.len == 0)
        return;
    align_code(m, target_native.code_filler);
    for (size_t i = 0; i < m->constants.len; i++) {
        const struct masm_constant *k = &m->constants.data[i];
        struct masm_label here = {0, k->chain};
        masm_bind(m, &here);
        x64_reserve(e);
        memcpy(e->at, &k->low, 8);
        memcpy(e->at + 8, &k->high, 8);
        e->at += 16;
    }
    m->constants.len = 0;
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
    call_site(m);
    restore_pinned(m);
}

static void emit_foreign_calls(struct masm *m)
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

bool masm_end(struct masm *m, uint32_t frame_bytes)
{
    struct x64_enc *e = enc(m);

    if (m->frame_patch == 0)
        assert(frame_bytes <= MASM_LEAF_BYTES);
    else if (frame_bytes < PAGE_BYTES)
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
    emit_foreign_calls(m);
    x64_put_allocations(m);
    emit_constants(m);
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

/* --- control ------------------------------------------------------------------------------------------------------ */
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
    x64_site(m, kind);
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

void masm_compare(struct masm *m, bool wide, reg a, reg b)
{
    x64_rr(enc(m), X64_CMP | x64_wide(wide), a, b);
}

/* The short form of the immediate where it fits. */
static void alu_imm(struct x64_enc *e, uint32_t width, unsigned digit, reg r, int32_t value)
{
    if (value >= -128 && value < 128) {
        x64_rr(e, X64_ALU_IMM8 | width, digit, r);
        x64_imm8(e, value);
    } else {
        op_imm32(e, X64_ALU_IMM32 | width, digit, r, value);
    }
}

void masm_compare_const(struct masm *m, bool wide, reg a, int64_t value)
{
    if ((int32_t)value == 0)
        x64_rr(enc(m), X64_TEST | x64_wide(wide), a, a);
    else
        alu_imm(enc(m), x64_wide(wide), X64_DIGIT_CMP, a, (int32_t)value);
}

static void note_flags(struct masm *m, bool wide, reg result)
{
    m->flags.at = x64_offset(enc(m));
    m->flags.result = result;
    m->flags.wide = wide;
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

static void cmov(struct x64_enc *e, uint32_t width, enum x64_cc cc, reg dst, reg src)
{
    x64_rr(e, (X64_CMOV + cc) | width, dst, src);
}

static void select_int(struct masm *m, uint32_t width, enum masm_cond cond, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);

    if (cond_is_double(cond)) {
        bool eq = cond == COND_FLOAT_EQ;
        x64_rr(e, X64_MOV | width, X64_SCRATCH, eq ? a : b);
        cmov(e, width, CC_NE, X64_SCRATCH, eq ? b : a);
        cmov(e, width, CC_P, X64_SCRATCH, eq ? b : a);
        x64_rr(e, X64_MOV | width, dst, X64_SCRATCH);
    } else if (dst == a) {
        cmov(e, width, condition_codes[cond ^ 1], dst, b);
    } else {
        if (dst != b)
            x64_rr(e, X64_MOV | width, dst, b);
        cmov(e, width, condition_codes[cond], dst, a);
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

/* --- moves -------------------------------------------------------------------------------------------------------- */
void masm_move(struct masm *m, uint8_t type, reg dst, reg src)
{
    if (dst == src)
        return;
    if (reg_is_vector(dst))
        x64_rr(enc(m), X64_MOVAPS, dst, src);
    else
        x64_rr(enc(m), X64_MOV | x64_wide(type == VT_I64), dst, src);
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

void x64_rm_constant(struct masm *m, uint32_t op, reg r, uint64_t low, uint64_t high)
{
    struct masm_constant *constant = find_constant(m, low, high);
    uint32_t at;

    x64_rm(enc(m), op, r, x64_at(REG_NONE, 0));
    at = x64_offset(enc(m)) - 4;
    memcpy(enc(m)->start + at, &constant->chain, 4);
    constant->chain = at;
}

void masm_const(struct masm *m, uint8_t type, reg dst, uint64_t bits)
{
    if (!reg_is_vector(dst))
        x64_mov_imm(enc(m), dst, type == VT_I64 ? bits : (uint32_t)bits);
    else if (bits == 0)
        x64_rr(enc(m), X64_XORPS, dst, dst);
    else
        x64_rm_constant(m, X64_MOVS_LOAD ^ (type == VT_F64 ? X64_DOUBLE : 0), dst, bits, 0);
}

reg masm_scratch(bool vector)
{
    return vector ? X64_VECTOR_SCRATCH : X64_SCRATCH;
}

/* By the last bits of a valtype's code: a value of the frame, or of a field, as a whole. */
enum { TYPE_MASK = 0x1f };

static const uint32_t load_ops[TYPE_MASK + 1] = {
    [VT_I32 & TYPE_MASK] = X64_MOV,       [VT_I64 & TYPE_MASK] = X64_MOV | X64_W,
    [VT_F32 & TYPE_MASK] = X64_MOVS_LOAD, [VT_F64 & TYPE_MASK] = X64_MOVS_LOAD ^ X64_DOUBLE,
    [VT_V128 & TYPE_MASK] = X64_MOVUPS,   [VT_REF & TYPE_MASK] = X64_MOV,
    [VT_REF_NULL & TYPE_MASK] = X64_MOV,
};
static const uint32_t store_whole_ops[TYPE_MASK + 1] = {
    [VT_I32 & TYPE_MASK] = X64_MOV_STORE,      [VT_I64 & TYPE_MASK] = X64_MOV_STORE | X64_W,
    [VT_F32 & TYPE_MASK] = X64_MOVS_STORE,     [VT_F64 & TYPE_MASK] = X64_MOVS_STORE ^ X64_DOUBLE,
    [VT_V128 & TYPE_MASK] = X64_MOVUPS_STORE,  [VT_REF & TYPE_MASK] = X64_MOV_STORE,
    [VT_REF_NULL & TYPE_MASK] = X64_MOV_STORE,
};

/* Most of what is loaded and stored are the frame's slots. */
static inline void load_or_store(struct masm *m, uint32_t op, reg r, struct masm_address at)
{
    if (at.base == RBP && at.index == REG_NONE)
        x64_frame(enc(m), op, r, at.disp);
    else
        x64_rm(enc(m), op, r, x64_mem_of(at));
}

void masm_load(struct masm *m, uint8_t type, reg dst, struct masm_address from)
{
    load_or_store(m, load_ops[type & TYPE_MASK], dst, from);
}

void masm_store(struct masm *m, uint8_t type, struct masm_address to, reg src)
{
    load_or_store(m, store_whole_ops[type & TYPE_MASK], src, to);
}

void masm_store_const(struct masm *m, uint8_t type, struct masm_address to, uint64_t bits)
{
    bool wide = type == VT_I64 || type == VT_F64;

    if (wide && !masm_const_fits((int64_t)bits)) {
        x64_mov_imm(enc(m), X64_SCRATCH, bits);
        x64_rm(enc(m), X64_MOV_STORE | X64_W, X64_SCRATCH, x64_mem_of(to));
        return;
    }
    x64_rm(enc(m), X64_MOV_IMM32 | x64_wide(wide), 0, x64_mem_of(to));
    x64_imm32(enc(m), (uint32_t)bits);
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
    x64_rm(enc(m), X64_MOV | X64_W, dst, x64_mem_of(from));
}

/* --- integers ----------------------------------------------------------------------------------------------------- */
bool masm_const_fits(int64_t value)
{
    return value == (int32_t)value;
}

static const uint8_t alu_ops[] = {
    [ALU_ADD] = X64_ADD, [ALU_SUB] = X64_SUB, [ALU_AND] = X64_AND, [ALU_OR] = X64_OR, [ALU_XOR] = X64_XOR};
static const uint8_t alu_digits[] = {[ALU_ADD] = X64_DIGIT_ADD,
                                     [ALU_SUB] = X64_DIGIT_SUB,
                                     [ALU_AND] = X64_DIGIT_AND,
                                     [ALU_OR] = X64_DIGIT_OR,
                                     [ALU_XOR] = X64_DIGIT_XOR};

void masm_alu(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, reg b)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide), code = op == ALU_MUL ? X64_IMUL : alu_ops[op];

    if (dst == a) {
        x64_rr(e, code | width, dst, b);
    } else if (dst == b && op == ALU_SUB) {
        x64_rr(e, X64_GROUP3 | width, X64_DIGIT_NEG, dst);
        x64_rr(e, X64_ADD | width, dst, a);
    } else if (dst == b) {
        x64_rr(e, code | width, dst, a);
    } else if (op == ALU_ADD) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, b, 0, 0});
        return;
    } else {
        x64_rr(e, X64_MOV | width, dst, a);
        x64_rr(e, code | width, dst, b);
    }
    if (op != ALU_MUL)
        note_flags(m, wide, dst);
}

void masm_alu_memory(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, struct masm_address b)
{
    masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
    x64_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), (op == ALU_MUL ? X64_IMUL : alu_ops[op]) | x64_wide(wide), dst, x64_mem_of(b));
    if (op != ALU_MUL)
        note_flags(m, wide, dst);
}

static void multiply_const(struct masm *m, uint32_t width, reg dst, reg a, int32_t b)
{
    struct x64_enc *e = enc(m);

    if (b == 3 || b == 5 || b == 9) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, a, (uint8_t)__builtin_ctz((unsigned)b - 1), 0});
    } else if (b > 0 && (b & (b - 1)) == 0) {
        masm_shift_const(m, SHIFT_SHL, width != 0, dst, a, (unsigned)__builtin_ctz((unsigned)b));
    } else if (b >= -128 && b < 128) {
        x64_rr(e, X64_IMUL_IMM8 | width, dst, a);
        x64_imm8(e, b);
    } else {
        op_imm32(e, X64_IMUL_IMM32 | width, dst, a, b);
    }
}

void masm_alu_const(struct masm *m, enum masm_alu op, bool wide, reg dst, reg a, int64_t b)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);
    int32_t value = (int32_t)b;

    if (op == ALU_MUL) {
        multiply_const(m, width, dst, a, value);
    } else if (op == ALU_AND && (value == 0xff || value == 0xffff)) {
        x64_rr(e, value == 0xff ? X64_MOVZX8 : X64_MOVZX16, dst, a);
    } else if (dst != a && (op == ALU_ADD || (op == ALU_SUB && value != INT32_MIN))) {
        x64_rm(e, X64_LEA | width, dst, x64_at(a, op == ALU_ADD ? value : -value));
    } else {
        masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
        alu_imm(e, width, alu_digits[op], dst, value);
        note_flags(m, wide, dst);
    }
}

void masm_add_shifted(struct masm *m, bool wide, reg dst, reg a, reg b, unsigned shift)
{
    x64_rm(enc(m), X64_LEA | x64_wide(wide), dst, (struct x64_mem){a, b, (uint8_t)shift, 0});
}

void masm_lea(struct masm *m, bool wide, reg dst, struct masm_address address)
{
    x64_rm(enc(m), X64_LEA | x64_wide(wide), dst, x64_mem_of(address));
}

static const uint8_t shift_digits[] = {[SHIFT_SHL] = X64_DIGIT_SHL,
                                       [SHIFT_SHR_S] = X64_DIGIT_SAR,
                                       [SHIFT_SHR_U] = X64_DIGIT_SHR,
                                       [SHIFT_ROTL] = X64_DIGIT_ROL,
                                       [SHIFT_ROTR] = X64_DIGIT_ROR};

bool masm_shift_is_free(const struct masm *m, enum masm_shift op)
{
    return (m->features & TARGET_X64_BMI2) != 0 && op != SHIFT_ROTL && op != SHIFT_ROTR;
}

void masm_shift(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, reg count)
{
    static const uint32_t bmi2[] = {[SHIFT_SHL] = X64_66 | X64_0F38 | 0xf7,
                                    [SHIFT_SHR_S] = X64_F3 | X64_0F38 | 0xf7,
                                    [SHIFT_SHR_U] = X64_F2 | X64_0F38 | 0xf7};
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);
    reg work = dst == RCX ? X64_SCRATCH : dst;

    if (masm_shift_is_free(m, op)) {
        x64_vex_rrr(e, bmi2[op] | width, dst, count, a);
        return;
    }
    assert(count == RCX);
    if (work != a)
        x64_rr(e, X64_MOV | width, work, a);
    x64_rr(e, X64_SHIFT_CL | width, shift_digits[op], work);
    if (work != dst)
        x64_rr(e, X64_MOV | width, dst, work);
}

void masm_shift_const(struct masm *m, enum masm_shift op, bool wide, reg dst, reg a, unsigned count)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);

    count &= wide ? 63 : 31;
    if ((m->features & TARGET_X64_BMI2) != 0 && dst != a && count != 0 && (op == SHIFT_ROTL || op == SHIFT_ROTR)) {
        x64_vex_rrr(e, X64_F2 | X64_0F3A | 0xf0 | width, dst, 0, a); /* rorx */
        x64_imm8(e, (int)(op == SHIFT_ROTR ? count : (wide ? 64 : 32) - count));
        return;
    }
    if (op == SHIFT_SHL && count == 1 && dst != a) {
        x64_rm(e, X64_LEA | width, dst, (struct x64_mem){a, a, 0, 0});
        return;
    }
    masm_move(m, wide ? VT_I64 : VT_I32, dst, a);
    if (count == 0)
        return;
    x64_rr(e, X64_SHIFT_IMM8 | width, shift_digits[op], dst);
    x64_imm8(e, (int)count);
}

void masm_divide(struct masm *m, enum masm_divide op, bool wide, reg dst, reg a, reg b, bool divisor_safe)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide), ordinary = 0, done = 0;
    bool is_signed = op == DIVIDE_DIV_S || op == DIVIDE_REM_S;

    assert(a == RAX && dst == (op == DIVIDE_DIV_S || op == DIVIDE_DIV_U ? RAX : RDX));
    if (is_signed && !divisor_safe) { /* MIN / -1 faults like a division by zero: overflow, or remainder 0 */
        alu_imm(e, width, X64_DIGIT_CMP, b, -1);
        ordinary = x64_jcc_short(e, CC_NE);
        if (op == DIVIDE_DIV_S) {
            alu_imm(e, width, X64_DIGIT_CMP, RAX, 1); /* overflows for MIN only */
            x64_trap_cc(m, CC_O, TRAP_INTEGER_OVERFLOW);
        } else {
            x64_rr(e, X64_XOR, RDX, RDX);
            done = x64_jmp_short(e);
        }
        x64_bind_short(e, ordinary);
    }
    if (is_signed) {
        if (wide)
            x64_byte(e, 0x48);
        x64_byte(e, 0x99); /* cdq, cqo */
    } else {
        x64_rr(e, X64_XOR, RDX, RDX);
    }
    x64_site(m, TRAP_INTEGER_DIVIDE_BY_ZERO);
    x64_rr(e, X64_GROUP3 | width, is_signed ? X64_DIGIT_IDIV : X64_DIGIT_DIV, b);
    if (done != 0)
        x64_bind_short(e, done);
}

void masm_multiply_wide(struct masm *m, bool is_signed, reg low, reg high, reg a, reg b)
{
    assert(low == RAX && high == RDX && a == RAX);
    x64_rr(enc(m), X64_GROUP3 | X64_W, is_signed ? X64_DIGIT_IMUL : X64_DIGIT_MUL, b);
}

void masm_add_wide(struct masm *m, bool subtract, reg low, reg high, reg a_low, reg a_high, reg b_low, reg b_high)
{
    struct x64_enc *e = enc(m);

    x64_rr(e, X64_MOV | X64_W, low, a_low);
    x64_rr(e, (subtract ? X64_SUB : X64_ADD) | X64_W, low, b_low);
    x64_rr(e, X64_MOV | X64_W, high, a_high);
    x64_rr(e, (subtract ? X64_SBB : X64_ADC) | X64_W, high, b_high);
}

/* The base level has bsr and bsf, which leave their destination undefined for zero. */
static void scan_bits(struct masm *m, enum masm_unary op, uint32_t width, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    bool leading = op == UNARY_CLZ;
    unsigned bits = width != 0 ? 64 : 32;

    if ((m->features & (leading ? TARGET_X64_LZCNT : TARGET_X64_BMI1)) != 0) {
        x64_rr(e, (leading ? X64_LZCNT : X64_TZCNT) | width, dst, a);
        return;
    }
    x64_mov_imm(e, X64_SCRATCH, leading ? 2 * bits - 1 : bits);
    x64_rr(e, (leading ? X64_BSR : X64_BSF) | width, dst, a);
    cmov(e, width, CC_E, dst, X64_SCRATCH);
    if (leading)
        alu_imm(e, 0, X64_DIGIT_XOR, dst, (int32_t)bits - 1);
}

void masm_unary(struct masm *m, enum masm_unary op, bool wide, reg dst, reg a)
{
    struct x64_enc *e = enc(m);
    uint32_t width = x64_wide(wide);

    switch (op) {
    case UNARY_CLZ:
    case UNARY_CTZ: scan_bits(m, op, width, dst, a); break;
    case UNARY_POPCNT: x64_rr(e, X64_POPCNT | width, dst, a); break;
    case UNARY_EXTEND8: x64_rr(e, X64_MOVSX8 | width, dst, a); break;
    case UNARY_EXTEND16: x64_rr(e, X64_MOVSX16 | width, dst, a); break;
    case UNARY_EXTEND32: x64_rr(e, X64_MOVSXD, dst, a); break;
    }
}

void masm_zero_extend(struct masm *m, reg dst, reg src)
{
    x64_rr(enc(m), X64_MOV, dst, src);
}

/* --- linear memory ------------------------------------------------------------------------------------------------ */
void masm_field_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from,
                     enum trap_kind kind)
{
    static const uint32_t ops[] = {
        [ACCESS_8_S] = X64_MOVSX8,     [ACCESS_8_U] = X64_MOVZX8,           [ACCESS_16_S] = X64_MOVSX16,
        [ACCESS_16_U] = X64_MOVZX16,   [ACCESS_32_S] = X64_MOVSXD & ~X64_W, [ACCESS_32_U] = X64_MOV,
        [ACCESS_64] = X64_MOV | X64_W, [ACCESS_F32] = X64_MOVS_LOAD,        [ACCESS_F64] = X64_MOVS_LOAD ^ X64_DOUBLE,
        [ACCESS_V128] = X64_MOVUPS};
    bool extend = wide && (access == ACCESS_8_S || access == ACCESS_16_S || access == ACCESS_32_S);

    if (kind != TRAP_NONE)
        x64_site(m, kind);
    x64_rm(enc(m), ops[access] | x64_wide(extend), dst, x64_mem_of(from));
}

void masm_memory_load(struct masm *m, enum masm_access access, bool wide, reg dst, struct masm_address from)
{
    masm_field_load(m, access, wide, dst, from, TRAP_MEMORY_OUT_OF_BOUNDS);
}

static const uint32_t store_ops[] = {
    [ACCESS_8_S] = X64_MOV8_STORE,       [ACCESS_8_U] = X64_MOV8_STORE, [ACCESS_16_S] = X64_MOV16_STORE,
    [ACCESS_16_U] = X64_MOV16_STORE,     [ACCESS_32_S] = X64_MOV_STORE, [ACCESS_32_U] = X64_MOV_STORE,
    [ACCESS_64] = X64_MOV_STORE | X64_W, [ACCESS_F32] = X64_MOVS_STORE, [ACCESS_F64] = X64_MOVS_STORE ^ X64_DOUBLE,
    [ACCESS_V128] = X64_MOVUPS_STORE};

void masm_field_store(struct masm *m, enum masm_access access, struct masm_address to, reg src, enum trap_kind kind)
{
    if (kind != TRAP_NONE)
        x64_site(m, kind);
    x64_rm(enc(m), store_ops[access], src, x64_mem_of(to));
}

void masm_memory_store(struct masm *m, enum masm_access access, struct masm_address to, reg src)
{
    masm_field_store(m, access, to, src, TRAP_MEMORY_OUT_OF_BOUNDS);
}

void masm_memory_store_const(struct masm *m, enum masm_access access, struct masm_address to, int32_t value)
{
    struct x64_enc *e = enc(m);

    x64_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    switch (access) {
    case ACCESS_8_S:
    case ACCESS_8_U:
        x64_rm(e, X64_MOV8_IMM8, 0, x64_mem_of(to));
        x64_imm8(e, value);
        break;
    case ACCESS_16_S:
    case ACCESS_16_U:
        x64_rm(e, X64_MOV16_IMM16, 0, x64_mem_of(to));
        x64_imm16(e, (uint16_t)value);
        break;
    default:
        assert(access == ACCESS_32_S || access == ACCESS_32_U || access == ACCESS_64);
        x64_rm(e, X64_MOV_IMM32 | x64_wide(access == ACCESS_64), 0, x64_mem_of(to));
        x64_imm32(e, (uint32_t)value);
    }
}

void masm_add_or_trap(struct masm *m, reg sum, reg a, uint64_t value, enum trap_kind kind)
{
    struct x64_enc *e = enc(m);

    assert(sum != a);
    x64_mov_imm(e, sum, value);
    x64_rr(e, X64_ADD | X64_W, sum, a);
    x64_trap_cc(m, CC_B, kind);
}

void masm_compare_memory(struct masm *m, reg a, struct masm_address b)
{
    x64_rm(enc(m), X64_CMP | X64_W, a, x64_mem_of(b));
}

void masm_compare_with_memory(struct masm *m, bool wide, reg a, struct masm_address b)
{
    x64_site(m, TRAP_MEMORY_OUT_OF_BOUNDS);
    x64_rm(enc(m), X64_CMP | x64_wide(wide), a, x64_mem_of(b));
}

/* --- calls -------------------------------------------------------------------------------------------------------- */
void masm_adjust_stack(struct masm *m, int32_t bytes)
{
    struct x64_enc *e = enc(m);

    for (; bytes <= -PAGE_BYTES; bytes += PAGE_BYTES) {
        alu_imm(e, X64_W, X64_DIGIT_SUB, RSP, PAGE_BYTES);
        x64_rm(e, X64_MOV_STORE | X64_W, RBP, x64_at(RSP, 0));
    }
    if (bytes != 0)
        x64_rm(e, X64_LEA | X64_W, RSP, x64_at(RSP, bytes));
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
    refer_to_function(m, x64_call32(enc(m)), func);
    call_site(m);
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
    call_site(m);
    vec_push(&m->foreign_calls, (struct masm_foreign_call){jump, x64_offset(e), m->origin, m->try_number, func});
}

void masm_call_builtin(struct masm *m, enum vm_builtin builtin)
{
    x64_mov_imm(enc(m), RAX, builtin);
    x64_rm(enc(m), X64_GROUP5, X64_DIGIT_CALL, x64_at(R15, offsetof(struct vm, builtin_thunk)));
    call_site(m);
}

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
    refer_to_function(m, x64_jmp32(enc(m)), func);
}

void masm_tail_ref(struct masm *m, reg func)
{
    x64_rm(enc(m), X64_GROUP5, X64_DIGIT_JMP, x64_at(func, offsetof(struct vm_func, code)));
}

void masm_compare_func_vm(struct masm *m, reg func, enum trap_kind null_kind)
{
    if (null_kind != TRAP_NONE)
        x64_site(m, null_kind);
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
    x64_site(m, null_kind);
    x64_rm(e, X64_CMP, X64_SCRATCH, x64_at(func, offsetof(struct vm_func, type_id)));
    x64_trap_cc(m, CC_NE, TRAP_INDIRECT_CALL_TYPE_MISMATCH);
}
