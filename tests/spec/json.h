/* The scripts of the suite as trees: as much of JSON as they use. Of our own, so that the runner needs no library that a
 * cross compiler would not find. Nothing is ever freed. */
#ifndef WHERRY_TESTS_SPEC_JSON_H
#define WHERRY_TESTS_SPEC_JSON_H

#include "engine/name.h"

enum json_kind { JSON_OTHER, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    long number;      /* JSON_NUMBER, whole ones; 1 for true */
    struct name text; /* JSON_STRING, with a NUL behind it */
    size_t count;     /* of the next two */
    struct json *items;
    struct name *keys; /* JSON_OBJECT */
};

/* TEXT is changed, and the tree points into it. NULL: it is no JSON. */
struct json *json_parse(char *text);

/* Members of OBJECT of the given kind; NULL (or 0): there is none such, or OBJECT is none or NULL. */
const struct json *json_member(const struct json *object, const char *key, enum json_kind kind);
const char *json_string(const struct json *object, const char *key);
struct name json_name(const struct json *object, const char *key);
const struct json *json_array(const struct json *object, const char *key);
const struct json *json_object(const struct json *object, const char *key);
long json_line(const struct json *command);

#endif
