/* See oom.h. Both kinds only wake us; the count is read from the file, so that no kill is counted twice or missed. */
#include "shim/oom.h"
#include "base/fd.h"
#include "shim/cgroup_path.h"
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static bool count_read(const struct oom_watch *watch, uint64_t *count)
{
    char text[512];
    ssize_t len = pread(watch->file, text, sizeof text - 1, 0);

    if (len < 0)
        return false;
    text[len] = 0;
    *count = cgroup_text_value(text, "oom_kill");
    return true;
}

void oom_watch_check(struct oom_watch *watch)
{
    uint64_t count;

    if (watch->file < 0 || !count_read(watch, &count) || count <= watch->kills)
        return;
    if (watch->happened(watch))
        watch->kills = count;
}

static void oom_ready(struct source *source, uint32_t events)
{
    struct oom_watch *watch = (struct oom_watch *)((char *)source - offsetof(struct oom_watch, source));
    char drained[sizeof(struct inotify_event) + NAME_MAX + 1];
    ssize_t n = read(source->fd, drained, sizeof drained);
    uint64_t count;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    oom_watch_check(watch);
    if (!count_read(watch, &count)) /* the cgroup is gone: v1 then signals the eventfd, v2 sends IN_IGNORED */
        oom_watch_stop(watch);
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

static int inotify_open(const char *path)
{
    cleanup_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
        return -errno;
    return fd_take(&fd);
}

int oom_watch_start(struct oom_watch *watch, struct loop *loop, const char *cgroup)
{
    bool unified = cgroup_path_is_unified(cgroup);
    char path[PATH_MAX];
    int fd, error;

    watch->loop = loop;
    watch->source = (struct source){.ready = oom_ready, .fd = -1};
    watch->file = -1;
    if (!cgroup_path_of(cgroup, "memory", unified ? "memory.events" : "memory.oom_control", path))
        return 0;
    watch->file = open(path, O_RDONLY | O_CLOEXEC);
    if (watch->file < 0)
        return errno == ENOENT ? 0 : -errno;
    count_read(watch, &watch->kills);
    fd = unified ? inotify_open(path) : eventfd_open(cgroup, watch->file);
    error = fd < 0 ? fd : loop_add(loop, &watch->source, fd, EPOLLIN);
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        fd_close(&watch->file);
    }
    return error;
}

void oom_watch_stop(struct oom_watch *watch)
{
    int fd = watch->source.fd;

    if (fd >= 0) {
        loop_remove(watch->loop, &watch->source);
        close(fd);
    }
    fd_close(&watch->file);
}
