/* Linear memories: a reservation that is never moved, opened from its start as the memory grows.
 *
 * A 32-bit address plus a 32-bit static offset plus the widest access stays inside RESERVATION_BYTES, so compiled
 * code compares nothing: what lies beyond the size faults. Where the address space for that is refused (RLIMIT_AS),
 * only code with explicit checks can run. */
#include "engine/rt/store.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RESERVATION_BYTES (MEMORY_MARGIN_BYTES + (UINT64_C(2) << 32) + 65536)

static void *reserve(uint64_t size_bytes)
{
    return mmap(NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* The largest reservation up to WANT that the process may have, at least LEAST. */
static void *reserve_at_most(uint64_t want, uint64_t least, uint64_t *got)
{
    for (*got = want;; *got = *got / 2 > least ? *got / 2 : least) {
        void *p = reserve(*got);
        if (p != MAP_FAILED || *got <= least)
            return p;
    }
}

static uint64_t page_round(uint64_t bytes)
{
    return (bytes + 4095) & ~UINT64_C(4095);
}

static int reserve_for(const struct store *store, struct memory *m, bool explicit_checks, struct err *err)
{
    uint64_t most, least = page_round(m->vm.size_bytes) + 4096;

    if (__builtin_mul_overflow(m->limits.max, UINT64_C(1) << m->limits.page_size_log2, &most) || most > UINT64_C(1)
                                                                                                            << 40)
        most = UINT64_C(1) << 40;
    if (!m->limits.is64 && !explicit_checks) {
        m->reservation_bytes = RESERVATION_BYTES;
        m->reservation = reserve(RESERVATION_BYTES);
        m->front_bytes = MEMORY_MARGIN_BYTES;
        m->grown_max_bytes = (UINT64_C(1) << 32) - MEMORY_MARGIN_BYTES; /* gen/abi.h; a larger minimum stays */
        return m->reservation != MAP_FAILED ? 0
                                            : err_set(err, ENOSPC,
                                                      "cannot reserve 8 GiB of address space for a memory; is "
                                                      "RLIMIT_AS set? (explicit bounds checks need less)");
    }
    if (store->memory_max_bytes != 0 && most > store->memory_max_bytes)
        most = store->memory_max_bytes;
    if (most < least)
        most = least;
    m->reservation = reserve_at_most(page_round(most) + 4096, least, &m->reservation_bytes);
    m->grown_max_bytes = m->reservation_bytes - 4096;
    return m->reservation != MAP_FAILED ? 0 : err_set(err, ENOMEM, "cannot reserve address space for a memory");
}

int memory_new(struct store *store, const struct limits *limits, bool explicit_checks, struct memory **out,
               struct err *err)
{
    struct memory *m = arena_new(&store->arena, struct memory);
    int status;

    m->limits = *limits;
    m->size_pages = limits->min;
    if (__builtin_mul_overflow(limits->min, UINT64_C(1) << limits->page_size_log2, &m->vm.size_bytes) ||
        m->vm.size_bytes > UINT64_C(1) << 46)
        return err_set(err, ENOMEM, "a memory of %llu pages does not fit the address space",
                       (unsigned long long)limits->min);
    if ((status = reserve_for(store, m, explicit_checks, err)) != 0)
        return status;
    m->vm.base = (uint8_t *)m->reservation + m->front_bytes;
    m->next = store->memories;
    store->memories = m;
    if (m->vm.size_bytes != 0 && mprotect(m->vm.base, page_round(m->vm.size_bytes), PROT_READ | PROT_WRITE) != 0)
        return err_sys(err, "cannot allocate a memory of %llu bytes", (unsigned long long)m->vm.size_bytes);
    *out = m;
    return 0;
}

static uint64_t grow(const struct store *store, struct memory *m, uint64_t delta_pages)
{
    uint64_t old = m->size_pages, pages, bytes, old_bytes = page_round(m->vm.size_bytes);
    uint64_t language_max = m->limits.is64 ? UINT64_C(1) << (64 - m->limits.page_size_log2)
                                           : UINT64_C(1) << (32 - m->limits.page_size_log2);

    if (delta_pages == 0)
        return old;
    if (__builtin_add_overflow(old, delta_pages, &pages) || pages > language_max || pages > m->limits.max ||
        __builtin_mul_overflow(pages, UINT64_C(1) << m->limits.page_size_log2, &bytes) || bytes > m->grown_max_bytes ||
        (store->memory_max_bytes != 0 && bytes > store->memory_max_bytes))
        return UINT64_MAX;
    if (page_round(bytes) != old_bytes &&
        mprotect(m->vm.base + old_bytes, page_round(bytes) - old_bytes, PROT_READ | PROT_WRITE) != 0)
        return UINT64_MAX;
    __atomic_store_n(&m->size_pages, pages, __ATOMIC_RELEASE);
    __atomic_store_n(&m->vm.size_bytes, bytes, __ATOMIC_RELEASE);
    return old;
}

uint64_t memory_grow(struct store *store, struct memory *m, uint64_t delta_pages)
{
    static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER; /* of shared memories */
    uint64_t old;

    if (!m->limits.shared)
        return grow(store, m, delta_pages);
    pthread_mutex_lock(&growing);
    old = grow(store, m, delta_pages);
    pthread_mutex_unlock(&growing);
    return old;
}

static int check_image(const struct memory *m, uint64_t at, uint64_t size_bytes, struct err *err)
{
    if (!artifact_range_fits(at, size_bytes, page_round(m->vm.size_bytes)) || ((at | size_bytes) & 4095) != 0)
        return err_set(err, ESTALE, "the artifact is damaged: an image lies outside its memory");
    return 0;
}

int memory_copy_image(struct memory *m, uint64_t at, uint64_t size_bytes, const void *bytes, struct err *err)
{
    int status = check_image(m, at, size_bytes, err);

    if (status == 0)
        memcpy(m->vm.base + at, bytes, size_bytes);
    return status;
}

int memory_map_image(struct memory *m, uint64_t at, uint64_t size_bytes, int fd, uint64_t offset, struct err *err)
{
    int status = check_image(m, at, size_bytes, err);

    if (status != 0)
        return status;
    if (mmap(m->vm.base + at, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (off_t)offset) ==
        MAP_FAILED)
        return err_sys(err, "cannot map a memory's image");
    return 0;
}

void memory_free(struct memory *m)
{
    munmap(m->reservation, m->reservation_bytes);
}
