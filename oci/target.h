/* A container that runs, as somebody sees it who is about to enter it. */
#ifndef WHERRY_OCI_TARGET_H
#define WHERRY_OCI_TARGET_H

#include "oci/state.h"

struct target {
    int namespaces[NAMESPACE_COUNT]; /* descriptors; -1: shared with us */
    int root;                        /* O_PATH */
};
#define TARGET_NONE ((struct target){{-1, -1, -1, -1, -1, -1, -1, -1}, -1})
_Static_assert(NAMESPACE_COUNT == 8, "TARGET_NONE names each");

/* Opens them into *TARGET, which was TARGET_NONE; to be closed whatever is returned: 0 or a negative errno with *E. */
int target_open(const char *root, const struct state *state, struct target *target, struct err *e);

void target_close(struct target *target);

#endif
