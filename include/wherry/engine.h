/* The engine's door: bytes → artifact → run. Needs nothing but descriptors and plain data.
 *
 * An artifact is machine code plus read-only metadata in one position-independent file (engine/gen/artifact.h).
 * Making one (engine_compile) decodes hostile bytes and belongs in the compile worker; running one (engine_run)
 * needs no compiler. */
#ifndef WHERRY_ENGINE_H
#define WHERRY_ENGINE_H

#include "base/buf.h"
#include "base/err.h"
#include "wherry/grant.h"
#include <stdbool.h>
#include <stdint.h>

enum engine_compiler { ENGINE_BASELINE = 1, ENGINE_OPTIMIZING = 2 };

/* Language features that can be switched off one by one (bits). */
enum engine_feature {
    ENGINE_FEATURE_SIMD = 1u << 0,
    ENGINE_FEATURE_RELAXED_SIMD = 1u << 1,
    ENGINE_FEATURE_TAIL_CALL = 1u << 2,
    ENGINE_FEATURE_EXTENDED_CONST = 1u << 3,
    ENGINE_FEATURE_MULTI_MEMORY = 1u << 4,
    ENGINE_FEATURE_MEMORY64 = 1u << 5,
    ENGINE_FEATURE_FUNCTION_REFERENCES = 1u << 6,
    ENGINE_FEATURE_GC = 1u << 7,
    ENGINE_FEATURE_EXCEPTIONS = 1u << 8,
    ENGINE_FEATURE_LEGACY_EXCEPTIONS = 1u << 9,
    ENGINE_FEATURE_THREADS = 1u << 10,
    ENGINE_FEATURE_WIDE_ARITHMETIC = 1u << 11,
    ENGINE_FEATURE_CUSTOM_PAGE_SIZES = 1u << 12,
};

struct engine_options {
    enum engine_compiler compiler; /* 0: the default */
    uint32_t features;             /* enum engine_feature bits; 0: the default set */
    bool explicit_bounds_checks;   /* where address space for guard regions is limited */
    uint64_t passes_off;           /* bit n: the optimizing compiler leaves out opt/passes.h's n */
    char dumps[8];                 /* opt/trace.h's letters: that text comes out instead of an artifact; empty: none */
    uint32_t dump_func;            /* the only function that it tells of, plus 1; 0: all */
    /* how, not what: the artifact is the same with any of these */
    unsigned cores;                                  /* threads to compile with, 0: one */
    void (*progress)(uint64_t done, uint64_t total); /* called now and then, from any thread; may be NULL */
};

/* The features that are on unless something else is asked for. */
uint32_t engine_default_features(void);

/* OPTIONS with the defaults filled in: what a cache key and an artifact's header speak of. */
struct engine_options engine_options_resolved(const struct engine_options *options);

/* Whether a process that may have so much address space (RLIMIT_AS) has no room for guard regions, so that its
 * module is to be compiled with explicit_bounds_checks. */
bool engine_needs_explicit_checks(uint64_t address_space_bytes);

/* Features of this CPU, beyond the base level x86-64-v2, that COMPILER makes use of; part of every cache key. */
uint32_t engine_cpu_features(enum engine_compiler compiler);

enum engine_kind { ENGINE_NOT_WASM = 0, ENGINE_MODULE, ENGINE_COMPONENT, ENGINE_UNKNOWN_VERSION };

/* What the first LEN (>= 8 wanted) bytes of a file say it is: core module, component, neither. Reads at most 8
 * bytes. */
enum engine_kind engine_detect(const void *bytes, size_t len);

/* Decodes, validates and compiles the module BYTES and appends the artifact to ARTIFACT.
 * KEY is the content digest the artifact will be known by (32 bytes, SHA-256 of BYTES). Returns 0 or a negative errno:
 * -EINVAL malformed or invalid (offset and reason in ERR), -ENOTSUP an unsupported feature (its name in ERR). */
int engine_compile(const void *bytes, size_t len, const uint8_t key[32], const struct engine_options *options,
                   struct buf *artifact, struct err *err);

/* Checks the fixed header of the artifact in FD: ours, this build, this CPU, these options, KEY (NULL: any).
 * Returns 0, or -ESTALE when it must be made anew, or another negative errno. */
int engine_artifact_check(int fd, const uint8_t key[32], const struct engine_options *options, struct err *err);

/* Compares the host functions that the artifact in FD imports with what GRANT allows and the engine has, and sees to
 * it that there is a `_start` to run. Returns 0, -ENOENT/-EPERM with module, name and type of the first offender in
 * ERR, or -ENOEXEC. */
int engine_artifact_check_imports(int fd, const struct grant *grant, struct err *err);

/* Maps the artifact in FD and its live file (wherry/cache.h; -1: none), which the callee closes once they are mapped, makes an
 * instance with GRANT and runs `_start`.
 * CONFINED: before that the process gives up every system call that the module's imports do not need, executable
 * mappings among them. Returns 0 after a normal end, or a negative errno with ERR when it could not be started; the
 * guest's proc_exit, and a trap in any of its threads (status 134, reason and backtrace on stderr), end the process. */
int engine_run(int artifact_fd, int live_fd, const struct grant *grant, bool confined, struct err *err);

/* Where the program libexec/wherry/engine finds what it runs: the grants in their flat form, the artifact, the live file or
 * anything else, which is then none. */
enum { ENGINE_GRANT_FD = 3, ENGINE_ARTIFACT_FD = 4, ENGINE_LIVE_FD = 5 };

/* The system calls, with arguments as they occur, that the engine cannot do without whatever the module is; the last has no
 * name. For whoever puts a filter of his own around it. */
struct engine_call {
    const char *name;
    int number;
    uint64_t arguments[6];
};
extern const struct engine_call engine_needed_calls[];

/* Identity of this build of the engine: part of every cache key. */
extern const char engine_build_id[];

#endif
