/* What a compiler hands over for one module: machine code and the tables that explain it. artifact.c lays it out. */
#ifndef WHERRY_ENGINE_GEN_CODE_H
#define WHERRY_ENGINE_GEN_CODE_H

#include "base/buf.h"
#include "base/vec.h"
#include "engine/gen/abi.h"
#include "engine/gen/site.h"
#include "engine/loops.h"
#include "engine/module.h"

/* Exceptions cost nothing until one is thrown: then the runtime looks up each frame's return address, from the newest
 * frame on, in calls_in_tries (rt/exception.c). Numbers of tries and catches are 1 + index, 0 is none. */
struct code_call_in_try { /* sorted by pc within a code_object */
    uint32_t pc;          /* offset of the return address */
    uint32_t try_number;  /* the innermost around the call */
};

struct code_try {
    uint32_t outer;       /* number of what is asked when no clause fits; always an earlier one */
    uint32_t catches;     /* number of the first clause */
    uint32_t frame_bytes; /* at its handlers the stack pointer is that far below the frame pointer */
};

enum { CODE_CATCH_ALL = UINT32_MAX };

/* A handler starts with the pinned registers right, the exception's reference in the first integer result register
 * and everything else in memory. */
struct code_catch {
    uint32_t tag;  /* index, or CODE_CATCH_ALL */
    uint32_t pc;   /* offset of the handler */
    uint32_t next; /* number of the clause to try next; always a later one */
};

/* The optimizing compiler translates bodies of callees in place of calls. Numbers of inlinings are 1 + index, 0 is none:
 * what the function itself does. */
struct code_inlining {
    uint32_t func;           /* the callee */
    struct site_origin call; /* which it stands for; its inlining is always an earlier one */
};

struct code_inlined_sites { /* sorted by `first` */
    uint32_t first;         /* number of the site from which on, up to the next of these, */
    uint32_t inlining;      /* sites belong to this one */
};

struct code_call { /* to a function whose place is not known yet: the target fills it in (gen/target.h) */
    uint32_t at, func;
};

struct code_object {
    struct buf code;             /* position-independent */
    VEC(uint32_t) entries;       /* offset of each function's entry, in index order; of a whole module, then its end */
    VEC(struct code_call) calls; /* of a whole module none: they are resolved */
    VEC(struct site_block) site_blocks; /* gen/site.h */
    VEC(uint32_t) sites;
    VEC(struct code_inlining) inlinings;
    VEC(struct code_inlined_sites) inlined_sites;
    VEC(struct code_call_in_try) calls_in_tries;
    VEC(struct code_try) tries;
    VEC(struct code_catch) catches;
    bool is_replaceable; /* each function begins with a look at its slot (gen/live_file.h) */
};

struct masm;
struct code_options;
struct optimizer;

/* Compiles one function if it can; false: nothing has been emitted. Functions of a module may be compiled at once, each
 * thread with an optimizer of its own: *O, NULL at first, lets one function use the memory of the last. */
typedef bool code_function_compiler(struct optimizer **o, struct masm *m, const struct module *module,
                                    const struct code_options *options, uint32_t func);

struct code_options {
    uint32_t cpu_features; /* gen/target.h bits beyond the base level */
    bool explicit_bounds_checks;
    bool replaceable;                         /* functions look at their slots; only by code_compile_module */
    code_function_compiler *compile_function; /* asked before the baseline compiler; or NULL */
    /* of the optimizing compiler: */
    uint64_t passes_off;                             /* bit n: what enum opt_number calls n is left out */
    bool verify;                                     /* check the IR's invariants */
    struct trace *trace;                             /* opt/trace.h: what it tells meanwhile, to one thread; or NULL */
    void (*progress)(uint64_t done, uint64_t total); /* of code_compile_module; may be NULL */
};

/* The optimizing compiler, as a code_function_compiler. What it leaves to the baseline compiler: docs/DEVIATIONS.md. */
code_function_compiler optimizing_compile_function;
void optimizer_free(struct optimizer *o); /* may be NULL */

/* The one-pass compiler: the functions FIRST to END - 1 of M, which are valid and have LOOPS, into OUT, which is empty (but may have memory);
 * calls of other functions may stay open. Several threads may ask at once. Deterministic: same module, options and
 * range, same bytes; and what comes out for a function does not depend on the range that it is compiled in, but for where it lies. Returns 0 or a
 * negative errno (-ENOTSUP names the feature; -E2BIG code too large for 32-bit offsets). *KEPT, NULL at first and released by
 * baseline_free, lets one range use the memory of the last. */
struct compiler;
int baseline_compile(struct compiler **kept, const struct module *m, const struct code_options *options, uint32_t first,
                     uint32_t end, const struct loops *loops, struct code_object *out, struct err *err);
void baseline_free(struct compiler *kept); /* may be NULL */

/* What the slots of COUNT functions take: whole pages. */
static inline uint32_t code_slots_bytes(uint32_t count)
{
    return (count * 4 + 4095) & ~4095u;
}

enum { CODE_ALIGN = 16 }; /* of every function */

/* Checks M, decoded, and compiles it on up to CORES threads; the outcome does not depend on their number.
 * Bodies are validated right before they are compiled, while they are in the cache. Returns 0, what module_validate
 * says, or what baseline_compile says; of several failures that of the lowest function. */
int code_compile_module(struct module *m, uint32_t features, const struct code_options *options, unsigned cores,
                        struct code_object *out, struct err *err);

/* The same as code_add_site, which is its short way: where room is wanted, a block, or another inlining. */
void code_add_site_far(struct code_object *o, struct site site, uint32_t inlining);

/* Sites that are added from now on belong to INLINING. */
void code_change_inlining(struct code_object *o, uint32_t inlining);

/* The inlining that site NUMBER, counted from 0, belongs to. Async-signal-safe. */
uint32_t code_inlining_of_site(const struct code_inlined_sites *sites, uint64_t count, uint64_t number);

/* The last site's. */
static inline uint32_t code_inlining(const struct code_object *o)
{
    return o->inlined_sites.len != 0 ? vec_last(&o->inlined_sites)->inlining : 0;
}

/* Adds a site, which is not below the last one. */
static inline void code_add_site(struct code_object *o, struct site site, uint32_t inlining)
{
    uint32_t packed;

    if (code_inlining(o) == inlining && o->sites.len < o->sites.capacity && o->site_blocks.len != 0 &&
        site_pack(&o->site_blocks.data[o->site_blocks.len - 1], site, &packed))
        o->sites.data[o->sites.len++] = packed;
    else
        code_add_site_far(o, site, inlining);
}

static inline void code_object_done(struct code_object *o)
{
    buf_done(&o->code);
    vec_done(&o->entries);
    vec_done(&o->calls);
    vec_done(&o->site_blocks);
    vec_done(&o->sites);
    vec_done(&o->inlinings);
    vec_done(&o->inlined_sites);
    vec_done(&o->calls_in_tries);
    vec_done(&o->tries);
    vec_done(&o->catches);
}

#endif
