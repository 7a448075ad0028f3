/* The engine's options with their defaults: what the compiler, the cache key and an artifact's header must agree on. */
#include "wherry/engine.h"

uint32_t engine_default_features(void)
{
    return ENGINE_FEATURE_SIMD | ENGINE_FEATURE_RELAXED_SIMD | ENGINE_FEATURE_TAIL_CALL | ENGINE_FEATURE_EXTENDED_CONST |
           ENGINE_FEATURE_MULTI_MEMORY | ENGINE_FEATURE_MEMORY64 | ENGINE_FEATURE_FUNCTION_REFERENCES |
           ENGINE_FEATURE_WIDE_ARITHMETIC;
}

struct engine_options engine_options_resolved(const struct engine_options *options)
{
    struct engine_options resolved = *options;
    if (resolved.compiler == 0)
        resolved.compiler = ENGINE_BASELINE;
    if (resolved.features == 0)
        resolved.features = engine_default_features();
    return resolved;
}

uint32_t engine_cpu_features(void)
{
    return 0; /* the compilers use x86-64-v2 and nothing beyond it */
}
