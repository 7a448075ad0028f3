/* Casts: tests of an object's type against a heap type.
 *
 * The number in an object's header indexes vm->type_rows; the row holds its supertypes by depth, so that one compare
 * with the wanted type's number (from vm->type_ids: code holds no number itself) decides, whatever the depth of the
 * hierarchy below. Types deeper than a row go up step by step. */
#include "engine/baseline/compiler.h"

/* Where a test goes that fails: a label, or a trap. */
struct failure {
    struct masm_label *label;
    enum trap_kind kind;
};

static void fail_if(struct compiler *c, const struct failure *failure, enum masm_cond cond)
{
    if (failure->label != NULL)
        masm_branch(&c->m, cond, failure->label);
    else
        masm_trap_if(&c->m, cond, failure->kind);
}

static void fail(struct compiler *c, const struct failure *failure)
{
    if (failure->label != NULL)
        masm_jump(&c->m, failure->label);
    else
        masm_trap(&c->m, failure->kind);
}

/* A row is 32 bytes: NUMBER becomes the offset of its type's. */
static void row_offset(struct compiler *c, reg number)
{
    _Static_assert(sizeof(struct vm_type_row) == 32, "the shift");
    masm_shift_const(&c->m, SHIFT_SHL, true, number, number, 5);
}

struct type_temporaries {
    reg number; /* of the object's type */
    reg wanted, rows;
};

static struct type_temporaries alloc_temporaries(struct compiler *c)
{
    struct type_temporaries t;

    t.number = vstack_alloc(c, false);
    t.wanted = vstack_alloc(c, false);
    t.rows = vstack_alloc(c, false);
    return t;
}

static void free_temporaries(struct compiler *c, const struct type_temporaries *t)
{
    c->pinned &= ~(regset_of(t->number) | regset_of(t->wanted) | regset_of(t->rows));
}

static void load_rows(struct compiler *c, reg rows)
{
    masm_load_pointer(&c->m, rows, masm_at(target_native.vm, offsetof(struct vm, type_rows)));
}

/* Goes on only if t->number is TYPE's or a subtype's. */
static void test_number(struct compiler *c, uint32_t type, const struct type_temporaries *t,
                        const struct failure *failure)
{
    const struct type_def *def = &c->module->types[type];
    struct masm_label again = {0}, yes = {0};

    masm_load_pointer(&c->m, t->wanted, masm_at(target_native.vm, offsetof(struct vm, type_ids)));
    masm_load(&c->m, VT_I32, t->wanted, masm_at(t->wanted, (int32_t)(type * sizeof(uint32_t))));
    if (def->final) {
        masm_compare(&c->m, false, t->number, t->wanted);
        fail_if(c, failure, COND_NE);
        return;
    }
    load_rows(c, t->rows);
    if (def->depth < VM_TYPE_DISPLAY) {
        row_offset(c, t->number);
        masm_load(&c->m, VT_I32, t->number,
                  (struct masm_address){t->rows, t->number, 0,
                                        (int32_t)(offsetof(struct vm_type_row, display) + def->depth * 4)});
        masm_compare(&c->m, false, t->number, t->wanted);
        fail_if(c, failure, COND_NE);
        return;
    }
    masm_bind(&c->m, &again);
    masm_compare(&c->m, false, t->number, t->wanted);
    masm_branch(&c->m, COND_EQ, &yes);
    row_offset(c, t->number);
    masm_load(&c->m, VT_I32, t->number,
              (struct masm_address){t->rows, t->number, 0, offsetof(struct vm_type_row, supertype)});
    masm_compare_const(&c->m, false, t->number, 0);
    masm_branch(&c->m, COND_NE, &again);
    fail(c, failure);
    masm_bind(&c->m, &yes);
}

/* t->number = number of the type of what REFERENCE, which is not null, names; OFFSET: where that stands there. */
static void load_number(struct compiler *c, reg reference, uint32_t offset, const struct type_temporaries *t)
{
    masm_load_pointer(&c->m, t->number, masm_at(target_native.vm, offsetof(struct vm, reference_space)));
    masm_load(&c->m, VT_I32, t->number, (struct masm_address){t->number, reference, 0, (int32_t)offset});
}

/* structref, arrayref, eqref: by the row's kind. A host's object has none. */
static void test_kind(struct compiler *c, reg reference, uint32_t kind, const struct type_temporaries *t,
                      const struct failure *failure)
{
    load_number(c, reference, offsetof(struct vm_object, type), t);
    load_rows(c, t->rows);
    row_offset(c, t->number);
    masm_load(&c->m, VT_I32, t->number,
              (struct masm_address){t->rows, t->number, 0, offsetof(struct vm_type_row, kind)});
    masm_compare_const(&c->m, false, t->number, kind);
    fail_if(c, failure, kind == 0 ? COND_EQ : COND_NE);
}

static void test_i31(struct compiler *c, reg reference, enum masm_cond cond, const struct failure *failure)
{
    masm_test_const(&c->m, false, reference, 1);
    fail_if(c, failure, cond);
}

/* REFERENCE is not null. */
static void test_heap(struct compiler *c, reg reference, heaptype heap, const struct type_temporaries *t,
                      const struct failure *failure)
{
    struct masm_label yes = {0};

    switch (heap) {
    case HEAP_ANY:
    case HEAP_EXTERN:
    case HEAP_FUNC:
    case HEAP_EXN: return;
    case HEAP_NONE:
    case HEAP_NOEXTERN:
    case HEAP_NOFUNC:
    case HEAP_NOEXN: fail(c, failure); return;
    case HEAP_I31: test_i31(c, reference, COND_EQ, failure); return;
    case HEAP_EQ:
        masm_test_const(&c->m, false, reference, 1);
        masm_branch(&c->m, COND_NE, &yes);
        test_kind(c, reference, 0, t, failure);
        masm_bind(&c->m, &yes);
        return;
    case HEAP_STRUCT:
    case HEAP_ARRAY:
        test_i31(c, reference, COND_NE, failure);
        test_kind(c, reference, heap == HEAP_STRUCT ? TYPE_STRUCT : TYPE_ARRAY, t, failure);
        return;
    default: break;
    }
    if (c->module->types[heap].kind == TYPE_FUNC) {
        load_number(c, reference, offsetof(struct vm_func, type_id), t);
    } else {
        test_i31(c, reference, COND_NE, failure);
        load_number(c, reference, offsetof(struct vm_object, type), t);
    }
    test_number(c, heap, t, failure);
}

/* Goes on only if the reference is of type TO. T is allocated before: nothing may be spilt between two ways. */
static void test_reference(struct compiler *c, reg reference, valtype to, const struct type_temporaries *t,
                           const struct failure *failure)
{
    struct masm_label null = {0};

    masm_compare_const(&c->m, false, reference, 0);
    if (valtype_code(to) == VT_REF_NULL)
        masm_branch(&c->m, COND_EQ, &null);
    else
        fail_if(c, failure, COND_EQ);
    test_heap(c, reference, valtype_heap(to), t, failure);
    masm_bind(&c->m, &null);
}

static void ref_test(struct compiler *c, bool null)
{
    valtype to = valtype_ref(null, body_heaptype(&c->body));
    struct operand o = vstack_pop_extended(c);
    struct type_temporaries t = alloc_temporaries(c);
    struct masm_label no = {0}, end = {0};
    struct failure failure = {&no, TRAP_NONE};
    reg dst = vstack_destination(c, VT_I32, NULL, NULL);

    test_reference(c, o.reg, to, &t, &failure);
    masm_const(&c->m, VT_I32, dst, 1);
    masm_jump(&c->m, &end);
    masm_bind(&c->m, &no);
    masm_const(&c->m, VT_I32, dst, 0);
    masm_bind(&c->m, &end);
    vstack_push_result(c, VT_I32, dst);
}

static void ref_cast(struct compiler *c, bool null)
{
    valtype to = valtype_ref(null, body_heaptype(&c->body));
    struct value v = *vstack_top(c);
    struct operand o = vstack_pop_extended(c);
    struct type_temporaries t = alloc_temporaries(c);
    struct failure failure = {NULL, TRAP_CAST_FAILURE};

    test_reference(c, o.reg, to, &t, &failure);
    control_push_again(c, &v, o);
}

static void br_on_cast(struct compiler *c, bool on_failure)
{
    struct cast_branch branch = body_cast_branch(&c->body);
    struct value v = *vstack_top(c);
    struct operand o = vstack_pop_extended(c);
    struct type_temporaries t = alloc_temporaries(c);
    struct masm_label no = {0}, stay = {0};
    struct failure failure = {&no, TRAP_NONE};

    test_reference(c, o.reg, branch.to, &t, &failure);
    control_push_again(c, &v, o);
    free_temporaries(c, &t);
    if (on_failure) {
        masm_jump(&c->m, &stay);
        masm_bind(&c->m, &no);
    }
    control_go_to(c, branch.label);
    masm_bind(&c->m, on_failure ? &stay : &no);
}

bool cast_op(struct compiler *c, enum opcode op)
{
    switch (op) {
    case OP_REF_TEST:
    case OP_REF_TEST_NULL: ref_test(c, op == OP_REF_TEST_NULL); return true;
    case OP_REF_CAST:
    case OP_REF_CAST_NULL: ref_cast(c, op == OP_REF_CAST_NULL); return true;
    case OP_BR_ON_CAST:
    case OP_BR_ON_CAST_FAIL: br_on_cast(c, op == OP_BR_ON_CAST_FAIL); return true;
    default: return false;
    }
}

void cast_check_func(struct compiler *c, reg func, uint32_t type, enum trap_kind null_kind)
{
    struct failure failure = {NULL, TRAP_INDIRECT_CALL_TYPE_MISMATCH};
    struct type_temporaries t = alloc_temporaries(c);

    masm_field_load(&c->m, ACCESS_32_U, false, t.number, masm_at(func, offsetof(struct vm_func, type_id)), null_kind);
    test_number(c, type, &t, &failure);
    free_temporaries(c, &t);
}
