/* Preview 1: arguments, environment, clocks, random bytes, and the end of the process. */
#include "engine/wasi/p1.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Stores COUNT at argument 0 and the bytes that STRINGS take, NULs included, at argument 1. */
static int store_sizes(struct p1_call *call, const char *const *strings, uint32_t count)
{
    uint64_t total = 0;
    int ret;

    for (uint32_t i = 0; i < count; i++)
        total += strlen(strings[i]) + 1;
    if (total > UINT32_MAX)
        return -EOVERFLOW;
    ret = p1_store_u32(call, p1_u32(call, 0), count);
    return ret < 0 ? ret : p1_store_u32(call, p1_u32(call, 1), (uint32_t)total);
}

/* Stores STRINGS one after the other at argument 1 and the address of each at argument 0. */
static int store_strings(struct p1_call *call, const char *const *strings, uint32_t count)
{
    uint32_t list = p1_u32(call, 0), at = p1_u32(call, 1);

    if (p1_range(call, list, (uint64_t)count * 4) == NULL)
        return -EFAULT;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(strings[i]) + 1;
        int ret = p1_store(call, at, strings[i], len);
        if (ret < 0)
            return ret;
        p1_store_u32(call, list + i * 4, at);
        at += (uint32_t)len;
    }
    return 0;
}

int p1_args_sizes_get(struct p1_call *call)
{
    return store_sizes(call, call->context->grant->args, call->context->grant->arg_count);
}

int p1_args_get(struct p1_call *call)
{
    return store_strings(call, call->context->grant->args, call->context->grant->arg_count);
}

int p1_environ_sizes_get(struct p1_call *call)
{
    return store_sizes(call, call->context->grant->environment, call->context->grant->environment_count);
}

int p1_environ_get(struct p1_call *call)
{
    return store_strings(call, call->context->grant->environment, call->context->grant->environment_count);
}

clockid_t p1_clock(uint32_t wasi_clock)
{
    switch (wasi_clock) {
    case WASI_CLOCK_REALTIME: return CLOCK_REALTIME;
    case WASI_CLOCK_MONOTONIC: return CLOCK_MONOTONIC;
    case WASI_CLOCK_PROCESS_CPUTIME: return CLOCK_PROCESS_CPUTIME_ID;
    case WASI_CLOCK_THREAD_CPUTIME: return CLOCK_THREAD_CPUTIME_ID;
    default: return -1;
    }
}

static int store_time(struct p1_call *call, uint32_t at, const struct timespec *time)
{
    return p1_store_u64(call, at, (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec);
}

int p1_clock_res_get(struct p1_call *call)
{
    struct timespec time;
    clockid_t clock = p1_clock(p1_u32(call, 0));

    if (clock < 0 || clock_getres(clock, &time) < 0)
        return -EINVAL;
    return store_time(call, p1_u32(call, 1), &time);
}

/* Argument 1, the precision that would do, is a hint. */
int p1_clock_time_get(struct p1_call *call)
{
    struct timespec time;
    clockid_t clock = p1_clock(p1_u32(call, 0));

    if (clock < 0 || clock_gettime(clock, &time) < 0)
        return -EINVAL;
    return store_time(call, p1_u32(call, 2), &time);
}

int p1_random_get(struct p1_call *call)
{
    uint32_t len = p1_u32(call, 1);
    uint8_t *at = p1_range(call, p1_u32(call, 0), len);

    if (at == NULL)
        return -EFAULT;
    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0) {
            at += got;
            len -= (uint32_t)got;
        }
    }
    return 0;
}

int p1_sched_yield(struct p1_call *call)
{
    (void)call;
    return sched_yield() < 0 ? -errno : 0;
}

/* Nothing of the process is buffered or left to clean up; the exit status is the low eight bits, as for any process. */
int p1_proc_exit(struct p1_call *call)
{
    _exit((int)p1_u32(call, 0));
}

/* No module can catch a signal, and to end itself it has proc_exit and traps; wasmtime and others do not offer it
 * either. */
int p1_proc_raise(struct p1_call *call)
{
    (void)call;
    return -ENOSYS;
}
