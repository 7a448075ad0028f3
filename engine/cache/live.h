/* The live file of a baseline artifact in the cache: `<name>.live`, made by a start, written to by the process that optimizes,
 * and then removed: by then later starts get the optimized artifact, and who has it mapped keeps it. */
#ifndef WHERRY_ENGINE_CACHE_LIVE_H
#define WHERRY_ENGINE_CACHE_LIVE_H

#include "engine/cache/entry.h"

/* Opens the live file of BASELINE, which is open in ARTIFACT_FD, for reading, and makes it first if it is not there. Returns
 * the descriptor, on a read-only mount of its own as entry_open's; -1 where there can be none. */
int live_open(const struct cache_entry *baseline, int artifact_fd);

/* Publishes the code of the optimized artifact OPTIMIZED_FD to those who run the baseline artifact NAME, open in
 * BASELINE_FD. Returns how many functions were replaced; -1 where it could not be: nobody is the worse
 * for it. */
int live_publish(const struct cache_directory *directory, const char *name, int baseline_fd, int optimized_fd);

void live_remove(const struct cache_directory *directory, const char *name);

#endif
