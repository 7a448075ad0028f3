/* Each slot is a lock. Whoever wants one first waits for the lock `queue`, whose waiters the kernel serves in their order,
 * so that nobody starves; only its holder looks at the slots, again and again until one is free. */
#include "engine/cache/slot.h"
#include "base/fd.h"
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

static int open_lock(const struct cache_directory *d, const char *name)
{
    return openat(d->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

unsigned slot_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 4 ? 2 : (unsigned)processors / 2;
}

static int try_slot(const struct cache_directory *d, unsigned number)
{
    char name[32];
    cleanup_fd int fd = -1;

    snprintf(name, sizeof name, "slot.%u", number);
    fd = open_lock(d, name);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? fd_take(&fd) : -1;
}

/* The holder of the queue, until it has a slot. */
static int look_for_slot(const struct cache_directory *d, unsigned *number, bool once)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    unsigned count = slot_count();

    for (;;) {
        for (*number = 0; *number < count; ++*number) {
            int fd = try_slot(d, *number);
            if (fd >= 0)
                return fd;
            if (errno != EWOULDBLOCK)
                return -1;
        }
        if (once)
            return -1;
        nanosleep(&pause, NULL);
    }
}

int slot_take(const struct cache_directory *d, const struct cache_settings *tell, unsigned *number)
{
    cleanup_fd int queue = open_lock(d, "queue");
    int fd;

    if (queue < 0)
        return -1;
    if (flock(queue, LOCK_EX | LOCK_NB) == 0) {
        fd = look_for_slot(d, number, true);
        if (fd >= 0 || errno != EWOULDBLOCK)
            return fd;
    }
    if (tell != NULL && tell->progress != NULL)
        tell->progress(tell->progress_context, CACHE_QUEUED, 0, 0);
    while (flock(queue, LOCK_EX) != 0)
        if (errno != EINTR)
            return -1;
    return look_for_slot(d, number, false);
}

unsigned slot_busy(const struct cache_directory *d)
{
    unsigned count = slot_count(), busy = 0;

    for (unsigned i = 0; i < count; i++) {
        char name[32];
        cleanup_fd int fd = -1;
        snprintf(name, sizeof name, "slot.%u", i);
        fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        busy += fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    }
    return busy;
}
