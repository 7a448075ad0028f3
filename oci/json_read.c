/* See json.h. A reader of its own, since config.json is read at every start: strings and keys stay where they lie in one copy of the
 * text, which a NUL in the place of the closing quote ends, and only what has escapes is moved. */
#include "oci/json.h"
#include <errno.h>

struct reader {
    char *start, *at, *end; /* of the copy; a NUL stands at its end */
    struct arena *arena;
    unsigned depth;
    struct err *e;
};

static int fail(const struct reader *r, const char *fault)
{
    return err_set(r->e, EINVAL, "invalid JSON at offset %zu: %s", (size_t)(r->at - r->start),
                   r->at == r->end ? "it ends too early" : fault);
}

/* --- strings ------------------------------------------------------------------------------------------------------------ */

/* The length of the UTF-8 sequence at S (RFC 3629: no overlong forms, no surrogates), or 0 if it is none. */
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

/* CODE is at most 0x10ffff. Never longer than the escape that it was. */
static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

/* The four digits behind "\u"; -1 if they are none. */
static int32_t read_hex(struct reader *r)
{
    int32_t code = 0;

    for (int i = 0; i < 4; i++, r->at++) {
        char c = *r->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static bool is_surrogate(int32_t code, int32_t first)
{
    return (code & ~0x3ff) == first;
}

/* Behind "\u". Half a pair is refused: readers differ on what it stands for. */
static int read_code(struct reader *r, char **to)
{
    int32_t code = read_hex(r), low;

    if (code < 0)
        return fail(r, "\\u wants four hexadecimal digits");
    if (code == 0)
        return fail(r, "a string contains a NUL character");
    if (is_surrogate(code, 0xd800) && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        low = read_hex(r);
        if (!is_surrogate(low, 0xdc00))
            return fail(r, "half a surrogate pair");
        code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    } else if ((code & ~0x7ff) == 0xd800) {
        return fail(r, "half a surrogate pair");
    }
    *to = put_utf8(*to, (uint32_t)code);
    return 0;
}

static int read_escape(struct reader *r, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = *++r->at;
    const char *found = name != 0 ? strchr(names, name) : NULL;

    if (found == NULL && name != 'u')
        return fail(r, "an escape that there is not");
    r->at++;
    if (found == NULL)
        return read_code(r, to);
    *(*to)++ = values[found - names];
    return 0;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* At its opening quote. */
static int read_string(struct reader *r, const char **out)
{
    char *to = ++r->at;

    *out = to;
    while (is_plain(*r->at))
        r->at++;
    to = r->at;
    while (*r->at != '"') {
        size_t len = utf8_len((const unsigned char *)r->at, (size_t)(r->end - r->at));
        if (*r->at == '\\') {
            int ret = read_escape(r, &to);
            if (ret < 0)
                return ret;
            continue;
        }
        if (len == 0 || (unsigned char)*r->at < 0x20)
            return fail(r, len == 0      ? "invalid UTF-8"
                           : *r->at == 0 ? "a string contains a NUL character"
                                         : "a control character in a string");
        memmove(to, r->at, len);
        to += len;
        r->at += len;
    }
    *to = 0;
    r->at++;
    return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------------- */

static int read_value(struct reader *r, struct json *node);

static void skip_space(struct reader *r)
{
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
        r->at++;
}

static bool skip_digits(struct reader *r)
{
    const char *from = r->at;

    while (*r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from;
}

static bool skip_integer(struct reader *r)
{
    if (*r->at != '0')
        return skip_digits(r);
    r->at++;
    return true;
}

static int read_number(struct reader *r, struct json *node)
{
    const char *from = r->at;
    bool whole;

    r->at += *r->at == '-';
    whole = skip_integer(r);
    if (whole && *r->at == '.') {
        r->at++;
        whole = skip_digits(r);
    }
    if (whole && (*r->at | 0x20) == 'e') {
        r->at++;
        r->at += *r->at == '+' || *r->at == '-';
        whole = skip_digits(r);
    }
    if (!whole)
        return fail(r, "a number wants a digit here");
    node->type = JSON_NUMBER;
    node->text = arena_strndup(r->arena, from, (size_t)(r->at - from));
    return 0;
}

static int read_word(struct reader *r, struct json *node)
{
    static const struct {
        const char *word;
        enum json_type type;
        bool truth;
    } words[] = {{"null", JSON_NULL, false}, {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(r->at, words[i].word, strlen(words[i].word)) == 0) {
            r->at += strlen(words[i].word);
            node->type = words[i].type;
            node->truth = words[i].truth;
            return 0;
        }
    return fail(r, "no value begins so");
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

/* The second of two members with the same key, or NULL. Sorting keeps an object with a million keys from taking a trillion
 * comparisons; few keys are compared in place. */
static const struct json *find_twin(const struct reader *r, const struct json *object)
{
    enum { FEW = 12 };
    const struct json **sorted;
    size_t n = 0;

    if (object->count <= FEW) {
        for (const struct json *a = object->first; a != NULL; a = a->next)
            for (const struct json *b = a->next; b != NULL; b = b->next)
                if (strcmp(a->key, b->key) == 0)
                    return b;
        return NULL;
    }
    sorted = arena_array(r->arena, const struct json *, object->count);
    for (const struct json *child = object->first; child != NULL; child = child->next)
        sorted[n++] = child;
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            return sorted[i];
    return NULL;
}

static int read_key(struct reader *r, struct json *child)
{
    int ret;

    skip_space(r);
    if (*r->at != '"')
        return fail(r, "an object wants a key in double quotes here");
    ret = read_string(r, &child->key);
    if (ret < 0)
        return ret;
    skip_space(r);
    if (*r->at != ':')
        return fail(r, "a colon is missing behind the key");
    r->at++;
    return 0;
}

/* The elements of an array or the members of an object, up to CLOSE; at the first byte behind the opening one. */
static int read_children(struct reader *r, struct json *parent, char close)
{
    const struct json **link = &parent->first;

    skip_space(r);
    if (*r->at == close) {
        r->at++;
        return 0;
    }
    for (;;) {
        struct json *child = arena_new(r->arena, struct json);
        int ret;
        child->parent = parent;
        child->index = parent->count++;
        *link = child;
        link = &child->next;
        ret = close == '}' ? read_key(r, child) : 0;
        if (ret == 0)
            ret = read_value(r, child);
        if (ret < 0)
            return ret;
        skip_space(r);
        if (*r->at != ',' && *r->at != close)
            return fail(r, close == '}' ? "a comma or a brace is missing" : "a comma or a bracket is missing");
        if (*r->at++ == close)
            return 0;
    }
}

static int read_container(struct reader *r, struct json *node)
{
    bool object = *r->at == '{';
    const struct json *twin;
    int ret;

    if (r->depth == JSON_DEPTH_MAX)
        return fail(r, "it is nested too deeply");
    node->type = object ? JSON_OBJECT : JSON_ARRAY;
    r->at++;
    r->depth++;
    ret = read_children(r, node, object ? '}' : ']');
    r->depth--;
    twin = ret == 0 && object ? find_twin(r, node) : NULL;
    return twin == NULL ? ret
                        : err_set(r->e, EINVAL, "invalid JSON before offset %zu: %s: the key appears twice",
                                  (size_t)(r->at - r->start), json_path(twin).text);
}

static int read_value(struct reader *r, struct json *node)
{
    skip_space(r);
    switch (*r->at) {
    case '{':
    case '[': return read_container(r, node);
    case '"': node->type = JSON_STRING; return read_string(r, &node->text);
    case '-':
    case '0' ... '9': return read_number(r, node);
    default: return read_word(r, node);
    }
}

const struct json *json_parse(const char *text, size_t len, struct arena *arena, struct err *e)
{
    char *copy = arena_strndup(arena, text, len);
    struct reader r = {.start = copy, .at = copy, .end = copy + len, .arena = arena, .e = e};
    struct json *root = arena_new(arena, struct json);

    skip_space(&r);
    if (r.at == r.end) {
        err_set(e, EINVAL, "invalid JSON: it is empty");
        return NULL;
    }
    if (read_value(&r, root) < 0)
        return NULL;
    skip_space(&r);
    if (r.at != r.end) {
        fail(&r, "something stands behind the value");
        return NULL;
    }
    return root;
}
