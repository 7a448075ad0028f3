/* The passes, in the order in which they run, and what else --no-opt names.
 *
 * X(name, needs, breaks): pass_NAME in NAME's own file; facts as in pass.h. A pass's number here is its bit in
 * passes_off, its name what --no-opt takes. */
#ifndef WHERRY_ENGINE_OPT_PASSES_H
#define WHERRY_ENGINE_OPT_PASSES_H

#define OPT_PASSES(X)                                                                                                  \
    X(phis, 0, FACT_USES)                                                                                              \
    X(divide, 0, FACT_USES)                                                                                            \
    X(gvn, FACT_DOMINATORS, FACT_USES)                                                                                 \
    X(vectorize, FACT_DOMINATORS, FACT_USES)                                                                           \
    X(unroll, FACT_DOMINATORS, FACT_USES)                                                                              \
    X(licm, FACT_DOMINATORS, 0)                                                                                        \
    X(anchors, FACT_DOMINATORS, FACT_USES)                                                                             \
    X(balance, FACT_USES, FACT_USES)                                                                                   \
    X(dead, 0, FACT_USES)                                                                                              \
    X(addresses, 0, FACT_USES)

/* What is no pass but can be left out likewise, by the bits behind the passes' (struct ir_func's `left_out`).
 *
 * X(name): inline: bodies in place of calls; in_place: memory.copy and memory.fill of few bytes; chains: one register for values
 * that are made of one another. */
#define OPT_CHOICES(X)                                                                                                 \
    X(inline)                                                                                                          \
    X(in_place)                                                                                                        \
    X(chains)

enum opt_number {
#define X(name, needs, breaks) OPT_PASS_##name,
    OPT_PASSES(X)
#undef X
        OPT_PASS_COUNT,
    OPT_BEFORE_CHOICES = OPT_PASS_COUNT - 1,
#define X(name) OPT_##name,
    OPT_CHOICES(X)
#undef X
        OPT_COUNT
};

extern const char *const opt_names[OPT_COUNT];

#endif
