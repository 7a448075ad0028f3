/* Linear memory: loads, stores, size.
 *
 * A 32-bit memory's reservation covers every index plus every offset, so an access is one instruction that faults
 * where it must not go. With explicit checks, for 64-bit memories, and where a page is smaller than the machine's,
 * the end of the access is compared with the size first. */
#include "engine/baseline/compiler.h"
#include <assert.h>

static const uint8_t access_bytes[] = {
    [ACCESS_8_S] = 1,  [ACCESS_8_U] = 1, [ACCESS_16_S] = 2, [ACCESS_16_U] = 2, [ACCESS_32_S] = 4,
    [ACCESS_32_U] = 4, [ACCESS_64] = 8,  [ACCESS_F32] = 4,  [ACCESS_F64] = 8,  [ACCESS_V128] = 16};

static const struct limits *limits_of(const struct compiler *c, uint32_t memory)
{
    return &c->module->memories[memory].limits;
}

/* R = struct vm_memory * of MEMORY. */
static void load_memory(struct compiler *c, reg r, uint32_t memory)
{
    if (memory == 0) {
        masm_load_pointer(&c->m, r, masm_at(target_native.vm, offsetof(struct vm, memory0)));
        return;
    }
    masm_load_pointer(&c->m, r, masm_at(target_native.vm, offsetof(struct vm, memories)));
    masm_load_pointer(&c->m, r, masm_at(r, (int32_t)(memory * sizeof(struct vm_memory *))));
}

static reg memory_base(struct compiler *c, uint32_t memory)
{
    reg r;

    if (memory == 0)
        return target_native.memory0;
    r = vstack_alloc(c, false);
    load_memory(c, r, memory);
    masm_load_pointer(&c->m, r, masm_at(r, offsetof(struct vm_memory, base)));
    return r;
}

/* The access's end, compared with the size of the memory. */
static struct masm_address checked_address(struct compiler *c, const struct memarg *arg, unsigned bytes,
                                           struct operand index)
{
    reg end = vstack_alloc(c, false), memory = vstack_alloc(c, false);
    uint64_t add = arg->offset + bytes;

    if (add < bytes) { /* beyond 64 bits wherever it starts */
        masm_const(&c->m, VT_I64, end, UINT64_MAX);
        add = UINT64_MAX;
    }
    masm_add_or_trap(&c->m, end, index.reg, add, TRAP_MEMORY_OUT_OF_BOUNDS);
    load_memory(c, memory, arg->memory);
    masm_compare_memory(&c->m, end, masm_at(memory, offsetof(struct vm_memory, size_bytes)));
    masm_trap_if(&c->m, COND_GT_U, TRAP_MEMORY_OUT_OF_BOUNDS);
    c->pinned &= ~regset_of(memory);
    return (struct masm_address){memory_base(c, arg->memory), end, 0, -(int32_t)bytes};
}

static struct masm_address constant_address(struct compiler *c, const struct memarg *arg)
{
    uint64_t at = (uint32_t)vstack_top(c)->bits + arg->offset;
    reg r;

    vstack_drop(c);
    if (at <= INT32_MAX)
        return masm_at(memory_base(c, arg->memory), (int32_t)at);
    r = vstack_alloc(c, false);
    masm_const(&c->m, VT_I64, r, at);
    return (struct masm_address){memory_base(c, arg->memory), r, 0, 0};
}

bool memory_is_guarded(const struct compiler *c, uint32_t memory)
{
    const struct limits *limits = limits_of(c, memory);
    return !c->options->explicit_bounds_checks && !limits->is64 && limits->page_size_log2 == 16;
}

static struct masm_address guarded_address(struct compiler *c, const struct memarg *arg, struct operand index)
{
    reg sum;

    if (arg->offset <= INT32_MAX)
        return (struct masm_address){memory_base(c, arg->memory), index.reg, 0, (int32_t)arg->offset};
    sum = vstack_alloc(c, false);
    masm_const(&c->m, VT_I64, sum, arg->offset);
    masm_alu(&c->m, ALU_ADD, true, sum, sum, index.reg);
    return (struct masm_address){memory_base(c, arg->memory), sum, 0, 0};
}

static struct masm_address pop_address(struct compiler *c, const struct memarg *arg, unsigned bytes,
                                       struct operand *index)
{
    index->reg = REG_NONE;
    index->owned = false;
    if (!memory_is_guarded(c, arg->memory))
        return checked_address(c, arg, bytes, vstack_pop_extended(c));
    if (vstack_top_is_const(c))
        return constant_address(c, arg);
    *index = vstack_pop_extended(c);
    return guarded_address(c, arg, *index);
}

struct masm_address memory_address(struct compiler *c, const struct memarg *arg, unsigned bytes)
{
    struct operand index;
    return pop_address(c, arg, bytes, &index);
}

/* Whether index plus offset is a multiple of BYTES shows in the index alone if the offset is one, as it mostly is. */
static void check_alignment(struct compiler *c, const struct memarg *arg, unsigned bytes, struct operand index)
{
    unsigned mask = bytes - 1;
    reg low = index.reg;

    if (mask == 0)
        return;
    if ((arg->offset & mask) != 0) {
        low = vstack_alloc(c, false);
        masm_alu_const(&c->m, ALU_ADD, false, low, index.reg, (int64_t)(arg->offset & mask));
        c->pinned &= ~regset_of(low);
    }
    masm_test_const(&c->m, false, low, mask);
    masm_trap_if(&c->m, COND_NE, TRAP_UNALIGNED_ATOMIC);
}

struct masm_address memory_aligned_address(struct compiler *c, const struct memarg *arg, unsigned bytes)
{
    bool guarded = memory_is_guarded(c, arg->memory);
    struct operand index;

    if (guarded && vstack_top_is_const(c)) {
        if (((vstack_top(c)->bits + arg->offset) & (bytes - 1)) != 0)
            masm_trap(&c->m, TRAP_UNALIGNED_ATOMIC);
        return constant_address(c, arg);
    }
    index = vstack_pop_extended(c);
    check_alignment(c, arg, bytes, index);
    return guarded ? guarded_address(c, arg, index) : checked_address(c, arg, bytes, index);
}

/* A value that is all of what is loaded: the next instruction may take it from memory. */
static bool is_whole(enum masm_access access, uint8_t type)
{
    return (access == ACCESS_32_U && type == VT_I32) || access == ACCESS_64 || access == ACCESS_F32 ||
           access == ACCESS_F64;
}

static void load(struct compiler *c, enum masm_access access, uint8_t type)
{
    struct memarg arg = read_memarg(&c->body);
    struct operand index;
    struct masm_address from = pop_address(c, &arg, access_bytes[access], &index);
    reg dst;

    if (is_whole(access, type) && numeric_with_memory(c, type, from))
        return;
    dst = vstack_destination(c, type, index.reg != REG_NONE ? &index : NULL, NULL);
    masm_memory_load(&c->m, access, type == VT_I64, dst, from);
    vstack_push_result(c, type, dst);
}

/* A float constant is stored as the integer with its bits. */
static bool store_const(struct compiler *c, enum masm_access access, const struct memarg *arg, uint64_t bits)
{
    enum masm_access as = access == ACCESS_F32 ? ACCESS_32_U : access == ACCESS_F64 ? ACCESS_64 : access;
    struct operand index;

    if (as == ACCESS_V128 || (as == ACCESS_64 && !masm_const_fits((int64_t)bits)))
        return false;
    vstack_drop(c);
    masm_memory_store_const(&c->m, as, pop_address(c, arg, access_bytes[access], &index), (int32_t)bits);
    return true;
}

static void store(struct compiler *c, enum masm_access access)
{
    struct memarg arg = read_memarg(&c->body);
    struct operand value, index;

    if (vstack_top_is_const(c) && store_const(c, access, &arg, vstack_top(c)->bits))
        return;
    value = vstack_pop(c);
    masm_memory_store(&c->m, access, pop_address(c, &arg, access_bytes[access], &index), value.reg);
}

#define LOAD(name, as, type_) [OP_##name - OP_I32_LOAD] = {ACCESS_##as, VT_##type_}
#define STORE(name, as)       [OP_##name - OP_I32_LOAD] = {ACCESS_##as, VT_BOTTOM}

static const struct {
    uint8_t access, type; /* of what is loaded; VT_BOTTOM: a store */
} accesses[] = {
    LOAD(I32_LOAD, 32_U, I32),     LOAD(I64_LOAD, 64, I64),       LOAD(F32_LOAD, F32, F32),
    LOAD(F64_LOAD, F64, F64),      LOAD(I32_LOAD8_S, 8_S, I32),   LOAD(I32_LOAD8_U, 8_U, I32),
    LOAD(I32_LOAD16_S, 16_S, I32), LOAD(I32_LOAD16_U, 16_U, I32), LOAD(I64_LOAD8_S, 8_S, I64),
    LOAD(I64_LOAD8_U, 8_U, I64),   LOAD(I64_LOAD16_S, 16_S, I64), LOAD(I64_LOAD16_U, 16_U, I64),
    LOAD(I64_LOAD32_S, 32_S, I64), LOAD(I64_LOAD32_U, 32_U, I64), STORE(I32_STORE, 32_U),
    STORE(I64_STORE, 64),          STORE(F32_STORE, F32),         STORE(F64_STORE, F64),
    STORE(I32_STORE8, 8_U),        STORE(I32_STORE16, 16_U),      STORE(I64_STORE8, 8_U),
    STORE(I64_STORE16, 16_U),      STORE(I64_STORE32, 32_U),
};

void compile_load(struct compiler *c, enum opcode op)
{
    load(c, accesses[op - OP_I32_LOAD].access, accesses[op - OP_I32_LOAD].type);
}

void compile_store(struct compiler *c, enum opcode op)
{
    store(c, accesses[op - OP_I32_LOAD].access);
}

static uint8_t address_type(const struct limits *limits)
{
    return limits->is64 ? VT_I64 : VT_I32;
}

void compile_memory_size(struct compiler *c, uint32_t memory)
{
    uint8_t type = address_type(limits_of(c, memory));
    reg dst = vstack_destination(c, type, NULL, NULL);

    load_memory(c, dst, memory);
    masm_load(&c->m, VT_I64, dst, masm_at(dst, offsetof(struct vm_memory, size_bytes)));
    masm_shift_const(&c->m, SHIFT_SHR_U, true, dst, dst, limits_of(c, memory)->page_size_log2);
    vstack_push_result(c, type, dst);
}

void compile_memory_grow(struct compiler *c, uint32_t memory)
{
    call_builtin(c, BUILTIN_MEMORY_GROW, memory, 1, address_type(limits_of(c, memory)));
}
