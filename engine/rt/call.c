/* Calls from C into Wasm: values by signature into the register file and the argument area, and back. */
#include "engine/rt/store.h"
#include <string.h>

static void *place_of(struct entry_call *call, uint64_t *slots, struct abi_place place)
{
    switch (place.kind) {
    case ABI_INT: return &call->ints[place.index];
    case ABI_VECTOR: return call->vectors[place.index];
    default: return slots + place.index;
    }
}

static void put_arguments(struct entry_call *call, const struct store_type *type, const union vm_value *values)
{
    struct abi_walk walk = {0};
    for (uint32_t i = 0; i < type->param_count; i++)
        memcpy(place_of(call, call->arg_slots, abi_next(&walk, type->types[i])), &values[i],
               valtype_size_bytes(type->types[i]));
}

static void take_results(struct entry_call *call, const struct store_type *type, union vm_value *values)
{
    struct abi_walk walk = {0};
    for (uint32_t i = 0; i < type->result_count; i++) {
        valtype t = type->types[type->param_count + i];
        memcpy(&values[i], place_of(call, call->result_slots, abi_next(&walk, t)), valtype_size_bytes(t));
    }
}

static enum trap_kind enter(struct store *store, struct entry_call *call)
{
    struct vm_thread *thread = store->thread;
    enum trap_kind trap;

    call->outer = thread->newest;
    call->outer_sp = thread->wasm_sp;
    call->outer_fp = thread->wasm_fp;
    call->outer_c_sp = thread->c_sp;
    thread->newest = call;
    trap = entry_enter(thread, call);
    if (trap != TRAP_NONE && store->frame_count == 0)
        backtrace_take(store, thread);
    thread->newest = call->outer;
    thread->wasm_sp = call->outer_sp;
    thread->wasm_fp = call->outer_fp;
    thread->c_sp = call->outer_c_sp;
    return trap;
}

static enum trap_kind call_host(struct vm_host_func *host, union vm_value *values)
{
    struct host_call call = {.context = host->context, .values = values};
    return host->function(&call);
}

enum trap_kind call_func(struct store *store, uint32_t reference, union vm_value *values)
{
    const struct vm_func *func = store_func(store, reference);
    const struct store_type *type = types_get(&store->types, func->type_id);
    struct entry_call call;
    enum trap_kind trap;

    if (func->code == (const void *)entry_host_thunk)
        return call_host(func->vm, values);
    store->frame_count = 0;
    call.code = func->code;
    call.vm = func->vm;
    call.arg_bytes = abi_types_area_bytes(type->types, type->param_count);
    call.result_bytes = abi_types_area_bytes(type->types + type->param_count, type->result_count);
    call.arg_slots = __builtin_alloca(call.arg_bytes + call.result_bytes + 16);
    call.result_slots = call.arg_slots + call.arg_bytes / sizeof *call.arg_slots;
    put_arguments(&call, type, values);
    trap = enter(store, &call);
    if (trap == TRAP_NONE)
        take_results(&call, type, values);
    return trap;
}
