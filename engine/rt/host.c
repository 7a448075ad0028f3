/* Functions of C as Wasm functions: their type from the signature letters, and the way from registers to values and back. */
#include "engine/rt/store.h"
#include <string.h>

static valtype letter_type(char letter)
{
    switch (letter) {
    case 'i': return VT_I32;
    case 'I': return VT_I64;
    case 'f': return VT_F32;
    default: assert(letter == 'F'); return VT_F64;
    }
}

uint32_t host_func_new(struct store *store, const struct host_function_def *def, void *context)
{
    struct vm_host_func *host = arena_new(&store->arena, struct vm_host_func);
    const char *colon = strchr(def->signature, ':');
    valtype types[32];
    uint32_t count = 0, reference = space_alloc(&store->space, sizeof(struct vm_func));

    if (reference == 0)
        return 0;
    assert(colon != NULL && strlen(def->signature) <= sizeof types / sizeof types[0]);
    for (const char *c = def->signature; *c != 0; c++)
        if (c != colon)
            types[count++] = letter_type(*c);
    host->function = def->function;
    host->context = context;
    host->name = def->name;
    host->param_count = (uint32_t)(colon - def->signature);
    host->result_count = count - host->param_count;
    host->type = types_intern_func(&store->types, types, host->param_count, host->result_count);
    host->types = types_get(&store->types, host->type)->types;
    *store_func(store, reference) = (struct vm_func){.code = (const void *)entry_host_thunk, .vm = host, .type_id = host->type};
    return reference;
}

static void *place_of(struct entry_host_frame *frame, uint64_t *slots, struct abi_place place)
{
    switch (place.kind) {
    case ABI_INT: return &frame->ints[place.index];
    case ABI_VECTOR: return frame->vectors[place.index];
    default: return slots + place.index;
    }
}

enum trap_kind entry_host_dispatch(struct vm_host_func *host, struct entry_host_frame *frame, uint64_t *slots, struct vm *caller)
{
    uint32_t value_count = host->param_count > host->result_count ? host->param_count : host->result_count;
    union vm_value *values = __builtin_alloca((value_count + 1) * sizeof *values);
    struct host_call call = {.context = host->context, .instance = caller->owner, .values = values};
    struct abi_walk in = {0}, out = {0};
    enum trap_kind trap;

    for (uint32_t i = 0; i < host->param_count; i++)
        memcpy(&values[i], place_of(frame, slots, abi_next(&in, host->types[i])), valtype_size_bytes(host->types[i]));
    trap = host->function(&call);
    if (trap != TRAP_NONE)
        return trap;
    frame->pop_bytes = abi_area_bytes(&in);
    slots += frame->pop_bytes / sizeof *slots;
    for (uint32_t i = 0; i < host->result_count; i++) {
        valtype type = host->types[host->param_count + i];
        memcpy(place_of(frame, slots, abi_next(&out, type)), &values[i], valtype_size_bytes(type));
    }
    return TRAP_NONE;
}

uint8_t *instance_memory(struct instance *instance, uint64_t *size_bytes)
{
    if (instance == NULL || instance->vm.memory0 == NULL) { /* no instance: the function was called from C */
        *size_bytes = 0;
        return NULL;
    }
    *size_bytes = instance->vm.memory0->size_bytes;
    return instance->vm.memory0->base;
}
