/* Validation of the instructions on typed references, structures and arrays. */
#include "engine/validator.h"
#include "engine/limits.h"

/* --- references --------------------------------------------------------------------------------------------------- */
static void validate_ref_func(struct validator *v)
{
    uint32_t func = read_func(v);

    if (func == MODULE_NONE)
        return;
    if (!v->m->funcs[func].referenced)
        validator_fail(v, "undeclared function reference %u", func);
    push(v, valtype_ref(false, v->m->types[v->m->funcs[func].type].canonical));
}

static void validate_ref_eq(struct validator *v)
{
    pop(v, valtype_ref(true, HEAP_EQ));
    pop(v, valtype_ref(true, HEAP_EQ));
    push(v, VT_I32);
}

static void validate_br_on_null(struct validator *v)
{
    struct type_list label = frame_label(read_label(v));
    valtype t = pop_ref(v);

    pop_list(v, label);
    push_list(v, label);
    push(v, valtype_ref(false, valtype_heap(t)));
}

/* The last value that the label takes is the reference; it does not stay where the branch is not taken. */
static void validate_br_on_non_null(struct validator *v)
{
    struct type_list label = frame_label(read_label(v));
    valtype t = pop_ref(v);

    if (label.count == 0) {
        validator_fail(v, "type mismatch: the label of br_on_non_null takes no reference");
        return;
    }
    push(v, valtype_ref(false, valtype_heap(t)));
    pop_list(v, label);
    label.count--;
    push_list(v, label);
}

/* The top of T's hierarchy as a nullable reference: what a cast to T may start from. */
static valtype top_of(const struct validator *v, heaptype heap)
{
    if (heap < HEAP_ABSTRACT)
        heap = v->m->types[heap].kind == TYPE_FUNC ? HEAP_FUNC : HEAP_ANY;
    else if (heap_is_subtype(v->m, heap, HEAP_FUNC))
        heap = HEAP_FUNC;
    else if (heap_is_subtype(v->m, heap, HEAP_EXTERN))
        heap = HEAP_EXTERN;
    else if (heap_is_subtype(v->m, heap, HEAP_EXN))
        heap = HEAP_EXN;
    else
        heap = HEAP_ANY;
    return valtype_ref(true, heap);
}

static void validate_cast(struct validator *v, enum opcode op)
{
    heaptype heap = read_heaptype(v);

    pop(v, top_of(v, heap));
    if (op == OP_REF_TEST || op == OP_REF_TEST_NULL)
        push(v, VT_I32);
    else
        push(v, valtype_ref(op == OP_REF_CAST_NULL, heap));
}

static valtype known_type(struct validator *v, valtype t)
{
    if (type_exists(v->m, t))
        return type_canonical(v->m, t);
    validator_fail(v, "unknown type %u", valtype_heap(t));
    return valtype_ref(false, HEAP_BOTTOM);
}

/* What is left of FROM once a cast to TO has failed: without null if null would have passed. */
static valtype type_difference(valtype from, valtype to)
{
    return valtype_code(to) == VT_REF_NULL ? valtype_ref(false, valtype_heap(from)) : from;
}

static void validate_br_on_cast(struct validator *v, enum opcode op)
{
    struct cast_branch cast = body_cast_branch(&v->r);
    valtype from = known_type(v, cast.from), to = known_type(v, cast.to), taken, stays;
    struct type_list label;

    if (cast.label >= v->frames.len)
        validator_fail(v, "unknown label %u", cast.label);
    else if (!valtype_is_subtype(v->m, to, from))
        validator_fail(v, "type mismatch: %s is not a subtype of %s", valtype_text(to).text, valtype_text(from).text);
    if (v->failed)
        return;
    taken = op == OP_BR_ON_CAST ? to : type_difference(from, to);
    stays = op == OP_BR_ON_CAST ? type_difference(from, to) : to;
    label = frame_label(&v->frames.data[v->frames.len - 1 - cast.label]);
    if (label.count == 0) {
        validator_fail(v, "type mismatch: the label of %s takes no reference", opcode_name(op));
        return;
    }
    pop(v, from);
    push(v, taken);
    pop_list(v, label);
    label.count--;
    push_list(v, label);
    push(v, stays);
}

/* extern.convert_any and its inverse keep nullability. */
static void validate_convert(struct validator *v, heaptype from, heaptype to)
{
    valtype t = pop(v, valtype_ref(true, from));
    bool nullable = t != VT_BOTTOM && valtype_code(t) == VT_REF_NULL;
    push(v, valtype_ref(nullable, to));
}

static void validate_i31_get(struct validator *v)
{
    pop(v, valtype_ref(true, HEAP_I31));
    push(v, VT_I32);
}

/* --- structures and arrays ---------------------------------------------------------------------------------------- */
static bool is_packed(const struct field_type *f)
{
    return f->type == VT_I8 || f->type == VT_I16;
}

static valtype unpacked(const struct field_type *f)
{
    return is_packed(f) ? VT_I32 : f->type;
}

static bool has_default(const struct field_type *f)
{
    return valtype_code(f->type) != VT_REF;
}

static void validate_struct_new(struct validator *v, enum opcode op)
{
    uint32_t canonical, i;
    const struct type_def *t = read_type(v, TYPE_STRUCT, &canonical);

    for (i = t->field_count; i != 0 && !v->failed; i--) {
        if (op == OP_STRUCT_NEW)
            pop(v, unpacked(&t->fields[i - 1]));
        else if (!has_default(&t->fields[i - 1]))
            validator_fail(v, "type mismatch: field %u has no default value", i - 1);
    }
    push(v, valtype_ref(false, canonical));
}

/* get_s and get_u are for packed fields, get for the others. */
static void push_field(struct validator *v, const struct field_type *f, bool extends)
{
    if (is_packed(f) != extends)
        validator_fail(v, "type mismatch: the field is %spacked", extends ? "not " : "");
    push(v, unpacked(f));
}

static void validate_struct_field(struct validator *v, enum opcode op)
{
    uint32_t canonical, index;
    const struct type_def *t = read_type(v, TYPE_STRUCT, &canonical);

    index = body_u32(&v->r);
    if (index >= t->field_count) {
        validator_fail(v, "unknown field %u", index);
        return;
    }
    if (op == OP_STRUCT_SET) {
        if (!t->fields[index].mutable)
            validator_fail(v, "immutable field %u", index);
        pop(v, unpacked(&t->fields[index]));
    }
    pop(v, valtype_ref(true, canonical));
    if (op != OP_STRUCT_SET)
        push_field(v, &t->fields[index], op != OP_STRUCT_GET);
}

static void validate_array_new(struct validator *v, enum opcode op)
{
    uint32_t canonical, count;
    const struct type_def *t = read_type(v, TYPE_ARRAY, &canonical);

    switch (op) {
    case OP_ARRAY_NEW_FIXED:
        count = body_u32(&v->r);
        if (count > LIMIT_ARRAY_NEW_FIXED)
            validator_fail(v, "array.new_fixed with more than %d operands", LIMIT_ARRAY_NEW_FIXED);
        while (count-- != 0 && !v->failed)
            pop(v, unpacked(&t->fields[0]));
        break;
    case OP_ARRAY_NEW_DEFAULT:
        if (!has_default(&t->fields[0]))
            validator_fail(v, "type mismatch: the array's elements have no default value");
        pop(v, VT_I32);
        break;
    default: /* array.new */
        pop(v, VT_I32);
        pop(v, unpacked(&t->fields[0]));
        break;
    }
    push(v, valtype_ref(false, canonical));
}

static void require_data_elements(struct validator *v, const struct type_def *t)
{
    if (valtype_is_ref(t->fields[0].type))
        validator_fail(v, "array type is not numeric or vector");
}

static void require_segment_elements(struct validator *v, const struct type_def *t)
{
    const struct element_segment *segment = read_element_segment(v);

    if (!valtype_is_subtype(v->m, segment->type, t->fields[0].type))
        validator_fail(v, "type mismatch: elements of type %s for an array of %s", valtype_text(segment->type).text,
                       valtype_text(t->fields[0].type).text);
}

static void validate_array_new_segment(struct validator *v, enum opcode op)
{
    uint32_t canonical;
    const struct type_def *t = read_type(v, TYPE_ARRAY, &canonical);

    if (op == OP_ARRAY_NEW_DATA) {
        require_data_elements(v, t);
        read_data_segment(v);
    } else {
        require_segment_elements(v, t);
    }
    pop(v, VT_I32);
    pop(v, VT_I32);
    push(v, valtype_ref(false, canonical));
}

static void require_mutable(struct validator *v, const struct type_def *t)
{
    if (!t->fields[0].mutable)
        validator_fail(v, "immutable array");
}

static void validate_array_init_segment(struct validator *v, enum opcode op)
{
    uint32_t canonical;
    const struct type_def *t = read_type(v, TYPE_ARRAY, &canonical);

    require_mutable(v, t);
    if (op == OP_ARRAY_INIT_DATA) {
        require_data_elements(v, t);
        read_data_segment(v);
    } else {
        require_segment_elements(v, t);
    }
    pop(v, VT_I32);
    pop(v, VT_I32);
    pop(v, VT_I32);
    pop(v, valtype_ref(true, canonical));
}

static void validate_array_access(struct validator *v, enum opcode op)
{
    uint32_t canonical;
    const struct type_def *t = read_type(v, TYPE_ARRAY, &canonical);

    if (op == OP_ARRAY_SET || op == OP_ARRAY_FILL)
        require_mutable(v, t);
    if (op == OP_ARRAY_FILL)
        pop(v, VT_I32);
    if (op == OP_ARRAY_SET || op == OP_ARRAY_FILL)
        pop(v, unpacked(&t->fields[0]));
    pop(v, VT_I32);
    pop(v, valtype_ref(true, canonical));
    if (op != OP_ARRAY_SET && op != OP_ARRAY_FILL)
        push_field(v, &t->fields[0], op != OP_ARRAY_GET);
}

static void validate_array_copy(struct validator *v)
{
    uint32_t to_index, from_index;
    const struct type_def *to = read_type(v, TYPE_ARRAY, &to_index), *from = read_type(v, TYPE_ARRAY, &from_index);

    require_mutable(v, to);
    if (!valtype_is_subtype(v->m, from->fields[0].type, to->fields[0].type))
        validator_fail(v, "array types do not match");
    pop(v, VT_I32);
    pop(v, VT_I32);
    pop(v, valtype_ref(true, from_index));
    pop(v, VT_I32);
    pop(v, valtype_ref(true, to_index));
}

/* --- all ---------------------------------------------------------------------------------------------------------- */
void validate_gc_op(struct validator *v, enum opcode op)
{
    switch (op) {
    case OP_REF_NULL: push(v, valtype_ref(true, read_heaptype(v))); break;
    case OP_REF_IS_NULL:
        pop_ref(v);
        push(v, VT_I32);
        break;
    case OP_REF_FUNC: validate_ref_func(v); break;
    case OP_REF_EQ: validate_ref_eq(v); break;
    case OP_REF_AS_NON_NULL: push(v, valtype_ref(false, valtype_heap(pop_ref(v)))); break;
    case OP_BR_ON_NULL: validate_br_on_null(v); break;
    case OP_BR_ON_NON_NULL: validate_br_on_non_null(v); break;
    case OP_REF_TEST:
    case OP_REF_TEST_NULL:
    case OP_REF_CAST:
    case OP_REF_CAST_NULL: validate_cast(v, op); break;
    case OP_BR_ON_CAST:
    case OP_BR_ON_CAST_FAIL: validate_br_on_cast(v, op); break;
    case OP_ANY_CONVERT_EXTERN: validate_convert(v, HEAP_EXTERN, HEAP_ANY); break;
    case OP_EXTERN_CONVERT_ANY: validate_convert(v, HEAP_ANY, HEAP_EXTERN); break;
    case OP_REF_I31:
        pop(v, VT_I32);
        push(v, valtype_ref(false, HEAP_I31));
        break;
    case OP_I31_GET_S:
    case OP_I31_GET_U: validate_i31_get(v); break;
    case OP_STRUCT_NEW:
    case OP_STRUCT_NEW_DEFAULT: validate_struct_new(v, op); break;
    case OP_STRUCT_GET:
    case OP_STRUCT_GET_S:
    case OP_STRUCT_GET_U:
    case OP_STRUCT_SET: validate_struct_field(v, op); break;
    case OP_ARRAY_NEW:
    case OP_ARRAY_NEW_DEFAULT:
    case OP_ARRAY_NEW_FIXED: validate_array_new(v, op); break;
    case OP_ARRAY_NEW_DATA:
    case OP_ARRAY_NEW_ELEM: validate_array_new_segment(v, op); break;
    case OP_ARRAY_INIT_DATA:
    case OP_ARRAY_INIT_ELEM: validate_array_init_segment(v, op); break;
    case OP_ARRAY_GET:
    case OP_ARRAY_GET_S:
    case OP_ARRAY_GET_U:
    case OP_ARRAY_SET:
    case OP_ARRAY_FILL: validate_array_access(v, op); break;
    case OP_ARRAY_COPY: validate_array_copy(v); break;
    case OP_ARRAY_LEN:
        pop(v, valtype_ref(true, HEAP_ARRAY));
        push(v, VT_I32);
        break;
    default: assert(!"an instruction with a fixed signature");
    }
}
