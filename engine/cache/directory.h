/* The cache's directory: where it is, that it is ours, and what lies in it.
 *
 *   <64 hex digits>         an artifact, 0400
 *   <64 hex digits>.new     one that is being written, by the holder of
 *   <64 hex digits>.lock    the lock of a job (job.h); both are gone when the job ends
 *   <64 hex digits>.want    of a baseline artifact: its module, which waits to be optimized (tier.h)
 *   <64 hex digits>.live    of a baseline artifact: where better code is published (live.h)
 *   queue, slot.<n>         locks that bound how many compile at once (slot.h)
 *   optimize                the lock of the process that optimizes
 *   memo/, body/, tier/     what has been found out since boot (fact.h)
 *   limit                   the size that eviction keeps to, in bytes (prune.h) */
#ifndef WHERRY_ENGINE_CACHE_DIRECTORY_H
#define WHERRY_ENGINE_CACHE_DIRECTORY_H

#include "base/err.h"
#include "wherry/cache.h"
#include <sys/stat.h>

struct cache_directory {
    int fd; /* O_PATH */
    char path[1024];
    uid_t owner;
    dev_t device;
    bool no_exec; /* mounted so: code is only mapped through a mount of our own */
};

/* Opens the directory that SETTINGS name, with CREATE making it (0700, its parents too) if it is missing. It must be
 * a directory itself, no link to one, belong to the caller and be writable for nobody else: what lies in it is code.
 * Returns 0, or a negative errno with the reason in ERR. */
int cache_directory_open(const struct cache_settings *settings, bool create, struct cache_directory *directory,
                         struct err *err);

void cache_directory_close(struct cache_directory *directory);

/* A descriptor of it that can be listed; -1 with errno. */
int cache_directory_list(const struct cache_directory *directory);

#endif
