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
        b->cold |= b->unlikely;
    }
}

struct optimizer { /* what one function leaves to the next: memory */
    struct ir_func f;
    struct mach_func mf;
    struct allocation a;
};

static void generate(struct masm *m, struct optimizer *o, struct trace *trace)
{
    ir_compute_dominators(&o->f);
    ir_count_uses(&o->f);
    mach_lower(&o->mf, &o->f, m->features);
    trace_stage(trace, TRACE_SELECT);
    o->a.mf = &o->mf;
    live_compute(&o->a);
    trace_stage(trace, TRACE_LIVE);
    allocate_registers(&o->a);
    trace_stage(trace, TRACE_ALLOCATE);
    resolve_places(&o->a);
    trace_stage(trace, TRACE_RESOLVE);
    emit_function(m, &o->mf, &o->a);
    trace_stage(trace, TRACE_EMIT);
}

bool optimizing_compile_function(struct optimizer **optimizer, struct masm *m, const struct module *module,
                                 const struct code_options *options, uint32_t func)
{
    struct optimizer *o = *optimizer;
    const char *unsupported;

    if (o == NULL)
        o = *optimizer = calloc(1, sizeof *o);
    if (o == NULL)
        out_of_memory();
    trace_start(options->trace);
    ir_func_init(&o->f, module, func);
    o->f.explicit_bounds_checks = options->explicit_bounds_checks;
    o->f.left_out = options->passes_off;
    if (!ir_build(&o->f, &unsupported)) {
        trace_refuse(options->trace, unsupported);
        return false;
    }
    trace_stage(options->trace, TRACE_BUILD);
    trace_ir(options->trace, 'i', &o->f, "building");
    passes_run(&o->f, options->trace);
    trace_ir(options->trace, 'o', &o->f, "the passes");
    mark_cold_blocks(&o->f);
    if (options->verify)
        ir_verify(&o->f, "the passes");
    generate(m, o, options->trace);
    return true;
}

void optimizer_free(struct optimizer *o)
{
    if (o == NULL)
        return;
    allocation_done(&o->a);
    mach_done(&o->mf);
    ir_func_done(&o->f);
    free(o);
}
