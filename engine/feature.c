/* Names of language features, and the features of types. */
#include "engine/feature.h"
#include <assert.h>

const char *feature_name(uint32_t features)
{
    static const char names[][20] = {"simd",
                                     "relaxed-simd",
                                     "tail-call",
                                     "extended-const",
                                     "multi-memory",
                                     "memory64",
                                     "function-references",
                                     "gc",
                                     "exceptions",
                                     "legacy-exceptions",
                                     "threads",
                                     "wide-arithmetic",
                                     "custom-page-sizes"};

    assert((features & FEATURES_ALL) != 0);
    return names[__builtin_ctz(features)];
}

uint32_t features_closed(uint32_t features)
{
    if ((features & ENGINE_FEATURE_GC) != 0)
        features |= ENGINE_FEATURE_FUNCTION_REFERENCES;
    if ((features & ENGINE_FEATURE_RELAXED_SIMD) != 0)
        features |= ENGINE_FEATURE_SIMD;
    if ((features & ENGINE_FEATURE_LEGACY_EXCEPTIONS) != 0)
        features |= ENGINE_FEATURE_EXCEPTIONS;
    return features;
}

static uint32_t feature_of_heap(heaptype heap)
{
    switch (heap) {
    case HEAP_FUNC:
    case HEAP_EXTERN: return 0;
    case HEAP_EXN:
    case HEAP_NOEXN: return ENGINE_FEATURE_EXCEPTIONS;
    default: return heap < HEAP_ABSTRACT ? ENGINE_FEATURE_FUNCTION_REFERENCES : ENGINE_FEATURE_GC;
    }
}

uint32_t feature_of_valtype(valtype t)
{
    if (t == VT_V128)
        return ENGINE_FEATURE_SIMD;
    if (!valtype_is_ref(t))
        return 0;
    return feature_of_heap(valtype_heap(t)) | (valtype_code(t) == VT_REF ? ENGINE_FEATURE_FUNCTION_REFERENCES : 0);
}
