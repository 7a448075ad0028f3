/* How many compile at once on a node: after an upgrade every module's first start compiles it, and a node must not be
 * busy with nothing else. */
#ifndef WHERRY_ENGINE_CACHE_SLOT_H
#define WHERRY_ENGINE_CACHE_SLOT_H

#include "engine/cache/directory.h"

/* Half of the processors, at least two. */
unsigned slot_count(void);

/* Waits for a slot; *NUMBER is which. The descriptor returned holds it until it is closed, also by the holder's death.
 * -1 where locks cannot be had: then nothing bounds. TELL is called once if there is something to wait for (may be NULL). */
int slot_take(const struct cache_directory *directory, const struct cache_settings *tell, unsigned *number);

/* How many are taken at the moment. */
unsigned slot_busy(const struct cache_directory *directory);

#endif
