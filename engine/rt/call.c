/* Calls from C into Wasm: values by signature into the register file and the argument area, and back. */
#include "engine/rt/store.h"
#include <string.h>

static void put_arguments(struct entry_call *call, const struct store_type *type, const union vm_value *values)
{
    struct abi_walk walk = {0};

    for (uint32_t i = 0; i < type->param_count; i++) {
        struct abi_place place = abi_next(&walk, type->types[i]);
        if (place.kind == ABI_INT)
            call->ints[place.index] = values[i].i64;
        else if (place.kind == ABI_VECTOR)
            memcpy(call->vectors[place.index], &values[i], 16);
        else
            memcpy(call->arg_slots + place.index, &values[i], valtype_code(type->types[i]) == VT_V128 ? 16 : 8);
    }
}

static void take_results(const struct entry_call *call, const struct store_type *type, union vm_value *values)
{
    struct abi_walk walk = {0};

    for (uint32_t i = 0; i < type->result_count; i++) {
        valtype t = type->types[type->param_count + i];
        struct abi_place place = abi_next(&walk, t);
        if (place.kind == ABI_INT)
            values[i].i64 = call->ints[place.index];
        else if (place.kind == ABI_VECTOR)
            memcpy(&values[i], call->vectors[place.index], 16);
        else
            memcpy(&values[i], call->result_slots + place.index, valtype_code(t) == VT_V128 ? 16 : 8);
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
    thread->exception = 0;
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
    call.arg_bytes = type->arg_bytes;
    call.result_bytes = type->result_bytes;
    call.only_ints = type->only_ints;
    call.arg_slots = __builtin_alloca(call.arg_bytes + call.result_bytes + 16);
    call.result_slots = call.arg_slots + call.arg_bytes / sizeof *call.arg_slots;
    put_arguments(&call, type, values);
    trap = enter(store, &call);
    if (trap == TRAP_NONE)
        take_results(&call, types_get(&store->types, func->type_id), values); /* types may have moved meanwhile */
    return trap;
}
