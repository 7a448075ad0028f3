/* Objects in the reference space: structures, arrays, exceptions (gen/abi.h, struct vm_object). */
#include "engine/rt/store.h"

uint32_t heap_alloc(struct store *store, uint32_t type, uint32_t length, uint64_t size_bytes)
{
    uint32_t reference = space_alloc(&store->space, size_bytes);

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
