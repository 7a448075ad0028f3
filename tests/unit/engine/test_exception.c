/* Exceptions where more than one function of one instance takes part: through host functions, between instances with
 * tags of their own, out of tail calls; and tables of an artifact that have been damaged. */
#include "engine/feature.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "tests/unit/engine/exception_module.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

struct running {
    struct store *store;
    struct code *mapped;
    struct instance *first, *second; /* two of the same module: their tags differ */
    uint32_t to_call;                /* by the host function */
    bool swallow;
};

static enum trap_kind host_call(struct host_call *call)
{
    struct running *r = call->context;
    enum trap_kind trap = call_func(r->store, r->to_call, call->values);

    return r->swallow ? TRAP_NONE : trap;
}

static const struct host_function_def defs[] = {{"call", ":", host_call}};
static const struct host_module host = {"host", defs, 1};

static struct instance *instantiate(struct running *r, int fd)
{
    struct linker linker = {.store = r->store};
    struct external imports[1];
    struct instance *instance;
    struct err err = {0};

    vec_push(&linker.sources, ((struct link_source){.module = name_of("host"), .host = &host, .context = r}));
    assert_int_equal(link_imports(&linker, r->mapped, imports, &err), 0);
    assert_int_equal(instance_new(r->store, r->mapped, fd, imports, &instance, &err), 0);
    vec_done(&linker.sources);
    return instance;
}

/* DAMAGE changes the tables before they become an artifact. */
static void start(struct running *r, void (*damage)(struct code_object *))
{
    static const uint8_t key[32];
    const uint32_t features = ENGINE_FEATURE_EXCEPTIONS | ENGINE_FEATURE_LEGACY_EXCEPTIONS | ENGINE_FEATURE_TAIL_CALL;
    const struct artifact_identity identity = {.key = key, .compiler = 1};
    const struct code_options options = {0};
    struct code_object code = {0};
    struct buf artifact = {0};
    struct module m = {0};
    struct err err = {0};
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    if (module_decode(&m, exception_module, sizeof exception_module, features, &err) != 0 ||
        code_compile_module(&m, features, &options, 1, &code, &err) != 0)
        fail_msg("%s", err.text);
    if (damage != NULL)
        damage(&code);
    assert_int_equal(artifact_write(&m, &code, &identity, &artifact, &err), 0);
    assert_int_equal(write(fd, artifact.data, artifact.len), artifact.len);
    buf_done(&artifact);
    code_object_done(&code);
    module_free(&m);
    assert_int_equal(store_new(&r->store, 0, &err), 0);
    assert_int_equal(code_map(fd, &identity, &r->mapped, &err), 0);
    r->first = instantiate(r, fd);
    r->second = instantiate(r, fd);
    close(fd);
}

static void stop(struct running *r)
{
    store_free(r->store);
    code_unmap(r->mapped);
}

static uint32_t exported(struct instance *instance, const char *name)
{
    struct external e;

    assert_true(instance_export(instance, name_of(name), &e));
    return e.func;
}

static enum trap_kind call(struct running *r, const char *name, uint32_t *result)
{
    union vm_value values[1] = {{0}};
    enum trap_kind trap = call_func(r->store, exported(r->first, name), values);

    *result = values[0].i32;
    return trap;
}

static void through_a_host_function(void **state)
{
    struct running r = {0};
    uint32_t result;

    start(&r, NULL);
    r.to_call = exported(r.first, "throw");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&r, "catch", &result), TRAP_NONE);
        assert_int_equal(result, 7);
        assert_int_equal(call(&r, "legacy", &result), TRAP_NONE);
        assert_int_equal(result, 107);
    }
    r.swallow = true;
    assert_int_equal(call(&r, "catch", &result), TRAP_NONE);
    assert_int_equal((int)result, -1);
    stop(&r);
}

static void a_tag_is_one_instances(void **state)
{
    struct running r = {0};
    uint32_t result;

    start(&r, NULL);
    r.to_call = exported(r.second, "throw");
    assert_int_equal(call(&r, "catch", &result), TRAP_UNCAUGHT_EXCEPTION);
    assert_int_equal(call(&r, "legacy", &result), TRAP_UNCAUGHT_EXCEPTION);
    assert_int_equal(call(&r, "all", &result), TRAP_NONE);
    assert_int_equal(result, 2);
    stop(&r);
}

static void uncaught(void **state)
{
    struct running r = {0};
    struct buf text = {0};
    uint32_t result;

    start(&r, NULL);
    assert_int_equal(call(&r, "throw", &result), TRAP_UNCAUGHT_EXCEPTION);
    exception_print(r.store, r.store->thread->exception, &text);
    assert_string_equal(buf_cstr(&text), "wherry: uncaught exception: tag \"tag\" with i32 0x7\n");
    assert_int_equal(r.store->frame_count, 1);
    r.to_call = exported(r.second, "throw"); /* frames of both entries */
    assert_int_equal(call(&r, "catch", &result), TRAP_UNCAUGHT_EXCEPTION);
    assert_int_equal(r.store->frame_count, 2);
    buf_done(&text);
    stop(&r);
}

static void a_tail_call_leaves_the_try(void **state)
{
    struct running r = {0};
    uint32_t result;

    start(&r, NULL);
    assert_int_equal(call(&r, "tail", &result), TRAP_UNCAUGHT_EXCEPTION);
    stop(&r);
}

static void a_trap_after_a_catch_has_its_own_backtrace(void **state)
{
    struct running r = {0};
    uint32_t result;

    start(&r, NULL);
    assert_int_equal(call(&r, "trap", &result), TRAP_UNREACHABLE);
    assert_int_equal(r.store->frame_count, 1);
    stop(&r);
}

static void handlers_outside(struct code_object *code)
{
    for (size_t i = 0; i < code->catches.len; i++)
        code->catches.data[i].pc = (uint32_t)code->code.len + 1;
}

static void circles(struct code_object *code)
{
    for (size_t i = 0; i < code->tries.len; i++)
        code->tries.data[i].outer = (uint32_t)i + 1;
    for (size_t i = 0; i < code->catches.len; i++)
        code->catches.data[i] = (struct code_catch){.tag = 1000, .next = (uint32_t)i + 1};
}

static void numbers_too_high(struct code_object *code)
{
    for (size_t i = 0; i < code->tries.len; i++)
        code->tries.data[i].catches = 1000;
    for (size_t i = 0; i < code->calls_in_tries.len; i += 2)
        code->calls_in_tries.data[i].try_number = 1000;
}

static void frames_below_the_stack(struct code_object *code)
{
    for (size_t i = 0; i < code->tries.len; i++)
        code->tries.data[i].frame_bytes = UINT32_MAX & ~15u;
}

static void damaged_tables_catch_nothing(void **state)
{
    void (*const damages[])(struct code_object *) = {handlers_outside, circles, numbers_too_high,
                                                     frames_below_the_stack};

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct running r = {0};
        uint32_t result;
        start(&r, damages[i]);
        r.to_call = exported(r.first, "throw");
        assert_int_equal(call(&r, "catch", &result), TRAP_UNCAUGHT_EXCEPTION);
        assert_int_equal(call(&r, "all", &result), TRAP_UNCAUGHT_EXCEPTION);
        stop(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_a_host_function),
        cmocka_unit_test(a_tag_is_one_instances),
        cmocka_unit_test(uncaught),
        cmocka_unit_test(a_tail_call_leaves_the_try),
        cmocka_unit_test(damaged_tables_catch_nothing),
        cmocka_unit_test(a_trap_after_a_catch_has_its_own_backtrace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
