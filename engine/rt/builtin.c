/* What compiled code leaves to C (enum vm_builtin). All run on the C stack; one that traps abandons the Wasm frames. */
#include "engine/rt/copy.h"
#include "engine/rt/object.h"
#include "engine/rt/store.h"
#include "engine/rt/wait.h"
#include <string.h>

static struct instance *owner(struct vm *vm)
{
    return vm->owner;
}

static uint64_t check(struct vm *vm, enum trap_kind trap)
{
    if (trap != TRAP_NONE)
        entry_trap(vm->thread, trap);
    return 0;
}

static struct memory *memory_at(struct vm *vm, uint32_t index)
{
    return (struct memory *)vm->memories[index];
}

static struct table *table_at(struct vm *vm, uint32_t index)
{
    return (struct table *)vm->tables[index];
}

static uint64_t builtin_memory_grow(struct vm *vm, uint64_t memory, uint64_t delta_pages, uint64_t c, uint64_t d)
{
    return memory_grow(owner(vm)->store, memory_at(vm, (uint32_t)memory), delta_pages);
}

static uint64_t builtin_memory_init(struct vm *vm, uint64_t which, uint64_t to, uint64_t from, uint64_t count)
{
    return check(vm, instance_memory_init(owner(vm), (uint32_t)which, (uint32_t)(which >> 32), to, (uint32_t)from,
                                          (uint32_t)count));
}

static uint64_t builtin_memory_copy(struct vm *vm, uint64_t which, uint64_t to, uint64_t from, uint64_t count)
{
    const struct vm_memory *target = vm->memories[(uint32_t)which], *source = vm->memories[which >> 32];

    if (!artifact_range_fits(to, count, target->size_bytes) || !artifact_range_fits(from, count, source->size_bytes))
        return check(vm, TRAP_MEMORY_OUT_OF_BOUNDS);
    copy_bytes(target->base + to, source->base + from, count);
    return 0;
}

static uint64_t builtin_memory_fill(struct vm *vm, uint64_t memory, uint64_t to, uint64_t byte, uint64_t count)
{
    const struct vm_memory *m = vm->memories[(uint32_t)memory];

    if (!artifact_range_fits(to, count, m->size_bytes))
        return check(vm, TRAP_MEMORY_OUT_OF_BOUNDS);
    memset(m->base + to, (uint8_t)byte, count);
    return 0;
}

static uint64_t builtin_data_drop(struct vm *vm, uint64_t segment, uint64_t b, uint64_t c, uint64_t d)
{
    owner(vm)->data_dropped[(uint32_t)segment] = true;
    return 0;
}

static uint64_t builtin_table_grow(struct vm *vm, uint64_t table, uint64_t reference, uint64_t delta, uint64_t d)
{
    return table_grow(table_at(vm, (uint32_t)table), delta, (uint32_t)reference);
}

static uint64_t builtin_table_fill(struct vm *vm, uint64_t table, uint64_t at, uint64_t reference, uint64_t count)
{
    const struct vm_table *t = vm->tables[(uint32_t)table];

    if (!artifact_range_fits(at, count, t->size))
        return check(vm, TRAP_TABLE_OUT_OF_BOUNDS);
    for (uint64_t i = 0; i < count; i++)
        t->elements[at + i] = (uint32_t)reference;
    return 0;
}

static uint64_t builtin_table_copy(struct vm *vm, uint64_t which, uint64_t to, uint64_t from, uint64_t count)
{
    const struct vm_table *target = vm->tables[(uint32_t)which], *source = vm->tables[which >> 32];

    if (!artifact_range_fits(to, count, target->size) || !artifact_range_fits(from, count, source->size))
        return check(vm, TRAP_TABLE_OUT_OF_BOUNDS);
    if (count != 0)
        memmove(target->elements + to, source->elements + from, count * sizeof *target->elements);
    return 0;
}

static uint64_t builtin_table_init(struct vm *vm, uint64_t which, uint64_t to, uint64_t from, uint64_t count)
{
    return check(vm, instance_table_init(owner(vm), (uint32_t)which, (uint32_t)(which >> 32), to, (uint32_t)from,
                                         (uint32_t)count));
}

static uint64_t builtin_elem_drop(struct vm *vm, uint64_t segment, uint64_t b, uint64_t c, uint64_t d)
{
    instance_elem_drop(owner(vm), (uint32_t)segment);
    return 0;
}

/* Where an atomic access of BYTES lies, or NULL with why it does not. */
static uint8_t *atomic_address(struct vm *vm, uint64_t which, uint64_t address, unsigned bytes, enum trap_kind *trap)
{
    const struct vm_memory *m = &memory_at(vm, which & ((1 << BUILTIN_ATOMIC_OFFSET_SHIFT) - 1))->vm;
    uint64_t size_bytes = __atomic_load_n(&m->size_bytes, __ATOMIC_ACQUIRE), at;

    *trap = TRAP_MEMORY_OUT_OF_BOUNDS;
    if (((address + (which >> BUILTIN_ATOMIC_OFFSET_SHIFT)) & (bytes - 1)) != 0)
        *trap = TRAP_UNALIGNED_ATOMIC;
    else if (!__builtin_add_overflow(address, which >> BUILTIN_ATOMIC_OFFSET_SHIFT, &at) &&
             artifact_range_fits(at, bytes, size_bytes))
        return m->base + at;
    return NULL;
}

static bool is_shared(struct vm *vm, uint64_t which)
{
    return memory_at(vm, which & ((1 << BUILTIN_ATOMIC_OFFSET_SHIFT) - 1))->limits.shared;
}

static uint64_t builtin_memory_atomic_notify(struct vm *vm, uint64_t which, uint64_t address, uint64_t count,
                                             uint64_t d)
{
    enum trap_kind trap;
    const void *at = atomic_address(vm, which, address, 4, &trap);

    if (at == NULL)
        return check(vm, trap);
    return is_shared(vm, which) ? wait_notify(at, (uint32_t)count) : 0; /* nobody can wait on the others */
}

static uint64_t wait(struct vm *vm, uint64_t which, uint64_t address, bool wide, uint64_t expected, uint64_t timeout_ns)
{
    enum trap_kind trap;
    const void *at = atomic_address(vm, which, address, wide ? 8 : 4, &trap);

    if (at == NULL)
        return check(vm, trap);
    if (!is_shared(vm, which))
        return check(vm, TRAP_EXPECTED_SHARED_MEMORY);
    return wait_on(at, wide, expected, (int64_t)timeout_ns);
}

static uint64_t builtin_memory_atomic_wait32(struct vm *vm, uint64_t which, uint64_t address, uint64_t expected,
                                             uint64_t timeout_ns)
{
    return wait(vm, which, address, false, (uint32_t)expected, timeout_ns);
}

static uint64_t builtin_memory_atomic_wait64(struct vm *vm, uint64_t which, uint64_t address, uint64_t expected,
                                             uint64_t timeout_ns)
{
    return wait(vm, which, address, true, expected, timeout_ns);
}

static uint64_t builtin_throw(struct vm *vm, uint64_t tag_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots_end = (const uint8_t *)vm->thread->wasm_fp - (tag_and_distance >> 32);
    uint32_t reference = exception_new(owner(vm)->store, owner(vm)->tags[(uint32_t)tag_and_distance], slots_end);

    if (reference == 0)
        entry_trap(vm->thread, TRAP_OUT_OF_MEMORY);
    exception_throw(vm, reference);
}

static uint64_t builtin_throw_ref(struct vm *vm, uint64_t zero, uint64_t reference, uint64_t c, uint64_t d)
{
    if ((uint32_t)reference == 0)
        entry_trap(vm->thread, TRAP_NULL_REFERENCE);
    exception_throw(vm, (uint32_t)reference);
}

entry_builtin *const entry_builtins[BUILTIN_COUNT] = {
    [BUILTIN_MEMORY_GROW] = builtin_memory_grow,
    [BUILTIN_MEMORY_INIT] = builtin_memory_init,
    [BUILTIN_MEMORY_COPY] = builtin_memory_copy,
    [BUILTIN_MEMORY_FILL] = builtin_memory_fill,
    [BUILTIN_DATA_DROP] = builtin_data_drop,
    [BUILTIN_TABLE_GROW] = builtin_table_grow,
    [BUILTIN_TABLE_FILL] = builtin_table_fill,
    [BUILTIN_TABLE_COPY] = builtin_table_copy,
    [BUILTIN_TABLE_INIT] = builtin_table_init,
    [BUILTIN_ELEM_DROP] = builtin_elem_drop,
    [BUILTIN_MEMORY_ATOMIC_NOTIFY] = builtin_memory_atomic_notify,
    [BUILTIN_MEMORY_ATOMIC_WAIT32] = builtin_memory_atomic_wait32,
    [BUILTIN_MEMORY_ATOMIC_WAIT64] = builtin_memory_atomic_wait64,
    [BUILTIN_THROW] = builtin_throw,
    [BUILTIN_THROW_REF] = builtin_throw_ref,
    [BUILTIN_STRUCT_NEW] = builtin_struct_new,
    [BUILTIN_ARRAY_NEW_DEFAULT] = builtin_array_new_default,
    [BUILTIN_ARRAY_NEW] = builtin_array_new,
    [BUILTIN_ARRAY_NEW_DATA] = builtin_array_new_data,
    [BUILTIN_ARRAY_NEW_ELEM] = builtin_array_new_elem,
    [BUILTIN_ARRAY_FILL] = builtin_array_fill,
    [BUILTIN_ARRAY_COPY] = builtin_array_copy,
    [BUILTIN_ARRAY_INIT_DATA] = builtin_array_init_data,
    [BUILTIN_ARRAY_INIT_ELEM] = builtin_array_init_elem,
};
