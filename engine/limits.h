/* Limits of the implementation on what a module may declare: those of the WebAssembly JavaScript interface
 * (section "Implementation-defined limits"), so that a module accepted by browsers is accepted here and the other way
 * round. A module beyond one of them is refused as invalid. */
#ifndef WHERRY_ENGINE_LIMITS_H
#define WHERRY_ENGINE_LIMITS_H

enum {
    LIMIT_MODULE_BYTES = 1 << 30,
    LIMIT_TYPES = 1000000, /* also of recursion groups, and of types in one */
    LIMIT_FUNCTIONS = 1000000,
    LIMIT_IMPORTS = 1000000,
    LIMIT_EXPORTS = 1000000,
    LIMIT_GLOBALS = 1000000,
    LIMIT_TAGS = 1000000,
    LIMIT_TABLES = 100000,
    LIMIT_MEMORIES = 100,
    LIMIT_DATA_SEGMENTS = 100000,
    LIMIT_ELEMENT_SEGMENTS = 10000000,
    LIMIT_ELEMENTS_PER_SEGMENT = 10000000,
    LIMIT_SUBTYPING_DEPTH = 63,
    LIMIT_FUNCTION_BYTES = 7654321,
    LIMIT_LOCALS = 50000, /* parameters included */
    LIMIT_PARAMS = 1000,
    LIMIT_RESULTS = 1000,
    LIMIT_STRUCT_FIELDS = 10000,
    LIMIT_ARRAY_NEW_FIXED = 10000,
};

#endif
