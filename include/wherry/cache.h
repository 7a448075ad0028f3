/* The code cache: artifacts by what they were made from.
 *
 * A directory that only its owner may enter, with one immutable file per (module content, engine build, CPU features,
 * options). Files appear by rename and are never written in place, so a reader that has one open keeps it whole. */
#ifndef WHERRY_CACHE_H
#define WHERRY_CACHE_H

#include "base/err.h"
#include "wherry/engine.h"
#include <stdbool.h>

struct cache_settings {
    const char
        *directory;      /* NULL: /var/lib/wherry/cache for root, else $XDG_CACHE_HOME/wherry or $HOME/.cache/wherry */
    const char *libexec; /* NULL: found as worker.h says */
    bool disabled;       /* compile always, keep nothing */
    bool kept_private;   /* nobody else ever gets the descriptor: the read-only mount (0.15 ms) is not needed */
};

/* Opens the artifact of the module in MODULE_FD (a regular file, read from its start, by pread), making it first if
 * need be; one process per key compiles, others wait for it. *ARTIFACT_FD is read-only and, unless kept_private,
 * where the kernel and the caller's rights allow, on a read-only mount of its own, so that nobody it is passed to
 * can reopen it for writing. Without a usable directory it is a sealed memfd instead. *WAS_CACHED (may be NULL):
 * whether nothing had to be compiled. Returns 0 or a negative errno (compile_artifact's, or of reading the module). */
int cache_open_artifact(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                        int *artifact_fd, bool *was_cached, struct err *err);

#endif
