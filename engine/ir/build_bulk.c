/* memory.copy and memory.fill of few bytes, in place of a call.
 *
 * A copy loads all of its bytes before it stores the first, in pieces that may overlap: so the ranges may as well, and
 * what lies out of bounds traps before anything is written (the last piece is stored first). Of a length that is only known
 * when it runs, four pieces are copied if it is 16 to 64 bytes (at 0, as far as 16, as far before the last, and the last),
 * or 4 to 15; else the runtime is called, which is taken to be the rarer case. */
#include "engine/ir/build.h"
#include <assert.h>

enum { PIECES_MOST = 4, VECTOR_BYTES = 16, WORD_BYTES = 4 };

struct piece_kind {
    uint16_t load, store;
    uint8_t type, bytes;
};

static const struct piece_kind kinds[] = {
    {OP_V128_LOAD, OP_V128_STORE, VT_V128, 16}, {OP_I64_LOAD, OP_I64_STORE, VT_I64, 8},
    {OP_I32_LOAD, OP_I32_STORE, VT_I32, 4},     {OP_I32_LOAD16_U, OP_I32_STORE16, VT_I32, 2},
    {OP_I32_LOAD8_U, OP_I32_STORE8, VT_I32, 1},
};

struct pieces {
    const struct piece_kind *kind;
    ir_value at[PIECES_MOST]; /* offsets, i32 */
    unsigned count;
};

static const struct piece_kind *kind_of(uint64_t bytes)
{
    const struct piece_kind *kind = kinds;

    while (kind->bytes > bytes)
        kind++;
    return kind;
}

static struct pieces pieces_of(struct builder *b, uint32_t bytes)
{
    struct pieces p = {.kind = kind_of(bytes)};

    for (uint32_t at = 0; at + p.kind->bytes < bytes; at += p.kind->bytes)
        p.at[p.count++] = build_const_i32(b, at);
    p.at[p.count++] = build_const_i32(b, bytes - p.kind->bytes);
    return p;
}

/* Four pieces of BYTES each for what is as long as one to four of them. */
static struct pieces pieces_of_unknown(struct builder *b, ir_value length, uint32_t bytes)
{
    struct pieces p = {.kind = kind_of(bytes), .count = PIECES_MOST};
    ir_value piece = build_const_i32(b, bytes), select[3] = {piece};

    p.at[0] = build_const_i32(b, 0);
    p.at[3] = build_emit2(b, OP_I32_SUB, VT_I32, length, piece, 0);
    select[1] = p.at[3];
    select[2] = build_emit2(b, OP_I32_LT_U, VT_I32, piece, p.at[3], 0);
    p.at[1] = build_emit(b, OP_SELECT, VT_I32, select, 3, 0);
    p.at[2] = build_emit2(b, OP_I32_SUB, VT_I32, p.at[3], p.at[1], 0);
    return p;
}

static void store_piece(struct builder *b, const struct pieces *p, unsigned k, ir_value to, ir_value value)
{
    ir_value args[3] = {p->at[k], to, value};
    build_emit(b, p->kind->store, VT_BOTTOM, args, 3, 0);
}

struct transfer { /* the operands; of a fill FROM is the byte */
    bool fills;
    ir_value to, from, length;
};

/* The byte as often as a piece has place for it. */
static ir_value repeated(struct builder *b, ir_value byte, const struct piece_kind *kind)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    if (kind->type == VT_V128)
        return build_emit1(b, OP_I8X16_SPLAT, VT_V128, byte, 0);
    if (ir_is_const(b->f, byte))
        return ir_const(b->f, kind->type, (uint8_t)ir_inst(b->f, byte)->imm * ones);
    assert(kind->type == VT_I32);
    byte = build_emit2(b, OP_I32_AND, VT_I32, byte, build_const_i32(b, UINT8_MAX), 0);
    return build_emit2(b, OP_I32_MUL, VT_I32, byte, build_const_i32(b, (uint32_t)ones), 0);
}

static void transfer_pieces(struct builder *b, const struct pieces *p, const struct transfer *t)
{
    ir_value held[PIECES_MOST], to, from;

    if (t->fills) {
        held[0] = repeated(b, t->from, p->kind);
    } else {
        from = build_emit1(b, IR_ADDRESS, VT_I64, t->from, 0);
        for (unsigned k = 0; k < p->count; k++)
            held[k] = build_emit2(b, p->kind->load, p->kind->type, p->at[k], from, 0);
    }
    to = build_emit1(b, IR_ADDRESS, VT_I64, t->to, 0);
    for (unsigned k = p->count; k != 0; k--)
        store_piece(b, p, k - 1, to, held[t->fills ? 0 : k - 1]);
}

/* LENGTH - LEAST <= MOST - LEAST; returns the block where it is not so, unfinished; goes on where it is. */
static uint32_t if_between(struct builder *b, ir_value length, uint32_t least, uint32_t most)
{
    ir_value above = build_emit2(b, OP_I32_SUB, VT_I32, length, build_const_i32(b, least), 0);
    uint32_t yes, no;

    build_branch(b, build_emit2(b, OP_I32_LE_U, VT_I32, above, build_const_i32(b, most - least), 0), &yes, &no);
    build_start_block(b, yes);
    return no;
}

/* The operands are still on the stack. */
static void transfer_unknown(struct builder *b, const struct transfer *t)
{
    static const uint32_t piece_bytes[] = {VECTOR_BYTES, WORD_BYTES};
    uint32_t most = PIECES_MOST * VECTOR_BYTES, behind = ir_new_block(b->f), no;
    struct pieces p;

    for (unsigned n = 0; n < 2; n++) {
        no = if_between(b, t->length, piece_bytes[n], most);
        p = pieces_of_unknown(b, t->length, piece_bytes[n]);
        transfer_pieces(b, &p, t);
        build_jump(b, behind);
        build_start_block(b, no);
        most = VECTOR_BYTES - 1;
    }
    ir_block(b->f, no)->unlikely = true;
    build_builtin(b, t->fills ? BUILTIN_MEMORY_FILL : BUILTIN_MEMORY_COPY, 0, 3, VT_BOTTOM);
    build_jump(b, behind);
    build_start_block(b, behind);
}

/* The three operands on the stack, of memory 0; false: the runtime has to be called. */
static bool transfer_in_place(struct builder *b, bool fills)
{
    const ir_value *operands = b->stack.data + b->stack.len - 3;
    struct transfer t = {fills, operands[0], operands[1], operands[2]};
    const struct ir_inst *length = ir_inst(b->f, t.length);
    struct pieces p;

    if (!build_is_guarded(b, 0) || ir_leaves_out(b->f, OPT_in_place))
        return false;
    if (length->op != IR_CONST) {
        transfer_unknown(b, &t);
        return true;
    }
    /* of a byte that is not known there are words of 4 and vectors, which do for what is long enough */
    if (length->imm - 1 >= PIECES_MOST * VECTOR_BYTES ||
        (fills && length->imm < VECTOR_BYTES && !ir_is_const(b->f, t.from)))
        return false;
    p = pieces_of(b, (uint32_t)length->imm);
    transfer_pieces(b, &p, &t);
    b->stack.len -= 3;
    return true;
}

void build_memory_copy(struct builder *b, uint32_t to, uint32_t from)
{
    if (to != 0 || from != 0 || !transfer_in_place(b, false))
        build_builtin(b, BUILTIN_MEMORY_COPY, to | (uint64_t)from << 32, 3, VT_BOTTOM);
}

void build_memory_fill(struct builder *b, uint32_t memory)
{
    if (memory != 0 || !transfer_in_place(b, true))
        build_builtin(b, BUILTIN_MEMORY_FILL, memory, 3, VT_BOTTOM);
}
