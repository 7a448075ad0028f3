/* The builtins on objects (enum vm_builtin). */
#ifndef WHERRY_ENGINE_RT_OBJECT_H
#define WHERRY_ENGINE_RT_OBJECT_H

#include "engine/gen/entry.h"

entry_builtin builtin_struct_new, builtin_array_new_default, builtin_array_new, builtin_array_new_data,
    builtin_array_new_elem, builtin_array_fill, builtin_array_copy, builtin_array_init_data, builtin_array_init_elem;

#endif
