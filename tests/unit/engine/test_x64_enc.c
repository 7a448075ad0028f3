/* The encoder against the bytes that GNU as makes of the same instruction (for two registers, in the form "reg,
 * r/m"). */
#include "engine/x64/enc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum form { FORM_RR, FORM_RM, FORM_VEX, FORM_IMM };

struct immediate {
    unsigned bytes;
    uint32_t value;
};

#define NO_IMMEDIATE                                                                                                   \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }
#define I8(v)                                                                                                          \
    {                                                                                                                  \
        1, (uint8_t)(v)                                                                                                \
    }
#define I16(v)                                                                                                         \
    {                                                                                                                  \
        2, (uint16_t)(v)                                                                                               \
    }
#define I32(v)                                                                                                         \
    {                                                                                                                  \
        4, (uint32_t)(v)                                                                                               \
    }

struct instruction {
    enum form form;
    uint32_t op;
    unsigned reg, second, rm;
    struct x64_mem mem;
    uint64_t value;
    struct immediate immediate;
    const char *text, *bytes;
    size_t len;
};

#define M(base, index, scale, disp)                                                                                    \
    {                                                                                                                  \
        base, index, scale, disp                                                                                       \
    }
/* clang-format off: a table */
#define RR(op_, reg_, rm_, immediate_, text_, bytes_)                                                                  \
    {                                                                                                                  \
        .form = FORM_RR, .op = (uint32_t)(op_), .reg = reg_, .rm = rm_, .immediate = immediate_, .text = text_,        \
        .bytes = bytes_, .len = sizeof bytes_ - 1                                                                      \
    }
#define RM(op_, reg_, mem_, immediate_, text_, bytes_)                                                                 \
    {                                                                                                                  \
        .form = FORM_RM, .op = (uint32_t)(op_), .reg = reg_, .mem = mem_, .immediate = immediate_, .text = text_,      \
        .bytes = bytes_, .len = sizeof bytes_ - 1                                                                      \
    }
#define VEX(op_, reg_, second_, rm_, immediate_, text_, bytes_)                                                        \
    {                                                                                                                  \
        .form = FORM_VEX, .op = (uint32_t)(op_), .reg = reg_, .second = second_, .rm = rm_, .immediate = immediate_,   \
        .text = text_, .bytes = bytes_, .len = sizeof bytes_ - 1                                                       \
    }
#define IMM(reg_, value_, text_, bytes_)                                                                               \
    {                                                                                                                  \
        .form = FORM_IMM, .reg = reg_, .value = value_, .text = text_, .bytes = bytes_, .len = sizeof bytes_ - 1       \
    }

static const struct instruction instructions[] = {
    RR(X64_ADD, RAX, RCX, NO_IMMEDIATE, "add %ecx, %eax", "\x03\xc1"),
    RR(X64_ADD | X64_W, R8, RDI, NO_IMMEDIATE, "add %rdi, %r8", "\x4c\x03\xc7"),
    RR(X64_SUB, RBX, R15, NO_IMMEDIATE, "sub %r15d, %ebx", "\x41\x2b\xdf"),
    RR(X64_IMUL | X64_W, R9, R10, NO_IMMEDIATE, "imul %r10, %r9", "\x4d\x0f\xaf\xca"),
    RR(X64_IMUL_IMM8, RAX, R13, I8(7), "imul $7, %r13d, %eax", "\x41\x6b\xc5\x07"),
    RR(X64_IMUL_IMM32 | X64_W, RDX, RSI, I32(100000), "imul $100000, %rsi, %rdx", "\x48\x69\xd6\xa0\x86\x01\x00"),
    RR(X64_MOV, RSP, RBP, NO_IMMEDIATE, "mov %ebp, %esp", "\x8b\xe5"),
    RR(X64_MOVZX8, RAX, RSI, NO_IMMEDIATE, "movzbl %sil, %eax", "\x40\x0f\xb6\xc6"),
    RR(X64_MOVZX8, RAX, RDX, NO_IMMEDIATE, "movzbl %dl, %eax", "\x0f\xb6\xc2"),
    RR(X64_MOVSX8 | X64_W, R12, RDI, NO_IMMEDIATE, "movsbq %dil, %r12", "\x4c\x0f\xbe\xe7"),
    RR(X64_MOVZX16, RCX, R9, NO_IMMEDIATE, "movzwl %r9w, %ecx", "\x41\x0f\xb7\xc9"),
    RR(X64_MOVSX16 | X64_W, RCX, RDX, NO_IMMEDIATE, "movswq %dx, %rcx", "\x48\x0f\xbf\xca"),
    RR(X64_MOVSXD, RAX, R11, NO_IMMEDIATE, "movslq %r11d, %rax", "\x49\x63\xc3"),
    RR(X64_CMOV + CC_NE, RAX, R8, NO_IMMEDIATE, "cmovne %r8d, %eax", "\x41\x0f\x45\xc0"),
    RR((X64_CMOV + CC_L) | X64_W, R8, RAX, NO_IMMEDIATE, "cmovl %rax, %r8", "\x4c\x0f\x4c\xc0"),
    RR(X64_SETCC + CC_A, 0, RSI, NO_IMMEDIATE, "seta %sil", "\x40\x0f\x97\xc6"),
    RR(X64_SETCC + CC_E, 0, RAX, NO_IMMEDIATE, "sete %al", "\x0f\x94\xc0"),
    RR(X64_SETCC + CC_P, 0, R11, NO_IMMEDIATE, "setp %r11b", "\x41\x0f\x9a\xc3"),
    RR(X64_BSR, RAX, RCX, NO_IMMEDIATE, "bsr %ecx, %eax", "\x0f\xbd\xc1"),
    RR(X64_BSF | X64_W, RAX, R9, NO_IMMEDIATE, "bsf %r9, %rax", "\x49\x0f\xbc\xc1"),
    RR(X64_POPCNT | X64_W, R10, RBX, NO_IMMEDIATE, "popcnt %rbx, %r10", "\xf3\x4c\x0f\xb8\xd3"),
    RR(X64_LZCNT, RAX, R8, NO_IMMEDIATE, "lzcnt %r8d, %eax", "\xf3\x41\x0f\xbd\xc0"),
    RR(X64_TZCNT | X64_W, RSI, RDI, NO_IMMEDIATE, "tzcnt %rdi, %rsi", "\xf3\x48\x0f\xbc\xf7"),
    RR(X64_TEST, RAX, RAX, NO_IMMEDIATE, "test %eax, %eax", "\x85\xc0"),
    RR(X64_CMP | X64_W, R14, RCX, NO_IMMEDIATE, "cmp %rcx, %r14", "\x4c\x3b\xf1"),
    RR(X64_ALU_IMM8, X64_DIGIT_CMP, RDI, I8(-1), "cmp $-1, %edi", "\x83\xff\xff"),
    RR(X64_ALU_IMM32 | X64_W, X64_DIGIT_AND, R12, I32(0x12345), "and $0x12345, %r12", "\x49\x81\xe4\x45\x23\x01\x00"),
    RR(X64_SHIFT_IMM8, X64_DIGIT_ROL, RDX, I8(13), "rol $13, %edx", "\xc1\xc2\x0d"),
    RR(X64_SHIFT_CL | X64_W, X64_DIGIT_SAR, R8, NO_IMMEDIATE, "sar %cl, %r8", "\x49\xd3\xf8"),
    RR(X64_SHIFT_1 | X64_W, X64_DIGIT_SHR, RAX, NO_IMMEDIATE, "shr %rax", "\x48\xd1\xe8"),
    RR(X64_GROUP3 | X64_W, X64_DIGIT_IDIV, R9, NO_IMMEDIATE, "idiv %r9", "\x49\xf7\xf9"),
    RR(X64_GROUP3, X64_DIGIT_NEG, RBX, NO_IMMEDIATE, "neg %ebx", "\xf7\xdb"),
    RR(X64_GROUP5, X64_DIGIT_JMP, R11, NO_IMMEDIATE, "jmp *%r11", "\x41\xff\xe3"),
    RR(X64_GROUP5, X64_DIGIT_CALL, RAX, NO_IMMEDIATE, "call *%rax", "\xff\xd0"),
    RR(X64_ADDS, XMM0, XMM9, NO_IMMEDIATE, "addss %xmm9, %xmm0", "\xf3\x41\x0f\x58\xc1"),
    RR(X64_ADDS ^ X64_DOUBLE, XMM10, XMM3, NO_IMMEDIATE, "addsd %xmm3, %xmm10", "\xf2\x44\x0f\x58\xd3"),
    RR(X64_SQRTS ^ X64_DOUBLE, XMM1, XMM2, NO_IMMEDIATE, "sqrtsd %xmm2, %xmm1", "\xf2\x0f\x51\xca"),
    RR(X64_UCOMISS, XMM4, XMM15, NO_IMMEDIATE, "ucomiss %xmm15, %xmm4", "\x41\x0f\x2e\xe7"),
    RR(X64_UCOMISD, XMM8, XMM0, NO_IMMEDIATE, "ucomisd %xmm0, %xmm8", "\x66\x44\x0f\x2e\xc0"),
    RR(X64_ROUNDSD, XMM2, XMM11, I8(9), "roundsd $9, %xmm11, %xmm2", "\x66\x41\x0f\x3a\x0b\xd3\x09"),
    RR(X64_ROUNDSS, XMM12, XMM1, I8(11), "roundss $11, %xmm1, %xmm12", "\x66\x44\x0f\x3a\x0a\xe1\x0b"),
    RR(X64_CVTSI2S | X64_W, XMM3, R9, NO_IMMEDIATE, "cvtsi2ss %r9, %xmm3", "\xf3\x49\x0f\x2a\xd9"),
    RR(X64_CVTSI2S ^ X64_DOUBLE, XMM9, RAX, NO_IMMEDIATE, "cvtsi2sd %eax, %xmm9", "\xf2\x44\x0f\x2a\xc8"),
    RR((X64_CVTTS2SI ^ X64_DOUBLE) | X64_W, R8, XMM1, NO_IMMEDIATE, "cvttsd2si %xmm1, %r8", "\xf2\x4c\x0f\x2c\xc1"),
    RR(X64_CVTS2S, XMM1, XMM2, NO_IMMEDIATE, "cvtss2sd %xmm2, %xmm1", "\xf3\x0f\x5a\xca"),
    RR(X64_CVTS2S ^ X64_DOUBLE, XMM1, XMM2, NO_IMMEDIATE, "cvtsd2ss %xmm2, %xmm1", "\xf2\x0f\x5a\xca"),
    RR(X64_MOVAPS, XMM8, XMM9, NO_IMMEDIATE, "movaps %xmm9, %xmm8", "\x45\x0f\x28\xc1"),
    RR(X64_XORPS, XMM1, XMM1, NO_IMMEDIATE, "xorps %xmm1, %xmm1", "\x0f\x57\xc9"),
    RR(X64_MOVD | X64_W, XMM10, RAX, NO_IMMEDIATE, "movq %rax, %xmm10", "\x66\x4c\x0f\x6e\xd0"),
    RR(X64_MOVD, XMM1, R12, NO_IMMEDIATE, "movd %r12d, %xmm1", "\x66\x41\x0f\x6e\xcc"),
    RR(X64_MOVD_STORE | X64_W, XMM10, RBX, NO_IMMEDIATE, "movq %xmm10, %rbx", "\x66\x4c\x0f\x7e\xd3"),
    RM(X64_MOV, RAX, M(RCX, REG_NONE, 0, 0), NO_IMMEDIATE, "mov (%rcx), %eax", "\x8b\x01"),
    RM(X64_MOV | X64_W, R9, M(RBP, REG_NONE, 0, 0), NO_IMMEDIATE, "mov 0(%rbp), %r9", "\x4c\x8b\x4d\x00"),
    RM(X64_MOV, RAX, M(R13, REG_NONE, 0, 0), NO_IMMEDIATE, "mov 0(%r13), %eax", "\x41\x8b\x45\x00"),
    RM(X64_MOV | X64_W, RAX, M(RSP, REG_NONE, 0, 8), NO_IMMEDIATE, "mov 8(%rsp), %rax", "\x48\x8b\x44\x24\x08"),
    RM(X64_MOV | X64_W, RAX, M(R12, REG_NONE, 0, 0), NO_IMMEDIATE, "mov (%r12), %rax", "\x49\x8b\x04\x24"),
    RM(X64_MOV, RAX, M(R14, RBX, 0, 128), NO_IMMEDIATE, "mov 128(%r14,%rbx), %eax", "\x41\x8b\x84\x1e\x80\x00\x00\x00"),
    RM(X64_MOV, R10, M(R14, R12, 3, -128), NO_IMMEDIATE, "mov -128(%r14,%r12,8), %r10d", "\x47\x8b\x54\xe6\x80"),
    RM(X64_LEA | X64_W, RAX, M(R13, R13, 0, 0), NO_IMMEDIATE, "lea 0(%r13,%r13), %rax", "\x4b\x8d\x44\x2d\x00"),
    RM(X64_LEA, RDX, M(RBX, RSI, 2, 1000000), NO_IMMEDIATE, "lea 1000000(%rbx,%rsi,4), %edx",
       "\x8d\x94\xb3\x40\x42\x0f\x00"),
    RM(X64_MOV8_STORE, RSI, M(R14, RAX, 0, 3), NO_IMMEDIATE, "mov %sil, 3(%r14,%rax)", "\x41\x88\x74\x06\x03"),
    RM(X64_MOV8_STORE, RCX, M(R14, RAX, 0, 0), NO_IMMEDIATE, "mov %cl, (%r14,%rax)", "\x41\x88\x0c\x06"),
    RM(X64_MOV16_STORE, R9, M(R14, RAX, 0, 0), NO_IMMEDIATE, "mov %r9w, (%r14,%rax)", "\x66\x45\x89\x0c\x06"),
    RM(X64_MOV_STORE | X64_W, R15, M(RBP, REG_NONE, 0, -8), NO_IMMEDIATE, "mov %r15, -8(%rbp)", "\x4c\x89\x7d\xf8"),
    RM(X64_MOVZX8, RAX, M(R14, R10, 0, 0), NO_IMMEDIATE, "movzbl (%r14,%r10), %eax", "\x43\x0f\xb6\x04\x16"),
    RM(X64_MOVSX16 | X64_W, R11, M(R14, RDI, 0, 0), NO_IMMEDIATE, "movswq (%r14,%rdi), %r11", "\x4d\x0f\xbf\x1c\x3e"),
    RM(X64_MOV8_IMM8, 0, M(R14, RAX, 0, 0), I8(-2), "movb $-2, (%r14,%rax)", "\x41\xc6\x04\x06\xfe"),
    RM(X64_MOV16_IMM16, 0, M(R14, RAX, 0, 0), I16(0x1234), "movw $0x1234, (%r14,%rax)", "\x66\x41\xc7\x04\x06\x34\x12"),
    RM(X64_MOV_IMM32 | X64_W, 0, M(RBP, REG_NONE, 0, -4096), I32(-5), "movq $-5, -4096(%rbp)",
       "\x48\xc7\x85\x00\xf0\xff\xff\xfb\xff\xff\xff"),
    RM(X64_MOVS_LOAD ^ X64_DOUBLE, XMM9, M(R14, R9, 0, 16), NO_IMMEDIATE, "movsd 16(%r14,%r9), %xmm9",
       "\xf2\x47\x0f\x10\x4c\x0e\x10"),
    RM(X64_MOVS_STORE, XMM1, M(RBP, REG_NONE, 0, -24), NO_IMMEDIATE, "movss %xmm1, -24(%rbp)", "\xf3\x0f\x11\x4d\xe8"),
    RM(X64_MOVUPS, XMM15, M(RSP, REG_NONE, 0, 32), NO_IMMEDIATE, "movups 32(%rsp), %xmm15", "\x44\x0f\x10\x7c\x24\x20"),
    RM(X64_MOVUPS_STORE, XMM8, M(RAX, REG_NONE, 0, 0), NO_IMMEDIATE, "movups %xmm8, (%rax)", "\x44\x0f\x11\x00"),
    RM(X64_ANDPS, XMM8, M(REG_NONE, REG_NONE, 0, 256), NO_IMMEDIATE, "andps 0x100(%rip), %xmm8",
       "\x44\x0f\x54\x05\x00\x01\x00\x00"),
    RM(X64_MOVS_LOAD, XMM0, M(REG_NONE, REG_NONE, 0, -1), NO_IMMEDIATE, "movss -1(%rip), %xmm0",
       "\xf3\x0f\x10\x05\xff\xff\xff\xff"),
    RM(X64_GROUP5, X64_DIGIT_CALL, M(R10, REG_NONE, 0, 4096), NO_IMMEDIATE, "call *4096(%r10)",
       "\x41\xff\x92\x00\x10\x00\x00"),
    RR(X64_66 | X64_0F38 | 0x00, XMM2, XMM9, NO_IMMEDIATE, "pshufb %xmm9, %xmm2", "\x66\x41\x0f\x38\x00\xd1"),
    RM(X64_66 | X64_0F38 | 0x00, XMM12, M(REG_NONE, REG_NONE, 0, 256), NO_IMMEDIATE, "pshufb 0x100(%rip), %xmm12",
       "\x66\x44\x0f\x38\x00\x25\x00\x01\x00\x00"),
    RM(X64_66 | X64_0F38 | 0x20, XMM9, M(R14, RAX, 0, 3), NO_IMMEDIATE, "pmovsxbw 3(%r14,%rax), %xmm9",
       "\x66\x45\x0f\x38\x20\x4c\x06\x03"),
    RR(X64_66 | X64_0F38 | 0x35, XMM1, XMM8, NO_IMMEDIATE, "pmovzxdq %xmm8, %xmm1", "\x66\x41\x0f\x38\x35\xc8"),
    RR(X64_66 | X64_0F38 | 0x37, XMM3, XMM10, NO_IMMEDIATE, "pcmpgtq %xmm10, %xmm3", "\x66\x41\x0f\x38\x37\xda"),
    RR(X64_66 | X64_0F38 | 0x40, XMM15, XMM2, NO_IMMEDIATE, "pmulld %xmm2, %xmm15", "\x66\x44\x0f\x38\x40\xfa"),
    RR(X64_66 | X64_0F38 | 0x17, XMM15, XMM15, NO_IMMEDIATE, "ptest %xmm15, %xmm15", "\x66\x45\x0f\x38\x17\xff"),
    RR(X64_66 | X64_0F3A | 0x14, XMM9, RAX, I8(5), "pextrb $5, %xmm9, %eax", "\x66\x44\x0f\x3a\x14\xc8\x05"),
    RM(X64_66 | X64_0F3A | 0x14, XMM1, M(R14, R10, 0, 0), I8(15), "pextrb $15, %xmm1, (%r14,%r10)",
       "\x66\x43\x0f\x3a\x14\x0c\x16\x0f"),
    RR(X64_66 | X64_0F | 0xc5, R9, XMM3, I8(7), "pextrw $7, %xmm3, %r9d", "\x66\x44\x0f\xc5\xcb\x07"),
    RM(X64_66 | X64_0F3A | 0x15, XMM12, M(R14, RAX, 0, 0), I8(7), "pextrw $7, %xmm12, (%r14,%rax)",
       "\x66\x45\x0f\x3a\x15\x24\x06\x07"),
    RR(X64_66 | X64_0F3A | 0x16, XMM8, R12, I8(3), "pextrd $3, %xmm8, %r12d", "\x66\x45\x0f\x3a\x16\xc4\x03"),
    RR(X64_66 | X64_0F3A | 0x16 | X64_W, XMM8, R12, I8(1), "pextrq $1, %xmm8, %r12", "\x66\x4d\x0f\x3a\x16\xc4\x01"),
    RR(X64_66 | X64_0F3A | 0x20, XMM11, RSI, I8(15), "pinsrb $15, %esi, %xmm11", "\x66\x44\x0f\x3a\x20\xde\x0f"),
    RR(X64_66 | X64_0F | 0xc4, XMM9, R8, I8(2), "pinsrw $2, %r8d, %xmm9", "\x66\x45\x0f\xc4\xc8\x02"),
    RM(X64_66 | X64_0F | 0xc4, XMM9, M(R14, RAX, 0, 3), I8(2), "pinsrw $2, 3(%r14,%rax), %xmm9",
       "\x66\x45\x0f\xc4\x4c\x06\x03\x02"),
    RR(X64_66 | X64_0F3A | 0x22, XMM2, R9, I8(1), "pinsrd $1, %r9d, %xmm2", "\x66\x41\x0f\x3a\x22\xd1\x01"),
    RR(X64_66 | X64_0F3A | 0x22 | X64_W, XMM10, RAX, I8(1), "pinsrq $1, %rax, %xmm10", "\x66\x4c\x0f\x3a\x22\xd0\x01"),
    RR(X64_66 | X64_0F3A | 0x21, XMM1, XMM9, I8(32), "insertps $0x20, %xmm9, %xmm1", "\x66\x41\x0f\x3a\x21\xc9\x20"),
    RR(X64_66 | X64_0F | 0x70, XMM15, XMM8, I8(238), "pshufd $0xee, %xmm8, %xmm15", "\x66\x45\x0f\x70\xf8\xee"),
    RR(X64_F2 | X64_0F | 0x70, XMM9, XMM3, I8(0), "pshuflw $0, %xmm3, %xmm9", "\xf2\x44\x0f\x70\xcb\x00"),
    RR(X64_66 | X64_0F | 0x71, 2, XMM15, I8(4), "psrlw $4, %xmm15", "\x66\x41\x0f\x71\xd7\x04"),
    RR(X64_66 | X64_0F | 0x72, 4, XMM8, I8(31), "psrad $31, %xmm8", "\x66\x41\x0f\x72\xe0\x1f"),
    RR(X64_66 | X64_0F | 0x73, 6, XMM2, I8(32), "psllq $32, %xmm2", "\x66\x0f\x73\xf2\x20"),
    RR(X64_0F | 0xc2, XMM1, XMM9, I8(3), "cmpunordps %xmm9, %xmm1", "\x41\x0f\xc2\xc9\x03"),
    RR(X64_66 | X64_0F | 0xc2, XMM8, XMM2, I8(2), "cmplepd %xmm2, %xmm8", "\x66\x44\x0f\xc2\xc2\x02"),
    RR(X64_66 | X64_0F3A | 0x08, XMM2, XMM11, I8(9), "roundps $9, %xmm11, %xmm2", "\x66\x41\x0f\x3a\x08\xd3\x09"),
    RR(X64_66 | X64_0F3A | 0x09, XMM12, XMM1, I8(11), "roundpd $11, %xmm1, %xmm12", "\x66\x44\x0f\x3a\x09\xe1\x0b"),
    RR(X64_F3 | X64_0F | 0x5b, XMM15, XMM8, NO_IMMEDIATE, "cvttps2dq %xmm8, %xmm15", "\xf3\x45\x0f\x5b\xf8"),
    RR(X64_66 | X64_0F | 0xe6, XMM9, XMM1, NO_IMMEDIATE, "cvttpd2dq %xmm1, %xmm9", "\x66\x44\x0f\xe6\xc9"),
    RR(X64_F3 | X64_0F | 0xe6, XMM1, XMM9, NO_IMMEDIATE, "cvtdq2pd %xmm9, %xmm1", "\xf3\x41\x0f\xe6\xc9"),
    RR(X64_0F | 0x5a, XMM8, XMM2, NO_IMMEDIATE, "cvtps2pd %xmm2, %xmm8", "\x44\x0f\x5a\xc2"),
    RR(X64_0F | 0xc6, XMM3, XMM15, I8(136), "shufps $0x88, %xmm15, %xmm3", "\x41\x0f\xc6\xdf\x88"),
    RM(X64_F2 | X64_0F | 0x12, XMM9, M(R14, RAX, 0, 3), NO_IMMEDIATE, "movddup 3(%r14,%rax), %xmm9",
       "\xf2\x45\x0f\x12\x4c\x06\x03"),
    RR(X64_66 | X64_0F | 0xd7, RAX, XMM9, NO_IMMEDIATE, "pmovmskb %xmm9, %eax", "\x66\x41\x0f\xd7\xc1"),
    RR(X64_66 | X64_0F | 0x50, R8, XMM1, NO_IMMEDIATE, "movmskpd %xmm1, %r8d", "\x66\x44\x0f\x50\xc1"),
    RR(X64_66 | X64_0F38 | 0x04, XMM15, XMM1, NO_IMMEDIATE, "pmaddubsw %xmm1, %xmm15", "\x66\x44\x0f\x38\x04\xf9"),
    RR(X64_66 | X64_0F38 | 0x1e, XMM9, XMM8, NO_IMMEDIATE, "pabsd %xmm8, %xmm9", "\x66\x45\x0f\x38\x1e\xc8"),
    RR(X64_0F | 0x14, XMM0, XMM9, NO_IMMEDIATE, "unpcklps %xmm9, %xmm0", "\x41\x0f\x14\xc1"),
    VEX(X64_F2 | X64_0F38 | 0xf7 | X64_W, R8, RCX, RAX, NO_IMMEDIATE, "shrx %rcx, %rax, %r8", "\xc4\x62\xf3\xf7\xc0"),
    VEX(X64_66 | X64_0F38 | 0xf7, RDX, R9, R10, NO_IMMEDIATE, "shlx %r9d, %r10d, %edx", "\xc4\xc2\x31\xf7\xd2"),
    VEX(X64_F2 | X64_0F3A | 0xf0 | X64_W, RAX, 0, R12, I8(11), "rorx $11, %r12, %rax", "\xc4\xc3\xfb\xf0\xc4\x0b"),
    IMM(RAX, 0, "mov $0, %eax", "\xb8\x00\x00\x00\x00"),
    IMM(R9, 0xffffffff, "mov $0xffffffff, %r9d", "\x41\xb9\xff\xff\xff\xff"),
    IMM(RDI, (uint64_t)-2, "mov $-2, %rdi", "\x48\xc7\xc7\xfe\xff\xff\xff"),
    IMM(R12, 0x123456789abcdef0, "movabs $0x123456789abcdef0, %r12", "\x49\xbc\xf0\xde\xbc\x9a\x78\x56\x34\x12"),
};

static void emit(struct x64_enc *e, const struct instruction *i)
{
    switch (i->form) {
    case FORM_RR: x64_rr(e, i->op, i->reg, (reg)i->rm); break;
    case FORM_RM: x64_rm(e, i->op, i->reg, i->mem); break;
    case FORM_VEX: x64_vex_rrr(e, i->op, (reg)i->reg, (reg)i->second, (reg)i->rm); break;
    case FORM_IMM: x64_mov_imm(e, (reg)i->reg, i->value); break;
    }
    if (i->immediate.bytes == 1)
        x64_imm8(e, (int)i->immediate.value);
    else if (i->immediate.bytes == 2)
        x64_imm16(e, (uint16_t)i->immediate.value);
    else if (i->immediate.bytes == 4)
        x64_imm32(e, i->immediate.value);
}

static void encodes_like_the_assembler(void **state)
{
    for (size_t i = 0; i < sizeof instructions / sizeof instructions[0]; i++) {
        const struct instruction *in = &instructions[i];
        struct x64_enc e = {0};
        emit(&e, in);
        if (x64_offset(&e) != in->len || memcmp(e.start, in->bytes, in->len) != 0)
            print_error("%s\n", in->text);
        assert_int_equal(x64_offset(&e), in->len);
        assert_memory_equal(e.start, in->bytes, in->len);
        free(e.start);
    }
    (void)state;
}

static void assert_same(const struct x64_enc *a, const struct x64_enc *b)
{
    assert_int_equal(x64_offset(a), x64_offset(b));
    assert_memory_equal(a->start, b->start, x64_offset(a));
}

/* Both ways of A: with room in the buffer, and without, into what is written behind it. */
#define ENCODE_TWICE(a, call)                                                                                          \
    do {                                                                                                               \
        (a)->at = (a)->start;                                                                                          \
        call;                                                                                                          \
        (a)->end = (a)->at;                                                                                            \
        call;                                                                                                          \
    } while (0)

/* The short way against the one that the table above is about: every register in every place. */
static void short_way_is_the_same(void **state)
{
    static const uint32_t ops[] = {X64_MOV, X64_MOV_STORE | X64_W, X64_LEA | X64_W, X64_GROUP5};
    static const int32_t disps[] = {0, 1, -1, 127, -128, 128, -129, INT32_MAX, INT32_MIN};
    struct x64_enc a = {0}, b = {0};

    x64_grow(&a, X64_ROOM_BYTES);
    x64_grow(&b, X64_ROOM_BYTES);
    for (unsigned i = 0; i < sizeof ops / sizeof ops[0] * 16 * 17; i++) {
        uint32_t op = ops[i / (16 * 17)];
        unsigned r = i / 17 % 16;
        reg base = i % 17 == 16 ? REG_NONE : (reg)(i % 17);
        if (base != REG_NONE) {
            ENCODE_TWICE(&a, x64_rr(&a, op, r, base));
            ENCODE_TWICE(&b, x64_rr_any(&b, op, r, base));
            assert_same(&a, &b);
        }
        for (unsigned j = 0; j < sizeof disps / sizeof disps[0] * 17 * 4; j++) {
            reg index = base == REG_NONE || j / 4 % 17 == 16 || j / 4 % 17 == RSP ? REG_NONE : (reg)(j / 4 % 17);
            struct x64_mem mem = {base, index, index == REG_NONE ? 0 : j % 4, disps[j / (17 * 4)]};
            ENCODE_TWICE(&a, x64_rm(&a, op, r, mem));
            ENCODE_TWICE(&b, x64_rm_any(&b, op, r, mem));
            assert_same(&a, &b);
            if (base == RBP && index == REG_NONE) {
                ENCODE_TWICE(&a, x64_frame(&a, op, r, mem.disp));
                assert_same(&a, &b);
            }
        }
    }
    free(a.start);
    free(b.start);
    (void)state;
}

/* Displacements count from the end of the instruction; a jump back takes the short form while it reaches. */
static void jumps_reach_their_target(void **state)
{
    struct x64_enc e = {0};
    uint32_t at, far;

    x64_patch32(&e, x64_jcc32(&e, CC_NE), 6);
    assert_memory_equal(e.start, "\x0f\x85\0\0\0\0", 6);
    at = x64_jcc_short(&e, CC_P);
    x64_ud2(&e);
    x64_bind_short(&e, at);
    x64_jmp_back(&e, 6);
    assert_memory_equal(e.start + 6, "\x7a\x02\x0f\x0b\xeb\xfa", 6);
    while (x64_offset(&e) < 200)
        x64_byte(&e, 0x90);
    far = x64_offset(&e);
    x64_jcc_back(&e, CC_L, 6);
    x64_jmp_back(&e, far);
    assert_memory_equal(e.start + far, "\x0f\x8c\x38\xff\xff\xff\xeb\xf8", 8);
    free(e.start);
    (void)state;
}

/* The buffer moves when it grows; what was written goes along. */
static void grows(void **state)
{
    struct x64_enc e = {0};

    for (unsigned i = 0; i < 100000; i++)
        x64_mov_imm(&e, RAX, i);
    assert_int_equal(x64_offset(&e), 500000);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t value;
        memcpy(&value, e.start + 5 * i + 1, 4);
        assert_int_equal(value, i);
    }
    free(e.start);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_like_the_assembler),
        cmocka_unit_test(short_way_is_the_same),
        cmocka_unit_test(jumps_reach_their_target),
        cmocka_unit_test(grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
