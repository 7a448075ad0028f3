#include "tests/spec/json.h"
#include "base/vec.h"
#include <stdlib.h>

struct reader {
    char *at;
};

static bool parse_value(struct reader *r, struct json *out);

static char next(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
    return *r->at;
}

static bool take(struct reader *r, char c)
{
    if (next(r) != c)
        return false;
    r->at++;
    return true;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* The four digits behind \u; a pair of them stands for one character beyond 16 bits. */
static char *unescape_number(struct reader *r, char *out)
{
    unsigned c, low;

    if (sscanf(r->at, "%4x", &c) != 1)
        return out;
    r->at += 4;
    if (c >= 0xd800 && c < 0xdc00 && sscanf(r->at, "\\u%4x", &low) == 1) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        r->at += 6;
    }
    return put_utf8(out, c);
}

/* What is behind the first quotation mark; no escape is shorter than its character. */
static bool parse_string(struct reader *r, struct name *out)
{
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char *start = r->at, *to = r->at;

    while (*r->at != '"') {
        char c = *r->at++;
        const char *escape;
        if (c == 0)
            return false;
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        c = *r->at++;
        if (c == 'u')
            to = unescape_number(r, to);
        else if (c != 0 && (escape = strchr(escapes, c)) != NULL)
            *to++ = meanings[escape - escapes];
        else
            return false;
    }
    r->at++;
    *to = 0;
    *out = (struct name){start, (uint32_t)(to - start)};
    return true;
}

static bool parse_members(struct reader *r, struct json *out, char end)
{
    VEC(struct json) items = {0};
    VEC(struct name) keys = {0};

    if (take(r, end))
        return true;
    do {
        struct json item = {0};
        struct name key = {0};
        if (end == '}' && !(take(r, '"') && parse_string(r, &key) && take(r, ':')))
            return false;
        if (!parse_value(r, &item))
            return false;
        vec_push(&items, item);
        vec_push(&keys, key);
    } while (take(r, ','));
    out->items = items.data;
    out->keys = keys.data;
    out->count = items.len;
    return take(r, end);
}

static bool parse_word(struct reader *r, struct json *out)
{
    size_t letters = strspn(r->at, "abcdefghijklmnopqrstuvwxyz");

    out->kind = letters != 0 ? JSON_OTHER : JSON_NUMBER;
    if (letters != 0) {
        out->number = strncmp(r->at, "true", letters) == 0;
        r->at += letters;
        return true;
    }
    char *start = r->at;
    out->number = strtol(start, &r->at, 10);
    return r->at != start;
}

static bool parse_value(struct reader *r, struct json *out)
{
    switch (next(r)) {
    case '"':
        r->at++;
        out->kind = JSON_STRING;
        return parse_string(r, &out->text);
    case '[':
        r->at++;
        out->kind = JSON_ARRAY;
        return parse_members(r, out, ']');
    case '{':
        r->at++;
        out->kind = JSON_OBJECT;
        return parse_members(r, out, '}');
    default: return parse_word(r, out);
    }
}

struct json *json_parse(char *text)
{
    struct reader r = {.at = text};
    struct json *out = calloc(1, sizeof *out);

    if (out == NULL)
        out_of_memory();
    return parse_value(&r, out) && next(&r) == 0 ? out : NULL;
}

const struct json *json_member(const struct json *object, const char *key, enum json_kind kind)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (strcmp(object->keys[i].data, key) == 0)
            return object->items[i].kind == kind ? &object->items[i] : NULL;
    return NULL;
}

struct name json_name(const struct json *object, const char *key)
{
    const struct json *v = json_member(object, key, JSON_STRING);
    return v != NULL ? v->text : (struct name){NULL, 0};
}

const char *json_string(const struct json *object, const char *key)
{
    return json_name(object, key).data;
}

const struct json *json_array(const struct json *object, const char *key)
{
    return json_member(object, key, JSON_ARRAY);
}

const struct json *json_object(const struct json *object, const char *key)
{
    return json_member(object, key, JSON_OBJECT);
}

long json_line(const struct json *command)
{
    const struct json *v = json_member(command, "line", JSON_NUMBER);
    return v != NULL ? v->number : 0;
}
