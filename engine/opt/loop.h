/* Innermost loops whose rounds can be counted before the first: what is the same in each round, what grows by the same amount,
 * and how long the loop goes on.
 *
 * Such a loop is a chain of blocks with one branch that leaves it. "Round" n, from 0, is one walk along the chain. */
#ifndef WHERRY_ENGINE_OPT_LOOP_H
#define WHERRY_ENGINE_OPT_LOOP_H

#include "engine/baseline/masm.h"
#include "engine/ir/ir.h"

enum { LOOP_BLOCKS_MAX = 4 };

struct loop {
    uint32_t number, head, preheader;              /* the preheader's only way is into the head */
    uint32_t blocks[LOOP_BLOCKS_MAX], block_count; /* in the order in which they run */
    uint32_t exit;                                 /* where the branch leads that leaves it */
    uint32_t entry, back;                          /* operands of the head's phis: from outside, from the last block */
    /* The loop goes on after the branch of a round while `tested`, which grows by `step` a round, compares so with `limit`,
     * which stays. `test` is the comparison, `negated` if the loop goes on where it is false. */
    ir_value test, tested, limit;
    int64_t step;
    enum masm_cond cond;
    bool negated, wide;
};

/* Fills in *L if loop NUMBER of f->loops, an innermost one, is such a loop. Dominators are known. */
bool loop_analyze(struct ir_func *f, uint32_t number, struct loop *l);
bool loop_changes(const struct ir_func *f, const struct loop *l, ir_value v);
/* An integer phi of the head that grows by the constant *STEP each round. */
bool loop_is_induction(const struct ir_func *f, const struct loop *l, ir_value v, int64_t *step);
/* What V, which is made of additions and the like, is in round 0: made at the end of the preheader, if the loop makes it. */
ir_value loop_first_value(struct ir_func *f, const struct loop *l, ir_value v);

/* An i32 or i64 as a sum: constant + factor * term + ..., modulo 2^32 or 2^64. Terms do not change in the loop, or are
 * induction variables. */
enum { LINEAR_TERMS_MAX = 4 };

struct linear {
    ir_value term[LINEAR_TERMS_MAX]; /* in ascending order */
    uint64_t factor[LINEAR_TERMS_MAX];
    unsigned count;
    uint64_t constant;
    int64_t stride; /* by how much it grows each round */
};

/* False: V is no such sum. */
bool linear_of(const struct ir_func *f, const struct loop *l, ir_value v, struct linear *out);
/* They differ by a constant. */
bool linear_same_terms(const struct linear *a, const struct linear *b);

#endif
