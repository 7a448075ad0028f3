/* What WASI keeps for one module: the grant, the guest's descriptors, the tree of paths.
 *
 * Made from a struct grant alone. Descriptors 0-2 are the process's own, shared with others, so their file status flags
 * are never changed: the guest's NONBLOCK lives in the table here. Descriptors 3, 4, ... are the preopens, then the
 * sockets. */
#ifndef WHERRY_ENGINE_WASI_CTX_H
#define WHERRY_ENGINE_WASI_CTX_H

#include "base/err.h"
#include "engine/wasi/fsroot.h"
#include "wherry/grant.h"

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
};

/* Makes the context of GRANT, whose strings and descriptors must outlive it. From here on the process ignores SIGPIPE:
 * a guest has no signals and learns of a closed pipe by EPIPE. Returns 0 or a negative errno with *ERR. */
int wasi_context_new(const struct grant *grant, struct wasi_context **out, struct err *err);

/* Closes everything the guest still has open, except descriptors 0-2 and the grant's. */
void wasi_context_free(struct wasi_context *context);

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
