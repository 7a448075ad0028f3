/* process.terminal: a pseudo-terminal of the container's own devpts, given to whoever listens on --console-socket.
 *
 * The terminal is never looked up by name: its other end comes from TIOCGPTPEER, and /dev/console is bound from that
 * descriptor, so no /dev/pts/N of the image can stand in for it (CVE-2025-52565). */
#ifndef WHERRY_OCI_TTY_H
#define WHERRY_OCI_TTY_H

#include "oci/config.h"
#include <sys/types.h>

/* Opens a terminal for PROCESS in the devpts mounted at /dev/pts below ROOT: of its consoleSize, owned by its user. With
 * PLAIN_OUTPUT it leaves "\n" as it is. Returns the master; *SLAVE gets the container's end. A negative errno with *E. */
int tty_open(int root, const struct config_process *process, bool plain_output, int *slave, struct err *e);

/* Binds SLAVE to /dev/console below ROOT. Needs the host's /proc: before pivot_root. 0 or a negative errno with *E. */
int tty_bind_console(int root, int slave, struct err *e);

/* Sends MASTER over SOCKET, as runc does: one message with the text "/dev/ptmx" and the descriptor. */
int tty_send(int socket, int master, struct err *e);

/* Makes SLAVE the controlling terminal and descriptors 0, 1 and 2. The caller is a session leader without a terminal. */
int tty_become(int slave, struct err *e);

#endif
