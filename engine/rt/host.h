/* How the runtime calls C: the shape of every host function, WASI's and the tests'. */
#ifndef WHERRY_ENGINE_RT_HOST_H
#define WHERRY_ENGINE_RT_HOST_H

#include "engine/gen/abi.h"
#include <stdint.h>

struct instance;

/* What a host function sees of the instance that called it. */
struct host_call {
    void *context;             /* what was bound with the function */
    struct instance *instance; /* the caller */
    union vm_value *values;    /* in: the arguments; out: the results, from index 0 */
};

/* Returns TRAP_NONE, or the trap to raise in the guest. A host function runs on the C stack with all signals as the
 * process has them; it may end the process. */
typedef enum trap_kind host_function(struct host_call *call);

/* One function of a host module. SIGNATURE is "params:results" in the letters i (i32) I (i64) f (f32) F (f64), e.g.
 * "iiii:i". */
struct host_function_def {
    const char *name, *signature;
    host_function *function;
};

/* A host module: what `name` (e.g. "wasi_snapshot_preview1") offers. `defs` is sorted by name. */
struct host_module {
    const char *name;
    const struct host_function_def *defs;
    uint32_t def_count;
};

/* Memory 0 of the instance (the memory exported as "memory" for WASI): base and current size. NULL and 0 without
 * one. */
uint8_t *instance_memory(struct instance *instance, uint64_t *size_bytes);

#endif
