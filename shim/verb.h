/* What the program can be asked to do: `start`, `delete`, -v, -info. Short-lived, so arenas and struct buf are fine. */
#ifndef WHERRY_SHIM_VERB_H
#define WHERRY_SHIM_VERB_H

#include <stdbool.h>

struct arguments {
    const char *namespace, *address, *publish_binary, *id, *bundle, *socket;
    bool debug, version, info;
    const char *verb; /* NULL: none */
};

/* Starts the shim for a container, or finds the one that serves its group, and answers on standard output. Returns the exit
 * status; in the daemon it returns only when that ends. */
int verb_start(const struct arguments *a);

/* Removes what a dead shim left of a container, and answers with a DeleteResponse. Returns the exit status. */
int verb_delete(const struct arguments *a);

/* Answers with a RuntimeInfo. Returns the exit status. */
int verb_info(void);

#endif
