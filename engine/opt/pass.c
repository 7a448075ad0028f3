/* The table of passes, and how they are run. */
#include "engine/opt/pass.h"

const struct pass passes[] = {
#define X(name, needs, breaks) {#name, pass_##name, needs, breaks},
    OPT_PASSES(X)
#undef X
};
const unsigned pass_count = sizeof passes / sizeof passes[0];

void passes_run(struct ir_func *f, uint64_t off, struct trace *trace)
{
    unsigned facts = 0;

    for (unsigned n = 0; n < pass_count; n++) {
        const struct pass *p = &passes[n];
        unsigned missing = p->needs & ~facts;
        if ((off >> n & 1) != 0)
            continue;
        if ((missing & FACT_DOMINATORS) != 0)
            ir_compute_dominators(f);
        if ((missing & FACT_USES) != 0)
            ir_count_uses(f);
        p->run(f);
        facts = (facts | p->needs) & ~(unsigned)p->breaks;
        trace_stage(trace, TRACE_PASSES + n);
        trace_ir(trace, 'p', f, p->name);
    }
}
