/* The host module that the specification's tests import from. Its print functions print nothing: nobody compares it. */
#include "tests/spec/spec.h"

static enum trap_kind print_nothing(struct host_call *call)
{
    return TRAP_NONE;
}

static const struct host_function_def functions[] = {
    {"print", ":", print_nothing},      {"print_f32", "f:", print_nothing},
    {"print_f64", "F:", print_nothing}, {"print_f64_f64", "FF:", print_nothing},
    {"print_i32", "i:", print_nothing}, {"print_i32_f32", "if:", print_nothing},
    {"print_i64", "I:", print_nothing},
};

static const struct host_module module = {"spectest", functions, sizeof functions / sizeof functions[0]};

enum { EXTERNALS = 8 };
static const char *const names[EXTERNALS] = {"global_i32", "global_i64", "global_f32", "global_f64",
                                             "table",      "table64",    "memory",     "shared_memory"};
static struct global globals[4];
static struct external externals[EXTERNALS];

static struct external table_of(struct store *store, bool is64)
{
    struct limits limits = {.min = 10, .max = 20, .has_max = true, .is64 = is64};
    struct external e = {.kind = EXTERNAL_TABLE};
    int status = table_new(store, &limits, valtype_ref(true, HEAP_FUNC), 0, &e.table, NULL);
    assert(status == 0);
    return e;
}

static struct external memory_of(struct store *store, bool shared)
{
    struct limits limits = {.min = 1, .max = 2, .has_max = true, .page_size_log2 = 16, .shared = shared};
    struct external e = {.kind = EXTERNAL_MEMORY};
    int status = memory_new(store, &limits, false, &e.memory, NULL);
    assert(status == 0);
    return e;
}

struct link_source spectest_source(struct store *store)
{
    globals[0] = (struct global){.value.i32 = 666, .type = VT_I32};
    globals[1] = (struct global){.value.i64 = 666, .type = VT_I64};
    globals[2] = (struct global){.value.f32 = 666.6f, .type = VT_F32};
    globals[3] = (struct global){.value.f64 = 666.6, .type = VT_F64};
    for (unsigned i = 0; i < 4; i++)
        externals[i] = (struct external){.kind = EXTERNAL_GLOBAL, .global = &globals[i]};
    externals[4] = table_of(store, false);
    externals[5] = table_of(store, true);
    externals[6] = memory_of(store, false);
    externals[7] = memory_of(store, true);
    return (struct link_source){.module = name_of("spectest"),
                                .host = &module,
                                .externals = externals,
                                .external_names = names,
                                .external_count = EXTERNALS};
}
