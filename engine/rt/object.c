/* Structures and arrays (layout: gen/layout.h), and the instructions on them that compiled code leaves to C. */
#include "engine/rt/object.h"
#include "engine/rt/copy.h"
#include "engine/rt/store.h"
#include <string.h>

uint32_t object_new_struct(struct store *store, uint32_t number)
{
    return heap_alloc(store, number, 0, types_get(&store->types, number)->size_bytes);
}

uint32_t object_new_array(struct store *store, uint32_t number, uint32_t length)
{
    uint64_t element_bytes = types_get(&store->types, number)->size_bytes;

    return heap_alloc(store, number, length, OBJECT_HEADER_BYTES + length * element_bytes);
}

void object_fill(uint8_t *to, const void *value, uint32_t size_bytes, uint64_t count)
{
    uint64_t bytes = count * size_bytes;

    if (bytes == 0)
        return;
    memcpy(to, value, size_bytes);
    for (uint64_t done = size_bytes; done < bytes; done *= 2) /* what is filled already, once more */
        memcpy(to + done, to, done <= bytes - done ? done : bytes - done);
}

/* --- builtins ----------------------------------------------------------------------------------------------------- */
static struct instance *owner(struct vm *vm)
{
    return vm->owner;
}

static void check(struct vm *vm, bool fits, enum trap_kind trap)
{
    if (!fits)
        entry_trap(vm->thread, trap);
}

static uint32_t size_of_elements(struct vm *vm, uint32_t type)
{
    return types_get(&owner(vm)->store->types, vm->type_ids[type])->size_bytes;
}

static uint8_t *elements_of(struct vm *vm, uint32_t reference)
{
    return vm->reference_space + reference + OBJECT_HEADER_BYTES;
}

static uint32_t new_array(struct vm *vm, uint64_t type, uint64_t length)
{
    uint32_t reference = object_new_array(owner(vm)->store, vm->type_ids[(uint32_t)type], (uint32_t)length);

    check(vm, reference != 0, TRAP_OUT_OF_MEMORY);
    return reference;
}

/* The operands in slots, the first one the highest. */
static const uint8_t *slots_of(struct vm *vm, uint64_t type_and_distance)
{
    return (const uint8_t *)vm->thread->wasm_fp - (type_and_distance >> 32);
}

static const uint8_t *take(const uint8_t **slots, uint32_t size_bytes)
{
    *slots -= size_bytes == 16 ? 16 : 8;
    return *slots;
}

static uint32_t take_u32(const uint8_t **slots)
{
    uint32_t value;

    memcpy(&value, take(slots, sizeof value), sizeof value);
    return value;
}

static void check_array(struct vm *vm, uint32_t reference, uint64_t at, uint64_t count)
{
    check(vm, reference != 0, TRAP_NULL_REFERENCE);
    check(vm, artifact_range_fits(at, count, ((const struct vm_object *)(vm->reference_space + reference))->length),
          TRAP_ARRAY_OUT_OF_BOUNDS);
}

uint64_t builtin_struct_new(struct vm *vm, uint64_t type, uint64_t b, uint64_t c, uint64_t d)
{
    uint32_t reference = object_new_struct(owner(vm)->store, vm->type_ids[(uint32_t)type]);

    check(vm, reference != 0, TRAP_OUT_OF_MEMORY);
    return reference;
}

uint32_t entry_allocate(struct vm *vm, uint64_t type_and_length)
{
    struct store *store = owner(vm)->store;
    uint32_t number = vm->type_ids[(uint32_t)type_and_length];

    if (types_get(&store->types, number)->kind == TYPE_ARRAY)
        return new_array(vm, (uint32_t)type_and_length, type_and_length >> 32);
    return (uint32_t)builtin_struct_new(vm, type_and_length, 0, 0, 0);
}

uint64_t builtin_array_new_default(struct vm *vm, uint64_t type, uint64_t length, uint64_t c, uint64_t d)
{
    return new_array(vm, type, length);
}

uint64_t builtin_array_new(struct vm *vm, uint64_t type_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots = slots_of(vm, type_and_distance);
    uint32_t size_bytes = size_of_elements(vm, (uint32_t)type_and_distance);
    const uint8_t *value = take(&slots, size_bytes);
    uint32_t length = take_u32(&slots), reference = new_array(vm, type_and_distance, length);

    object_fill(elements_of(vm, reference), value, size_bytes, length);
    return reference;
}

uint64_t builtin_array_fill(struct vm *vm, uint64_t type_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots = slots_of(vm, type_and_distance);
    uint32_t size_bytes = size_of_elements(vm, (uint32_t)type_and_distance);
    uint32_t reference = take_u32(&slots), at = take_u32(&slots);
    const uint8_t *value = take(&slots, size_bytes);
    uint32_t count = take_u32(&slots);

    check_array(vm, reference, at, count);
    object_fill(elements_of(vm, reference) + (uint64_t)at * size_bytes, value, size_bytes, count);
    return 0;
}

uint64_t builtin_array_copy(struct vm *vm, uint64_t type_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots = slots_of(vm, type_and_distance);
    uint64_t size_bytes = size_of_elements(vm, (uint32_t)type_and_distance);
    uint32_t to = take_u32(&slots), to_at = take_u32(&slots), from = take_u32(&slots), from_at = take_u32(&slots);
    uint32_t count = take_u32(&slots);

    check_array(vm, to, to_at, count);
    check_array(vm, from, from_at, count);
    copy_bytes(elements_of(vm, to) + to_at * size_bytes, elements_of(vm, from) + from_at * size_bytes,
               count * size_bytes);
    return 0;
}

/* --- from segments ------------------------------------------------------------------------------------------------ */
/* COUNT elements of SIZE_BYTES from FROM, in bytes, of a data segment. */
static const uint8_t *data_at(struct vm *vm, uint32_t segment, uint64_t from, uint64_t count, uint64_t size_bytes)
{
    const struct artifact *a = owner(vm)->artifact;
    const struct artifact_data *d = &a->datas[segment];
    uint64_t segment_bytes = owner(vm)->data_dropped[segment] ? 0 : d->size_bytes;

    check(vm,
          artifact_range_fits(from, count * size_bytes, segment_bytes) &&
              artifact_range_fits(d->first, segment_bytes, a->bytes_count),
          TRAP_MEMORY_OUT_OF_BOUNDS);
    return a->bytes + d->first + from;
}

static void check_elements(struct vm *vm, uint32_t segment, uint64_t from, uint64_t count)
{
    check(vm, artifact_range_fits(from, count, owner(vm)->element_lens[segment]), TRAP_TABLE_OUT_OF_BOUNDS);
}

static void copy_elements(struct vm *vm, uint32_t reference, uint64_t at, uint32_t segment, uint64_t from,
                          uint64_t count)
{
    if (count != 0)
        memcpy(elements_of(vm, reference) + at * sizeof(uint32_t), owner(vm)->elements[segment] + from,
               count * sizeof(uint32_t));
}

uint64_t builtin_array_new_data(struct vm *vm, uint64_t type_and_segment, uint64_t from, uint64_t length, uint64_t d)
{
    uint64_t size_bytes = size_of_elements(vm, (uint32_t)type_and_segment);
    const uint8_t *bytes =
        data_at(vm, (uint32_t)(type_and_segment >> 32), (uint32_t)from, (uint32_t)length, size_bytes);
    uint32_t reference = new_array(vm, type_and_segment, length);

    memcpy(elements_of(vm, reference), bytes, (uint32_t)length * size_bytes);
    return reference;
}

uint64_t builtin_array_new_elem(struct vm *vm, uint64_t type_and_segment, uint64_t from, uint64_t length, uint64_t d)
{
    uint32_t segment = (uint32_t)(type_and_segment >> 32), reference;

    check_elements(vm, segment, (uint32_t)from, (uint32_t)length);
    reference = new_array(vm, type_and_segment, length);
    copy_elements(vm, reference, 0, segment, (uint32_t)from, (uint32_t)length);
    return reference;
}

uint64_t builtin_array_init_data(struct vm *vm, uint64_t type_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots = slots_of(vm, type_and_distance), *bytes;
    uint64_t size_bytes = size_of_elements(vm, (uint32_t)type_and_distance);
    uint32_t reference = take_u32(&slots), at = take_u32(&slots), from = take_u32(&slots), count = take_u32(&slots);

    check_array(vm, reference, at, count);
    bytes = data_at(vm, take_u32(&slots), from, count, size_bytes);
    memcpy(elements_of(vm, reference) + at * size_bytes, bytes, count * size_bytes);
    return 0;
}

uint64_t builtin_array_init_elem(struct vm *vm, uint64_t type_and_distance, uint64_t b, uint64_t c, uint64_t d)
{
    const uint8_t *slots = slots_of(vm, type_and_distance);
    uint32_t reference = take_u32(&slots), at = take_u32(&slots), from = take_u32(&slots), count = take_u32(&slots);
    uint32_t segment = take_u32(&slots);

    check_array(vm, reference, at, count);
    check_elements(vm, segment, from, count);
    copy_elements(vm, reference, at, segment, from, count);
    return 0;
}
