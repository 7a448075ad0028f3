/* Constant expressions (core specification, valid/instructions, "constant expressions"), straight from their bytes.
 * They have been validated; a damaged artifact ends in an error, never outside of an array. */
#include "engine/body.h"
#include "engine/rt/store.h"
#include <errno.h>
#include <string.h>

/* References on its stack need not be seen by the collector: nothing is collected while constants are evaluated. */
struct evaluation {
    struct instance *instance;
    struct rd r;
    VEC(union vm_value) stack;
    bool no_memory;
};

static union vm_value *push(struct evaluation *e)
{
    vec_push(&e->stack, (union vm_value){.i64 = 0});
    return vec_last(&e->stack);
}

/* Pops the second operand and returns the first, which the result replaces. */
static union vm_value *binary(struct evaluation *e, union vm_value *second)
{
    while (e->stack.len < 2) {
        rd_fail(&e->r, "constant expression damaged");
        push(e);
    }
    *second = e->stack.data[--e->stack.len];
    return vec_last(&e->stack);
}

static void push_bytes(struct evaluation *e, size_t len)
{
    const uint8_t *bytes = rd_bytes(&e->r, len);
    union vm_value *v = push(e);
    if (bytes != NULL)
        memcpy(v, bytes, len);
}

static void push_global(struct evaluation *e)
{
    uint32_t index = body_u32(&e->r);
    if (index >= e->instance->artifact->globals_count || e->instance->vm.globals[index] == NULL)
        rd_fail(&e->r, "constant expression damaged");
    else
        *push(e) = *e->instance->vm.globals[index];
}

static void push_func(struct evaluation *e)
{
    uint32_t index = body_u32(&e->r);
    if (index >= e->instance->artifact->funcs_count)
        rd_fail(&e->r, "constant expression damaged");
    else
        push(e)->ref = e->instance->vm.func_refs + index * (uint32_t)sizeof(struct vm_func);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */
/* The type of the index that comes next, if it is of KIND. */
static const struct store_type *read_type(struct evaluation *e, enum type_kind kind, uint32_t *number)
{
    uint32_t index = body_u32(&e->r);
    const struct store_type *type;

    if (index < e->instance->artifact->types_count) {
        *number = e->instance->vm.type_ids[index];
        type = types_get(&e->instance->store->types, *number);
        if (type->kind == kind)
            return type;
    }
    rd_fail(&e->r, "constant expression damaged");
    return NULL;
}

/* The values of an object's COUNT parts, on top of the stack; NULL: they are not there, or none is wanted. */
static const union vm_value *top(struct evaluation *e, uint32_t count)
{
    if (e->stack.len < count) {
        rd_fail(&e->r, "constant expression damaged");
        return NULL;
    }
    return count != 0 ? &e->stack.data[e->stack.len - count] : NULL;
}

static void replace(struct evaluation *e, uint32_t count, uint32_t reference)
{
    e->no_memory |= reference == 0;
    e->stack.len -= count;
    push(e)->ref = reference;
}

static void new_struct(struct evaluation *e, bool by_default)
{
    uint32_t number, count, reference, end = OBJECT_HEADER_BYTES;
    const struct store_type *type = read_type(e, TYPE_STRUCT, &number);
    const union vm_value *values;

    if (type == NULL)
        return;
    count = by_default ? 0 : type->field_count;
    values = top(e, count);
    if (values == NULL && count != 0)
        return;
    reference = object_new_struct(e->instance->store, number);
    for (uint32_t i = 0; i < count && reference != 0; i++) {
        valtype field = type->types[2 * i];
        uint8_t *object = store_object(e->instance->store, reference);
        memcpy(object + object_place(&end, field), &values[i], valtype_size_bytes(field));
    }
    replace(e, count, reference);
}

/* array.new takes a value and the length, array.new_default the length, array.new_fixed as many values as it says. */
static void new_array(struct evaluation *e, enum opcode op)
{
    uint32_t number, length = 0, count = op == OP_ARRAY_NEW ? 2 : 1, reference;
    const struct store_type *type = read_type(e, TYPE_ARRAY, &number);
    const union vm_value *values;
    uint8_t *elements;

    if (type == NULL)
        return;
    if (op == OP_ARRAY_NEW_FIXED)
        count = length = body_u32(&e->r);
    values = top(e, count);
    if (values == NULL && count != 0)
        return;
    if (op != OP_ARRAY_NEW_FIXED)
        length = values[count - 1].i32;
    reference = object_new_array(e->instance->store, number, length);
    elements = (uint8_t *)store_object(e->instance->store, reference) + OBJECT_HEADER_BYTES;
    if (reference != 0 && op == OP_ARRAY_NEW)
        object_fill(elements, &values[0], type->size_bytes, length);
    for (uint32_t i = 0; i < length && reference != 0 && op == OP_ARRAY_NEW_FIXED; i++)
        memcpy(elements + (uint64_t)i * type->size_bytes, &values[i], type->size_bytes);
    replace(e, count, reference);
}

static void make_i31(struct evaluation *e)
{
    if (top(e, 1) != NULL)
        vec_last(&e->stack)->ref = vec_last(&e->stack)->i32 << 1 | 1;
}

static void compute(struct evaluation *e, enum opcode op)
{
    union vm_value b, *a = binary(e, &b); /* on a line of its own: b is not to be read before it is popped */

    switch (op) {
    case OP_I32_ADD: a->i32 += b.i32; break;
    case OP_I32_SUB: a->i32 -= b.i32; break;
    case OP_I32_MUL: a->i32 *= b.i32; break;
    case OP_I64_ADD: a->i64 += b.i64; break;
    case OP_I64_SUB: a->i64 -= b.i64; break;
    default: a->i64 *= b.i64; break;
    }
}

static void step(struct evaluation *e, enum opcode op)
{
    switch (op) {
    case OP_I32_CONST: push(e)->i32 = (uint32_t)body_s32(&e->r); break;
    case OP_I64_CONST: push(e)->i64 = (uint64_t)body_s64(&e->r); break;
    case OP_F32_CONST: push_bytes(e, 4); break;
    case OP_F64_CONST: push_bytes(e, 8); break;
    case OP_V128_CONST: push_bytes(e, 16); break;
    case OP_GLOBAL_GET: push_global(e); break;
    case OP_REF_FUNC: push_func(e); break;
    case OP_REF_NULL:
        body_heaptype(&e->r);
        push(e)->ref = 0;
        break;
    case OP_I32_ADD:
    case OP_I32_SUB:
    case OP_I32_MUL:
    case OP_I64_ADD:
    case OP_I64_SUB:
    case OP_I64_MUL: compute(e, op); break;
    case OP_STRUCT_NEW:
    case OP_STRUCT_NEW_DEFAULT: new_struct(e, op == OP_STRUCT_NEW_DEFAULT); break;
    case OP_ARRAY_NEW:
    case OP_ARRAY_NEW_DEFAULT:
    case OP_ARRAY_NEW_FIXED: new_array(e, op); break;
    case OP_REF_I31: make_i31(e); break;
    case OP_ANY_CONVERT_EXTERN:
    case OP_EXTERN_CONVERT_ANY: break; /* the same reference */
    default: rd_fail(&e->r, "constant expression with another instruction"); break;
    }
}

static int outcome(const struct evaluation *e, union vm_value *out)
{
    if (e->no_memory)
        return -ENOMEM;
    if (e->r.fault != NULL || e->stack.len != 1)
        return -ESTALE;
    *out = e->stack.data[0];
    return 0;
}

int constant_evaluate(struct instance *instance, struct artifact_range expression, union vm_value *out)
{
    const struct artifact *a = instance->artifact;
    struct evaluation e = {.instance = instance};
    enum opcode op;
    int status;

    if (!artifact_range_fits(expression.offset, expression.len, a->expressions_count))
        return -ESTALE;
    e.r = rd_over(a->expressions + expression.offset, expression.len);
    while ((op = body_opcode(&e.r)) != OP_END && e.r.fault == NULL)
        step(&e, op);
    status = outcome(&e, out);
    vec_done(&e.stack);
    return status;
}
