/* Types and names of the Wasm language as text, for messages. */
#ifndef WHERRY_ENGINE_TEXT_H
#define WHERRY_ENGINE_TEXT_H

#include "base/buf.h"
#include "engine/module.h"
#include "engine/types.h"

/* Appends the type as the text format writes it: "i32", "funcref", "(ref null 3)". */
void text_valtype(struct buf *out, valtype type);

/* Appends "(i32, i64) -> f32"; TYPES holds the parameters, then the results. */
void text_func_type(struct buf *out, const valtype *types, uint32_t param_count, uint32_t result_count);

/* Appends the name in double quotes, control characters as \xx. */
void text_name(struct buf *out, struct name name);

/* "function", "table" ...; a static string. */
const char *text_external_kind(uint32_t kind);

#endif
