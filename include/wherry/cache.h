/* The code cache: artifacts by what they were made from.
 *
 * A directory that only its owner may enter, with one immutable file per (module content, engine build, CPU features,
 * options). A module has up to two of them, one a compiler. Files appear by rename, go by unlink and are never written in place, so a reader that has one open keeps it
 * whole. */
#ifndef WHERRY_CACHE_H
#define WHERRY_CACHE_H

#include "base/err.h"
#include "wherry/engine.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a caller that waits can be told. */
enum cache_phase {
    CACHE_WAITING,   /* another process compiles this module; DONE and TOTAL are its progress */
    CACHE_QUEUED,    /* all slots of the node are taken by other modules */
    CACHE_COMPILING, /* DONE of TOTAL */
};

struct cache_settings {
    /* NULL: /var/lib/wherry/cache for root, else $XDG_CACHE_HOME/wherry or $HOME/.cache/wherry */
    const char *directory;
    const char *libexec; /* NULL: found as worker.h says */
    bool disabled;       /* compile always, keep nothing */
    bool optimizes; /* of a module that is run from baseline code, optimized code is made afterwards (cache_optimize) */
    /* at a priority that yields to everything else, in no slot: for whoever makes what nobody waits for */
    bool background;
    bool kept_private; /* nobody else ever gets the descriptor: the read-only mount (0.15 ms) is not needed */
    /* that mount's descriptor, which the caller has set to -1 and closes when nobody waits for him: the kernel takes 0.1 ms
     * for it; NULL: closed at once */
    int *mount_fd;
    const uint8_t *digest;        /* the SHA-256 that the module is named by, 32 bytes: it must have it; NULL: any */
    pid_t mounts_of;              /* the process in whose mount namespace the module was opened; 0: the caller */
    uint64_t worker_memory_bytes; /* address space of the compile worker; 0: 8 GiB */
    unsigned worker_cpu_seconds;  /* 0: 300 */
    void (*progress)(void *context, enum cache_phase phase, uint64_t done, uint64_t total); /* may be NULL */
    void *progress_context;
};

/* For who has time before he knows the module: asks what is the same for all of them (the user namespace, the boot, the CPU),
 * which is kept for as long as the process lives. */
void cache_expect(const struct cache_settings *settings);

/* Opens the artifact of the module in MODULE_FD (a regular file, read from its start, by pread), making it first if
 * need be. Without a compiler in OPTIONS it is the best there is: the optimized one if it has been made, else that of the
 * baseline compiler. One process per key compiles, others wait for it and share its result, failures too. *ARTIFACT_FD is
 * read-only and, unless kept_private, where the kernel and the caller's rights allow, on a read-only mount of its own,
 * so that nobody it is passed to can reopen it for writing. Without a usable directory it is a sealed memfd instead.
 * *WAS_CACHED (may be NULL): whether nothing had to be compiled. Returns 0 or a negative errno (compile_artifact's, of reading
 * the module, or -EBADMSG: not the bytes of settings->digest). */
int cache_open_artifact(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                        int *artifact_fd, bool *was_cached, struct err *err);

/* Whether the artifact that cache_open_artifact opened lies in the cache, and is not the sealed memfd. */
bool cache_holds(int artifact_fd);

/* The same for who is going to run it. *LIVE_FD, which the caller has set to -1, becomes the descriptor of the live file for
 * engine_run, where there is one: with settings->optimizes, beside baseline code. */
int cache_open_live(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                    int *artifact_fd, int *live_fd, bool *was_cached, struct err *err);

/* Makes the optimized artifacts that starts with settings->optimizes have asked for, one after the other, until there are
 * none or another process does it already. MADE (may be NULL) counts them. A module that cannot be optimized is forgotten until
 * the next boot. Returns 0 or a negative errno: that of a reason outside of the module, with which the next call begins again. */
int cache_optimize(const struct cache_settings *settings, unsigned *made, struct err *err);

/* --- for operators -------------------------------------------------------------------------------------------- */

enum cache_item_state {
    CACHE_CURRENT,     /* what this build of the engine would run on this CPU */
    CACHE_OTHER_BUILD, /* made by another build: kept until it is the least recently used */
    CACHE_OTHER_CPU,   /* made for features that this CPU has not */
    CACHE_DAMAGED,     /* would be made anew */
};

struct cache_item {
    enum cache_item_state state;
    char name[65];
    uint8_t module_digest[32]; /* this and what follows: zero in one that is damaged */
    uint64_t module_bytes;
    struct engine_options options;
    uint64_t size_bytes; /* on disk */
    int64_t last_used_s; /* Unix time, true to an hour */
    char reason[128];    /* of a damaged one, else empty */
};

/* Calls EACH for every artifact, the most recently used first. BODIES: reads every byte and compares it with what was
 * written; else only headers are looked at. Returns 0 or a negative errno (-ENOENT: there is no cache yet). */
int cache_list(const struct cache_settings *settings, bool bodies,
               void (*each)(void *context, const struct cache_item *item), void *context, struct err *err);

/* Removes one artifact. Who has it open keeps it. */
int cache_remove(const struct cache_settings *settings, const char *name, struct err *err);

struct cache_prune {
    uint64_t limit_bytes; /* the size to keep to from now on; UINT64_MAX: as it is set */
    bool all;             /* remove every artifact */
    unsigned removed;     /* result */
    uint64_t removed_bytes;
};

/* Brings the cache down to its limit, least recently used first, and removes what dead jobs left. */
int cache_prune(const struct cache_settings *settings, struct cache_prune *prune, struct err *err);

struct cache_totals {
    char path[1024];
    unsigned count, other_build; /* artifacts; of those made by another build */
    uint64_t size_bytes, limit_bytes, free_bytes;
    bool limit_is_set;       /* by an operator */
    unsigned slots, busy;    /* that may compile at once; that do */
    unsigned wanted;         /* modules that wait to be optimized, the one that is among them */
    bool optimizing;         /* whether somebody does it */
    char worker_cgroup[128]; /* of the compile worker; empty: it has none of its own */
    uint64_t worker_memory_bytes;
};

int cache_stat(const struct cache_settings *settings, struct cache_totals *totals, struct err *err);

#endif
