/* The reference space: one reserved region in which everything that a reference can point at lies.
 *
 * Offset 0 is null; the first page is never opened, so that using null faults. Functions are allocated upwards and live as
 * long as their store; the heap (heap.h) takes its blocks from the other end, down to limit_bytes. */
#include "engine/rt/store.h"
#include <sys/mman.h>

enum { FIRST_OFFSET = 4096, OPEN_STEP_BYTES = 256 * 1024 };

int space_reserve(struct reference_space *space, struct err *err)
{
    /* below 4 GiB under RLIMIT_AS: what a reference can reach shrinks, nothing else changes */
    for (uint64_t size_bytes = UINT64_C(1) << 32; size_bytes >= UINT64_C(1) << 24; size_bytes >>= 2) {
        void *base = mmap(NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            continue;
        *space = (struct reference_space){base, FIRST_OFFSET, FIRST_OFFSET, size_bytes, size_bytes};
        return 0;
    }
    return err_sys(err, "cannot reserve address space for references");
}

void space_release(struct reference_space *space)
{
    if (space->base != NULL)
        munmap(space->base, space->reserved_bytes);
    space->base = NULL;
}

uint32_t space_alloc(struct reference_space *space, uint64_t size_bytes)
{
    uint64_t at = space->used_bytes, end;

    if (__builtin_add_overflow(at, (size_bytes + 15) & ~UINT64_C(15), &end) || end > space->limit_bytes)
        return 0;
    if (end > space->open_bytes) {
        uint64_t open = (end + OPEN_STEP_BYTES - 1) / OPEN_STEP_BYTES * OPEN_STEP_BYTES;
        if (open > space->limit_bytes)
            open = space->limit_bytes;
        if (mprotect(space->base + space->open_bytes, open - space->open_bytes, PROT_READ | PROT_WRITE) != 0)
            return 0;
        space->open_bytes = open;
    }
    space->used_bytes = end;
    return (uint32_t)at;
}
