/* Where the entry code of every target finds the fields that it uses: the offsets as text, since inline assembly takes no offsetof
 * outside of a function, each checked here. */
#ifndef WHERRY_ENGINE_GEN_ENTRY_LAYOUT_H
#define WHERRY_ENGINE_GEN_ENTRY_LAYOUT_H

#include "engine/gen/entry.h"
#include <stddef.h>

/* struct vm_thread */
#define T_WASM_SP "0"
#define T_WASM_FP "8"
#define T_C_SP    "16"
_Static_assert(offsetof(struct vm_thread, wasm_sp) == 0, "entry code");
_Static_assert(offsetof(struct vm_thread, wasm_fp) == 8, "entry code");
_Static_assert(offsetof(struct vm_thread, c_sp) == 16, "entry code");
/* struct entry_call and struct entry_host_frame */
#define C_VECTORS      "48"
#define C_CODE         "176"
#define C_VM           "184"
#define C_ARG_SLOTS    "192"
#define C_RESULT_SLOTS "200"
#define C_ARG_BYTES    "208"
#define C_RESULT_BYTES "216"
#define C_ONLY_INTS    "224"
#define F_POP_BYTES    "176"
#define F_SIZE         "192"
_Static_assert(offsetof(struct entry_call, vectors) == 48, "entry code");
_Static_assert(offsetof(struct entry_call, code) == 176, "entry code");
_Static_assert(offsetof(struct entry_call, vm) == 184, "entry code");
_Static_assert(offsetof(struct entry_call, arg_slots) == 192, "entry code");
_Static_assert(offsetof(struct entry_call, result_slots) == 200, "entry code");
_Static_assert(offsetof(struct entry_call, arg_bytes) == 208, "entry code");
_Static_assert(offsetof(struct entry_call, result_bytes) == 216, "entry code");
_Static_assert(offsetof(struct entry_call, only_ints) == 224, "entry code");
_Static_assert(offsetof(struct entry_host_frame, vectors) == 48, "entry code");
_Static_assert(offsetof(struct entry_host_frame, pop_bytes) == 176, "entry code");
_Static_assert(sizeof(struct entry_host_frame) == 192, "entry code");
/* struct entry_host_head */
#define H_ONLY_INTS "8"
_Static_assert(offsetof(struct entry_host_head, only_ints) == 8, "entry code");
/* struct vm */
#define VM_THREAD "88"
_Static_assert(offsetof(struct vm, thread) == 88, "entry code");

#endif
