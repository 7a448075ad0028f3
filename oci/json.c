/* What is asked of a JSON tree; see json.h. json_read.c makes it. */
#include "oci/json.h"
#include <errno.h>

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
