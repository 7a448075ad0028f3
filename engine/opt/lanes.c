/* Finding lanes: from what is stored down to loads and to what does not change, as long as all copies do the same. */
#include "engine/opt/vectorize.h"

struct vector_form {
    uint16_t op; /* 0: there is none */
    bool shift;  /* by a scalar */
};

#define FLOAT(name)      [OP_F32_##name] = {OP_F32X4_##name, false}, [OP_F64_##name] = {OP_F64X2_##name, false}
#define INT(name, shift) [OP_I32_##name] = {OP_I32X4_##name, shift}, [OP_I64_##name] = {OP_I64X2_##name, shift}

static const struct vector_form vector_forms[OPCODE_SPACE_VECTOR] = {
    FLOAT(ABS),
    FLOAT(NEG),
    FLOAT(CEIL),
    FLOAT(FLOOR),
    FLOAT(TRUNC),
    FLOAT(NEAREST),
    FLOAT(SQRT),
    FLOAT(ADD),
    FLOAT(SUB),
    FLOAT(MUL),
    FLOAT(DIV),
    FLOAT(MIN),
    FLOAT(MAX),
    INT(ADD, false),
    INT(SUB, false),
    INT(SHL, true),
    INT(SHR_S, true),
    INT(SHR_U, true),
    [OP_I32_MUL] = {OP_I32X4_MUL, false},
    [OP_I32_AND] = {OP_V128_AND, false},
    [OP_I32_OR] = {OP_V128_OR, false},
    [OP_I32_XOR] = {OP_V128_XOR, false},
    [OP_I64_AND] = {OP_V128_AND, false},
    [OP_I64_OR] = {OP_V128_OR, false},
    [OP_I64_XOR] = {OP_V128_XOR, false},
    [OP_F32_CONVERT_I32_S] = {OP_F32X4_CONVERT_I32X4_S, false},
    [OP_F32_CONVERT_I32_U] = {OP_F32X4_CONVERT_I32X4_U, false},
};

static uint32_t bytes_of_type(uint8_t type)
{
    return type == VT_I32 || type == VT_F32 ? 4 : type == VT_I64 || type == VT_F64 ? 8 : type == VT_V128 ? 16 : 0;
}

static bool is_reinterpretation(unsigned op)
{
    return op == OP_I32_REINTERPRET_F32 || op == OP_I64_REINTERPRET_F64 || op == OP_F32_REINTERPRET_I32 ||
           op == OP_F64_REINTERPRET_I64;
}

static bool same_members(const struct vectorizer *v, const ir_value *members)
{
    for (uint32_t n = 1; n < v->copies; n++)
        if (members[n] != members[0])
            return false;
    return true;
}

static bool find_known(const struct vectorizer *v, const ir_value *members, uint32_t *found)
{
    for (*found = 0; *found < v->lanes_count; ++*found)
        if (memcmp(v->lanes[*found].member, members, v->copies * sizeof *members) == 0)
            return true;
    return false;
}

static bool is_next_access(struct vectorizer *v, const struct vector_access *first, ir_value inst, uint32_t n)
{
    const struct vector_access *a = vector_access_of(v, inst);

    return a != NULL && a->root == first->root && a->offset == first->offset + n * (int64_t)v->element_bytes &&
           ir_inst(v->f, inst)->op == ir_inst(v->f, first->inst)->op;
}

/* A load from a place that stays, or loads from places that follow one another. */
static bool find_load(struct vectorizer *v, struct lanes *l)
{
    const struct vector_access *first = vector_access_of(v, l->member[0]);

    if (first == NULL)
        return false;
    if (v->roots[first->root].place.stride == 0) {
        l->kind = LANES_SPLAT;
        l->access = (uint32_t)(first - v->accesses) + 1;
        return same_members(v, l->member);
    }
    l->kind = LANES_LOAD;
    l->access = (uint32_t)(first - v->accesses);
    for (uint32_t n = 1; n < v->copies; n++)
        if (!is_next_access(v, first, l->member[n], n))
            return false;
    return true;
}

/* A phi that holds a value of the element before; the other copies have that from each other. */
static bool find_previous(struct vectorizer *v, struct lanes *l)
{
    const struct ir_inst *phi = ir_inst(v->f, l->member[0]);
    ir_value of[VECTOR_COPIES_MAX];

    if (phi->block != v->loop.head)
        return false;
    l->kind = LANES_PREVIOUS;
    for (uint32_t n = 1; n < v->copies; n++)
        of[n - 1] = l->member[n];
    of[v->copies - 1] = phi->args[v->loop.back];
    return lanes_find(v, of, &l->arg[0]);
}

static bool find_argument(struct vectorizer *v, struct lanes *l, unsigned k)
{
    ir_value members[VECTOR_COPIES_MAX];

    for (uint32_t n = 0; n < v->copies; n++)
        members[n] = ir_inst(v->f, l->member[n])->arg[k];
    return lanes_find(v, members, &l->arg[k]);
}

/* All shift by the same, which does not change. */
static bool find_count(struct vectorizer *v, struct lanes *l)
{
    l->scalar = ir_inst(v->f, l->member[0])->arg[1];
    for (uint32_t n = 1; n < v->copies; n++)
        if (ir_inst(v->f, l->member[n])->arg[1] != l->scalar)
            return false;
    l->arg_count = 1;
    return !loop_changes(v->f, &v->loop, l->scalar);
}

/* What vectors become where the loop works on vectors already: the same, of all their operands. */
static bool is_of_vectors(unsigned op)
{
    const struct opcode_info *info = &opcode_infos[op];

    return op >= OPCODE_SPACE_VECTOR && op < OPCODE_SPACE_ATOMIC && info->immediate == IMMEDIATE_NONE &&
           (info->signature == SIGNATURE_v_v || info->signature == SIGNATURE_vv_v);
}

static bool find_operation(struct vectorizer *v, struct lanes *l, unsigned op)
{
    for (uint32_t n = 1; n < v->copies; n++)
        if (ir_inst(v->f, l->member[n])->op != op)
            return false;
    l->kind = LANES_OPERATION;
    l->arg_count = (uint8_t)ir_inst(v->f, l->member[0])->arg_count;
    if (is_reinterpretation(op))
        return find_argument(v, l, 0);
    l->op = op < OPCODE_SPACE_VECTOR ? vector_forms[op].op : op < OPCODE_COUNT && is_of_vectors(op) ? (uint16_t)op : 0;
    if (l->op == 0)
        return false;
    if (op < OPCODE_SPACE_VECTOR && vector_forms[op].shift)
        return find_argument(v, l, 0) && find_count(v, l);
    return find_argument(v, l, 0) && (l->arg_count == 1 || find_argument(v, l, 1));
}

/* A vector's constant stands where it is used, once for each copy. */
static bool find_vector_constant(struct vectorizer *v, struct lanes *l)
{
    const struct ir_inst *first = ir_inst(v->f, l->member[0]);

    l->kind = LANES_SPLAT;
    l->scalar = l->member[0];
    for (uint32_t n = 1; n < v->copies; n++) {
        const struct ir_inst *i = ir_inst(v->f, l->member[n]);
        if (i->op != IR_CONST || i->imm != first->imm || memcmp(i->arg, first->arg, 8) != 0)
            return false;
    }
    return true;
}

static bool fill_in(struct vectorizer *v, struct lanes *l)
{
    unsigned op = ir_inst(v->f, l->member[0])->op;

    l->type = ir_inst(v->f, l->member[0])->type;
    if (bytes_of_type(l->type) != v->element_bytes)
        return false;
    if (op == IR_CONST && l->type == VT_V128)
        return find_vector_constant(v, l);
    if (!loop_changes(v->f, &v->loop, l->member[0])) {
        l->kind = LANES_SPLAT;
        l->scalar = l->member[0];
        return same_members(v, l->member);
    }
    if (ir_is_load(op))
        return find_load(v, l);
    return op == IR_PHI ? find_previous(v, l) : find_operation(v, l, op);
}

bool lanes_find(struct vectorizer *v, const ir_value *members, uint32_t *found)
{
    struct lanes *l;

    if (find_known(v, members, found))
        return v->lanes[*found].ready; /* else it is made of itself */
    if (v->lanes_count == VECTOR_LANES_MAX)
        return false;
    l = &v->lanes[v->lanes_count++];
    *l = (struct lanes){.ready = false};
    memcpy(l->member, members, v->copies * sizeof *members);
    l->ready = fill_in(v, l);
    return l->ready;
}
