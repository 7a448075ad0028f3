/* A module as text after a stage, for people and for golden tests. */
#ifndef WHERRY_ENGINE_DUMP_H
#define WHERRY_ENGINE_DUMP_H

#include "base/buf.h"
#include "engine/gen/artifact.h"
#include "engine/module.h"

/* Appends M, one declaration or instruction a line, bodies with the byte offset of each instruction. M must have been
 * decoded without error; it need not be valid: a body is printed up to the first byte that is no instruction. */
void dump_module(const struct module *m, struct buf *out);

/* Appends the machine code of A, which has been opened: per function its bytes and what its call and fault sites stand
 * for (offsets in the module), then the tries with their handlers. ONLY: the one function wanted, plus 1, or 0. */
void dump_code(const struct artifact *a, uint32_t only, struct buf *out);

#endif
