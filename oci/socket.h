/* Unix sockets by which descriptors are handed to a manager: a terminal's master, a pidfd, a seccomp listener. */
#ifndef WHERRY_OCI_SOCKET_H
#define WHERRY_OCI_SOCKET_H

#include "base/err.h"
#include <stddef.h>

/* Connects to the stream socket PATH, of any length. WHAT names it in errors ("console socket"). Returns a descriptor or a negative errno
 * with *E. */
int socket_connect(const char *path, const char *what, struct err *e);

/* The same for the datagram socket PATH, or "@NAME", an abstract one. */
int socket_connect_datagram(const char *path, const char *what, struct err *e);

/* Sends LEN bytes of TEXT with the descriptor FD in one message. Returns 0 or a negative errno. */
int socket_send_fd(int socket, const void *text, size_t len, int fd);

/* Takes one message with one descriptor (close-on-exec) from SOCKET, without waiting. Returns it or a negative errno. */
int socket_receive_fd(int socket);

#endif
