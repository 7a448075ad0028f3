/* Type identity and subtyping inside one module (core specification, "Matching" and "Type Closure").
 *
 * Types are the same when their recursion groups are, up to the numbering. types_validate gives every type its
 * canonical index and rewrites all types inside type definitions to canonical ones; whoever reads a type from elsewhere
 * does likewise (type_canonical). Two value types are then the same when their bits are. */
#ifndef WHERRY_ENGINE_SUBTYPE_H
#define WHERRY_ENGINE_SUBTYPE_H

#include "engine/module.h"

/* Validation only: the heap type of a reference that unreachable code made. Below every other. */
enum { HEAP_BOTTOM = HEAP_ABSTRACT };

/* Checks the type section: references, supertypes, and fills `depth` and `canonical`.
 * Returns NULL, or what is wrong (a static string) with the type's index in *WHERE. */
const char *types_validate(struct module *m, uint32_t *where);

/* T with its type index, if it has one, replaced by the canonical one. The index must exist. */
valtype type_canonical(const struct module *m, valtype t);

/* Whether T names no type, or one that exists. */
bool type_exists(const struct module *m, valtype t);

/* Of canonical types. VT_BOTTOM is a subtype of everything. */
bool heap_is_subtype(const struct module *m, heaptype sub, heaptype super);
bool valtype_is_subtype(const struct module *m, valtype sub, valtype super);

#endif
