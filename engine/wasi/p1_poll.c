/* Preview 1: poll_oneoff, the one way for a module to wait.
 *
 * A call waits until the first subscription has happened, then reports every one that has. A bad subscription is an
 * event with an error, not an error of the call. Times are watched on the clock that the guest named: a wait for a time
 * of day ends when the clock is set. */
#include "engine/wasi/p1.h"
#include "engine/wasi/errno.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Linux refuses more descriptors in one poll than RLIMIT_NOFILE, but the guest's clocks count here too. */
enum { SUBSCRIPTIONS_MAX = 1 << 16, NS_PER_S = 1000000000 };

struct subscription {
    uint64_t userdata;
    uint8_t type; /* enum wasi_eventtype */
    int error;    /* of the subscription itself, a positive errno; it is then an event at once */
    /* clocks */
    clockid_t clock;
    uint64_t until_ns; /* on that clock */
    /* descriptors; its pollfd has the same index */
    uint8_t filetype;
    int own_fd; /* the guest's; what is polled may be a duplicate */
};

struct waiting {
    struct subscription *subscriptions;
    struct pollfd *poll_fds; /* fd -1 for what is not polled */
    uint32_t count;
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void read_clock(const uint8_t *body, unsigned shift, struct subscription *out)
{
    uint32_t clock = p1_field_u32(body, WASI_SUBSCRIPTION_CLOCK_ID + shift);
    uint64_t timeout_ns = p1_field_u64(body, WASI_SUBSCRIPTION_CLOCK_TIMEOUT + shift);
    bool absolute = (p1_field_u32(body, WASI_SUBSCRIPTION_CLOCK_FLAGS + shift) & WASI_SUBCLOCK_ABSTIME) != 0;

    out->clock = p1_clock(clock);
    if (out->clock < 0)
        out->error = EINVAL;
    else if (out->clock != CLOCK_REALTIME && out->clock != CLOCK_MONOTONIC)
        out->error = EOPNOTSUPP; /* the CPU time of who waits stands still */
    else if (absolute)
        out->until_ns = timeout_ns;
    else if (__builtin_add_overflow(now_ns(out->clock), timeout_ns, &out->until_ns))
        out->until_ns = UINT64_MAX;
}

static void read_descriptor(struct p1_call *call, const uint8_t *body, struct subscription *out, struct pollfd *poll_fd)
{
    const struct wasi_fd *entry = wasi_fd_get(call->context, p1_field_u32(body, WASI_SUBSCRIPTION_FD));

    if (entry == NULL || entry->kind != WASI_FD_STREAM) {
        out->error = EBADF;
        return;
    }
    out->filetype = entry->filetype;
    out->own_fd = entry->fd;
    poll_fd->fd = wasi_duplicate(call->context, entry->fd);
    if (poll_fd->fd < 0)
        out->error = errno;
    poll_fd->events = out->type == WASI_EVENT_FD_READ ? POLLIN : POLLOUT;
}

static int read_subscription(struct p1_call *call, const uint8_t *from, struct waiting *waiting, uint32_t index)
{
    struct subscription *out = &waiting->subscriptions[index];
    struct pollfd *poll_fd = &waiting->poll_fds[index];

    *out = (struct subscription){
        .userdata = p1_field_u64(from, WASI_SUBSCRIPTION_USERDATA),
        .type = from[WASI_SUBSCRIPTION_TAG],
    };
    *poll_fd = (struct pollfd){.fd = -1};
    if (out->type > WASI_EVENT_FD_WRITE)
        return -EINVAL;
    if (out->type == WASI_EVENT_CLOCK)
        read_clock(from, call->unstable ? WASI_UNSTABLE_CLOCK_SHIFT : 0, out);
    else
        read_descriptor(call, from, out, poll_fd);
    return 0;
}

/* --- waiting ---------------------------------------------------------------------------------------------------------
 */

static bool has_happened(const struct subscription *subscription, const struct pollfd *poll_fd)
{
    if (subscription->error != 0)
        return true;
    if (subscription->type == WASI_EVENT_CLOCK)
        return now_ns(subscription->clock) >= subscription->until_ns;
    return poll_fd->revents != 0;
}

static bool any_has_happened(const struct waiting *waiting)
{
    for (uint32_t i = 0; i < waiting->count; i++)
        if (has_happened(&waiting->subscriptions[i], &waiting->poll_fds[i]))
            return true;
    return false;
}

/* The time left until the first clock, or NULL without one. A day at most: a time of day may come sooner than the
 * difference says, when the clock is set. */
static const struct timespec *time_left(const struct waiting *waiting, struct timespec *out)
{
    uint64_t least_ns = UINT64_MAX;

    for (uint32_t i = 0; i < waiting->count; i++) {
        const struct subscription *subscription = &waiting->subscriptions[i];
        uint64_t now;
        if (subscription->type != WASI_EVENT_CLOCK || subscription->error != 0)
            continue;
        now = now_ns(subscription->clock);
        now = subscription->until_ns > now ? subscription->until_ns - now : 0;
        least_ns = now < least_ns ? now : least_ns;
    }
    if (least_ns == UINT64_MAX)
        return NULL;
    *out = (struct timespec){.tv_sec = (time_t)(least_ns / NS_PER_S), .tv_nsec = (long)(least_ns % NS_PER_S)};
    if (out->tv_sec >= 86400)
        *out = (struct timespec){.tv_sec = 86400};
    return out;
}

/* A single clock, the guest's sleep: the kernel watches it itself, set or not. */
static void sleep_until(const struct subscription *clock)
{
    struct timespec until = {
        .tv_sec = (time_t)(clock->until_ns / NS_PER_S),
        .tv_nsec = (long)(clock->until_ns % NS_PER_S),
    };
    while (clock_nanosleep(clock->clock, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static int wait_for_first(struct waiting *waiting)
{
    static const struct timespec none;
    struct timespec left;

    if (waiting->count == 1 && waiting->subscriptions[0].type == WASI_EVENT_CLOCK &&
        waiting->subscriptions[0].error == 0) {
        sleep_until(&waiting->subscriptions[0]);
        return 0;
    }
    do {
        const struct timespec *timeout = any_has_happened(waiting) ? &none : time_left(waiting, &left);
        if (ppoll(waiting->poll_fds, waiting->count, timeout, NULL) < 0 && errno != EINTR)
            return -errno;
    } while (!any_has_happened(waiting));
    return 0;
}

/* --- events ----------------------------------------------------------------------------------------------------------
 */

/* How much can be read at once; 0 where nobody knows. */
static uint64_t readable_bytes(uint8_t filetype, int fd)
{
    int pending = 0;

    if (filetype == WASI_FILETYPE_REGULAR_FILE) {
        struct stat st;
        off_t at = lseek(fd, 0, SEEK_CUR);
        if (at < 0 || fstat(fd, &st) < 0 || at > st.st_size)
            return 0;
        return (uint64_t)(st.st_size - at);
    }
    return ioctl(fd, FIONREAD, &pending) == 0 && pending > 0 ? (uint64_t)pending : 0;
}

static void fill_event(const struct subscription *subscription, const struct pollfd *poll_fd,
                       uint8_t event[WASI_EVENT_BYTES])
{
    int error = subscription->error;

    if (error == 0 && (poll_fd->revents & POLLNVAL) != 0)
        error = EBADF;
    memset(event, 0, WASI_EVENT_BYTES);
    p1_set_u64(event, WASI_EVENT_USERDATA, subscription->userdata);
    p1_set_u16(event, WASI_EVENT_ERROR, (uint16_t)wasi_errno(error));
    event[WASI_EVENT_TYPE] = subscription->type;
    if (error != 0 || subscription->type == WASI_EVENT_CLOCK)
        return;
    if (subscription->type == WASI_EVENT_FD_READ)
        p1_set_u64(event, WASI_EVENT_NBYTES, readable_bytes(subscription->filetype, poll_fd->fd));
    if ((poll_fd->revents & (POLLHUP | POLLRDHUP)) != 0)
        p1_set_u16(event, WASI_EVENT_FLAGS, WASI_EVENT_FD_READWRITE_HANGUP);
}

/* Writes an event for each subscription that has happened and returns how many. */
static uint32_t report(const struct waiting *waiting, uint8_t *events)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < waiting->count; i++)
        if (has_happened(&waiting->subscriptions[i], &waiting->poll_fds[i]))
            fill_event(&waiting->subscriptions[i], &waiting->poll_fds[i], events + (size_t)count++ * WASI_EVENT_BYTES);
    return count;
}

static int poll_with(struct p1_call *call, struct waiting *waiting, const uint8_t *from, uint8_t *events)
{
    size_t size = call->unstable ? WASI_UNSTABLE_SUBSCRIPTION_BYTES : WASI_SUBSCRIPTION_BYTES;
    int ret;

    for (uint32_t i = 0; i < waiting->count; i++) {
        ret = read_subscription(call, from + i * size, waiting, i);
        if (ret < 0)
            return ret;
    }
    wasi_unlock(call->context);
    ret = wait_for_first(waiting);
    wasi_lock(call->context);
    if (ret < 0)
        return ret;
    return p1_store_u32(call, p1_u32(call, 3), report(waiting, events));
}

/* Arguments: subscriptions, events, count, result. */
int p1_poll_oneoff(struct p1_call *call)
{
    struct waiting waiting = {.count = p1_u32(call, 2)};
    uint64_t size = call->unstable ? WASI_UNSTABLE_SUBSCRIPTION_BYTES : WASI_SUBSCRIPTION_BYTES;
    const uint8_t *from = p1_range(call, p1_u32(call, 0), waiting.count * size);
    uint8_t *events = p1_range(call, p1_u32(call, 1), (uint64_t)waiting.count * WASI_EVENT_BYTES);
    int ret;

    if (waiting.count == 0 || waiting.count > SUBSCRIPTIONS_MAX)
        return -EINVAL;
    if (from == NULL || events == NULL)
        return -EFAULT;
    waiting.subscriptions = calloc(waiting.count, sizeof *waiting.subscriptions);
    waiting.poll_fds = calloc(waiting.count, sizeof *waiting.poll_fds);
    if (waiting.subscriptions == NULL || waiting.poll_fds == NULL)
        ret = -ENOMEM;
    else
        ret = poll_with(call, &waiting, from, events);
    for (uint32_t i = 0; waiting.poll_fds != NULL && waiting.subscriptions != NULL && i < waiting.count; i++)
        if (waiting.poll_fds[i].fd >= 0)
            wasi_duplicate_close(waiting.poll_fds[i].fd, waiting.subscriptions[i].own_fd);
    free(waiting.subscriptions);
    free(waiting.poll_fds);
    return ret;
}
