/* Machine code of an artifact, mapped: read-only tables, code r-x, no page ever both writable and executable. */
#ifndef WHERRY_ENGINE_RT_CODE_H
#define WHERRY_ENGINE_RT_CODE_H

#include "base/err.h"
#include "engine/gen/live_file.h"

struct code {
    struct artifact artifact;
    void *mapping;
    uint64_t mapping_bytes;
    const void *live; /* its live file, mapped; NULL: none */
    struct live_layout live_layout;
    struct code *next; /* all that is mapped, for the trap handler */
};

/* Maps the artifact in FD after checking its header against IDENTITY (artifact_check_header). FD stays the caller's:
 * images of memories are mapped from it later. Returns 0, -ESTALE when it must be made anew, or another negative
 * errno. */
int code_map(int fd, const struct artifact_identity *identity, struct code **out, struct err *err);

/* The same with a live file, from which functions are replaced when better code is published there. One that does not belong to
 * the artifact is done without, as is LIVE_FD -1. Both descriptors stay the caller's. */
int code_map_with_live(int fd, int live_fd, const struct artifact_identity *identity, struct code **out,
                       struct err *err);
void code_unmap(struct code *code);

/* The mapped code that PC lies in, or NULL. Async-signal-safe. */
const struct code *code_at(const void *pc);

/* The tables that explain PC, which lies in CODE: the artifact's own, or those of better code. False: none do.
 * Async-signal-safe. */
bool code_tables_at(const struct code *code, const void *pc, struct code_tables *out);

/* The fault site at PC, TRAP_NONE if none. Async-signal-safe. */
enum trap_kind code_trap_at(const struct code *code, const void *pc);

struct code_place {
    uint32_t func, wasm_offset; /* function index, byte offset in the module; offset 0: unknown */
};

/* What a return address, or the address of an instruction that has FAULTED, stands for: the function that it is in, behind
 * those that are inlined there, the innermost first. Fills in up to MAX of OUT; returns how many, 0 if PC is unknown. */
uint32_t code_locate(const struct code *code, const void *pc, bool faulted, struct code_place *out, uint32_t max);

#endif
