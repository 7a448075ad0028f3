/* One run of criu, the program that writes a tree of processes to files and makes it again from them (criu.org).
 *
 * It is not part of wherry: it is looked for by PATH, as runc and crun do, or named by --criu. Its log says why it failed;
 * the first error in it becomes ours. */
#ifndef WHERRY_OCI_CRIU_H
#define WHERRY_OCI_CRIU_H

#include "base/arena.h"
#include "base/err.h"
#include <stddef.h>

enum { CRIU_ARGUMENTS_MAX = 1024 };

struct criu {
    const char *program; /* NULL: "criu" */
    const char *verb;    /* "dump" */
    const char *log;     /* path of the log file */
    struct arena *arena;
    char *args[CRIU_ARGUMENTS_MAX + 1];
    size_t count;
};

/* Begins a command line: VERB with its image directory IMAGES and the log file VERB.log in WORK (both absolute). */
void criu_begin(struct criu *criu, const char *program, const char *verb, const char *images, const char *work,
                struct arena *arena);

/* Adds an argument, formatted into the arena. More than there is room for are an error of criu_run. */
__attribute__((format(printf, 2, 3))) void criu_add(struct criu *criu, const char *format, ...);

/* Runs it and waits. PREPARE (may be NULL) is called in the new process, with standard streams on /dev/null already. Returns
 * 0 or a negative errno with *E: -ENOENT if there is no criu. */
int criu_run(struct criu *criu, int (*prepare)(void *argument, struct err *e), void *argument, struct err *e);

#endif
