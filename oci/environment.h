/* The environment of a native program: the config's, and the additions that runc's callers count on. */
#ifndef WHERRY_OCI_ENVIRONMENT_H
#define WHERRY_OCI_ENVIRONMENT_H

#include "base/arena.h"
#include "oci/config.h"

/* PROCESS's env as execve takes it. HOME, if the config has none or an empty one, is the user's directory in the
 * container's /etc/passwd, else "/". With LISTEN_FDS not 0, LISTEN_FDS and LISTEN_PID=1 tell of sockets passed on
 *  (systemd's protocol); NOTIFY says that there is the socket of notify.h. Called in the container, by its first process. Allocated in ARENA. */
char **environment_make(const struct config_process *process, unsigned listen_fds, bool notify, struct arena *arena);

/* The entries of ENV, each name once, with the value that stands last: programs differ in which of two they take. In ARENA. */
struct strings environment_unique(const struct strings *env, struct arena *arena);

/* The home directory of UID in TEXT, which has the format of passwd(5); NULL if there is none. In ARENA. Pure. */
const char *environment_find_home(const char *text, uid_t uid, struct arena *arena);

#endif
