/* Reading and writing the small files of a cgroup; shared by the cgroup_*.c files. */
#ifndef WHERRY_OCI_CGROUP_FILE_H
#define WHERRY_OCI_CGROUP_FILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes TEXT in one write(2), as these files want it. Returns 0 or a negative errno with *E, which names the file. */
int cgroup_write(const char *directory, const char *file, const char *text, struct err *e);
__attribute__((format(printf, 4, 5))) int cgroup_printf(const char *directory, const char *file, struct err *e,
                                                        const char *format, ...);

/* Reads up to SIZE - 1 bytes, ends them with NUL and drops the last newline. Returns 0 or a negative errno, quietly. */
int cgroup_read(const char *directory, const char *file, char *text, size_t size);

/* The number in a file of one number ("max": UINT64_MAX), or 0 if there is none. */
uint64_t cgroup_read_u64(const char *directory, const char *file);

/* The number behind KEY in a file of "key number" lines, or 0 if there is none. */
uint64_t cgroup_read_key(const char *directory, const char *file, const char *key);

bool cgroup_has_file(const char *directory, const char *file);

/* True if LIST, words separated by SEPARATOR, holds WORD. */
bool cgroup_list_has(const char *list, const char *word, char separator);

#endif
