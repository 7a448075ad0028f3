/* Allocation of objects (see heap.h). */
#include "engine/rt/heap.h"
#include "engine/rt/store.h"
#include <string.h>
#include <sys/mman.h>

enum {
    THRESHOLD_MIN_BYTES = 8 << 20, /* of allocation between two collections */
    OPEN_BLOCKS = 16,              /* made accessible together */
    HEAP_BLOCK_MARKS = HEAP_BLOCK_BYTES >> HEAP_MARKS_LOG2,
};

/* --- size classes ------------------------------------------------------------------------------------------------- */
/* Above the exact ones: four or eight to every power of two, so that at most a fifth of a cell is lost. */
static const uint16_t large_class_bytes[HEAP_CLASSES - VM_RUN_CLASSES] = {
    640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192};

uint32_t heap_class_bytes(unsigned class)
{
    return class < VM_RUN_CLASSES ? (class + 1) * VM_RUN_GRANULE_BYTES : large_class_bytes[class - VM_RUN_CLASSES];
}

unsigned heap_class(uint64_t size_bytes)
{
    unsigned class = VM_RUN_CLASSES;

    if (size_bytes <= VM_RUN_CLASSES * VM_RUN_GRANULE_BYTES)
        return (unsigned)((size_bytes + VM_RUN_GRANULE_BYTES - 1) / VM_RUN_GRANULE_BYTES) - 1;
    while (heap_class_bytes(class) < size_bytes)
        class ++;
    return class;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */
static bool heap_begin(struct store *store)
{
    struct heap *heap = &store->heap;
    uint64_t count = store->space.reserved_bytes >> HEAP_BLOCK_LOG2;
    uint64_t blocks_bytes = count * sizeof *heap->blocks, marks_bytes = count * HEAP_BLOCK_MARKS * sizeof(uint64_t);
    uint8_t *mapping;

    heap->mapping_bytes = blocks_bytes + 2 * marks_bytes;
    mapping =
        mmap(NULL, heap->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    heap->blocks = (struct heap_block *)mapping;
    heap->marks[0] = (uint64_t *)(mapping + blocks_bytes);
    heap->marks[1] = (uint64_t *)(mapping + blocks_bytes + marks_bytes);
    /* the last block stays closed, so that no end of a run is beyond 32 bits */
    heap->low = heap->high = heap->rover = (uint32_t)count - 1;
    store->space.limit_bytes = (uint64_t)heap->low << HEAP_BLOCK_LOG2;
    if (heap->threshold_bytes == 0)
        heap->threshold_bytes = THRESHOLD_MIN_BYTES;
    return true;
}

void heap_release(struct heap *heap)
{
    if (heap->blocks != NULL)
        munmap(heap->blocks, heap->mapping_bytes);
    heap->blocks = NULL;
    vec_done(&heap->gray);
}

/* Opens COUNT more blocks, at the low end of the heap. */
static bool open_blocks(struct store *store, uint32_t count)
{
    struct heap *heap = &store->heap;
    uint64_t bytes = (uint64_t)count << HEAP_BLOCK_LOG2, low = (uint64_t)heap->low << HEAP_BLOCK_LOG2;

    if (heap->max_bytes != 0 && ((uint64_t)(heap->high - heap->low) << HEAP_BLOCK_LOG2) + bytes > heap->max_bytes)
        return false;
    if (low < bytes || low - bytes < store->space.open_bytes ||
        mprotect(store->space.base + low - bytes, bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    heap->low -= count;
    heap->free_count += count;
    store->space.limit_bytes = low - bytes;
    return true;
}

/* Index of the first of COUNT free blocks side by side between FROM and TO, or HEAP_NO_BLOCK. */
static uint32_t find_free(const struct heap *heap, uint32_t from, uint32_t to, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = from; i < to; i++) {
        found = heap->blocks[i].kind == BLOCK_FREE ? found + 1 : 0;
        if (found == count)
            return i + 1 - count;
    }
    return HEAP_NO_BLOCK;
}

static uint32_t take_blocks(struct store *store, uint32_t count)
{
    struct heap *heap = &store->heap;
    uint32_t at = HEAP_NO_BLOCK;

    if (heap->free_count >= count) {
        at = find_free(heap, heap->rover, heap->high, count);
        if (at == HEAP_NO_BLOCK)
            at = find_free(heap, heap->low, heap->high, count);
    }
    if (at == HEAP_NO_BLOCK) {
        if (!open_blocks(store, count > OPEN_BLOCKS ? count : OPEN_BLOCKS) && !open_blocks(store, count))
            return HEAP_NO_BLOCK;
        at = find_free(heap, heap->low, heap->high, count);
    }
    heap->rover = at + count;
    heap->free_count -= count;
    return at;
}

/* --- sweeping ----------------------------------------------------------------------------------------------------- */
/* The next free cells of the block INDEX become RUN; false: there are none left. */
static bool sweep(struct store *store, uint32_t index, struct vm_run *run)
{
    struct heap *heap = &store->heap;
    struct heap_block *block = &heap->blocks[index];
    uint32_t cell = block->cell_bytes, base = index << HEAP_BLOCK_LOG2;
    uint32_t end = base + HEAP_BLOCK_BYTES / cell * cell, first = base + block->swept_bytes, last;

    while (first < end && heap_is_marked(heap, heap->marking, first))
        first += cell;
    for (last = first; last < end && !heap_is_marked(heap, heap->marking, last);) {
        last += cell;
        if (heap->stress != 0)
            break;
    }
    block->swept_bytes = last - base;
    if (first == last)
        return false;
    if (block->dirty)
        memset(store->space.base + first, 0, last - first);
    *run = (struct vm_run){first, last};
    heap->allocated_bytes += last - first;
    return true;
}

/* A run for CLASS from what its blocks have left. */
static bool sweep_class(struct store *store, unsigned class)
{
    struct heap *heap = &store->heap;

    for (;;) {
        uint32_t index = heap->current[class];
        if (index != HEAP_NO_BLOCK && sweep(store, index, &heap->runs[class]))
            return true;
        index = heap->unswept[class];
        heap->current[class] = index;
        if (index == HEAP_NO_BLOCK)
            return false;
        heap->unswept[class] = heap->blocks[index].next;
    }
}

/* Nothing in a new block is marked, whatever was there before. */
static void clear_marks(struct heap *heap, uint32_t index)
{
    for (unsigned generation = 0; generation < 2; generation++)
        memset(heap->marks[generation] + (uint64_t)index * HEAP_BLOCK_MARKS, 0, HEAP_BLOCK_MARKS * sizeof(uint64_t));
}

static bool start_block(struct store *store, unsigned class)
{
    struct heap *heap = &store->heap;
    uint32_t index = take_blocks(store, 1);
    struct heap_block *block = &heap->blocks[index];

    if (index == HEAP_NO_BLOCK)
        return false;
    block->kind = BLOCK_CELLS;
    block->cell_bytes = heap_class_bytes(class);
    block->swept_bytes = 0;
    clear_marks(heap, index);
    heap->current[class] = index;
    if (!sweep(store, index, &heap->runs[class]))
        return false;
    block->dirty = true; /* from now on */
    return true;
}

/* A block without a live cell, or a large object, is free again. */
static void free_blocks(struct heap *heap, uint32_t index, uint32_t count)
{
    for (uint32_t i = index; i < index + count; i++) {
        heap->blocks[i].kind = BLOCK_FREE;
        heap->blocks[i].dirty = true;
    }
    heap->free_count += count;
}

static bool has_marks(const struct heap *heap, uint32_t index)
{
    const uint64_t *marks = heap->marks[heap->marking] + (uint64_t)index * HEAP_BLOCK_MARKS;
    uint64_t any = 0;

    for (unsigned i = 0; i < HEAP_BLOCK_MARKS; i++)
        any |= marks[i];
    return any != 0;
}

/* In stress mode what is dead is gone at once, so that who still uses it is seen. */
static void erase_dead(const struct heap *heap, uint32_t index, uint8_t *space)
{
    uint32_t cell = heap->blocks[index].cell_bytes, base = index << HEAP_BLOCK_LOG2;

    for (uint32_t at = base; at + cell <= base + HEAP_BLOCK_BYTES; at += cell)
        if (!heap_is_marked(heap, heap->marking, at))
            memset(space + at, 0, cell);
}

/* Free memory goes back to the system, but for twice what is allocated until the next collection. What is kept lies
 * where the search for free blocks begins. */
static void give_back(struct heap *heap, uint8_t *space)
{
    uint64_t kept = 0;

    for (uint32_t i = heap->low; i < heap->high; i++) {
        struct heap_block *block = &heap->blocks[i];
        if (block->kind != BLOCK_FREE || !block->dirty)
            continue;
        if (kept < 2 * heap->threshold_bytes)
            kept += HEAP_BLOCK_BYTES;
        else if (madvise(space + ((uint64_t)i << HEAP_BLOCK_LOG2), HEAP_BLOCK_BYTES, MADV_DONTNEED) == 0)
            block->dirty = false;
    }
}

void heap_after_mark(struct heap *heap, uint8_t *space)
{
    for (unsigned class = 0; class < HEAP_CLASSES; class ++) {
        heap->runs[class] = (struct vm_run){0, 0};
        heap->current[class] = heap->unswept[class] = HEAP_NO_BLOCK;
    }
    for (uint32_t i = heap->high; i-- > heap->low;) {
        struct heap_block *block = &heap->blocks[i];
        if (block->kind != BLOCK_CELLS && block->kind != BLOCK_LARGE)
            continue;
        if (!has_marks(heap, i)) {
            free_blocks(heap, i, block->kind == BLOCK_LARGE ? block->count : 1);
        } else if (block->kind == BLOCK_CELLS) {
            unsigned class = heap_class(block->cell_bytes);
            block->swept_bytes = 0;
            block->next = heap->unswept[class];
            heap->unswept[class] = i;
            if (heap->stress != 0)
                erase_dead(heap, i, space);
        }
    }
    heap->rover = heap->low;
    heap->allocated_bytes = 0;
    heap->threshold_bytes = heap->live_bytes > THRESHOLD_MIN_BYTES ? heap->live_bytes : THRESHOLD_MIN_BYTES;
    give_back(heap, space);
}

/* --- allocation --------------------------------------------------------------------------------------------------- */
/* A collection needs compiled code that waits for C: nothing is collected while instances are made. */
static bool may_collect(const struct store *store)
{
    return store->thread != NULL && store->thread->newest != NULL;
}

/* Before BYTES more are taken. */
static void collect_if_due(struct store *store, uint64_t bytes)
{
    struct heap *heap = &store->heap;

    if (heap->allocated_bytes + bytes > heap->threshold_bytes && may_collect(store))
        heap_collect(store);
}

static uint32_t alloc_large(struct store *store, uint64_t size_bytes)
{
    struct heap *heap = &store->heap;
    uint32_t count = (uint32_t)((size_bytes + HEAP_BLOCK_BYTES - 1) >> HEAP_BLOCK_LOG2), index;
    uint64_t bytes = (uint64_t)count << HEAP_BLOCK_LOG2;

    collect_if_due(store, bytes);
    index = take_blocks(store, count);
    if (index == HEAP_NO_BLOCK && may_collect(store)) {
        heap_collect(store);
        index = take_blocks(store, count);
    }
    if (index == HEAP_NO_BLOCK)
        return 0;
    for (uint32_t i = index; i < index + count; i++) {
        struct heap_block *block = &heap->blocks[i];
        if (block->dirty)
            memset(store->space.base + ((uint64_t)i << HEAP_BLOCK_LOG2), 0, HEAP_BLOCK_BYTES);
        block->kind = BLOCK_LARGE_REST;
        block->dirty = false;
    }
    heap->blocks[index].kind = BLOCK_LARGE;
    heap->blocks[index].count = count;
    clear_marks(heap, index);
    heap->allocated_bytes += bytes;
    return index << HEAP_BLOCK_LOG2;
}

static bool refill(struct store *store, unsigned class)
{
    collect_if_due(store, 0);
    if (sweep_class(store, class) || start_block(store, class))
        return true;
    if (!may_collect(store))
        return false;
    heap_collect(store);
    return sweep_class(store, class) || start_block(store, class);
}

static uint32_t alloc_cell(struct store *store, unsigned class)
{
    struct vm_run *run = &store->heap.runs[class];
    uint32_t cell = heap_class_bytes(class), reference;

    if (run->end - run->next < cell && !refill(store, class))
        return 0;
    reference = run->next;
    run->next += cell;
    return reference;
}

/* In stress mode every run is one cell long, so that no allocation passes by here. */
static void stress(struct store *store)
{
    struct heap *heap = &store->heap;

    if (++heap->stress_count < heap->stress || !may_collect(store))
        return;
    heap->stress_count = 0;
    heap_collect(store);
}

uint32_t heap_alloc(struct store *store, uint32_t type, uint32_t length, uint64_t size_bytes)
{
    uint32_t reference;

    if ((store->heap.blocks == NULL && !heap_begin(store)) || size_bytes > store->space.reserved_bytes)
        return 0;
    if (store->heap.stress != 0)
        stress(store);
    reference =
        size_bytes > HEAP_CELL_MAX_BYTES ? alloc_large(store, size_bytes) : alloc_cell(store, heap_class(size_bytes));
    if (reference != 0)
        *(struct vm_object *)store_object(store, reference) = (struct vm_object){type, length};
    return reference;
}

uint32_t heap_alloc_exception(struct store *store, const struct tag *tag)
{
    const struct store_type *type = types_get(&store->types, tag->type);
    uint32_t reference, bytes = 0;

    for (uint32_t i = 0; i < type->param_count; i++)
        bytes += type->types[i] == VT_V128 ? 16 : 8;
    reference = heap_alloc(store, VM_OBJECT_EXCEPTION, bytes, sizeof(struct vm_exception) + bytes);
    if (reference != 0)
        ((struct vm_exception *)store_object(store, reference))->tag = tag;
    return reference;
}
