/* Values of the test scripts: bit patterns as decimal text, NaN patterns, references. */
#include "tests/spec/spec.h"
#include <stdlib.h>

/* A reference of the host's is a cell in the reference space that holds its number. */
struct host_cell {
    uint64_t number;
    uint32_t reference;
};

static struct host_cell cells[256];
static unsigned cell_count;

static uint32_t host_reference(struct store *store, uint64_t number)
{
    for (unsigned i = 0; i < cell_count; i++)
        if (cells[i].number == number)
            return cells[i].reference;
    assert(cell_count < sizeof cells / sizeof cells[0]);
    cells[cell_count] = (struct host_cell){number, space_alloc(&store->space, 16)};
    return cells[cell_count++].reference;
}

static bool is_host_reference(uint32_t reference, uint64_t number)
{
    for (unsigned i = 0; i < cell_count; i++)
        if (cells[i].reference == reference)
            return cells[i].number == number;
    return false;
}

static uint64_t parse_bits(const char *text)
{
    return text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static unsigned lane_bytes(const char *type)
{
    if (strcmp(type, "i8") == 0)
        return 1;
    if (strcmp(type, "i16") == 0)
        return 2;
    return strcmp(type, "i32") == 0 || strcmp(type, "f32") == 0 ? 4 : 8;
}

static bool vector_parse(const struct json *json, union vm_value *out)
{
    const char *lane = json_string(json, "lane_type");
    const struct json *lanes = json_array(json, "value");

    if (lane == NULL || lanes == NULL || lanes->count * lane_bytes(lane) != 16)
        return false;
    for (size_t i = 0; i < lanes->count; i++) {
        uint64_t bits = parse_bits(lanes->items[i].text.data);
        memcpy(out->v128 + i * lane_bytes(lane), &bits, lane_bytes(lane));
    }
    return true;
}

bool value_parse(struct store *store, const struct json *json, union vm_value *out)
{
    const char *type = json_string(json, "type"), *value = json_string(json, "value");

    memset(out, 0, sizeof *out);
    if (type == NULL)
        return false;
    if (strcmp(type, "v128") == 0)
        return vector_parse(json, out);
    if (value == NULL)
        return strcmp(type, "refnull") == 0;
    if (ends_with(type, "ref"))
        out->ref = strcmp(value, "null") == 0 ? 0 : host_reference(store, parse_bits(value));
    else
        out->i64 = parse_bits(value);
    return true;
}

/* TEXT: bits or a NaN pattern; BYTES: of the lane. Signs of NaNs are free (core specification, exec/numerics). */
static bool lane_matches(const char *text, const void *actual, unsigned bytes)
{
    uint64_t bits = 0, quiet = bytes == 4 ? 0x7fc00000u : 0x7ff8000000000000u;
    uint64_t sign = bytes == 4 ? 0x80000000u : 0x8000000000000000u;
    uint64_t expected, mask = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (bytes * 8)) - 1;

    memcpy(&bits, actual, bytes);
    if (strcmp(text, "nan:canonical") == 0)
        return (bits & ~sign) == quiet;
    if (strcmp(text, "nan:arithmetic") == 0)
        return (bits & quiet) == quiet;
    expected = parse_bits(text);
    return (expected & mask) == bits;
}

static bool vector_matches(const struct json *expected, const union vm_value *actual)
{
    const char *lane = json_string(expected, "lane_type");
    const struct json *lanes = json_array(expected, "value");

    if (lane == NULL || lanes == NULL)
        return false;
    for (size_t i = 0; i < lanes->count; i++)
        if (!lane_matches(lanes->items[i].text.data, actual->v128 + i * lane_bytes(lane), lane_bytes(lane)))
            return false;
    return true;
}

static bool either_matches(struct store *store, const struct json *expected, const union vm_value *actual, valtype type)
{
    const struct json *values = json_array(expected, "values");

    for (size_t i = 0; values != NULL && i < values->count; i++)
        if (value_matches(store, &values->items[i], actual, type))
            return true;
    return false;
}

bool value_matches(struct store *store, const struct json *expected, const union vm_value *actual, valtype type)
{
    const char *kind = json_string(expected, "type"), *value = json_string(expected, "value");

    if (kind == NULL)
        return false;
    if (strcmp(kind, "either") == 0)
        return either_matches(store, expected, actual, type);
    if (strcmp(kind, "v128") == 0)
        return type == VT_V128 && vector_matches(expected, actual);
    if (ends_with(kind, "ref") || strcmp(kind, "refnull") == 0) {
        if (!valtype_is_ref(type))
            return false;
        if (strcmp(kind, "refnull") == 0 || strncmp(kind, "null", 4) == 0 ||
            (value != NULL && strcmp(value, "null") == 0))
            return actual->ref == 0;
        return value == NULL ? actual->ref != 0 : is_host_reference(actual->ref, parse_bits(value));
    }
    if (valtype_is_ref(type) || value == NULL)
        return false;
    return lane_matches(value, actual, valtype_size_bytes(type));
}

void value_print(struct buf *out, const union vm_value *value, valtype type)
{
    switch (valtype_code(type)) {
    case VT_I32: buf_printf(out, "i32 %u (0x%x)", value->i32, value->i32); break;
    case VT_I64:
        buf_printf(out, "i64 %llu (0x%llx)", (unsigned long long)value->i64, (unsigned long long)value->i64);
        break;
    case VT_F32: buf_printf(out, "f32 %u (%a)", value->i32, (double)value->f32); break;
    case VT_F64: buf_printf(out, "f64 %llu (%a)", (unsigned long long)value->i64, value->f64); break;
    case VT_V128:
        buf_put_str(out, "v128");
        for (unsigned i = 0; i < 16; i++)
            buf_printf(out, " %02x", value->v128[i]);
        break;
    default: buf_printf(out, "reference 0x%x", value->ref); break;
    }
}
