/* See config_reader.h. */
#include "oci/config_reader.h"

void config_fail(struct config_reader *r, const struct json *node, const char *format, ...)
{
    char why[512];
    va_list ap;

    if (r->failed)
        return;
    r->failed = true;
    va_start(ap, format);
    vsnprintf(why, sizeof why, format, ap);
    va_end(ap);
    err_set(r->e, EINVAL, "config.json: %s: %s", json_path(node).text, why);
}

void config_warn(struct config_reader *r, const struct json *node, const char *format, ...)
{
    char why[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(why, sizeof why, format, ap);
    va_end(ap);
    r->warnings = arena_printf(r->arena, "%s%sconfig.json: %s: %s", r->warnings != NULL ? r->warnings : "",
                               r->warnings != NULL ? "; " : "", json_path(node).text, why);
}

void config_fail_key(struct config_reader *r, const struct json *object, const char *key, const char *why)
{
    const struct json *member = json_get(object, key);

    if (r->failed)
        return;
    if (member != NULL) {
        config_fail(r, member, "%s", why);
        return;
    }
    r->failed = true;
    if (object->parent == NULL)
        err_set(r->e, EINVAL, "config.json: %s: %s", key, why);
    else
        err_set(r->e, EINVAL, "config.json: %s.%s: %s", json_path(object).text, key, why);
}

bool config_is(struct config_reader *r, const struct json *node, enum json_type type)
{
    if (node->type == type)
        return true;
    config_fail(r, node, "expected %s, found %s", json_type_name(type), json_type_name(node->type));
    return false;
}

const struct json *config_get(struct config_reader *r, const struct json *object, const char *key, enum json_type type)
{
    const struct json *member = json_get(object, key);
    return member != NULL && config_is(r, member, type) ? member : NULL;
}

const char *config_string(struct config_reader *r, const struct json *object, const char *key)
{
    const struct json *member = config_get(r, object, key, JSON_STRING);
    return member != NULL ? member->text : NULL;
}

const char *config_required(struct config_reader *r, const struct json *object, const char *key)
{
    const char *text = config_string(r, object, key);

    if (text == NULL || text[0] == 0) {
        config_fail_key(r, object, key, text == NULL ? "it is required" : "it must not be empty");
        return "";
    }
    return text;
}

const char *config_absolute(struct config_reader *r, const struct json *object, const char *key)
{
    const char *text = config_string(r, object, key);
    if (text != NULL && text[0] != '/')
        config_fail_key(r, object, key, "it must be an absolute path");
    return text;
}

bool config_bool(struct config_reader *r, const struct json *object, const char *key)
{
    return config_optional_bool(r, object, key).value;
}

struct optional_bool config_optional_bool(struct config_reader *r, const struct json *object, const char *key)
{
    const struct json *member = config_get(r, object, key, JSON_BOOL);
    return member != NULL ? (struct optional_bool){true, member->truth} : (struct optional_bool){0};
}

struct optional_u64 config_u64(struct config_reader *r, const struct json *object, const char *key, uint64_t max)
{
    const struct json *member = config_get(r, object, key, JSON_NUMBER);
    struct optional_u64 out = {0};

    if (member == NULL)
        return out;
    out.set = true;
    if (!json_u64(member, &out.value) || out.value > max)
        config_fail(r, member, "%s is not an integer from 0 to %llu", member->text, (unsigned long long)max);
    return out;
}

struct optional_i64 config_i64(struct config_reader *r, const struct json *object, const char *key, int64_t min,
                               int64_t max)
{
    const struct json *member = config_get(r, object, key, JSON_NUMBER);
    struct optional_i64 out = {0};

    if (member == NULL)
        return out;
    out.set = true;
    if (!json_i64(member, &out.value) || out.value < min || out.value > max)
        config_fail(r, member, "%s is not an integer from %lld to %lld", member->text, (long long)min, (long long)max);
    return out;
}

const struct json *config_elements(struct config_reader *r, const struct json *object, const char *key,
                                   enum json_type array_or_object, enum json_type type, size_t size_bytes,
                                   void *data_out, uint32_t *count)
{
    const struct json *list = config_get(r, object, key, array_or_object);
    void *data;

    *count = 0;
    if (list == NULL || r->failed)
        return NULL;
    for (const struct json *child = list->first; child != NULL; child = child->next)
        if (!config_is(r, child, type))
            return NULL;
    data = arena_alloc_array(r->arena, (size_t)list->count + 1, size_bytes, 16);
    memcpy(data_out, &data, sizeof data);
    *count = list->count;
    return list->first;
}

struct strings config_strings(struct config_reader *r, const struct json *object, const char *key)
{
    struct strings out = {0};
    const struct json *child =
        config_elements(r, object, key, JSON_ARRAY, JSON_STRING, sizeof(char *), &out.data, &out.count);

    for (; child != NULL; child = child->next)
        out.data[child->index] = (char *)child->text;
    return out;
}

struct config_pairs config_string_map(struct config_reader *r, const struct json *object, const char *key)
{
    struct config_pairs out = {0};
    const struct json *child =
        config_elements(r, object, key, JSON_OBJECT, JSON_STRING, sizeof *out.data, &out.data, &out.count);

    for (; child != NULL; child = child->next) {
        if (child->key[0] == 0)
            config_fail(r, child->parent, "a key must not be empty");
        out.data[child->index] = (struct config_pair){child->key, child->text};
    }
    return out;
}

uint64_t config_word(struct config_reader *r, const struct json *node, const char *what,
                     const struct config_word *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i].name, node->text) == 0)
            return words[i].value;
    config_fail(r, node, "invalid %s '%s'", what, node->text); /* runc's word, which its callers look for */
    return 0;
}
