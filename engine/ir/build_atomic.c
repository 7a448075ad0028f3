/* Atomic instructions of the threads proposal: those on memory are instructions of the IR under their own numbers, with
 * the operands of a load or store, then their value, then what a compare-exchange expects. Waiting and waking are the
 * runtime's. */
#include "engine/ir/build.h"

static bool is_load(enum opcode op)
{
    return op >= OP_I32_ATOMIC_LOAD && op <= OP_I64_ATOMIC_LOAD32_U;
}

static bool is_store(enum opcode op)
{
    return op >= OP_I32_ATOMIC_STORE && op <= OP_I64_ATOMIC_STORE32;
}

static bool is_compare_exchange(enum opcode op)
{
    return op >= OP_I32_ATOMIC_RMW_CMPXCHG && op <= OP_I64_ATOMIC_RMW32_CMPXCHG_U;
}

/* Whether index plus offset is a multiple of BYTES shows in the index alone if the offset is one. */
static void check_alignment(struct builder *b, const struct memarg *arg, unsigned bytes)
{
    ir_value low = *vec_last(&b->stack);
    uint32_t mask = bytes - 1;

    if (mask == 0)
        return;
    if (ir_inst(b->f, low)->type == VT_I64)
        low = build_emit1(b, OP_I32_WRAP_I64, VT_I32, low, 0);
    if ((arg->offset & mask) != 0)
        low = build_emit2(b, OP_I32_ADD, VT_I32, low, build_const_i32(b, (uint32_t)arg->offset & mask), 0);
    low = build_emit2(b, OP_I32_AND, VT_I32, low, build_const_i32(b, mask), 0);
    build_trap_if(b, low, TRAP_UNALIGNED_ATOMIC);
}

static void access_memory(struct builder *b, enum opcode op)
{
    struct memarg arg = body_memarg(&b->frame->body);
    unsigned bytes = 1u << opcode_infos[op].width_log2;
    struct build_address at;
    ir_value args[4], v;
    uint32_t count = 2;

    if (!is_load(op)) {
        args[2] = build_pop(b);
        count = 3;
    }
    if (is_compare_exchange(op)) { /* what it expects comes first */
        args[3] = build_pop(b);
        count = 4;
    }
    check_alignment(b, &arg, bytes);
    at = build_pop_address(b, &arg, bytes);
    args[0] = at.index;
    args[1] = at.base;
    v = build_emit(b, op, is_store(op) ? VT_BOTTOM : ir_wasm_type(op), args, count, (uint64_t)(int64_t)at.disp);
    if (!is_store(op))
        build_push(b, v);
}

/* The memory and the offset travel as one number. An offset that does not fit lies beyond every memory, as does the
 * largest that fits. */
static void wait_or_notify(struct builder *b, enum vm_builtin builtin, unsigned operands)
{
    struct memarg arg = body_memarg(&b->frame->body);
    uint64_t offset = arg.offset < BUILTIN_ATOMIC_OFFSET_MAX ? arg.offset : BUILTIN_ATOMIC_OFFSET_MAX;

    build_builtin(b, builtin, arg.memory | offset << BUILTIN_ATOMIC_OFFSET_SHIFT, operands, VT_I32);
}

bool build_atomic_op(struct builder *b, enum opcode op)
{
    if (!ir_is_atomic(op))
        return false;
    switch (op) {
    case OP_MEMORY_ATOMIC_NOTIFY: wait_or_notify(b, BUILTIN_MEMORY_ATOMIC_NOTIFY, 2); break;
    case OP_MEMORY_ATOMIC_WAIT32: wait_or_notify(b, BUILTIN_MEMORY_ATOMIC_WAIT32, 3); break;
    case OP_MEMORY_ATOMIC_WAIT64: wait_or_notify(b, BUILTIN_MEMORY_ATOMIC_WAIT64, 3); break;
    case OP_ATOMIC_FENCE:
        rd_u8(&b->frame->body);
        build_emit(b, op, VT_BOTTOM, NULL, 0, 0);
        break;
    default: access_memory(b, op);
    }
    return true;
}
