/* The runner of the core specification's tests (the .json form of wast2json): internal to tests/spec. */
#ifndef WHERRY_TESTS_SPEC_H
#define WHERRY_TESTS_SPEC_H

#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "tests/spec/overtaken.h"
#include "wherry/engine.h"
#include <yajl/yajl_tree.h>

/* --- what one file's process says to its parent (spec.c) ------------------------------------------------------------ */

enum verdict { PASSED, FAILED, SKIPPED };

/* Records the outcome of the command at LINE; the text says what was wrong, or why it was left out. */
__attribute__((format(printf, 3, 4))) void report(enum verdict verdict, long line, const char *format, ...);

/* --- values (value.c) ----------------------------------------------------------------------------------------------- */

/* Reads the JSON value {type, value, lane_type} into OUT. False: a form that the runner does not know. */
bool value_parse(struct store *store, yajl_val json, union vm_value *out);
/* Whether ACTUAL, of the result type TYPE, is what the JSON value EXPECTED describes. */
bool value_matches(struct store *store, yajl_val expected, const union vm_value *actual, valtype type);
void value_print(struct buf *out, const union vm_value *value, valtype type);

static inline const char *json_string(yajl_val object, const char *key)
{
    const char *path[] = {key, NULL};
    yajl_val v = yajl_tree_get(object, path, yajl_t_string);
    return v != NULL ? YAJL_GET_STRING(v) : NULL;
}

/* A name of a module or a field, with the NULs that hide_nuls of spec.c has replaced. NULL data: there is none. */
static inline struct name json_name(yajl_val object, const char *key)
{
    const char *text = json_string(object, key), stand_in[] = "\xef\xa3\xb0";
    char *name, *out;

    if (text == NULL)
        return (struct name){NULL, 0};
    name = out = strdup(text);
    for (const char *at = text; *at != 0;) {
        if (strncmp(at, stand_in, 3) == 0) {
            *out++ = 0;
            at += 3;
        } else {
            *out++ = *at++;
        }
    }
    return (struct name){name, (uint32_t)(out - name)};
}

static inline yajl_val json_array(yajl_val object, const char *key)
{
    const char *path[] = {key, NULL};
    return yajl_tree_get(object, path, yajl_t_array);
}

static inline yajl_val json_object(yajl_val object, const char *key)
{
    const char *path[] = {key, NULL};
    return yajl_tree_get(object, path, yajl_t_object);
}

static inline long json_line(yajl_val command)
{
    const char *path[] = {"line", NULL};
    yajl_val v = yajl_tree_get(command, path, yajl_t_number);
    return v != NULL ? (long)YAJL_GET_INTEGER(v) : 0;
}

/* --- commands (script.c) -------------------------------------------------------------------------------------------- */

/* Garbage is collected at every so many allocations; 0: when it is due (spec.c). */
extern uint32_t collect_every;

/* Runs every command of the file COMMANDS, whose modules lie in DIRECTORY. Sets *LINE to where it is. */
void script_run(yajl_val commands, const char *directory, const struct engine_options *options, volatile long *line);

/* The module "spectest" (spectest.c). */
struct link_source spectest_source(struct store *store);

#endif
