/* See json.h. The only file that includes yajl, whose events become the tree here. */
#include "oci/json.h"
#include <errno.h>
#include <yajl/yajl_parse.h>

struct builder {
    struct arena *arena;
    struct json *root, *open;              /* open: the innermost object or array still being read */
    struct json *last[JSON_DEPTH_MAX + 1]; /* the last child so far, by depth */
    unsigned depth;
    const char *text, *text_end; /* what is read */
    const char *key;             /* read, its value not yet */
    const char *fault;           /* why a callback stopped the parser */
};

static int build_fail(struct builder *b, const char *fault)
{
    b->fault = fault;
    return 0;
}

/* Adds a node below the open one. */
static struct json *build_add(struct builder *b, enum json_type type)
{
    struct json *node = arena_new(b->arena, struct json);

    node->type = type;
    node->parent = b->open;
    node->key = b->key;
    b->key = NULL;
    if (b->open == NULL) {
        b->root = node;
        return node;
    }
    node->index = b->open->count++;
    if (b->open->first == NULL)
        b->open->first = node;
    else
        b->last[b->depth]->next = node;
    b->last[b->depth] = node;
    return node;
}

static int on_null(void *context)
{
    build_add(context, JSON_NULL);
    return 1;
}

static int on_bool(void *context, int truth)
{
    build_add(context, JSON_BOOL)->truth = truth != 0;
    return 1;
}

static int on_number(void *context, const char *text, size_t len)
{
    struct builder *b = context;
    build_add(b, JSON_NUMBER)->text = arena_strndup(b->arena, text, len);
    return 1;
}

/* Only an escape can have made a NUL (the parser lets no bare one pass), and what had one is not handed over where it lies. */
static bool has_nul(const struct builder *b, const unsigned char *text, size_t len)
{
    bool had_escape = (const char *)text < b->text || (const char *)text >= b->text_end;
    return had_escape && memchr(text, 0, len) != NULL;
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    struct builder *b = context;
    if (has_nul(b, text, len))
        return build_fail(b, "a string contains a NUL character");
    build_add(b, JSON_STRING)->text = arena_strndup(b->arena, (const char *)text, len);
    return 1;
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
    struct builder *b = context;
    if (has_nul(b, text, len))
        return build_fail(b, "a key contains a NUL character");
    b->key = arena_strndup(b->arena, (const char *)text, len);
    return 1;
}

static int build_open(struct builder *b, enum json_type type)
{
    if (b->depth == JSON_DEPTH_MAX)
        return build_fail(b, "it is nested too deeply");
    b->open = build_add(b, type);
    b->depth++;
    return 1;
}

static int build_close(struct builder *b)
{
    b->depth--;
    b->open = (struct json *)b->open->parent;
    return 1;
}

static int on_array(void *context)
{
    return build_open(context, JSON_ARRAY);
}

static int on_object(void *context)
{
    return build_open(context, JSON_OBJECT);
}

static int on_array_end(void *context)
{
    return build_close(context);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

/* A member whose key another one has, or NULL. */
static const struct json *find_twin(struct builder *b, const struct json *object)
{
    enum { FEW = 8 };
    const struct json **sorted;
    size_t n = 0;

    if (object->count <= FEW) {
        for (const struct json *x = object->first; x != NULL; x = x->next)
            for (const struct json *y = x->next; y != NULL; y = y->next)
                if (strcmp(x->key, y->key) == 0)
                    return y;
        return NULL;
    }
    /* sorting keeps an object with a million keys from taking a trillion comparisons */
    sorted = arena_array(b->arena, const struct json *, object->count);
    for (const struct json *child = object->first; child != NULL; child = child->next)
        sorted[n++] = child;
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            return sorted[i];
    return NULL;
}

static int on_object_end(void *context)
{
    struct builder *b = context;
    const struct json *twin = find_twin(b, b->open);

    if (twin != NULL)
        return build_fail(b, arena_printf(b->arena, "%s: the key appears twice", json_path(twin).text));
    return build_close(b);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_object_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_array_end,
};

/* yajl's messages are two lines with a blank ("lexical error: invalid char in json text.\n"): the first line is enough. */
static int report(yajl_handle parser, const struct builder *b, size_t offset, struct err *e)
{
    unsigned char *text;
    int ret;

    if (b->fault != NULL)
        return err_set(e, EINVAL, "invalid JSON before offset %zu: %s", offset, b->fault);
    text = yajl_get_error(parser, 0, NULL, 0);
    ret = err_set(e, EINVAL, "invalid JSON at offset %zu: %.*s", offset, (int)strcspn((const char *)text, "\n"), text);
    yajl_free_error(parser, text);
    return ret;
}

/* The length of the UTF-8 sequence at S (RFC 3629: no overlong forms, no surrogates), or 0 if it is none. yajl's own check
 * only looks at the upper bits. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
    uint32_t code = len > 1 ? s[0] & (0xffu >> (len + 1)) : 0;

    if (len <= 1 || len > left)
        return len > left ? 0 : len;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    return code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : len;
}

static int check_utf8(const char *text, size_t len, struct err *e)
{
    for (size_t at = 0; at < len;) {
        uint64_t eight;
        if (len - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) { /* ASCII, as nearly all of it is */
                at += sizeof eight;
                continue;
            }
        }
        size_t step = utf8_len((const unsigned char *)text + at, len - at);
        if (step == 0)
            return err_set(e, EINVAL, "invalid JSON at offset %zu: invalid UTF-8", at);
        at += step;
    }
    return 0;
}

const struct json *json_parse(const char *text, size_t len, struct arena *arena, struct err *e)
{
    struct builder b = {.arena = arena, .text = text, .text_end = text + len};
    yajl_handle parser;
    yajl_status status;

    if (check_utf8(text, len, e) < 0)
        return NULL;
    parser = yajl_alloc(&callbacks, NULL, &b);
    if (parser == NULL)
        out_of_memory();
    status = yajl_parse(parser, (const unsigned char *)text, len);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(parser);
    if (status != yajl_status_ok) {
        report(parser, &b, yajl_get_bytes_consumed(parser), e);
        b.root = NULL;
    } else if (b.root == NULL) {
        err_set(e, EINVAL, "invalid JSON: it is empty");
    }
    yajl_free(parser);
    return b.root;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *child = object->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child->type == JSON_NULL ? NULL : child;
    return NULL;
}

/* Written from the end, because the way to the root is known and the way down is not. */
struct json_path json_path(const struct json *node)
{
    struct json_path path;
    char *at = path.text + sizeof path.text - 1;
    char part[128];

    *at = 0;
    if (node == NULL || node->parent == NULL) {
        snprintf(path.text, sizeof path.text, "(top level)");
        return path;
    }
    for (; node->parent != NULL; node = node->parent) {
        int len = node->key != NULL
                      ? snprintf(part, sizeof part, "%s%.100s", node->parent->parent != NULL ? "." : "", node->key)
                      : snprintf(part, sizeof part, "[%u]", node->index);
        if (at - path.text < len)
            break;
        at -= len;
        memcpy(at, part, (size_t)len);
    }
    memmove(path.text, at, strlen(at) + 1);
    return path;
}

bool json_i64(const struct json *number, int64_t *out)
{
    char *end;
    long long value;

    if (strpbrk(number->text, ".eE") != NULL)
        return false;
    errno = 0;
    value = strtoll(number->text, &end, 10);
    *out = value;
    return errno == 0 && *end == 0;
}

bool json_u64(const struct json *number, uint64_t *out)
{
    char *end;
    unsigned long long value;

    if (strpbrk(number->text, "-.eE") != NULL) /* strtoull takes a minus sign and wraps */
        return false;
    errno = 0;
    value = strtoull(number->text, &end, 10);
    *out = value;
    return errno == 0 && *end == 0;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    return names[type];
}
