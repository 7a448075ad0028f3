/* Register allocation: what live.c and regalloc.c share, and what emit.c asks.
 *
 * A web is one virtual register, or several that phis connect and that are never alive at once; it has one slot in the
 * frame. Where it is alive is a sorted list of ranges of positions. A web is cut into pieces, each with one place: a
 * register, or the slot. */
#ifndef WHERRY_ENGINE_GEN_REGALLOC_H
#define WHERRY_ENGINE_GEN_REGALLOC_H

#include "engine/gen/mach.h"

struct live_range {
    uint32_t from, to; /* half open */
};

struct need { /* an instruction that wants the web, or makes it */
    uint32_t inst;
    float weight;
    reg hint;      /* or REG_NONE */
    bool anywhere; /* a slot will do */
};

struct piece {
    uint32_t web, next, previous; /* next, previous: of the same web, or 0 */
    uint32_t from, to;            /* window of positions, even or the web's ends */
    float weight;                 /* per position; less gives way */
    reg reg;                      /* REG_NONE: in the slot */
    bool placed;
};

enum store_policy { STORE_AT_MOVES, STORE_AT_DEFINITIONS };

struct web {
    uint32_t range_first, range_count;
    uint32_t need_first, need_count;
    uint32_t piece;    /* first */
    uint32_t cursor;   /* the piece that was asked for last */
    int32_t slot;      /* from the frame pointer; 0: none */
    uint32_t hint_web; /* one that would like the same register; 0: none */
    uint8_t type;
    uint8_t policy;
};

enum boundary_phase { BOUNDARY_WITHIN, BOUNDARY_AT_END, BOUNDARY_AT_HEAD };

struct boundary_place { /* a struct place in little */
    uint8_t kind;
    reg reg;
    int32_t disp; /* PLACE_CONST: the IR value */
};

struct boundary {      /* a move between two pieces of a web, or on an edge; as many as there are instructions */
    uint32_t position; /* of the instruction before which it is made; of the block's head, behind which */
    uint8_t phase;     /* enum boundary_phase: those of one phase at once, then those of the next */
    uint8_t type;
    struct boundary_place to, from;
    uint32_t web; /* that moves between its pieces; 0: between webs */
    float frequency;
};

enum {
    FIXED_PIECE = UINT32_MAX, /* an instruction's claim on a register */
    HOLDING_LEVELS = 3,
};

struct held {
    uint32_t from, to, piece; /* or FIXED_PIECE */
};

struct allocation {
    struct mach_func *mf;
    struct arena arena;
    uint32_t *web_of; /* by virtual register */
    VEC(struct web) webs;
    VEC(struct live_range) ranges;
    VEC(struct need) needs;
    VEC(struct piece) pieces;
    VEC(struct boundary) boundaries; /* sorted by position, then phase */
    struct {
        VEC(struct held) list; /* what the register holds when, in order */
    } regs[REG_COUNT];
    regset *taken[HOLDING_LEVELS]; /* holding.c: by position, and coarser */
    uint32_t *block_of;            /* by instruction: IR block */
    uint32_t frame_bytes;
};

/* live.c: webs with ranges and needs. A is zeroed but for `mf`, or has been used before and keeps its memory. */
void live_compute(struct allocation *a);
/* regalloc.c: pieces with places, then the moves between them */
void allocate_registers(struct allocation *a);
void resolve_places(struct allocation *a);
void allocation_done(struct allocation *a);

/* holding.c. For allocation: begins with no register held, */
void holding_begin(struct allocation *a);
/* which then holds PIECE over RANGE, where it was free, */
void holding_add(struct allocation *a, reg which, struct live_range range, uint32_t piece);
/* and no longer. */
void holding_remove(struct allocation *a, reg which, struct live_range range, uint32_t piece);
/* The registers that are not free throughout RANGE. */
regset holding_taken(const struct allocation *a, struct live_range range);
/* Takes out of SET, which is not empty, what is not free from RANGE's start on, as long as something is left; returns the
 * position where nothing would be (SET holds what was free until there), or RANGE's end. */
uint32_t holding_run(const struct allocation *a, struct live_range range, regset *set);
/* What the register holds within RANGE, in order. */
const struct held *holding_in(const struct allocation *a, reg which, struct live_range range, size_t *count);

/* Where a virtual register is at POSITION, at which it is alive (or has just died). */
struct place allocation_place(struct allocation *a, uint32_t vreg, uint32_t position);
/* What is to be done at a boundary. */
struct move allocation_move(const struct allocation *a, const struct boundary *b);
/* The web that register R holds at POSITION; 0: none. */
uint32_t allocation_web_in(const struct allocation *a, reg r, uint32_t position);
bool allocation_is_alive(const struct allocation *a, uint32_t web, uint32_t position);
/* A definition that is to be stored into the slot at once? */
bool allocation_stores(const struct allocation *a, uint32_t vreg);

#endif
