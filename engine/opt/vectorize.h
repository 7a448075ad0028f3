/* What the files of the vectoriser share.
 *
 * A vector is made of the same value of elements that follow one another in memory. One round of the loop may work on several
 * elements (who compiled the module has unrolled it): then its instructions are found in as many copies. So values are
 * looked at as `struct lanes`: one member for each of a round's elements, in the order of their addresses.
 *
 * vectorize.c decides and rewrites; lanes.c finds the lanes; vector_memory.c says what is accessed and whether the order of
 * accesses may change; vector_body.c makes the new loop's instructions. */
#ifndef WHERRY_ENGINE_OPT_VECTORIZE_H
#define WHERRY_ENGINE_OPT_VECTORIZE_H

#include "engine/opt/loop.h"

enum {
    VECTOR_BYTES = 16,
    VECTOR_COPIES_MAX = 8, /* elements of a round */
    VECTOR_BODY_MAX = 96,  /* instructions of a round */
    VECTOR_LANES_MAX = 48, /* different struct lanes */
    VECTOR_ACCESSES_MAX = 32,
    VECTOR_ROOTS_MAX = 8,
    VECTOR_VECTORS_MAX = 8, /* of one struct lanes, in a round of the new loop */
};

/* An index, apart from a constant: what is accessed from it has known distances. */
struct vector_root {
    struct linear place;
    ir_value lowest;      /* the index of all with the smallest constant */
    uint64_t constant;    /* its constant */
    int64_t end;          /* the last byte that round 0 accesses, behind `lowest`; exclusive */
    ir_value first, base; /* made: `lowest` in round 0, as i64; its address in this process */
};

struct vector_access {
    ir_value inst;
    uint32_t root, position; /* position: in the round */
    int64_t offset;          /* from the root's `lowest`, in bytes, once all are known */
    bool used;               /* part of a struct lanes */
};

enum lanes_kind {
    LANES_SPLAT,     /* one value for all */
    LANES_LOAD,      /* from addresses that follow one another */
    LANES_OPERATION, /* of other lanes */
    LANES_PREVIOUS,  /* of the element before: what a phi holds */
};

struct lanes {
    ir_value member[VECTOR_COPIES_MAX];
    ir_value made[VECTOR_VECTORS_MAX]; /* in the new loop; LANES_SPLAT: the first, in front of it */
    ir_value scalar;                   /* LANES_SPLAT: the value; LANES_OPERATION: a shift's count */
    ir_value carried;                  /* LANES_PREVIOUS: the new loop's phi, at first what it begins with */
    uint32_t arg[2];                   /* lanes; LANES_PREVIOUS: of what */
    uint32_t access;                   /* LANES_LOAD: its first member's; LANES_SPLAT: of the load, plus 1 */
    uint16_t op;                       /* the vector instruction */
    uint8_t kind, arg_count, type;     /* type: of a member */
    bool ready;
};

struct vector_store {
    uint32_t access[VECTOR_COPIES_MAX]; /* in the order of their addresses */
    uint32_t value;                     /* lanes */
};

struct vectorizer {
    struct ir_func *f;
    struct loop loop;
    ir_value body[VECTOR_BODY_MAX];
    uint32_t body_count;
    struct vector_access accesses[VECTOR_ACCESSES_MAX];
    uint32_t access_count;
    struct vector_root roots[VECTOR_ROOTS_MAX];
    uint32_t root_count;
    struct lanes lanes[VECTOR_LANES_MAX];
    uint32_t lanes_count;
    struct vector_store stores[VECTOR_ACCESSES_MAX];
    uint32_t store_count;
    uint32_t element_bytes, lane_count; /* lane_count: elements of a vector */
    uint32_t copies;                    /* elements of a round */
    uint32_t rounds, vectors;           /* of the loop as it is, in a round of the new one; vectors that makes */
    int64_t stride;                     /* bytes that a round goes on: copies * element_bytes */
    struct {                            /* what has been loaded in the new loop's round, where from */
        ir_value vector;
        int64_t offset;
        uint32_t root;
    } loaded[VECTOR_LANES_MAX * VECTOR_VECTORS_MAX];
    uint32_t loaded_count;
    ir_value span;   /* made: an i64 that is more than the bytes that rounds before the new loop's last go on */
    ir_value fits;   /* made: an i32, the conditions under which the new loop is right; or none yet */
    bool ends;       /* the new loop may make the last round too, and then goes where the old one leads */
    ir_value before; /* then made: what the old loop tests, a round before the first */
    struct site_origin origin;
};

/* --- vector_memory.c */
/* Whole elements of a vector are loaded or stored: nothing else of what a loop does has an effect (vectorize.c sees to it). */
bool vector_is_access(unsigned op);
/* Fills in accesses and roots; false: something else is accessed than memory 0 at indexes that grow. */
bool vector_find_accesses(struct vectorizer *v);
/* Puts stores together, `copies` each; false: they do not fit together. */
bool vector_find_stores(struct vectorizer *v);
struct vector_access *vector_access_of(struct vectorizer *v, ir_value inst);
/* Whether the order of all accesses may become the new loop's, as far as that is known before the loop runs. */
bool vector_order_is_possible(struct vectorizer *v);
/* Makes the conditions for the rest, and for all accesses to be in bounds, at the end of the preheader. */
void vector_make_conditions(struct vectorizer *v);

/* --- lanes.c */
/* The number of the lanes with these members, one for each copy, in *FOUND. False: there are none such. */
bool lanes_find(struct vectorizer *v, const ir_value *members, uint32_t *found);

/* --- vector_body.c */
/* An instruction at the end of block B, simplified if it can be. */
ir_value vector_emit(struct vectorizer *v, uint32_t b, unsigned op, uint8_t type, ir_value x, ir_value y, uint64_t imm);
/* Vector M of the lanes NUMBER, of those that a round of the new loop makes; OFFSET (i64) from the roots. */
ir_value vector_make(struct vectorizer *v, uint32_t b, ir_value offset, uint32_t number, uint32_t m);
/* Fills in block B, a loop's head with its phis: all stores and what they need. */
void vector_make_body(struct vectorizer *v, uint32_t b, ir_value offset);
/* What is the same in all rounds, at the end of block B. */
void vector_make_splats(struct vectorizer *v, uint32_t b);

#endif
