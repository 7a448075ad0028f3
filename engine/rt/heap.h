/* The heap of a store: its objects, in blocks at the high end of the reference space.
 *
 * Objects never move. A block holds cells of one size, or is part of one large object. Allocation takes the next cell
 * of its size class's run, a stretch of zeroed free cells; when the run is used up, the next free cells of the
 * class's blocks are swept into a new one (heap.c), so sweeping is spread over allocation. A collection (collect.c)
 * marks what is reachable: exactly in objects, globals, tables and segments, conservatively on the stacks, where every
 * 32-bit word that may be a reference to an object is one, and every aligned 64-bit word that may be an object's
 * address (optimized code keeps it instead of the reference, but nothing further inside an object). A mark is a bit beside the block, so marking writes to no
 * object.
 *
 * Marks come in two generations. Those of the last collection say which cells of what has not been swept yet are
 * live: what is dead there still looks like an object, and must not come back to life by a word on the stack. */
#ifndef WHERRY_ENGINE_RT_HEAP_H
#define WHERRY_ENGINE_RT_HEAP_H

#include "base/vec.h"
#include "engine/gen/abi.h"
#include <stdbool.h>
#include <stdint.h>

struct store;

enum {
    HEAP_BLOCK_LOG2 = 16,
    HEAP_BLOCK_BYTES = 1 << HEAP_BLOCK_LOG2,
    HEAP_CLASSES = VM_RUN_CLASSES + 16,
    HEAP_CELL_MAX_BYTES = 8192, /* what is larger has blocks of its own */
    HEAP_NO_BLOCK = 0,
};

enum heap_block_kind { BLOCK_FREE, BLOCK_CELLS, BLOCK_LARGE, BLOCK_LARGE_REST };

struct heap_block {
    uint8_t kind;
    bool dirty;           /* free, and not all zero */
    uint32_t cell_bytes;  /* BLOCK_CELLS */
    uint32_t swept_bytes; /* BLOCK_CELLS: below, every cell that is no object is zero */
    uint32_t count;       /* BLOCK_LARGE: of its blocks */
    uint32_t next;        /* in the list of its class: index, or HEAP_NO_BLOCK */
};

struct heap {
    struct vm_run runs[HEAP_CLASSES]; /* compiled code allocates from the first VM_RUN_CLASSES */
    uint32_t current[HEAP_CLASSES];   /* the block that is being swept */
    uint32_t unswept[HEAP_CLASSES];   /* lists */
    struct heap_block *blocks;        /* by offset / HEAP_BLOCK_BYTES; NULL: nothing has been allocated yet */
    uint64_t *marks[2];               /* a bit for every granule of the reference space, in one mapping with blocks */
    uint64_t mapping_bytes;
    uint32_t low, high; /* indexes of the blocks that have been opened: low <= index < high */
    uint32_t rover;     /* where the search for a free block goes on */
    uint32_t free_count;
    unsigned marking;                          /* the newest generation of marks */
    uint64_t allocated_bytes, threshold_bytes; /* since the last collection; at which the next one begins */
    uint64_t live_bytes;                       /* found by the last collection */
    uint64_t max_bytes;                        /* 0: the reference space */
    uint32_t stress;                           /* collect at every so many allocations (tests); 0: not */
    uint32_t stress_count;
    VEC(uint32_t) gray; /* marked, but not looked into yet */
    uint64_t collections;
    uint64_t pause_total_ns, pause_max_ns;
};

static inline struct heap_block *heap_block(struct heap *heap, uint32_t reference)
{
    return &heap->blocks[reference >> HEAP_BLOCK_LOG2];
}

/* The marks of 64 granules are one word. */
enum { HEAP_MARKS_LOG2 = 10 };
_Static_assert(VM_RUN_GRANULE_BYTES * 64 == 1 << HEAP_MARKS_LOG2, "bits of a word");

static inline uint64_t heap_mark_bit(uint32_t reference)
{
    return UINT64_C(1) << reference / VM_RUN_GRANULE_BYTES % 64;
}

static inline bool heap_is_marked(const struct heap *heap, unsigned generation, uint32_t reference)
{
    return (heap->marks[generation][reference >> HEAP_MARKS_LOG2] & heap_mark_bit(reference)) != 0;
}

void heap_release(struct heap *heap);
/* Class of an object of SIZE_BYTES, at most HEAP_CELL_MAX_BYTES, and bytes of a class's cells. */
unsigned heap_class(uint64_t size_bytes);
uint32_t heap_class_bytes(unsigned class);

/* Finds what is reachable in STORE and frees the rest. To be called only while compiled code of the store waits for
 * its newest call into C. */
void heap_collect(struct store *store);
/* A collection has marked: empties the runs, and puts every block where it belongs now. */
void heap_after_mark(struct heap *heap, uint8_t *space);

#endif
