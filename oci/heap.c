/* The heap of `wherry` and of the compile worker: blocks one behind the other in memory that the program brings along, and libc's heap for what does
 * not fit. A runtime's command lives for a millisecond, and half of what it asks for are buffers that grow while a file is read:
 * musl's malloc, which hardens long-lived programs, maps and unmaps each of them (60 system calls and 40 page faults a
 * `create`). Here a block that is the last one grows in place, and is taken back when it is freed.
 *
 * Linked by --wrap for malloc, calloc, realloc and free. Threads (`wherry wasm run` has some) need no lock: `used_bytes`
 * moves by compare and exchange only, and whoever moved it owns what lies between. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HEAP_BYTES = 512 * 1024, BLOCK_BYTES_MAX = 64 * 1024, ALIGN_BYTES = 16 };

struct block {
    _Alignas(ALIGN_BYTES) size_t room_bytes; /* behind this header */
};

static _Alignas(4096) uint8_t heap[HEAP_BYTES];
static _Atomic size_t used_bytes;
static _Atomic size_t dirty_bytes; /* beyond it the heap is as it came: zeros */

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void __real_free(void *old);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void __wrap_free(void *old);

static struct block *block_of(void *p)
{
    uint8_t *byte = p;
    return byte >= heap && byte < heap + HEAP_BYTES ? (struct block *)(byte - sizeof(struct block)) : NULL;
}

/* Where the block ends within the heap. */
static size_t block_end(const struct block *b)
{
    return (size_t)((const uint8_t *)(b + 1) - heap) + b->room_bytes;
}

static size_t round_up(size_t len)
{
    return (len + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

/* NULL: it is for libc's heap. */
static struct block *take(size_t len)
{
    size_t from = atomic_load(&used_bytes), room = round_up(len);
    struct block *b;

    do
        if (len > BLOCK_BYTES_MAX || room + sizeof *b > HEAP_BYTES - from)
            return NULL;
    while (!atomic_compare_exchange_weak(&used_bytes, &from, from + sizeof *b + room));
    b = (struct block *)(heap + from);
    b->room_bytes = room;
    return b;
}

static void note_dirty(size_t end)
{
    size_t dirty = atomic_load(&dirty_bytes);

    while (dirty < end && !atomic_compare_exchange_weak(&dirty_bytes, &dirty, end))
        ;
}

/* Moves the end of B to where a block of LEN bytes has it, if B is the last one and there is room. */
static bool resize(struct block *b, size_t len)
{
    size_t old = block_end(b), room = round_up(len), end = old - b->room_bytes + room;

    if (len > BLOCK_BYTES_MAX || end > HEAP_BYTES)
        return false;
    note_dirty(old);
    if (!atomic_compare_exchange_strong(&used_bytes, &old, end))
        return false;
    b->room_bytes = room;
    return true;
}

void *__wrap_malloc(size_t len)
{
    struct block *b = take(len);
    return b != NULL ? b + 1 : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    size_t total, start, dirty;
    struct block *b = __builtin_mul_overflow(count, len, &total) ? NULL : take(total);

    if (b == NULL)
        return __real_calloc(count, len);
    start = block_end(b) - b->room_bytes;
    dirty = atomic_load(&dirty_bytes);
    if (dirty > start)
        memset(b + 1, 0, dirty - start < total ? dirty - start : total);
    return b + 1;
}

void __wrap_free(void *old)
{
    struct block *b = block_of(old);
    size_t end = b != NULL ? block_end(b) : 0;

    if (b == NULL) {
        __real_free(old);
        return;
    }
    note_dirty(end);
    atomic_compare_exchange_strong(&used_bytes, &end, end - b->room_bytes - sizeof *b);
}

void *__wrap_realloc(void *old, size_t len)
{
    struct block *b = old != NULL ? block_of(old) : NULL;
    void *moved;

    if (old != NULL && b == NULL)
        return __real_realloc(old, len);
    if (b != NULL && (len <= b->room_bytes || resize(b, len)))
        return old;
    moved = __wrap_malloc(len);
    if (moved == NULL || old == NULL)
        return moved;
    memcpy(moved, old, b->room_bytes); /* less than LEN, or it would not have moved */
    __wrap_free(old);
    return moved;
}
