/* The runtime without a compiler: modules put together by hand, their machine code as bytes. */
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static valtype i32_twice[] = {VT_I32, VT_I32};
static valtype many[20];
static struct type_def types[] = {
    {.kind = TYPE_FUNC,
     .final = true,
     .supertype = MODULE_NONE,
     .rec_first = 0,
     .rec_count = 1,
     .param_count = 2,
     .params = i32_twice,
     .result_count = 1,
     .results = i32_twice},
    {.kind = TYPE_FUNC, .final = true, .supertype = MODULE_NONE, .rec_first = 1, .rec_count = 1, .canonical = 1},
    {.kind = TYPE_FUNC,
     .final = true,
     .supertype = MODULE_NONE,
     .rec_first = 2,
     .canonical = 2,
     .rec_count = 1,
     .param_count = 20,
     .params = many,
     .result_count = 10,
     .results = many},
};

struct fixture {
    struct module m;
    struct code_object code;
    struct store *store;
    struct code *mapped;
    struct instance *instance;
    int fd;
};

static void add_code(struct fixture *f, const void *bytes, size_t len)
{
    vec_push(&f->code.entries, (uint32_t)f->code.code.len);
    buf_put(&f->code.code, bytes, len);
}

static void add_site(struct fixture *f, uint32_t pc, uint8_t kind)
{
    code_add_site(&f->code, (struct site){pc, 0x100 + pc, kind}, 0);
}

#define CODE(f, ...)                                                                                                   \
    do {                                                                                                               \
        static const uint8_t code_bytes[] = {__VA_ARGS__};                                                             \
        add_code(f, code_bytes, sizeof code_bytes);                                                                    \
    } while (0)

static void finish(struct fixture *f, struct link_source *source)
{
    static const uint8_t key[32] = {1, 2, 3};
    struct artifact_identity identity = {.key = key, .compiler = 1};
    struct buf artifact = {0}, again = {0}, machine_code = {0};
    struct external imports[4];
    struct linker linker = {0};
    struct err err = {0};

    vec_push(&f->code.entries, (uint32_t)f->code.code.len);
    buf_put(&machine_code, f->code.code.data, f->code.code.len);
    assert_int_equal(artifact_write(&f->m, &f->code, &identity, &artifact, &err), 0);
    f->code.code = machine_code;
    assert_int_equal(artifact_write(&f->m, &f->code, &identity, &again, &err), 0);
    assert_int_equal(artifact.len, again.len);
    assert_memory_equal(artifact.data, again.data, again.len);
    f->fd = memfd_create("artifact", MFD_CLOEXEC);
    assert_int_equal(write(f->fd, artifact.data, artifact.len), artifact.len);
    buf_done(&artifact);
    buf_done(&again);
    assert_int_equal(store_new(&f->store, 0, &err), 0);
    assert_int_equal(code_map(f->fd, &identity, &f->mapped, &err), 0);
    linker.store = f->store;
    if (source != NULL)
        vec_push(&linker.sources, *source);
    if (link_imports(&linker, f->mapped, imports, &err) != 0)
        fail_msg("%s", err.text);
    if (instance_new(f->store, f->mapped, f->fd, imports, &f->instance, &err) != 0)
        fail_msg("%s", err.text);
    vec_done(&linker.sources);
}

static void drop(struct fixture *f)
{
    store_free(f->store);
    code_unmap(f->mapped);
    close(f->fd);
    code_object_done(&f->code);
}

static uint32_t exported(struct fixture *f, const char *name)
{
    struct external e;
    assert_true(instance_export(f->instance, name_of(name), &e));
    assert_int_equal(e.kind, EXTERNAL_FUNC);
    return e.func;
}

static void test_add_and_divide(void **state)
{
    struct fixture f = {0};
    struct func_decl funcs[] = {{.type = 0}, {.type = 0}};
    struct export_decl exports[] = {{{"add", 3}, EXTERNAL_FUNC, 0}, {{"divide", 6}, EXTERNAL_FUNC, 1}};
    struct name names[] = {{"", 0}, {"divide_it", 9}};
    union vm_value values[2];
    struct buf text = {0};

    f.m.types = types, f.m.type_count = 2;
    f.m.funcs = funcs, f.m.func_count = 2;
    f.m.exports = exports, f.m.export_count = 2;
    f.m.func_names = names;
    f.m.start_func = MODULE_NONE;
    CODE(&f, 0x8d, 0x04, 0x37, 0xc3); /* lea (rdi,rsi), eax; ret */
    CODE(&f, 0x55, 0x48, 0x89, 0xe5, 0x89, 0xf8, 0x99, 0xf7, 0xfe, 0x5d,
         0xc3); /* push rbp; mov; mov edi,eax; cdq; idiv esi */
    add_site(&f, 4 + 7, TRAP_INTEGER_DIVIDE_BY_ZERO);
    finish(&f, NULL);

    values[0].i32 = 40, values[1].i32 = 2;
    assert_int_equal(call_func(f.store, exported(&f, "add"), values), TRAP_NONE);
    assert_int_equal(values[0].i32, 42);
    values[0].i32 = 42, values[1].i32 = 5;
    assert_int_equal(call_func(f.store, exported(&f, "divide"), values), TRAP_NONE);
    assert_int_equal(values[0].i32, 8);
    for (int i = 0; i < 3; i++) {
        values[0].i32 = 42, values[1].i32 = 0;
        assert_int_equal(call_func(f.store, exported(&f, "divide"), values), TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
    backtrace_print(f.store, &text);
    assert_string_equal(buf_cstr(&text), "   0: divide_it (at 0x10b)\n");
    buf_done(&text);
    drop(&f);
}

static void test_stack_overflow(void **state)
{
    struct fixture f = {0};
    struct func_decl funcs[] = {{.type = 1}};
    struct export_decl exports[] = {{{"recurse", 7}, EXTERNAL_FUNC, 0}};

    f.m.types = types, f.m.type_count = 2;
    f.m.funcs = funcs, f.m.func_count = 1;
    f.m.exports = exports, f.m.export_count = 1;
    f.m.start_func = MODULE_NONE;
    CODE(&f, 0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x50, 0xe8, 0xf4, 0xff, 0xff,
         0xff); /* push rbp; mov; push r15; push rax; call 0 */
    add_site(&f, 12, TRAP_NONE);
    finish(&f, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call_func(f.store, exported(&f, "recurse"), NULL), TRAP_STACK_OVERFLOW);
        assert_int_equal(f.store->frame_count, BACKTRACE_MAX);
    }
    drop(&f);
}

/* Ten results rotate through twenty arguments, so that registers, argument slots and result slots all take part. */
static enum trap_kind rotate(struct host_call *call)
{
    for (int i = 0; i < 10; i++)
        call->values[i] = call->values[i + 10];
    return *(int *)call->context != 0 ? TRAP_CAST_FAILURE : TRAP_NONE;
}

static void test_host_call(void **state)
{
    static const struct host_function_def defs[] = {{"rotate", "iiiiiiiiiiiiiiiiiiii:iiiiiiiiii", rotate}};
    static const struct host_module host = {"host", defs, 1};
    int must_trap = 0;
    struct link_source source = {.module = name_of("host"), .host = &host, .context = &must_trap};
    struct fixture f = {0};
    struct func_decl funcs[] = {{.type = 2}, {.type = 2}};
    struct import_decl imports[] = {{{"host", 4}, {"rotate", 6}, EXTERNAL_FUNC, 0}};
    struct export_decl exports[] = {{{"forward", 7}, EXTERNAL_FUNC, 1}};
    union vm_value values[20];

    for (unsigned i = 0; i < 20; i++)
        many[i] = VT_I32;
    f.m.types = types, f.m.type_count = 3;
    f.m.funcs = funcs, f.m.func_count = 2, f.m.imported_func_count = 1;
    f.m.imports = imports, f.m.import_count = 1;
    f.m.exports = exports, f.m.export_count = 1;
    f.m.start_func = MODULE_NONE;
    /* A tail call: frame untouched, r15 from the import's vm, jump to its code; the caller's [rbp-8] is the entry's. */
    CODE(&f, 0x4d, 0x8b, 0x57, 0x20, /* mov 32(r15), r10: imports */
         0x4d, 0x8b, 0x7a, 0x08,     /* mov 8(r10), r15 */
         0x41, 0xff, 0x22);          /* jmp *(r10) */
    finish(&f, &source);
    for (unsigned i = 0; i < 20; i++)
        values[i].i32 = 100 + i;
    assert_int_equal(call_func(f.store, exported(&f, "forward"), values), TRAP_NONE);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(values[i].i32, 110 + i);
    must_trap = 1;
    assert_int_equal(call_func(f.store, exported(&f, "forward"), values), TRAP_CAST_FAILURE);
    drop(&f);
}

static void test_unknown_import(void **state)
{
    struct func_decl funcs[] = {{.type = 0}};
    struct import_decl imports[] = {{{"env", 3}, {"f", 1}, EXTERNAL_FUNC, 0}};
    struct module m = {.types = types,
                       .type_count = 1,
                       .funcs = funcs,
                       .func_count = 1,
                       .imported_func_count = 1,
                       .imports = imports,
                       .import_count = 1,
                       .start_func = MODULE_NONE};
    static const uint8_t key[32];
    struct artifact_identity identity = {.key = key};
    struct code_object code = {0};
    struct buf artifact = {0};

    vec_push(&code.entries, 0);
    assert_int_equal(artifact_write(&m, &code, &identity, &artifact, NULL), 0);
    assert_string_equal(((struct artifact_header *)artifact.data)->unknown_import,
                        "the module imports the function \"f\" from \"env\" with the type (i32, i32) -> i32, which the "
                        "engine does not have");
    buf_done(&artifact);
    code_object_done(&code);
}

/* Every byte of the header page and every section bound counts: a changed one is refused. */
static void test_damaged_artifact(void **state)
{
    struct func_decl funcs[] = {{.type = 0}};
    struct module m = {.types = types, .type_count = 1, .funcs = funcs, .func_count = 1, .start_func = MODULE_NONE};
    static const uint8_t key[32];
    struct artifact_identity identity = {.key = key};
    struct code_object code = {0};
    struct buf a = {0};

    vec_push(&code.entries, 0);
    buf_put(&code.code, "\xc3", 1);
    vec_push(&code.entries, 1);
    assert_int_equal(artifact_write(&m, &code, &identity, &a, NULL), 0);
    assert_int_equal(artifact_check_header((void *)a.data, a.len, &identity, NULL), 0);
    assert_int_equal(artifact_check_header((void *)a.data, a.len - 1, &identity, NULL), -ESTALE);
    for (size_t i = 0; i < sizeof(struct artifact_header); i++) {
        a.data[i] ^= 0x40;
        assert_int_equal(artifact_check_header((void *)a.data, a.len, &identity, NULL), -ESTALE);
        a.data[i] ^= 0x40;
    }
    for (unsigned i = 0; i < ARTIFACT_SECTION_COUNT; i++) {
        struct artifact_header *h = (void *)a.data;
        struct artifact view;
        uint64_t old = h->sections[i].size_bytes;
        h->sections[i].size_bytes = UINT64_MAX / 64 * 64;
        assert_int_equal(artifact_open(&view, a.data, a.len, NULL), -ESTALE);
        h->sections[i].size_bytes = old;
    }
    buf_done(&a);
    code_object_done(&code);
}

static uint8_t with_data[] = {0x41, 0x08, 0x0b, 'h', 'e', 'l', 'l', 'o', 0x41, 0x80, 0x80, 0x04, 0x0b};

static void test_memory_image_and_growth(void **state)
{
    struct fixture f = {0};
    struct memory_decl memories[] = {{{.min = 2, .max = 4, .has_max = true, .page_size_log2 = 16}}};
    struct data_segment datas[] = {
        {.mode = SEGMENT_ACTIVE, .offset = {0, 3}, .bytes = {3, 5}},
        {.mode = SEGMENT_ACTIVE, .offset = {8, 5}, .bytes = {3, 4}}, /* at 65536 */
        {.mode = SEGMENT_PASSIVE, .bytes = {4, 2}},
    };
    struct memory *m;

    f.m.bytes = with_data, f.m.len = sizeof with_data;
    f.m.memories = memories, f.m.memory_count = 1;
    f.m.datas = datas, f.m.data_count = 3;
    f.m.start_func = MODULE_NONE;
    finish(&f, NULL);
    assert_int_equal(f.mapped->artifact.images_count, 1);
    m = (struct memory *)f.instance->vm.memories[0];
    assert_memory_equal(m->vm.base + 8, "hello\0", 6);
    assert_memory_equal(m->vm.base + 65536, "hell\0", 5);
    assert_int_equal(instance_initialize(f.instance), TRAP_NONE);
    assert_true(f.instance->data_dropped[0]);
    assert_int_equal(instance_memory_init(f.instance, 0, 0, 0, 0, 1), TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(instance_memory_init(f.instance, 0, 2, 100, 0, 2), TRAP_NONE);
    assert_memory_equal(m->vm.base + 100, "el", 2);
    assert_int_equal(memory_grow(f.store, m, 3), UINT64_MAX);
    assert_int_equal(memory_grow(f.store, m, 2), 2);
    m->vm.base[4 * 65536 - 1] = 1;
    assert_int_equal(memory_grow(f.store, m, 0), 4);
    drop(&f);
}

/* --- damage ---------------------------------------------------------------------------------------------------- */

static enum trap_kind nothing(struct host_call *call)
{
    return TRAP_NONE;
}

/* An artifact in which every table has something. */
static void make_artifact(struct buf *out)
{
    static uint8_t bytes[] = {0x41, 0x01, 0x0b, 0xd2, 0x01, 0x0b, 0x23, 0x00, 0x0b, 'd', 'a', 't', 'a'};
    static const uint8_t key[32];
    struct artifact_identity identity = {.key = key};
    struct func_decl funcs[] = {{.type = 1, .referenced = true}, {.type = 1, .referenced = true}};
    struct import_decl imports[] = {{{"host", 4}, {"nothing", 7}, EXTERNAL_FUNC, 0}};
    struct export_decl exports[] = {
        {{"f", 1}, EXTERNAL_FUNC, 1}, {{"t", 1}, EXTERNAL_TABLE, 0}, {{"m", 1}, EXTERNAL_MEMORY, 0}};
    struct name names[] = {{"nothing", 7}, {"f", 1}};
    struct table_decl tables[] = {
        {.type = valtype_ref(true, HEAP_FUNC), .limits = {.min = 4, .max = 8, .has_max = true}, .init = {3, 3}}};
    struct memory_decl memories[] = {{{.min = 1, .max = UINT64_MAX, .page_size_log2 = 16}}};
    struct global_decl globals[] = {{VT_I32, false, {0, 3}}, {VT_I32, true, {6, 3}}};
    struct byte_range items[] = {{3, 3}, {3, 3}};
    uint32_t indexes[] = {0, 1};
    struct element_segment elements[] = {
        {SEGMENT_ACTIVE, 0, valtype_ref(true, HEAP_FUNC), {0, 3}, 2, indexes, NULL},
        {SEGMENT_PASSIVE, 0, valtype_ref(true, HEAP_FUNC), {0, 0}, 2, NULL, items},
    };
    struct data_segment datas[] = {{SEGMENT_ACTIVE, 0, {6, 3}, {9, 4}}, {SEGMENT_PASSIVE, 0, {0, 0}, {9, 4}}};
    struct module m = {
        .bytes = bytes,
        .len = sizeof bytes,
        .types = types,
        .type_count = 3,
        .funcs = funcs,
        .func_count = 2,
        .imported_func_count = 1,
        .imports = imports,
        .import_count = 1,
        .exports = exports,
        .export_count = 3,
        .func_names = names,
        .tables = tables,
        .table_count = 1,
        .memories = memories,
        .memory_count = 1,
        .globals = globals,
        .global_count = 2,
        .elements = elements,
        .element_count = 2,
        .datas = datas,
        .data_count = 2,
        .start_func = 1,
    };
    struct code_object code = {0};

    vec_push(&code.entries, 0);
    buf_put(&code.code, "\xc3", 1);
    vec_push(&code.entries, 1);
    assert_int_equal(artifact_write(&m, &code, &identity, out, NULL), 0);
    code_object_done(&code);
}

/* Maps, links and initialises it; whatever happens but a signal is fine. */
static int use_artifact(const struct buf *artifact)
{
    static const struct host_function_def defs[] = {{"nothing", ":", nothing}};
    static const struct host_module host = {"host", defs, 1};
    struct artifact_identity any = {0};
    struct linker linker = {0};
    struct external imports[64];
    struct store *store;
    struct instance *instance;
    struct code *code;
    struct err err;
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    if (write(fd, artifact->data, artifact->len) != (ssize_t)artifact->len || code_map(fd, &any, &code, &err) != 0 ||
        code->artifact.imports_count > 64 || store_new(&store, 0, &err) != 0)
        return 1;
    linker.store = store;
    vec_push(&linker.sources, ((struct link_source){.module = name_of("host"), .host = &host}));
    if (link_imports(&linker, code, imports, &err) != 0 || instance_new(store, code, fd, imports, &instance, &err) != 0)
        return 1;
    return instance_initialize(instance) == TRAP_NONE ? 0 : 2;
}

static int wait_status_of_use(const struct buf *artifact)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(10);
        _exit(use_artifact(artifact));
    }
    waitpid(pid, &status, 0);
    return status;
}

/* Behind the header's checksum too: tables with any byte changed are refused, trap, or make no difference. Code, its
 * entries and its sites are left out, since there is no telling what damaged code does: the digest of the body
 * stands before them. */
static void test_damaged_tables(void **state)
{
    struct buf a = {0};
    const struct artifact_header *h;

    make_artifact(&a);
    h = (const void *)a.data;
    assert_int_equal(wait_status_of_use(&a), 0);
    for (unsigned i = ARTIFACT_code + 1; i < ARTIFACT_entries; i++) {
        for (uint64_t at = h->sections[i].offset; at < h->sections[i].offset + h->sections[i].size_bytes; at++) {
            a.data[at] ^= 0xff;
            if (WIFSIGNALED(wait_status_of_use(&a)))
                fail_msg("died with byte %llu of section %u changed", (unsigned long long)(at - h->sections[i].offset),
                         i);
            a.data[at] ^= 0xff;
        }
    }
    for (unsigned i = ARTIFACT_imports; i < ARTIFACT_pages; i++) {
        for (uint64_t at = h->sections[i].offset; at < h->sections[i].offset + h->sections[i].size_bytes; at++) {
            a.data[at] ^= 0x81;
            if (WIFSIGNALED(wait_status_of_use(&a)))
                fail_msg("died with byte %llu of section %u changed", (unsigned long long)(at - h->sections[i].offset),
                         i);
            a.data[at] ^= 0x81;
        }
    }
    assert_int_equal(h->body_digest, artifact_body_digest(a.data, a.len));
    a.data[a.len - 1] ^= 1;
    assert_int_not_equal(h->body_digest, artifact_body_digest(a.data, a.len));
    buf_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_divide),   cmocka_unit_test(test_stack_overflow),
        cmocka_unit_test(test_host_call),        cmocka_unit_test(test_unknown_import),
        cmocka_unit_test(test_damaged_artifact), cmocka_unit_test(test_memory_image_and_growth),
        cmocka_unit_test(test_damaged_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
