/* What a container's entry point is: decided by its bytes, and said aloud. */
#ifndef WHERRY_OCI_WASM_DETECT_H
#define WHERRY_OCI_WASM_DETECT_H

#include "base/err.h"
#include "oci/config.h"

enum { WASM_DETECT_BYTES = 8 };

struct wasm_decision {
    bool is_wasm;
    const char *rule; /* which rule decided: a sentence for `wherry plan` */
};

/* Decides about the file PATH whose first LEN (at most WASM_DETECT_BYTES) bytes are BYTES; LEN < 0 says that it could not
 * be read. Pure. Annotations are accepted and never turn anything else into Wasm. Returns 0, -ENOEXEC for a file that is
 * nothing which can be executed, or -ENOTSUP for a component, with *E. */
int wasm_detect(const struct config *config, const char *path, const void *bytes, long len, struct wasm_decision *out,
                struct err *e);

#endif
