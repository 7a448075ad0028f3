/* What nobody uses goes: marked from what has an effect, so that phis that only feed each other go too. */
#include "engine/opt/pass.h"

struct marker {
    struct ir_func *f;
    bool *live;
    VEC(ir_value) work;
};

static void mark(struct marker *m, ir_value v)
{
    if (v == IR_NONE || m->live[v])
        return;
    m->live[v] = true;
    vec_push(&m->work, v);
}

void pass_dead(struct ir_func *f)
{
    struct marker m = {.f = f, .live = arena_array(&f->scratch, bool, f->insts.len)};

    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next)
            if ((ir_effects(ir_inst(f, v)->op) & (IR_WRITES | IR_TRAPS | IR_TERMINATOR)) != 0)
                mark(&m, v);
    while (m.work.len != 0) {
        struct ir_inst *i = ir_inst(f, vec_pop(&m.work));
        const ir_value *args = ir_args(i);
        for (uint32_t k = 0; k < i->arg_count; k++)
            mark(&m, args[k]);
    }
    for (size_t n = 0; n < f->order.len; n++) {
        for (ir_value v = ir_block(f, f->order.data[n])->first, next; v != IR_NONE; v = next) {
            next = ir_inst(f, v)->next;
            /* constants stay known by their bits, and a parameter is where others are counted */
            if (!m.live[v] && ir_inst(f, v)->op != IR_CONST && ir_inst(f, v)->op != IR_PARAM)
                ir_unlink(f, v);
        }
    }
    vec_done(&m.work);
}
