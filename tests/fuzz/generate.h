/* Random valid modules for differential fuzzing: every instruction with a fixed signature, and control, calls, objects,
 * exceptions and tables around it. */
#ifndef WHERRY_TESTS_FUZZ_GENERATE_H
#define WHERRY_TESTS_FUZZ_GENERATE_H

#include "base/buf.h"
#include <stdint.h>

enum {
    GENERATE_FUNCTIONS = 24,   /* each has an exported caller "0", "1", ...: () -> () */
    GENERATE_ARGS_AT = 0,      /* where callers load arguments from, 16 bytes each */
    GENERATE_RESULTS_AT = 256, /* where they store results, 16 bytes each */
    GENERATE_AREA_BYTES = 128, /* of either */
};

/* Parts of the language that not every engine has; differential.mjs says which V8 does. */
enum generate_feature {
    GENERATE_TAIL_CALL = 1u << 0,
    GENERATE_EXCEPTIONS = 1u << 1,
    GENERATE_LEGACY_EXCEPTIONS = 1u << 2, /* never in a module with the other ones */
    GENERATE_GC = 1u << 3,                /* and typed function references */
    GENERATE_MEMORY64 = 1u << 4,
    GENERATE_MULTI_MEMORY = 1u << 5,
    GENERATE_ALL = (1u << 6) - 1,
};

/* A module from SEED and some of FEATURES, its memories exported as "memory" and "memory1" (if there is one). What it computes
 * is fully determined: NaNs are canonical wherever the specification leaves them open, loops and calls are bounded. */
struct buf generate_module(uint64_t seed, uint32_t features);

/* The next number of a sequence. */
uint64_t generate_random(uint64_t *state);

#endif
