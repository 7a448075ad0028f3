/* Structures, arrays and i31 references.
 *
 * An object lies at reference_space + reference; null (0) and the first page behind it are never mapped, so a field
 * that near needs no check for null, and neither does an array, whose length is read first. Bulk operations and
 * allocation are the runtime's. */
#include "engine/baseline/compiler.h"
#include <assert.h>

/* --- fields ------------------------------------------------------------------------------------------------------- */
/* The type on the operand stack of what is stored as STORAGE. */
static uint8_t operand_type(valtype storage)
{
    return storage == VT_I8 || storage == VT_I16 ? VT_I32 : value_type(storage);
}

static void load_field(struct compiler *c, valtype storage, bool is_signed, struct masm_address from,
                       enum trap_kind kind)
{
    uint8_t type = operand_type(storage);
    reg dst = vstack_destination(c, type, NULL, NULL);

    masm_field_load(&c->m, masm_storage_access(storage, is_signed), false, dst, from, kind);
    vstack_push_result(c, type, dst);
}

/* Pops the reference. KIND: what a fault at the address means. */
static struct masm_address field_address(struct compiler *c, uint32_t offset, enum trap_kind *kind)
{
    struct operand object = vstack_pop_extended(c);
    reg space = vstack_alloc(c, false);

    *kind = TRAP_NULL_REFERENCE;
    if (offset + 16 > VM_NULL_PAGE_BYTES) {
        masm_compare_const(&c->m, false, object.reg, 0);
        masm_trap_if(&c->m, COND_EQ, TRAP_NULL_REFERENCE);
        *kind = TRAP_NONE;
    }
    masm_load_pointer(&c->m, space, masm_at(target_native.vm, offsetof(struct vm, reference_space)));
    return (struct masm_address){space, object.reg, 0, (int32_t)offset};
}

static const struct field_type *read_field(struct compiler *c)
{
    const struct type_def *type = &c->module->types[read_u32(&c->body)];
    return &type->fields[read_u32(&c->body)];
}

static void struct_get(struct compiler *c, bool is_signed)
{
    const struct field_type *field = read_field(c);
    enum trap_kind kind;
    struct masm_address from = field_address(c, field->offset, &kind);

    load_field(c, field->type, is_signed, from, kind);
}

static void struct_set(struct compiler *c)
{
    const struct field_type *field = read_field(c);
    struct operand value = vstack_pop(c);
    enum trap_kind kind;
    struct masm_address to = field_address(c, field->offset, &kind);

    masm_field_store(&c->m, masm_storage_access(field->type, false), to, value.reg, kind);
}

/* --- new objects -------------------------------------------------------------------------------------------------- */
/* Pops the top into the object's part at TO; what it needed is free again. */
static void initialise(struct compiler *c, valtype storage, struct masm_address to)
{
    const struct value *v = vstack_top(c);
    regset pinned = c->pinned;

    if (v->kind == VALUE_CONST && storage != VT_I8 && storage != VT_I16) {
        masm_store_const(&c->m, v->type, to, v->bits);
        vstack_drop(c);
    } else {
        masm_field_store(&c->m, masm_storage_access(storage, false), to, vstack_pop(c).reg, TRAP_NONE);
    }
    c->pinned = pinned;
}

struct new_object {
    reg reference, address;
};

/* Inline where the object fits a run's cell, by BUILTIN, whose operand the length of an array is, where it does not. */
static struct new_object allocate(struct compiler *c, uint32_t type, uint32_t length, uint64_t size_bytes)
{
    bool is_array = c->module->types[type].kind == TYPE_ARRAY;
    struct new_object object;

    if (size_bytes <= VM_RUN_CLASSES * VM_RUN_GRANULE_BYTES) {
        object.reference = vstack_alloc(c, false);
        object.address = vstack_alloc(c, false);
        masm_allocate(&c->m, type, length, (uint32_t)size_bytes, object.reference, object.address,
                      vstack_alloc(c, false));
        return object;
    }
    if (is_array)
        vstack_push_const(c, VT_I32, length);
    call_builtin(c, is_array ? BUILTIN_ARRAY_NEW_DEFAULT : BUILTIN_STRUCT_NEW, type, is_array, VT_REF_NULL);
    object.reference = vstack_pop_extended(c).reg;
    object.address = vstack_alloc(c, false);
    masm_ref_address(&c->m, object.address, object.reference);
    return object;
}

static void struct_new(struct compiler *c, bool by_default)
{
    uint32_t index = read_u32(&c->body), end = OBJECT_HEADER_BYTES;
    const struct type_def *type = &c->module->types[index];
    struct new_object object;

    if (type->field_count != 0) {
        const struct field_type *last = &type->fields[type->field_count - 1];
        end = last->offset + valtype_size_bytes(last->type);
    }
    object = allocate(c, index, 0, end);
    for (uint32_t i = by_default ? 0 : type->field_count; i-- != 0;)
        initialise(c, type->fields[i].type, masm_at(object.address, (int32_t)type->fields[i].offset));
    vstack_push_reg(c, VT_REF_NULL, object.reference);
}

static void array_new_fixed(struct compiler *c)
{
    uint32_t index = read_u32(&c->body), count = read_u32(&c->body);
    valtype storage = c->module->types[index].fields[0].type;
    uint32_t size_bytes = valtype_size_bytes(storage);
    struct new_object object = allocate(c, index, count, OBJECT_HEADER_BYTES + (uint64_t)count * size_bytes);

    for (uint32_t i = count; i-- != 0;)
        initialise(c, storage, masm_at(object.address, (int32_t)(OBJECT_HEADER_BYTES + i * size_bytes)));
    vstack_push_reg(c, VT_REF_NULL, object.reference);
}

static void array_new_default(struct compiler *c)
{
    uint32_t index = read_u32(&c->body), length;
    valtype storage = c->module->types[index].fields[0].type;
    uint64_t size_bytes;

    if (!vstack_top_is_const(c)) {
        call_builtin(c, BUILTIN_ARRAY_NEW_DEFAULT, index, 1, VT_REF_NULL);
        return;
    }
    length = (uint32_t)vstack_top(c)->bits;
    vstack_drop(c);
    size_bytes = OBJECT_HEADER_BYTES + (uint64_t)length * valtype_size_bytes(storage);
    vstack_push_reg(c, VT_REF_NULL, allocate(c, index, length, size_bytes).reference);
}

/* With the top COUNT operands in their slots (gen/abi.h). */
static void call_with_slots(struct compiler *c, enum vm_builtin builtin, uint32_t type, uint32_t count, uint8_t result)
{
    uint32_t first = c->height - count;
    uint64_t distance = c->fixed_bytes + c->stack[first].slot * 8;

    vstack_flush(c, first, c->height, true);
    vstack_truncate(c, first);
    call_builtin(c, builtin, type | distance << 32, 0, result);
}

static void array_init(struct compiler *c, enum vm_builtin builtin)
{
    uint32_t type = read_u32(&c->body);

    vstack_push_const(c, VT_I32, read_u32(&c->body));
    call_with_slots(c, builtin, type, 5, VT_BOTTOM);
}

static void array_new_segment(struct compiler *c, enum vm_builtin builtin)
{
    uint32_t type = read_u32(&c->body);

    call_builtin(c, builtin, type | (uint64_t)read_u32(&c->body) << 32, 2, VT_REF_NULL);
}

static void array_copy(struct compiler *c)
{
    uint32_t type = read_u32(&c->body);

    read_u32(&c->body); /* the source's elements are as large */
    call_with_slots(c, BUILTIN_ARRAY_COPY, type, 5, VT_BOTTOM);
}

/* --- elements ----------------------------------------------------------------------------------------------------- */
/* Pops index and reference, and checks both. */
static struct masm_address element_address(struct compiler *c, valtype storage)
{
    struct operand index = vstack_pop_extended(c), object = vstack_pop_extended(c);
    reg address = vstack_alloc(c, false), at = index.reg, length = vstack_alloc(c, false);
    uint8_t scale = (uint8_t)__builtin_ctz(valtype_size_bytes(storage));

    masm_ref_address(&c->m, address, object.reg);
    masm_field_load(&c->m, ACCESS_32_U, false, length, masm_at(address, offsetof(struct vm_object, length)),
                    TRAP_NULL_REFERENCE);
    masm_compare(&c->m, false, index.reg, length);
    masm_trap_if(&c->m, COND_GE_U, TRAP_ARRAY_OUT_OF_BOUNDS);
    if (scale == 4) {
        masm_shift_const(&c->m, SHIFT_SHL, true, length, index.reg, 1);
        at = length;
        scale = 3;
    } else {
        c->pinned &= ~regset_of(length);
    }
    return (struct masm_address){address, at, scale, OBJECT_HEADER_BYTES};
}

static valtype read_element_type(struct compiler *c)
{
    return c->module->types[read_u32(&c->body)].fields[0].type;
}

static void array_get(struct compiler *c, bool is_signed)
{
    valtype storage = read_element_type(c);

    load_field(c, storage, is_signed, element_address(c, storage), TRAP_NONE);
}

static void array_set(struct compiler *c)
{
    valtype storage = read_element_type(c);
    struct operand value = vstack_pop(c);

    masm_field_store(&c->m, masm_storage_access(storage, false), element_address(c, storage), value.reg, TRAP_NONE);
}

static void array_len(struct compiler *c)
{
    enum trap_kind kind;
    struct masm_address from = field_address(c, offsetof(struct vm_object, length), &kind);

    load_field(c, VT_I32, false, from, kind);
}

/* --- i31 ---------------------------------------------------------------------------------------------------------- */
static void ref_i31(struct compiler *c)
{
    struct operand value = vstack_pop(c);
    reg dst = vstack_destination(c, VT_REF_NULL, &value, NULL);

    masm_shift_const(&c->m, SHIFT_SHL, false, dst, value.reg, 1);
    masm_alu_const(&c->m, ALU_OR, false, dst, dst, 1);
    vstack_push_result(c, VT_REF_NULL, dst);
}

static void i31_get(struct compiler *c, enum masm_shift shift)
{
    struct operand value = vstack_pop(c);
    reg dst;

    masm_compare_const(&c->m, false, value.reg, 0);
    masm_trap_if(&c->m, COND_EQ, TRAP_NULL_REFERENCE);
    dst = vstack_destination(c, VT_I32, &value, NULL);
    masm_shift_const(&c->m, shift, false, dst, value.reg, 1);
    vstack_push_result(c, VT_I32, dst);
}

static void ref_eq(struct compiler *c)
{
    struct operand b = vstack_pop(c), a = vstack_pop(c);

    masm_compare(&c->m, false, a.reg, b.reg);
    numeric_push_condition(c, COND_EQ);
}

bool gc_op(struct compiler *c, enum opcode op)
{
    switch (op) {
    case OP_STRUCT_NEW: struct_new(c, false); return true;
    case OP_STRUCT_NEW_DEFAULT: struct_new(c, true); return true;
    case OP_STRUCT_GET:
    case OP_STRUCT_GET_U: struct_get(c, false); return true;
    case OP_STRUCT_GET_S: struct_get(c, true); return true;
    case OP_STRUCT_SET: struct_set(c); return true;
    case OP_ARRAY_NEW: call_with_slots(c, BUILTIN_ARRAY_NEW, read_u32(&c->body), 2, VT_REF_NULL); return true;
    case OP_ARRAY_NEW_DEFAULT: array_new_default(c); return true;
    case OP_ARRAY_NEW_FIXED: array_new_fixed(c); return true;
    case OP_ARRAY_NEW_DATA: array_new_segment(c, BUILTIN_ARRAY_NEW_DATA); return true;
    case OP_ARRAY_NEW_ELEM: array_new_segment(c, BUILTIN_ARRAY_NEW_ELEM); return true;
    case OP_ARRAY_GET:
    case OP_ARRAY_GET_U: array_get(c, false); return true;
    case OP_ARRAY_GET_S: array_get(c, true); return true;
    case OP_ARRAY_SET: array_set(c); return true;
    case OP_ARRAY_LEN: array_len(c); return true;
    case OP_ARRAY_FILL: call_with_slots(c, BUILTIN_ARRAY_FILL, read_u32(&c->body), 4, VT_BOTTOM); return true;
    case OP_ARRAY_COPY: array_copy(c); return true;
    case OP_ARRAY_INIT_DATA: array_init(c, BUILTIN_ARRAY_INIT_DATA); return true;
    case OP_ARRAY_INIT_ELEM: array_init(c, BUILTIN_ARRAY_INIT_ELEM); return true;
    case OP_REF_I31: ref_i31(c); return true;
    case OP_I31_GET_S: i31_get(c, SHIFT_SHR_S); return true;
    case OP_I31_GET_U: i31_get(c, SHIFT_SHR_U); return true;
    case OP_REF_EQ: ref_eq(c); return true;
    case OP_ANY_CONVERT_EXTERN:
    case OP_EXTERN_CONVERT_ANY: return true; /* the same reference */
    default: return cast_op(c, op);
    }
}
