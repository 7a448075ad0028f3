/* The passes, in the order in which they run.
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
    X(licm, FACT_DOMINATORS, 0)                                                                                        \
    X(anchors, FACT_DOMINATORS, FACT_USES)                                                                             \
    X(dead, 0, FACT_USES)                                                                                              \
    X(addresses, 0, FACT_USES)

#endif
