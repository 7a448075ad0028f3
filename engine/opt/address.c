/* Native addresses for what is accessed at several offsets from one index: the fields of a structure.
 *
 * base + index + displacement costs nothing per access, but some machines forward a store to a load sooner where both
 * name a register and a displacement alone. So an index with accesses at different displacements is added to the base once,
 * where it is made. At one displacement alone (an element that is read and written) the sum would only cost, and so it would beside
 * a loop's counter, which stays alive, where nothing is stored. */
#include "engine/opt/pass.h"

struct accesses {             /* from one index */
    bool any, differ, stores; /* differ: in their displacement */
    uint64_t displacement;
};

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
    ir_inst(f, v)->origin = ir_inst(f, index)->origin;
    ir_insert_before(f, v, at);
    return v;
}

static void note_access(struct accesses *a, uint64_t displacement, bool store)
{
    if (!a->any)
        a->displacement = displacement;
    a->any = true;
    a->differ |= a->displacement != displacement;
    a->stores |= store;
}

static struct accesses *find_accesses(struct ir_func *f)
{
    struct accesses *found = arena_array(&f->scratch, struct accesses, f->insts.len);

    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next)
            if (takes_address(ir_inst(f, v)))
                note_access(&found[ir_inst(f, v)->arg[0]], ir_inst(f, v)->imm, ir_is_store(ir_inst(f, v)->op));
    return found;
}

void pass_addresses(struct ir_func *f)
{
    ir_value *address = arena_array(&f->scratch, ir_value, f->insts.len);
    const struct accesses *accesses = find_accesses(f);

    for (size_t n = 0; n < f->order.len; n++) {
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            ir_value index;
            if (!takes_address(ir_inst(f, v)))
                continue;
            index = ir_inst(f, v)->arg[0];
            if (!accesses[index].differ || !is_place(f, index) ||
                (ir_inst(f, index)->op == IR_PHI && !accesses[index].stores))
                continue;
            if (address[index] == IR_NONE)
                address[index] = add_address(f, index);
            ir_inst(f, v)->arg[0] = IR_NONE;
            ir_inst(f, v)->arg[1] = address[index];
        }
    }
}
