/* Atomic instructions of the threads proposal: accesses here, waiting and waking in the runtime (rt/wait.c).
 *
 * Each is a load, a store, or a read-modify-write in seven shapes: the two types, and the narrower accesses of each.
 * An operation whose old value the next instruction drops needs none of the loops that fetch it. */
#include "engine/baseline/compiler.h"
#include <assert.h>

enum { SHAPES = 7 };

static const struct shape {
    uint8_t access, type, bytes;
} shapes[SHAPES] = {{ACCESS_32_U, VT_I32, 4}, {ACCESS_64, VT_I64, 8},  {ACCESS_8_U, VT_I32, 1},
                    {ACCESS_16_U, VT_I32, 2}, {ACCESS_8_U, VT_I64, 1}, {ACCESS_16_U, VT_I64, 2},
                    {ACCESS_32_U, VT_I64, 4}};

static bool is_dropped(const struct compiler *c)
{
    return *c->body.at == OP_DROP; /* there is always an end */
}

/* Pops a value into a register that nothing else needs. */
static reg pop_own(struct compiler *c, uint8_t type)
{
    struct operand o = vstack_pop(c);
    reg copy;

    if (o.owned)
        return o.reg;
    copy = vstack_alloc(c, false);
    masm_move(&c->m, type, copy, o.reg);
    return copy;
}

/* Pops a value into any register but target->exchange, which is emptied. */
static reg pop_beside_exchange(struct compiler *c, uint8_t type)
{
    reg exchange = target_native.exchange, other;
    struct operand o = vstack_pop(c);

    if (o.reg != exchange) {
        vstack_vacate(c, exchange);
        return o.reg;
    }
    other = vstack_alloc(c, false);
    masm_move(&c->m, type, other, exchange);
    c->pinned &= ~regset_of(exchange);
    vstack_vacate(c, exchange);
    return other;
}

/* A result that an access has zero-extended. */
static void push_extended(struct compiler *c, uint8_t type, reg r)
{
    vstack_push_reg(c, type, r);
    c->regs.upper &= ~regset_of(r);
}

static void atomic_load(struct compiler *c, const struct shape *s)
{
    struct memarg arg = read_memarg(&c->body);
    struct masm_address from = memory_aligned_address(c, &arg, s->bytes);
    reg dst = vstack_destination(c, s->type, NULL, NULL);

    masm_atomic_load(&c->m, s->access, dst, from);
    vstack_push_result(c, s->type, dst);
}

static void atomic_store(struct compiler *c, const struct shape *s)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = pop_own(c, s->type);

    masm_atomic_exchange(&c->m, s->access, value, memory_aligned_address(c, &arg, s->bytes));
}

static void exchange(struct compiler *c, const struct shape *s)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = pop_own(c, s->type);

    masm_atomic_exchange(&c->m, s->access, value, memory_aligned_address(c, &arg, s->bytes));
    push_extended(c, s->type, value);
}

static void fetch_add(struct compiler *c, const struct shape *s, bool subtract)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = pop_own(c, s->type);

    masm_atomic_add(&c->m, subtract, s->access, value, memory_aligned_address(c, &arg, s->bytes));
    push_extended(c, s->type, value);
}

static void fetch_bits(struct compiler *c, const struct shape *s, enum masm_alu op)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = pop_beside_exchange(c, s->type);

    masm_atomic_fetch(&c->m, op, s->access, value, memory_aligned_address(c, &arg, s->bytes));
    push_extended(c, s->type, target_native.exchange);
}

static void update(struct compiler *c, const struct shape *s, enum masm_alu op)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = vstack_pop(c).reg;

    masm_atomic_update(&c->m, op, s->access, value, memory_aligned_address(c, &arg, s->bytes));
    c->body.at++; /* the drop */
}

static void compare_exchange(struct compiler *c, const struct shape *s)
{
    struct memarg arg = read_memarg(&c->body);
    reg value = pop_beside_exchange(c, s->type);
    struct operand expected = vstack_pop(c);

    masm_move(&c->m, s->type, target_native.exchange, expected.reg);
    if (expected.owned)
        c->pinned &= ~regset_of(expected.reg);
    masm_atomic_compare_exchange(&c->m, s->access, value, memory_aligned_address(c, &arg, s->bytes));
    push_extended(c, s->type, target_native.exchange);
}

static void modify(struct compiler *c, const struct shape *s, enum masm_alu op)
{
    if (is_dropped(c))
        update(c, s, op);
    else if (op == ALU_ADD || op == ALU_SUB)
        fetch_add(c, s, op == ALU_SUB);
    else
        fetch_bits(c, s, op);
}

/* The memory and the offset travel as one number. An offset that does not fit lies beyond every memory, as does the
 * largest that fits. */
static void wait_or_notify(struct compiler *c, enum vm_builtin builtin, unsigned operands)
{
    struct memarg arg = read_memarg(&c->body);
    uint64_t offset = arg.offset < BUILTIN_ATOMIC_OFFSET_MAX ? arg.offset : BUILTIN_ATOMIC_OFFSET_MAX;

    call_builtin(c, builtin, arg.memory | offset << BUILTIN_ATOMIC_OFFSET_SHIFT, operands, VT_I32);
}

static void access_memory(struct compiler *c, unsigned kind, const struct shape *s)
{
    static const uint8_t operations[] = {ALU_ADD, ALU_SUB, ALU_AND, ALU_OR, ALU_XOR};
    enum { LOAD, STORE, FIRST_OPERATION, EXCHANGE = FIRST_OPERATION + sizeof operations, COMPARE_EXCHANGE };

    switch (kind) {
    case LOAD: atomic_load(c, s); break;
    case STORE: atomic_store(c, s); break;
    case EXCHANGE: exchange(c, s); break;
    case COMPARE_EXCHANGE: compare_exchange(c, s); break;
    default: modify(c, s, operations[kind - FIRST_OPERATION]);
    }
}

bool atomic_op(struct compiler *c, enum opcode op)
{
    unsigned number = op - OP_I32_ATOMIC_LOAD;

    if (op < OP_MEMORY_ATOMIC_NOTIFY || op > OP_I64_ATOMIC_RMW32_CMPXCHG_U)
        return false;
    switch (op) {
    case OP_MEMORY_ATOMIC_NOTIFY: wait_or_notify(c, BUILTIN_MEMORY_ATOMIC_NOTIFY, 2); break;
    case OP_MEMORY_ATOMIC_WAIT32: wait_or_notify(c, BUILTIN_MEMORY_ATOMIC_WAIT32, 3); break;
    case OP_MEMORY_ATOMIC_WAIT64: wait_or_notify(c, BUILTIN_MEMORY_ATOMIC_WAIT64, 3); break;
    case OP_ATOMIC_FENCE:
        rd_u8(&c->body);
        masm_fence(&c->m);
        break;
    default: access_memory(c, number / SHAPES, &shapes[number % SHAPES]);
    }
    return true;
}
