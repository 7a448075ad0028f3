/* See trace.h. */
#include "engine/opt/trace.h"
#include "engine/opt/pass.h"
#include <time.h>

void trace_ir(struct trace *t, char letter, const struct ir_func *f, const char *after)
{
    if (t == NULL || strchr(t->letters, letter) == NULL || (t->func != UINT32_MAX && t->func != f->index))
        return;
    buf_printf(t->out, "after %s\n", after);
    ir_put_text(f, t->out);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void trace_start(struct trace *t)
{
    if (t == NULL)
        return;
    t->functions++;
    t->since_ns = now_ns();
}

void trace_stage(struct trace *t, unsigned stage)
{
    uint64_t now;

    if (t == NULL)
        return;
    now = now_ns();
    t->ns[stage] += now - t->since_ns;
    t->since_ns = now;
}

void trace_refuse(struct trace *t, const char *reason)
{
    struct trace_refusal *r;

    if (t == NULL)
        return;
    for (r = t->refusals; r != t->refusals + TRACE_REASONS_MAX - 1; r++)
        if (r->reason == NULL || strcmp(r->reason, reason) == 0)
            break;
    r->reason = reason;
    r->count++;
}

void trace_finish(struct trace *t)
{
    static const char *const names[TRACE_PASSES] = {
        [TRACE_BUILD] = "build",       [TRACE_SELECT] = "select",   [TRACE_LIVE] = "live",
        [TRACE_ALLOCATE] = "allocate", [TRACE_RESOLVE] = "resolve", [TRACE_EMIT] = "emit"};

    if (t == NULL || strchr(t->letters, 't') == NULL)
        return;
    buf_printf(t->out, "CPU ms of %u functions\n", t->functions);
    for (unsigned n = 0; n < TRACE_PASSES + OPT_PASS_COUNT; n++)
        buf_printf(t->out, "%10.3f %s\n", (double)t->ns[n] / 1e6,
                   n < TRACE_PASSES ? names[n] : passes[n - TRACE_PASSES].name);
    for (unsigned n = 0; n < TRACE_REASONS_MAX && t->refusals[n].reason != NULL; n++)
        buf_printf(t->out, "%10u left to the baseline compiler: %s\n", t->refusals[n].count, t->refusals[n].reason);
}
