/* WASI preview 1: the host modules, and what their functions have in common.
 *
 * A function is `int p1_NAME(struct p1_call *)`: arguments by number, 0 or a negative Linux errno as the result, which
 * p1.c turns into WASI's. Everything the guest passes is checked here: each pointer with its length against the size of
 * the memory in 64 bits, so that nothing wraps; what lies outside is -EFAULT. */
#ifndef WHERRY_ENGINE_WASI_P1_H
#define WHERRY_ENGINE_WASI_P1_H

#include "engine/rt/host.h"
#include "engine/wasi/ctx.h"
#include "engine/wasi/p1_abi.h"
#include "engine/wasi/p1_functions.h"
#include <stddef.h>
#include <sys/uio.h>
#include <time.h>

/* Bind each with a struct wasi_context. "wasi_unstable" is preview 0, the same functions but for the layouts of
 * filestat and subscription and the numbers of whence. */
extern const struct host_module wasi_p1_module, wasi_unstable_module;

struct p1_call {
    struct wasi_context *context;
    const union vm_value *args;
    uint8_t *memory;
    uint64_t memory_bytes;
    bool unstable; /* called as preview 0 */
};

#define X(name, signature) int p1_##name(struct p1_call *call);
WASI_P1_FUNCTIONS(X)
#undef X

static inline uint32_t p1_u32(const struct p1_call *call, unsigned index)
{
    return call->args[index].i32;
}

static inline uint64_t p1_u64(const struct p1_call *call, unsigned index)
{
    return call->args[index].i64;
}

/* LEN bytes of guest memory at AT, or NULL when they do not all lie inside. */
static inline uint8_t *p1_range(const struct p1_call *call, uint32_t at, uint64_t len)
{
    if (at > call->memory_bytes || len > call->memory_bytes - at)
        return NULL;
    return call->memory + at;
}

static inline int p1_store(const struct p1_call *call, uint32_t at, const void *bytes, size_t len)
{
    uint8_t *to = p1_range(call, at, len);
    if (to == NULL)
        return -EFAULT;
    memcpy(to, bytes, len);
    return 0;
}

static inline int p1_store_u32(const struct p1_call *call, uint32_t at, uint32_t value)
{
    return p1_store(call, at, &value, sizeof value);
}

static inline int p1_store_u64(const struct p1_call *call, uint32_t at, uint64_t value)
{
    return p1_store(call, at, &value, sizeof value);
}

/* Fields of a structure that is checked already. */
static inline uint32_t p1_field_u32(const uint8_t *at, unsigned offset)
{
    uint32_t value;
    memcpy(&value, at + offset, sizeof value);
    return value;
}

static inline uint64_t p1_field_u64(const uint8_t *at, unsigned offset)
{
    uint64_t value;
    memcpy(&value, at + offset, sizeof value);
    return value;
}

static inline void p1_set_u16(uint8_t *at, unsigned offset, uint16_t value)
{
    memcpy(at + offset, &value, sizeof value);
}

static inline void p1_set_u32(uint8_t *at, unsigned offset, uint32_t value)
{
    memcpy(at + offset, &value, sizeof value);
}

static inline void p1_set_u64(uint8_t *at, unsigned offset, uint64_t value)
{
    memcpy(at + offset, &value, sizeof value);
}

/* At most this many pieces go into one system call: Linux's UIO_MAXIOV. More make a short transfer. */
enum { P1_IOVECS_MAX = 1024 };

struct p1_iovecs {
    struct iovec pieces[P1_IOVECS_MAX];
    int count;
};

/* Reads the COUNT (c)iovecs at AT and checks where they point. Returns 0 or -EFAULT. */
int p1_iovecs(const struct p1_call *call, uint32_t at, uint32_t count, struct p1_iovecs *out);

/* The descriptor that argument 0 names: any, or one that is no directory. NULL: -EBADF. */
struct wasi_fd *p1_fd(struct p1_call *call);
struct wasi_fd *p1_stream(struct p1_call *call);

/* 0, or -EAGAIN when the guest wants ENTRY not to block, EVENTS (poll(2)) have not come, and the flag cannot be left to
 * the kernel since others share the description. */
int p1_wait_shared(const struct wasi_fd *entry, short events);

/* The filestat of ST, of which FILETYPE is known, at guest address AT. */
int p1_store_filestat(const struct p1_call *call, uint32_t at, const struct stat *st, uint8_t filetype);

/* The filestat of a synthetic directory of devices. */
int p1_store_devices_filestat(const struct p1_call *call, uint32_t at);

/* WASI's two times and fstflags as utimensat(2) wants them. Returns 0 or -EINVAL. */
int p1_times(uint64_t atim_ns, uint64_t mtim_ns, uint32_t fstflags, struct timespec times[2]);

/* The Linux clock, or -1. */
clockid_t p1_clock(uint32_t wasi_clock);

#endif
