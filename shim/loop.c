/* See loop.h. Level-triggered epoll; timers are a sorted list, since there are a handful of them. */
#include "shim/loop.h"
#include "base/fd.h"
#include <assert.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll_fd < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        source->fd = -1;
        return -errno;
    }
    source->fd = fd;
    return 0;
}

void loop_change(struct loop *loop, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    int changed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
    assert(changed == 0);
}

void loop_remove(struct loop *loop, struct source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
    for (int i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == source)
            loop->batch[i].data.ptr = NULL;
}

uint64_t loop_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t delay_ms)
{
    struct timer **at = &loop->timers;

    loop_timer_clear(loop, timer);
    timer->due_ms = loop_now_ms() + delay_ms;
    while (*at != NULL && (*at)->due_ms <= timer->due_ms)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    timer->set = true;
}

void loop_timer_clear(struct loop *loop, struct timer *timer)
{
    if (!timer->set)
        return;
    for (struct timer **at = &loop->timers; *at != NULL; at = &(*at)->next)
        if (*at == timer) {
            *at = timer->next;
            break;
        }
    timer->set = false;
}

static void child_reap(struct child *child)
{
    siginfo_t info = {0};
    unsigned exit_status;

    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | __WALL) != 0 || info.si_pid == 0)
        return;
    exit_status = info.si_code == CLD_EXITED ? (unsigned)info.si_status : 128u + (unsigned)info.si_status;
    loop_child_forget(child);
    child->exited(child, exit_status);
}

static void child_ready(struct source *source, uint32_t events)
{
    (void)events;
    child_reap((struct child *)((char *)source - offsetof(struct child, source)));
}

int loop_child_watch(struct loop *loop, struct child *child, pid_t pid, int pidfd)
{
    int fd = pidfd >= 0 ? pidfd : (int)syscall(SYS_pidfd_open, pid, 0);
    int error;

    if (fd < 0)
        return -errno;
    child->source = (struct source){.ready = child_ready, .fd = -1};
    error = loop_add(loop, &child->source, fd, EPOLLIN);
    if (error != 0) {
        close(fd);
        return error;
    }
    child->loop = loop;
    child->pid = pid;
    child->next = loop->children;
    loop->children = child;
    return 0;
}

int loop_child_signal(struct child *child, int signal)
{
    if (child->pid == 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, child->source.fd, signal, NULL, 0) != 0 ? -errno : 0;
}

void loop_child_forget(struct child *child)
{
    int fd = child->source.fd;

    if (child->pid == 0)
        return;
    loop_remove(child->loop, &child->source);
    close(fd);
    child->pid = 0;
    for (struct child **at = &child->loop->children; *at != NULL; at = &(*at)->next)
        if (*at == child) {
            *at = child->next;
            break;
        }
}

static struct child *child_by_pid(struct loop *loop, pid_t pid)
{
    struct child *c = loop->children;
    while (c != NULL && c->pid != pid)
        c = c->next;
    return c;
}

void loop_reap_orphans(struct loop *loop)
{
    for (;;) {
        siginfo_t info = {0};
        struct child *child;

        /* WNOWAIT: look first, so that a watched child is reaped by its owner only */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid == 0)
            return;
        child = child_by_pid(loop, info.si_pid);
        if (child != NULL)
            child_reap(child);
        else
            waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG | __WALL);
    }
}

static void run_timers(struct loop *loop)
{
    uint64_t now_ms = loop_now_ms();

    while (loop->timers != NULL && loop->timers->due_ms <= now_ms) {
        struct timer *timer = loop->timers;
        loop->timers = timer->next;
        timer->set = false;
        timer->expired(timer);
    }
}

static int wait_ms(const struct loop *loop)
{
    uint64_t now_ms;

    if (loop->timers == NULL)
        return -1;
    now_ms = loop_now_ms();
    return loop->timers->due_ms <= now_ms ? 0 : (int)(loop->timers->due_ms - now_ms);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        int count = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, wait_ms(loop));

        loop->batch_count = count > 0 ? count : 0;
        for (loop->batch_at = 0; loop->batch_at < loop->batch_count && !loop->stopped;) {
            struct epoll_event event = loop->batch[loop->batch_at++];
            struct source *source = event.data.ptr;
            if (source != NULL)
                source->ready(source, event.events);
        }
        loop->batch_count = 0;
        run_timers(loop);
    }
}
