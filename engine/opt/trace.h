/* What the optimizing compiler tells about its work: the stages of chosen functions as text, and where the time goes.
 * Letters: i the IR as it is built, p after every pass, o when all are done, t seconds by stage. */
#ifndef WHERRY_ENGINE_OPT_TRACE_H
#define WHERRY_ENGINE_OPT_TRACE_H

#include "base/buf.h"
#include "engine/ir/ir.h"

enum trace_stage {
    TRACE_BUILD,
    TRACE_SELECT,
    TRACE_LIVE,
    TRACE_ALLOCATE,
    TRACE_RESOLVE,
    TRACE_EMIT,
    TRACE_PASSES, /* the first of as many as there are passes */
    TRACE_STAGES_MAX = TRACE_PASSES + 64
};

enum { TRACE_REASONS_MAX = 16 };

struct trace {
    struct buf *out;
    const char *letters;
    uint32_t func; /* the only one that is told of; UINT32_MAX: all */
    uint64_t ns[TRACE_STAGES_MAX], since_ns;
    uint32_t functions;
    struct trace_refusal { /* functions left to the baseline compiler */
        const char *reason;
        uint32_t count;
    } refusals[TRACE_REASONS_MAX];
};

/* All take TRACE == NULL: nothing is wanted. */
void trace_ir(struct trace *t, char letter, const struct ir_func *f, const char *after);
/* The time since the last call belongs to STAGE. */
void trace_start(struct trace *t);
void trace_stage(struct trace *t, unsigned stage);
/* The function is not translated; REASON is a static string. */
void trace_refuse(struct trace *t, const char *reason);
/* Appends the table of times, if it is wanted. */
void trace_finish(struct trace *t);

#endif
