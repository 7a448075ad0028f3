/* The encoder against the words that GNU as makes of the same instruction; where Debian's cross assembler is
 * installed, it is asked again. The encoder runs anywhere, so this test does. */
#include "engine/a64/enc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct a64_enc e;
static FILE *assembly;
static void (*check)(const char *text, uint32_t want);

static void compare(const char *text, uint32_t want)
{
    uint32_t word;

    assert_int_equal(a64_offset(&e), 4);
    memcpy(&word, e.start, sizeof word);
    if (word != want)
        fail_msg("%s: %08x instead of %08x", text, word, want);
}

#define CHECK(emit, text, word) (e.at = e.start, emit, check(text, word))

/* clang-format off: a table */
static void all_instructions(void)
{
    CHECK(a64_rrr(&e, A64_ADD, X0, X1, X2), "add w0, w1, w2", 0x0b020020);
    CHECK(a64_rrr(&e, A64_ADDS | A64_X, X3, X4, X5), "adds x3, x4, x5", 0xab050083);
    CHECK(a64_rrr(&e, A64_SUB | A64_X, X28, X27, X26), "sub x28, x27, x26", 0xcb1a037c);
    CHECK(a64_rrr(&e, A64_SUBS, XZR, X1, X2), "cmp w1, w2", 0x6b02003f);
    CHECK(a64_rrr(&e, A64_AND, X6, X7, X8), "and w6, w7, w8", 0x0a0800e6);
    CHECK(a64_rrr(&e, A64_ORR | A64_X, X9, XZR, X10), "mov x9, x10", 0xaa0a03e9);
    CHECK(a64_rrr(&e, A64_EOR | A64_X, X9, X11, X10), "eor x9, x11, x10", 0xca0a0169);
    CHECK(a64_rrr(&e, A64_ANDS, XZR, X1, X2), "tst w1, w2", 0x6a02003f);
    CHECK(a64_rrr(&e, A64_ADC | A64_X, X0, X1, X2), "adc x0, x1, x2", 0x9a020020);
    CHECK(a64_rrr(&e, A64_SBC | A64_X, X0, X1, X2), "sbc x0, x1, x2", 0xda020020);
    CHECK(a64_rrr(&e, A64_MUL | A64_X, X0, X1, X2), "mul x0, x1, x2", 0x9b027c20);
    CHECK(a64_rrr(&e, A64_SMULH, X0, X1, X2), "smulh x0, x1, x2", 0x9b427c20);
    CHECK(a64_rrr(&e, A64_UMULH, X0, X1, X2), "umulh x0, x1, x2", 0x9bc27c20);
    CHECK(a64_rrr(&e, A64_MSUB | A64_X | X1 << 10, X0, X3, X2), "msub x0, x3, x2, x1", 0x9b028460);
    CHECK(a64_rrr(&e, A64_UDIV, X12, X13, X14), "udiv w12, w13, w14", 0x1ace09ac);
    CHECK(a64_rrr(&e, A64_SDIV | A64_X, X12, X13, X14), "sdiv x12, x13, x14", 0x9ace0dac);
    CHECK(a64_rrr(&e, A64_LSLV, X0, X1, X2), "lsl w0, w1, w2", 0x1ac22020);
    CHECK(a64_rrr(&e, A64_LSRV | A64_X, X0, X1, X2), "lsr x0, x1, x2", 0x9ac22420);
    CHECK(a64_rrr(&e, A64_ASRV, X0, X1, X2), "asr w0, w1, w2", 0x1ac22820);
    CHECK(a64_rrr(&e, A64_RORV | A64_X, X0, X1, X2), "ror x0, x1, x2", 0x9ac22c20);
    CHECK(a64_rrr_shifted(&e, A64_ADD | A64_X, X0, X1, X2, 3), "add x0, x1, x2, lsl #3", 0x8b020c20);
    CHECK(a64_rrr_shifted(&e, A64_EXTR | A64_X | A64_N, X0, X1, X1, 63), "ror x0, x1, #63", 0x93c1fc20);
    CHECK(a64_rrr_shifted(&e, A64_EXTR, X0, X1, X1, 5), "ror w0, w1, #5", 0x13811420);
    CHECK(a64_rrr_extended(&e, A64_ADD | A64_X, X0, X1, X2, 0), "add x0, x1, w2, uxtw", 0x8b224020);
    CHECK(a64_rrr_extended(&e, A64_ADD | A64_X, X0, SP, X2, 2), "add x0, sp, w2, uxtw #2", 0x8b224be0);
    CHECK(a64_rrr_sp(&e, A64_ADD, X17, SP, X2, 3), "add x17, sp, x2, lsl #3", 0x8b226ff1);
    CHECK(a64_rrr_sp(&e, A64_ADD, X17, X27, X2, 0), "add x17, x27, x2, uxtx", 0x8b226371);
    CHECK(a64_rri(&e, A64_ADD_IMM | A64_X, FP, SP, 0, false), "mov x29, sp", 0x910003fd);
    CHECK(a64_rri(&e, A64_ADDS_IMM, XZR, X3, 1, false), "cmn w3, #1", 0x3100047f);
    CHECK(a64_rri(&e, A64_SUB_IMM | A64_X, SP, SP, 4095, false), "sub sp, sp, #4095", 0xd13fffff);
    CHECK(a64_rri(&e, A64_SUB_IMM | A64_X, SP, SP, 1, true), "sub sp, sp, #1, lsl #12", 0xd14007ff);
    CHECK(a64_rri(&e, A64_SUBS_IMM, XZR, X3, 17, false), "cmp w3, #17", 0x7100447f);
    CHECK(a64_rr(&e, A64_RBIT | A64_X, X0, X1), "rbit x0, x1", 0xdac00020);
    CHECK(a64_rr(&e, A64_CLZ, X0, X1), "clz w0, w1", 0x5ac01020);
    CHECK(a64_rr(&e, A64_BR, 0, X16), "br x16", 0xd61f0200);
    CHECK(a64_rr(&e, A64_BLR, 0, X17), "blr x17", 0xd63f0220);
    CHECK(a64_rr(&e, A64_RET, 0, LR), "ret", 0xd65f03c0);
    CHECK(a64_rrr_cc(&e, A64_CSEL, X0, X1, X2, CC_LO), "csel w0, w1, w2, lo", 0x1a823020);
    CHECK(a64_rrr_cc(&e, A64_CSINC, X0, XZR, XZR, CC_GT ^ 1), "cset w0, gt", 0x1a9fd7e0);
    CHECK(a64_rrr_cc(&e, A64_FCSEL | A64_DOUBLE, V0, V1, V2, CC_MI), "fcsel d0, d1, d2, mi", 0x1e624c20);
    CHECK(a64_rrr_cc(&e, A64_CCMP_IMM | A64_X, 0, X7, 1, CC_EQ), "ccmp x7, #1, #0, eq", 0xfa4108e0);
    CHECK(a64_bits(&e, A64_UBFM, false, X0, X1, 29, 28), "lsl w0, w1, #3", 0x531d7020);
    CHECK(a64_bits(&e, A64_UBFM, true, X0, X1, 7, 63), "lsr x0, x1, #7", 0xd347fc20);
    CHECK(a64_bits(&e, A64_SBFM, true, X0, X1, 0, 31), "sxtw x0, w1", 0x93407c20);
    CHECK(a64_bits(&e, A64_SBFM, false, X0, X1, 0, 7), "sxtb w0, w1", 0x13001c20);
    CHECK(a64_bits(&e, A64_SBFM, true, X17, X17, 62, 25), "sbfiz x17, x17, #2, #26", 0x937e6631);
    CHECK(a64_logical(&e, A64_AND_IMM, X0, X1, a64_logical_fields(0xff, false)), "and w0, w1, #0xff", 0x12001c20);
    CHECK(a64_logical(&e, A64_AND_IMM | A64_X, X0, X1, a64_logical_fields(0xfffffffffffffff0, true)),
          "and x0, x1, #0xfffffffffffffff0", 0x927cec20);
    CHECK(a64_logical(&e, A64_ORR_IMM | A64_X, X0, X1, a64_logical_fields(0x5555555555555555, true)),
          "orr x0, x1, #0x5555555555555555", 0xb200f020);
    CHECK(a64_logical(&e, A64_EOR_IMM, X0, X1, a64_logical_fields(0x80000001, false)), "eor w0, w1, #0x80000001",
          0x52010420);
    CHECK(a64_logical(&e, A64_ANDS_IMM | A64_X, XZR, X1, a64_logical_fields(0x00ff00ff00ff00ff, true)),
          "tst x1, #0x00ff00ff00ff00ff", 0xf2009c3f);
    CHECK(a64_logical(&e, A64_AND_IMM | A64_X, X2, X1, a64_logical_fields(0x7ffffffffffffffe, true)),
          "and x2, x1, #0x7ffffffffffffffe", 0x927ff422);
    CHECK(a64_mov_imm(&e, false, X0, 0), "mov w0, #0", 0x52800000);
    CHECK(a64_mov_imm(&e, false, X0, 0xffffffff), "mov w0, #-1", 0x12800000);
    CHECK(a64_mov_imm(&e, false, X0, 0x12340000), "mov w0, #0x12340000", 0x52a24680);
    CHECK(a64_mov_imm(&e, true, X0, 0x123400000000), "mov x0, #0x123400000000", 0xd2c24680);
    CHECK(a64_mov_imm(&e, true, X0, 0xffffffffffff1234), "mov x0, #0xffffffffffff1234", 0x929db960);
    CHECK(a64_mov_imm(&e, true, X0, 0x0f0f0f0f0f0f0f0f), "mov x0, #0x0f0f0f0f0f0f0f0f", 0xb200cfe0);
    CHECK(a64_move_wide(&e, A64_MOVK | A64_X, X5, 0xabcd, 2), "movk x5, #0xabcd, lsl #32", 0xf2d579a5);
    CHECK(a64_mem(&e, A64_STRB, X0, X1, 4095), "strb w0, [x1, #4095]", 0x393ffc20);
    CHECK(a64_mem(&e, A64_LDRB, X0, X1, 3), "ldrb w0, [x1, #3]", 0x39400c20);
    CHECK(a64_mem(&e, A64_LDRSB_X, X0, X1, -3), "ldursb x0, [x1, #-3]", 0x389fd020);
    CHECK(a64_mem(&e, A64_LDRSB, X0, X1, 3), "ldrsb w0, [x1, #3]", 0x39c00c20);
    CHECK(a64_mem(&e, A64_STRH, X0, X1, 8190), "strh w0, [x1, #8190]", 0x793ffc20);
    CHECK(a64_mem(&e, A64_LDRH, X0, X1, 1), "ldurh w0, [x1, #1]", 0x78401020);
    CHECK(a64_mem(&e, A64_LDRSH_X, X0, X1, 2), "ldrsh x0, [x1, #2]", 0x79800420);
    CHECK(a64_mem(&e, A64_LDRSH, X0, X1, 2), "ldrsh w0, [x1, #2]", 0x79c00420);
    CHECK(a64_mem(&e, A64_STR_W, XZR, SP, 16380), "str wzr, [sp, #16380]", 0xb93fffff);
    CHECK(a64_mem(&e, A64_LDR_W, X3, SP, 4), "ldr w3, [sp, #4]", 0xb94007e3);
    CHECK(a64_mem(&e, A64_LDRSW, X3, X4, 4), "ldrsw x3, [x4, #4]", 0xb9800483);
    CHECK(a64_mem(&e, A64_STR_X, X28, FP, -8), "stur x28, [x29, #-8]", 0xf81f83bc);
    CHECK(a64_mem(&e, A64_LDR_X, X27, X28, 0), "ldr x27, [x28]", 0xf940039b);
    CHECK(a64_mem(&e, A64_STR_S, V3, X0, 4), "str s3, [x0, #4]", 0xbd000403);
    CHECK(a64_mem(&e, A64_LDR_S, V3, X0, -4), "ldur s3, [x0, #-4]", 0xbc5fc003);
    CHECK(a64_mem(&e, A64_STR_D, V3, X0, 8), "str d3, [x0, #8]", 0xfd000403);
    CHECK(a64_mem(&e, A64_LDR_D, V3, X0, 32760), "ldr d3, [x0, #32760]", 0xfd7ffc03);
    CHECK(a64_mem(&e, A64_STR_Q, V3, X0, 16), "str q3, [x0, #16]", 0x3d800403);
    CHECK(a64_mem(&e, A64_LDR_Q, V31, X0, 65520), "ldr q31, [x0, #65520]", 0x3dfffc1f);
    CHECK(a64_mem_reg(&e, A64_LDR_X, X0, X1, X2, false), "ldr x0, [x1, x2]", 0xf8626820);
    CHECK(a64_mem_reg(&e, A64_LDR_W, X0, X1, X2, true), "ldr w0, [x1, x2, lsl #2]", 0xb8627820);
    CHECK(a64_mem_reg(&e, A64_STRB, X0, SP, X17, false), "strb w0, [sp, x17]", 0x38316be0);
    CHECK(a64_mem_reg(&e, A64_STR_Q, V0, X1, X2, true), "str q0, [x1, x2, lsl #4]", 0x3ca27820);
    CHECK(a64_pair(&e, A64_STP_BEFORE, FP, LR, SP, -16), "stp x29, x30, [sp, #-16]!", 0xa9bf7bfd);
    CHECK(a64_pair(&e, A64_LDP_AFTER, FP, LR, SP, 16), "ldp x29, x30, [sp], #16", 0xa8c17bfd);
    CHECK(a64_pair(&e, A64_STP, XZR, XZR, X17, 496), "stp xzr, xzr, [x17, #496]", 0xa91f7e3f);
    CHECK(a64_pair(&e, A64_STP_AFTER, XZR, XZR, X17, 16), "stp xzr, xzr, [x17], #16", 0xa8817e3f);
    CHECK(a64_rr(&e, A64_LDAXR | 2u << 30, X16, X17), "ldaxr w16, [x17]", 0x885ffe30);
    CHECK(a64_rr(&e, A64_LDAXR, X16, X17), "ldaxrb w16, [x17]", 0x085ffe30);
    CHECK(a64_rrr(&e, A64_STLXR | 3u << 30, X0, X17, X15), "stlxr w15, x0, [x17]", 0xc80ffe20);
    CHECK(a64_rr(&e, A64_LDAR | 1u << 30, X0, X17), "ldarh w0, [x17]", 0x48dffe20);
    CHECK(a64_word(&e, A64_DMB_ISH), "dmb ish", 0xd5033bbf);
    CHECK(a64_word(&e, A64_UDF | 7), "udf #7", 0x00000007);
    CHECK(a64_rrr(&e, A64_FADD, V0, V1, V2), "fadd s0, s1, s2", 0x1e222820);
    CHECK(a64_rrr(&e, A64_FSUB | A64_DOUBLE, V0, V1, V2), "fsub d0, d1, d2", 0x1e623820);
    CHECK(a64_rrr(&e, A64_FMUL, V0, V1, V2), "fmul s0, s1, s2", 0x1e220820);
    CHECK(a64_rrr(&e, A64_FDIV | A64_DOUBLE, V0, V1, V2), "fdiv d0, d1, d2", 0x1e621820);
    CHECK(a64_rrr(&e, A64_FMAX, V0, V1, V2), "fmax s0, s1, s2", 0x1e224820);
    CHECK(a64_rrr(&e, A64_FMIN | A64_DOUBLE, V0, V1, V2), "fmin d0, d1, d2", 0x1e625820);
    CHECK(a64_rr(&e, A64_FMOV | A64_DOUBLE, V0, V1), "fmov d0, d1", 0x1e604020);
    CHECK(a64_rr(&e, A64_FABS, V0, V1), "fabs s0, s1", 0x1e20c020);
    CHECK(a64_rr(&e, A64_FNEG | A64_DOUBLE, V0, V1), "fneg d0, d1", 0x1e614020);
    CHECK(a64_rr(&e, A64_FSQRT, V0, V1), "fsqrt s0, s1", 0x1e21c020);
    CHECK(a64_rr(&e, A64_FRINTN, V0, V1), "frintn s0, s1", 0x1e244020);
    CHECK(a64_rr(&e, A64_FRINTP | A64_DOUBLE, V0, V1), "frintp d0, d1", 0x1e64c020);
    CHECK(a64_rr(&e, A64_FRINTM, V0, V1), "frintm s0, s1", 0x1e254020);
    CHECK(a64_rr(&e, A64_FRINTZ | A64_DOUBLE, V0, V1), "frintz d0, d1", 0x1e65c020);
    CHECK(a64_rr(&e, A64_FCVT_TO_D, V0, V1), "fcvt d0, s1", 0x1e22c020);
    CHECK(a64_rr(&e, A64_FCVT_TO_S, V0, V1), "fcvt s0, d1", 0x1e624020);
    CHECK(a64_rr(&e, A64_FMOV_FROM_W, V0, X1), "fmov s0, w1", 0x1e270020);
    CHECK(a64_rr(&e, A64_FMOV_TO_W, X1, V0), "fmov w1, s0", 0x1e260001);
    CHECK(a64_rr(&e, A64_FMOV_FROM_X, V0, X1), "fmov d0, x1", 0x9e670020);
    CHECK(a64_rr(&e, A64_FMOV_TO_X, X1, V0), "fmov x1, d0", 0x9e660001);
    CHECK(a64_rr(&e, A64_SCVTF | A64_DOUBLE, V0, X1), "scvtf d0, w1", 0x1e620020);
    CHECK(a64_rr(&e, A64_UCVTF | A64_X, V0, X1), "ucvtf s0, x1", 0x9e230020);
    CHECK(a64_rr(&e, A64_FCVTZS | A64_X | A64_DOUBLE, X1, V0), "fcvtzs x1, d0", 0x9e780001);
    CHECK(a64_rr(&e, A64_FCVTZU, X1, V0), "fcvtzu w1, s0", 0x1e390001);
    CHECK(a64_rrr(&e, A64_FCMP | A64_DOUBLE, 0, V1, V2), "fcmp d1, d2", 0x1e622020);
    CHECK(a64_rr(&e, A64_FMOV_IMM | A64_DOUBLE | (uint32_t)a64_float_bits(true, 0xbff8000000000000) << 13, V3, 0),
          "fmov d3, #-1.5", 0x1e7f1003);
    CHECK(a64_rr(&e, A64_FMOV_IMM | (uint32_t)a64_float_bits(false, 0x41f80000) << 13, V3, 0), "fmov s3, #31.0",
          0x1e27f003);
    CHECK(a64_rr(&e, A64_MOVI_ZERO, V31, 0), "movi v31.2d, #0", 0x6f00e41f);
    CHECK(a64_rr(&e, A64_MOVI_SIGN_2S, V31, 0), "movi v31.2s, #0x80, lsl #24", 0x0f04641f);
    CHECK(a64_rrr(&e, A64_BIT_8B, V0, V1, V31), "bit v0.8b, v1.8b, v31.8b", 0x2ebf1c20);
    CHECK(a64_rrr(&e, A64_BIF_8B, V0, V1, V31), "bif v0.8b, v1.8b, v31.8b", 0x2eff1c20);
    CHECK(a64_rrr(&e, A64_ORR_16B, V0, V1, V1), "mov v0.16b, v1.16b", 0x4ea11c20);
    CHECK(a64_rr(&e, A64_INS_D1, V2, X17), "mov v2.d[1], x17", 0x4e181e22);
    CHECK(a64_rr(&e, A64_CNT_8B, V31, V31), "cnt v31.8b, v31.8b", 0x0e205bff);
    CHECK(a64_rr(&e, A64_ADDV_8B, V31, V31), "addv b31, v31.8b", 0x0e31bbff);
}
/* clang-format on */

static void test_instructions(void **state)
{
    check = compare;
    all_instructions();
}

static void list_text(const char *text, uint32_t want)
{
    fprintf(assembly, "%s\n", text);
}

static void read_word(const char *text, uint32_t want)
{
    uint32_t word;

    assert_int_equal(fread(&word, sizeof word, 1, assembly), 1);
    if (word != want)
        fail_msg("%s: the assembler says %08x, not %08x", text, word, want);
}

static void all_with(const char *path, const char *mode, void (*what)(const char *text, uint32_t want))
{
    assembly = fopen(path, mode);
    assert_non_null(assembly);
    check = what;
    all_instructions();
    fclose(assembly);
}

/* The expectations themselves. */
static void test_against_the_assembler(void **state)
{
    char directory[] = "/tmp/wherry-a64-XXXXXX", path[64], command[256];

    if (system("command -v aarch64-linux-gnu-as > /dev/null 2>&1") != 0)
        skip(); /* Debian's binutils-aarch64-linux-gnu is not installed */
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/t.s", directory);
    all_with(path, "w", list_text);
    snprintf(command, sizeof command,
             "cd %s && aarch64-linux-gnu-as -o t.o t.s && aarch64-linux-gnu-objcopy -O binary -j .text t.o t.bin",
             directory);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/t.bin", directory);
    all_with(path, "r", read_word);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

/* Every pattern of a run of ones, repeated and rotated, is one, and nothing near it is another by mistake: what the
 * fields say is decoded here the other way round. */
static uint64_t decode_logical(uint32_t fields, bool wide)
{
    unsigned n = fields >> 22 & 1, rotation = fields >> 16 & 63, ones = fields >> 10 & 63;
    unsigned size = n != 0 ? 64 : 1u << (31 - __builtin_clz(~ones & 63));
    uint64_t element = (UINT64_C(2) << (ones & (size - 1))) - 1, value = 0;

    rotation &= size - 1;
    if (rotation != 0)
        element = (element >> rotation | element << (size - rotation)) &
                  (size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1);
    for (unsigned at = 0; at < 64; at += size)
        value |= element << at;
    return wide ? value : (uint32_t)value;
}

static void test_logical_constants(void **state)
{
    unsigned count = 0;

    for (unsigned size = 2; size <= 64; size *= 2)
        for (unsigned ones = 1; ones < size; ones++)
            for (unsigned rotation = 0; rotation < size; rotation++) {
                uint64_t element = (UINT64_C(1) << ones) - 1, value = 0;
                if (rotation != 0)
                    element = element << rotation | element >> (size - rotation);
                if (size < 64)
                    element &= (UINT64_C(1) << size) - 1;
                for (unsigned at = 0; at < 64; at += size)
                    value |= element << at;
                assert_true(a64_logical_fields(value, true) != A64_NO_FIELDS);
                assert_true(decode_logical(a64_logical_fields(value, true), true) == value);
                count++;
            }
    assert_int_equal(count, 5334); /* as many as there are (Arm ARM, DecodeBitMasks) */
    assert_true(a64_logical_fields(0, true) == A64_NO_FIELDS);
    assert_true(a64_logical_fields(UINT32_MAX, false) == A64_NO_FIELDS);
    assert_true(a64_logical_fields(5, true) == A64_NO_FIELDS);
    assert_true(a64_logical_fields(0x00ff0fff, false) == A64_NO_FIELDS);
    assert_true(decode_logical(a64_logical_fields(0x0000fff0, false), false) == 0x0000fff0);
}

/* What is out of a jump's reach is refused, and what is within comes back as it went in. */
static void test_distances(void **state)
{
    static const struct {
        uint32_t word;
        int32_t limit;
    } rows[] = {{A64_B, 1 << 25},      {A64_BL, 1 << 25},          {0, 1 << 25},
                {A64_B_COND, 1 << 18}, {A64_CBZ | A64_X, 1 << 18}, {A64_LDR_Q_LITERAL, 1 << 18}};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int32_t distances[] = {-rows[i].limit, rows[i].limit - 1, 0, -1, 7};
        for (unsigned k = 0; k < 5; k++) {
            e.at = e.start;
            assert_int_equal(a64_refer(&e, rows[i].word), 0);
            assert_true(a64_set_distance(&e, 0, distances[k]));
            assert_int_equal(a64_distance(&e, 0), distances[k]);
        }
        assert_false(a64_set_distance(&e, 0, rows[i].limit));
        assert_false(a64_set_distance(&e, 0, -rows[i].limit - 1));
        assert_int_equal(a64_distance(&e, 0), 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_against_the_assembler),
        cmocka_unit_test(test_logical_constants),
        cmocka_unit_test(test_distances),
    };
    a64_grow(&e, 64);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
