/* Eviction: the cache stays within its limit, the least recently used artifacts go first. */
#ifndef WHERRY_ENGINE_CACHE_PRUNE_H
#define WHERRY_ENGINE_CACHE_PRUNE_H

#include "base/vec.h"
#include "engine/cache/entry.h"

struct cache_file {
    char name[ENTRY_NAME_BYTES];
    uint64_t size_bytes; /* on disk */
    int64_t last_used_s; /* INT64_MIN where the time lies in the future: of a clock that was wrong */
};

struct cache_files {
    VEC(struct cache_file) files;
    uint64_t size_bytes;
};

/* The artifacts in the directory, by their names, the most recently used first. Returns 0 or a negative errno. */
int prune_scan(const struct cache_directory *directory, struct cache_files *out, struct err *err);

/* The size to keep to: what an operator set (*IS_SET), else a tenth of the file system, at most 8 GiB. */
uint64_t prune_limit(const struct cache_directory *directory, bool *is_set);
int prune_set_limit(const struct cache_directory *directory, uint64_t limit_bytes, struct err *err);

/* Removes from the end of the scan until no more than LIMIT_BYTES are left; never KEEP (may be NULL). */
void prune_to(const struct cache_directory *directory, struct cache_files *files, uint64_t limit_bytes,
              const char *keep, unsigned *removed, uint64_t *removed_bytes);

/* After NAME was added: if the limit is exceeded, evicts down to 90 % of it, so that not every addition has to. */
void prune_after(const struct cache_directory *directory, const char *name);

/* Removes what jobs left that were killed. */
void prune_leftovers(const struct cache_directory *directory);

#endif
