/* Exceptions where more than one function of one instance takes part: through host functions, between instances with
 * tags of their own, out of tail calls; and tables of an artifact that have been damaged. */
#include "engine/feature.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "tests/unit/engine/wasm_bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

/* (type $0 (func)) (type $1 (func (param i32))) (type $2 (func (result i32)))
 * (import "host" "call" (func $0 (type 0))) (tag $0 (export "tag") (type 1))
 * (func $1 (export "throw") (type 0) i32.const 7 throw 0)
 * (func $2 (export "catch") (type 2)
 *   block (result i32) try_table (result i32) (catch 0 0) call 0 i32.const -1 end end)
 * (func $3 (export "all") (type 2)
 *   block try_table (catch_all 0) call 0 end i32.const 1 return end i32.const 2)
 * (func $4 (type 2) call 1 i32.const 3)
 * (func $5 (export "tail") (type 2)
 *   block try_table (catch_all 0) return_call 4 end end i32.const 4)
 * (func $6 (export "trap") (type 2)
 *   block try_table (catch_all 0) call 1 end end unreachable)
 * (func $7 (export "legacy") (type 2)
 *   try (result i32) try (result i32) call 0 i32.const -1 delegate 0 catch 0 i32.const 100 i32.add end) */
static const uint8_t bytes[] = {
    WASM_HEADER,
    /* clang-format off */
    0x01, 0x0c, 0x03, 0x60, 0x00, 0x00, 0x60, 0x01, 0x7f, 0x00, 0x60, 0x00, 0x01, 0x7f, /* types */
    0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x63, 0x61, 0x6c, 0x6c, 0x00, 0x00, /* import */
    0x03, 0x08, 0x07, 0x00, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, /* functions */
    0x0d, 0x03, 0x01, 0x00, 0x01, /* tag */
    0x07, 0x34, 0x07, 0x03, 0x74, 0x61, 0x67, 0x04, 0x00, 0x05, 0x74, 0x68, 0x72, 0x6f, 0x77, 0x00, 0x01, 0x05, 0x63, 0x61, 0x74, 0x63, 0x68, 0x00, 0x02, 0x03, 0x61, 0x6c, 0x6c, 0x00, 0x03, 0x04, 0x74, 0x61, 0x69, 0x6c, 0x00, 0x05, 0x04, 0x74, 0x72, 0x61, 0x70, 0x00, 0x06, 0x06, 0x6c, 0x65, 0x67, 0x61, 0x63, 0x79, 0x00, 0x07, /* exports */
    0x0a, 0x66, 0x07, /* code */
    0x06, 0x00, 0x41, 0x07, 0x08, 0x00, 0x0b, /* $1 */
    0x10, 0x00, 0x02, 0x7f, 0x1f, 0x7f, 0x01, 0x00, 0x00, 0x00, 0x10, 0x00, 0x41, 0x7f, 0x0b, 0x0b, 0x0b, /* $2 */
    0x12, 0x00, 0x02, 0x40, 0x1f, 0x40, 0x01, 0x02, 0x00, 0x10, 0x00, 0x0b, 0x41, 0x01, 0x0f, 0x0b, 0x41, 0x02, 0x0b, /* $3 */
    0x06, 0x00, 0x10, 0x01, 0x41, 0x03, 0x0b, /* $4 */
    0x0f, 0x00, 0x02, 0x40, 0x1f, 0x40, 0x01, 0x02, 0x00, 0x12, 0x04, 0x0b, 0x0b, 0x41, 0x04, 0x0b, /* $5 */
    0x0e, 0x00, 0x02, 0x40, 0x1f, 0x40, 0x01, 0x02, 0x00, 0x10, 0x01, 0x0b, 0x0b, 0x00, 0x0b, /* $6 */
    0x13, 0x00, 0x06, 0x7f, 0x06, 0x7f, 0x10, 0x00, 0x41, 0x7f, 0x18, 0x00, 0x07, 0x00, 0x41, 0xe4, 0x00, 0x6a, 0x0b, 0x0b, /* $7 */
    /* clang-format on */
};

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

    if (module_decode(&m, bytes, sizeof bytes, features, &err) != 0 ||
        code_compile_module(&m, features, &options, baseline_compile, 1, &code, &err) != 0)
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
