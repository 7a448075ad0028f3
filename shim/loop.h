/* The event loop of the shim: descriptors by epoll, timers, and child processes by pidfd. One thread.
 *
 * The structs are embedded in their owners; the loop allocates nothing. A callback may remove and free any source, its
 * own included, also one whose event is still waiting in the same round. */
#ifndef WHERRY_SHIM_LOOP_H
#define WHERRY_SHIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

enum { LOOP_BATCH = 16 };

struct source {
    void (*ready)(struct source *source, uint32_t epoll_events);
    int fd; /* the owner's; -1 while not added */
};

struct timer {
    void (*expired)(struct timer *timer);
    uint64_t due_ms; /* CLOCK_MONOTONIC */
    struct timer *next;
    bool set;
};

struct loop;

/* A child process of ours. Its end is seen through a pidfd and not through SIGCHLD, which init does not send before it has
 * exec'ed (it is cloned with exit signal 0), and it is reaped exactly once. */
struct child {
    struct source source;
    struct loop *loop;
    struct child *next;
    pid_t pid; /* 0: not watched */
    void (*exited)(struct child *child, unsigned exit_status);
};

struct loop {
    int epoll_fd;
    bool stopped;
    struct epoll_event batch[LOOP_BATCH];
    int batch_at, batch_count;
    struct timer *timers;   /* soonest first */
    struct child *children; /* all that are watched */
};

/* Returns 0 or a negative errno. */
int loop_init(struct loop *loop);

/* Watches FD for EVENTS (EPOLLIN ...). Returns 0 or a negative errno. */
int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events);
void loop_change(struct loop *loop, struct source *source, uint32_t events);
/* Stops watching; does not close. Nothing happens when SOURCE is not watched. */
void loop_remove(struct loop *loop, struct source *source);

/* (Re)arms TIMER for DELAY_MS from now. */
void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t delay_ms);
void loop_timer_clear(struct loop *loop, struct timer *timer);

/* Watches the child PID; child->exited is called once, after it was reaped, with its exit status or 128 + signal. PIDFD is
 * taken over (-1: opened here). Returns 0 or a negative errno. */
int loop_child_watch(struct loop *loop, struct child *child, pid_t pid, int pidfd);
/* Sends SIGNAL to a watched child. Returns 0 or a negative errno (-ESRCH when it is no longer there). */
int loop_child_signal(struct child *child, int signal);
/* Forgets the child without reaping it. */
void loop_child_forget(struct child *child);

/* Reaps the children that nobody watches (orphans, of which the shim is the subreaper), but not one that may still be
 * announced: call it when no worker is under way. */
void loop_reap_orphans(struct loop *loop);

/* Runs until loop->stopped. */
void loop_run(struct loop *loop);

uint64_t loop_now_ms(void);

#endif
