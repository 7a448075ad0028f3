/* Linking: where a module's imports come from, and whether they fit. */
#ifndef WHERRY_ENGINE_RT_LINK_H
#define WHERRY_ENGINE_RT_LINK_H

#include "engine/rt/code.h"
#include "engine/rt/host.h"
#include "engine/rt/store.h"

struct link_source { /* answers for one module name: an instance's exports, or a host module, and what lies beside it */
    struct name module;
    struct instance *instance;
    const struct host_module *host;
    void *context;              /* of the host module's functions */
    struct external *externals; /* further things, by name */
    const char *const *external_names;
    uint32_t external_count;
};

struct linker {
    struct store *store;
    VEC(struct link_source) sources; /* the last that has what is wanted wins */
};

/* Resolves and checks every import of CODE into IMPORTS (code->artifact.imports_count entries). Returns 0, -ENOENT
 * for an unknown import, -EINVAL for one of another type (module, name and both types in ERR), -ESTALE, -ENOMEM. */
int link_imports(struct linker *linker, const struct code *code, struct external *imports, struct err *err);

static inline struct name name_of(const char *text)
{
    return (struct name){text, (uint32_t)strlen(text)};
}

#endif
