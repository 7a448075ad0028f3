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

struct code_object {
    struct buf code;       /* position-independent; calls between functions of the module are resolved */
    VEC(uint32_t) entries; /* offset of each defined function's entry, in index order; then the end of the last one */
    VEC(struct code_site) sites;
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
}

#endif
