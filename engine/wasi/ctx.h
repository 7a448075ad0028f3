/* What WASI keeps for one module: the grant, the guest's descriptors, the tree of paths.
 *
 * Made from a struct grant alone. Descriptors 0-2 are the process's own, shared with others, so their file status flags
 * are never changed: the guest's NONBLOCK lives in the table here. Descriptors 3, 4, ... are the preopens, then the
 * sockets.
 *
 * Once shared by threads, a context has a lock, held by whoever looks at descriptors or walks paths: nobody ever sees
 * the table while it moves, nor a descriptor of the process that is not (or not any more) the guest's. Calls that may
 * wait for long leave it for that time, with a duplicate of the descriptor that nobody else can close. */
#ifndef WHERRY_ENGINE_WASI_CTX_H
#define WHERRY_ENGINE_WASI_CTX_H

#include "base/err.h"
#include "engine/wasi/fsroot.h"
#include "wherry/grant.h"
#include <pthread.h>

enum wasi_fd_kind {
    WASI_FD_FREE,
    WASI_FD_STREAM,    /* files, pipes, terminals, sockets */
    WASI_FD_DIRECTORY, /* fd -1: the synthetic directory of devices */
};

struct wasi_fd {
    enum wasi_fd_kind kind;
    int fd;
    int real_fd;                  /* see wasi_fd_real; -1 until then */
    bool borrowed;                /* fd is the grant's: not closed with the entry */
    bool shared;                  /* the open file description is others' too */
    bool nonblock;                /* shared ones: the guest's NONBLOCK */
    uint8_t filetype;             /* enum wasi_filetype */
    const char *preopen_name;     /* NULL for all but preopens */
    const struct fs_place *place; /* where it was opened; NULL for stdio and sockets */
    char *guest_path;             /* directories, as in struct fs_directory; owned */
};

struct wasi_context {
    const struct grant *grant;
    struct fsroot root;
    struct wasi_fd *fds; /* by the guest's number */
    uint32_t fd_count;   /* allocated entries */
    bool is_shared;      /* by threads */
    pthread_mutex_t lock;
};

/* Makes the context of GRANT, whose strings and descriptors must outlive it. From here on the process ignores SIGPIPE:
 * a guest has no signals and learns of a closed pipe by EPIPE. Returns 0 or a negative errno with *ERR. */
int wasi_context_new(const struct grant *grant, struct wasi_context **out, struct err *err);

/* Closes everything the guest still has open, except descriptors 0-2 and the grant's. */
void wasi_context_free(struct wasi_context *context);

/* From here on several threads use the context; called by one that does. */
void wasi_context_share(struct wasi_context *context);
/* Around everything that uses `fds` or `root`. Nothing to do as long as there is one thread. */
void wasi_lock(struct wasi_context *context);
void wasi_unlock(struct wasi_context *context);
/* FD itself or, where another thread could close it, a duplicate; -1 with errno. To be given back with FD. */
int wasi_duplicate(const struct wasi_context *context, int fd);
void wasi_duplicate_close(int duplicate, int fd);
/* Leaves the lock to wait on FD. Returns the descriptor to wait on, or -1 with errno, the lock then held as before. */
int wasi_wait_begin(struct wasi_context *context, int fd);
/* The end of such a wait on what wasi_wait_begin returned for FD; leaves errno alone. What was read from the context
 * before is to be read again. */
void wasi_wait_end(struct wasi_context *context, int fd, int waited_on);

/* The guest's descriptor NUMBER, or NULL. Valid until the next wasi_fd_add. */
struct wasi_fd *wasi_fd_get(struct wasi_context *context, uint32_t number);

/* ENTRY's descriptor for calls that refuse O_PATH, as a granted directory's is: that is opened once more for them. -1
 * with errno when it cannot be. */
int wasi_fd_real(struct wasi_fd *entry);

/* Gives ENTRY, which is taken over, the lowest free number. Returns it or -EMFILE. */
int wasi_fd_add(struct wasi_context *context, const struct wasi_fd *entry);

/* Closes the descriptor NUMBER. Returns 0, -EBADF, or what close(2) says. */
int wasi_fd_close(struct wasi_context *context, uint32_t number);

/* Moves FROM to TO, both open; what TO was is closed. Returns 0 or -EBADF. */
int wasi_fd_renumber(struct wasi_context *context, uint32_t from, uint32_t to);

/* enum wasi_filetype of what fstat says; pipes have none. ST's file is FD, for the type of a socket. */
uint8_t wasi_filetype(const struct stat *st, int fd);

#endif
