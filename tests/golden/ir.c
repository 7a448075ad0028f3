/* Golden tests of the optimizing compiler's IR: as it is built, and after each pass. The input is a module as in
 * bytes.h. */
#include "engine/feature.h"
#include "engine/gen/code.h"
#include "engine/module.h"
#include "engine/opt/trace.h"
#include "tests/golden/bytes.h"
#include "tests/golden/golden.h"

static void produce(const char *input, struct buf *out)
{
    struct trace trace = {.out = out, .letters = "ip", .func = UINT32_MAX};
    const struct code_options options = {
        .compile_function = optimizing_compile_function, .verify = true, .trace = &trace};
    struct buf bytes = {0};
    struct module m = {0};
    struct code_object code = {0};
    struct err err = {0};

    golden_module_bytes(input, &bytes);
    if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) != 0 ||
        code_compile_module(&m, FEATURES_ALL, &options, 1, &code, &err) != 0)
        buf_printf(out, "error: %s\n", err.text);
    code_object_done(&code);
    module_free(&m);
    buf_done(&bytes);
}

int main(void)
{
    return golden_run("tests/golden/ir", produce);
}
