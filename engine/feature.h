/* The language features of include/wherry/engine.h: their names, and which of them a type belongs to. */
#ifndef WHERRY_ENGINE_FEATURE_H
#define WHERRY_ENGINE_FEATURE_H

#include "engine/types.h"
#include "wherry/engine.h"

enum { FEATURES_ALL = (ENGINE_FEATURE_CUSTOM_PAGE_SIZES << 1) - 1 };

/* The name of the lowest bit in FEATURES (not 0), e.g. "tail-call"; a static string. */
const char *feature_name(uint32_t features);

/* FEATURES with everything that the features in it build upon (gc needs function-references, both relaxed-simd and
 * legacy-exceptions their elders). */
uint32_t features_closed(uint32_t features);

/* The feature bits that T needs; 0 for what WebAssembly 2.0 without SIMD has. */
uint32_t feature_of_valtype(valtype t);

#endif
