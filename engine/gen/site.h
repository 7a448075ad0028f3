/* Sites: what the places in machine code stand for where a trap may happen or a call returns.
 *
 * There is one for every dozen bytes of a body, so they are kept in four bytes each, as distances from the beginning of a
 * block of them. A block ends where a distance does not fit any more: after 8 KiB of machine code, or where the code of
 * another part of the module follows. Blocks and sites are sorted by pc. */
#ifndef WHERRY_ENGINE_GEN_SITE_H
#define WHERRY_ENGINE_GEN_SITE_H

#include "engine/gen/abi.h"
#include <stdbool.h>
#include <stdint.h>

/* Where in the module an instruction comes from. */
struct site_origin {
    uint32_t wasm_offset; /* byte offset in the module */
    uint32_t inlining;    /* number of the inlining that it is part of (gen/code.h); 0: of the function itself */
};

struct site {
    uint32_t pc;          /* offset in the code: of the faulting instruction, or the return address of a call */
    uint32_t wasm_offset; /* byte offset in the module */
    enum trap_kind kind;  /* TRAP_NONE: a call (for backtraces) */
};

struct site_block {
    uint32_t pc, wasm_offset; /* from where its sites count */
    uint32_t first;           /* index of its first site */
};

enum { SITE_PC_BITS = 13, SITE_WASM_BITS = 14, SITE_KIND_BITS = 5 }; /* from the lowest up; the second biased by half */
_Static_assert(SITE_PC_BITS + SITE_WASM_BITS + SITE_KIND_BITS == 32 && TRAP_COUNT <= 1 << SITE_KIND_BITS, "they fit");

/* *OUT is SITE as one of BLOCK. False: it does not fit. */
static inline bool site_pack(const struct site_block *block, struct site site, uint32_t *out)
{
    uint32_t pc = site.pc - block->pc;
    uint32_t offset = site.wasm_offset - block->wasm_offset + (1u << (SITE_WASM_BITS - 1));

    *out = pc | offset << SITE_PC_BITS | (uint32_t)site.kind << (SITE_PC_BITS + SITE_WASM_BITS);
    return (pc >> SITE_PC_BITS | offset >> SITE_WASM_BITS) == 0;
}

struct site_list { /* borrowed */
    const struct site_block *blocks;
    uint64_t block_count;
    const uint32_t *sites;
    uint64_t site_count;
};

struct site_cursor {
    struct site_list list;
    uint64_t block, site;
};

/* A cursor before the first site at PC or above. Async-signal-safe. */
struct site_cursor site_find(struct site_list list, uint32_t pc);

/* Reads the next site; false: there is none. Async-signal-safe. */
bool site_next(struct site_cursor *cursor, struct site *out);

#endif
