/* The optimizing compiler: the whole way of one function, from body to machine code. */
#include "engine/gen/emit.h"
#include "engine/opt/pass.h"

static void mark_cold_blocks(struct ir_func *f)
{
    for (size_t n = f->order.len; n != 0; n--) {
        struct ir_block *b = ir_block(f, f->order.data[n - 1]);
        b->cold = ir_inst(f, b->last)->op == IR_TRAP || b->succ_count != 0;
        for (uint32_t k = 0; k < b->succ_count; k++)
            b->cold &= ir_block(f, b->succs[k])->cold;
    }
}

static void generate(struct masm *m, struct ir_func *f)
{
    struct mach_func mf = {0};
    struct allocation a = {.mf = &mf};

    ir_compute_dominators(f);
    ir_count_uses(f);
    mach_lower(&mf, f, m->features);
    live_compute(&a);
    allocate_registers(&a);
    resolve_places(&a);
    emit_function(m, &mf, &a);
    allocation_done(&a);
    mach_done(&mf);
}

bool optimizing_compile_function(struct masm *m, const struct module *module, const struct code_options *options,
                                 uint32_t func)
{
    struct ir_func f;
    const char *unsupported;
    bool built;

    ir_func_init(&f, module, func);
    f.explicit_bounds_checks = options->explicit_bounds_checks;
    built = ir_build(&f, &unsupported);
    if (built) {
        passes_run(&f, options->passes_off);
        mark_cold_blocks(&f);
        if (options->verify)
            ir_verify(&f, "the passes");
        generate(m, &f);
    }
    ir_func_done(&f);
    return built;
}
