/* Random valid modules for differential fuzzing: every instruction with a fixed signature, and control around it. */
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

/* A module from SEED, its memory exported as "memory". What it computes is fully determined: NaNs are canonical wherever
 * the specification leaves them open, loops and calls are bounded. */
struct buf generate_module(uint64_t seed);

/* The next number of a sequence. */
uint64_t generate_random(uint64_t *state);

#endif
