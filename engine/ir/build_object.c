/* Structures, arrays and i31 references (gen/abi.h says how they lie in memory).
 *
 * A field is accessed at space + reference + offset, an element at the object's address + index: that address may be
 * all that is left of a reference over a collection, which knows it for one (rt/collect.c). Null faults where the
 * first page behind it covers the field; an array's length, which never changes, is read ahead of every element. */
#include "engine/baseline/masm.h"
#include "engine/ir/build.h"
#include <assert.h>

static bool is_packed(valtype storage)
{
    return storage == VT_I8 || storage == VT_I16;
}

/* The type on the operand stack of what is stored as STORAGE. */
static uint8_t operand_type(valtype storage)
{
    return is_packed(storage) ? VT_I32 : build_type(storage);
}

struct field { /* where, and how it is accessed */
    ir_value index, base;
    uint8_t lane;
    uint64_t imm;
};

static ir_value load(struct builder *b, uint8_t type, struct field at)
{
    ir_value v = build_emit2(b, IR_FIELD_LOAD, type, at.index, at.base, at.imm);

    ir_inst(b->f, v)->lane = at.lane;
    return v;
}

static void store(struct builder *b, struct field at, ir_value value)
{
    ir_value args[] = {at.index, at.base, value};
    ir_value v = build_emit(b, IR_FIELD_STORE, VT_BOTTOM, args, 3, at.imm);

    ir_inst(b->f, v)->lane = at.lane;
}

static ir_value space(struct builder *b)
{
    return build_emit(b, IR_SPACE, VT_I64, NULL, 0, 0);
}

void build_trap_if(struct builder *b, ir_value condition, enum trap_kind kind)
{
    build_emit1(b, IR_TRAP_IF, VT_BOTTOM, condition, kind);
}

ir_value build_load_pointer(struct builder *b, ir_value reference, uint32_t disp, enum trap_kind kind)
{
    uint64_t imm = disp | (uint64_t)kind << IR_FIELD_KIND_SHIFT | IR_FIELD_FIXED;

    return load(b, VT_I64, (struct field){reference, space(b), ACCESS_64, imm});
}

ir_value build_load_fixed(struct builder *b, ir_value reference, uint32_t disp, enum trap_kind kind)
{
    uint64_t imm = disp | (uint64_t)kind << IR_FIELD_KIND_SHIFT | IR_FIELD_FIXED;

    return load(b, VT_I32, (struct field){reference, space(b), ACCESS_32_U, imm});
}

/* --- structures --------------------------------------------------------------------------------------------------- */
static struct field field_of(struct builder *b, const struct field_type *field, ir_value reference, bool is_signed)
{
    struct field at = {reference, space(b), (uint8_t)masm_storage_access(field->type, is_signed), field->offset};

    if (!field->mutable)
        at.imm |= IR_FIELD_FIXED;
    return at;
}

/* The field of an object that may be null. */
static struct field checked_field(struct builder *b, const struct field_type *field, ir_value reference, bool is_signed)
{
    struct field at;

    if (field->offset + 16 > VM_NULL_PAGE_BYTES)
        build_emit1(b, OP_REF_AS_NON_NULL, VT_BOTTOM, reference, 0);
    at = field_of(b, field, reference, is_signed);
    if (field->offset + 16 <= VM_NULL_PAGE_BYTES)
        at.imm |= (uint64_t)TRAP_NULL_REFERENCE << IR_FIELD_KIND_SHIFT;
    return at;
}

static const struct field_type *read_field(struct builder *b)
{
    const struct type_def *type = &b->module->types[body_u32(&b->frame->body)];
    return &type->fields[body_u32(&b->frame->body)];
}

static void struct_get(struct builder *b, bool is_signed)
{
    const struct field_type *field = read_field(b);

    build_push(b, load(b, operand_type(field->type), checked_field(b, field, build_pop(b), is_signed)));
}

static void struct_set(struct builder *b)
{
    const struct field_type *field = read_field(b);
    ir_value value = build_pop(b);

    store(b, checked_field(b, field, build_pop(b), false), value);
}

/* --- new objects -------------------------------------------------------------------------------------------------- */
/* Inline where the object fits a run's cell, else by the builtin. */
static ir_value allocate(struct builder *b, uint32_t type, uint32_t length, uint64_t size_bytes)
{
    bool is_array = b->module->types[type].kind == TYPE_ARRAY;

    if (size_bytes <= VM_RUN_CLASSES * VM_RUN_GRANULE_BYTES)
        return build_emit(b, IR_ALLOCATE, VT_REF_NULL, NULL, 0, type | (uint64_t)length << 32);
    if (is_array)
        build_push(b, build_const_i32(b, length));
    build_builtin(b, is_array ? BUILTIN_ARRAY_NEW_DEFAULT : BUILTIN_STRUCT_NEW, type, is_array, VT_REF_NULL);
    return build_pop(b);
}

/* Cells are zero: a zero need not be stored. */
static bool is_zero(const struct builder *b, ir_value v)
{
    const struct ir_inst *i = ir_inst(b->f, v);
    return i->op == IR_CONST && i->type != VT_V128 && i->imm == 0;
}

static void initialise(struct builder *b, const struct field_type *field, ir_value reference, ir_value value)
{
    if (!is_zero(b, value))
        store(b, field_of(b, field, reference, false), value);
}

static void struct_new(struct builder *b, bool by_default)
{
    uint32_t index = body_u32(&b->frame->body), end = OBJECT_HEADER_BYTES;
    const struct type_def *type = &b->module->types[index];
    ir_value object;

    if (type->field_count != 0) {
        const struct field_type *last = &type->fields[type->field_count - 1];
        end = last->offset + valtype_size_bytes(last->type);
    }
    object = allocate(b, index, 0, end);
    for (uint32_t i = by_default ? 0 : type->field_count; i-- != 0;)
        initialise(b, &type->fields[i], object, build_pop(b));
    build_push(b, object);
}

static void array_new_fixed(struct builder *b)
{
    uint32_t index = body_u32(&b->frame->body), count = body_u32(&b->frame->body);
    valtype storage = b->module->types[index].fields[0].type;
    uint32_t size_bytes = valtype_size_bytes(storage);
    ir_value object = allocate(b, index, count, OBJECT_HEADER_BYTES + (uint64_t)count * size_bytes);

    for (uint32_t i = count; i-- != 0;) {
        const struct field_type element = {storage, true, OBJECT_HEADER_BYTES + i * size_bytes};
        initialise(b, &element, object, build_pop(b));
    }
    build_push(b, object);
}

static void array_new_default(struct builder *b)
{
    uint32_t index = body_u32(&b->frame->body), length;
    valtype storage = b->module->types[index].fields[0].type;
    ir_value count = *vec_last(&b->stack);

    if (!ir_is_const(b->f, count)) {
        build_builtin(b, BUILTIN_ARRAY_NEW_DEFAULT, index, 1, VT_REF_NULL);
        return;
    }
    b->stack.len--;
    length = (uint32_t)ir_inst(b->f, count)->imm;
    build_push(b, allocate(b, index, length, OBJECT_HEADER_BYTES + (uint64_t)length * valtype_size_bytes(storage)));
}

/* --- elements ----------------------------------------------------------------------------------------------------- */
static ir_value length_of(struct builder *b, ir_value reference)
{
    return build_load_fixed(b, reference, offsetof(struct vm_object, length), TRAP_NULL_REFERENCE);
}

/* Pops index and reference, and checks both. */
static struct field pop_element(struct builder *b, valtype storage, bool is_signed)
{
    ir_value index = build_pop(b), reference = build_pop(b);
    uint8_t scale = (uint8_t)__builtin_ctz(valtype_size_bytes(storage));

    index = build_emit2(b, IR_ARRAY_INDEX, VT_I32, index, length_of(b, reference), 0);
    if (scale == 4) {
        index = build_emit1(b, OP_I64_EXTEND_I32_U, VT_I64, index, 0);
        index = build_emit2(b, OP_I64_SHL, VT_I64, index, build_const_i64(b, 1), 0);
        scale = 3;
    }
    return (struct field){index, build_emit1(b, IR_OBJECT_ADDRESS, VT_I64, reference, 0),
                          (uint8_t)(masm_storage_access(storage, is_signed) | scale << IR_FIELD_SCALE_SHIFT),
                          OBJECT_HEADER_BYTES};
}

static valtype read_element_type(struct builder *b)
{
    return b->module->types[body_u32(&b->frame->body)].fields[0].type;
}

static void array_get(struct builder *b, bool is_signed)
{
    valtype storage = read_element_type(b);

    build_push(b, load(b, operand_type(storage), pop_element(b, storage, is_signed)));
}

static void array_set(struct builder *b)
{
    valtype storage = read_element_type(b);
    ir_value value = build_pop(b);

    store(b, pop_element(b, storage, false), value);
}

static void array_segment(struct builder *b, enum vm_builtin number)
{
    uint32_t type = body_u32(&b->frame->body), segment = body_u32(&b->frame->body);

    if (number == BUILTIN_ARRAY_NEW_DATA || number == BUILTIN_ARRAY_NEW_ELEM) {
        build_builtin(b, number, type | (uint64_t)segment << 32, 2, VT_REF_NULL);
        return;
    }
    build_push(b, build_const_i32(b, segment));
    build_builtin_slots(b, number, type, 5, VT_BOTTOM);
}

static void array_copy(struct builder *b)
{
    uint32_t type = body_u32(&b->frame->body);

    body_u32(&b->frame->body); /* the source's elements are as large */
    build_builtin_slots(b, BUILTIN_ARRAY_COPY, type, 5, VT_BOTTOM);
}

/* --- i31 ---------------------------------------------------------------------------------------------------------- */
static void ref_i31(struct builder *b)
{
    ir_value one = build_const_i32(b, 1), v = build_emit2(b, OP_I32_SHL, VT_I32, build_pop(b), one, 0);

    build_push(b, build_emit1(b, IR_AS_REF, VT_REF_NULL, build_emit2(b, OP_I32_OR, VT_I32, v, one, 0), 0));
}

static void i31_get(struct builder *b, enum opcode shift)
{
    ir_value reference = build_pop(b);

    build_emit1(b, OP_REF_AS_NON_NULL, VT_BOTTOM, reference, 0);
    build_push(b, build_emit2(b, shift, VT_I32, reference, build_const_i32(b, 1), 0));
}

bool build_object_op(struct builder *b, enum opcode op)
{
    struct rd *r = &b->frame->body;

    switch (op) {
    case OP_STRUCT_NEW: struct_new(b, false); return true;
    case OP_STRUCT_NEW_DEFAULT: struct_new(b, true); return true;
    case OP_STRUCT_GET:
    case OP_STRUCT_GET_U: struct_get(b, false); return true;
    case OP_STRUCT_GET_S: struct_get(b, true); return true;
    case OP_STRUCT_SET: struct_set(b); return true;
    case OP_ARRAY_NEW: build_builtin_slots(b, BUILTIN_ARRAY_NEW, body_u32(r), 2, VT_REF_NULL); return true;
    case OP_ARRAY_NEW_DEFAULT: array_new_default(b); return true;
    case OP_ARRAY_NEW_FIXED: array_new_fixed(b); return true;
    case OP_ARRAY_NEW_DATA: array_segment(b, BUILTIN_ARRAY_NEW_DATA); return true;
    case OP_ARRAY_NEW_ELEM: array_segment(b, BUILTIN_ARRAY_NEW_ELEM); return true;
    case OP_ARRAY_GET:
    case OP_ARRAY_GET_U: array_get(b, false); return true;
    case OP_ARRAY_GET_S: array_get(b, true); return true;
    case OP_ARRAY_SET: array_set(b); return true;
    case OP_ARRAY_LEN: build_push(b, length_of(b, build_pop(b))); return true;
    case OP_ARRAY_FILL: build_builtin_slots(b, BUILTIN_ARRAY_FILL, body_u32(r), 4, VT_BOTTOM); return true;
    case OP_ARRAY_COPY: array_copy(b); return true;
    case OP_ARRAY_INIT_DATA: array_segment(b, BUILTIN_ARRAY_INIT_DATA); return true;
    case OP_ARRAY_INIT_ELEM: array_segment(b, BUILTIN_ARRAY_INIT_ELEM); return true;
    case OP_REF_I31: ref_i31(b); return true;
    case OP_I31_GET_S: i31_get(b, OP_I32_SHR_S); return true;
    case OP_I31_GET_U: i31_get(b, OP_I32_SHR_U); return true;
    case OP_ANY_CONVERT_EXTERN:
    case OP_EXTERN_CONVERT_ANY: return true; /* the same reference */
    default: return false;
    }
}
