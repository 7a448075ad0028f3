/* A collection: marks from the roots (see heap.h).
 *
 * Roots are what compiled code and the runtime can still name: globals, tables and element segments of all instances,
 * the exception on its way, everything on the Wasm stack, and the C stack from here up to the outermost entry, whose
 * caller holds no references that anybody follows. Registers are on those stacks: compiled code keeps nothing in
 * registers across a call, and the compiler of C is made to write its own. */
#include "engine/rt/heap.h"
#include "engine/rt/store.h"
#include <string.h>
#include <time.h>

struct marking {
    struct store *store;
    struct heap *heap;
    const uint8_t *space;
    uint64_t *marks;
    uint32_t low; /* what lies below is no object of the heap: functions, the host's own */
};

/* --- marking ------------------------------------------------------------------------------------------------------ */
/* REFERENCE, if it is not null, names an object, a function, an i31 or something of the host's. */
static inline void mark(struct marking *m, uint32_t reference)
{
    uint64_t *word, bit = heap_mark_bit(reference);

    if (reference < m->low || (reference & 1) != 0)
        return;
    word = &m->marks[reference >> HEAP_MARKS_LOG2];
    if ((*word & bit) != 0)
        return;
    *word |= bit;
    vec_push(&m->heap->gray, reference);
}

static void mark_array(struct marking *m, const uint32_t *references, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        mark(m, references[i]);
}

static void mark_exception(struct marking *m, const struct vm_exception *e)
{
    const struct store_type *type = types_get(&m->store->types, ((const struct tag *)e->tag)->type);
    const uint64_t *value = e->values;

    for (uint32_t i = 0; i < type->param_count; i++) {
        if (valtype_is_ref(type->types[i]))
            mark(m, (uint32_t)*value);
        value += type->types[i] == VT_V128 ? 2 : 1;
    }
}

/* Marks what the object at REFERENCE refers to. Returns its bytes. */
static uint64_t mark_parts(struct marking *m, uint32_t reference)
{
    const struct vm_object *object = (const struct vm_object *)(m->space + reference);
    const struct store_type *type;

    if (object->type == VM_OBJECT_EXCEPTION) {
        mark_exception(m, (const struct vm_exception *)object);
        return sizeof(struct vm_exception) + object->length;
    }
    if (object->type == VM_OBJECT_HOST)
        return sizeof *object + 8;
    type = types_get(&m->store->types, object->type);
    if (type->kind == TYPE_ARRAY) {
        if (type->reference_count != 0)
            mark_array(m, (const uint32_t *)(object + 1), object->length);
        return OBJECT_HEADER_BYTES + (uint64_t)object->length * type->size_bytes;
    }
    for (uint32_t i = 0; i < type->reference_count; i++)
        mark(m, *(const uint32_t *)((const uint8_t *)object + type->references[i]));
    return type->size_bytes;
}

static void mark_all(struct marking *m)
{
    struct heap *heap = m->heap;

    while (heap->gray.len != 0)
        heap->live_bytes += mark_parts(m, vec_pop(&heap->gray));
}

/* --- roots -------------------------------------------------------------------------------------------------------- */
/* Whether an object begins at REFERENCE, which may be any number. */
static bool is_object(const struct marking *m, uint32_t reference)
{
    struct heap *heap = m->heap;
    const struct heap_block *block = heap_block(heap, reference);
    uint32_t at = reference & (HEAP_BLOCK_BYTES - 1);

    if (reference < m->low || reference >> HEAP_BLOCK_LOG2 >= heap->high || reference % VM_RUN_GRANULE_BYTES != 0)
        return false;
    switch ((enum heap_block_kind)block->kind) {
    case BLOCK_LARGE: return at == 0;
    case BLOCK_CELLS: break;
    case BLOCK_FREE:
    case BLOCK_LARGE_REST: return false;
    }
    if (at % block->cell_bytes != 0 || at + block->cell_bytes > HEAP_BLOCK_BYTES)
        return false;
    if (at >= block->swept_bytes)
        return heap_is_marked(heap, heap->marking ^ 1, reference);
    return ((const struct vm_object *)(m->space + reference))->type != 0;
}

/* An object's address, which optimized code may hold in place of its reference: eight bytes at a multiple of eight. */
static void mark_address(struct marking *m, uint64_t address)
{
    uint64_t reference = address - (uint64_t)(uintptr_t)m->space;

    if (reference <= UINT32_MAX && is_object(m, (uint32_t)reference))
        mark(m, (uint32_t)reference);
}

/* Values lie at multiples of four bytes. Stacks also hold what the sanitizer fences off: it is only looked at. */
__attribute__((no_sanitize("address"))) static void mark_stack(struct marking *m, const void *low, const void *high)
{
    const uint32_t *from = (const uint32_t *)(((uintptr_t)low + 3) & ~(uintptr_t)3);

    for (const uint32_t *at = from; (uintptr_t)at + 4 <= (uintptr_t)high; at++) {
        if (*at >= m->low && is_object(m, *at))
            mark(m, *at);
        if ((uintptr_t)at % 8 == 0 && (uintptr_t)at + 8 <= (uintptr_t)high)
            mark_address(m, at[0] | (uint64_t)at[1] << 32);
    }
}

/* Every value of a reference type that the instance's own code can name, imported ones too. */
static void mark_instance(struct marking *m, const struct instance *i)
{
    const struct artifact *a = i->artifact;

    for (uint64_t n = 0; n < a->globals_count; n++)
        if (valtype_is_ref(a->globals[n].type) && i->vm.globals[n] != NULL)
            mark(m, i->vm.globals[n]->ref);
    for (uint64_t n = 0; n < a->elements_count; n++)
        mark_array(m, i->elements[n], i->element_lens[n]);
}

static __attribute__((noinline)) void mark_c_stack(struct marking *m, const void *high)
{
    mark_stack(m, __builtin_frame_address(0), high);
}

static __attribute__((noinline)) void mark_stacks(struct marking *m)
{
    const struct vm_thread *thread = m->store->thread;
    const struct entry_call *outermost = thread->newest;

    __builtin_unwind_init(); /* callee-saved registers go to this frame, which is above the next */
    while (outermost->outer != NULL)
        outermost = outermost->outer;
    mark_c_stack(m, outermost + 1);
    mark_stack(m, thread->wasm_sp, thread->stack_high);
}

static void mark_roots(struct marking *m)
{
    for (const struct instance *i = m->store->instances; i != NULL; i = i->next)
        mark_instance(m, i);
    for (const struct table *t = m->store->tables; t != NULL; t = t->next)
        mark_array(m, t->vm.elements, t->vm.size);
    mark(m, m->store->thread->exception);
    mark_stacks(m);
}

/* --- a collection ------------------------------------------------------------------------------------------------- */
static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void heap_collect(struct store *store)
{
    struct heap *heap = &store->heap;
    struct marking m = {.store = store, .heap = heap, .space = store->space.base, .low = heap->low << HEAP_BLOCK_LOG2};
    uint64_t begin_ns = now_ns(), pause_ns;

    heap->live_bytes = 0;
    heap->marking ^= 1;
    m.marks = heap->marks[heap->marking];
    memset(m.marks + (m.low >> HEAP_MARKS_LOG2), 0,
           ((uint64_t)(heap->high - heap->low) << (HEAP_BLOCK_LOG2 - HEAP_MARKS_LOG2)) * sizeof *m.marks);
    mark_roots(&m);
    mark_all(&m);
    heap_after_mark(heap, store->space.base);
    pause_ns = now_ns() - begin_ns;
    heap->collections++;
    heap->pause_total_ns += pause_ns;
    if (pause_ns > heap->pause_max_ns)
        heap->pause_max_ns = pause_ns;
}
