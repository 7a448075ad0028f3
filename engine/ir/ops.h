/* The IR's own operations. Everything else is a Wasm instruction under its number in enum opcode (arithmetic, loads,
 * stores, conversions, vectors), so that one table names and types both.
 *
 * X(ID, "text", effects). Effects: enum ir_effect. What `imm` means is said behind each. */
#ifndef WHERRY_ENGINE_IR_OPS_H
#define WHERRY_ENGINE_IR_OPS_H

#include "engine/opcodes.h"

enum ir_effect {
    IR_PURE = 0,
    IR_READS = 1,      /* memory, tables or globals that stores and calls may change */
    IR_WRITES = 2,     /* the same */
    IR_TRAPS = 4,      /* may end the function: neither moved ahead of its condition nor deleted */
    IR_TERMINATOR = 8, /* the last of a block, and only that */
    IR_PINNED = 16,    /* belongs where it stands (phi, parameter, result of a call) */
};

#define IR_OPS(X)                                                                                                      \
    X(COPY, "copy", IR_PURE)                     /* of its operand: left behind by a replacement */                    \
    X(CONST, "const", IR_PURE)                   /* the bits; a v128's upper half in arg[0], arg[1] */                 \
    X(PARAM, "param", IR_PINNED)                 /* index */                                                           \
    X(PHI, "phi", IR_PINNED)                     /* one operand per predecessor */                                     \
    X(RESULT, "result", IR_PINNED)               /* of the call that is its operand: index */                          \
    X(LOAD, "load", IR_READS)                    /* type at pointer + imm, never a trap */                             \
    X(STORE, "store", IR_WRITES)                 /* (pointer, value) at pointer + imm */                               \
    X(MEMORY_STRUCT, "memory_struct", IR_PURE)   /* struct vm_memory * of memory imm */                                \
    X(MEMORY_BASE, "memory_base", IR_PURE)       /* base of memory imm, which never moves */                           \
    X(ADDRESS, "address", IR_PURE)               /* of an index in memory 0 */                                         \
    X(TABLE_STRUCT, "table_struct", IR_PURE)     /* struct vm_table * of table imm */                                  \
    X(GLOBAL_ADDRESS, "global_address", IR_PURE) /* of global imm */                                                   \
    X(FUNC_REF, "func_ref", IR_PURE)             /* reference to function imm */                                       \
    X(BOUNDS, "bounds", IR_TRAPS | IR_READS)     /* (index, struct vm_memory *) -> index + imm, or out of bounds */    \
    X(ELEMENT, "element", IR_TRAPS | IR_READS)   /* (index, struct vm_table *) -> address of the element */            \
    X(FUNC_ADDRESS, "func_address", IR_PURE)     /* of the vm_func that a reference names */                           \
    X(OBJECT_ADDRESS, "object_address", IR_PURE) /* of the object that a reference names: where it begins */           \
    X(SPACE, "space", IR_PURE)                   /* base of the reference space */                                     \
    X(FIELD_LOAD, "field_load", IR_READS | IR_TRAPS)    /* (index, base): struct ir_inst's remark on fields */         \
    X(FIELD_STORE, "field_store", IR_WRITES | IR_TRAPS) /* (index, base, value) */                                     \
    X(ARRAY_INDEX, "array_index", IR_TRAPS)             /* (index, length) -> index, or out of bounds */               \
    X(ALLOCATE, "allocate", IR_PINNED)                  /* of type imm; bits 32 up: an array's length */               \
    X(AS_REF, "as_ref", IR_PURE)                        /* the i32 as a reference */                                   \
    X(TYPE_ID, "type_id", IR_PURE)                      /* this process's number of type imm */                        \
    X(TYPE_ROW, "type_row", IR_PURE)                 /* (type number) -> what is at imm in its struct vm_type_row */   \
    X(IS_SUBTYPE, "is_subtype", IR_PURE)             /* (type number): of type imm, which no row reaches */            \
    X(MULTIPLY_HIGH, "multiply_high", IR_PURE)       /* upper half of the product; imm: of signed numbers */           \
    X(VM, "vm", IR_PURE)                             /* struct vm * of the running instance */                         \
    X(TRAP_IF, "trap_if", IR_TRAPS)                  /* enum trap_kind imm unless the operand is 0 */                  \
    X(CHECK_TYPE, "check_type", IR_TRAPS)            /* (vm_func): traps unless its type is imm; null is a trap too */ \
    X(CALL, "call", IR_READS | IR_WRITES | IR_TRAPS) /* function imm */                                                \
    X(CALL_ADDRESS, "call_address",                                                                                    \
      IR_READS | IR_WRITES | IR_TRAPS)                     /* (vm_func, ...): type imm; bit 32: may be null */         \
    X(BUILTIN, "builtin", IR_READS | IR_WRITES | IR_TRAPS) /* enum vm_builtin imm */                                   \
    X(BUILTIN_SLOTS, "builtin_slots",                                                                                  \
      IR_READS | IR_WRITES | IR_TRAPS)       /* the same with operands in slots; bits 32 up: type index */             \
    X(TAIL_CALL, "tail_call", IR_TERMINATOR) /* function imm */                                                        \
    X(TAIL_CALL_ADDRESS, "tail_call_address", IR_TERMINATOR) /* like call_address */                                   \
    X(EXCEPTION, "exception", IR_PINNED)                     /* that has led here, first in its block */               \
    X(CATCH, "catch", IR_TERMINATOR) /* behind a call: successor 0 behind it; n + 1 if it throws table[n]'s tag */     \
    X(JUMP, "jump", IR_TERMINATOR)                                                                                     \
    X(BRANCH, "branch", IR_TERMINATOR) /* successor 0 if the operand is not zero, else successor 1 */                  \
    X(SWITCH, "switch", IR_TERMINATOR) /* successor table[operand], the last if it is beyond */                        \
    X(RETURN, "return", IR_TERMINATOR)                                                                                 \
    X(TRAP, "trap", IR_TERMINATOR) /* enum trap_kind */

enum ir_op {
    IR_FIRST = OPCODE_COUNT,
#define X(id, text, effects) IR_##id,
    IR_OPS(X)
#undef X
        IR_OP_COUNT
};

#endif
