/* Golden tests of single passes on IR as text (engine/ir/print.c): above the line the IR, below it what it is afterwards,
 * or why it is none. Its first line names the passes: "; gvn dead". The IR is of a function of this module, which has a
 * memory of a page, globals i32 and i64 that change, a table of 10 functions, a struct of an i32 and an i64, and functions
 *
 *     0: i32 i32 -> i32    1: i64 i64 -> i64    2: f64 f64 -> f64    3: i32 ->    4: ->    5: i32 ref -> i32 */
#include "engine/feature.h"
#include "engine/opt/pass.h"
#include "tests/golden/bytes.h"
#include "tests/golden/golden.h"

static const char module_text[] =
    "01 (07 60 02 7f 7f 01 7f  60 02 7e 7e 01 7e  60 02 7c 7c 01 7c  60 01 7f 00  60 00 00  5f 02 7f 01 7e 01"
    "    60 02 7f 63 05 01 7f)"
    "03 (06 00 01 02 03 04 06) 04 (01 70 00 0a) 05 (01 00 01) 06 (02 7f 01 41 00 0b 7e 01 42 00 0b)"
    "0a (06 (00 20 00 0b) (00 20 00 0b) (00 20 00 0b) (00 0b) (00 0b) (00 20 00 0b))";

/* All but those that the first line names, and they exist. */
static uint64_t passes_left_out(const char *line)
{
    size_t end = strcspn(line, "\n");
    uint64_t off = UINT64_MAX;

    for (size_t at = strspn(line, "; "); at < end; at += strspn(line + at, " ")) {
        size_t len = strcspn(line + at, " \n");
        unsigned n = 0;
        while (n < OPT_PASS_COUNT && (strlen(passes[n].name) != len || memcmp(passes[n].name, line + at, len) != 0))
            n++;
        assert(n < OPT_PASS_COUNT);
        off &= ~((uint64_t)1 << n);
        at += len;
    }
    return off;
}

static void produce(const char *input, struct buf *out)
{
    struct ir_func f = {0};
    struct buf bytes = {0};
    struct module m = {0};
    struct err err = {0};

    golden_module_bytes(module_text, &bytes);
    if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) != 0 ||
        module_validate(&m, FEATURES_ALL, &err) != 0 || ir_parse(&f, &m, input, &err) != 0) {
        buf_printf(out, "error: %s\n", err.text);
    } else {
        f.left_out = passes_left_out(input);
        passes_run(&f, NULL);
        ir_verify(&f, "the passes");
        ir_put_text(&f, out);
    }
    ir_func_done(&f);
    module_free(&m);
    buf_done(&bytes);
}

int main(void)
{
    return golden_run("tests/golden/pass", produce);
}
