/* The live file: how containers that run baseline code get optimized code, without doing anything for it.
 *
 *   page 0     struct live_header
 *   slots      one 32-bit word a defined function: 0, or where its better code is, as an offset from the artifact's code
 *   tables     what explains the better code: entries, sites, tries ...
 *   code
 *
 * Every function of a baseline artifact begins with a look at its slot, which lies in front of the artifact's code
 * (section `slots`, all 0). A container maps the live file's slots over that section, and the rest behind the artifact, shared and
 * read-only; so the distances are the same in each. One process, which knows no container, writes tables and code once,
 * then the header's `published`, then the slots. What has been written is never changed. */
#ifndef WHERRY_ENGINE_GEN_LIVE_FILE_H
#define WHERRY_ENGINE_GEN_LIVE_FILE_H

#include "engine/gen/artifact.h"

/* X(field, element type): the sections of an artifact that explain its code. */
#define LIVE_TABLES(X)                                                                                                 \
    X(entries, uint32_t)                                                                                               \
    X(site_blocks, struct site_block)                                                                                  \
    X(sites, uint32_t)                                                                                                 \
    X(inlinings, struct code_inlining)                                                                                 \
    X(inlined_sites, struct code_inlined_sites)                                                                        \
    X(calls_in_tries, struct code_call_in_try)                                                                         \
    X(tries, struct code_try)                                                                                          \
    X(catches, struct code_catch)

/* Machine code and what explains it, wherever it lies. */
struct code_tables {
    const uint8_t *code;
    uint64_t code_count;
#define X(field, type)                                                                                                 \
    const type *field;                                                                                                 \
    uint64_t field##_count;
    LIVE_TABLES(X)
#undef X
};

/* Where the parts lie in the file; follows from the baseline artifact's header. */
struct live_layout {
    uint64_t slots, slots_bytes;
    uint64_t tables, tables_bytes;
    uint64_t code, code_bytes;
    uint64_t file_bytes;
};

struct live_published {
    uint64_t code_count;
#define X(field, type) uint64_t field, field##_count; /* offset in the file, elements */
    LIVE_TABLES(X)
#undef X
};

struct live_header {
    char magic[8];            /* "wherryLV" */
    uint64_t artifact_digest; /* the baseline artifact's body_digest */
    uint64_t is_published;    /* written behind all else that is below */
    struct live_published published;
};

/* False: the artifact's functions cannot be replaced. */
bool live_layout(const struct artifact_header *artifact, struct live_layout *out);

/* Whether HEADER, at the start of a file of FILE_BYTES, belongs to the artifact. */
bool live_fits(const struct live_header *header, uint64_t file_bytes, const struct artifact_header *artifact);

/* The tables of the code published in the file that is mapped at FILE. False: nothing is, or what its header says lies outside
 * of the file. Async-signal-safe. */
bool live_tables(const void *file, const struct live_layout *layout, struct code_tables *out);

/* What a slot holds for code at CODE_OFFSET of the live file's code, in the baseline artifact ARTIFACT. */
int64_t live_slot(const struct artifact_header *artifact, const struct live_layout *layout, uint32_t code_offset);

#endif
