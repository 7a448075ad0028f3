/* The IR as text, one instruction a line; parse.c reads it:
 *
 *     func 7 : i32 i32 -> i32
 *     inlining 1: func 3 @0x41
 *     b1:
 *       v4 = const i32 #7
 *       v1 = param i32 #0x0
 *       jump -> b2
 *     b2: from b1 b3 loop b2 depth 1
 *       v3 = i32.load v1 - #0x10 @0x36 in 1
 *       branch v3 -> b3 b4
 *     b3: from b2 loop b2 depth 1
 *
 * Operands of phis are in the order of `from`. "@" says where in the module what may trap or calls comes from, and
 * "in" of which inlining it is. Numbers of values and blocks are the IR's own; what has no value has no number, but for
 * calls, which their results name. */
#include "engine/ir/ir.h"
#include <inttypes.h>

const char *ir_type_name(uint8_t type)
{
    switch (type) {
    case VT_I32: return "i32";
    case VT_I64: return "i64";
    case VT_F32: return "f32";
    case VT_F64: return "f64";
    case VT_V128: return "vector"; /* not v128, which is a value */
    case VT_REF_NULL: return "ref";
    default: return "none";
    }
}

static bool prints_type(const struct ir_inst *i)
{
    return i->type != VT_BOTTOM && (i->op >= OPCODE_COUNT || i->type != ir_wasm_type(i->op));
}

static bool has_number(const struct ir_inst *i)
{
    return i->type != VT_BOTTOM || i->op == IR_CALL || i->op == IR_CALL_ADDRESS;
}

static void print_origin(struct site_origin origin, FILE *out)
{
    fprintf(out, " @0x%x", origin.wasm_offset);
    if (origin.inlining != 0)
        fprintf(out, " in %u", origin.inlining);
}

static void print_immediate(const struct ir_inst *i, FILE *out)
{
    uint64_t high;

    if (i->op == OP_I8X16_SHUFFLE || (i->op == IR_CONST && i->type == VT_V128)) {
        memcpy(&high, i->op == IR_CONST ? &i->arg[0] : &i->arg[2], 8);
        fprintf(out, " #0x%" PRIx64 " #0x%" PRIx64, i->imm, high);
    } else if (i->op == IR_CONST && i->type != VT_F32 && i->type != VT_F64) {
        fprintf(out, " #%" PRId64, i->type == VT_I64 ? (int64_t)i->imm : (int32_t)i->imm);
    } else if (i->imm != 0 || i->op == IR_CONST || i->op == IR_PARAM || i->op == IR_CALL) {
        fprintf(out, " #0x%" PRIx64, i->imm);
    }
    if (i->lane != 0)
        fprintf(out, " lane %u", i->lane);
}

static void print_catches(const struct ir_block *b, FILE *out)
{
    fprintf(out, " b%u", b->succs[0]);
    for (uint32_t k = 0; k < b->table_count; k++)
        if (b->table[k] == IR_CATCH_ALL)
            fprintf(out, " all b%u", b->succs[k + 1]);
        else
            fprintf(out, " tag %u b%u", b->table[k], b->succs[k + 1]);
}

static void print_successors(const struct ir_func *f, const struct ir_block *b, FILE *out)
{
    fprintf(out, " ->");
    if (ir_inst(f, b->last)->op == IR_CATCH)
        print_catches(b, out);
    else if (b->table_count != 0)
        for (uint32_t k = 0; k < b->table_count; k++)
            fprintf(out, " b%u", b->succs[b->table[k]]);
    else
        for (uint32_t k = 0; k < b->succ_count; k++)
            fprintf(out, " b%u", b->succs[k]);
}

static void print_inst(const struct ir_func *f, ir_value v, FILE *out)
{
    struct ir_inst *i = ir_inst(f, v);
    const ir_value *args = ir_args(i);

    fprintf(out, "  ");
    if (has_number(i))
        fprintf(out, "v%u = ", v);
    fprintf(out, "%s", ir_op_name(i->op));
    if (prints_type(i))
        fprintf(out, " %s", ir_type_name(i->type));
    for (uint32_t k = 0; k < i->arg_count; k++)
        if (args[k] == IR_NONE)
            fprintf(out, " -");
        else
            fprintf(out, " v%u", args[k]);
    print_immediate(i, out);
    if (ir_effects(i->op) & IR_TERMINATOR && ir_block(f, i->block)->succ_count != 0)
        print_successors(f, ir_block(f, i->block), out);
    if ((ir_effects(i->op) & IR_TRAPS) != 0 || i->op == IR_TRAP || i->op == IR_ALLOCATE)
        print_origin(i->origin, out);
    fprintf(out, "\n");
}

static void print_types(const valtype *types, uint32_t count, FILE *out)
{
    for (uint32_t k = 0; k < count; k++)
        fprintf(out, " %s", ir_type_name(valtype_is_ref(types[k]) ? VT_REF_NULL : (uint8_t)types[k]));
}

static void print_head(const struct ir_func *f, FILE *out)
{
    fprintf(out, "func %u :", f->index);
    print_types(f->type->params, f->type->param_count, out);
    fprintf(out, " ->");
    print_types(f->type->results, f->type->result_count, out);
    fprintf(out, "\n");
    if (f->explicit_bounds_checks)
        fprintf(out, "explicit_bounds_checks\n");
    for (uint32_t n = 0; n < f->inlinings.len; n++) {
        fprintf(out, "inlining %u: func %u", n + 1, f->inlinings.data[n].func);
        print_origin(f->inlinings.data[n].call, out);
        fprintf(out, "\n");
    }
}

static void print_block_line(const struct ir_func *f, uint32_t number, FILE *out)
{
    const struct ir_block *b = ir_block(f, number);

    fprintf(out, "b%u:", number);
    for (uint32_t k = 0; k < b->pred_count; k++)
        fprintf(out, "%s b%u", k == 0 ? " from" : "", b->preds[k]);
    if (b->loop != 0)
        fprintf(out, " loop b%u depth %u", f->loops.data[b->loop].head, f->loops.data[b->loop].depth);
    fprintf(out, "%s%s\n", b->unlikely ? " unlikely" : "", b->cold ? " cold" : "");
}

void ir_print(const struct ir_func *f, FILE *out)
{
    print_head(f, out);
    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        print_block_line(f, f->order.data[n], out);
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next)
            print_inst(f, v, out);
    }
}

void ir_put_text(const struct ir_func *f, struct buf *out)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);

    if (stream == NULL)
        out_of_memory();
    ir_print(f, stream);
    fclose(stream);
    buf_put(out, text, len);
    free(text);
}
