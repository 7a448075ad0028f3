/* The optimizer: passes over one function's IR, in the order of the table in pass.c. */
#ifndef WHERRY_ENGINE_OPT_PASS_H
#define WHERRY_ENGINE_OPT_PASS_H

#include "engine/ir/ir.h"

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
extern const unsigned pass_count;

/* Runs all passes but those in OFF (bit n: passes[n]). */
void passes_run(struct ir_func *f, uint64_t off);

void pass_phis(struct ir_func *f);
void pass_gvn(struct ir_func *f);
void pass_dead(struct ir_func *f);
void pass_anchors(struct ir_func *f);
void pass_addresses(struct ir_func *f);

#endif
