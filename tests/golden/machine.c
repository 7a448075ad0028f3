/* Golden tests of machine code and its tables. The input is a module as in bytes.h; one that begins with "# optimizing" is given to
 * the optimizing compiler, the others to the one-pass compiler. */
#include "engine/dump.h"
#include "engine/feature.h"
#include "engine/gen/code.h"
#include "tests/golden/bytes.h"
#include "tests/golden/golden.h"

static void put_code(const struct module *m, struct code_object *code, struct buf *out)
{
    static const uint8_t key[32];
    const struct artifact_identity identity = {.key = key, .compiler = ENGINE_BASELINE};
    struct buf bytes = {0};
    struct artifact a;
    struct err err = {0};

    if (artifact_write(m, code, &identity, &bytes, &err) != 0 || artifact_open(&a, bytes.data, bytes.len, &err) != 0)
        buf_printf(out, "error: %s\n", err.text);
    else
        dump_code(&a, 0, out);
    buf_done(&bytes);
}

static void produce(const char *input, struct buf *out)
{
    const struct code_options options = {
        .compile_function = strncmp(input, "# optimizing", 12) == 0 ? optimizing_compile_function : NULL};
    struct buf bytes = {0};
    struct module m = {0};
    struct code_object code = {0};
    struct err err = {0};

    golden_module_bytes(input, &bytes);
    if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) != 0 ||
        code_compile_module(&m, FEATURES_ALL, &options, 1, &code, &err) != 0)
        buf_printf(out, "error: %s\n", err.text);
    else
        put_code(&m, &code, out);
    code_object_done(&code);
    module_free(&m);
    buf_done(&bytes);
}

int main(void)
{
    return golden_run("tests/golden/machine", produce);
}
