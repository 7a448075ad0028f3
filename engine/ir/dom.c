/* Dominators (Cooper, Harvey, Kennedy 2001). Wasm's control flow is reducible and f->order a reverse postorder, so one
 * walk is enough: the ways back into a loop come from blocks that its head dominates. */
#include "engine/ir/ir.h"
#include <assert.h>

static uint32_t common_dominator(const struct ir_func *f, uint32_t a, uint32_t b)
{
    while (a != b) {
        if (ir_block(f, a)->dom_depth >= ir_block(f, b)->dom_depth)
            a = ir_block(f, a)->idom;
        else
            b = ir_block(f, b)->idom;
    }
    return a;
}

void ir_compute_dominators(struct ir_func *f)
{
    for (size_t n = 0; n < f->order.len; n++) {
        struct ir_block *b = ir_block(f, f->order.data[n]);
        uint32_t idom = 0;
        b->order = (uint32_t)n;
        for (uint32_t i = 0; i < b->pred_count; i++) {
            const struct ir_block *pred = ir_block(f, b->preds[i]);
            if (pred->order < n || b->preds[i] == f->entry)
                idom = idom == 0 ? b->preds[i] : common_dominator(f, idom, b->preds[i]);
        }
        assert(n == 0 || idom != 0);
        b->idom = idom;
        b->dom_depth = idom == 0 ? 0 : ir_block(f, idom)->dom_depth + 1;
    }
}

bool ir_dominates(const struct ir_func *f, uint32_t a, uint32_t b)
{
    uint32_t depth = ir_block(f, a)->dom_depth;

    while (ir_block(f, b)->dom_depth > depth)
        b = ir_block(f, b)->idom;
    return a == b;
}
