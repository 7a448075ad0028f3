/* Constant expressions (core specification, valid/instructions, "constant expressions"), straight from their bytes.
 * They have been validated; a damaged artifact ends in an error, never outside of an array. */
#include "engine/body.h"
#include "engine/rt/store.h"
#include <string.h>

enum { DEPTH_MAX = 64 };

struct evaluation {
    struct instance *instance;
    struct rd r;
    union vm_value stack[DEPTH_MAX];
    unsigned depth;
};

static union vm_value *push(struct evaluation *e)
{
    if (e->depth == DEPTH_MAX) {
        rd_fail(&e->r, "constant expression too deep");
        return &e->stack[DEPTH_MAX - 1];
    }
    memset(&e->stack[e->depth], 0, sizeof e->stack[0]);
    return &e->stack[e->depth++];
}

/* Pops the second operand and returns the first, which the result replaces. */
static union vm_value *binary(struct evaluation *e, union vm_value *second)
{
    if (e->depth < 2) {
        rd_fail(&e->r, "constant expression damaged");
        e->depth = 2;
    }
    *second = e->stack[--e->depth];
    return &e->stack[e->depth - 1];
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

static void step(struct evaluation *e, enum opcode op)
{
    union vm_value b;

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
    case OP_I32_ADD: binary(e, &b)->i32 += b.i32; break;
    case OP_I32_SUB: binary(e, &b)->i32 -= b.i32; break;
    case OP_I32_MUL: binary(e, &b)->i32 *= b.i32; break;
    case OP_I64_ADD: binary(e, &b)->i64 += b.i64; break;
    case OP_I64_SUB: binary(e, &b)->i64 -= b.i64; break;
    case OP_I64_MUL: binary(e, &b)->i64 *= b.i64; break;
    default: rd_fail(&e->r, "constant expression with another instruction"); break;
    }
}

int constant_evaluate(struct instance *instance, struct artifact_range expression, union vm_value *out)
{
    const struct artifact *a = instance->artifact;
    struct evaluation e;
    enum opcode op;

    if (!artifact_range_fits(expression.offset, expression.len, a->expressions_count))
        return -ESTALE;
    e.instance = instance;
    e.depth = 0;
    e.r = rd_over(a->expressions + expression.offset, expression.len);
    while ((op = body_opcode(&e.r)) != OP_END && e.r.fault == NULL)
        step(&e, op);
    if (e.r.fault != NULL || e.depth != 1)
        return -ESTALE;
    *out = e.stack[0];
    return 0;
}
