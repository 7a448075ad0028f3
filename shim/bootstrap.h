/* The dialects of `start`: what containerd 1.6 to 2.3 and later put on its standard input, and the answer each accepts.
 *
 *     containerd      input                            answer
 *     1.6             empty or an Any of the options   the address, plain
 *     1.7, 2.0-2.2    the same                         JSON, version 2 (1.7 refuses 3; they cannot be told apart)
 *     2.3 and later   BootstrapParams                  BootstrapResult, version 3
 *
 * 1.6 is the one that does not set MAX_SHIM_VERSION. */
#ifndef WHERRY_SHIM_BOOTSTRAP_H
#define WHERRY_SHIM_BOOTSTRAP_H

#include "base/buf.h"
#include "base/err.h"
#include "shim/options.h"
#include <stdbool.h>

struct bootstrap {
    bool has_params;      /* BootstrapParams came */
    bool debug;           /* they ask for a verbose log */
    char socket_dir[108]; /* "": the default */
    struct options options;
};

/* Reads the LEN bytes that came on standard input for `-id ID`. An Any has only fields 1 and 2; BootstrapParams repeats the
 * id in field 1 and has others: a container id read as a type name is the classic accident. Returns 0 or -EINVAL with *E. */
int bootstrap_read(const uint8_t *input, size_t len, const char *id, struct bootstrap *out, struct err *e);

/* Appends the answer. MAX_SHIM_VERSION is the environment variable's value or NULL. */
void bootstrap_answer(const struct bootstrap *b, const char *max_shim_version, const char *address, struct buf *out);

#endif
