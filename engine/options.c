/* The engine's options with their defaults: what the compiler, the cache key and an artifact's header must agree on. */
#include "engine/gen/target.h"
#include "engine/options.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t engine_default_features(void)
{
    return ENGINE_FEATURE_SIMD | ENGINE_FEATURE_RELAXED_SIMD | ENGINE_FEATURE_TAIL_CALL |
           ENGINE_FEATURE_EXTENDED_CONST | ENGINE_FEATURE_MULTI_MEMORY | ENGINE_FEATURE_MEMORY64 |
           ENGINE_FEATURE_FUNCTION_REFERENCES | ENGINE_FEATURE_GC | ENGINE_FEATURE_EXCEPTIONS |
           ENGINE_FEATURE_LEGACY_EXCEPTIONS | ENGINE_FEATURE_WIDE_ARITHMETIC | ENGINE_FEATURE_THREADS |
           ENGINE_FEATURE_CUSTOM_PAGE_SIZES;
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

bool engine_needs_explicit_checks(uint64_t address_space_bytes)
{
    /* one memory with its guard region, the reference space, the stack, and room for a second memory */
    return address_space_bytes < UINT64_C(24) << 30;
}

uint32_t engine_cpu_features(enum engine_compiler compiler)
{
    /* the question may cost tens of microseconds (x64/cpu.c), so baseline code does without the answer */
    return compiler == ENGINE_OPTIMIZING ? target_native_features() : 0;
}

void engine_options_print(const struct engine_options *o, char text[ENGINE_OPTIONS_TEXT_BYTES])
{
    snprintf(text, ENGINE_OPTIONS_TEXT_BYTES, "%d,%u,%d,%" PRIx64 ",%u,%s", (int)o->compiler, o->features,
             o->explicit_bounds_checks, o->passes_off, o->dump_func, o->dumps);
}

bool engine_options_parse(const char *text, struct engine_options *options)
{
    unsigned compiler, features, explicit_checks, func;
    uint64_t passes_off;
    char dumps[8] = "";

    if (sscanf(text, "%u,%u,%u,%" SCNx64 ",%u,%7s", &compiler, &features, &explicit_checks, &passes_off, &func, dumps) <
        5)
        return false;
    *options = (struct engine_options){.compiler = (enum engine_compiler)compiler,
                                       .features = features,
                                       .explicit_bounds_checks = explicit_checks != 0,
                                       .passes_off = passes_off,
                                       .dump_func = func};
    memcpy(options->dumps, dumps, sizeof dumps);
    return true;
}
