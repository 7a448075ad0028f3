/* sd_notify(3) for a container: a socket of its own, whose news go on to the one that the runtime was given in NOTIFY_SOCKET.
 *
 * The container could not reach the manager's socket, and must not: it could name any process as the main one, or hand in
 * descriptors. So `create` binds an empty directory of the state to /run/notify, `start` makes the socket in it, and of
 * what comes in only harmless lines are passed on, with MAINPID by us (as runc does). A Wasm module has no way to say
 * READY; for it the runtime does. */
#ifndef WHERRY_OCI_NOTIFY_H
#define WHERRY_OCI_NOTIFY_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

#define NOTIFY_DIRECTORY   "notify" /* below ROOT/ID */
#define NOTIFY_MOUNT_POINT "/run/notify"
#define NOTIFY_SOCKET      "notify.sock"

struct notify {
    int socket;  /* what the container sends to; -1: it sends nothing */
    int manager; /* connected to NOTIFY_SOCKET */
    bool ready;  /* READY has been passed on */
};
#define NOTIFY_NONE ((struct notify){-1, -1, false})

/* Makes ROOT/ID/notify. Returns 0 or a negative errno with *E. */
int notify_make_directory(const char *root, const char *id, struct err *e);

/* Makes the container's socket and connects to MANAGER, the value of NOTIFY_SOCKET (a path, or "@NAME": abstract). Without
 * MANAGER, or for a container that was created without one, *OUT is NOTIFY_NONE. Returns 0 or a negative errno with *E. */
int notify_open(const char *root, const char *id, const char *manager, struct notify *out, struct err *e);

/* Passes on what has come, without waiting. The first READY is sent with MAIN_PID as the service's main process, and the
 * manager has read it when this returns. */
void notify_pass(struct notify *notify, pid_t main_pid);

/* Tells the manager READY in the container's place. */
void notify_ready(struct notify *notify, pid_t main_pid);

/* Waits until the container has said that it is ready, or PID, its init, has ended. */
void notify_await(struct notify *notify, pid_t pid);

void notify_close(struct notify *notify);

#endif
