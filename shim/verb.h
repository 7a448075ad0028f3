/* What the program can be asked to do: `start`, `delete`, -v, -info. Short-lived, so arenas and struct buf are fine. */
#ifndef WHERRY_SHIM_VERB_H
#define WHERRY_SHIM_VERB_H

#include <stdbool.h>

struct arguments {
    const char *program; /* argv[0] */
    const char *namespace, *address, *publish_binary, *id, *bundle, *socket;
    const char *listening, *libexec; /* of `serve` */
    bool debug, version, info;
    const char *verb; /* NULL: none */
};

/* Starts the shim for a container, or finds the one that serves its group, and answers on standard output. Returns the exit
 * status. */
int verb_start(const struct arguments *a);

/* The daemon itself, which `start` executes with the listening socket as descriptor 3. Returns the exit status. */
int verb_serve(const struct arguments *a);

/* Removes what a dead shim left of a container, and answers with a DeleteResponse. Returns the exit status. */
int verb_delete(const struct arguments *a);

/* The one process of a pod that needs one (pod.h): reaps what is handed to it until it is ended. */
int verb_pause(void);

/* Answers with a RuntimeInfo. Returns the exit status. */
int verb_info(void);

#endif
