/* The heap and its collector, from C: what stays, what goes, what is used again, and where it ends. */
#include "engine/rt/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { NODE, ARRAY, BYTES };

/* type 0: struct {ref null 0, i32, anyref}; 1: array of anyref; 2: array of i8 */
static const valtype fields[] = {(NODE << 8) | VT_REF_NULL,     1, VT_I32, 1, (HEAP_ANY << 8) | VT_REF_NULL, 1,
                                 (HEAP_ANY << 8) | VT_REF_NULL, 1, VT_I8,  1};
static const struct artifact_type types[] = {
    {.kind = TYPE_STRUCT, .final = 1, .supertype = MODULE_NONE, .rec_count = 1, .field_count = 3},
    {.kind = TYPE_ARRAY,
     .final = 1,
     .supertype = MODULE_NONE,
     .rec_first = 1,
     .rec_count = 1,
     .field_count = 1,
     .first = 6,
     .canonical = 1},
    {.kind = TYPE_ARRAY,
     .final = 1,
     .supertype = MODULE_NONE,
     .rec_first = 2,
     .rec_count = 1,
     .field_count = 1,
     .first = 8,
     .canonical = 2},
};

struct node {
    struct vm_object object;
    uint32_t next, number, other;
};

/* A store that believes compiled code waits for a call into C. */
struct fixture {
    struct store *store;
    struct table *roots;
    uint32_t numbers[3];
    struct entry_call call;
};

static void begin(struct fixture *f)
{
    const struct artifact a = {.types = types, .types_count = 3, .valtypes = fields, .valtypes_count = 10};
    const struct limits limits = {.min = 16, .max = 16, .has_max = true};
    struct err err = {0};

    memset(f, 0, sizeof *f);
    assert_int_equal(store_new(&f->store, 0, &err), 0);
    assert_int_equal(types_intern(&f->store->types, &a, f->numbers, &err), 0);
    assert_int_equal(table_new(f->store, &limits, valtype_ref(true, HEAP_ANY), 0, &f->roots, &err), 0);
    f->store->thread->newest = &f->call;
}

static void end(struct fixture *f)
{
    f->store->thread->newest = NULL;
    store_free(f->store);
}

static uint32_t *root(struct fixture *f)
{
    return &f->roots->vm.elements[3];
}

static struct node *node_at(const struct fixture *f, uint32_t reference)
{
    return store_object(f->store, reference);
}

static uint64_t heap_bytes(const struct fixture *f)
{
    return (uint64_t)(f->store->heap.high - f->store->heap.low) << HEAP_BLOCK_LOG2;
}

static void make_list(struct fixture *f, uint32_t count, uint32_t garbage)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reference = object_new_struct(f->store, f->numbers[NODE]);
        assert_int_not_equal(reference, 0);
        node_at(f, reference)->next = *root(f);
        node_at(f, reference)->number = i;
        node_at(f, reference)->other = i << 1 | 1; /* an i31 */
        *root(f) = reference;
        for (uint32_t k = 0; k < garbage; k++)
            assert_int_not_equal(object_new_struct(f->store, f->numbers[NODE]), 0);
    }
}

static void check_list(const struct fixture *f, uint32_t reference, uint32_t count)
{
    for (uint32_t i = count; i-- != 0; reference = node_at(f, reference)->next) {
        assert_int_equal(node_at(f, reference)->object.type, f->numbers[NODE]);
        assert_int_equal(node_at(f, reference)->number, i);
        assert_int_equal(node_at(f, reference)->other, i << 1 | 1);
    }
    assert_int_equal(reference, 0);
}

static void test_what_is_reachable_stays(void **state)
{
    struct fixture f;
    uint32_t array;

    begin(&f);
    make_list(&f, 5000, 7);
    heap_collect(f.store);
    check_list(&f, *root(&f), 5000);
    assert_in_range(f.store->heap.live_bytes, 5000 * sizeof(struct node), 5050 * sizeof(struct node));
    array = object_new_array(f.store, f.numbers[ARRAY], 40000); /* large */
    ((uint32_t *)store_object(f.store, array))[2 + 39999] = *root(&f);
    *root(&f) = array;
    heap_collect(f.store);
    check_list(&f, ((uint32_t *)store_object(f.store, array))[2 + 39999], 5000);
    end(&f);
}

static void test_what_is_not_is_used_again(void **state)
{
    struct fixture f;
    uint64_t bytes;

    begin(&f);
    make_list(&f, 1000, 0);
    for (unsigned i = 0; i < 3000000; i++)
        assert_int_not_equal(object_new_struct(f.store, f.numbers[NODE]), 0);
    bytes = heap_bytes(&f);
    assert_true(f.store->heap.collections > 5);
    assert_true(bytes < 20 << 20);
    for (unsigned i = 0; i < 3000; i++) { /* of several blocks each */
        uint32_t array = object_new_array(f.store, f.numbers[BYTES], 200000);
        uint8_t *elements = (uint8_t *)store_object(f.store, array) + OBJECT_HEADER_BYTES;
        assert_int_not_equal(array, 0);
        assert_int_equal(elements[0] | elements[123456] | elements[199999], 0);
        memset(elements, 0xff, 200000);
    }
    assert_true(heap_bytes(&f) < 40 << 20);
    check_list(&f, *root(&f), 1000);
    end(&f);
}

/* Every size gets zeroed memory, apart from all others. */
static void test_sizes(void **state)
{
    struct fixture f;
    uint32_t array;

    begin(&f);
    f.store->heap.stress = 3;
    array = object_new_array(f.store, f.numbers[ARRAY], 2000);
    *root(&f) = array;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t length = i * 5, bytes = object_new_array(f.store, f.numbers[BYTES], length);
        uint8_t *elements = (uint8_t *)store_object(f.store, bytes) + OBJECT_HEADER_BYTES;
        assert_int_not_equal(bytes, 0);
        for (uint32_t k = 0; k < length; k++)
            assert_int_equal(elements[k], 0);
        memset(elements, (int)(i % 251 + 1), length);
        if (i % 3 != 0)
            ((uint32_t *)store_object(f.store, array))[2 + i] = bytes;
    }
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t bytes = ((uint32_t *)store_object(f.store, array))[2 + i];
        const uint8_t *elements = (const uint8_t *)store_object(f.store, bytes) + OBJECT_HEADER_BYTES;
        for (uint32_t k = 0; bytes != 0 && k < i * 5; k++)
            assert_int_equal(elements[k], i % 251 + 1);
    }
    end(&f);
}

/* Any word on the Wasm stack may look like a reference. */
static void test_stack_is_conservative(void **state)
{
    struct fixture f;
    uint32_t list, *slots;

    begin(&f);
    make_list(&f, 100, 0);
    list = *root(&f);
    *root(&f) = 0;
    slots = (uint32_t *)f.store->thread->stack_high - 1024;
    f.store->thread->wasm_sp = slots;
    for (uint32_t i = 0; i < 1023; i++) /* inside of objects, below and above the heap, in cells that are free */
        slots[i] = list + i * 8 + 4 - (i % 7) * 65536;
    slots[1023] = list;
    heap_collect(f.store);
    check_list(&f, list, 100);
    end(&f);
}

/* An object's address on the Wasm stack, eight bytes at a multiple of eight, stands for a reference to it. */
static void test_addresses_are_found(void **state)
{
    enum { OBJECTS = 500 };
    struct fixture f;
    uint64_t *slots, kept_bytes;

    begin(&f);
    slots = (uint64_t *)f.store->thread->stack_high - OBJECTS;
    f.store->thread->wasm_sp = slots;
    for (unsigned i = 0; i < OBJECTS; i++)
        slots[i] = (uintptr_t)node_at(&f, object_new_struct(f.store, f.numbers[NODE]));
    heap_collect(f.store);
    kept_bytes = f.store->heap.live_bytes;
    assert_in_range(kept_bytes, OBJECTS * 16, OBJECTS * 64);
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_int_equal(((const struct node *)(uintptr_t)slots[i])->object.type, f.numbers[NODE]);
    for (unsigned i = 0; i < OBJECTS; i++)
        slots[i] += i % 2 == 0 ? 8 : UINT64_C(1) << 32; /* inside of an object; not in the space */
    heap_collect(f.store);
    assert_in_range(f.store->heap.live_bytes, 0, kept_bytes / 10); /* what our own stack still holds */
    end(&f);
}

static void test_limit(void **state)
{
    struct fixture f;
    uint32_t reference, count = 0;

    begin(&f);
    f.store->heap.max_bytes = 4 << 20;
    while ((reference = object_new_struct(f.store, f.numbers[NODE])) != 0) {
        node_at(&f, reference)->next = *root(&f);
        *root(&f) = reference;
        count++;
    }
    assert_in_range(count, (4 << 20) / 32 * 9 / 10, (4 << 20) / 32);
    assert_int_equal(object_new_array(f.store, f.numbers[BYTES], UINT32_MAX), 0);
    while ((reference = *root(&f)) != 0) { /* apart, for the sake of what our own stack still holds */
        *root(&f) = node_at(&f, reference)->next;
        node_at(&f, reference)->next = 0;
    }
    assert_int_not_equal(object_new_array(f.store, f.numbers[BYTES], 1 << 20), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_reachable_stays),
        cmocka_unit_test(test_what_is_not_is_used_again),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_stack_is_conservative),
        cmocka_unit_test(test_addresses_are_found),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
