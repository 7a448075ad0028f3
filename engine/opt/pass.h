/* The optimizer: passes over one function's IR, in the order of the table in pass.c. */
#ifndef WHERRY_ENGINE_OPT_PASS_H
#define WHERRY_ENGINE_OPT_PASS_H

#include "engine/ir/ir.h"
#include "engine/opt/passes.h"
#include "engine/opt/trace.h"

enum pass_fact { /* what a pass may rely on, or destroys */
                 FACT_DOMINATORS = 1,
                 FACT_USES = 2, /* struct ir_inst's `uses` */
};

struct pass {
    const char *name;
    void (*run)(struct ir_func *f);
    uint8_t needs, breaks; /* enum pass_fact */
};

extern const struct pass passes[];

/* Runs all passes but those that F leaves out. */
void passes_run(struct ir_func *f, struct trace *trace);

#define X(name, needs, breaks) void pass_##name(struct ir_func *f);
OPT_PASSES(X)
#undef X

#endif
