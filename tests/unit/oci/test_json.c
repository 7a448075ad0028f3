/* The strict JSON tree: what it reads, what it refuses and how it names the place. */
#include "oci/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena arena;
static struct err e;

static const struct json *parse(const char *text)
{
    memset(&e, 0, sizeof e);
    return json_parse(text, strlen(text), &arena, &e);
}

static int done(void **state)
{
    arena_free(&arena);
    return 0;
}

static void reads_a_tree(void **state)
{
    const struct json *root = parse("{\"a\": [1, \"zwei\", null, true], \"b\": {\"c\": -3}}");
    const struct json *a = json_get(root, "a");

    assert_non_null(a);
    assert_int_equal(a->type, JSON_ARRAY);
    assert_int_equal(a->count, 4);
    assert_string_equal(a->first->text, "1");
    assert_string_equal(a->first->next->text, "zwei");
    assert_int_equal(a->first->next->next->type, JSON_NULL);
    assert_true(a->first->next->next->next->truth);
    assert_string_equal(json_path(a->first->next).text, "a[1]");
    assert_string_equal(json_path(json_get(json_get(root, "b"), "c")).text, "b.c");
    assert_string_equal(json_path(root).text, "(top level)");
    assert_null(json_get(root, "d"));
    assert_null(json_get(a, "d"));
}

static void null_counts_as_absent(void **state)
{
    assert_null(json_get(parse("{\"a\": null}"), "a"));
}

static void refuses(const char *text, const char *reason)
{
    assert_null(parse(text));
    assert_int_equal(e.code, EINVAL);
    if (strstr(e.text, reason) == NULL)
        fail_msg("for %s: got \"%s\", wanted \"%s\"", text, e.text, reason);
}

static void refuses_what_readers_could_differ_on(void **state)
{
    refuses("{\"a\": 1, \"b\": {\"x\": 1, \"y\": 2, \"x\": 3}}", "b.x: the key appears twice");
    refuses("{\"a\": \"b\\u0000c\"}", "NUL");
    refuses("{\"a\\u0000\": 1}", "NUL");
    refuses("{\"a\": \"\xff\"}", "offset");
    refuses("{\"a\": \"\xc0\x80\"}", "offset");
    refuses("{} {}", "offset");
    refuses("{\"a\": 1", "offset");
    refuses("{\"a\": 1,}", "offset");
    refuses("", "invalid JSON");
    refuses("   ", "invalid JSON");
    refuses("{'a': 1}", "offset");
    refuses("[\"a\tb\"]", "offset");
    refuses("[01]", "offset");
    refuses("[1.]", "offset");
    refuses("[+1]", "offset");
    refuses("[\"\\x\"]", "offset");
    refuses("[nul]", "offset");
    refuses("{\"a\" 1}", "offset");
    refuses("[1 2]", "offset");
}

/* Few keys are compared in place, many are sorted. */
static void finds_a_key_that_appears_twice_among_many(void **state)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "{\"k\": {\"key-07\": 0");

    for (int i = 0; i < 40; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, ", \"key-%02d\": %d", i, i);
    snprintf(text + len, sizeof text - (size_t)len, "}}");
    refuses(text, "k.key-07: the key appears twice");
}

static void decodes_strings(void **state)
{
    const struct json *a =
        parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"x\\u0041\\u00e4\\u20ac\\ud83d\\ude00y\", \"\", \"\xc3\xa4\\u007f\"]")
            ->first;

    assert_string_equal(a->text, "\"\\/\b\f\n\r\t");
    a = a->next;
    assert_string_equal(a->text, "xA\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80y");
    a = a->next;
    assert_string_equal(a->text, "");
    a = a->next;
    assert_string_equal(a->text, "\xc3\xa4\x7f");
    assert_string_equal(parse("{\"a\\u0062\": 1}")->first->key, "ab");
}

static void bounds_depth(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1) + 1] = {0};

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_non_null(parse(text));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    refuses(text, "nested too deeply");
}

static void integers_are_exact(void **state)
{
    int64_t i;
    uint64_t u;
    const struct json *n = parse("[9223372036854775807, -9223372036854775808, 18446744073709551615, 1.0, 1e3, -1, "
                                 "18446744073709551616]")
                               ->first;

    assert_true(json_i64(n, &i) && i == INT64_MAX);
    n = n->next;
    assert_true(json_i64(n, &i) && i == INT64_MIN);
    n = n->next;
    assert_false(json_i64(n, &i));
    assert_true(json_u64(n, &u) && u == UINT64_MAX);
    n = n->next;
    assert_false(json_i64(n, &i));
    assert_false(json_u64(n, &u));
    n = n->next;
    assert_false(json_i64(n, &i));
    n = n->next;
    assert_false(json_u64(n, &u));
    n = n->next;
    assert_false(json_u64(n, &u));
}

/* A long path is cut at its root: the end is what helps. */
static void long_paths_are_cut(void **state)
{
    char text[4096];
    const struct json *node;
    int len = 0;

    for (int i = 0; i < 20; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "{\"a-key-of-some-length-%02d\":", i);
    len += snprintf(text + len, sizeof text - (size_t)len, "1%.*s", 20, "}}}}}}}}}}}}}}}}}}}}");
    node = parse(text);
    while (node->first != NULL)
        node = node->first;
    assert_non_null(strstr(json_path(node).text, "a-key-of-some-length-19"));
    assert_true(strlen(json_path(node).text) < sizeof(struct json_path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree),       cmocka_unit_test(null_counts_as_absent),
        cmocka_unit_test(bounds_depth),       cmocka_unit_test(refuses_what_readers_could_differ_on),
        cmocka_unit_test(integers_are_exact), cmocka_unit_test(long_paths_are_cut),
        cmocka_unit_test(decodes_strings),    cmocka_unit_test(finds_a_key_that_appears_twice_among_many),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, done);
}
