/* From allocated instructions to machine code: blocks, branches, calls and the moves around them. */
#include "engine/gen/emit.h"
#include <assert.h>

static struct place place_at(struct emitter *e, uint32_t vreg, uint32_t position)
{
    return allocation_place(e->a, vreg, position);
}

static reg register_at(struct emitter *e, uint32_t vreg, uint32_t position)
{
    struct place p = place_at(e, vreg, position);

    assert(p.kind == PLACE_REG);
    return p.reg;
}

reg emit_operand(struct emitter *e, const struct mach *i, unsigned k)
{
    assert(k < i->use_count);
    return register_at(e, e->mf->uses.data[i->use_first + k].vreg, e->at * 2);
}

reg emit_result(struct emitter *e, const struct mach *i)
{
    assert(i->def_count == 1);
    return register_at(e, e->mf->defs.data[i->def_first], e->at * 2 + 1);
}

reg emit_temporary(struct emitter *e, const struct mach *i)
{
    return i->temp == 0 ? REG_NONE : register_at(e, i->temp, e->at * 2);
}

struct masm_address emit_address(struct emitter *e, const struct mach *i)
{
    return (struct masm_address){i->base < 0 ? target_native.memory0 : emit_operand(e, i, (unsigned)i->base),
                                 i->index < 0 ? REG_NONE : emit_operand(e, i, (unsigned)i->index), i->scale, i->disp};
}

/* --- moves -------------------------------------------------------------------------------------------------------- */
size_t emit_first_boundary(const struct emitter *e, uint32_t position)
{
    size_t low = 0, high = e->a->boundaries.len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (e->a->boundaries.data[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes the moves at POSITION, the first of which is boundary N if there is one there; returns the boundary behind them. */
static size_t emit_boundaries_from(struct emitter *e, size_t n, uint32_t position)
{
    const struct boundary *b = e->a->boundaries.data;
    size_t count = e->a->boundaries.len;

    while (n < count && b[n].position == position) {
        unsigned phase = b[n].phase;
        for (; n < count && b[n].position == position && b[n].phase == phase; n++)
            vec_push(&e->moves.list, allocation_move(e->a, &b[n]));
        moves_resolve(e->m, &e->moves);
    }
    return n;
}

static void emit_boundaries(struct emitter *e, uint32_t position)
{
    emit_boundaries_from(e, emit_first_boundary(e, position), position);
}

static void store_definitions(struct emitter *e, const struct mach *i, uint32_t position)
{
    for (uint32_t k = 0; k < i->def_count; k++) {
        uint32_t v = e->mf->defs.data[i->def_first + k];
        const struct web *w = &e->a->webs.data[e->a->web_of[v]];
        struct place p;
        if (!allocation_stores(e->a, v))
            continue;
        p = place_at(e, v, position);
        if (p.kind == PLACE_REG)
            masm_store(e->m, w->type, masm_at(target_native.frame, w->slot), p.reg);
    }
}

static void add_move(struct emitter *e, uint8_t type, struct place to, struct place from)
{
    vec_push(&e->moves.list, (struct move){to, from, type});
}

/* A value that comes from elsewhere (gen/abi.h): a 32-bit one's upper half is unknown, which a move clears on the way,
 * and where none is needed clear_upper. */
static void add_arrival(struct emitter *e, uint8_t type, struct place to, struct place from)
{
    if (place_equal(&to, &from) && to.kind == PLACE_REG && (type == VT_I32 || type == VT_REF_NULL))
        e->unclear |= regset_of(to.reg);
    add_move(e, type, to, from);
}

static void clear_upper(struct emitter *e)
{
    for (; e->unclear != 0; e->unclear &= e->unclear - 1)
        masm_zero_extend(e->m, regset_first(e->unclear), regset_first(e->unclear));
}

static struct place in_register(reg r)
{
    return (struct place){.kind = PLACE_REG, .reg = r};
}

/* Where the calling convention wants a value: AREA is the place of slot 0. */
static struct place abi_place_of(struct abi_place p, const reg *ints, const reg *vectors, struct place area)
{
    if (p.kind == ABI_INT)
        return in_register(ints[p.index]);
    if (p.kind == ABI_VECTOR)
        return in_register(vectors[p.index]);
    area.disp += (int32_t)(p.index * 8);
    return area;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */
static uint8_t type_of(valtype t)
{
    return valtype_is_ref(t) ? VT_REF_NULL : valtype_code(t);
}

/* Operands from FIRST on to their places. */
static void move_values(struct emitter *e, const struct mach *i, unsigned first, const valtype *types, uint32_t count,
                        const reg *ints, struct place area)
{
    struct abi_walk walk = {0};

    for (uint32_t k = 0; k < count; k++) {
        uint32_t v = e->mf->uses.data[i->use_first + first + k].vreg;
        struct place to = abi_place_of(abi_next(&walk, types[k]), ints, target_native.vector_args, area);
        add_move(e, type_of(types[k]), to, place_at(e, v, e->at * 2 - 1));
    }
}

/* Results to where they are wanted: registers first, for what comes from the stack may go where a result still is. */
static void take_results(struct emitter *e, const struct mach *i, const struct type_def *t)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        struct abi_walk walk = {0};
        for (uint32_t k = 0; k < t->result_count; k++) {
            struct place area = {.kind = PLACE_STACK};
            struct place from = abi_place_of(abi_next(&walk, t->results[k]), target_native.int_results,
                                             target_native.vector_args, area);
            for (uint32_t d = 0; d < i->def_count; d++) {
                uint32_t v = e->mf->defs.data[i->def_first + d];
                if (ir_inst(e->mf->ir, v)->imm == k && (from.kind == PLACE_REG) == (turn == 0))
                    add_arrival(e, type_of(t->results[k]), place_at(e, v, e->at * 2 + 1), from);
            }
        }
        moves_resolve(e->m, &e->moves);
    }
}

/* To their places; the address of the function, if it is an operand, too. */
static void move_arguments(struct emitter *e, const struct mach *i, const struct type_def *t)
{
    bool address = i->op == IR_CALL_ADDRESS || i->op == IR_TAIL_CALL_ADDRESS;

    move_values(e, i, address, t->params, t->param_count, target_native.int_args, (struct place){.kind = PLACE_STACK});
    if (address)
        add_move(e, VT_I64, in_register(target_native.callee),
                 place_at(e, e->mf->uses.data[i->use_first].vreg, e->at * 2 - 1));
    moves_resolve(e->m, &e->moves);
}

static void emit_tail_call(struct emitter *e, const struct mach *i)
{
    uint32_t args = mach_tail_call_bytes(e->module, i->op, i->imm);

    masm_adjust_stack(e->m, -(int32_t)args);
    move_arguments(e, i, mach_callee_type(e->module, i->op, i->imm));
    masm_tail_leave(e->m, args);
    if (i->op == IR_TAIL_CALL)
        masm_tail_function(e->m, (uint32_t)i->imm);
    else
        masm_tail_ref(e->m, target_native.callee);
}

static void emit_call(struct emitter *e, const struct mach *i)
{
    const struct type_def *t = mach_callee_type(e->module, i->op, i->imm);
    uint32_t args = abi_types_area_bytes(t->params, t->param_count);
    uint32_t results = abi_types_area_bytes(t->results, t->result_count);
    uint32_t imported = e->module->imported_func_count;

    masm_adjust_stack(e->m, -(int32_t)(args + results));
    move_arguments(e, i, t);
    if (i->op == IR_CALL_ADDRESS)
        masm_call_ref(e->m, target_native.callee, i->imm >> 32 != 0 ? TRAP_NULL_REFERENCE : TRAP_NONE);
    else if (i->imm < imported)
        masm_call_import(e->m, (uint32_t)i->imm);
    else
        masm_call_function(e->m, (uint32_t)i->imm);
    take_results(e, i, t);
    clear_upper(e);
    masm_adjust_stack(e->m, (int32_t)results);
}

/* Operands to slots that end where the frame does, the first one the highest. Returns their bytes. */
static uint32_t move_to_slots(struct emitter *e, const struct mach *i)
{
    uint32_t bytes = 0, at;

    for (uint32_t k = 0; k < i->use_count; k++)
        bytes += e->mf->types.data[e->mf->uses.data[i->use_first + k].vreg] == VT_V128 ? 16 : 8;
    bytes = (bytes + 15) & ~15u;
    masm_adjust_stack(e->m, -(int32_t)bytes);
    at = bytes;
    for (uint32_t k = 0; k < i->use_count; k++) {
        uint32_t v = e->mf->uses.data[i->use_first + k].vreg;
        uint8_t type = e->mf->types.data[v];
        at -= type == VT_V128 ? 16 : 8;
        add_move(e, type, (struct place){.kind = PLACE_STACK, .disp = (int32_t)at}, place_at(e, v, e->at * 2 - 1));
    }
    moves_resolve(e->m, &e->moves);
    return bytes;
}

static void take_builtin_result(struct emitter *e, const struct mach *i)
{
    uint32_t v;

    if (i->def_count == 0)
        return;
    v = e->mf->defs.data[i->def_first];
    add_arrival(e, e->mf->types.data[v], place_at(e, v, e->at * 2 + 1), in_register(target_native.builtin_result));
    moves_resolve(e->m, &e->moves);
    clear_upper(e);
}

static void emit_builtin_slots(struct emitter *e, const struct mach *i)
{
    uint32_t bytes = move_to_slots(e, i);

    masm_const(e->m, VT_I64, target_native.builtin_args[0], i->imm >> 32 | (uint64_t)e->frame_bytes << 32);
    masm_call_builtin(e->m, (enum vm_builtin)(uint32_t)i->imm);
    masm_adjust_stack(e->m, (int32_t)bytes);
    take_builtin_result(e, i);
}

/* What registers hold across a rare call is in the slots meanwhile: STORE it there, or load it again. */
static void keep_registers(struct emitter *e, bool store)
{
    for (regset set = target_native.ints | target_native.vectors; set != 0; set &= set - 1) {
        reg r = regset_first(set);
        uint32_t web = allocation_web_in(e->a, r, e->at * 2);
        const struct web *w = &e->a->webs.data[web];
        if (web == 0)
            continue;
        if (store)
            masm_store(e->m, w->type, masm_at(target_native.frame, w->slot), r);
        else
            masm_load(e->m, w->type, r, masm_at(target_native.frame, w->slot));
    }
}

static void emit_builtin(struct emitter *e, const struct mach *i)
{
    if (i->rare)
        keep_registers(e, true);
    for (uint32_t k = 0; k < i->use_count; k++) {
        uint32_t v = e->mf->uses.data[i->use_first + k].vreg;
        add_move(e, e->mf->types.data[v], in_register(target_native.builtin_args[k]), place_at(e, v, e->at * 2 - 1));
    }
    moves_resolve(e->m, &e->moves);
    masm_call_builtin(e->m, (enum vm_builtin)i->imm);
    take_builtin_result(e, i);
    if (i->rare)
        keep_registers(e, false);
}

static void emit_return(struct emitter *e, const struct mach *i)
{
    const struct type_def *t = e->mf->ir->type;
    struct place area = {.kind = PLACE_SLOT, .disp = (int32_t)(16 + e->pop_bytes)};

    move_values(e, i, 0, t->results, t->result_count, target_native.int_results, area);
    moves_resolve(e->m, &e->moves);
    masm_return(e->m);
}

static void emit_params(struct emitter *e, const struct mach *i)
{
    const struct type_def *t = e->mf->ir->type;

    for (uint32_t d = 0; d < i->def_count; d++) {
        uint32_t v = e->mf->defs.data[i->def_first + d];
        struct abi_walk walk = {0};
        struct abi_place p = {0};
        for (uint32_t k = 0; k <= ir_inst(e->mf->ir, v)->imm; k++)
            p = abi_next(&walk, t->params[k]);
        add_arrival(
            e, e->mf->types.data[v], place_at(e, v, e->at * 2 + 1),
            abi_place_of(p, target_native.int_args, target_native.vector_args, (struct place){.kind = PLACE_SLOT}));
    }
    moves_resolve(e->m, &e->moves);
    clear_upper(e);
}

/* --- exceptions --------------------------------------------------------------------------------------------------- */
/* The call that ends block B may throw: a try of its own, whose handlers are B's successors. Their places are filled in when they
 * have one. */
static uint32_t open_try(struct emitter *e, const struct ir_block *b)
{
    struct code_object *out = e->m->out;

    vec_push(&out->tries, (struct code_try){.catches = (uint32_t)out->catches.len + 1, .frame_bytes = e->frame_bytes});
    for (uint32_t k = 0; k < b->table_count; k++) {
        uint32_t number = (uint32_t)out->catches.len + 1,
                 tag = b->table[k] == IR_CATCH_ALL ? CODE_CATCH_ALL : b->table[k];
        vec_push(&out->catches, (struct code_catch){.tag = tag, .next = k + 1 < b->table_count ? number + 1 : 0});
        vec_push(&e->pads, ((struct emit_pad){number - 1, b->succs[k + 1]}));
    }
    return (uint32_t)out->tries.len;
}

static void place_handlers(struct emitter *e)
{
    for (size_t n = 0; n < e->pads.len; n++)
        e->m->out->catches.data[e->pads.data[n].clause].pc = e->labels[emit_thread(e, e->pads.data[n].block)].at;
}

static void emit_exception(struct emitter *e, const struct mach *i)
{
    uint32_t v = e->mf->defs.data[i->def_first];

    add_arrival(e, VT_REF_NULL, place_at(e, v, e->at * 2 + 1), in_register(target_native.int_results[0]));
    moves_resolve(e->m, &e->moves);
    clear_upper(e);
}

/* --- control ------------------------------------------------------------------------------------------------------ */
static void jump_to(struct emitter *e, uint32_t b)
{
    if (b != e->next)
        masm_jump(e->m, &e->labels[b]);
}

static bool moves_touch_operands(struct emitter *e, const struct mach *i, const struct mach_block *edge)
{
    size_t n = emit_first_boundary(e, edge->first * 2);

    for (; n < e->a->boundaries.len && e->a->boundaries.data[n].position < edge->end * 2; n++)
        for (unsigned k = 0; k < i->use_count; k++)
            if (e->a->boundaries.data[n].to.kind == PLACE_REG &&
                e->a->boundaries.data[n].to.reg == emit_operand(e, i, k))
                return true;
    return false;
}

static void emit_hoisted(struct emitter *e, const struct mach_block *edge)
{
    emit_boundaries(e, edge->first * 2);
    emit_boundaries(e, (edge->end - 1) * 2);
}

/* Moves that are made ahead of the branch keep flags, so they may come behind the comparison; the machine likes that
 * and the jump together. */
static enum masm_cond emit_condition_and_moves(struct emitter *e, const struct mach *i, uint32_t hoisted)
{
    const struct mach_block *edge = &e->mf->blocks[hoisted];
    bool late = hoisted != 0 && moves_touch_operands(e, i, edge);
    enum masm_cond cond;
    unsigned rest;

    if (hoisted != 0 && !late)
        emit_hoisted(e, edge);
    cond = emit_condition(e, i, &rest);
    if (late)
        emit_hoisted(e, edge);
    return cond;
}

static void emit_branch(struct emitter *e, const struct mach *i, uint32_t number)
{
    const struct ir_block *b = ir_block(e->mf->ir, number);
    enum masm_cond cond = emit_condition_and_moves(e, i, e->order.hoisted[number]);
    uint32_t yes = emit_thread(e, b->succs[0]), no = emit_thread(e, b->succs[1]);

    if (yes == e->next) {
        masm_branch(e->m, cond ^ 1, &e->labels[no]);
    } else {
        masm_branch(e->m, cond, &e->labels[yes]);
        jump_to(e, no);
    }
}

static void emit_switch(struct emitter *e, const struct mach *i, const struct ir_block *b)
{
    reg index = emit_operand(e, i, 0), work = emit_temporary(e, i);
    struct masm_label **labels = arena_array(&e->a->arena, struct masm_label *, b->table_count);

    for (uint32_t k = 0; k < b->table_count; k++)
        labels[k] = &e->labels[emit_thread(e, b->succs[b->table[k]])];
    masm_compare_const(e->m, false, index, b->table_count - 1);
    masm_branch(e->m, COND_GE_U, labels[b->table_count - 1]);
    masm_move(e->m, VT_I32, work, index);
    masm_jump_table(e->m, work, labels, b->table_count - 1);
}

static void emit_one(struct emitter *e, const struct mach *i, uint32_t block)
{
    const struct ir_block *b = ir_block(e->mf->ir, block);

    switch (i->op) {
    case MACH_BLOCK: break;
    case MACH_PARAMS: emit_params(e, i); break;
    case IR_CALL:
    case IR_CALL_ADDRESS: emit_call(e, i); break;
    case IR_BUILTIN: emit_builtin(e, i); break;
    case IR_BUILTIN_SLOTS: emit_builtin_slots(e, i); break;
    case IR_TAIL_CALL:
    case IR_TAIL_CALL_ADDRESS: emit_tail_call(e, i); break;
    case IR_RETURN: emit_return(e, i); break;
    case IR_TRAP: masm_trap(e->m, (enum trap_kind)i->imm); break;
    case IR_EXCEPTION: emit_exception(e, i); break;
    case IR_CATCH:
    case IR_JUMP: jump_to(e, emit_thread(e, b->succs[0])); break;
    case IR_BRANCH: emit_branch(e, i, block); break;
    case IR_SWITCH: emit_switch(e, i, b); break;
    default: emit_instruction(e, i);
    }
}

/* What the IR's ORIGIN is in the code object: an inlining is put there when something of it is emitted. */
static struct site_origin origin_in_code(struct emitter *e, struct site_origin origin)
{
    struct code_object *out = e->m->out;
    uint32_t number = origin.inlining;

    if (number != 0 && e->inlinings[number] == 0) {
        struct code_inlining inlining = e->mf->ir->inlinings.data[number - 1];
        inlining.call = origin_in_code(e, inlining.call);
        vec_push(&out->inlinings, inlining);
        e->inlinings[number] = (uint32_t)out->inlinings.len;
    }
    return (struct site_origin){origin.wasm_offset, number != 0 ? e->inlinings[number] : 0};
}

static void emit_block(struct emitter *e, uint32_t number)
{
    const struct mach_block *block = &e->mf->blocks[number];
    const struct ir_block *b = ir_block(e->mf->ir, number);
    bool catches = ir_inst(e->mf->ir, b->last)->op == IR_CATCH;
    size_t boundary = emit_first_boundary(e, block->first * 2);

    if (e->order.aligned[number])
        masm_align_loop(e->m);
    masm_bind(e->m, &e->labels[number]);
    for (e->at = block->first; e->at < block->end; e->at++) {
        const struct mach *i = &e->mf->insts.data[e->at];
        if (i->ir != IR_NONE)
            e->m->origin = origin_in_code(e, ir_inst(e->mf->ir, i->ir)->origin);
        boundary = emit_boundaries_from(e, boundary, e->at * 2);
        e->m->try_number = catches && e->at + 2 == block->end ? open_try(e, b) : 0;
        emit_one(e, i, number);
        if (i->def_count != 0)
            store_definitions(e, i, i->op == MACH_BLOCK ? e->at * 2 : e->at * 2 + 1);
    }
}

/* Nothing lies below its frame. */
static bool is_leaf(const struct mach_func *mf, const struct allocation *a)
{
    return mf->calls.len == 0 && !mf->calls_aside && a->frame_bytes <= MASM_LEAF_BYTES;
}

/* False: it must be done again (masm_end). */
static bool emit(struct masm *m, struct mach_func *mf, struct allocation *a)
{
    const struct type_def *t = mf->ir->type;
    struct emitter e = {.m = m, .mf = mf, .a = a, .module = mf->ir->module};
    uint32_t entry;
    bool ended;

    m->try_number = 0;
    e.frame_bytes = (a->frame_bytes + 15) & ~15u;
    e.pop_bytes = abi_types_area_bytes(t->params, t->param_count);
    e.inlinings = arena_array(&a->arena, uint32_t, mf->ir->inlinings.len + 1);
    e.labels = arena_array(&a->arena, struct masm_label, mf->ir->blocks.len);
    emit_order(&e);
    entry = is_leaf(mf, a) ? masm_begin_leaf(m, e.pop_bytes) : masm_begin(m, e.pop_bytes);
    vec_push(&m->out->entries, entry);
    for (uint32_t n = 0; n < e.order.count; n++) {
        e.next = n + 1 < e.order.count ? e.order.blocks[n + 1] : 0;
        emit_block(&e, e.order.blocks[n]);
    }
    place_handlers(&e);
    ended = masm_end(m, e.frame_bytes);
    vec_done(&e.pads);
    vec_done(&e.moves.list);
    return ended;
}

void emit_function(struct masm *m, struct mach_func *mf, struct allocation *a)
{
    while (!emit(m, mf, a))
        ;
}
