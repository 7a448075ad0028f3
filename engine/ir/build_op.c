/* Instructions other than control: each becomes one or a few of the IR. */
#include "engine/ir/build.h"
#include <assert.h>

static ir_value as_i64(struct builder *b, ir_value v)
{
    return ir_inst(b->f, v)->type == VT_I64 ? v : build_emit1(b, OP_I64_EXTEND_I32_U, VT_I64, v, 0);
}

/* --- linear memory ------------------------------------------------------------------------------------------------ */
static ir_value memory_struct(struct builder *b, uint32_t memory)
{
    return build_emit(b, IR_MEMORY_STRUCT, VT_I64, NULL, 0, memory);
}

bool build_is_guarded(const struct builder *b, uint32_t memory)
{
    const struct limits *limits = &b->module->memories[memory].limits;
    return !b->f->explicit_bounds_checks && !limits->is64 && limits->page_size_log2 == 16;
}

/* A 32-bit memory's reservation covers every index plus every offset; elsewhere the end of the access is compared. */
struct build_address build_pop_address(struct builder *b, const struct memarg *arg, unsigned bytes)
{
    struct build_address at = {build_pop(b), IR_NONE, 0};

    if (arg->memory != 0)
        at.base = build_emit(b, IR_MEMORY_BASE, VT_I64, NULL, 0, arg->memory);
    if (!build_is_guarded(b, arg->memory)) {
        uint64_t add = arg->offset + bytes;
        if (add < bytes) /* beyond 64 bits wherever it starts */
            add = UINT64_MAX;
        at.index = build_emit2(b, IR_BOUNDS, VT_I64, as_i64(b, at.index), memory_struct(b, arg->memory), add);
        at.disp = -(int32_t)bytes;
    } else if (arg->offset <= INT32_MAX) {
        at.disp = (int32_t)arg->offset;
    } else {
        at.index = build_emit2(b, OP_I64_ADD, VT_I64, as_i64(b, at.index), build_const_i64(b, arg->offset), 0);
    }
    return at;
}

static ir_value make_access(struct builder *b, unsigned op, uint8_t type, struct build_address at, ir_value value)
{
    ir_value args[] = {at.index, at.base, value};
    return build_emit(b, op, type, args, value != IR_NONE ? 3 : 2, (uint64_t)(int64_t)at.disp);
}

static void load_or_store(struct builder *b, enum opcode op)
{
    struct memarg arg = body_memarg(&b->frame->body);
    unsigned bytes = 1u << opcode_infos[op].width_log2;
    bool lane = opcode_infos[op].immediate == IMMEDIATE_MEMARG_LANE;
    uint8_t lane_number = lane ? rd_u8(&b->frame->body) : 0;
    ir_value value = lane || ir_is_store(op) ? build_pop(b) : IR_NONE;
    struct build_address at = build_pop_address(b, &arg, bytes);
    ir_value v = make_access(b, op, ir_wasm_type(op), at, value);

    ir_inst(b->f, v)->lane = lane_number;
    if (!ir_is_store(op))
        build_push(b, v);
}

static uint8_t address_type(const struct limits *limits)
{
    return limits->is64 ? VT_I64 : VT_I32;
}

static void memory_size(struct builder *b, uint32_t memory)
{
    const struct limits *limits = &b->module->memories[memory].limits;
    ir_value bytes = build_emit1(b, IR_LOAD, VT_I64, memory_struct(b, memory), offsetof(struct vm_memory, size_bytes));
    ir_value pages = build_emit2(b, OP_I64_SHR_U, VT_I64, bytes, build_const_i64(b, limits->page_size_log2), 0);

    build_push(b, limits->is64 ? pages : build_emit1(b, OP_I32_WRAP_I64, VT_I32, pages, 0));
}

/* A builtin's arguments: the constant FIRST, then the top COUNT operands. */
void build_builtin(struct builder *b, enum vm_builtin number, uint64_t first, uint32_t count, uint8_t result)
{
    ir_value args[4] = {build_const_i64(b, first)};
    ir_value v;

    assert(count <= 3);
    b->stack.len -= count;
    if (count != 0)
        memcpy(args + 1, b->stack.data + b->stack.len, count * sizeof *args);
    v = build_emit(b, IR_BUILTIN, result, args, count + 1, number);
    if (result != VT_BOTTOM)
        build_push(b, v);
}

void build_builtin_slots(struct builder *b, enum vm_builtin number, uint32_t first, uint32_t count, uint8_t result)
{
    ir_value v;

    b->stack.len -= count;
    v = build_emit(b, IR_BUILTIN_SLOTS, result, b->stack.data + b->stack.len, count, number | (uint64_t)first << 32);
    if (result != VT_BOTTOM)
        build_push(b, v);
}

/* --- tables and globals ------------------------------------------------------------------------------------------- */
ir_value build_element_address(struct builder *b, uint32_t table, ir_value index)
{
    ir_value base = build_emit(b, IR_TABLE_STRUCT, VT_I64, NULL, 0, table);
    return build_emit2(b, IR_ELEMENT, VT_I64, as_i64(b, index), base, 0);
}

static void table_op(struct builder *b, enum opcode op, uint32_t table)
{
    uint8_t index_type = address_type(&b->module->tables[table].limits);
    ir_value value, size;

    switch (op) {
    case OP_TABLE_GET:
        build_push(b, build_emit1(b, IR_LOAD, VT_REF_NULL, build_element_address(b, table, build_pop(b)), 0));
        break;
    case OP_TABLE_SET:
        value = build_pop(b);
        build_emit2(b, IR_STORE, VT_BOTTOM, build_element_address(b, table, build_pop(b)), value, 0);
        break;
    case OP_TABLE_SIZE:
        size = build_emit(b, IR_TABLE_STRUCT, VT_I64, NULL, 0, table);
        size = build_emit1(b, IR_LOAD, VT_I64, size, offsetof(struct vm_table, size));
        build_push(b, index_type == VT_I64 ? size : build_emit1(b, OP_I32_WRAP_I64, VT_I32, size, 0));
        break;
    case OP_TABLE_GROW: build_builtin(b, BUILTIN_TABLE_GROW, table, 2, index_type); break;
    default: build_builtin(b, BUILTIN_TABLE_FILL, table, 3, VT_BOTTOM);
    }
}

static void global_get(struct builder *b, uint32_t global)
{
    uint8_t type = build_type(b->module->globals[global].type);
    ir_value at = build_emit(b, IR_GLOBAL_ADDRESS, VT_I64, NULL, 0, global);

    build_push(b, build_emit1(b, IR_LOAD, type, at, 0));
}

static void global_set(struct builder *b, uint32_t global)
{
    ir_value value = build_pop(b), at = build_emit(b, IR_GLOBAL_ADDRESS, VT_I64, NULL, 0, global);

    build_emit2(b, IR_STORE, VT_BOTTOM, at, value, 0);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */
static void select_value(struct builder *b)
{
    ir_value condition = build_pop(b), no = build_pop(b), yes = build_pop(b), args[] = {yes, no, condition};

    build_push(b, build_emit(b, OP_SELECT, ir_inst(b->f, yes)->type, args, 3, 0));
}

static void v128_const(struct builder *b)
{
    const uint8_t *bytes = body_v128(&b->frame->body);
    ir_value v = build_emit(b, IR_CONST, VT_V128, NULL, 0, 0);
    struct ir_inst *i = ir_inst(b->f, v);

    memcpy(&i->imm, bytes, 8);
    memcpy(&i->arg[0], bytes + 8, 8);
    build_push(b, v);
}

/* Whatever takes and gives what its signature says. The lanes of a shuffle lie in imm, arg[2] and arg[3]. */
static void plain(struct builder *b, enum opcode op)
{
    const struct opcode_info *info = &opcode_infos[op];
    const struct signature *s = &signatures[info->signature];
    const uint8_t *lanes = info->immediate == IMMEDIATE_SHUFFLE ? body_v128(&b->frame->body) : NULL;
    uint8_t lane = info->immediate == IMMEDIATE_LANE ? rd_u8(&b->frame->body) : 0;
    struct ir_inst *i;
    ir_value v;

    assert(s->result_count == 1 && s->param_count <= 3);
    b->stack.len -= s->param_count;
    v = build_emit(b, op, s->results[0], b->stack.data + b->stack.len, s->param_count, 0);
    i = ir_inst(b->f, v);
    i->lane = lane;
    if (lanes != NULL) {
        memcpy(&i->imm, lanes, 8);
        memcpy(&i->arg[2], lanes + 8, 8);
    }
    build_push(b, v);
}

/* 128 bits out of 64: a carry shows in the lower half. */
static void add_wide(struct builder *b, bool subtract)
{
    unsigned op = subtract ? OP_I64_SUB : OP_I64_ADD;
    ir_value y_high = build_pop(b), y = build_pop(b), x_high = build_pop(b), x = build_pop(b);
    ir_value low = build_emit2(b, op, VT_I64, x, y, 0), high = build_emit2(b, op, VT_I64, x_high, y_high, 0);
    ir_value carry = build_emit2(b, OP_I64_LT_U, VT_I32, subtract ? x : low, subtract ? y : x, 0);

    carry = build_emit1(b, OP_I64_EXTEND_I32_U, VT_I64, carry, 0);
    build_push(b, low);
    build_push(b, build_emit2(b, op, VT_I64, high, carry, 0));
}

static void multiply_wide(struct builder *b, bool is_signed)
{
    ir_value y = build_pop(b), x = build_pop(b);

    build_push(b, build_emit2(b, OP_I64_MUL, VT_I64, x, y, 0));
    build_push(b, build_emit2(b, IR_MULTIPLY_HIGH, VT_I64, x, y, is_signed));
}

static bool wide(struct builder *b, enum opcode op)
{
    switch (op) {
    case OP_I64_ADD128:
    case OP_I64_SUB128: add_wide(b, op == OP_I64_SUB128); return true;
    case OP_I64_MUL_WIDE_S:
    case OP_I64_MUL_WIDE_U: multiply_wide(b, op == OP_I64_MUL_WIDE_S); return true;
    default: return false;
    }
}

static void skip_select_types(struct rd *r)
{
    for (uint32_t count = body_u32(r); count != 0; count--)
        body_valtype(r);
}

static bool parametric(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;

    switch (op) {
    case OP_LOCAL_GET: build_push(b, b->frame->locals[body_u32(r)]); return true;
    case OP_LOCAL_SET: b->frame->locals[body_u32(r)] = build_pop(b); return true;
    case OP_LOCAL_TEE: b->frame->locals[body_u32(r)] = *vec_last(&b->stack); return true;
    case OP_GLOBAL_GET: global_get(b, body_u32(r)); return true;
    case OP_GLOBAL_SET: global_set(b, body_u32(r)); return true;
    case OP_I32_CONST: build_push(b, ir_const(b->f, VT_I32, (uint32_t)body_s32(r))); return true;
    case OP_I64_CONST: build_push(b, build_const_i64(b, (uint64_t)body_s64(r))); return true;
    case OP_F32_CONST: build_push(b, ir_const(b->f, VT_F32, rd_u32(r))); return true;
    case OP_F64_CONST: build_push(b, ir_const(b->f, VT_F64, rd_u64(r))); return true;
    case OP_V128_CONST: v128_const(b); return true;
    case OP_DROP: build_pop(b); return true;
    case OP_SELECT_T: skip_select_types(r); __attribute__((fallthrough));
    case OP_SELECT: select_value(b); return true;
    default: return false;
    }
}

static bool reference_op(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;
    ir_value value;

    switch (op) {
    case OP_REF_NULL:
        body_heaptype(r);
        build_push(b, ir_const(b->f, VT_REF_NULL, 0));
        return true;
    case OP_REF_IS_NULL: build_push(b, build_emit1(b, OP_I32_EQZ, VT_I32, build_pop(b), 0)); return true;
    case OP_REF_FUNC: build_push(b, build_emit(b, IR_FUNC_REF, VT_REF_NULL, NULL, 0, body_u32(r))); return true;
    case OP_REF_EQ:
        value = build_pop(b);
        build_push(b, build_emit2(b, OP_I32_EQ, VT_I32, build_pop(b), value, 0));
        return true;
    case OP_REF_AS_NON_NULL: build_emit1(b, op, VT_BOTTOM, *vec_last(&b->stack), 0); return true;
    default: return false;
    }
}

static bool bulk_op(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;
    uint64_t a;

    switch (op) {
    case OP_MEMORY_SIZE: memory_size(b, body_u32(r)); return true;
    case OP_MEMORY_GROW:
        a = body_u32(r);
        build_builtin(b, BUILTIN_MEMORY_GROW, a, 1, address_type(&b->module->memories[a].limits));
        return true;
    case OP_MEMORY_FILL: build_memory_fill(b, body_u32(r)); return true;
    case OP_MEMORY_COPY:
        a = body_u32(r);
        build_memory_copy(b, (uint32_t)a, body_u32(r));
        return true;
    case OP_MEMORY_INIT:
        a = body_u32(r);
        build_builtin(b, BUILTIN_MEMORY_INIT, a << 32 | body_u32(r), 3, VT_BOTTOM);
        return true;
    case OP_DATA_DROP: build_builtin(b, BUILTIN_DATA_DROP, body_u32(r), 0, VT_BOTTOM); return true;
    case OP_TABLE_GET:
    case OP_TABLE_SET:
    case OP_TABLE_SIZE:
    case OP_TABLE_GROW:
    case OP_TABLE_FILL: table_op(b, op, body_u32(r)); return true;
    case OP_TABLE_COPY:
        a = body_u32(r);
        build_builtin(b, BUILTIN_TABLE_COPY, a | (uint64_t)body_u32(r) << 32, 3, VT_BOTTOM);
        return true;
    case OP_TABLE_INIT:
        a = body_u32(r);
        build_builtin(b, BUILTIN_TABLE_INIT, a << 32 | body_u32(r), 3, VT_BOTTOM);
        return true;
    case OP_ELEM_DROP: build_builtin(b, BUILTIN_ELEM_DROP, body_u32(r), 0, VT_BOTTOM); return true;
    default: return false;
    }
}

bool build_instruction(struct builder *b, enum opcode op)
{
    if (parametric(b, op) || build_call_op(b, op) || bulk_op(b, op) || reference_op(b, op) || build_object_op(b, op) ||
        build_cast_op(b, op) || build_atomic_op(b, op) || wide(b, op))
        return true;
    if (opcode_infos[op].signature == SIGNATURE_special)
        return false;
    if (ir_is_load(op) || ir_is_store(op))
        load_or_store(b, op);
    else
        plain(b, op);
    return true;
}
