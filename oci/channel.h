/* The talk between the process that creates a container and the container's init: whole messages over a socket pair.
 *
 * The init speaks first and waits for the answer where it needs one. Messages have one fixed size, so nothing in them can
 * be misread (CVE-2021-43784); descriptors travel beside them. No allocation, no signal: usable after clone. */
#ifndef WHERRY_OCI_CHANNEL_H
#define WHERRY_OCI_CHANNEL_H

#include "base/err.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum message_kind {
    MESSAGE_GO = 1, /* to the init: what you waited for is done */
    MESSAGE_ERROR,  /* from either side, with the reason; the sender gives up */
    MESSAGE_CGROUP, /* from the init: tell me when I am in my cgroups */
    MESSAGE_HOOKS,  /* from the init: run the runtime's hooks now */
    MESSAGE_STATE,  /* from the init: send me the container's state (a memfd) for hooks that I run; answered by GO */
    MESSAGE_MODULE, /* from the init, with a descriptor: the program is this Wasm module; answered by GO with engine, artifact, live file (where there is none, the artifact
                     * once more), and the mounts that they are on, to be let go of after READY */
    MESSAGE_SOURCE, /* from the init: open what step NUMBER mounts, or make its device; answered by GO with a mount, or none */
    MESSAGE_NET_DEVICES, /* from the init, with a route socket of its network namespace: move the devices there */
    MESSAGE_MOUNTED,     /* from the init: I have mounted something that outlives me, note it */
    MESSAGE_LISTENER, /* from the init, with a descriptor: the listener of my filter; answered by GO when the agent has it */
    MESSAGE_LIMITS,  /* from the init: set my rlimits, I may not */
    MESSAGE_ID_MAPS, /* from the stage: write the maps of my new user namespace */
    MESSAGE_BORN,    /* from the stage: the init has been cloned; NUMBER is its pid */
    MESSAGE_READY,   /* from the init: all is done but the wait for start */
};

enum { MESSAGE_FDS_MAX = 5 };

struct message {
    enum message_kind kind;
    int fds[MESSAGE_FDS_MAX]; /* up to the first -1; owned by the receiver */
    int number;               /* of SOURCE, BORN */
    bool in_cgroup;           /* of BORN: the init was cloned into its cgroup */
    struct err error;         /* of MESSAGE_ERROR */
    char path[PATH_MAX];      /* of MESSAGE_MODULE: its path in the container */
};

/* A pair of connected ends, close-on-exec. */
int channel_open(int ends[2], struct err *e);

int channel_send(int end, const struct message *message, struct err *e);

/* Waits for a message. Returns 1, 0 if the other side is gone, or a negative errno. */
int channel_receive(int end, struct message *message, struct err *e);

/* Waits for GO. An ERROR from the other side becomes *E, as does its end. Returns 0 or a negative errno. */
int channel_receive_go(int end, struct message *answer, struct err *e);

/* Sends KIND with NUMBER; then waits for the answer GO. An ERROR from the other side becomes *E. */
int channel_ask(int end, enum message_kind kind, int number, struct message *answer, struct err *e);

#endif
