/* The artifact: one position-independent file that is mapped and used in place.
 *
 *   page 0            fixed header: identity, host functions used, section table, checksum
 *   slots             of functions that can be replaced (live_file.h)
 *   code              page-aligned, mapped r-x
 *   tables            flat arrays, 8-byte aligned, read-only; indexes are the module's own
 *   image pages       page-aligned content of memories, mapped copy-on-write
 *
 * artifact_write makes it from a valid module and its machine code, byte for byte the same for the same input.
 * artifact_open checks header and section bounds; what a table refers to is checked where it is used, so that a start
 * touches only what it needs and a damaged file is refused instead of crashing anything. */
#ifndef WHERRY_ENGINE_GEN_ARTIFACT_H
#define WHERRY_ENGINE_GEN_ARTIFACT_H

#include "base/buf.h"
#include "base/err.h"
#include "engine/gen/code.h"
#include "engine/module.h"
#include "engine/types.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ARTIFACT_FORMAT = 4,
    ARTIFACT_PAGE_BYTES = 4096,
    ARTIFACT_HOST_FUNCTIONS_MAX = 256, /* numbered in the order of wasi/p1_functions.h */
    ARTIFACT_UNKNOWN_IMPORT_BYTES = 512,
};

/* X(field, element type): a section and the array that artifact_open makes of it. */
#define ARTIFACT_SECTIONS(X)                                                                                           \
    X(slots, uint32_t) /* directly in front of the code; only where functions can be replaced: gen/live_file.h */      \
    X(code, uint8_t)                                                                                                   \
    X(types, struct artifact_type)                                                                                     \
    X(valtypes, valtype) /* parameters then results of the types; fields: type, then 1 if mutable */                   \
    X(funcs, struct artifact_func)                                                                                     \
    X(referenced, uint32_t) /* functions that a reference may be made of, ascending */                                 \
    X(entries, uint32_t)    /* code offsets of the defined functions, then the end */                                  \
    X(site_blocks, struct site_block)                                                                                  \
    X(sites, uint32_t) /* gen/site.h */                                                                                \
    X(inlinings, struct code_inlining)                                                                                 \
    X(inlined_sites, struct code_inlined_sites)                                                                        \
    X(calls_in_tries, struct code_call_in_try)                                                                         \
    X(tries, struct code_try)                                                                                          \
    X(catches, struct code_catch)                                                                                      \
    X(imports, struct artifact_import)                                                                                 \
    X(exports, struct artifact_export)                                                                                 \
    X(tables, struct artifact_table)                                                                                   \
    X(memories, struct artifact_limits)                                                                                \
    X(globals, struct artifact_global)                                                                                 \
    X(tags, uint32_t) /* type indexes */                                                                               \
    X(elements, struct artifact_element)                                                                               \
    X(indexes, uint32_t)            /* functions of element segments */                                                \
    X(items, struct artifact_range) /* expressions of element segments */                                              \
    X(datas, struct artifact_data)                                                                                     \
    X(images, struct artifact_image)                                                                                   \
    X(func_names, struct artifact_range) /* into strings; empty array without a name section */                        \
    X(strings, char)                                                                                                   \
    X(expressions, uint8_t) /* constant expressions, each with its end */                                              \
    X(bytes, uint8_t)       /* data segments that are not part of an image */                                          \
    X(pages, uint8_t)       /* image pages */

enum artifact_section_id {
#define X(field, type) ARTIFACT_##field,
    ARTIFACT_SECTIONS(X)
#undef X
        ARTIFACT_SECTION_COUNT
};

static inline uint64_t artifact_section_align(unsigned section)
{
    return section == ARTIFACT_slots || section == ARTIFACT_code || section == ARTIFACT_pages ? ARTIFACT_PAGE_BYTES : 8;
}

struct artifact_section {
    uint64_t offset, size_bytes;
};

struct artifact_header {
    char magic[8];                 /* "wherryAR" */
    uint32_t format, architecture; /* enum artifact_architecture */
    char build_id[64];
    uint8_t key[32];
    uint32_t compiler, features, cpu_features;
    uint32_t explicit_bounds_checks;
    uint64_t file_bytes;
    uint64_t body_digest; /* of everything after the header page */
    uint64_t host_functions[ARTIFACT_HOST_FUNCTIONS_MAX / 64];
    char unknown_import[ARTIFACT_UNKNOWN_IMPORT_BYTES]; /* a sentence about the first import no host has; else empty */
    char not_a_command[ARTIFACT_UNKNOWN_IMPORT_BYTES];  /* a sentence about why _start cannot be called; else empty */
    uint32_t start_func;                                /* or MODULE_NONE */
    uint32_t features_used;
    uint64_t module_bytes;
    struct artifact_section sections[ARTIFACT_SECTION_COUNT];
    uint64_t checksum; /* of the header's page without this field */
};

/* The page that begins an artifact: the header, and zeros behind it. */
union artifact_page {
    struct artifact_header header;
    uint8_t bytes[ARTIFACT_PAGE_BYTES];
};
_Static_assert(sizeof(union artifact_page) == ARTIFACT_PAGE_BYTES, "the header is one page");

enum artifact_architecture { ARTIFACT_X86_64 = 1, ARTIFACT_AARCH64 = 2 };

struct artifact_range {
    uint32_t offset, len;
};

struct artifact_type {
    uint8_t kind; /* enum type_kind */
    uint8_t final;
    uint16_t zero;
    uint32_t supertype, rec_first, rec_count;
    uint32_t param_count, result_count, field_count;
    uint32_t first;     /* in valtypes */
    uint32_t canonical; /* smallest type index of the module that is the same type */
};

struct artifact_func {
    uint32_t type;
};

struct artifact_import {
    struct artifact_range module, field;
    uint32_t kind, index;
};

struct artifact_export {
    struct artifact_range name;
    uint32_t kind, index;
};

struct artifact_limits {
    uint64_t min, max; /* max is UINT64_MAX when absent */
    uint8_t has_max, shared, is64, page_size_log2;
    uint32_t zero;
};

struct artifact_table {
    struct artifact_limits limits;
    struct artifact_range init; /* empty: null */
    valtype type;
    uint32_t zero;
};

struct artifact_global {
    struct artifact_range init;
    valtype type;
    uint32_t mutable;
};

struct artifact_element {
    uint32_t mode; /* enum segment_mode */
    uint32_t table;
    valtype type;
    uint32_t by_items; /* first counts in items, else in indexes */
    uint32_t first, count;
    struct artifact_range offset;
};

struct artifact_data {
    uint32_t mode; /* enum segment_mode */
    uint32_t memory;
    struct artifact_range offset;
    uint64_t first, size_bytes; /* in bytes */
    uint32_t in_image;          /* active and already part of the memory's image */
    uint32_t zero;
};

struct artifact_image { /* page-aligned on both sides */
    uint32_t memory, zero;
    uint64_t memory_offset;
    uint64_t first, size_bytes; /* in pages */
};

struct artifact_identity {
    const uint8_t *key; /* 32 bytes */
    uint32_t compiler, features, cpu_features;
    bool explicit_bounds_checks;
};

/* Makes OUT, which is empty, the artifact of M, which is valid, and its CODE, whose machine code (code->code) is then
 * gone. Returns 0, or -E2BIG with ERR when something does not fit the format's 32-bit offsets. */
int artifact_write(const struct module *m, struct code_object *code, const struct artifact_identity *identity,
                   struct buf *out, struct err *err);

/* Checks that the page at HEADER is a header of this format, build and machine for a file of FILE_BYTES.
 * IDENTITY: what it must have been made for; its cpu_features: what there is (key NULL: any; the rest is then not
 * compared either, by who runs what its launcher has compared). Returns 0 or -ESTALE. */
int artifact_check_header(const struct artifact_header *header, uint64_t file_bytes,
                          const struct artifact_identity *identity, struct err *err);

/* A mapped artifact. Arrays point into the mapping, counts are in elements. */
struct artifact {
    const struct artifact_header *header;
#define X(field, type)                                                                                                 \
    const type *field;                                                                                                 \
    uint64_t field##_count;
    ARTIFACT_SECTIONS(X)
#undef X
};

/* Fills A from BYTES, whose header has been checked. Returns 0 or -ESTALE. */
int artifact_open(struct artifact *a, const void *bytes, uint64_t len, struct err *err);

/* HEADER: the whole page. */
uint64_t artifact_header_checksum(const struct artifact_header *header);

/* Digest of everything behind the header, to be compared with header->body_digest at the first use after boot. */
uint64_t artifact_body_digest(const void *bytes, uint64_t len);

static inline bool artifact_range_fits(uint64_t first, uint64_t count, uint64_t limit)
{
    return first <= limit && count <= limit - first;
}

/* The text of a range of strings; empty for one that points outside. */
static inline struct name artifact_string(const struct artifact *a, struct artifact_range range)
{
    if (!artifact_range_fits(range.offset, range.len, a->strings_count))
        return (struct name){"", 0};
    return (struct name){a->strings + range.offset, range.len};
}

#endif
