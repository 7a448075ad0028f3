/* Homes: the registers in which a loop keeps the locals that it uses most (loops.h), from its head on and at every label
 * inside. */
#include "engine/baseline/compiler.h"

static void note_homes(struct compiler *c, bool present)
{
    const struct homes *homes = vec_last(&c->homes);

    for (regset left = homes->set; left != 0; left &= left - 1)
        c->locals[homes->local_of[regset_first(left)]].home = present ? regset_first(left) : REG_NONE;
}

static void add_home(struct homes *homes, reg r, uint32_t local)
{
    homes->set |= regset_of(r);
    homes->local_of[r] = (uint16_t)local;
}

/* A register for LOCAL that is no home yet: where it is now, if that is one, else any. */
static reg choose_home(struct compiler *c, const struct homes *homes, uint32_t local)
{
    const struct local *l = &c->locals[local];
    regset left = (type_is_vector(l->type) ? target_native.vector_homes : target_native.int_homes) & ~homes->set;

    if (l->reg != REG_NONE && regset_has(left, l->reg))
        return l->reg;
    if ((left & ~c->regs.locals) != 0)
        return regset_first(left & ~c->regs.locals);
    return left != 0 ? regset_first(left) : REG_NONE;
}

static void choose_homes(struct compiler *c, const struct loop_info *loop, const struct homes *outer,
                         struct homes *homes)
{
    homes->set = 0;
    if (loop->calls)
        return;
    for (uint32_t i = 0; i < loop->count; i++) { /* an outer loop's home stays where it is */
        uint32_t local = c->loops->locals.data[loop->first + i].local;
        for (regset left = outer->set; left != 0; left &= left - 1)
            if (outer->local_of[regset_first(left)] == local)
                add_home(homes, regset_first(left), local);
    }
    for (uint32_t i = 0; i < loop->count; i++) {
        uint32_t local = c->loops->locals.data[loop->first + i].local;
        bool has = false;
        reg r;
        for (regset left = homes->set; left != 0; left &= left - 1)
            has |= homes->local_of[regset_first(left)] == local;
        r = has ? REG_NONE : choose_home(c, homes, local);
        if (r != REG_NONE)
            add_home(homes, r, local);
    }
    for (regset left = outer->set & ~homes->set; left != 0;
         left &= left - 1) { /* room for the outer's that pass through */
        reg r = regset_first(left);
        bool has = false;
        for (regset all = homes->set; all != 0; all &= all - 1)
            has |= homes->local_of[regset_first(all)] == outer->local_of[r];
        if (!has && c->locals[outer->local_of[r]].reg == r)
            add_home(homes, r, outer->local_of[r]);
    }
}

void homes_enter_loop(struct compiler *c, const struct loop_info *loop)
{
    struct homes homes;

    choose_homes(c, loop, vec_last(&c->homes), &homes);
    note_homes(c, false);
    vec_push(&c->homes, homes);
    c->home_set = homes.set;
    note_homes(c, true);
}

void homes_leave_loop(struct compiler *c)
{
    note_homes(c, false);
    c->homes.len--;
    c->home_set = vec_last(&c->homes)->set;
    note_homes(c, true);
}
