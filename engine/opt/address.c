/* Native addresses for what is accessed at several offsets from one index: the fields of a structure.
 *
 * base + index + displacement costs nothing per access, but some machines forward a store to a load sooner where both
 * name a register and a displacement alone. So an index with two accesses or more is added to the base once, where it
 * is made. What that gains has not been measured alone yet: leave the pass out to see. */
#include "engine/opt/pass.h"

enum { ACCESSES = 2 };

static bool takes_address(const struct ir_inst *i)
{
    return (ir_is_load(i->op) || ir_is_store(i->op)) && i->arg[0] != IR_NONE && i->arg[1] == IR_NONE;
}

static bool is_place(const struct ir_func *f, ir_value index)
{
    unsigned op = ir_inst(f, index)->op;
    return op != IR_CONST && op != IR_RESULT; /* results stand directly behind their call */
}

static ir_value add_address(struct ir_func *f, ir_value index)
{
    ir_value v = ir_append(f, 0, IR_ADDRESS, VT_I64, &index, 1, 0), at = ir_inst(f, index)->next;

    if (ir_inst(f, index)->op == IR_PHI || ir_inst(f, index)->op == IR_PARAM)
        while (ir_inst(f, at)->op == IR_PHI || ir_inst(f, at)->op == IR_PARAM || ir_inst(f, at)->op == IR_CONST)
            at = ir_inst(f, at)->next;
    ir_inst(f, v)->wasm_offset = ir_inst(f, index)->wasm_offset;
    ir_insert_before(f, v, at);
    return v;
}

static uint32_t *count_accesses(struct ir_func *f)
{
    uint32_t *count = arena_array(&f->arena, uint32_t, f->insts.len);

    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next)
            if (takes_address(ir_inst(f, v)))
                count[ir_inst(f, v)->arg[0]]++;
    return count;
}

void pass_addresses(struct ir_func *f)
{
    uint32_t values = (uint32_t)f->insts.len, *count = count_accesses(f);
    ir_value *address = arena_array(&f->arena, ir_value, values);

    for (size_t n = 0; n < f->order.len; n++) {
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            ir_value index;
            if (!takes_address(ir_inst(f, v)))
                continue;
            index = ir_inst(f, v)->arg[0];
            if (count[index] < ACCESSES || !is_place(f, index))
                continue;
            if (address[index] == IR_NONE)
                address[index] = add_address(f, index);
            ir_inst(f, v)->arg[0] = IR_NONE;
            ir_inst(f, v)->arg[1] = address[index];
        }
    }
}
