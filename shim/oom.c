/* See oom.h. Both kinds only wake us; the count is read from the file, so that no kill is counted twice or missed. */
#include "shim/oom.h"
#include "base/fd.h"
#include "shim/cgroup_path.h"
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static bool events_read(int fd, char *out, size_t size)
{
    ssize_t len = pread(fd, out, size - 1, 0);

    if (len < 0)
        return false;
    out[len] = 0;
    return true;
}

/* systemd removes a scope's cgroup as soon as its last process has ended, and can be faster than we are; the kernel tells of the kill up
 * to 10 ms late. A container that has been at its limit, or whose pod has one, and that was killed, while one kill more than was last
 * seen was counted above it, is what the kernel killed. */
static bool killed_unseen(const struct oom_watch *watch)
{
    char text[512];

    return (watch->was_full || watch->limited_above) && watch->above >= 0 &&
           events_read(watch->above, text, sizeof text) && cgroup_text_value(text, "oom_kill") > watch->kills_above;
}

/* False when the cgroup is gone. */
static bool look(struct oom_watch *watch)
{
    char text[512];
    uint64_t count;

    if (!events_read(watch->file, text, sizeof text))
        return false;
    watch->was_full = cgroup_text_value(text, "max") != 0;
    count = cgroup_text_value(text, "oom_kill");
    if (count > watch->kills && !watch->happened(watch))
        return true;
    watch->kills = count;
    if (watch->above >= 0 && events_read(watch->above, text, sizeof text))
        watch->kills_above = cgroup_text_value(text, "oom_kill");
    return true;
}

void oom_watch_check(struct oom_watch *watch, bool killed)
{
    if (watch->file >= 0 && !look(watch) && killed && killed_unseen(watch) && watch->happened(watch))
        fd_close(&watch->above); /* once */
}

static void events_stop(struct oom_watch *watch)
{
    int fd = watch->source.fd;

    if (fd >= 0) {
        loop_remove(watch->loop, &watch->source);
        close(fd);
    }
}

static void oom_ready(struct source *source, uint32_t events)
{
    struct oom_watch *watch = (struct oom_watch *)((char *)source - offsetof(struct oom_watch, source));
    char drained[sizeof(struct inotify_event) + NAME_MAX + 1];
    ssize_t n = read(source->fd, drained, sizeof drained);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (!look(watch)) /* the cgroup is gone: v1 then signals the eventfd, v2 sends IN_IGNORED */
        events_stop(watch);
}

/* The number of the eventfd and of the open memory.oom_control, written to cgroup.event_control, join the two. */
static int eventfd_open(const char *cgroup, int control)
{
    char path[PATH_MAX], text[32];
    cleanup_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cleanup_fd int event_control = -1;

    if (fd < 0)
        return -errno;
    if (!cgroup_path_of(cgroup, "memory", "cgroup.event_control", path))
        return -ENOENT;
    event_control = open(path, O_WRONLY | O_CLOEXEC);
    if (event_control < 0)
        return -errno;
    snprintf(text, sizeof text, "%d %d", fd, control);
    if (write(event_control, text, strlen(text)) < 0)
        return -errno;
    return fd_take(&fd);
}

/* PATH is the container's memory.events. The topmost cgroup has none. */
static void above_open(struct oom_watch *watch, int inotify, const char *path)
{
    char above[PATH_MAX], text[512] = "max";
    const char *end = memrchr(path, '/', (size_t)(strrchr(path, '/') - path));
    int len = end != NULL ? (int)(end - path) : 0, limit;

    if (snprintf(above, sizeof above, "%.*s/memory.max", len, path) >= PATH_MAX)
        return;
    limit = open(above, O_RDONLY | O_CLOEXEC);
    watch->limited_above = limit >= 0 && events_read(limit, text, sizeof text) && strncmp(text, "max", 3) != 0;
    fd_close(&limit);
    snprintf(above, sizeof above, "%.*s/memory.events", len, path);
    watch->above = open(above, O_RDONLY | O_CLOEXEC);
    if (watch->above >= 0 && events_read(watch->above, text, sizeof text))
        watch->kills_above = cgroup_text_value(text, "oom_kill");
    /* a pod at its limit, and no container at its own; who has none is not woken by all that is below the same slice */
    if (watch->limited_above)
        inotify_add_watch(inotify, above, IN_MODIFY);
}

static int inotify_open(struct oom_watch *watch, const char *path)
{
    cleanup_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
        return -errno;
    above_open(watch, fd, path);
    return fd_take(&fd);
}

int oom_watch_start(struct oom_watch *watch, struct loop *loop, const char *cgroup)
{
    bool unified = cgroup_path_is_unified(cgroup);
    char path[PATH_MAX], text[512];
    int fd, error;

    watch->loop = loop;
    watch->source = (struct source){.ready = oom_ready, .fd = -1};
    watch->file = watch->above = -1;
    if (!cgroup_path_of(cgroup, "memory", unified ? "memory.events" : "memory.oom_control", path))
        return 0;
    watch->file = open(path, O_RDONLY | O_CLOEXEC);
    if (watch->file < 0)
        return errno == ENOENT ? 0 : -errno;
    if (events_read(watch->file, text, sizeof text))
        watch->kills = cgroup_text_value(text, "oom_kill");
    fd = unified ? inotify_open(watch, path) : eventfd_open(cgroup, watch->file);
    error = fd < 0 ? fd : loop_add(loop, &watch->source, fd, EPOLLIN);
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        fd_close(&watch->file);
        fd_close(&watch->above);
    }
    return error;
}

void oom_watch_stop(struct oom_watch *watch)
{
    events_stop(watch);
    fd_close(&watch->file);
    fd_close(&watch->above);
}
