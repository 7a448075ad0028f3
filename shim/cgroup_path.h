/* Reading the cgroup of a container without the allocations of oci/cgroup.h, which end the process when memory is short. */
#ifndef WHERRY_SHIM_CGROUP_PATH_H
#define WHERRY_SHIM_CGROUP_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CGROUP are lines "controllers:directory" (cgroup_encode). Is it v2 alone, one line without controllers? */
bool cgroup_path_is_unified(const char *cgroup);

/* Writes DIRECTORY/FILE of the hierarchy with CONTROLLER (on v2: of the only one) into OUT. False if there is none. */
bool cgroup_path_of(const char *cgroup, const char *controller, const char *file, char out[PATH_MAX]);

/* Reads the file (at most SIZE - 1 bytes) as a string. Returns its length or a negative errno. */
ssize_t cgroup_path_read(const char *cgroup, const char *controller, const char *file, char *out, size_t size);

/* The value of KEY in text of lines "key value"; 0 if it is not there. "max" is UINT64_MAX. */
uint64_t cgroup_text_value(const char *text, const char *key);
uint64_t cgroup_text_number(const char *text);

#endif
