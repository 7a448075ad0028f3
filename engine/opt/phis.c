/* Phis all of whose operands are one value, or the phi itself, are that value (Braun et al. 2013, "trivial phis"). The
 * builder makes them at loop heads for locals that the loop writes but does not change on any way back. */
#include "engine/opt/pass.h"

static ir_value single_operand(const struct ir_func *f, ir_value phi)
{
    const struct ir_inst *i = ir_inst(f, phi);
    ir_value same = IR_NONE;

    for (uint32_t k = 0; k < i->arg_count; k++) {
        ir_value arg = ir_resolve(f, i->args[k]);
        if (arg == phi || arg == same)
            continue;
        if (same != IR_NONE)
            return IR_NONE;
        same = arg;
    }
    return same;
}

void pass_phis(struct ir_func *f)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t n = 0; n < f->order.len; n++) {
            ir_value v = ir_block(f, f->order.data[n])->first, next;
            for (; v != IR_NONE && (ir_inst(f, v)->op == IR_PHI || ir_inst(f, v)->op == IR_CONST); v = next) {
                ir_value same = ir_inst(f, v)->op == IR_PHI ? single_operand(f, v) : IR_NONE;
                next = ir_inst(f, v)->next;
                if (same == IR_NONE)
                    continue;
                ir_replace(f, v, same);
                changed = true;
            }
        }
    }
    ir_apply_copies(f);
}
