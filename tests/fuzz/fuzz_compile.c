/* Fuzzes both compilers, in both forms of bounds checks: whatever validates becomes an artifact that opens, or is refused in a
 * sentence. What the code computes is `differential`'s. */
#include "engine/gen/artifact.h"
#include "tests/fuzz/fuzz.h"
#include "wherry/engine.h"

static int compile(const uint8_t *data, size_t size, enum engine_compiler compiler, bool explicit_checks)
{
    static const uint8_t key[32];
    const struct engine_options options = {.compiler = compiler, .explicit_bounds_checks = explicit_checks};
    struct buf file = {0};
    struct artifact artifact;
    struct err e = {0};
    int status = engine_compile(data, size, key, &options, &file, &e);

    assert(status == 0 || (status < 0 && e.text[0] != 0));
    if (status == 0)
        assert(artifact_open(&artifact, file.data, file.len, &e) == 0);
    buf_done(&file);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool explicit_checks = size != 0 && (data[size - 1] & 1) != 0;

    if (compile(data, size, ENGINE_BASELINE, explicit_checks) == 0)
        assert(compile(data, size, ENGINE_OPTIMIZING, !explicit_checks) == 0);
    return 0;
}
