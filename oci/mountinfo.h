/* /proc/self/mountinfo, line by line (proc(5)). */
#ifndef WHERRY_OCI_MOUNTINFO_H
#define WHERRY_OCI_MOUNTINFO_H

#include <stdbool.h>

struct mountinfo {
    const char *root;    /* which part of its file system */
    const char *point;   /* where it is mounted */
    const char *type;    /* of the file system */
    const char *options; /* of the file system, separated by commas */
};

/* Takes LINE, without its newline, apart in place; the parts of *OUT point into it. False if it is no such line. */
bool mountinfo_read(char *line, struct mountinfo *out);

#endif
