/* One artifact of the cache: its name, and opening it only if it may be run. */
#ifndef WHERRY_ENGINE_CACHE_ENTRY_H
#define WHERRY_ENGINE_CACHE_ENTRY_H

#include "engine/cache/directory.h"
#include "engine/digest.h"

enum { ENTRY_NAME_BYTES = 2 * DIGEST_BYTES + 1 };

struct cache_entry {
    const struct cache_directory *directory;
    uint8_t key[DIGEST_BYTES]; /* of the module's bytes */
    struct engine_options options;
    bool kept_private;
    int *mount_fd; /* see cache.h */
    char name[ENTRY_NAME_BYTES];
};

/* Fills in the name: half of the module's digest, and what stands for everything else that an artifact depends on. */
void entry_name(struct cache_entry *entry);

/* Whether there is a file of that name: what to look at first of two. */
bool entry_exists(const struct cache_entry *entry);

/* Opens the artifact, and marks it as used where the last mark is older than an hour. *FD is to be run: its owner, mode
 * and links are as they were made, its header fits, and its body has been found intact since boot.
 * Returns 0; -ENOENT or -ESTALE when it must be made; -ENODEV when no artifact can be run from this directory. */
int entry_open(const struct cache_entry *entry, int *fd, struct err *err);

/* Opens the file NAME of the directory for reading, on a read-only mount of its own unless the entry is kept private. Returns
 * the descriptor or a negative errno; -ENODEV when nothing can be executed from there. */
int entry_open_file(const struct cache_entry *entry, const char *name);

/* Why the file FD, with the state ST, cannot be an artifact as we make them; NULL: it can. */
const char *entry_odd_file(const struct cache_directory *directory, const struct stat *st);

#endif
