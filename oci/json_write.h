/* JSON as it is written: state, features, spec, log lines, hook input. */
#ifndef WHERRY_OCI_JSON_WRITE_H
#define WHERRY_OCI_JSON_WRITE_H

#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* Commas, indentation and nesting are the writer's business. INDENT 0 writes one line; hooks want that form. In an object
 * each value is preceded by json_key; at the top level one value is written. */
struct json_writer {
    struct buf *out;
    unsigned indent, depth;
    bool filled, after_key; /* filled: the innermost object or array has an element already */
};

void json_open(struct json_writer *w, char bracket);  /* '{' or '[' */
void json_close(struct json_writer *w, char bracket); /* '}' or ']' */
void json_key(struct json_writer *w, const char *key);
void json_put_string(struct json_writer *w, const char *text); /* NULL: "" */
void json_put_int(struct json_writer *w, int64_t value);
void json_put_bool(struct json_writer *w, bool value);
void json_put_raw(struct json_writer *w, const char *json); /* a value that is JSON already */
void json_put_strings(struct json_writer *w, const char *const *strings, size_t count);

#endif
