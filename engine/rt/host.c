/* Functions of C as Wasm functions: their type from the signature letters, and the way from registers to values and
 * back. */
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
    const struct store_type *type;
    valtype types[32];
    uint32_t count = 0, number, reference = space_alloc(&store->space, sizeof(struct vm_func));

    if (reference == 0)
        return 0;
    assert(colon != NULL && strlen(def->signature) <= sizeof types / sizeof types[0]);
    for (const char *c = def->signature; *c != 0; c++)
        if (c != colon)
            types[count++] = letter_type(*c);
    host->param_count = (uint32_t)(colon - def->signature);
    host->result_count = count - host->param_count;
    number = types_intern_func(&store->types, types, host->param_count, host->result_count);
    type = types_get(&store->types, number);
    host->function = def->function;
    host->context = context;
    host->types = type->types;
    host->arg_bytes = type->arg_bytes;
    host->head.only_ints = type->only_ints;
    *store_func(store, reference) =
        (struct vm_func){.code = (const void *)entry_host_thunk, .vm = host, .type_id = number};
    return reference;
}

/* An exception that left an entry made by the host function, or by one that this one called, goes on through its
 * caller. */
static enum trap_kind run(struct vm_host_func *host, struct host_call *call, struct vm *caller)
{
    enum trap_kind trap = host->function(call);

    if (trap == TRAP_UNCAUGHT_EXCEPTION && caller->thread->exception != 0)
        exception_throw(caller, caller->thread->exception);
    return trap;
}

/* Whole registers and slots are moved: what lies above a value of 32 bits is unspecified on either side. */
static void get(union vm_value *to, const struct entry_host_frame *frame, const uint64_t *slots, struct abi_place place,
                valtype type)
{
    if (place.kind == ABI_INT)
        to->i64 = frame->ints[place.index];
    else if (place.kind == ABI_VECTOR)
        memcpy(to, frame->vectors[place.index], 16);
    else
        memcpy(to, slots + place.index, valtype_code(type) == VT_V128 ? 16 : 8);
}

static void put(const union vm_value *from, struct entry_host_frame *frame, uint64_t *slots, struct abi_place place,
                valtype type)
{
    if (place.kind == ABI_INT)
        frame->ints[place.index] = from->i64;
    else if (place.kind == ABI_VECTOR)
        memcpy(frame->vectors[place.index], from, 16);
    else
        memcpy(slots + place.index, from, valtype_code(type) == VT_V128 ? 16 : 8);
}

enum trap_kind entry_host_dispatch(struct vm_host_func *host, struct entry_host_frame *frame, uint64_t *slots,
                                   struct vm *caller)
{
    uint32_t value_count = host->param_count > host->result_count ? host->param_count : host->result_count;
    union vm_value *values = __builtin_alloca((value_count + 1) * sizeof *values);
    struct host_call call = {.context = host->context, .instance = caller->owner, .values = values};
    struct abi_walk in = {0}, out = {0};
    enum trap_kind trap;

    for (uint32_t i = 0; i < host->param_count; i++)
        get(&values[i], frame, slots, abi_next(&in, host->types[i]), host->types[i]);
    trap = run(host, &call, caller);
    if (trap != TRAP_NONE)
        return trap;
    frame->pop_bytes = host->arg_bytes;
    slots += host->arg_bytes / sizeof *slots;
    for (uint32_t i = 0; i < host->result_count; i++) {
        valtype type = host->types[host->param_count + i];
        put(&values[i], frame, slots, abi_next(&out, type), type);
    }
    return TRAP_NONE;
}

enum trap_kind entry_host_dispatch_ints(struct vm_host_func *host, struct entry_host_frame *frame, struct vm *caller)
{
    union vm_value values[ABI_INT_REGISTERS];
    struct host_call call = {.context = host->context, .instance = caller->owner, .values = values};
    enum trap_kind trap;

    for (unsigned i = 0; i < ABI_INT_REGISTERS; i++)
        values[i].i64 = frame->ints[i];
    trap = run(host, &call, caller);
    frame->ints[0] = values[0].i64;
    return trap;
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
