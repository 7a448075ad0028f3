/* The runner of the core specification's tests (the .json form of wast2json): internal to tests/spec. */
#ifndef WHERRY_TESTS_SPEC_H
#define WHERRY_TESTS_SPEC_H

#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "tests/spec/json.h"
#include "tests/spec/overtaken.h"
#include "wherry/engine.h"

/* --- what one file's process says to its parent (spec.c) ------------------------------------------------------------ */

enum verdict { PASSED, FAILED, SKIPPED };

/* Records the outcome of the command at LINE; the text says what was wrong, or why it was left out. */
__attribute__((format(printf, 3, 4))) void report(enum verdict verdict, long line, const char *format, ...);

/* --- values (value.c) ----------------------------------------------------------------------------------------------- */

/* Reads the JSON value {type, value, lane_type} into OUT. False: a form that the runner does not know. */
bool value_parse(struct store *store, const struct json *json, union vm_value *out);
/* Whether ACTUAL, of the result type TYPE, is what the JSON value EXPECTED describes. */
bool value_matches(struct store *store, const struct json *expected, const union vm_value *actual, valtype type);
void value_print(struct buf *out, const union vm_value *value, valtype type);

/* --- commands (script.c) -------------------------------------------------------------------------------------------- */

/* Garbage is collected at every so many allocations; 0: when it is due (spec.c). */
extern uint32_t collect_every;
/* Memories grow no further; 0: as far as their types say. */
extern uint64_t memory_max_bytes;

/* Runs every command of the file COMMANDS, whose modules lie in DIRECTORY. Sets *LINE to where it is. */
void script_run(const struct json *commands, const char *directory, const struct engine_options *options,
                volatile long *line);

/* The module "spectest" (spectest.c). */
struct link_source spectest_source(struct store *store);

#endif
