/* What a compiler hands over for one module: machine code and the tables that explain it. artifact.c lays it out. */
#ifndef WHERRY_ENGINE_GEN_CODE_H
#define WHERRY_ENGINE_GEN_CODE_H

#include "base/buf.h"
#include "base/vec.h"
#include "engine/gen/abi.h"
#include "engine/module.h"

struct code_site {        /* sorted by pc within a code_object */
    uint32_t pc;          /* offset in the code: of the faulting instruction, or the return address of a call */
    uint32_t wasm_offset; /* byte offset in the module */
    uint8_t kind;         /* enum trap_kind; TRAP_NONE: a call site (for backtraces) */
};

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

struct code_object {
    struct buf code;       /* position-independent; calls between functions of the module are resolved */
    VEC(uint32_t) entries; /* offset of each defined function's entry, in index order; then the end of the last one */
    VEC(struct code_site) sites;
    VEC(struct code_call_in_try) calls_in_tries;
    VEC(struct code_try) tries;
    VEC(struct code_catch) catches;
};

struct code_options {
    uint32_t cpu_features; /* gen/target.h bits beyond the base level */
    bool explicit_bounds_checks;
};

/* The baseline compiler. M is valid. Deterministic: same module and options, same bytes. Returns 0 or a negative errno
 * (-ENOTSUP names the feature; -E2BIG a function too large for 32-bit offsets). */
int baseline_compile(const struct module *m, const struct code_options *options, struct code_object *out,
                     struct err *err);

static inline void code_object_done(struct code_object *o)
{
    buf_done(&o->code);
    vec_done(&o->entries);
    vec_done(&o->sites);
    vec_done(&o->calls_in_tries);
    vec_done(&o->tries);
    vec_done(&o->catches);
}

#endif
