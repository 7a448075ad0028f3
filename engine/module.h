/* A decoded module: plain arrays in one arena, borrowing names and code from the module's bytes.
 *
 * decode.c fills it in and checks what the binary format demands; validate.c checks the rest. Everything behind takes a
 * struct module for valid. Index spaces hold imports first, as the specification numbers them. */
#ifndef WHERRY_ENGINE_MODULE_H
#define WHERRY_ENGINE_MODULE_H

#include "base/arena.h"
#include "base/err.h"
#include "engine/types.h"
#include <stddef.h>
#include <stdint.h>

struct name { /* UTF-8, checked; not NUL-terminated */
    const char *data;
    uint32_t len;
};

struct byte_range { /* offset from the start of the module's bytes */
    uint32_t offset, len;
};

enum type_kind { TYPE_FUNC = 0x60, TYPE_STRUCT = 0x5f, TYPE_ARRAY = 0x5e };

struct field_type {
    valtype type; /* may be packed */
    bool mutable;
    uint32_t offset; /* in an object: gen/layout.h */
};

struct type_def {
    enum type_kind kind;
    bool final;
    uint32_t supertype;            /* type index or UINT32_MAX */
    uint32_t depth;                /* length of the supertype chain */
    uint32_t rec_first, rec_count; /* the recursion group it belongs to */
    uint32_t canonical;            /* smallest type index of this module that is the same type */
    uint32_t param_count, result_count, field_count;
    valtype *params, *results; /* TYPE_FUNC */
    struct field_type *fields; /* TYPE_STRUCT; TYPE_ARRAY has exactly one */
};

struct limits {
    uint64_t min, max; /* pages or elements; max is UINT64_MAX when absent */
    bool has_max, shared, is64;
    uint8_t page_size_log2; /* memories: 16 unless custom */
};

enum external_kind { EXTERNAL_FUNC, EXTERNAL_TABLE, EXTERNAL_MEMORY, EXTERNAL_GLOBAL, EXTERNAL_TAG };

struct func_decl {
    uint32_t type;          /* type index */
    struct byte_range body; /* locals and code, without the size prefix; empty for an import */
    bool referenced;        /* may be named by ref.func: it stands in an element, export or global initialiser */
};

struct table_decl {
    valtype type;
    struct limits limits;
    struct byte_range init; /* constant expression; empty: null */
};

struct memory_decl {
    struct limits limits;
};

struct global_decl {
    valtype type;
    bool mutable;
    struct byte_range init; /* constant expression incl. its end; empty for an import */
};

struct tag_decl {
    uint32_t type;
};

struct import_decl {
    struct name module, field;
    enum external_kind kind;
    uint32_t index; /* in the kind's index space */
};

struct export_decl {
    struct name name;
    enum external_kind kind;
    uint32_t index;
};

enum segment_mode { SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_DECLARATIVE };

struct element_segment {
    enum segment_mode mode;
    uint32_t table;
    valtype type;
    struct byte_range offset; /* constant expression, active only */
    uint32_t count;
    uint32_t *funcs;          /* function indexes, or NULL when the items are expressions */
    struct byte_range *items; /* constant expressions, or NULL */
};

struct data_segment {
    enum segment_mode mode;
    uint32_t memory;
    struct byte_range offset; /* constant expression, active only */
    struct byte_range bytes;
};

struct custom_section {
    struct name name;
    struct byte_range bytes; /* after the name */
};

#define MODULE_NONE UINT32_MAX

struct module {
    struct arena arena;
    const uint8_t *bytes;
    size_t len;

    struct type_def *types;
    struct func_decl *funcs;
    struct table_decl *tables;
    struct memory_decl *memories;
    struct global_decl *globals;
    struct tag_decl *tags;
    struct import_decl *imports;
    struct export_decl *exports;
    struct element_segment *elements;
    struct data_segment *datas;
    struct custom_section *customs;
    struct name *func_names; /* from the name section: one per function, or empty; NULL without a section */

    uint32_t type_count, func_count, table_count, memory_count, global_count, tag_count;
    uint32_t imported_func_count, imported_table_count, imported_memory_count, imported_global_count,
        imported_tag_count;
    uint32_t import_count, export_count, element_count, data_count, custom_count;
    uint32_t start_func; /* or MODULE_NONE */
    bool has_data_count;
    uint32_t features_used; /* enum engine_feature bits beyond WebAssembly 2.0 without SIMD */
};

/* Decodes BYTES (which must outlive M) with the enabled FEATURES (enum engine_feature bits). Fills M, whose arena the
 * caller releases with module_free also after a failure. Returns 0, -EINVAL (ERR: reason and byte offset), or -ENOTSUP (ERR
 * names the feature that is switched off or not built yet). */
int module_decode(struct module *m, const void *bytes, size_t len, uint32_t features, struct err *err);

/* Checks a decoded module against the specification's validation rules, bodies included. In the types of declarations
 * it replaces type indexes by canonical ones (struct type_def); bodies still hold what the module says. Same errors as
 * module_decode. */
int module_validate(struct module *m, uint32_t features, struct err *err);
struct loops; /* engine/loops.h */

/* Its two parts, for those who spread the second over several threads: everything but bodies; then the bodies of the
 * functions FIRST to END - 1, which may be asked by several threads at once. FEATURES_USED gathers what they use; LOOPS,
 * emptied before, tells of their loops unless it is NULL. *KEPT, NULL at first and released by validator_free, lets one range
 * use the memory of the last; KEPT may be NULL. */
struct validator;
int module_validate_declarations(struct module *m, uint32_t features, struct err *err);
int module_validate_bodies(struct validator **kept, const struct module *m, uint32_t features, uint32_t first,
                           uint32_t end, uint32_t *features_used, struct loops *loops, struct err *err);
void validator_free(struct validator *kept); /* may be NULL */

void module_free(struct module *m);

#endif
