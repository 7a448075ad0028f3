/* References: structures, arrays, i31, casts and tests of them, and tables. */
#include "tests/fuzz/generator.h"

enum { ARRAY_LEAST = 8, ARRAY_MORE = 16 };

static const struct array {
    uint8_t element; /* what its elements are on the stack */
    bool packed;
} arrays[] = {{VT_I32, true}, {VT_I32, true}, {VT_I64, false}, {VT_F32, false}, {VT_V128, false}, {VT_ANY, false}};
enum { ARRAYS = sizeof arrays / sizeof arrays[0] };

/* What a structure's fields are on the stack; 0: a reference to TYPE_POINT. */
static const struct field {
    uint8_t type;
    bool packed;
} fields[] = {{VT_I32, false}, {VT_I64, false}, {VT_I32, true},   {VT_I32, true}, {VT_F64, false},
              {VT_ANY, false}, {0, false},      {VT_V128, false}, {VT_F32, false}};
enum { POINT_FIELDS = 7, POINT_MORE_FIELDS = sizeof fields / sizeof fields[0] };

static void object(struct generator *g, unsigned type, unsigned depth);

static void put_heap(struct generator *g, unsigned type)
{
    put_signed(&g->out, (int64_t)type);
}

static const struct array *array_of(unsigned type)
{
    return &arrays[type - TYPE_ARRAY_I8];
}

static void new_structure(struct generator *g, unsigned type, unsigned depth)
{
    unsigned count = type == TYPE_POINT ? POINT_FIELDS : POINT_MORE_FIELDS;

    if (below(g, 3) == 0) {
        put_with(&g->out, OP_STRUCT_NEW_DEFAULT, type);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (fields[i].type != 0) {
            expression(g, fields[i].type, depth);
        } else if (depth == 0 || below(g, 2) != 0) {
            put_op(&g->out, OP_REF_NULL);
            put_heap(g, TYPE_POINT);
        } else {
            object(g, TYPE_POINT, depth - 1);
        }
    }
    put_with(&g->out, OP_STRUCT_NEW, type);
}

static void new_array(struct generator *g, unsigned type, unsigned depth)
{
    unsigned len = ARRAY_LEAST + below(g, ARRAY_MORE);

    switch (below(g, 4)) {
    case 0:
        if (type == TYPE_ARRAY_I8 || type == TYPE_ARRAY_I16) {
            put_i32(&g->out, (int32_t)below(g, 8));
            put_i32(&g->out, ARRAY_LEAST);
            put_with(&g->out, OP_ARRAY_NEW_DATA, type);
            put_u32(&g->out, below(g, 2));
            break;
        } /* fallthrough */
    case 1:
        put_i32(&g->out, (int32_t)len);
        put_with(&g->out, OP_ARRAY_NEW_DEFAULT, type);
        break;
    case 2:
        for (unsigned i = 0; i < ARRAY_LEAST; i++)
            expression(g, array_of(type)->element, 0);
        put_with(&g->out, OP_ARRAY_NEW_FIXED, type);
        put_u32(&g->out, ARRAY_LEAST);
        break;
    default:
        expression(g, array_of(type)->element, depth);
        put_i32(&g->out, (int32_t)len);
        put_with(&g->out, OP_ARRAY_NEW, type);
    }
}

static void new_object(struct generator *g, unsigned type, unsigned depth)
{
    if (type == TYPE_POINT || type == TYPE_POINT_MORE)
        new_structure(g, type, depth);
    else
        new_array(g, type, depth);
}

/* block (result (ref TYPE))  REFERENCE  br_on_cast 0 any TYPE  drop  NEW  end: any reference, and a new object if it is another. */
static void cast_or_new(struct generator *g, unsigned type, unsigned depth)
{
    bool on_failure = below(g, 2) != 0;

    put_op(&g->out, OP_BLOCK);
    buf_put_u8(&g->out, VT_REF);
    put_heap(g, type);
    if (on_failure) { /* the same the other way round, a block further in */
        put_op(&g->out, OP_BLOCK);
        buf_put_u8(&g->out, VT_ANY);
    }
    expression(g, VT_ANY, depth);
    put_op(&g->out, on_failure ? OP_BR_ON_CAST_FAIL : OP_BR_ON_CAST);
    buf_put_u8(&g->out, 1); /* from a nullable type, to one that is not */
    put_u32(&g->out, 0);
    buf_put_u8(&g->out, VT_ANY);
    put_heap(g, type);
    if (on_failure) {
        put_with(&g->out, OP_BR, 1);
        put_op(&g->out, OP_END);
    }
    put_op(&g->out, OP_DROP);
    new_object(g, type, 0);
    put_op(&g->out, OP_END);
}

/* A reference to an object of the type, not null but where it may as well trap. */
static void object(struct generator *g, unsigned type, unsigned depth)
{
    unsigned choice = depth == 0 ? 0 : below(g, 24);

    if (choice < 8) {
        new_object(g, type, depth != 0 ? depth - 1 : 0);
    } else if (choice < 21) {
        cast_or_new(g, type, depth - 1);
    } else if (choice < 23) {
        expression(g, VT_ANY, depth - 1);
        put_op(&g->out, choice == 22 ? OP_REF_CAST : OP_REF_CAST_NULL);
        put_heap(g, type);
    } else {
        object(g, type, depth - 1);
        put_op(&g->out, OP_REF_AS_NON_NULL);
    }
}

/* An index into an array, seldom behind its end. */
static void array_index(struct generator *g, unsigned depth)
{
    expression(g, VT_I32, depth);
    put_i32(&g->out, below(g, 40) == 0 ? 31 : ARRAY_LEAST - 1);
    put_op(&g->out, OP_I32_AND);
}

static unsigned any_object_type(struct generator *g)
{
    return TYPE_POINT + below(g, TYPE_END - TYPE_POINT);
}

void reference(struct generator *g, unsigned depth)
{
    switch (below(g, 9)) {
    case 0:
        expression(g, VT_I32, depth);
        put_op(&g->out, OP_REF_I31);
        break;
    case 1: put_with(&g->out, OP_GLOBAL_GET, GLOBAL_FIRST + TYPES - 1); break;
    case 2:
        put_i32(&g->out, (int32_t)below(g, ANY_TABLE_MIN));
        put_with(&g->out, OP_TABLE_GET, 1);
        break;
    case 3:
        object(g, TYPE_POINT, depth);
        put_with(&g->out, OP_STRUCT_GET, TYPE_POINT);
        put_u32(&g->out, 5 + below(g, 2));
        break;
    case 4:
        object(g, TYPE_ARRAY_ANY, depth);
        array_index(g, 0);
        put_with(&g->out, OP_ARRAY_GET, TYPE_ARRAY_ANY);
        break;
    case 5:
        expression(g, VT_ANY, depth);
        put_op(&g->out, OP_EXTERN_CONVERT_ANY);
        put_op(&g->out, OP_ANY_CONVERT_EXTERN);
        break;
    default: new_object(g, any_object_type(g), depth);
    }
}

/* --- numbers out of objects ---------------------------------------------------------------------------------------- */

static void get_field(struct generator *g, unsigned type, unsigned field, unsigned depth)
{
    object(g, type, depth);
    put_with(&g->out,
             !fields[field].packed ? OP_STRUCT_GET
             : below(g, 2) != 0    ? OP_STRUCT_GET_S
                                   : OP_STRUCT_GET_U,
             type);
    put_u32(&g->out, field);
}

static void get_element(struct generator *g, unsigned type, unsigned depth)
{
    object(g, type, depth);
    array_index(g, depth);
    put_with(&g->out,
             !array_of(type)->packed ? OP_ARRAY_GET
             : below(g, 2) != 0      ? OP_ARRAY_GET_S
                                     : OP_ARRAY_GET_U,
             type);
}

static void eq_reference(struct generator *g, unsigned depth)
{
    expression(g, VT_ANY, depth);
    put_op(&g->out, OP_REF_CAST_NULL);
    buf_put_u8(&g->out, 0x6d); /* eq: all that the generator makes is */
}

static void number_of_reference(struct generator *g, unsigned depth)
{
    static const uint8_t heaps[] = {0x6c, 0x6b, 0x6a, 0x6d, 0x71};

    switch (below(g, 6)) {
    case 0:
        eq_reference(g, depth);
        eq_reference(g, depth);
        put_op(&g->out, OP_REF_EQ);
        break;
    case 1:
        expression(g, VT_ANY, depth);
        put_op(&g->out, OP_REF_IS_NULL);
        break;
    case 2:
        expression(g, VT_ANY, depth);
        put_op(&g->out, below(g, 2) != 0 ? OP_REF_TEST : OP_REF_TEST_NULL);
        put_heap(g, any_object_type(g));
        break;
    case 3:
        expression(g, VT_ANY, depth);
        put_op(&g->out, below(g, 2) != 0 ? OP_REF_TEST : OP_REF_TEST_NULL);
        buf_put_u8(&g->out, heaps[below(g, sizeof heaps)]);
        break;
    case 4:
        object(g, TYPE_ARRAY_I8 + below(g, ARRAYS), depth);
        put_op(&g->out, OP_ARRAY_LEN);
        break;
    default:
        expression(g, VT_I32, depth);
        put_op(&g->out, OP_REF_I31);
        put_op(&g->out, below(g, 2) != 0 ? OP_I31_GET_S : OP_I31_GET_U);
    }
}

void object_value(struct generator *g, uint8_t type, unsigned depth)
{
    static const uint8_t packed_fields[] = {0, 2, 3};
    unsigned point = TYPE_POINT + below(g, 2);

    switch (type) {
    case VT_I32:
        if (below(g, 3) != 0)
            number_of_reference(g, depth);
        else if (below(g, 2) != 0)
            get_field(g, point, packed_fields[below(g, 3)], depth);
        else
            get_element(g, TYPE_ARRAY_I8 + below(g, 2), depth);
        break;
    case VT_I64: below(g, 2) != 0 ? get_field(g, point, 1, depth) : get_element(g, TYPE_ARRAY_I64, depth); break;
    case VT_F64: get_field(g, point, 4, depth); break;
    case VT_F32:
        below(g, 2) != 0 ? get_field(g, TYPE_POINT_MORE, 8, depth) : get_element(g, TYPE_ARRAY_F32, depth);
        break;
    default: below(g, 2) != 0 ? get_field(g, TYPE_POINT_MORE, 7, depth) : get_element(g, TYPE_ARRAY_V128, depth);
    }
}

/* --- statements ---------------------------------------------------------------------------------------------------- */

static void set_field(struct generator *g, unsigned depth)
{
    unsigned type = TYPE_POINT + below(g, 2);
    unsigned field = below(g, type == TYPE_POINT ? POINT_FIELDS : POINT_MORE_FIELDS);

    object(g, type, depth);
    if (fields[field].type != 0)
        expression(g, fields[field].type, depth);
    else
        object(g, TYPE_POINT, depth);
    put_with(&g->out, OP_STRUCT_SET, type);
    put_u32(&g->out, field);
}

static void set_array(struct generator *g, unsigned depth)
{
    unsigned type = TYPE_ARRAY_I8 + below(g, ARRAYS);

    object(g, type, depth);
    array_index(g, depth);
    switch (below(g, 4)) {
    case 0:
        object(g, type, depth);
        put_i32(&g->out, (int32_t)below(g, 4));
        put_i32(&g->out, (int32_t)below(g, 5));
        put_with(&g->out, OP_ARRAY_COPY, type);
        put_u32(&g->out, type);
        break;
    case 1:
        expression(g, array_of(type)->element, depth);
        put_i32(&g->out, (int32_t)below(g, 4));
        put_with(&g->out, OP_ARRAY_FILL, type);
        break;
    case 2:
        if (type == TYPE_ARRAY_I8 || type == TYPE_ARRAY_I64) {
            put_i32(&g->out, (int32_t)below(g, 16));
            put_i32(&g->out, (int32_t)below(g, 3));
            put_with(&g->out, OP_ARRAY_INIT_DATA, type);
            put_u32(&g->out, below(g, 2));
            break;
        } /* fallthrough */
    default: expression(g, array_of(type)->element, depth); put_with(&g->out, OP_ARRAY_SET, type);
    }
}

void object_statement(struct generator *g, unsigned depth)
{
    switch (below(g, 4)) {
    case 0: set_field(g, depth); break;
    case 1: set_array(g, depth); break;
    case 2:
        put_i32(&g->out, (int32_t)below(g, ANY_TABLE_MIN));
        expression(g, VT_ANY, depth);
        put_with(&g->out, OP_TABLE_SET, 1);
        break;
    default: expression(g, VT_ANY, depth); put_with(&g->out, OP_GLOBAL_SET, GLOBAL_FIRST + TYPES - 1);
    }
}

/* A reference to a function, one out of the table, seldom null. */
static void func_reference(struct generator *g)
{
    switch (below(g, 8)) {
    case 0:
        put_op(&g->out, OP_REF_NULL);
        buf_put_u8(&g->out, VT_FUNC);
        break;
    case 1:
        put_address(&g->out, g->table_is64, below(g, GENERATE_FUNCTIONS));
        put_with(&g->out, OP_TABLE_GET, 0);
        break;
    default: put_with(&g->out, OP_REF_FUNC, below(g, GENERATE_FUNCTIONS));
    }
}

/* Mostly at the table's end, or soon no function would be in its place. */
static void table_index(struct generator *g)
{
    put_address(&g->out, g->table_is64, below(g, 8) != 0 ? GENERATE_FUNCTIONS + below(g, 4) : below(g, FUNC_TABLE_MAX));
}

void table_statement(struct generator *g, unsigned depth)
{
    switch (below(g, 6)) {
    case 0:
        func_reference(g);
        put_address(&g->out, g->table_is64, below(g, 2));
        put_with(&g->out, OP_TABLE_GROW, 0);
        put_op(&g->out, OP_DROP);
        break;
    case 1:
        table_index(g);
        func_reference(g);
        put_address(&g->out, g->table_is64, below(g, 2));
        put_with(&g->out, OP_TABLE_FILL, 0);
        break;
    case 2:
        table_index(g);
        table_index(g);
        put_address(&g->out, g->table_is64, below(g, 3));
        put_with(&g->out, OP_TABLE_COPY, 0);
        put_u32(&g->out, 0);
        break;
    case 3:
        table_index(g);
        put_i32(&g->out, (int32_t)below(g, 8));
        put_i32(&g->out, (int32_t)below(g, 3));
        put_with(&g->out, OP_TABLE_INIT, 1);
        put_u32(&g->out, 0);
        break;
    case 4:
        if (below(g, 20) == 0) {
            put_with(&g->out, OP_ELEM_DROP, 1);
            break;
        } /* fallthrough */
    default:
        table_index(g);
        func_reference(g);
        put_with(&g->out, OP_TABLE_SET, 0);
    }
    (void)depth;
}
