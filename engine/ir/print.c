/* The IR as text, one instruction a line:
 *
 *     func 7 : i32 i32 -> i32
 *     b1: ; loop 1, cold
 *       v3 = i32.add v1 v2
 *       v4 = const i32 7
 *       branch v4 -> b2 b3
 *
 * What is behind a semicolon is for the reader. */
#include "engine/ir/ir.h"
#include <inttypes.h>

static const char *type_name(uint8_t type)
{
    switch (type) {
    case VT_I32: return "i32";
    case VT_I64: return "i64";
    case VT_F32: return "f32";
    case VT_F64: return "f64";
    case VT_V128: return "v128";
    case VT_REF_NULL: return "ref";
    default: return "none";
    }
}

static bool prints_type(unsigned op)
{
    return op >= OPCODE_COUNT || op == OP_SELECT;
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
    if (i->type != VT_BOTTOM)
        fprintf(out, "v%u = ", v);
    fprintf(out, "%s", ir_op_name(i->op));
    if (prints_type(i->op) && i->type != VT_BOTTOM)
        fprintf(out, " %s", type_name(i->type));
    for (uint32_t k = 0; k < i->arg_count; k++)
        if (args[k] == IR_NONE)
            fprintf(out, " -");
        else
            fprintf(out, " v%u", args[k]);
    print_immediate(i, out);
    if (ir_effects(i->op) & IR_TERMINATOR && ir_block(f, i->block)->succ_count != 0)
        print_successors(f, ir_block(f, i->block), out);
    fprintf(out, "\n");
}

void ir_print(const struct ir_func *f, FILE *out)
{
    fprintf(out, "func %u :", f->index);
    for (uint32_t k = 0; k < f->type->param_count; k++)
        fprintf(out, " %s", type_name(valtype_is_ref(f->type->params[k]) ? VT_REF_NULL : (uint8_t)f->type->params[k]));
    fprintf(out, " ->");
    for (uint32_t k = 0; k < f->type->result_count; k++)
        fprintf(out, " %s",
                type_name(valtype_is_ref(f->type->results[k]) ? VT_REF_NULL : (uint8_t)f->type->results[k]));
    fprintf(out, "\n");
    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        fprintf(out, "b%u:", f->order.data[n]);
        if (b->loop != 0)
            fprintf(out, " ; loop b%u depth %u", f->loops.data[b->loop].head, f->loops.data[b->loop].depth);
        fprintf(out, "%s\n", b->cold ? " ; cold" : "");
        for (ir_value v = b->first; v != IR_NONE; v = ir_inst(f, v)->next)
            print_inst(f, v, out);
    }
}
