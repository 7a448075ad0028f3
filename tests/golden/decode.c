/* Golden tests of decoder and dump. The input is a module as in bytes.h. */
#include "engine/dump.h"
#include "engine/feature.h"
#include "tests/golden/bytes.h"
#include "tests/golden/golden.h"

static void produce(const char *input, struct buf *out)
{
    struct buf bytes = {0};
    struct module m;
    struct err err;

    golden_module_bytes(input, &bytes);
    if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) != 0)
        buf_printf(out, "error: %s\n", err.text);
    else
        dump_module(&m, out);
    module_free(&m);
    buf_done(&bytes);
}

int main(void)
{
    return golden_run("tests/golden/decode", produce);
}
