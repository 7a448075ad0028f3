/* The table of passes, and how they are run. */
#include "engine/opt/pass.h"

const struct pass passes[] = {
    {"phis", pass_phis, 0, FACT_USES},
    {"gvn", pass_gvn, FACT_DOMINATORS, FACT_USES},
    {"anchors", pass_anchors, FACT_DOMINATORS, FACT_USES},
    {"dead", pass_dead, 0, FACT_USES},
    {"addresses", pass_addresses, 0, FACT_USES},
};
const unsigned pass_count = sizeof passes / sizeof passes[0];

void passes_run(struct ir_func *f, uint64_t off)
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
    }
}
