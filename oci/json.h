/* JSON text to a tree, strictly: config.json is read by several programs, and what they could read differently is refused.
 *
 * Refused beyond broken JSON: a key that appears twice in one object, nesting deeper than JSON_DEPTH_MAX, invalid UTF-8, a
 * NUL character in a string, anything behind the value. Numbers keep their text, so that 64-bit integers stay exact. The
 * tree is read-only; every node knows its parent, so that an error can name its path ("linux.namespaces[2].type"). */
#ifndef WHERRY_OCI_JSON_H
#define WHERRY_OCI_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool truth;       /* of JSON_BOOL */
    uint32_t index;   /* within the parent, from 0 */
    uint32_t count;   /* children */
    const char *key;  /* where the parent is an object */
    const char *text; /* of JSON_STRING and JSON_NUMBER */
    const struct json *parent, *first, *next;
};

/* Parses LEN bytes. The tree lives in ARENA. Returns its root, or NULL with *E (offset and reason). */
const struct json *json_parse(const char *text, size_t len, struct arena *arena, struct err *e);

/* The member KEY of OBJECT, or NULL; a member whose value is null counts as absent, as in Go's decoder. */
const struct json *json_get(const struct json *object, const char *key);

/* The path of NODE from the root, cut at the front if it does not fit; "(top level)" for the root itself. */
struct json_path {
    char text[256];
};
struct json_path json_path(const struct json *node);

/* Exact integers: false if the number has a fraction, an exponent or does not fit. */
bool json_i64(const struct json *number, int64_t *out);
bool json_u64(const struct json *number, uint64_t *out);

const char *json_type_name(enum json_type type); /* "a string", for messages */

#endif
