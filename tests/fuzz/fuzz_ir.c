/* Fuzzes the reader of the IR's text: what it takes is printed, and read again, as the same text. No pass runs: what a pass may
 * rely on is more than what text can be held to. */
#include "engine/feature.h"
#include "engine/ir/ir.h"
#include "tests/fuzz/fuzz.h"

/* Functions i32 i32 -> i32, i64 -> i64 and i32 ref -> i32. */
/* clang-format off */
static const uint8_t module_bytes[] = {
    0, 'a', 's', 'm', 1, 0, 0, 0,
    1, 18, 3, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7e, 1, 0x7e, 0x60, 2, 0x7f, 0x6f, 1, 0x7f,
    3, 4, 3, 0, 1, 2,
    10, 16, 3, 4, 0, 0x20, 0, 0xb, 4, 0, 0x20, 0, 0xb, 4, 0, 0x20, 0, 0xb,
};
/* clang-format on */

static void read_again(const struct module *m, const struct ir_func *f)
{
    static struct ir_func again;
    struct buf text = {0}, text_again = {0};
    struct err err = {0};

    ir_put_text(f, &text);
    assert(ir_parse(&again, m, buf_cstr(&text), &err) == 0);
    ir_put_text(&again, &text_again);
    assert(strcmp(buf_cstr(&text), buf_cstr(&text_again)) == 0);
    buf_done(&text);
    buf_done(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ir_func f;
    static struct module m;
    char *text = fuzz_text(data, size);
    struct err err = {0};

    if (m.func_count == 0 && module_decode(&m, module_bytes, sizeof module_bytes, FEATURES_ALL, &err) != 0)
        abort();
    if (ir_parse(&f, &m, text, &err) == 0)
        read_again(&m, &f);
    else
        assert(err.text[0] != 0);
    free(text);
    return 0;
}
