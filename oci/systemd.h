/* The systemd cgroup driver: the container's cgroup is a transient scope that systemd makes, limits and removes.
 *
 * systemd is spoken to by libexec/wherry/system (libsystemd is not to be had statically). A scope cannot be empty, so that
 * helper names its own pid for it, and stays until the container's init has been cloned into the scope's cgroup.
 *
 * A request to it is lines of text, ended by a 0 byte: "unit NAME", "property TYPE NAME VALUE" (TYPE of D-Bus: b s t i u x,
 * "as" with the words separated by bytes 31, "ay" in hexadecimal). Its answer, ended by a 0 byte: "ok" and, for a new
 * scope, its own /proc/self/cgroup behind it, or "error SENTENCE". */
#ifndef WHERRY_OCI_SYSTEMD_H
#define WHERRY_OCI_SYSTEMD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/config.h"
#include <stdbool.h>
#include <sys/types.h>

struct systemd_unit {
    const char *name, *slice; /* "libpod-ID.scope", "machine.slice" */
};

/* Whether CGROUPS_PATH (NULL: absent) is "NAME.slice:prefix:name", which is no path of a cgroup that anybody makes by hand. */
bool systemd_names_scope(const char *cgroups_path);

/* What cgroupsPath means to this driver: "slice:prefix:name"; NULL or "": one named after ID in the default slice. Strings
 * are allocated in ARENA. Returns 0 or -EINVAL with *E. */
int systemd_unit_read(const char *cgroups_path, const char *id, struct arena *arena, struct systemd_unit *out,
                      struct err *e);

/* Appends RESOURCES as property lines. What units have no property for is left to the cgroup's files. */
void systemd_put_resources(const struct config_resources *resources, bool unified, struct buf *out);

/* Appends the annotations org.systemd.property.NAME, whose values are in GVariant's text form, as property lines. */
int systemd_put_annotations(const struct config_pairs *annotations, struct buf *out, struct err *e);

struct systemd_scope {
    pid_t helper; /* 0: none */
    int talk;
};

/* Asks for the scope UNIT for CONFIG's container ID; returns while systemd is at work. LIBEXEC as in container_create. */
int systemd_scope_begin(const struct systemd_unit *unit, const struct config *config, const char *id, bool unified,
                        const char *libexec, struct systemd_scope *out, struct err *e);

/* Waits until the scope is there. *PATH (in ARENA) is its cgroup's, from the root of the hierarchy. */
int systemd_scope_finish(struct systemd_scope *scope, bool unified, struct arena *arena, const char **path,
                         struct err *e);

/* Lets the helper leave the scope, and waits until it is gone. May be called again. */
void systemd_scope_leave(struct systemd_scope *scope);

/* Changes the limits of UNIT. */
int systemd_set(const char *unit, const struct config_resources *resources, bool unified, struct err *e);

/* Stops UNIT: whatever is in it is killed. One that is gone is no error. */
int systemd_stop(const char *unit, struct err *e);

#endif
