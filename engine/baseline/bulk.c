/* memory.copy, memory.fill and memory.init.
 *
 * A few bytes of a guarded memory, their number a constant, are moved in place; everything else is a builtin's. What
 * traps must not have written anything: so all is loaded before the first store, and the highest bytes are stored
 * first, for there is nothing below a memory that could be out of bounds. */
#include "engine/baseline/compiler.h"

enum { VECTOR_BYTES = 16, INLINE_BYTES = 4 * VECTOR_BYTES, CONSTANT_ADDRESS_MAX = 1 << 30 };

/* The bytes in pieces of one size; the last one may overlap the one before. */
struct pieces {
    unsigned bytes, count;
    unsigned at[INLINE_BYTES / VECTOR_BYTES];
};

static struct pieces pieces_of(unsigned bytes)
{
    struct pieces p = {.bytes = VECTOR_BYTES};

    while (p.bytes > bytes)
        p.bytes /= 2;
    for (unsigned at = 0; at + p.bytes <= bytes; at += p.bytes)
        p.at[p.count++] = at;
    if (bytes % p.bytes != 0)
        p.at[p.count++] = bytes - p.bytes;
    return p;
}

static enum masm_access access_of(const struct pieces *p)
{
    switch (p->bytes) {
    case 1: return ACCESS_8_U;
    case 2: return ACCESS_16_U;
    case 4: return ACCESS_32_U;
    case 8: return ACCESS_64;
    default: return ACCESS_V128;
    }
}

static struct masm_address piece_address(struct masm_address base, const struct pieces *p, unsigned i)
{
    base.disp += (int32_t)p->at[i];
    return base;
}

/* A far constant would not leave room for the pieces' offsets. */
static bool is_far(const struct value *address)
{
    return address->kind == VALUE_CONST && (uint32_t)address->bits > CONSTANT_ADDRESS_MAX;
}

static bool is_short(const struct compiler *c)
{
    const struct value *count = &c->stack[c->height - 1];
    return count->kind == VALUE_CONST && count->bits != 0 && count->bits <= INLINE_BYTES;
}

static bool copy_in_place(struct compiler *c, uint32_t to, uint32_t from)
{
    const struct memarg to_arg = {.memory = to}, from_arg = {.memory = from};
    struct masm_address target, source;
    struct pieces p;
    reg held[INLINE_BYTES / VECTOR_BYTES];

    if (!memory_is_guarded(c, to) || !memory_is_guarded(c, from) || !is_short(c) || is_far(vstack_top(c) - 1) ||
        is_far(vstack_top(c) - 2))
        return false;
    p = pieces_of((unsigned)vstack_top(c)->bits);
    vstack_drop(c);
    source = memory_address(c, &from_arg, p.bytes);
    target = memory_address(c, &to_arg, p.bytes);
    for (unsigned i = 0; i < p.count; i++) {
        held[i] = vstack_alloc(c, p.bytes == VECTOR_BYTES);
        masm_memory_load(&c->m, access_of(&p), p.bytes == 8, held[i], piece_address(source, &p, i));
    }
    for (unsigned i = p.count; i != 0; i--)
        masm_memory_store(&c->m, access_of(&p), piece_address(target, &p, i - 1), held[i - 1]);
    return true;
}

static bool fill_in_place(struct compiler *c, uint32_t memory)
{
    const struct memarg arg = {.memory = memory};
    const struct value *byte = vstack_top(c) - 1;
    struct masm_address target;
    struct pieces p;
    uint64_t pattern;
    reg held;

    if (!memory_is_guarded(c, memory) || !is_short(c) || byte->kind != VALUE_CONST || is_far(byte - 1))
        return false;
    pattern = (uint8_t)byte->bits * UINT64_C(0x0101010101010101);
    p = pieces_of((unsigned)vstack_top(c)->bits);
    vstack_drop(c);
    vstack_drop(c);
    target = memory_address(c, &arg, p.bytes);
    held = vstack_alloc(c, p.bytes == VECTOR_BYTES);
    if (p.bytes == VECTOR_BYTES)
        masm_v128_const(&c->m, held, pattern, pattern);
    else
        masm_const(&c->m, p.bytes == 8 ? VT_I64 : VT_I32, held, pattern);
    for (unsigned i = p.count; i != 0; i--)
        masm_memory_store(&c->m, access_of(&p), piece_address(target, &p, i - 1), held);
    return true;
}

void compile_memory_fill(struct compiler *c, uint32_t memory)
{
    if (!fill_in_place(c, memory))
        call_builtin(c, BUILTIN_MEMORY_FILL, memory, 3, VT_BOTTOM);
}

void compile_memory_copy(struct compiler *c, uint32_t to, uint32_t from)
{
    if (!copy_in_place(c, to, from))
        call_builtin(c, BUILTIN_MEMORY_COPY, to | (uint64_t)from << 32, 3, VT_BOTTOM);
}

void compile_memory_init(struct compiler *c, uint32_t segment, uint32_t memory)
{
    call_builtin(c, BUILTIN_MEMORY_INIT, memory | (uint64_t)segment << 32, 3, VT_BOTTOM);
}
