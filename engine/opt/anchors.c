/* Constants folded into displacements, past the 32-bit addition that Wasm computes addresses with.
 *
 * i32.add wraps, an address of the machine does not, so `load (x + 8)` is no `load x, displacement 8` in general. But
 * where an access at y has already been made, y lies in the memory, which stays MEMORY_MARGIN_BYTES below 4 GiB (the
 * runtime sees to that): then y + d does not wrap for 0 <= d <= MEMORY_MARGIN_BYTES. For d < 0 it may, and then both
 * forms trap: Wasm's address is one of the last below 4 GiB, the folded one lies in the guard in front of the memory
 * (so the access must have no displacement of its own, which could lead back into it).
 *
 * Should the access at y be folded into an instruction behind, no harm is done: nothing that may trap lies between. */
#include "engine/opt/pass.h"

enum { LOOK_BACK = 12 };

struct anchor {
    ir_value index;    /* whose access has been made */
    uint32_t constant; /* index = sum + constant */
    uint32_t block, next;
};

struct anchors {
    struct ir_func *f;
    uint32_t *of; /* by sum: the newest anchor */
    VEC(struct anchor) list;
};

static bool memory_keeps_margin(const struct ir_func *f)
{
    const struct module *m = f->module;
    const struct limits *limits;

    if (f->explicit_bounds_checks || m->memory_count == 0 || m->imported_memory_count != 0)
        return false;
    limits = &m->memories[0].limits;
    return !limits->is64 && !limits->shared && limits->page_size_log2 == 16 &&
           limits->min << 16 <= (UINT64_C(1) << 32) - MEMORY_MARGIN_BYTES;
}

/* INDEX = *SUM + *CONSTANT */
static void decompose(const struct ir_func *f, ir_value index, ir_value *sum, uint32_t *constant)
{
    const struct ir_inst *i = ir_inst(f, index);

    *sum = index;
    *constant = 0;
    if (i->op == OP_I32_ADD && ir_is_const(f, i->arg[1])) {
        *sum = i->arg[0];
        *constant = (uint32_t)ir_inst(f, i->arg[1])->imm;
    }
}

static bool fits(const struct ir_inst *access, int32_t distance)
{
    int64_t disp = (int64_t)access->imm;

    if (distance < -MEMORY_MARGIN_BYTES || distance > MEMORY_MARGIN_BYTES || (distance < 0 && disp != 0))
        return false;
    return disp + distance <= INT32_MAX;
}

static void visit(struct anchors *a, ir_value v)
{
    struct ir_inst *i = ir_inst(a->f, v);
    ir_value sum;
    uint32_t constant, steps = 0;

    decompose(a->f, i->arg[0], &sum, &constant);
    for (uint32_t n = a->of[sum]; n != 0 && steps < LOOK_BACK; n = a->list.data[n].next, steps++) {
        const struct anchor *at = &a->list.data[n];
        int32_t distance = (int32_t)(constant - at->constant);
        if (!ir_dominates(a->f, at->block, i->block))
            continue;
        if (at->index == i->arg[0])
            return;
        if (!fits(i, distance))
            continue;
        i->arg[0] = at->index;
        i->imm += (uint64_t)(int64_t)distance;
        return;
    }
    vec_push(&a->list, (struct anchor){i->arg[0], constant, i->block, a->of[sum]});
    a->of[sum] = (uint32_t)a->list.len - 1;
}

void pass_anchors(struct ir_func *f)
{
    struct anchors a = {.f = f};

    if (!memory_keeps_margin(f))
        return;
    a.of = arena_array(&f->scratch, uint32_t, f->insts.len);
    vec_push(&a.list, (struct anchor){0});
    for (size_t n = 0; n < f->order.len; n++)
        for (ir_value v = ir_block(f, f->order.data[n])->first; v != IR_NONE; v = ir_inst(f, v)->next) {
            const struct ir_inst *i = ir_inst(f, v);
            if ((ir_is_load(i->op) || ir_is_store(i->op)) && i->arg[0] != IR_NONE && i->arg[1] == IR_NONE &&
                ir_inst(f, i->arg[0])->type == VT_I32 && !ir_is_const(f, i->arg[0]))
                visit(&a, v);
        }
    vec_done(&a.list);
}
