/* From a module's bytes to its artifact: the whole compiler in one readable function. */
#include "engine/gen/artifact.h"
#include "engine/gen/code.h"
#include "engine/module.h"
#include "engine/opt/trace.h"
#include "wherry/engine.h"
#include <string.h>

static int compile_module(struct module *m, const void *bytes, size_t len, const struct engine_options *options,
                          struct trace *trace, struct code_object *code, struct err *err)
{
    struct code_options code_options = {.cpu_features = engine_cpu_features(options->compiler),
                                        .explicit_bounds_checks = options->explicit_bounds_checks,
                                        .replaceable = options->compiler == ENGINE_BASELINE,
                                        .compile_function =
                                            options->compiler == ENGINE_OPTIMIZING ? optimizing_compile_function : NULL,
                                        .passes_off = options->passes_off,
                                        .trace = trace,
                                        .progress = options->progress};
    int status = module_decode(m, bytes, len, options->features, err);

    if (status != 0)
        return status;
    return code_compile_module(m, options->features, &code_options,
                               trace != NULL ? 1 : options->cores, code, err);
}

int engine_compile(const void *bytes, size_t len, const uint8_t key[32], const struct engine_options *options,
                   struct buf *artifact, struct err *err)
{
    struct engine_options o = engine_options_resolved(options);
    struct artifact_identity identity = {.key = key,
                                         .compiler = o.compiler,
                                         .features = o.features,
                                         .cpu_features = engine_cpu_features(o.compiler),
                                         .explicit_bounds_checks = o.explicit_bounds_checks};
    struct trace trace = {.out = artifact, .letters = o.dumps, .func = o.dump_func - 1};
    struct module m = {0};
    struct code_object code = {0};
    int status;

    if (engine_detect(bytes, len) == ENGINE_COMPONENT)
        return err_set(err, ENOTSUP, "this is a component, and components are not supported yet (core modules are)");
    status = compile_module(&m, bytes, len, &o, o.dumps[0] != 0 ? &trace : NULL, &code, err);
    if (o.dumps[0] != 0)
        trace_finish(&trace);
    else if (status == 0)
        status = artifact_write(&m, &code, &identity, artifact, err);
    code_object_done(&code);
    module_free(&m);
    return status;
}
