/* The tables that follow from opcodes.h. */
#include "engine/opcodes.h"
#include "wherry/engine.h"
#include <assert.h>
#include <stddef.h>

#define ENGINE_FEATURE_CORE 0

#define X(id, text, space, code, immediate, signature, width, feature)                                                 \
    [OP_##id] = {IMMEDIATE_##immediate, SIGNATURE_##signature, width, ENGINE_FEATURE_##feature},
const struct opcode_info opcode_infos[OPCODE_COUNT] = {OPCODES(X)};
#undef X

#define TYPES(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define S(name, param_count, params, result_count, results)                                                            \
    [SIGNATURE_##name] = {param_count, result_count, TYPES params, TYPES results},
const struct signature signatures[SIGNATURE_COUNT] = {SIGNATURES(S)};
#undef S

/* A switch and not a table of pointers: those would all have to be relocated when a static-pie program starts. */
const char *opcode_name(enum opcode op)
{
    switch (op) {
#define X(id, text, space, code, immediate, signature, width, feature)                                                 \
    case OP_##id: return text;
        OPCODES(X)
#undef X
    case OP_ILLEGAL: break;
    }
    assert(!"an instruction");
    return NULL;
}
