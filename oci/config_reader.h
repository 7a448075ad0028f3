/* What the config_*.c files share: typed access to the JSON tree with one sticky error.
 *
 * The first failure is kept in *E with the JSON path in front and stops nothing: later reads return empty values, so a
 * section is read straight through and `failed` is looked at once, at the end. */
#ifndef WHERRY_OCI_CONFIG_READER_H
#define WHERRY_OCI_CONFIG_READER_H

#include "oci/config.h"
#include "oci/json.h"

struct config_reader {
    struct arena *arena;
    struct err *e;
    bool failed;
    const char *warnings; /* NULL: none */
};

/* Records "<path of NODE>: <text>" unless something was recorded before. */
__attribute__((format(printf, 3, 4))) void config_fail(struct config_reader *r, const struct json *node,
                                                       const char *format, ...);
/* Adds "<path of NODE>: <text>" to the configuration's warnings. */
__attribute__((format(printf, 3, 4))) void config_warn(struct config_reader *r, const struct json *node,
                                                       const char *format, ...);
/* The same as config_fail about member KEY of OBJECT, present or missing. */
void config_fail_key(struct config_reader *r, const struct json *object, const char *key, const char *why);

/* Member KEY of OBJECT if it is there and of TYPE; another type is a failure. OBJECT may be NULL: then nothing is there. */
const struct json *config_get(struct config_reader *r, const struct json *object, const char *key, enum json_type type);
bool config_is(struct config_reader *r, const struct json *node, enum json_type type);

const char *config_string(struct config_reader *r, const struct json *object, const char *key); /* NULL: absent */
const char *config_required(struct config_reader *r, const struct json *object,
                            const char *key); /* not absent, not empty */
/* A path that must start with "/"; NULL: absent. */
const char *config_absolute(struct config_reader *r, const struct json *object, const char *key);
bool config_bool(struct config_reader *r, const struct json *object, const char *key);
struct optional_bool config_optional_bool(struct config_reader *r, const struct json *object, const char *key);
struct optional_u64 config_u64(struct config_reader *r, const struct json *object, const char *key, uint64_t max);
struct optional_i64 config_i64(struct config_reader *r, const struct json *object, const char *key, int64_t min,
                               int64_t max);
struct strings config_strings(struct config_reader *r, const struct json *object, const char *key);
/* The members of an object whose values are strings; an empty key is a failure. */
struct config_pairs config_string_map(struct config_reader *r, const struct json *object, const char *key);

/* The elements of array (or object) KEY, each of which must be of TYPE; allocates *COUNT elements of SIZE_BYTES. Returns
 * the first child, or NULL when there is nothing; *COUNT is 0 then. */
const struct json *config_elements(struct config_reader *r, const struct json *object, const char *key,
                                   enum json_type array_or_object, enum json_type type, size_t size_bytes,
                                   void *data_out, uint32_t *count);

/* A table of names; the value of the entry that NODE's text names, else a failure that lists WHAT ("namespace type"). */
struct config_word {
    const char *name;
    uint64_t value;
};
uint64_t config_word(struct config_reader *r, const struct json *node, const char *what,
                     const struct config_word *words, size_t count);
#define CONFIG_WORD(r, node, what, table) config_word((r), (node), (what), (table), sizeof(table) / sizeof(table)[0])

/* The sections, one file each. NODE is NULL when the section is absent. */
void config_read_process(struct config_reader *r, const struct json *node, struct config_process *out);
void config_read_resources(struct config_reader *r, const struct json *node, struct config_resources *out);
void config_read_seccomp(struct config_reader *r, const struct json *node, struct config_seccomp *out);
void config_read_linux(struct config_reader *r, const struct json *node, struct config *out);
void config_read_id_maps(struct config_reader *r, const struct json *object, const char *key,
                         struct config_id_maps *out);
void config_check_user_namespace(struct config_reader *r, const struct json *linux_node, const struct config *c);

#endif
