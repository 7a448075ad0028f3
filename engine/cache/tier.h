/* The second tier: what was started from baseline code is optimized afterwards, by one process at a time on a node.
 *
 * A start asks by leaving its module beside the baseline artifact, since the file it came from goes with the container; and
 * makes the process, if there is none, that works off what is asked for, and outlives it. Any of them may be killed at any
 * time: what is asked for stays, and the next start that asks makes the next process. */
#ifndef WHERRY_ENGINE_CACHE_TIER_H
#define WHERRY_ENGINE_CACHE_TIER_H

#include "engine/cache/entry.h"

/* Asks for the optimized artifact beside BASELINE, which is in the cache and open in ARTIFACT_FD. Without a word where
 * that cannot be. LIVE_FD (may be NULL) becomes what the artifact is to be run with, so that the code arrives there too; or -1. */
void tier_request(const struct cache_entry *baseline, int artifact_fd, int module_fd,
                  const struct cache_settings *settings, int *live_fd);

/* How many wait, and whether somebody works on it. */
unsigned tier_wanted(const struct cache_directory *directory, bool *working);

#endif
