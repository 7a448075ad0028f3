/* Which locals the loops of valid functions use most: a one-pass compiler must know it at a loop's head. The validator,
 * which reads everything anyway, logs it on the way (loop_log.h). */
#ifndef WHERRY_ENGINE_LOOPS_H
#define WHERRY_ENGINE_LOOPS_H

#include "base/vec.h"
#include <stdbool.h>
#include <stdint.h>

struct loop_local {
    uint32_t local;
    bool written;
};

struct loop_info {
    uint32_t first, count; /* into `locals`: integers, then vectors, each kind with the most used first */
    bool calls;            /* so often that keeping values in registers is in vain */
};

struct loops {                   /* of a range of functions */
    VEC(uint32_t) functions;     /* index of each one's first loop */
    VEC(struct loop_info) loops; /* in the order of their heads */
    VEC(struct loop_local) locals;
};

static inline void loops_empty(struct loops *l)
{
    l->functions.len = l->loops.len = l->locals.len = 0;
}

static inline void loops_done(struct loops *l)
{
    vec_done(&l->functions);
    vec_done(&l->loops);
    vec_done(&l->locals);
}

#endif
