/* The table of passes, and how they are run. */
#include "engine/opt/pass.h"

const struct pass passes[] = {
#define X(name, needs, breaks) {#name, pass_##name, needs, breaks},
    OPT_PASSES(X)
#undef X
};

const char *const opt_names[OPT_COUNT] = {
#define X(name, needs, breaks) #name,
    OPT_PASSES(X)
#undef X
#define X(name) #name,
        OPT_CHOICES(X)
#undef X
};

void passes_run(struct ir_func *f, struct trace *trace)
{
    unsigned facts = 0;

    for (unsigned n = 0; n < OPT_PASS_COUNT; n++) {
        const struct pass *p = &passes[n];
        unsigned missing = p->needs & ~facts;
        if (ir_leaves_out(f, n))
            continue;
        if ((missing & FACT_DOMINATORS) != 0)
            ir_compute_dominators(f);
        if ((missing & FACT_USES) != 0)
            ir_count_uses(f);
        p->run(f);
        arena_reset(&f->scratch);
        facts = (facts | p->needs) & ~(unsigned)p->breaks;
        trace_stage(trace, TRACE_PASSES + n);
        trace_ir(trace, 'p', f, p->name);
    }
}
