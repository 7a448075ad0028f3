/* linux.intelRdt: classes of service for caches and memory bandwidth (Intel RDT, AMD QoS), by the kernel's resctrl file system
 * (Documentation/arch/x86/resctrl.rst). A class is a directory there, and so is a monitoring group in it; who is in one
 * stands in its file `tasks`, what it may use in `schemata`.
 *
 * A container without closID gets a class of its own, named by its ID, which `delete` removes; a class that is named may be
 * others' too and stays. ROOT is a descriptor of the file system's root (rdt_open). Functions return 0 or a negative errno
 * with *E. */
#ifndef WHERRY_OCI_RDT_H
#define WHERRY_OCI_RDT_H

#include "base/err.h"
#include "oci/config.h"
#include <sys/types.h>

/* The root of the resctrl file system, or a negative errno with *E: -ENOTSUP if none is mounted. */
int rdt_open(struct err *e);

/* What can be said before anything is made: whether closID is a name, and whether the class is there if it has to be, or not
 * if it is to be the container's own. */
int rdt_check(int root, const struct config_rdt *rdt, const char *id, struct err *e);

/* Makes class and monitoring group as RDT asks. A class that exists must have the schemata that are asked for. */
int rdt_make(int root, const struct config_rdt *rdt, const char *id, struct err *e);

/* Puts the process PID there. */
int rdt_attach(int root, const struct config_rdt *rdt, const char *id, pid_t pid, struct err *e);

/* Writes the schemata of RDT again, for `update`. */
int rdt_update(int root, const struct config_rdt *rdt, const char *id, struct err *e);

/* Removes what is the container's own. What is gone already is no error. */
int rdt_remove(int root, const struct config_rdt *rdt, const char *id, struct err *e);

#endif
