/* The standard streams of a process, from the URIs that containerd hands over.
 *
 * Nothing is copied: the container gets the fifo or file itself, so slow readers, a killed shim or a restarted containerd
 * cost no data and no memory. The shim only holds the other ends open: a reader of each output fifo, so that the container
 * gets no SIGPIPE while containerd restarts, and a writer of the input fifo, so that end of file comes with CloseIO.
 * Terminals are the exception (terminal.h). A logger (logger.h) gets the other ends of pipes. */
#ifndef WHERRY_SHIM_STDIO_H
#define WHERRY_SHIM_STDIO_H

#include "base/err.h"
#include <stdbool.h>

enum { STDIN, STDOUT, STDERR, STDIO_COUNT };

struct stdio {
    char *uri[STDIO_COUNT]; /* "" for none; owned */
    bool terminal;
    int held[STDIO_COUNT]; /* the shim's ends; -1: none */
};

/* Copies the URIs. Returns 0 or -ENOMEM; stdio_done is due in both cases. */
int stdio_init(struct stdio *s, const char *in, const char *out, const char *err, bool terminal);

struct stdio_fds {
    int stream[STDIO_COUNT]; /* what the process will have as 0, 1, 2; -1: nothing, /dev/null */
    int logger;              /* for logger_wait; -1: no logger */
};

/* Opens *FDS, which the caller closes (stdio_fds_close), and the shim's own ends into s->held; starts the logger, if one is
 * named, for the process ID (of a container, or of an exec) in NAMESPACE. Never blocks. With a terminal, the streams are what
 * the shim copies from and to, without blocking. Returns 0 or a negative errno with *E; then nothing stays open. */
int stdio_open(struct stdio *s, const char *id, const char *namespace, struct stdio_fds *fds, struct err *e);
void stdio_fds_close(struct stdio_fds *fds);

/* CloseIO: from now on the end of the last writer of stdin is its end of file. */
void stdio_close_input(struct stdio *s);

/* Whether the readers of the output fifos have taken all that was written. */
bool stdio_is_read(const struct stdio *s);

/* Lets in whoever waits in the open of an output fifo for a writer, as a client does that comes after the process ended. */
void stdio_let_readers_in(const struct stdio *s);

/* Closes the shim's ends; the streams of a process that still runs are its own. */
void stdio_close(struct stdio *s);

/* Closes and frees. */
void stdio_done(struct stdio *s);

#endif
