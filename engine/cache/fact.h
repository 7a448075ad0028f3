/* What has been found out about a file since the machine was booted, so that it need not be found out again: the
 * digest of its bytes, or that its bytes are intact.
 *
 * A fact is the target of a symbolic link: read by one system call, replaced atomically by rename, never half
 * written. It says which boot and which state of the file it speaks of; anything else is as good as no fact. There is a
 * fixed number of places, chosen by device and inode, so that they need no cleaning up: a new fact replaces
 * an old one. Losing one costs the time to find it out. */
#ifndef WHERRY_ENGINE_CACHE_FACT_H
#define WHERRY_ENGINE_CACHE_FACT_H

#include "engine/cache/directory.h"

#define FACT_DIGEST  "memo" /* value: the digest in hex */
#define FACT_INTACT  "body" /* value: "intact" */
#define FACT_REFUSED "tier" /* about a baseline artifact: its module cannot be optimized. Value: "refused" */

enum { FACT_VALUE_BYTES = 80 };

/* The boot's random name, the same for as long as we live. NULL without it (no /proc): then there are no facts. */
const char *fact_boot(void);

/* The fact of the kind TABLE about the file that FILE describes (device, inode, size, mtime, ctime) in VALUE.
 * Returns whether there is one. */
bool fact_read(const struct cache_directory *directory, const char *table, const struct stat *file,
               char value[FACT_VALUE_BYTES]);

/* Records one; does nothing where the directory cannot be written. */
void fact_write(const struct cache_directory *directory, const char *table, const struct stat *file, const char *value);

#endif
