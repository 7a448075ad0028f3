/* Casts: tests of an object's type against a heap type, as baseline/cast.c makes them, but out of single instructions:
 * a cast that has been made already on the way is none. */
#include "engine/baseline/masm.h"
#include "engine/ir/build.h"
#include <assert.h>

enum { WAYS_MOST = 4 };

struct ways { /* blocks, not begun yet, that lead to the same place */
    uint32_t blocks[WAYS_MOST], count;
};

struct test {
    enum trap_kind kind;                      /* of a failure; TRAP_NONE: it does not trap */
    struct build_label *on_pass, *on_failure; /* where these go; NULL: they become ways */
    struct ways passed, failed;
};

static void add_way(struct ways *ways, uint32_t block)
{
    assert(ways->count < WAYS_MOST);
    ways->blocks[ways->count++] = block;
}

static void leave_if(struct builder *b, ir_value condition, struct ways *ways, struct build_label *label)
{
    uint32_t yes, no;

    build_branch(b, condition, &yes, &no);
    if (label == NULL) {
        add_way(ways, yes);
    } else {
        build_start_block(b, yes);
        build_go_to(b, label);
    }
    build_start_block(b, no);
}

static void fail_if(struct builder *b, struct test *t, ir_value condition)
{
    if (t->kind != TRAP_NONE)
        build_trap_if(b, condition, t->kind);
    else
        leave_if(b, condition, &t->failed, t->on_failure);
}

static void pass_if(struct builder *b, struct test *t, ir_value condition)
{
    leave_if(b, condition, &t->passed, t->on_pass);
}

static void fail(struct builder *b, struct test *t)
{
    if (t->kind != TRAP_NONE) {
        build_emit(b, IR_TRAP, VT_BOTTOM, NULL, 0, t->kind);
        b->block = 0;
    } else if (t->on_failure != NULL) {
        build_go_to(b, t->on_failure);
    } else {
        uint32_t block = ir_new_block(b->f);
        build_jump(b, block);
        add_way(&t->failed, block);
    }
}

/* All ways and the current block, if there is one, become one block, which becomes the current one; or none does. */
static void join(struct builder *b, const struct ways *ways)
{
    uint32_t target;

    if (ways->count == 0)
        return;
    if (ways->count == 1 && b->block == 0) {
        build_start_block(b, ways->blocks[0]);
        return;
    }
    target = ir_new_block(b->f);
    if (b->block != 0)
        build_jump(b, target);
    for (uint32_t i = 0; i < ways->count; i++) {
        build_start_block(b, ways->blocks[i]);
        build_jump(b, target);
    }
    build_start_block(b, target);
}

/* --- the tests ---------------------------------------------------------------------------------------------------- */
static ir_value is_null(struct builder *b, ir_value reference)
{
    return build_emit1(b, OP_I32_EQZ, VT_I32, reference, 0);
}

static ir_value is_i31(struct builder *b, ir_value reference)
{
    return build_emit2(b, OP_I32_AND, VT_I32, reference, build_const_i32(b, 1), 0);
}

/* Goes on only if NUMBER is TYPE's or a subtype's. */
static void test_number(struct builder *b, struct test *t, ir_value number, uint32_t type)
{
    const struct type_def *def = &b->module->types[type];
    uint32_t row = (uint32_t)(offsetof(struct vm_type_row, display) + def->depth * 4);
    ir_value wanted;

    if (!def->final && def->depth >= VM_TYPE_DISPLAY) {
        ir_value yes = build_emit1(b, IR_IS_SUBTYPE, VT_I32, number, def->canonical);
        fail_if(b, t, build_emit1(b, OP_I32_EQZ, VT_I32, yes, 0));
        return;
    }
    wanted = build_emit(b, IR_TYPE_ID, VT_I32, NULL, 0, def->canonical);
    if (!def->final)
        number = build_emit1(b, IR_TYPE_ROW, VT_I32, number, row);
    fail_if(b, t, build_emit2(b, OP_I32_NE, VT_I32, number, wanted, 0));
}

/* The number of the type of what REFERENCE, no i31, names. Null faults: where it has not been ruled out, that fails. */
static ir_value type_number(struct builder *b, const struct test *t, ir_value reference)
{
    return build_load_fixed(b, reference, offsetof(struct vm_object, type), t->kind);
}

/* structref, arrayref, eqref: by the row's kind. A host's object has none. */
static void test_kind(struct builder *b, struct test *t, ir_value reference, uint32_t kind)
{
    ir_value row =
        build_emit1(b, IR_TYPE_ROW, VT_I32, type_number(b, t, reference), offsetof(struct vm_type_row, kind));
    unsigned op = kind == 0 ? OP_I32_EQ : OP_I32_NE;

    fail_if(b, t, build_emit2(b, op, VT_I32, row, build_const_i32(b, kind), 0));
}

/* Whether a null reference is found by a fault where the type's number is read. */
static bool null_faults(const struct builder *b, heaptype heap)
{
    return heap == HEAP_STRUCT || heap == HEAP_ARRAY ||
           (heap < HEAP_ABSTRACT && b->module->types[heap].kind != TYPE_FUNC);
}

static void test_function(struct builder *b, struct test *t, ir_value reference, uint32_t type)
{
    test_number(b, t, build_load_fixed(b, reference, offsetof(struct vm_func, type_id), t->kind), type);
}

/* REFERENCE is not null, or null faults. */
static void test_heap(struct builder *b, struct test *t, ir_value reference, heaptype heap)
{
    switch (heap) {
    case HEAP_ANY:
    case HEAP_EXTERN:
    case HEAP_FUNC:
    case HEAP_EXN: return;
    case HEAP_NONE:
    case HEAP_NOEXTERN:
    case HEAP_NOFUNC:
    case HEAP_NOEXN: fail(b, t); return;
    case HEAP_I31: fail_if(b, t, build_emit1(b, OP_I32_EQZ, VT_I32, is_i31(b, reference), 0)); return;
    case HEAP_EQ:
        pass_if(b, t, is_i31(b, reference));
        test_kind(b, t, reference, 0);
        return;
    case HEAP_STRUCT:
    case HEAP_ARRAY:
        fail_if(b, t, is_i31(b, reference));
        test_kind(b, t, reference, heap == HEAP_STRUCT ? TYPE_STRUCT : TYPE_ARRAY);
        return;
    default: break;
    }
    if (b->module->types[heap].kind == TYPE_FUNC) {
        test_function(b, t, reference, heap);
        return;
    }
    fail_if(b, t, is_i31(b, reference));
    test_number(b, t, type_number(b, t, reference), heap);
}

/* Behind it the current block is where the test has passed; 0: it never does. */
static void test_reference(struct builder *b, struct test *t, ir_value reference, valtype to)
{
    heaptype heap = valtype_heap(to);

    if (valtype_code(to) == VT_REF_NULL)
        pass_if(b, t, is_null(b, reference));
    else if (t->kind == TRAP_NONE || !null_faults(b, heap))
        fail_if(b, t, is_null(b, reference));
    test_heap(b, t, reference, heap);
    join(b, &t->passed);
}

void build_check_function(struct builder *b, ir_value reference, uint32_t type)
{
    struct test t = {.kind = TRAP_INDIRECT_CALL_TYPE_MISMATCH};
    uint32_t disp = offsetof(struct vm_func, type_id);

    test_number(b, &t, build_load_fixed(b, reference, disp, TRAP_UNINITIALIZED_ELEMENT), type);
}

/* --- instructions ------------------------------------------------------------------------------------------------- */
static void ref_test(struct builder *b, bool null)
{
    valtype to = valtype_ref(null, body_heaptype(&b->frame->body));
    ir_value results[] = {build_const_i32(b, 1), build_const_i32(b, 0)};
    struct test t = {.kind = TRAP_NONE};
    uint32_t target;

    test_reference(b, &t, build_pop(b), to);
    if (b->block == 0 || t.failed.count == 0) {
        build_push(b, results[b->block == 0]);
        join(b, &t.failed);
        return;
    }
    target = ir_new_block(b->f);
    build_jump(b, target);
    join(b, &t.failed);
    build_jump(b, target);
    build_start_block(b, target);
    build_push(b, ir_append(b->f, target, IR_PHI, VT_I32, results, 2, 0));
}

static void ref_cast(struct builder *b, bool null)
{
    valtype to = valtype_ref(null, body_heaptype(&b->frame->body));
    struct test t = {.kind = TRAP_CAST_FAILURE};

    test_reference(b, &t, *vec_last(&b->stack), to);
    if (b->block == 0)
        build_set_unreachable(b);
}

static void br_on_cast(struct builder *b, bool on_failure)
{
    struct cast_branch branch = body_cast_branch(&b->frame->body);
    struct build_label *l = build_label_at(b, branch.label);
    struct test t = {.on_pass = on_failure ? NULL : l, .on_failure = on_failure ? l : NULL};

    test_reference(b, &t, *vec_last(&b->stack), branch.to);
    if (!on_failure) {
        if (b->block != 0)
            build_go_to(b, l);
        join(b, &t.failed);
    }
    if (b->block == 0)
        build_set_unreachable(b);
}

bool build_cast_op(struct builder *b, enum opcode op)
{
    switch (op) {
    case OP_REF_TEST:
    case OP_REF_TEST_NULL: ref_test(b, op == OP_REF_TEST_NULL); return true;
    case OP_REF_CAST:
    case OP_REF_CAST_NULL: ref_cast(b, op == OP_REF_CAST_NULL); return true;
    case OP_BR_ON_CAST:
    case OP_BR_ON_CAST_FAIL: br_on_cast(b, op == OP_BR_ON_CAST_FAIL); return true;
    default: return false;
    }
}
