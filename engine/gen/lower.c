/* Instruction selection: IR → struct mach.
 *
 * Blocks and their instructions are visited backwards, so that every user is seen before what it uses: a value that no
 * user wants in a register, because all have folded it in or there are none, is never made. Constants are made where
 * they are used, unless the user takes them as an immediate. */
#include "engine/gen/lower.h"
#include <assert.h>

uint32_t lower_new_vreg(struct lower *l, uint8_t type)
{
    vec_push(&l->mf->types, type);
    return (uint32_t)l->mf->types.len - 1;
}

static uint32_t need_const(struct lower *l, ir_value v)
{
    struct mach m = {.op = IR_CONST, .base = -1, .index = -1, .ir = v};
    const struct ir_inst *i = ir_inst(l->f, v);
    uint32_t vreg = lower_new_vreg(l, i->type);

    m.type = i->type;
    m.imm = i->imm;
    if (i->type == VT_V128)
        memcpy(&m.imm_high, i->arg, 8);
    m.def_count = 1;
    m.def_first = vreg; /* settled when the instruction is pushed */
    vec_push(&l->pending, m);
    return vreg;
}

/* V in a register of its own, for an instruction that is about to be pushed. */
static uint32_t need(struct lower *l, ir_value v)
{
    assert(v != IR_NONE);
    if (ir_is_const(l->f, v))
        return need_const(l, v);
    l->needed[v] = true;
    return v;
}

int8_t lower_use_vreg(struct lower *l, struct mach *m, uint32_t vreg, enum mach_use_kind kind)
{
    if (m->use_count == 0)
        m->use_first = (uint32_t)l->mf->uses.len;
    vec_push(&l->mf->uses, (struct mach_use){vreg, (uint8_t)kind});
    return (int8_t)m->use_count++;
}

int8_t lower_use(struct lower *l, struct mach *m, ir_value v, enum mach_use_kind kind)
{
    return lower_use_vreg(l, m, need(l, v), kind);
}

/* Instructions are pushed in reverse: the one at hand, then the constants it needs. */
void lower_push_def(struct lower *l, struct mach *m, uint32_t def)
{
    if (def != IR_NONE) {
        m->def_first = (uint32_t)l->mf->defs.len;
        m->def_count = 1;
        vec_push(&l->mf->defs, def);
    }
    vec_push(&l->mf->insts, *m);
    for (size_t i = 0; i < l->pending.len; i++) {
        struct mach constant = l->pending.data[i];
        uint32_t vreg = constant.def_first;
        constant.def_first = (uint32_t)l->mf->defs.len;
        vec_push(&l->mf->defs, vreg);
        vec_push(&l->mf->insts, constant);
    }
    l->pending.len = 0;
}

struct mach lower_mach(unsigned op, ir_value v, uint8_t type)
{
    return (struct mach){.op = (uint16_t)op, .type = type, .base = -1, .index = -1, .ir = v};
}

/* --- constants and addresses -------------------------------------------------------------------------------------- */
static int64_t const_value(const struct ir_inst *i)
{
    return i->type == VT_I64 || i->type == VT_F64 ? (int64_t)i->imm : (int32_t)i->imm;
}

static bool is_small_const(const struct lower *l, ir_value v)
{
    const struct ir_inst *i = ir_inst(l->f, v);
    return i->op == IR_CONST && !mach_type_is_vector(i->type) && masm_const_fits(const_value(i));
}

/* An access's address: index (zero-extended by the IR's convention), base and displacement. */
void lower_address(struct lower *l, struct mach *m, const struct ir_inst *i)
{
    ir_value index = i->arg[0];
    int64_t disp = (int64_t)i->imm;

    if (i->arg[1] != IR_NONE)
        m->base = lower_use(l, m, i->arg[1], MACH_OPERAND);
    if (index != IR_NONE && ir_inst(l->f, index)->op == OP_I64_EXTEND_I32_U)
        index = ir_inst(l->f, index)->arg[0];
    if (index != IR_NONE && ir_is_const(l->f, index)) {
        const struct ir_inst *c = ir_inst(l->f, index);
        uint64_t at = c->type == VT_I64 ? c->imm : (uint32_t)c->imm;
        if (at <= INT32_MAX && masm_const_fits(disp + (int64_t)at)) {
            disp += (int64_t)at;
            index = IR_NONE;
        }
    }
    if (index != IR_NONE)
        m->index = lower_use(l, m, index, MACH_OPERAND);
    assert(masm_const_fits(disp));
    m->disp = (int32_t)disp;
}

enum { FOLD_DISTANCE = 24 };

/* A load all of whose value one instruction takes, with nothing in between that could change it or trap: not another load
 * either, for a backtrace says which came first. */
static bool folds_as_operand(const struct lower *l, ir_value load, ir_value user, uint8_t type)
{
    const struct ir_inst *i = ir_inst(l->f, load), *u = ir_inst(l->f, user);
    bool whole = (i->op == OP_I32_LOAD && type == VT_I32) || (i->op == OP_I64_LOAD && type == VT_I64) ||
                 (i->op == OP_F32_LOAD && type == VT_F32) || (i->op == OP_F64_LOAD && type == VT_F64);
    unsigned steps = 0;

    if (!whole || i->uses != 1 || i->block != u->block || l->folded[load])
        return false;
    for (ir_value v = u->prev; v != load; v = ir_inst(l->f, v)->prev) {
        if (v == IR_NONE || ++steps > FOLD_DISTANCE || (ir_effects(ir_inst(l->f, v)->op) & (IR_WRITES | IR_TRAPS)) != 0)
            return false;
    }
    return true;
}

/* The last operand of an instruction: an immediate, memory, or a register. */
static void use_last(struct lower *l, struct mach *m, ir_value v, uint8_t type, bool memory)
{
    if (is_small_const(l, v)) {
        m->form = MACH_IMM;
        m->imm = (uint64_t)const_value(ir_inst(l->f, v));
    } else if (memory && folds_as_operand(l, v, m->ir, type)) {
        l->folded[v] = true;
        m->form = MACH_MEM;
        m->ir = v; /* what traps, if anything does */
        lower_address(l, m, ir_inst(l->f, v));
    } else {
        lower_use(l, m, v, MACH_OPERAND);
    }
}

/* --- conditions --------------------------------------------------------------------------------------------------- */
static void compare_int(struct lower *l, struct mach *m, ir_value a, ir_value b, bool wide, enum masm_cond cond,
                        bool memory)
{
    uint8_t type = wide ? VT_I64 : VT_I32;
    const struct ir_inst *x;

    if (is_small_const(l, a) || (memory && !is_small_const(l, b) && folds_as_operand(l, a, m->ir, type))) {
        ir_value t = a;
        a = b;
        b = t;
        cond = numeric_exchanged(cond);
    }
    x = ir_inst(l->f, a);
    m->wide = wide;
    m->cond = (uint8_t)cond;
    m->compare = MACH_COMPARE_INT;
    if ((cond == COND_EQ || cond == COND_NE) && ir_is_const(l->f, b) && ir_inst(l->f, b)->imm == 0 && x->uses == 1 &&
        (x->op == OP_I32_AND || x->op == OP_I64_AND)) {
        m->compare = MACH_COMPARE_TEST;
        b = x->arg[1];
        a = x->arg[0];
        lower_use(l, m, a, MACH_OPERAND);
        use_last(l, m, b, type, false);
        return;
    }
    lower_use(l, m, a, MACH_OPERAND);
    use_last(l, m, b, type, memory);
}

static bool is_vector_test(unsigned op)
{
    return op == OP_V128_ANY_TRUE || op == OP_I8X16_ALL_TRUE || op == OP_I16X8_ALL_TRUE || op == OP_I32X4_ALL_TRUE ||
           op == OP_I64X2_ALL_TRUE;
}

/* The condition that V is not zero (or, NEGATED, that it is), as operands and fields of M. */
static void use_condition(struct lower *l, struct mach *m, ir_value v, bool negated)
{
    const struct ir_inst *i = ir_inst(l->f, v);
    const struct numeric *n = numeric_of(i->op);
    /* what is compared in several places must not swallow a load; what traps by itself neither, it has an origin already */
    bool once = i->uses == 1 && m->op != IR_TRAP_IF;

    while (i->op == OP_I32_EQZ) {
        negated = !negated;
        v = i->arg[0];
        i = ir_inst(l->f, v);
        n = numeric_of(i->op);
        once &= i->uses == 1;
    }
    if (n->kind == NUMERIC_COMPARE) {
        compare_int(l, m, i->arg[0], i->arg[1], n->wide, n->op ^ negated, once);
    } else if (i->op == OP_I64_EQZ) {
        compare_int(l, m, i->arg[0], ir_const(l->f, VT_I64, 0), true, COND_EQ ^ negated, once);
    } else if (n->kind == NUMERIC_FLOAT_COMPARE) {
        m->compare = MACH_COMPARE_FLOAT;
        m->wide = n->wide;
        m->cond = n->op ^ negated;
        lower_use(l, m, i->arg[0], MACH_OPERAND);
        lower_use(l, m, i->arg[1], MACH_OPERAND);
    } else if (is_vector_test(i->op)) {
        m->compare = MACH_COMPARE_VECTOR;
        m->vector = i->op;
        m->cond = negated;
        lower_use(l, m, i->arg[0], MACH_OPERAND);
    } else {
        compare_int(l, m, v, ir_const(l->f, VT_I32, 0), false, COND_NE ^ negated, once);
    }
}

static void lower_condition_value(struct lower *l, ir_value v)
{
    struct mach m = lower_mach(MACH_SET, v, VT_I32);
    use_condition(l, &m, v, false);
    lower_push_def(l, &m, v);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
static bool is_shift_left(const struct lower *l, ir_value v, bool wide)
{
    const struct ir_inst *i = ir_inst(l->f, v);
    return i->op == (wide ? OP_I64_SHL : OP_I32_SHL) && i->uses == 1 && ir_is_const(l->f, i->arg[1]) &&
           ir_inst(l->f, i->arg[1])->imm <= 3;
}

/* a + (b << n), a + b + constant: one lea. */
static bool lower_lea(struct lower *l, ir_value v, const struct ir_inst *i, bool wide)
{
    struct mach m = lower_mach(MACH_LEA, v, i->type);
    ir_value a = i->arg[0], b = i->arg[1];

    if (is_small_const(l, b)) {
        const struct ir_inst *x = ir_inst(l->f, a);
        if (x->op != i->op || x->uses != 1 || ir_is_const(l->f, x->arg[1]))
            return false;
        m.disp = (int32_t)const_value(ir_inst(l->f, b));
        b = x->arg[1];
        a = x->arg[0];
    }
    if (is_shift_left(l, a, wide)) {
        ir_value t = a;
        a = b;
        b = t;
    }
    if (is_shift_left(l, b, wide)) {
        const struct ir_inst *shift = ir_inst(l->f, b);
        m.scale = (uint8_t)ir_inst(l->f, shift->arg[1])->imm;
        b = shift->arg[0];
    } else if (m.disp == 0) {
        return false;
    }
    m.base = lower_use(l, &m, a, MACH_OPERAND);
    m.index = lower_use(l, &m, b, MACH_OPERAND);
    lower_push_def(l, &m, v);
    return true;
}

static void lower_alu(struct lower *l, ir_value v, const struct ir_inst *i, const struct numeric *n)
{
    struct mach m = lower_mach(i->op, v, i->type);
    ir_value a = i->arg[0], b = i->arg[1];
    bool commutes = n->op != ALU_SUB;

    if (n->op == ALU_ADD && lower_lea(l, v, i, n->wide))
        return;
    if (commutes && !is_small_const(l, b) && (is_small_const(l, a) || folds_as_operand(l, a, v, i->type))) {
        ir_value t = a;
        a = b;
        b = t;
    }
    lower_use(l, &m, a, MACH_OPERAND);
    use_last(l, &m, b, i->type, true);
    if (m.form == MACH_MEM) /* the first operand is moved to the result before the address is read */
        for (uint32_t k = 1; k < m.use_count; k++)
            l->mf->uses.data[m.use_first + k].kind = MACH_KEPT;
    lower_push_def(l, &m, v);
}

/* A claim of the instruction about to be pushed; reverse() turns it into positions. */
void lower_reserve(struct lower *l, reg r, bool with_fix)
{
    vec_push(&l->mf->reservations, (struct mach_reservation){r, (uint32_t)l->mf->insts.len, with_fix});
}

/* Pushes M, which makes V and finds its operand SOURCE in the register FIXED, and the copy there in front of it.
 * Constants that either needs come before both, so that nothing lies between. */
void lower_push_fixed(struct lower *l, struct mach *m, ir_value v, ir_value source, reg fixed)
{
    struct mach fix = lower_mach(MACH_FIX, v, m->type);

    m->fixed = fix.fixed = fixed;
    m->def_first = (uint32_t)l->mf->defs.len;
    m->def_count = 1;
    vec_push(&l->mf->defs, v);
    lower_reserve(l, fixed, true);
    vec_push(&l->mf->insts, *m);
    lower_use(l, &fix, source, MACH_OPERAND);
    lower_push_def(l, &fix, IR_NONE);
}

static void lower_shift(struct lower *l, ir_value v, const struct ir_inst *i, const struct numeric *n)
{
    struct mach m = lower_mach(i->op, v, i->type);
    struct masm probe = {.features = l->mf->features};
    reg place = target_native.shift_count;

    lower_use(l, &m, i->arg[0], MACH_OPERAND);
    if (ir_is_const(l->f, i->arg[1])) {
        m.form = MACH_IMM;
        m.imm = ir_inst(l->f, i->arg[1])->imm;
        lower_push_def(l, &m, v);
    } else if (place == REG_NONE || masm_shift_is_free(&probe, n->op)) {
        lower_use(l, &m, i->arg[1], MACH_OPERAND);
        lower_push_def(l, &m, v);
    } else {
        lower_push_fixed(l, &m, v, i->arg[1], place);
    }
}

static void lower_divide(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);
    const struct ir_inst *divisor = ir_inst(l->f, i->arg[1]);

    m.imm = divisor->op == IR_CONST && const_value(divisor) != 0 && const_value(divisor) != -1; /* safe */
    lower_use(l, &m, i->arg[1], MACH_OPERAND);
    if (target_native.quotient == REG_NONE) {
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        lower_push_def(l, &m, v);
        return;
    }
    lower_reserve(l, target_native.remainder, false);
    lower_push_fixed(l, &m, v, i->arg[0], target_native.quotient);
}

static void lower_multiply_high(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    m.imm = i->imm;
    lower_use(l, &m, i->arg[1], MACH_OPERAND);
    if (target_native.quotient == REG_NONE) {
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        m.temp = lower_new_vreg(l, VT_I64);
        lower_push_def(l, &m, v);
        return;
    }
    lower_reserve(l, target_native.remainder, false);
    lower_push_fixed(l, &m, v, i->arg[0], target_native.quotient);
}

static void lower_float(struct lower *l, ir_value v, const struct ir_inst *i, const struct numeric *n)
{
    struct mach m = lower_mach(i->op, v, i->type);
    ir_value a = i->arg[0], b = i->arg[1];
    bool commutes = n->op == FLOAT_ADD || n->op == FLOAT_MUL, plain = n->op <= FLOAT_DIV;

    if (commutes && (ir_is_const(l->f, a) || (!ir_is_const(l->f, b) && folds_as_operand(l, a, v, i->type)))) {
        ir_value t = a;
        a = b;
        b = t;
    }
    lower_use(l, &m, a, MACH_OPERAND);
    if (plain && ir_is_const(l->f, b)) {
        m.form = MACH_IMM;
        m.imm = ir_inst(l->f, b)->imm;
    } else if (plain) {
        use_last(l, &m, b, i->type, true);
    } else {
        lower_use(l, &m, b, MACH_OPERAND);
    }
    lower_push_def(l, &m, v);
}

static void lower_plain(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    for (uint32_t k = 0; k < i->arg_count; k++)
        lower_use(l, &m, i->arg[k], MACH_OPERAND);
    lower_push_def(l, &m, v);
}

static void lower_conversion(struct lower *l, ir_value v, const struct ir_inst *i, const struct numeric *n)
{
    struct mach m = lower_mach(i->op, v, i->type);
    bool temporary = (n->op & INT_WIDE) != 0 && (n->op & IS_SIGNED) == 0;

    lower_use(l, &m, i->arg[0], MACH_OPERAND);
    if (temporary)
        m.temp = lower_new_vreg(l, n->kind == NUMERIC_TO_INT ? VT_F64 : VT_I64);
    lower_push_def(l, &m, v);
}

static bool lower_numeric(struct lower *l, ir_value v, const struct ir_inst *i)
{
    const struct numeric *n = numeric_of(i->op);

    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_NONE: return false;
    case NUMERIC_COMPARE:
    case NUMERIC_FLOAT_COMPARE:
    case NUMERIC_EQZ: lower_condition_value(l, v); break;
    case NUMERIC_ALU: lower_alu(l, v, i, n); break;
    case NUMERIC_SHIFT: lower_shift(l, v, i, n); break;
    case NUMERIC_DIVIDE: lower_divide(l, v, i); break;
    case NUMERIC_FLOAT: lower_float(l, v, i, n); break;
    case NUMERIC_FROM_INT:
    case NUMERIC_TO_INT: lower_conversion(l, v, i, n); break;
    case NUMERIC_UNARY:
    case NUMERIC_WRAP:
    case NUMERIC_EXTEND:
    case NUMERIC_FLOAT_UNARY:
    case NUMERIC_FLOAT_RESIZE:
    case NUMERIC_REINTERPRET: lower_plain(l, v, i); break;
    case NUMERIC_ADD_WIDE:
    case NUMERIC_MULTIPLY_WIDE: assert(!"built out of others");
    }
    return true;
}

static void lower_select(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(OP_SELECT, v, i->type);

    use_condition(l, &m, i->arg[2], false);
    lower_use(l, &m, i->arg[0], MACH_OPERAND);
    lower_use(l, &m, i->arg[1], MACH_OPERAND);
    lower_push_def(l, &m, v);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
#define LOAD(name, as) [OP_##name - OP_I32_LOAD] = ACCESS_##as
static const uint8_t accesses[] = {
    LOAD(I32_LOAD, 32_U),     LOAD(I64_LOAD, 64),       LOAD(F32_LOAD, F32),      LOAD(F64_LOAD, F64),
    LOAD(I32_LOAD8_S, 8_S),   LOAD(I32_LOAD8_U, 8_U),   LOAD(I32_LOAD16_S, 16_S), LOAD(I32_LOAD16_U, 16_U),
    LOAD(I64_LOAD8_S, 8_S),   LOAD(I64_LOAD8_U, 8_U),   LOAD(I64_LOAD16_S, 16_S), LOAD(I64_LOAD16_U, 16_U),
    LOAD(I64_LOAD32_S, 32_S), LOAD(I64_LOAD32_U, 32_U), LOAD(I32_STORE, 32_U),    LOAD(I64_STORE, 64),
    LOAD(F32_STORE, F32),     LOAD(F64_STORE, F64),     LOAD(I32_STORE8, 8_U),    LOAD(I32_STORE16, 16_U),
    LOAD(I64_STORE8, 8_U),    LOAD(I64_STORE16, 16_U),  LOAD(I64_STORE32, 32_U),
};

static void lower_load(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    if (i->op < OPCODE_SPACE_VECTOR)
        m.access = accesses[i->op - OP_I32_LOAD];
    lower_address(l, &m, i);
    if (i->arg_count == 3) /* a lane of it; the vector is moved to the result before the address is read: no matter */
        lower_use(l, &m, i->arg[2], MACH_OPERAND);
    lower_push_def(l, &m, v);
}

static void lower_store(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, VT_BOTTOM);
    const struct ir_inst *value = ir_inst(l->f, i->arg[2]);

    lower_address(l, &m, i);
    if (i->op < OPCODE_SPACE_VECTOR) {
        m.access = accesses[i->op - OP_I32_LOAD];
        if (value->op == IR_CONST && value->type != VT_V128 &&
            ((m.access != ACCESS_64 && m.access != ACCESS_F64) || masm_const_fits((int64_t)value->imm))) {
            m.form = MACH_IMM;
            m.imm = value->imm;
            m.access = m.access == ACCESS_F32 ? ACCESS_32_U : m.access == ACCESS_F64 ? ACCESS_64 : m.access;
            lower_push_def(l, &m, IR_NONE);
            return;
        }
    }
    lower_use(l, &m, i->arg[2], MACH_OPERAND);
    lower_push_def(l, &m, IR_NONE);
}

/* Fields of the engine's own structures, elements of tables, globals. */
static void lower_internal(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);
    bool kept = i->op == IR_BOUNDS || i->op == IR_ELEMENT; /* the result is begun before all is read */

    m.imm = i->imm;
    if (i->op == IR_LOAD || i->op == IR_STORE)
        m.disp = (int32_t)i->imm;
    for (uint32_t k = 0; k < i->arg_count; k++)
        lower_use(l, &m, i->arg[k], kept ? MACH_KEPT : MACH_OPERAND);
    if (i->op == IR_STORE)
        m.type = ir_inst(l->f, i->arg[1])->type;
    lower_push_def(l, &m, i->type != VT_BOTTOM ? v : IR_NONE);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */
static void use_arguments(struct lower *l, struct mach *m, struct ir_inst *i)
{
    const ir_value *args = ir_args(i);

    for (uint32_t k = 0; k < i->arg_count; k++) {
        /* a constant is put in its place directly: it is no register's business */
        if (!ir_is_const(l->f, args[k]))
            l->needed[args[k]] = true;
        lower_use_vreg(l, m, args[k], MACH_ANYWHERE);
    }
}

/* On a way that is hardly ever taken registers are better saved around a call than given up at it: the other ways keep
 * them. Nothing is caught there, so that what is loaded behind the call is loaded wherever it leads. */
static bool is_rare_call(const struct lower *l, const struct ir_inst *i)
{
    return i->op == IR_BUILTIN && i->imm == BUILTIN_MEMORY_COPY && ir_block(l->f, i->block)->cold;
}

static void lower_call(struct lower *l, ir_value v, struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    m.imm = i->imm;
    use_arguments(l, &m, i);
    m.def_first = (uint32_t)l->mf->defs.len;
    if (i->op == IR_BUILTIN || i->op == IR_BUILTIN_SLOTS) {
        if (i->type != VT_BOTTOM) {
            vec_push(&l->mf->defs, v);
            m.def_count = 1;
        }
    } else {
        for (ir_value r = i->next; ir_inst(l->f, r)->op == IR_RESULT; r = ir_inst(l->f, r)->next) {
            vec_push(&l->mf->defs, r);
            m.def_count++;
        }
    }
    m.rare = is_rare_call(l, i);
    l->mf->calls_aside |= m.rare;
    if (m.rare)
        vec_push(&l->mf->rare_calls, (uint32_t)l->mf->insts.len);
    else
        vec_push(&l->mf->calls, (uint32_t)l->mf->insts.len);
    vec_push(&l->mf->insts, m);
}

/* Makes V in a register of its own, with two more at hand: a temporary and an unused second result. */
static void push_with_spare(struct lower *l, struct mach *m, ir_value v)
{
    m->temp = lower_new_vreg(l, VT_I64);
    m->def_first = (uint32_t)l->mf->defs.len;
    m->def_count = 2;
    vec_push(&l->mf->defs, v);
    vec_push(&l->mf->defs, lower_new_vreg(l, VT_I64));
    lower_push_def(l, m, IR_NONE);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */
static void lower_field(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);
    const struct ir_inst *value = i->op == IR_FIELD_STORE ? ir_inst(l->f, i->arg[2]) : NULL;

    m.access = i->lane & ((1 << IR_FIELD_SCALE_SHIFT) - 1);
    m.scale = i->lane >> IR_FIELD_SCALE_SHIFT;
    m.disp = (int32_t)i->imm;
    m.base = lower_use(l, &m, i->arg[1], MACH_OPERAND);
    m.index = lower_use(l, &m, i->arg[0], MACH_OPERAND);
    if (value == NULL) {
        lower_push_def(l, &m, v);
        return;
    }
    if (value->op == IR_CONST && value->type != VT_V128 && m.access >= ACCESS_32_S &&
        (i->imm & IR_FIELD_KIND_MASK) == 0) {
        m.form = MACH_IMM;
        m.type = value->type;
        m.imm = value->imm;
    } else {
        lower_use(l, &m, i->arg[2], MACH_OPERAND);
    }
    lower_push_def(l, &m, IR_NONE);
}

static void lower_object(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    m.imm = i->imm;
    switch (i->op) {
    case IR_FIELD_LOAD:
    case IR_FIELD_STORE: lower_field(l, v, i); break;
    case IR_ARRAY_INDEX:
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        lower_use(l, &m, i->arg[1], MACH_OPERAND);
        lower_push_def(l, &m, v);
        break;
    case IR_ALLOCATE:
        l->mf->calls_aside = true;
        push_with_spare(l, &m, v);
        break;
    case IR_TYPE_ROW:
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        m.temp = lower_new_vreg(l, VT_I64);
        lower_push_def(l, &m, v);
        break;
    case IR_IS_SUBTYPE:
        lower_use(l, &m, i->arg[0], MACH_KEPT);
        push_with_spare(l, &m, v);
        break;
    default: use_condition(l, &m, i->arg[0], false); lower_push_def(l, &m, IR_NONE);
    }
}

static bool is_object_op(unsigned op)
{
    return op == IR_FIELD_LOAD || op == IR_FIELD_STORE || op == IR_ARRAY_INDEX || op == IR_ALLOCATE ||
           op == IR_TYPE_ROW || op == IR_IS_SUBTYPE || op == IR_TRAP_IF;
}

/* --- control ------------------------------------------------------------------------------------------------------ */
static void lower_terminator(struct lower *l, ir_value v, struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, VT_BOTTOM);

    m.imm = i->imm;
    switch (i->op) {
    case IR_BRANCH: use_condition(l, &m, i->arg[0], false); break;
    case IR_SWITCH:
        lower_use(l, &m, i->arg[0], MACH_OPERAND);
        m.temp = lower_new_vreg(l, VT_I64);
        break;
    case IR_RETURN: use_arguments(l, &m, i); break;
    case IR_TAIL_CALL:
    case IR_TAIL_CALL_ADDRESS: /* arguments on the stack are first put where slots without a frame would be */
        l->mf->calls_aside |= mach_tail_call_bytes(l->f->module, i->op, i->imm) != 0;
        use_arguments(l, &m, i);
        break;
    default: break;
    }
    lower_push_def(l, &m, IR_NONE);
}

/* The exception is in a register that nothing may be moved to on the way into the block. */
static void lower_exception(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(i->op, v, i->type);

    lower_reserve(l, target_native.int_results[0], true);
    lower_push_def(l, &m, v);
}

static bool is_stack_param(const struct lower *l, uint32_t index, uint32_t *slot)
{
    struct abi_walk walk = {0};
    struct abi_place place = {0};

    for (uint32_t k = 0; k <= index; k++)
        place = abi_next(&walk, l->f->type->params[k]);
    *slot = place.index;
    return place.kind == ABI_SLOT;
}

static void lower_param(struct lower *l, ir_value v, const struct ir_inst *i)
{
    struct mach m = lower_mach(MACH_LOAD_PARAM, v, i->type);
    uint32_t slot;

    if (!l->needed[v] || !is_stack_param(l, (uint32_t)i->imm, &slot))
        return;
    m.imm = slot;
    lower_push_def(l, &m, v);
}

/* The first instruction of the entry block. */
static void push_params(struct lower *l)
{
    struct mach m = lower_mach(MACH_PARAMS, IR_NONE, VT_BOTTOM);
    uint32_t slot;

    m.def_first = (uint32_t)l->mf->defs.len;
    for (ir_value v = ir_block(l->f, l->f->entry)->first; v != IR_NONE; v = ir_inst(l->f, v)->next)
        if (ir_inst(l->f, v)->op == IR_PARAM && !is_stack_param(l, (uint32_t)ir_inst(l->f, v)->imm, &slot) &&
            l->needed[v]) {
            vec_push(&l->mf->defs, v);
            m.def_count++;
        }
    vec_push(&l->mf->insts, m);
}

static void lower_inst(struct lower *l, ir_value v)
{
    struct ir_inst *i = ir_inst(l->f, v);
    unsigned effects = ir_effects(i->op);

    if (l->folded[v] || (!l->needed[v] && (effects & (IR_WRITES | IR_TRAPS | IR_TERMINATOR)) == 0 && i->op != IR_PARAM))
        return;
    if ((effects & IR_TERMINATOR) != 0)
        lower_terminator(l, v, i);
    else if (ir_is_load(i->op))
        lower_load(l, v, i);
    else if (ir_is_store(i->op))
        lower_store(l, v, i);
    else if (i->op == IR_PARAM)
        lower_param(l, v, i);
    else if (i->op == IR_CALL || i->op == IR_CALL_ADDRESS || i->op == IR_BUILTIN || i->op == IR_BUILTIN_SLOTS)
        lower_call(l, v, i);
    else if (ir_is_atomic(i->op))
        lower_atomic(l, v, i);
    else if (i->op == IR_MULTIPLY_HIGH)
        lower_multiply_high(l, v, i);
    else if (is_object_op(i->op))
        lower_object(l, v, i);
    else if (i->op == IR_EXCEPTION)
        lower_exception(l, v, i);
    else if (i->op == OP_SELECT)
        lower_select(l, v, i);
    else if (i->op == OP_REF_AS_NON_NULL)
        lower_internal(l, v, i);
    else if (i->op < OPCODE_COUNT && lower_numeric(l, v, i))
        return;
    else if (i->op >= OPCODE_SPACE_VECTOR && i->op < OPCODE_SPACE_ATOMIC)
        lower_vector(l, v, i);
    else if (i->op != IR_PHI && i->op != IR_CONST && i->op != IR_RESULT)
        lower_internal(l, v, i);
}

/* How often a block runs, by its loops' depth; a guess that spilling and layout go by. */
static float frequency_of(const struct ir_func *f, const struct ir_block *b)
{
    uint32_t depth = b->loop != 0 ? f->loops.data[b->loop].depth : 0;
    float frequency = 1;

    for (; depth != 0 && frequency < 32768; depth--)
        frequency *= 8;
    return b->cold ? frequency / 1024 : frequency;
}

static void lower_block(struct lower *l, uint32_t number)
{
    struct ir_block *b = ir_block(l->f, number);
    struct mach m = lower_mach(MACH_BLOCK, IR_NONE, VT_BOTTOM);

    l->mf->blocks[number].end = (uint32_t)l->mf->insts.len;
    l->mf->blocks[number].frequency = frequency_of(l->f, b);
    for (ir_value v = b->last, prev; v != IR_NONE; v = prev) {
        prev = ir_inst(l->f, v)->prev;
        lower_inst(l, v);
    }
    if (number == l->f->entry)
        push_params(l);
    m.imm = number;
    m.def_first = (uint32_t)l->mf->defs.len;
    for (ir_value v = b->first; v != IR_NONE && ir_inst(l->f, v)->op == IR_PHI; v = ir_inst(l->f, v)->next) {
        vec_push(&l->mf->defs, v);
        m.def_count++;
    }
    vec_push(&l->mf->insts, m);
    l->mf->blocks[number].first = (uint32_t)l->mf->insts.len;
}

/* Everything was pushed backwards: instructions and what refers to them by number turn round. */
static void reverse(struct mach_func *mf)
{
    uint32_t n = (uint32_t)mf->insts.len;

    for (uint32_t i = 0; i < n / 2; i++) {
        struct mach t = mf->insts.data[i];
        mf->insts.data[i] = mf->insts.data[n - 1 - i];
        mf->insts.data[n - 1 - i] = t;
    }
    for (size_t i = 0; i < mf->ir->order.len; i++) {
        struct mach_block *b = &mf->blocks[mf->ir->order.data[i]];
        uint32_t first = n - b->first, end = n - b->end;
        b->first = first;
        b->end = end;
    }
    for (size_t i = 0; i < mf->reservations.len; i++) {
        struct mach_reservation *r = &mf->reservations.data[i];
        uint32_t at = (n - 1 - r->from) * 2;
        r->from = r->to != 0 ? at - 1 : at;
        r->to = at + 1;
    }
    for (size_t i = 0, j = mf->calls.len; i < j; i++) {
        uint32_t t = mf->calls.data[i];
        mf->calls.data[i] = n - 1 - mf->calls.data[--j];
        mf->calls.data[j] = n - 1 - t;
    }
    for (size_t i = 0; i < mf->rare_calls.len; i++)
        mf->rare_calls.data[i] = n - 1 - mf->rare_calls.data[i];
}

static void need_phi_operands(struct lower *l)
{
    for (size_t n = 0; n < l->f->order.len; n++) {
        ir_value v = ir_block(l->f, l->f->order.data[n])->first;
        for (; v != IR_NONE && ir_inst(l->f, v)->op == IR_PHI; v = ir_inst(l->f, v)->next) {
            const struct ir_inst *i = ir_inst(l->f, v);
            for (uint32_t k = 0; k < i->arg_count; k++)
                l->needed[i->args[k]] = true;
        }
    }
}

void mach_lower(struct mach_func *mf, struct ir_func *f, uint32_t features)
{
    struct lower l = {.mf = mf, .f = f};
    /* the zeros that conditions compare with must exist before the tables are made */
    size_t count = (ir_const(f, VT_I32, 0), ir_const(f, VT_I64, 0), f->insts.len);

    mf->insts.len = mf->uses.len = mf->defs.len = mf->types.len = mf->reservations.len = mf->calls.len = 0;
    mf->rare_calls.len = 0;
    mf->ir = f;
    mf->features = features;
    mf->calls_aside = false;
    mf->blocks = arena_array(&f->arena, struct mach_block, f->blocks.len);
    vec_reserve(&mf->types, count);
    for (size_t v = 0; v < count; v++)
        vec_push(&mf->types, f->insts.data[v].type);
    l.needed = arena_array(&f->scratch, bool, count);
    l.folded = arena_array(&f->scratch, bool, count);
    need_phi_operands(&l);
    for (size_t n = f->order.len; n != 0; n--)
        lower_block(&l, f->order.data[n - 1]);
    vec_done(&l.pending);
    arena_reset(&f->scratch);
    reverse(mf);
}

void mach_done(struct mach_func *mf)
{
    vec_done(&mf->insts);
    vec_done(&mf->uses);
    vec_done(&mf->defs);
    vec_done(&mf->types);
    vec_done(&mf->reservations);
    vec_done(&mf->calls);
    vec_done(&mf->rare_calls);
}
