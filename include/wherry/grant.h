/* What a module may do, as plain data with file descriptors already open.
 *
 * Policy (which OCI field grants what) is the caller's; the engine only enforces. Nothing that is not in a struct grant
 * reaches the guest: no inherited environment, no inherited descriptor, no ambient path. */
#ifndef WHERRY_GRANT_H
#define WHERRY_GRANT_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum grant_path_kind {
    GRANT_DIRECTORY = 1, /* fd is an O_PATH directory; a preopen of its own, and a hop target of path resolution */
    GRANT_FILE,          /* fd is an O_PATH file, seen at guest_path through the directory grant above it */
    GRANT_DEVICES, /* a synthetic directory: null zero full random urandom, plus the GRANT_FILEs below it; no fd */
    GRANT_HIDDEN,  /* nothing is ever resolved at or below guest_path (proc, sysfs, cgroup ...); no fd */
};

/* One place in the guest's tree. guest_path is absolute and normalised ("/", "/data"); fd is -1 where the kind has none. */
struct grant_path {
    enum grant_path_kind kind;
    const char *guest_path;
    const char
        *preopen_name; /* what fd_prestat_dir_name reports; NULL: guest_path. "" and relative names are allowed */
    int fd;
    bool writable;
};

struct grant_socket {
    int fd;           /* a bound, listening stream socket */
    const char *name; /* for messages */
};

/* All pointers are borrowed from whoever filled the struct in. */
struct grant {
    const char *module_name;                      /* for messages and PR_SET_NAME */
    const char *const *args, *const *environment; /* exactly what the guest sees, in this order */
    uint32_t arg_count, environment_count;
    const struct grant_path
        *paths; /* in preopen order: descriptors 3, 4, ... are the GRANT_DIRECTORYs and GRANT_DEVICES in this order */
    uint32_t path_count;
    const struct grant_socket *sockets; /* descriptors after the last path preopen */
    uint32_t socket_count;
    const char *working_directory; /* guest path; where the guest has the notion */
    bool network;                  /* the guest may use sockets beyond the listed ones */
    /* growth above it fails, of a memory or of the heap of objects; 0: no limit of the engine's own */
    uint64_t memory_max_bytes;
    uint64_t stack_bytes;    /* 0: the engine's default */
    const char *reason_path; /* in the container: a file that is also told why the module ended, if not by itself; */
    int reason_fd;           /* that file, open for appending; 0: none. Only this crosses the exec */
};

/* The flat form that crosses an exec: descriptors are sent as their numbers. grant_decode points into BYTES (which must
 * outlive *OUT) and allocates its arrays with malloc; grant_decoded_free releases those. Returns 0 or -EINVAL. */
void grant_encode(const struct grant *grant, struct buf *out);
int grant_decode(const void *bytes, size_t len, struct grant *out, struct err *err);
void grant_decoded_free(struct grant *grant);

#endif
