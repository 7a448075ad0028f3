/* See wait.h. The waiting threads stand in queues by address, as in the kernel's futexes, and each sleeps on a futex of
 * its own (a condition variable). The guest's word cannot be the futex: it may be 64 bits wide, and the number of the
 * woken, their order and the reason of a wake-up are promised to the guest.
 *
 * A queue's lock is held from the comparison to the sleep, and by whoever notifies: so a change of the value that is
 * followed by a notify is either seen by the comparison or finds the waiter in the queue. */
#include "engine/rt/wait.h"
#include <pthread.h>
#include <stddef.h>
#include <time.h>

struct waiter {
    const void *address;
    struct waiter *next;
    pthread_cond_t woken;
    bool is_woken;
};

struct queue {
    pthread_mutex_t lock;
    struct waiter *first;
} __attribute__((aligned(64)));

enum { QUEUES = 64, NS_PER_S = 1000000000 };

static struct queue queues[QUEUES] = {[0 ... QUEUES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static struct queue *queue_of(const void *address)
{
    return &queues[((uint64_t)(uintptr_t)address >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 58];
}

static void enqueue(struct queue *q, struct waiter *w)
{
    struct waiter **end = &q->first;

    while (*end != NULL)
        end = &(*end)->next;
    *end = w;
}

static void dequeue(struct queue *q, const struct waiter *w)
{
    struct waiter **at = &q->first;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* False: a wait of that length ends with the world. */
static bool deadline(int64_t timeout_ns, struct timespec *out)
{
    if (timeout_ns < 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += timeout_ns / NS_PER_S;
    out->tv_nsec += timeout_ns % NS_PER_S;
    if (out->tv_nsec >= NS_PER_S) {
        out->tv_nsec -= NS_PER_S;
        out->tv_sec++;
    }
    return true;
}

static void sleep_until_woken(struct queue *q, struct waiter *w, const struct timespec *until)
{
    int status = 0;

    while (!w->is_woken && status == 0)
        status =
            until != NULL ? pthread_cond_timedwait(&w->woken, &q->lock, until) : pthread_cond_wait(&w->woken, &q->lock);
    if (!w->is_woken)
        dequeue(q, w);
}

static bool holds(const void *address, bool wide, uint64_t expected)
{
    return (wide ? __atomic_load_n((const uint64_t *)address, __ATOMIC_SEQ_CST)
                 : __atomic_load_n((const uint32_t *)address, __ATOMIC_SEQ_CST)) == expected;
}

enum wait_result wait_on(const void *address, bool wide, uint64_t expected, int64_t timeout_ns)
{
    struct queue *q = queue_of(address);
    struct waiter w = {.address = address};
    enum wait_result result = WAIT_NOT_EQUAL;
    struct timespec until;
    bool ends = deadline(timeout_ns, &until);

    condition_init(&w.woken);
    pthread_mutex_lock(&q->lock);
    if (holds(address, wide, expected)) {
        enqueue(q, &w);
        sleep_until_woken(q, &w, ends ? &until : NULL);
        result = w.is_woken ? WAIT_WOKEN : WAIT_TIMED_OUT;
    }
    pthread_mutex_unlock(&q->lock);
    pthread_cond_destroy(&w.woken);
    return result;
}

uint32_t wait_notify(const void *address, uint32_t count)
{
    struct queue *q = queue_of(address);
    uint32_t woken = 0;

    pthread_mutex_lock(&q->lock);
    for (struct waiter **at = &q->first; *at != NULL && woken != count;) {
        struct waiter *w = *at;
        if (w->address != address) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->is_woken = true;
        pthread_cond_signal(&w->woken);
        woken++;
    }
    pthread_mutex_unlock(&q->lock);
    return woken;
}
