/* How the validator finds out what loops.h tells. Uses of locals inside of loops are logged in order; where a loop ends,
 * its part of the log is added up per local and replaced by the sums, weighted with how often an inner loop runs for one
 * round of the outer. So the work stays linear in the length of the body. */
#ifndef WHERRY_ENGINE_LOOP_LOG_H
#define WHERRY_ENGINE_LOOP_LOG_H

#include "engine/loops.h"
#include "engine/types.h"

enum { LOOP_USE_WRITES = 1u << 31 };

struct loop_use {
    uint32_t local; /* with LOOP_USE_WRITES where it is set */
    uint32_t weight;
};

struct loop_open {
    uint32_t loop; /* index in out->loops */
    size_t first;  /* of its uses */
    uint32_t instructions, calls;
};

struct loop_log {
    struct loops *out; /* NULL: nobody wants to know */
    struct loop_use *uses, *next;
    size_t capacity;
    size_t step;                  /* 1 inside of a loop, else 0: what a use counts for */
    size_t counted_at;            /* offset in the module up to where instructions are counted */
    uint32_t instructions, calls; /* of the innermost loop so far; the former by its bytes */
    VEC(struct loop_open) open;
    struct loop_weight *weights; /* by local, zero but while something is added up */
    size_t weight_capacity;
};

/* Makes room for a body of BODY_BYTES; what there was is gone. */
void loop_log_reserve(struct loop_log *log, size_t body_bytes);
/* A function of LOCAL_COUNT locals and a body of BODY_BYTES begins. */
void loop_log_begin(struct loop_log *log, uint32_t local_count, size_t body_bytes);
/* A loop at offset AT begins, the innermost one ends there; of the types of LOCALS only the register class matters. */
void loop_log_open(struct loop_log *log, size_t at);
void loop_log_close(struct loop_log *log, size_t at, const valtype *locals);
void loop_log_done(struct loop_log *log);

/* A use of LOCAL, with LOOP_USE_WRITES where it is set. There is room for one every two bytes of the body. */
static inline void loop_log_use(struct loop_log *log, uint32_t local)
{
    *log->next = (struct loop_use){local, 1};
    log->next += log->step;
}

#endif
