/* Validation of constant expressions. Which instructions may stand there the decoder has checked (decode.c,
 * is_constant). */
#include "engine/validator.h"
#include "wherry/engine.h"

/* Arithmetic came with extended-const, the globals of this module itself with gc. */
static void validate_constant_op(struct validator *v, enum opcode op, uint32_t global_count)
{
    struct rd peek = v->r;
    uint32_t index;

    if (op == OP_GLOBAL_GET) {
        index = body_u32(&peek);
        if (index >= global_count) {
            validator_fail(v, "unknown global %u", index);
            return;
        }
        if (v->m->globals[index].mutable)
            validator_fail(v, "constant expression required: global %u is mutable", index);
        if (index >= v->m->imported_global_count)
            validator_need(v, ENGINE_FEATURE_GC);
    } else if (op >= OP_I32_ADD && op <= OP_I64_MUL) {
        validator_need(v, ENGINE_FEATURE_EXTENDED_CONST);
    }
    validate_op(v, op);
}

/* "i32.const N end" for an i32, which nearly all are: the decoder has read it whole. */
static bool is_plain_i32(const struct module *m, struct byte_range code, valtype expected)
{
    struct rd r = rd_over(m->bytes + code.offset, code.len);

    if (expected != VT_I32 || code.len < 3 || rd_u8(&r) != OP_I32_CONST)
        return false;
    body_s32(&r);
    return rd_left(&r) == 1;
}

bool validate_constant(struct validator *v, struct byte_range code, valtype expected, uint32_t global_count)
{
    if (is_plain_i32(v->m, code, expected))
        return !v->failed;
    v->r = rd_over(v->m->bytes, code.offset + code.len);
    v->r.at += code.offset;
    v->func = MODULE_NONE;
    v->frames.len = 0;
    v->local_count = 0;
    v->sp = v->base = v->stack;
    vec_push(&v->frames, (struct frame){.op = OP_BLOCK, .single = expected});
    stack_reserve(v, 0);
    while (v->frames.len != 0 && !v->failed) {
        v->op_at = rd_offset(&v->r);
        validate_constant_op(v, body_opcode(&v->r), global_count);
    }
    return !v->failed;
}
