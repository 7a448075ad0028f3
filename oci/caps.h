/* process.capabilities: names to sets, sets to the kernel. */
#ifndef WHERRY_OCI_CAPS_H
#define WHERRY_OCI_CAPS_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* One bit per capability number. Zeroed, it is the process without any capability. The inheritable set is what the
 * config lists and nothing else: with a default there, files with inheritable capabilities handed them out again
 * (CVE-2022-24769). */
struct caps {
    uint64_t bounding, effective, permitted, inheritable, ambient;
};

/* Reads "CAP_CHOWN". Returns its number, or -1: unknown capabilities are an error of the config. */
int caps_number(const char *name);

/* "CAP_CHOWN" for 0; NULL for a number that we have no name for. */
const char *caps_name(unsigned number);

/* The capabilities that this kernel has, as a set; all that we know if it does not say. */
uint64_t caps_of_kernel(void);

/* Drops what is not in BOUNDING from the bounding set. Before the change of user. */
int caps_limit(uint64_t bounding, struct err *e);

/* Keeps the permitted set over the change of user that follows (or stops doing so). */
int caps_keep(bool keep, struct err *e);

/* Sets the four other sets. After the change of user. All three return 0 or a negative errno with *E. */
int caps_apply(const struct caps *caps, struct err *e);

#endif
