/* The tables of the preview 1 host modules, and the way from the engine's call to a function and back. See p1.h. */
#include "engine/wasi/p1.h"
#include "engine/wasi/errno.h"

typedef int p1_function(struct p1_call *call);

static enum trap_kind p1_run(struct host_call *call, p1_function *function, bool unstable)
{
    struct p1_call inner = {.context = call->context, .args = call->values, .unstable = unstable};
    int ret;

    inner.memory = instance_memory(call->instance, &inner.memory_bytes);
    wasi_lock(call->context);
    ret = function(&inner);
    wasi_unlock(call->context);
    call->values[0].i32 = wasi_errno(-ret);
    return TRAP_NONE;
}

#define X(name, signature)                                                                                             \
    static enum trap_kind host_##name(struct host_call *call)                                                          \
    {                                                                                                                  \
        return p1_run(call, p1_##name, false);                                                                         \
    }                                                                                                                  \
    static enum trap_kind unstable_##name(struct host_call *call)                                                      \
    {                                                                                                                  \
        return p1_run(call, p1_##name, true);                                                                          \
    }
WASI_P1_FUNCTIONS(X)
#undef X

static const struct host_function_def p1_defs[] = {
#define X(name, signature) {#name, signature, host_##name},
    WASI_P1_FUNCTIONS(X)
#undef X
};

static const struct host_function_def unstable_defs[] = {
#define X(name, signature) {#name, signature, unstable_##name},
    WASI_P1_FUNCTIONS(X)
#undef X
};

const struct host_module wasi_p1_module = {
    .name = WASI_P1_MODULE,
    .defs = p1_defs,
    .def_count = sizeof p1_defs / sizeof *p1_defs,
};

const struct host_module wasi_unstable_module = {
    .name = WASI_UNSTABLE_MODULE,
    .defs = unstable_defs,
    .def_count = sizeof unstable_defs / sizeof *unstable_defs,
};

int p1_iovecs(const struct p1_call *call, uint32_t at, uint32_t count, struct p1_iovecs *out)
{
    const uint8_t *list = p1_range(call, at, (uint64_t)count * WASI_IOVEC_BYTES);

    if (list == NULL)
        return -EFAULT;
    if (count > P1_IOVECS_MAX)
        count = P1_IOVECS_MAX;
    out->count = (int)count;
    for (uint32_t i = 0; i < count; i++, list += WASI_IOVEC_BYTES) {
        uint32_t len = p1_field_u32(list, WASI_IOVEC_LEN);
        uint8_t *base = p1_range(call, p1_field_u32(list, WASI_IOVEC_BASE), len);
        if (base == NULL)
            return -EFAULT;
        out->pieces[i] = (struct iovec){.iov_base = base, .iov_len = len};
    }
    return 0;
}

struct wasi_fd *p1_fd(struct p1_call *call)
{
    return wasi_fd_get(call->context, p1_u32(call, 0));
}

struct wasi_fd *p1_stream(struct p1_call *call)
{
    struct wasi_fd *entry = p1_fd(call);
    return entry != NULL && entry->kind == WASI_FD_STREAM ? entry : NULL;
}
