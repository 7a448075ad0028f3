/* Every instruction of WebAssembly 3.0, threads, wide arithmetic and legacy exceptions, in one table.
 *
 * X(ID, "text", SPACE, code, IMMEDIATE, signature, width, FEATURE)
 * - SPACE: PLAIN is one byte; GC, MISC, VECTOR, ATOMIC stand behind the prefix 0xfb, 0xfc, 0xfd, 0xfe as a LEB128 u32.
 * - IMMEDIATE: what follows the opcode (enum immediate; read with engine/body.h).
 * - signature: parameters_results in the letters i (i32) I (i64) f (f32) F (f64) v (v128), a (the address type of the
 *   memory that the memarg names); "special" where the types depend on more than that.
 * - width: log2 of the bytes of the memory access (its natural alignment), or of the lane.
 * - FEATURE: enum engine_feature without its prefix; CORE is WebAssembly 2.0 without SIMD.
 *
 * enum opcode numbers a plain instruction by its byte; the spaces follow one another, so that no table is needed
 * to get from the encoding to the number. There are holes: opcode_infos[op].immediate is IMMEDIATE_ILLEGAL there. */
#ifndef WHERRY_ENGINE_OPCODES_H
#define WHERRY_ENGINE_OPCODES_H

#include "engine/types.h"
#include <stdint.h>

#define OPCODES_PLAIN(X)                                                                                               \
    X(UNREACHABLE, "unreachable", PLAIN, 0x00, NONE, special, 0, CORE)                                                 \
    X(NOP, "nop", PLAIN, 0x01, NONE, _, 0, CORE)                                                                       \
    X(BLOCK, "block", PLAIN, 0x02, BLOCK, special, 0, CORE)                                                            \
    X(LOOP, "loop", PLAIN, 0x03, BLOCK, special, 0, CORE)                                                              \
    X(IF, "if", PLAIN, 0x04, BLOCK, special, 0, CORE)                                                                  \
    X(ELSE, "else", PLAIN, 0x05, NONE, special, 0, CORE)                                                               \
    X(TRY, "try", PLAIN, 0x06, BLOCK, special, 0, LEGACY_EXCEPTIONS)                                                   \
    X(CATCH, "catch", PLAIN, 0x07, TAG, special, 0, LEGACY_EXCEPTIONS)                                                 \
    X(THROW, "throw", PLAIN, 0x08, TAG, special, 0, EXCEPTIONS)                                                        \
    X(RETHROW, "rethrow", PLAIN, 0x09, LABEL, special, 0, LEGACY_EXCEPTIONS)                                           \
    X(THROW_REF, "throw_ref", PLAIN, 0x0a, NONE, special, 0, EXCEPTIONS)                                               \
    X(END, "end", PLAIN, 0x0b, NONE, special, 0, CORE)                                                                 \
    X(BR, "br", PLAIN, 0x0c, LABEL, special, 0, CORE)                                                                  \
    X(BR_IF, "br_if", PLAIN, 0x0d, LABEL, special, 0, CORE)                                                            \
    X(BR_TABLE, "br_table", PLAIN, 0x0e, LABELS, special, 0, CORE)                                                     \
    X(RETURN, "return", PLAIN, 0x0f, NONE, special, 0, CORE)                                                           \
    X(CALL, "call", PLAIN, 0x10, FUNC, special, 0, CORE)                                                               \
    X(CALL_INDIRECT, "call_indirect", PLAIN, 0x11, TYPE_TABLE, special, 0, CORE)                                       \
    X(RETURN_CALL, "return_call", PLAIN, 0x12, FUNC, special, 0, TAIL_CALL)                                            \
    X(RETURN_CALL_INDIRECT, "return_call_indirect", PLAIN, 0x13, TYPE_TABLE, special, 0, TAIL_CALL)                    \
    X(CALL_REF, "call_ref", PLAIN, 0x14, TYPE, special, 0, FUNCTION_REFERENCES)                                        \
    X(RETURN_CALL_REF, "return_call_ref", PLAIN, 0x15, TYPE, special, 0, FUNCTION_REFERENCES)                          \
    X(DELEGATE, "delegate", PLAIN, 0x18, LABEL, special, 0, LEGACY_EXCEPTIONS)                                         \
    X(CATCH_ALL, "catch_all", PLAIN, 0x19, NONE, special, 0, LEGACY_EXCEPTIONS)                                        \
    X(DROP, "drop", PLAIN, 0x1a, NONE, special, 0, CORE)                                                               \
    X(SELECT, "select", PLAIN, 0x1b, NONE, special, 0, CORE)                                                           \
    X(SELECT_T, "select", PLAIN, 0x1c, VALTYPES, special, 0, CORE)                                                     \
    X(TRY_TABLE, "try_table", PLAIN, 0x1f, TRY_TABLE, special, 0, EXCEPTIONS)                                          \
    X(LOCAL_GET, "local.get", PLAIN, 0x20, LOCAL, special, 0, CORE)                                                    \
    X(LOCAL_SET, "local.set", PLAIN, 0x21, LOCAL, special, 0, CORE)                                                    \
    X(LOCAL_TEE, "local.tee", PLAIN, 0x22, LOCAL, special, 0, CORE)                                                    \
    X(GLOBAL_GET, "global.get", PLAIN, 0x23, GLOBAL, special, 0, CORE)                                                 \
    X(GLOBAL_SET, "global.set", PLAIN, 0x24, GLOBAL, special, 0, CORE)                                                 \
    X(TABLE_GET, "table.get", PLAIN, 0x25, TABLE, special, 0, CORE)                                                    \
    X(TABLE_SET, "table.set", PLAIN, 0x26, TABLE, special, 0, CORE)                                                    \
    X(I32_LOAD, "i32.load", PLAIN, 0x28, MEMARG, a_i, 2, CORE)                                                         \
    X(I64_LOAD, "i64.load", PLAIN, 0x29, MEMARG, a_I, 3, CORE)                                                         \
    X(F32_LOAD, "f32.load", PLAIN, 0x2a, MEMARG, a_f, 2, CORE)                                                         \
    X(F64_LOAD, "f64.load", PLAIN, 0x2b, MEMARG, a_F, 3, CORE)                                                         \
    X(I32_LOAD8_S, "i32.load8_s", PLAIN, 0x2c, MEMARG, a_i, 0, CORE)                                                   \
    X(I32_LOAD8_U, "i32.load8_u", PLAIN, 0x2d, MEMARG, a_i, 0, CORE)                                                   \
    X(I32_LOAD16_S, "i32.load16_s", PLAIN, 0x2e, MEMARG, a_i, 1, CORE)                                                 \
    X(I32_LOAD16_U, "i32.load16_u", PLAIN, 0x2f, MEMARG, a_i, 1, CORE)                                                 \
    X(I64_LOAD8_S, "i64.load8_s", PLAIN, 0x30, MEMARG, a_I, 0, CORE)                                                   \
    X(I64_LOAD8_U, "i64.load8_u", PLAIN, 0x31, MEMARG, a_I, 0, CORE)                                                   \
    X(I64_LOAD16_S, "i64.load16_s", PLAIN, 0x32, MEMARG, a_I, 1, CORE)                                                 \
    X(I64_LOAD16_U, "i64.load16_u", PLAIN, 0x33, MEMARG, a_I, 1, CORE)                                                 \
    X(I64_LOAD32_S, "i64.load32_s", PLAIN, 0x34, MEMARG, a_I, 2, CORE)                                                 \
    X(I64_LOAD32_U, "i64.load32_u", PLAIN, 0x35, MEMARG, a_I, 2, CORE)                                                 \
    X(I32_STORE, "i32.store", PLAIN, 0x36, MEMARG, ai_, 2, CORE)                                                       \
    X(I64_STORE, "i64.store", PLAIN, 0x37, MEMARG, aI_, 3, CORE)                                                       \
    X(F32_STORE, "f32.store", PLAIN, 0x38, MEMARG, af_, 2, CORE)                                                       \
    X(F64_STORE, "f64.store", PLAIN, 0x39, MEMARG, aF_, 3, CORE)                                                       \
    X(I32_STORE8, "i32.store8", PLAIN, 0x3a, MEMARG, ai_, 0, CORE)                                                     \
    X(I32_STORE16, "i32.store16", PLAIN, 0x3b, MEMARG, ai_, 1, CORE)                                                   \
    X(I64_STORE8, "i64.store8", PLAIN, 0x3c, MEMARG, aI_, 0, CORE)                                                     \
    X(I64_STORE16, "i64.store16", PLAIN, 0x3d, MEMARG, aI_, 1, CORE)                                                   \
    X(I64_STORE32, "i64.store32", PLAIN, 0x3e, MEMARG, aI_, 2, CORE)                                                   \
    X(MEMORY_SIZE, "memory.size", PLAIN, 0x3f, MEMORY, special, 0, CORE)                                               \
    X(MEMORY_GROW, "memory.grow", PLAIN, 0x40, MEMORY, special, 0, CORE)                                               \
    X(I32_CONST, "i32.const", PLAIN, 0x41, I32, _i, 0, CORE)                                                           \
    X(I64_CONST, "i64.const", PLAIN, 0x42, I64, _I, 0, CORE)                                                           \
    X(F32_CONST, "f32.const", PLAIN, 0x43, F32, _f, 0, CORE)                                                           \
    X(F64_CONST, "f64.const", PLAIN, 0x44, F64, _F, 0, CORE)                                                           \
    X(I32_EQZ, "i32.eqz", PLAIN, 0x45, NONE, i_i, 0, CORE)                                                             \
    X(I32_EQ, "i32.eq", PLAIN, 0x46, NONE, ii_i, 0, CORE)                                                              \
    X(I32_NE, "i32.ne", PLAIN, 0x47, NONE, ii_i, 0, CORE)                                                              \
    X(I32_LT_S, "i32.lt_s", PLAIN, 0x48, NONE, ii_i, 0, CORE)                                                          \
    X(I32_LT_U, "i32.lt_u", PLAIN, 0x49, NONE, ii_i, 0, CORE)                                                          \
    X(I32_GT_S, "i32.gt_s", PLAIN, 0x4a, NONE, ii_i, 0, CORE)                                                          \
    X(I32_GT_U, "i32.gt_u", PLAIN, 0x4b, NONE, ii_i, 0, CORE)                                                          \
    X(I32_LE_S, "i32.le_s", PLAIN, 0x4c, NONE, ii_i, 0, CORE)                                                          \
    X(I32_LE_U, "i32.le_u", PLAIN, 0x4d, NONE, ii_i, 0, CORE)                                                          \
    X(I32_GE_S, "i32.ge_s", PLAIN, 0x4e, NONE, ii_i, 0, CORE)                                                          \
    X(I32_GE_U, "i32.ge_u", PLAIN, 0x4f, NONE, ii_i, 0, CORE)                                                          \
    X(I64_EQZ, "i64.eqz", PLAIN, 0x50, NONE, I_i, 0, CORE)                                                             \
    X(I64_EQ, "i64.eq", PLAIN, 0x51, NONE, II_i, 0, CORE)                                                              \
    X(I64_NE, "i64.ne", PLAIN, 0x52, NONE, II_i, 0, CORE)                                                              \
    X(I64_LT_S, "i64.lt_s", PLAIN, 0x53, NONE, II_i, 0, CORE)                                                          \
    X(I64_LT_U, "i64.lt_u", PLAIN, 0x54, NONE, II_i, 0, CORE)                                                          \
    X(I64_GT_S, "i64.gt_s", PLAIN, 0x55, NONE, II_i, 0, CORE)                                                          \
    X(I64_GT_U, "i64.gt_u", PLAIN, 0x56, NONE, II_i, 0, CORE)                                                          \
    X(I64_LE_S, "i64.le_s", PLAIN, 0x57, NONE, II_i, 0, CORE)                                                          \
    X(I64_LE_U, "i64.le_u", PLAIN, 0x58, NONE, II_i, 0, CORE)                                                          \
    X(I64_GE_S, "i64.ge_s", PLAIN, 0x59, NONE, II_i, 0, CORE)                                                          \
    X(I64_GE_U, "i64.ge_u", PLAIN, 0x5a, NONE, II_i, 0, CORE)                                                          \
    X(F32_EQ, "f32.eq", PLAIN, 0x5b, NONE, ff_i, 0, CORE)                                                              \
    X(F32_NE, "f32.ne", PLAIN, 0x5c, NONE, ff_i, 0, CORE)                                                              \
    X(F32_LT, "f32.lt", PLAIN, 0x5d, NONE, ff_i, 0, CORE)                                                              \
    X(F32_GT, "f32.gt", PLAIN, 0x5e, NONE, ff_i, 0, CORE)                                                              \
    X(F32_LE, "f32.le", PLAIN, 0x5f, NONE, ff_i, 0, CORE)                                                              \
    X(F32_GE, "f32.ge", PLAIN, 0x60, NONE, ff_i, 0, CORE)                                                              \
    X(F64_EQ, "f64.eq", PLAIN, 0x61, NONE, FF_i, 0, CORE)                                                              \
    X(F64_NE, "f64.ne", PLAIN, 0x62, NONE, FF_i, 0, CORE)                                                              \
    X(F64_LT, "f64.lt", PLAIN, 0x63, NONE, FF_i, 0, CORE)                                                              \
    X(F64_GT, "f64.gt", PLAIN, 0x64, NONE, FF_i, 0, CORE)                                                              \
    X(F64_LE, "f64.le", PLAIN, 0x65, NONE, FF_i, 0, CORE)                                                              \
    X(F64_GE, "f64.ge", PLAIN, 0x66, NONE, FF_i, 0, CORE)                                                              \
    X(I32_CLZ, "i32.clz", PLAIN, 0x67, NONE, i_i, 0, CORE)                                                             \
    X(I32_CTZ, "i32.ctz", PLAIN, 0x68, NONE, i_i, 0, CORE)                                                             \
    X(I32_POPCNT, "i32.popcnt", PLAIN, 0x69, NONE, i_i, 0, CORE)                                                       \
    X(I32_ADD, "i32.add", PLAIN, 0x6a, NONE, ii_i, 0, CORE)                                                            \
    X(I32_SUB, "i32.sub", PLAIN, 0x6b, NONE, ii_i, 0, CORE)                                                            \
    X(I32_MUL, "i32.mul", PLAIN, 0x6c, NONE, ii_i, 0, CORE)                                                            \
    X(I32_DIV_S, "i32.div_s", PLAIN, 0x6d, NONE, ii_i, 0, CORE)                                                        \
    X(I32_DIV_U, "i32.div_u", PLAIN, 0x6e, NONE, ii_i, 0, CORE)                                                        \
    X(I32_REM_S, "i32.rem_s", PLAIN, 0x6f, NONE, ii_i, 0, CORE)                                                        \
    X(I32_REM_U, "i32.rem_u", PLAIN, 0x70, NONE, ii_i, 0, CORE)                                                        \
    X(I32_AND, "i32.and", PLAIN, 0x71, NONE, ii_i, 0, CORE)                                                            \
    X(I32_OR, "i32.or", PLAIN, 0x72, NONE, ii_i, 0, CORE)                                                              \
    X(I32_XOR, "i32.xor", PLAIN, 0x73, NONE, ii_i, 0, CORE)                                                            \
    X(I32_SHL, "i32.shl", PLAIN, 0x74, NONE, ii_i, 0, CORE)                                                            \
    X(I32_SHR_S, "i32.shr_s", PLAIN, 0x75, NONE, ii_i, 0, CORE)                                                        \
    X(I32_SHR_U, "i32.shr_u", PLAIN, 0x76, NONE, ii_i, 0, CORE)                                                        \
    X(I32_ROTL, "i32.rotl", PLAIN, 0x77, NONE, ii_i, 0, CORE)                                                          \
    X(I32_ROTR, "i32.rotr", PLAIN, 0x78, NONE, ii_i, 0, CORE)                                                          \
    X(I64_CLZ, "i64.clz", PLAIN, 0x79, NONE, I_I, 0, CORE)                                                             \
    X(I64_CTZ, "i64.ctz", PLAIN, 0x7a, NONE, I_I, 0, CORE)                                                             \
    X(I64_POPCNT, "i64.popcnt", PLAIN, 0x7b, NONE, I_I, 0, CORE)                                                       \
    X(I64_ADD, "i64.add", PLAIN, 0x7c, NONE, II_I, 0, CORE)                                                            \
    X(I64_SUB, "i64.sub", PLAIN, 0x7d, NONE, II_I, 0, CORE)                                                            \
    X(I64_MUL, "i64.mul", PLAIN, 0x7e, NONE, II_I, 0, CORE)                                                            \
    X(I64_DIV_S, "i64.div_s", PLAIN, 0x7f, NONE, II_I, 0, CORE)                                                        \
    X(I64_DIV_U, "i64.div_u", PLAIN, 0x80, NONE, II_I, 0, CORE)                                                        \
    X(I64_REM_S, "i64.rem_s", PLAIN, 0x81, NONE, II_I, 0, CORE)                                                        \
    X(I64_REM_U, "i64.rem_u", PLAIN, 0x82, NONE, II_I, 0, CORE)                                                        \
    X(I64_AND, "i64.and", PLAIN, 0x83, NONE, II_I, 0, CORE)                                                            \
    X(I64_OR, "i64.or", PLAIN, 0x84, NONE, II_I, 0, CORE)                                                              \
    X(I64_XOR, "i64.xor", PLAIN, 0x85, NONE, II_I, 0, CORE)                                                            \
    X(I64_SHL, "i64.shl", PLAIN, 0x86, NONE, II_I, 0, CORE)                                                            \
    X(I64_SHR_S, "i64.shr_s", PLAIN, 0x87, NONE, II_I, 0, CORE)                                                        \
    X(I64_SHR_U, "i64.shr_u", PLAIN, 0x88, NONE, II_I, 0, CORE)                                                        \
    X(I64_ROTL, "i64.rotl", PLAIN, 0x89, NONE, II_I, 0, CORE)                                                          \
    X(I64_ROTR, "i64.rotr", PLAIN, 0x8a, NONE, II_I, 0, CORE)                                                          \
    X(F32_ABS, "f32.abs", PLAIN, 0x8b, NONE, f_f, 0, CORE)                                                             \
    X(F32_NEG, "f32.neg", PLAIN, 0x8c, NONE, f_f, 0, CORE)                                                             \
    X(F32_CEIL, "f32.ceil", PLAIN, 0x8d, NONE, f_f, 0, CORE)                                                           \
    X(F32_FLOOR, "f32.floor", PLAIN, 0x8e, NONE, f_f, 0, CORE)                                                         \
    X(F32_TRUNC, "f32.trunc", PLAIN, 0x8f, NONE, f_f, 0, CORE)                                                         \
    X(F32_NEAREST, "f32.nearest", PLAIN, 0x90, NONE, f_f, 0, CORE)                                                     \
    X(F32_SQRT, "f32.sqrt", PLAIN, 0x91, NONE, f_f, 0, CORE)                                                           \
    X(F32_ADD, "f32.add", PLAIN, 0x92, NONE, ff_f, 0, CORE)                                                            \
    X(F32_SUB, "f32.sub", PLAIN, 0x93, NONE, ff_f, 0, CORE)                                                            \
    X(F32_MUL, "f32.mul", PLAIN, 0x94, NONE, ff_f, 0, CORE)                                                            \
    X(F32_DIV, "f32.div", PLAIN, 0x95, NONE, ff_f, 0, CORE)                                                            \
    X(F32_MIN, "f32.min", PLAIN, 0x96, NONE, ff_f, 0, CORE)                                                            \
    X(F32_MAX, "f32.max", PLAIN, 0x97, NONE, ff_f, 0, CORE)                                                            \
    X(F32_COPYSIGN, "f32.copysign", PLAIN, 0x98, NONE, ff_f, 0, CORE)                                                  \
    X(F64_ABS, "f64.abs", PLAIN, 0x99, NONE, F_F, 0, CORE)                                                             \
    X(F64_NEG, "f64.neg", PLAIN, 0x9a, NONE, F_F, 0, CORE)                                                             \
    X(F64_CEIL, "f64.ceil", PLAIN, 0x9b, NONE, F_F, 0, CORE)                                                           \
    X(F64_FLOOR, "f64.floor", PLAIN, 0x9c, NONE, F_F, 0, CORE)                                                         \
    X(F64_TRUNC, "f64.trunc", PLAIN, 0x9d, NONE, F_F, 0, CORE)                                                         \
    X(F64_NEAREST, "f64.nearest", PLAIN, 0x9e, NONE, F_F, 0, CORE)                                                     \
    X(F64_SQRT, "f64.sqrt", PLAIN, 0x9f, NONE, F_F, 0, CORE)                                                           \
    X(F64_ADD, "f64.add", PLAIN, 0xa0, NONE, FF_F, 0, CORE)                                                            \
    X(F64_SUB, "f64.sub", PLAIN, 0xa1, NONE, FF_F, 0, CORE)                                                            \
    X(F64_MUL, "f64.mul", PLAIN, 0xa2, NONE, FF_F, 0, CORE)                                                            \
    X(F64_DIV, "f64.div", PLAIN, 0xa3, NONE, FF_F, 0, CORE)                                                            \
    X(F64_MIN, "f64.min", PLAIN, 0xa4, NONE, FF_F, 0, CORE)                                                            \
    X(F64_MAX, "f64.max", PLAIN, 0xa5, NONE, FF_F, 0, CORE)                                                            \
    X(F64_COPYSIGN, "f64.copysign", PLAIN, 0xa6, NONE, FF_F, 0, CORE)                                                  \
    X(I32_WRAP_I64, "i32.wrap_i64", PLAIN, 0xa7, NONE, I_i, 0, CORE)                                                   \
    X(I32_TRUNC_F32_S, "i32.trunc_f32_s", PLAIN, 0xa8, NONE, f_i, 0, CORE)                                             \
    X(I32_TRUNC_F32_U, "i32.trunc_f32_u", PLAIN, 0xa9, NONE, f_i, 0, CORE)                                             \
    X(I32_TRUNC_F64_S, "i32.trunc_f64_s", PLAIN, 0xaa, NONE, F_i, 0, CORE)                                             \
    X(I32_TRUNC_F64_U, "i32.trunc_f64_u", PLAIN, 0xab, NONE, F_i, 0, CORE)                                             \
    X(I64_EXTEND_I32_S, "i64.extend_i32_s", PLAIN, 0xac, NONE, i_I, 0, CORE)                                           \
    X(I64_EXTEND_I32_U, "i64.extend_i32_u", PLAIN, 0xad, NONE, i_I, 0, CORE)                                           \
    X(I64_TRUNC_F32_S, "i64.trunc_f32_s", PLAIN, 0xae, NONE, f_I, 0, CORE)                                             \
    X(I64_TRUNC_F32_U, "i64.trunc_f32_u", PLAIN, 0xaf, NONE, f_I, 0, CORE)                                             \
    X(I64_TRUNC_F64_S, "i64.trunc_f64_s", PLAIN, 0xb0, NONE, F_I, 0, CORE)                                             \
    X(I64_TRUNC_F64_U, "i64.trunc_f64_u", PLAIN, 0xb1, NONE, F_I, 0, CORE)                                             \
    X(F32_CONVERT_I32_S, "f32.convert_i32_s", PLAIN, 0xb2, NONE, i_f, 0, CORE)                                         \
    X(F32_CONVERT_I32_U, "f32.convert_i32_u", PLAIN, 0xb3, NONE, i_f, 0, CORE)                                         \
    X(F32_CONVERT_I64_S, "f32.convert_i64_s", PLAIN, 0xb4, NONE, I_f, 0, CORE)                                         \
    X(F32_CONVERT_I64_U, "f32.convert_i64_u", PLAIN, 0xb5, NONE, I_f, 0, CORE)                                         \
    X(F32_DEMOTE_F64, "f32.demote_f64", PLAIN, 0xb6, NONE, F_f, 0, CORE)                                               \
    X(F64_CONVERT_I32_S, "f64.convert_i32_s", PLAIN, 0xb7, NONE, i_F, 0, CORE)                                         \
    X(F64_CONVERT_I32_U, "f64.convert_i32_u", PLAIN, 0xb8, NONE, i_F, 0, CORE)                                         \
    X(F64_CONVERT_I64_S, "f64.convert_i64_s", PLAIN, 0xb9, NONE, I_F, 0, CORE)                                         \
    X(F64_CONVERT_I64_U, "f64.convert_i64_u", PLAIN, 0xba, NONE, I_F, 0, CORE)                                         \
    X(F64_PROMOTE_F32, "f64.promote_f32", PLAIN, 0xbb, NONE, f_F, 0, CORE)                                             \
    X(I32_REINTERPRET_F32, "i32.reinterpret_f32", PLAIN, 0xbc, NONE, f_i, 0, CORE)                                     \
    X(I64_REINTERPRET_F64, "i64.reinterpret_f64", PLAIN, 0xbd, NONE, F_I, 0, CORE)                                     \
    X(F32_REINTERPRET_I32, "f32.reinterpret_i32", PLAIN, 0xbe, NONE, i_f, 0, CORE)                                     \
    X(F64_REINTERPRET_I64, "f64.reinterpret_i64", PLAIN, 0xbf, NONE, I_F, 0, CORE)                                     \
    X(I32_EXTEND8_S, "i32.extend8_s", PLAIN, 0xc0, NONE, i_i, 0, CORE)                                                 \
    X(I32_EXTEND16_S, "i32.extend16_s", PLAIN, 0xc1, NONE, i_i, 0, CORE)                                               \
    X(I64_EXTEND8_S, "i64.extend8_s", PLAIN, 0xc2, NONE, I_I, 0, CORE)                                                 \
    X(I64_EXTEND16_S, "i64.extend16_s", PLAIN, 0xc3, NONE, I_I, 0, CORE)                                               \
    X(I64_EXTEND32_S, "i64.extend32_s", PLAIN, 0xc4, NONE, I_I, 0, CORE)                                               \
    X(REF_NULL, "ref.null", PLAIN, 0xd0, HEAP, special, 0, CORE)                                                       \
    X(REF_IS_NULL, "ref.is_null", PLAIN, 0xd1, NONE, special, 0, CORE)                                                 \
    X(REF_FUNC, "ref.func", PLAIN, 0xd2, FUNC, special, 0, CORE)                                                       \
    X(REF_EQ, "ref.eq", PLAIN, 0xd3, NONE, special, 0, GC)                                                             \
    X(REF_AS_NON_NULL, "ref.as_non_null", PLAIN, 0xd4, NONE, special, 0, FUNCTION_REFERENCES)                          \
    X(BR_ON_NULL, "br_on_null", PLAIN, 0xd5, LABEL, special, 0, FUNCTION_REFERENCES)                                   \
    X(BR_ON_NON_NULL, "br_on_non_null", PLAIN, 0xd6, LABEL, special, 0, FUNCTION_REFERENCES)

#define OPCODES_GC(X)                                                                                                  \
    X(STRUCT_NEW, "struct.new", GC, 0x00, TYPE, special, 0, GC)                                                        \
    X(STRUCT_NEW_DEFAULT, "struct.new_default", GC, 0x01, TYPE, special, 0, GC)                                        \
    X(STRUCT_GET, "struct.get", GC, 0x02, TYPE_FIELD, special, 0, GC)                                                  \
    X(STRUCT_GET_S, "struct.get_s", GC, 0x03, TYPE_FIELD, special, 0, GC)                                              \
    X(STRUCT_GET_U, "struct.get_u", GC, 0x04, TYPE_FIELD, special, 0, GC)                                              \
    X(STRUCT_SET, "struct.set", GC, 0x05, TYPE_FIELD, special, 0, GC)                                                  \
    X(ARRAY_NEW, "array.new", GC, 0x06, TYPE, special, 0, GC)                                                          \
    X(ARRAY_NEW_DEFAULT, "array.new_default", GC, 0x07, TYPE, special, 0, GC)                                          \
    X(ARRAY_NEW_FIXED, "array.new_fixed", GC, 0x08, TYPE_COUNT, special, 0, GC)                                        \
    X(ARRAY_NEW_DATA, "array.new_data", GC, 0x09, TYPE_DATA, special, 0, GC)                                           \
    X(ARRAY_NEW_ELEM, "array.new_elem", GC, 0x0a, TYPE_ELEM, special, 0, GC)                                           \
    X(ARRAY_GET, "array.get", GC, 0x0b, TYPE, special, 0, GC)                                                          \
    X(ARRAY_GET_S, "array.get_s", GC, 0x0c, TYPE, special, 0, GC)                                                      \
    X(ARRAY_GET_U, "array.get_u", GC, 0x0d, TYPE, special, 0, GC)                                                      \
    X(ARRAY_SET, "array.set", GC, 0x0e, TYPE, special, 0, GC)                                                          \
    X(ARRAY_LEN, "array.len", GC, 0x0f, NONE, special, 0, GC)                                                          \
    X(ARRAY_FILL, "array.fill", GC, 0x10, TYPE, special, 0, GC)                                                        \
    X(ARRAY_COPY, "array.copy", GC, 0x11, TYPE_TYPE, special, 0, GC)                                                   \
    X(ARRAY_INIT_DATA, "array.init_data", GC, 0x12, TYPE_DATA, special, 0, GC)                                         \
    X(ARRAY_INIT_ELEM, "array.init_elem", GC, 0x13, TYPE_ELEM, special, 0, GC)                                         \
    X(REF_TEST, "ref.test", GC, 0x14, HEAP, special, 0, GC)                                                            \
    X(REF_TEST_NULL, "ref.test null", GC, 0x15, HEAP, special, 0, GC)                                                  \
    X(REF_CAST, "ref.cast", GC, 0x16, HEAP, special, 0, GC)                                                            \
    X(REF_CAST_NULL, "ref.cast null", GC, 0x17, HEAP, special, 0, GC)                                                  \
    X(BR_ON_CAST, "br_on_cast", GC, 0x18, CAST_BRANCH, special, 0, GC)                                                 \
    X(BR_ON_CAST_FAIL, "br_on_cast_fail", GC, 0x19, CAST_BRANCH, special, 0, GC)                                       \
    X(ANY_CONVERT_EXTERN, "any.convert_extern", GC, 0x1a, NONE, special, 0, GC)                                        \
    X(EXTERN_CONVERT_ANY, "extern.convert_any", GC, 0x1b, NONE, special, 0, GC)                                        \
    X(REF_I31, "ref.i31", GC, 0x1c, NONE, special, 0, GC)                                                              \
    X(I31_GET_S, "i31.get_s", GC, 0x1d, NONE, special, 0, GC)                                                          \
    X(I31_GET_U, "i31.get_u", GC, 0x1e, NONE, special, 0, GC)

#define OPCODES_MISC(X)                                                                                                \
    X(I32_TRUNC_SAT_F32_S, "i32.trunc_sat_f32_s", MISC, 0x00, NONE, f_i, 0, CORE)                                      \
    X(I32_TRUNC_SAT_F32_U, "i32.trunc_sat_f32_u", MISC, 0x01, NONE, f_i, 0, CORE)                                      \
    X(I32_TRUNC_SAT_F64_S, "i32.trunc_sat_f64_s", MISC, 0x02, NONE, F_i, 0, CORE)                                      \
    X(I32_TRUNC_SAT_F64_U, "i32.trunc_sat_f64_u", MISC, 0x03, NONE, F_i, 0, CORE)                                      \
    X(I64_TRUNC_SAT_F32_S, "i64.trunc_sat_f32_s", MISC, 0x04, NONE, f_I, 0, CORE)                                      \
    X(I64_TRUNC_SAT_F32_U, "i64.trunc_sat_f32_u", MISC, 0x05, NONE, f_I, 0, CORE)                                      \
    X(I64_TRUNC_SAT_F64_S, "i64.trunc_sat_f64_s", MISC, 0x06, NONE, F_I, 0, CORE)                                      \
    X(I64_TRUNC_SAT_F64_U, "i64.trunc_sat_f64_u", MISC, 0x07, NONE, F_I, 0, CORE)                                      \
    X(MEMORY_INIT, "memory.init", MISC, 0x08, DATA_MEMORY, special, 0, CORE)                                           \
    X(DATA_DROP, "data.drop", MISC, 0x09, DATA, _, 0, CORE)                                                            \
    X(MEMORY_COPY, "memory.copy", MISC, 0x0a, MEMORY_MEMORY, special, 0, CORE)                                         \
    X(MEMORY_FILL, "memory.fill", MISC, 0x0b, MEMORY, special, 0, CORE)                                                \
    X(TABLE_INIT, "table.init", MISC, 0x0c, ELEM_TABLE, special, 0, CORE)                                              \
    X(ELEM_DROP, "elem.drop", MISC, 0x0d, ELEM, _, 0, CORE)                                                            \
    X(TABLE_COPY, "table.copy", MISC, 0x0e, TABLE_TABLE, special, 0, CORE)                                             \
    X(TABLE_GROW, "table.grow", MISC, 0x0f, TABLE, special, 0, CORE)                                                   \
    X(TABLE_SIZE, "table.size", MISC, 0x10, TABLE, special, 0, CORE)                                                   \
    X(TABLE_FILL, "table.fill", MISC, 0x11, TABLE, special, 0, CORE)                                                   \
    X(I64_ADD128, "i64.add128", MISC, 0x13, NONE, IIII_II, 0, WIDE_ARITHMETIC)                                         \
    X(I64_SUB128, "i64.sub128", MISC, 0x14, NONE, IIII_II, 0, WIDE_ARITHMETIC)                                         \
    X(I64_MUL_WIDE_S, "i64.mul_wide_s", MISC, 0x15, NONE, II_II, 0, WIDE_ARITHMETIC)                                   \
    X(I64_MUL_WIDE_U, "i64.mul_wide_u", MISC, 0x16, NONE, II_II, 0, WIDE_ARITHMETIC)

#define OPCODES_VECTOR(X)                                                                                              \
    X(V128_LOAD, "v128.load", VECTOR, 0x00, MEMARG, a_v, 4, SIMD)                                                      \
    X(V128_LOAD8X8_S, "v128.load8x8_s", VECTOR, 0x01, MEMARG, a_v, 3, SIMD)                                            \
    X(V128_LOAD8X8_U, "v128.load8x8_u", VECTOR, 0x02, MEMARG, a_v, 3, SIMD)                                            \
    X(V128_LOAD16X4_S, "v128.load16x4_s", VECTOR, 0x03, MEMARG, a_v, 3, SIMD)                                          \
    X(V128_LOAD16X4_U, "v128.load16x4_u", VECTOR, 0x04, MEMARG, a_v, 3, SIMD)                                          \
    X(V128_LOAD32X2_S, "v128.load32x2_s", VECTOR, 0x05, MEMARG, a_v, 3, SIMD)                                          \
    X(V128_LOAD32X2_U, "v128.load32x2_u", VECTOR, 0x06, MEMARG, a_v, 3, SIMD)                                          \
    X(V128_LOAD8_SPLAT, "v128.load8_splat", VECTOR, 0x07, MEMARG, a_v, 0, SIMD)                                        \
    X(V128_LOAD16_SPLAT, "v128.load16_splat", VECTOR, 0x08, MEMARG, a_v, 1, SIMD)                                      \
    X(V128_LOAD32_SPLAT, "v128.load32_splat", VECTOR, 0x09, MEMARG, a_v, 2, SIMD)                                      \
    X(V128_LOAD64_SPLAT, "v128.load64_splat", VECTOR, 0x0a, MEMARG, a_v, 3, SIMD)                                      \
    X(V128_STORE, "v128.store", VECTOR, 0x0b, MEMARG, av_, 4, SIMD)                                                    \
    X(V128_CONST, "v128.const", VECTOR, 0x0c, V128, _v, 0, SIMD)                                                       \
    X(I8X16_SHUFFLE, "i8x16.shuffle", VECTOR, 0x0d, SHUFFLE, vv_v, 0, SIMD)                                            \
    X(I8X16_SWIZZLE, "i8x16.swizzle", VECTOR, 0x0e, NONE, vv_v, 0, SIMD)                                               \
    X(I8X16_SPLAT, "i8x16.splat", VECTOR, 0x0f, NONE, i_v, 0, SIMD)                                                    \
    X(I16X8_SPLAT, "i16x8.splat", VECTOR, 0x10, NONE, i_v, 0, SIMD)                                                    \
    X(I32X4_SPLAT, "i32x4.splat", VECTOR, 0x11, NONE, i_v, 0, SIMD)                                                    \
    X(I64X2_SPLAT, "i64x2.splat", VECTOR, 0x12, NONE, I_v, 0, SIMD)                                                    \
    X(F32X4_SPLAT, "f32x4.splat", VECTOR, 0x13, NONE, f_v, 0, SIMD)                                                    \
    X(F64X2_SPLAT, "f64x2.splat", VECTOR, 0x14, NONE, F_v, 0, SIMD)                                                    \
    X(I8X16_EXTRACT_LANE_S, "i8x16.extract_lane_s", VECTOR, 0x15, LANE, v_i, 0, SIMD)                                  \
    X(I8X16_EXTRACT_LANE_U, "i8x16.extract_lane_u", VECTOR, 0x16, LANE, v_i, 0, SIMD)                                  \
    X(I8X16_REPLACE_LANE, "i8x16.replace_lane", VECTOR, 0x17, LANE, vi_v, 0, SIMD)                                     \
    X(I16X8_EXTRACT_LANE_S, "i16x8.extract_lane_s", VECTOR, 0x18, LANE, v_i, 1, SIMD)                                  \
    X(I16X8_EXTRACT_LANE_U, "i16x8.extract_lane_u", VECTOR, 0x19, LANE, v_i, 1, SIMD)                                  \
    X(I16X8_REPLACE_LANE, "i16x8.replace_lane", VECTOR, 0x1a, LANE, vi_v, 1, SIMD)                                     \
    X(I32X4_EXTRACT_LANE, "i32x4.extract_lane", VECTOR, 0x1b, LANE, v_i, 2, SIMD)                                      \
    X(I32X4_REPLACE_LANE, "i32x4.replace_lane", VECTOR, 0x1c, LANE, vi_v, 2, SIMD)                                     \
    X(I64X2_EXTRACT_LANE, "i64x2.extract_lane", VECTOR, 0x1d, LANE, v_I, 3, SIMD)                                      \
    X(I64X2_REPLACE_LANE, "i64x2.replace_lane", VECTOR, 0x1e, LANE, vI_v, 3, SIMD)                                     \
    X(F32X4_EXTRACT_LANE, "f32x4.extract_lane", VECTOR, 0x1f, LANE, v_f, 2, SIMD)                                      \
    X(F32X4_REPLACE_LANE, "f32x4.replace_lane", VECTOR, 0x20, LANE, vf_v, 2, SIMD)                                     \
    X(F64X2_EXTRACT_LANE, "f64x2.extract_lane", VECTOR, 0x21, LANE, v_F, 3, SIMD)                                      \
    X(F64X2_REPLACE_LANE, "f64x2.replace_lane", VECTOR, 0x22, LANE, vF_v, 3, SIMD)                                     \
    X(I8X16_EQ, "i8x16.eq", VECTOR, 0x23, NONE, vv_v, 0, SIMD)                                                         \
    X(I8X16_NE, "i8x16.ne", VECTOR, 0x24, NONE, vv_v, 0, SIMD)                                                         \
    X(I8X16_LT_S, "i8x16.lt_s", VECTOR, 0x25, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_LT_U, "i8x16.lt_u", VECTOR, 0x26, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_GT_S, "i8x16.gt_s", VECTOR, 0x27, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_GT_U, "i8x16.gt_u", VECTOR, 0x28, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_LE_S, "i8x16.le_s", VECTOR, 0x29, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_LE_U, "i8x16.le_u", VECTOR, 0x2a, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_GE_S, "i8x16.ge_s", VECTOR, 0x2b, NONE, vv_v, 0, SIMD)                                                     \
    X(I8X16_GE_U, "i8x16.ge_u", VECTOR, 0x2c, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_EQ, "i16x8.eq", VECTOR, 0x2d, NONE, vv_v, 0, SIMD)                                                         \
    X(I16X8_NE, "i16x8.ne", VECTOR, 0x2e, NONE, vv_v, 0, SIMD)                                                         \
    X(I16X8_LT_S, "i16x8.lt_s", VECTOR, 0x2f, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_LT_U, "i16x8.lt_u", VECTOR, 0x30, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_GT_S, "i16x8.gt_s", VECTOR, 0x31, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_GT_U, "i16x8.gt_u", VECTOR, 0x32, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_LE_S, "i16x8.le_s", VECTOR, 0x33, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_LE_U, "i16x8.le_u", VECTOR, 0x34, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_GE_S, "i16x8.ge_s", VECTOR, 0x35, NONE, vv_v, 0, SIMD)                                                     \
    X(I16X8_GE_U, "i16x8.ge_u", VECTOR, 0x36, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_EQ, "i32x4.eq", VECTOR, 0x37, NONE, vv_v, 0, SIMD)                                                         \
    X(I32X4_NE, "i32x4.ne", VECTOR, 0x38, NONE, vv_v, 0, SIMD)                                                         \
    X(I32X4_LT_S, "i32x4.lt_s", VECTOR, 0x39, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_LT_U, "i32x4.lt_u", VECTOR, 0x3a, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_GT_S, "i32x4.gt_s", VECTOR, 0x3b, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_GT_U, "i32x4.gt_u", VECTOR, 0x3c, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_LE_S, "i32x4.le_s", VECTOR, 0x3d, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_LE_U, "i32x4.le_u", VECTOR, 0x3e, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_GE_S, "i32x4.ge_s", VECTOR, 0x3f, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_GE_U, "i32x4.ge_u", VECTOR, 0x40, NONE, vv_v, 0, SIMD)                                                     \
    X(F32X4_EQ, "f32x4.eq", VECTOR, 0x41, NONE, vv_v, 0, SIMD)                                                         \
    X(F32X4_NE, "f32x4.ne", VECTOR, 0x42, NONE, vv_v, 0, SIMD)                                                         \
    X(F32X4_LT, "f32x4.lt", VECTOR, 0x43, NONE, vv_v, 0, SIMD)                                                         \
    X(F32X4_GT, "f32x4.gt", VECTOR, 0x44, NONE, vv_v, 0, SIMD)                                                         \
    X(F32X4_LE, "f32x4.le", VECTOR, 0x45, NONE, vv_v, 0, SIMD)                                                         \
    X(F32X4_GE, "f32x4.ge", VECTOR, 0x46, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_EQ, "f64x2.eq", VECTOR, 0x47, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_NE, "f64x2.ne", VECTOR, 0x48, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_LT, "f64x2.lt", VECTOR, 0x49, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_GT, "f64x2.gt", VECTOR, 0x4a, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_LE, "f64x2.le", VECTOR, 0x4b, NONE, vv_v, 0, SIMD)                                                         \
    X(F64X2_GE, "f64x2.ge", VECTOR, 0x4c, NONE, vv_v, 0, SIMD)                                                         \
    X(V128_NOT, "v128.not", VECTOR, 0x4d, NONE, v_v, 0, SIMD)                                                          \
    X(V128_AND, "v128.and", VECTOR, 0x4e, NONE, vv_v, 0, SIMD)                                                         \
    X(V128_ANDNOT, "v128.andnot", VECTOR, 0x4f, NONE, vv_v, 0, SIMD)                                                   \
    X(V128_OR, "v128.or", VECTOR, 0x50, NONE, vv_v, 0, SIMD)                                                           \
    X(V128_XOR, "v128.xor", VECTOR, 0x51, NONE, vv_v, 0, SIMD)                                                         \
    X(V128_BITSELECT, "v128.bitselect", VECTOR, 0x52, NONE, vvv_v, 0, SIMD)                                            \
    X(V128_ANY_TRUE, "v128.any_true", VECTOR, 0x53, NONE, v_i, 0, SIMD)                                                \
    X(V128_LOAD8_LANE, "v128.load8_lane", VECTOR, 0x54, MEMARG_LANE, av_v, 0, SIMD)                                    \
    X(V128_LOAD16_LANE, "v128.load16_lane", VECTOR, 0x55, MEMARG_LANE, av_v, 1, SIMD)                                  \
    X(V128_LOAD32_LANE, "v128.load32_lane", VECTOR, 0x56, MEMARG_LANE, av_v, 2, SIMD)                                  \
    X(V128_LOAD64_LANE, "v128.load64_lane", VECTOR, 0x57, MEMARG_LANE, av_v, 3, SIMD)                                  \
    X(V128_STORE8_LANE, "v128.store8_lane", VECTOR, 0x58, MEMARG_LANE, av_, 0, SIMD)                                   \
    X(V128_STORE16_LANE, "v128.store16_lane", VECTOR, 0x59, MEMARG_LANE, av_, 1, SIMD)                                 \
    X(V128_STORE32_LANE, "v128.store32_lane", VECTOR, 0x5a, MEMARG_LANE, av_, 2, SIMD)                                 \
    X(V128_STORE64_LANE, "v128.store64_lane", VECTOR, 0x5b, MEMARG_LANE, av_, 3, SIMD)                                 \
    X(V128_LOAD32_ZERO, "v128.load32_zero", VECTOR, 0x5c, MEMARG, a_v, 2, SIMD)                                        \
    X(V128_LOAD64_ZERO, "v128.load64_zero", VECTOR, 0x5d, MEMARG, a_v, 3, SIMD)                                        \
    X(F32X4_DEMOTE_F64X2_ZERO, "f32x4.demote_f64x2_zero", VECTOR, 0x5e, NONE, v_v, 0, SIMD)                            \
    X(F64X2_PROMOTE_LOW_F32X4, "f64x2.promote_low_f32x4", VECTOR, 0x5f, NONE, v_v, 0, SIMD)                            \
    X(I8X16_ABS, "i8x16.abs", VECTOR, 0x60, NONE, v_v, 0, SIMD)                                                        \
    X(I8X16_NEG, "i8x16.neg", VECTOR, 0x61, NONE, v_v, 0, SIMD)                                                        \
    X(I8X16_POPCNT, "i8x16.popcnt", VECTOR, 0x62, NONE, v_v, 0, SIMD)                                                  \
    X(I8X16_ALL_TRUE, "i8x16.all_true", VECTOR, 0x63, NONE, v_i, 0, SIMD)                                              \
    X(I8X16_BITMASK, "i8x16.bitmask", VECTOR, 0x64, NONE, v_i, 0, SIMD)                                                \
    X(I8X16_NARROW_I16X8_S, "i8x16.narrow_i16x8_s", VECTOR, 0x65, NONE, vv_v, 0, SIMD)                                 \
    X(I8X16_NARROW_I16X8_U, "i8x16.narrow_i16x8_u", VECTOR, 0x66, NONE, vv_v, 0, SIMD)                                 \
    X(F32X4_CEIL, "f32x4.ceil", VECTOR, 0x67, NONE, v_v, 0, SIMD)                                                      \
    X(F32X4_FLOOR, "f32x4.floor", VECTOR, 0x68, NONE, v_v, 0, SIMD)                                                    \
    X(F32X4_TRUNC, "f32x4.trunc", VECTOR, 0x69, NONE, v_v, 0, SIMD)                                                    \
    X(F32X4_NEAREST, "f32x4.nearest", VECTOR, 0x6a, NONE, v_v, 0, SIMD)                                                \
    X(I8X16_SHL, "i8x16.shl", VECTOR, 0x6b, NONE, vi_v, 0, SIMD)                                                       \
    X(I8X16_SHR_S, "i8x16.shr_s", VECTOR, 0x6c, NONE, vi_v, 0, SIMD)                                                   \
    X(I8X16_SHR_U, "i8x16.shr_u", VECTOR, 0x6d, NONE, vi_v, 0, SIMD)                                                   \
    X(I8X16_ADD, "i8x16.add", VECTOR, 0x6e, NONE, vv_v, 0, SIMD)                                                       \
    X(I8X16_ADD_SAT_S, "i8x16.add_sat_s", VECTOR, 0x6f, NONE, vv_v, 0, SIMD)                                           \
    X(I8X16_ADD_SAT_U, "i8x16.add_sat_u", VECTOR, 0x70, NONE, vv_v, 0, SIMD)                                           \
    X(I8X16_SUB, "i8x16.sub", VECTOR, 0x71, NONE, vv_v, 0, SIMD)                                                       \
    X(I8X16_SUB_SAT_S, "i8x16.sub_sat_s", VECTOR, 0x72, NONE, vv_v, 0, SIMD)                                           \
    X(I8X16_SUB_SAT_U, "i8x16.sub_sat_u", VECTOR, 0x73, NONE, vv_v, 0, SIMD)                                           \
    X(F64X2_CEIL, "f64x2.ceil", VECTOR, 0x74, NONE, v_v, 0, SIMD)                                                      \
    X(F64X2_FLOOR, "f64x2.floor", VECTOR, 0x75, NONE, v_v, 0, SIMD)                                                    \
    X(I8X16_MIN_S, "i8x16.min_s", VECTOR, 0x76, NONE, vv_v, 0, SIMD)                                                   \
    X(I8X16_MIN_U, "i8x16.min_u", VECTOR, 0x77, NONE, vv_v, 0, SIMD)                                                   \
    X(I8X16_MAX_S, "i8x16.max_s", VECTOR, 0x78, NONE, vv_v, 0, SIMD)                                                   \
    X(I8X16_MAX_U, "i8x16.max_u", VECTOR, 0x79, NONE, vv_v, 0, SIMD)                                                   \
    X(F64X2_TRUNC, "f64x2.trunc", VECTOR, 0x7a, NONE, v_v, 0, SIMD)                                                    \
    X(I8X16_AVGR_U, "i8x16.avgr_u", VECTOR, 0x7b, NONE, vv_v, 0, SIMD)                                                 \
    X(I16X8_EXTADD_PAIRWISE_I8X16_S, "i16x8.extadd_pairwise_i8x16_s", VECTOR, 0x7c, NONE, v_v, 0, SIMD)                \
    X(I16X8_EXTADD_PAIRWISE_I8X16_U, "i16x8.extadd_pairwise_i8x16_u", VECTOR, 0x7d, NONE, v_v, 0, SIMD)                \
    X(I32X4_EXTADD_PAIRWISE_I16X8_S, "i32x4.extadd_pairwise_i16x8_s", VECTOR, 0x7e, NONE, v_v, 0, SIMD)                \
    X(I32X4_EXTADD_PAIRWISE_I16X8_U, "i32x4.extadd_pairwise_i16x8_u", VECTOR, 0x7f, NONE, v_v, 0, SIMD)                \
    X(I16X8_ABS, "i16x8.abs", VECTOR, 0x80, NONE, v_v, 0, SIMD)                                                        \
    X(I16X8_NEG, "i16x8.neg", VECTOR, 0x81, NONE, v_v, 0, SIMD)                                                        \
    X(I16X8_Q15MULR_SAT_S, "i16x8.q15mulr_sat_s", VECTOR, 0x82, NONE, vv_v, 0, SIMD)                                   \
    X(I16X8_ALL_TRUE, "i16x8.all_true", VECTOR, 0x83, NONE, v_i, 0, SIMD)                                              \
    X(I16X8_BITMASK, "i16x8.bitmask", VECTOR, 0x84, NONE, v_i, 0, SIMD)                                                \
    X(I16X8_NARROW_I32X4_S, "i16x8.narrow_i32x4_s", VECTOR, 0x85, NONE, vv_v, 0, SIMD)                                 \
    X(I16X8_NARROW_I32X4_U, "i16x8.narrow_i32x4_u", VECTOR, 0x86, NONE, vv_v, 0, SIMD)                                 \
    X(I16X8_EXTEND_LOW_I8X16_S, "i16x8.extend_low_i8x16_s", VECTOR, 0x87, NONE, v_v, 0, SIMD)                          \
    X(I16X8_EXTEND_HIGH_I8X16_S, "i16x8.extend_high_i8x16_s", VECTOR, 0x88, NONE, v_v, 0, SIMD)                        \
    X(I16X8_EXTEND_LOW_I8X16_U, "i16x8.extend_low_i8x16_u", VECTOR, 0x89, NONE, v_v, 0, SIMD)                          \
    X(I16X8_EXTEND_HIGH_I8X16_U, "i16x8.extend_high_i8x16_u", VECTOR, 0x8a, NONE, v_v, 0, SIMD)                        \
    X(I16X8_SHL, "i16x8.shl", VECTOR, 0x8b, NONE, vi_v, 0, SIMD)                                                       \
    X(I16X8_SHR_S, "i16x8.shr_s", VECTOR, 0x8c, NONE, vi_v, 0, SIMD)                                                   \
    X(I16X8_SHR_U, "i16x8.shr_u", VECTOR, 0x8d, NONE, vi_v, 0, SIMD)                                                   \
    X(I16X8_ADD, "i16x8.add", VECTOR, 0x8e, NONE, vv_v, 0, SIMD)                                                       \
    X(I16X8_ADD_SAT_S, "i16x8.add_sat_s", VECTOR, 0x8f, NONE, vv_v, 0, SIMD)                                           \
    X(I16X8_ADD_SAT_U, "i16x8.add_sat_u", VECTOR, 0x90, NONE, vv_v, 0, SIMD)                                           \
    X(I16X8_SUB, "i16x8.sub", VECTOR, 0x91, NONE, vv_v, 0, SIMD)                                                       \
    X(I16X8_SUB_SAT_S, "i16x8.sub_sat_s", VECTOR, 0x92, NONE, vv_v, 0, SIMD)                                           \
    X(I16X8_SUB_SAT_U, "i16x8.sub_sat_u", VECTOR, 0x93, NONE, vv_v, 0, SIMD)                                           \
    X(F64X2_NEAREST, "f64x2.nearest", VECTOR, 0x94, NONE, v_v, 0, SIMD)                                                \
    X(I16X8_MUL, "i16x8.mul", VECTOR, 0x95, NONE, vv_v, 0, SIMD)                                                       \
    X(I16X8_MIN_S, "i16x8.min_s", VECTOR, 0x96, NONE, vv_v, 0, SIMD)                                                   \
    X(I16X8_MIN_U, "i16x8.min_u", VECTOR, 0x97, NONE, vv_v, 0, SIMD)                                                   \
    X(I16X8_MAX_S, "i16x8.max_s", VECTOR, 0x98, NONE, vv_v, 0, SIMD)                                                   \
    X(I16X8_MAX_U, "i16x8.max_u", VECTOR, 0x99, NONE, vv_v, 0, SIMD)                                                   \
    X(I16X8_AVGR_U, "i16x8.avgr_u", VECTOR, 0x9b, NONE, vv_v, 0, SIMD)                                                 \
    X(I16X8_EXTMUL_LOW_I8X16_S, "i16x8.extmul_low_i8x16_s", VECTOR, 0x9c, NONE, vv_v, 0, SIMD)                         \
    X(I16X8_EXTMUL_HIGH_I8X16_S, "i16x8.extmul_high_i8x16_s", VECTOR, 0x9d, NONE, vv_v, 0, SIMD)                       \
    X(I16X8_EXTMUL_LOW_I8X16_U, "i16x8.extmul_low_i8x16_u", VECTOR, 0x9e, NONE, vv_v, 0, SIMD)                         \
    X(I16X8_EXTMUL_HIGH_I8X16_U, "i16x8.extmul_high_i8x16_u", VECTOR, 0x9f, NONE, vv_v, 0, SIMD)                       \
    X(I32X4_ABS, "i32x4.abs", VECTOR, 0xa0, NONE, v_v, 0, SIMD)                                                        \
    X(I32X4_NEG, "i32x4.neg", VECTOR, 0xa1, NONE, v_v, 0, SIMD)                                                        \
    X(I32X4_ALL_TRUE, "i32x4.all_true", VECTOR, 0xa3, NONE, v_i, 0, SIMD)                                              \
    X(I32X4_BITMASK, "i32x4.bitmask", VECTOR, 0xa4, NONE, v_i, 0, SIMD)                                                \
    X(I32X4_EXTEND_LOW_I16X8_S, "i32x4.extend_low_i16x8_s", VECTOR, 0xa7, NONE, v_v, 0, SIMD)                          \
    X(I32X4_EXTEND_HIGH_I16X8_S, "i32x4.extend_high_i16x8_s", VECTOR, 0xa8, NONE, v_v, 0, SIMD)                        \
    X(I32X4_EXTEND_LOW_I16X8_U, "i32x4.extend_low_i16x8_u", VECTOR, 0xa9, NONE, v_v, 0, SIMD)                          \
    X(I32X4_EXTEND_HIGH_I16X8_U, "i32x4.extend_high_i16x8_u", VECTOR, 0xaa, NONE, v_v, 0, SIMD)                        \
    X(I32X4_SHL, "i32x4.shl", VECTOR, 0xab, NONE, vi_v, 0, SIMD)                                                       \
    X(I32X4_SHR_S, "i32x4.shr_s", VECTOR, 0xac, NONE, vi_v, 0, SIMD)                                                   \
    X(I32X4_SHR_U, "i32x4.shr_u", VECTOR, 0xad, NONE, vi_v, 0, SIMD)                                                   \
    X(I32X4_ADD, "i32x4.add", VECTOR, 0xae, NONE, vv_v, 0, SIMD)                                                       \
    X(I32X4_SUB, "i32x4.sub", VECTOR, 0xb1, NONE, vv_v, 0, SIMD)                                                       \
    X(I32X4_MUL, "i32x4.mul", VECTOR, 0xb5, NONE, vv_v, 0, SIMD)                                                       \
    X(I32X4_MIN_S, "i32x4.min_s", VECTOR, 0xb6, NONE, vv_v, 0, SIMD)                                                   \
    X(I32X4_MIN_U, "i32x4.min_u", VECTOR, 0xb7, NONE, vv_v, 0, SIMD)                                                   \
    X(I32X4_MAX_S, "i32x4.max_s", VECTOR, 0xb8, NONE, vv_v, 0, SIMD)                                                   \
    X(I32X4_MAX_U, "i32x4.max_u", VECTOR, 0xb9, NONE, vv_v, 0, SIMD)                                                   \
    X(I32X4_DOT_I16X8_S, "i32x4.dot_i16x8_s", VECTOR, 0xba, NONE, vv_v, 0, SIMD)                                       \
    X(I32X4_EXTMUL_LOW_I16X8_S, "i32x4.extmul_low_i16x8_s", VECTOR, 0xbc, NONE, vv_v, 0, SIMD)                         \
    X(I32X4_EXTMUL_HIGH_I16X8_S, "i32x4.extmul_high_i16x8_s", VECTOR, 0xbd, NONE, vv_v, 0, SIMD)                       \
    X(I32X4_EXTMUL_LOW_I16X8_U, "i32x4.extmul_low_i16x8_u", VECTOR, 0xbe, NONE, vv_v, 0, SIMD)                         \
    X(I32X4_EXTMUL_HIGH_I16X8_U, "i32x4.extmul_high_i16x8_u", VECTOR, 0xbf, NONE, vv_v, 0, SIMD)                       \
    X(I64X2_ABS, "i64x2.abs", VECTOR, 0xc0, NONE, v_v, 0, SIMD)                                                        \
    X(I64X2_NEG, "i64x2.neg", VECTOR, 0xc1, NONE, v_v, 0, SIMD)                                                        \
    X(I64X2_ALL_TRUE, "i64x2.all_true", VECTOR, 0xc3, NONE, v_i, 0, SIMD)                                              \
    X(I64X2_BITMASK, "i64x2.bitmask", VECTOR, 0xc4, NONE, v_i, 0, SIMD)                                                \
    X(I64X2_EXTEND_LOW_I32X4_S, "i64x2.extend_low_i32x4_s", VECTOR, 0xc7, NONE, v_v, 0, SIMD)                          \
    X(I64X2_EXTEND_HIGH_I32X4_S, "i64x2.extend_high_i32x4_s", VECTOR, 0xc8, NONE, v_v, 0, SIMD)                        \
    X(I64X2_EXTEND_LOW_I32X4_U, "i64x2.extend_low_i32x4_u", VECTOR, 0xc9, NONE, v_v, 0, SIMD)                          \
    X(I64X2_EXTEND_HIGH_I32X4_U, "i64x2.extend_high_i32x4_u", VECTOR, 0xca, NONE, v_v, 0, SIMD)                        \
    X(I64X2_SHL, "i64x2.shl", VECTOR, 0xcb, NONE, vi_v, 0, SIMD)                                                       \
    X(I64X2_SHR_S, "i64x2.shr_s", VECTOR, 0xcc, NONE, vi_v, 0, SIMD)                                                   \
    X(I64X2_SHR_U, "i64x2.shr_u", VECTOR, 0xcd, NONE, vi_v, 0, SIMD)                                                   \
    X(I64X2_ADD, "i64x2.add", VECTOR, 0xce, NONE, vv_v, 0, SIMD)                                                       \
    X(I64X2_SUB, "i64x2.sub", VECTOR, 0xd1, NONE, vv_v, 0, SIMD)                                                       \
    X(I64X2_MUL, "i64x2.mul", VECTOR, 0xd5, NONE, vv_v, 0, SIMD)                                                       \
    X(I64X2_EQ, "i64x2.eq", VECTOR, 0xd6, NONE, vv_v, 0, SIMD)                                                         \
    X(I64X2_NE, "i64x2.ne", VECTOR, 0xd7, NONE, vv_v, 0, SIMD)                                                         \
    X(I64X2_LT_S, "i64x2.lt_s", VECTOR, 0xd8, NONE, vv_v, 0, SIMD)                                                     \
    X(I64X2_GT_S, "i64x2.gt_s", VECTOR, 0xd9, NONE, vv_v, 0, SIMD)                                                     \
    X(I64X2_LE_S, "i64x2.le_s", VECTOR, 0xda, NONE, vv_v, 0, SIMD)                                                     \
    X(I64X2_GE_S, "i64x2.ge_s", VECTOR, 0xdb, NONE, vv_v, 0, SIMD)                                                     \
    X(I64X2_EXTMUL_LOW_I32X4_S, "i64x2.extmul_low_i32x4_s", VECTOR, 0xdc, NONE, vv_v, 0, SIMD)                         \
    X(I64X2_EXTMUL_HIGH_I32X4_S, "i64x2.extmul_high_i32x4_s", VECTOR, 0xdd, NONE, vv_v, 0, SIMD)                       \
    X(I64X2_EXTMUL_LOW_I32X4_U, "i64x2.extmul_low_i32x4_u", VECTOR, 0xde, NONE, vv_v, 0, SIMD)                         \
    X(I64X2_EXTMUL_HIGH_I32X4_U, "i64x2.extmul_high_i32x4_u", VECTOR, 0xdf, NONE, vv_v, 0, SIMD)                       \
    X(F32X4_ABS, "f32x4.abs", VECTOR, 0xe0, NONE, v_v, 0, SIMD)                                                        \
    X(F32X4_NEG, "f32x4.neg", VECTOR, 0xe1, NONE, v_v, 0, SIMD)                                                        \
    X(F32X4_SQRT, "f32x4.sqrt", VECTOR, 0xe3, NONE, v_v, 0, SIMD)                                                      \
    X(F32X4_ADD, "f32x4.add", VECTOR, 0xe4, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_SUB, "f32x4.sub", VECTOR, 0xe5, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_MUL, "f32x4.mul", VECTOR, 0xe6, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_DIV, "f32x4.div", VECTOR, 0xe7, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_MIN, "f32x4.min", VECTOR, 0xe8, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_MAX, "f32x4.max", VECTOR, 0xe9, NONE, vv_v, 0, SIMD)                                                       \
    X(F32X4_PMIN, "f32x4.pmin", VECTOR, 0xea, NONE, vv_v, 0, SIMD)                                                     \
    X(F32X4_PMAX, "f32x4.pmax", VECTOR, 0xeb, NONE, vv_v, 0, SIMD)                                                     \
    X(F64X2_ABS, "f64x2.abs", VECTOR, 0xec, NONE, v_v, 0, SIMD)                                                        \
    X(F64X2_NEG, "f64x2.neg", VECTOR, 0xed, NONE, v_v, 0, SIMD)                                                        \
    X(F64X2_SQRT, "f64x2.sqrt", VECTOR, 0xef, NONE, v_v, 0, SIMD)                                                      \
    X(F64X2_ADD, "f64x2.add", VECTOR, 0xf0, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_SUB, "f64x2.sub", VECTOR, 0xf1, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_MUL, "f64x2.mul", VECTOR, 0xf2, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_DIV, "f64x2.div", VECTOR, 0xf3, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_MIN, "f64x2.min", VECTOR, 0xf4, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_MAX, "f64x2.max", VECTOR, 0xf5, NONE, vv_v, 0, SIMD)                                                       \
    X(F64X2_PMIN, "f64x2.pmin", VECTOR, 0xf6, NONE, vv_v, 0, SIMD)                                                     \
    X(F64X2_PMAX, "f64x2.pmax", VECTOR, 0xf7, NONE, vv_v, 0, SIMD)                                                     \
    X(I32X4_TRUNC_SAT_F32X4_S, "i32x4.trunc_sat_f32x4_s", VECTOR, 0xf8, NONE, v_v, 0, SIMD)                            \
    X(I32X4_TRUNC_SAT_F32X4_U, "i32x4.trunc_sat_f32x4_u", VECTOR, 0xf9, NONE, v_v, 0, SIMD)                            \
    X(F32X4_CONVERT_I32X4_S, "f32x4.convert_i32x4_s", VECTOR, 0xfa, NONE, v_v, 0, SIMD)                                \
    X(F32X4_CONVERT_I32X4_U, "f32x4.convert_i32x4_u", VECTOR, 0xfb, NONE, v_v, 0, SIMD)                                \
    X(I32X4_TRUNC_SAT_F64X2_S_ZERO, "i32x4.trunc_sat_f64x2_s_zero", VECTOR, 0xfc, NONE, v_v, 0, SIMD)                  \
    X(I32X4_TRUNC_SAT_F64X2_U_ZERO, "i32x4.trunc_sat_f64x2_u_zero", VECTOR, 0xfd, NONE, v_v, 0, SIMD)                  \
    X(F64X2_CONVERT_LOW_I32X4_S, "f64x2.convert_low_i32x4_s", VECTOR, 0xfe, NONE, v_v, 0, SIMD)                        \
    X(F64X2_CONVERT_LOW_I32X4_U, "f64x2.convert_low_i32x4_u", VECTOR, 0xff, NONE, v_v, 0, SIMD)                        \
    X(I8X16_RELAXED_SWIZZLE, "i8x16.relaxed_swizzle", VECTOR, 0x100, NONE, vv_v, 0, RELAXED_SIMD)                      \
    X(I32X4_RELAXED_TRUNC_F32X4_S, "i32x4.relaxed_trunc_f32x4_s", VECTOR, 0x101, NONE, v_v, 0, RELAXED_SIMD)           \
    X(I32X4_RELAXED_TRUNC_F32X4_U, "i32x4.relaxed_trunc_f32x4_u", VECTOR, 0x102, NONE, v_v, 0, RELAXED_SIMD)           \
    X(I32X4_RELAXED_TRUNC_F64X2_S_ZERO, "i32x4.relaxed_trunc_f64x2_s_zero", VECTOR, 0x103, NONE, v_v, 0, RELAXED_SIMD) \
    X(I32X4_RELAXED_TRUNC_F64X2_U_ZERO, "i32x4.relaxed_trunc_f64x2_u_zero", VECTOR, 0x104, NONE, v_v, 0, RELAXED_SIMD) \
    X(F32X4_RELAXED_MADD, "f32x4.relaxed_madd", VECTOR, 0x105, NONE, vvv_v, 0, RELAXED_SIMD)                           \
    X(F32X4_RELAXED_NMADD, "f32x4.relaxed_nmadd", VECTOR, 0x106, NONE, vvv_v, 0, RELAXED_SIMD)                         \
    X(F64X2_RELAXED_MADD, "f64x2.relaxed_madd", VECTOR, 0x107, NONE, vvv_v, 0, RELAXED_SIMD)                           \
    X(F64X2_RELAXED_NMADD, "f64x2.relaxed_nmadd", VECTOR, 0x108, NONE, vvv_v, 0, RELAXED_SIMD)                         \
    X(I8X16_RELAXED_LANESELECT, "i8x16.relaxed_laneselect", VECTOR, 0x109, NONE, vvv_v, 0, RELAXED_SIMD)               \
    X(I16X8_RELAXED_LANESELECT, "i16x8.relaxed_laneselect", VECTOR, 0x10a, NONE, vvv_v, 0, RELAXED_SIMD)               \
    X(I32X4_RELAXED_LANESELECT, "i32x4.relaxed_laneselect", VECTOR, 0x10b, NONE, vvv_v, 0, RELAXED_SIMD)               \
    X(I64X2_RELAXED_LANESELECT, "i64x2.relaxed_laneselect", VECTOR, 0x10c, NONE, vvv_v, 0, RELAXED_SIMD)               \
    X(F32X4_RELAXED_MIN, "f32x4.relaxed_min", VECTOR, 0x10d, NONE, vv_v, 0, RELAXED_SIMD)                              \
    X(F32X4_RELAXED_MAX, "f32x4.relaxed_max", VECTOR, 0x10e, NONE, vv_v, 0, RELAXED_SIMD)                              \
    X(F64X2_RELAXED_MIN, "f64x2.relaxed_min", VECTOR, 0x10f, NONE, vv_v, 0, RELAXED_SIMD)                              \
    X(F64X2_RELAXED_MAX, "f64x2.relaxed_max", VECTOR, 0x110, NONE, vv_v, 0, RELAXED_SIMD)                              \
    X(I16X8_RELAXED_Q15MULR_S, "i16x8.relaxed_q15mulr_s", VECTOR, 0x111, NONE, vv_v, 0, RELAXED_SIMD)                  \
    X(I16X8_RELAXED_DOT_I8X16_I7X16_S, "i16x8.relaxed_dot_i8x16_i7x16_s", VECTOR, 0x112, NONE, vv_v, 0, RELAXED_SIMD)  \
    X(I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S, "i32x4.relaxed_dot_i8x16_i7x16_add_s", VECTOR, 0x113, NONE, vvv_v, 0,       \
      RELAXED_SIMD)

#define OPCODES_ATOMIC(X)                                                                                              \
    X(MEMORY_ATOMIC_NOTIFY, "memory.atomic.notify", ATOMIC, 0x00, MEMARG, ai_i, 2, THREADS)                            \
    X(MEMORY_ATOMIC_WAIT32, "memory.atomic.wait32", ATOMIC, 0x01, MEMARG, aiI_i, 2, THREADS)                           \
    X(MEMORY_ATOMIC_WAIT64, "memory.atomic.wait64", ATOMIC, 0x02, MEMARG, aII_i, 3, THREADS)                           \
    X(ATOMIC_FENCE, "atomic.fence", ATOMIC, 0x03, FENCE, _, 0, THREADS)                                                \
    X(I32_ATOMIC_LOAD, "i32.atomic.load", ATOMIC, 0x10, MEMARG, a_i, 2, THREADS)                                       \
    X(I64_ATOMIC_LOAD, "i64.atomic.load", ATOMIC, 0x11, MEMARG, a_I, 3, THREADS)                                       \
    X(I32_ATOMIC_LOAD8_U, "i32.atomic.load8_u", ATOMIC, 0x12, MEMARG, a_i, 0, THREADS)                                 \
    X(I32_ATOMIC_LOAD16_U, "i32.atomic.load16_u", ATOMIC, 0x13, MEMARG, a_i, 1, THREADS)                               \
    X(I64_ATOMIC_LOAD8_U, "i64.atomic.load8_u", ATOMIC, 0x14, MEMARG, a_I, 0, THREADS)                                 \
    X(I64_ATOMIC_LOAD16_U, "i64.atomic.load16_u", ATOMIC, 0x15, MEMARG, a_I, 1, THREADS)                               \
    X(I64_ATOMIC_LOAD32_U, "i64.atomic.load32_u", ATOMIC, 0x16, MEMARG, a_I, 2, THREADS)                               \
    X(I32_ATOMIC_STORE, "i32.atomic.store", ATOMIC, 0x17, MEMARG, ai_, 2, THREADS)                                     \
    X(I64_ATOMIC_STORE, "i64.atomic.store", ATOMIC, 0x18, MEMARG, aI_, 3, THREADS)                                     \
    X(I32_ATOMIC_STORE8, "i32.atomic.store8", ATOMIC, 0x19, MEMARG, ai_, 0, THREADS)                                   \
    X(I32_ATOMIC_STORE16, "i32.atomic.store16", ATOMIC, 0x1a, MEMARG, ai_, 1, THREADS)                                 \
    X(I64_ATOMIC_STORE8, "i64.atomic.store8", ATOMIC, 0x1b, MEMARG, aI_, 0, THREADS)                                   \
    X(I64_ATOMIC_STORE16, "i64.atomic.store16", ATOMIC, 0x1c, MEMARG, aI_, 1, THREADS)                                 \
    X(I64_ATOMIC_STORE32, "i64.atomic.store32", ATOMIC, 0x1d, MEMARG, aI_, 2, THREADS)                                 \
    X(I32_ATOMIC_RMW_ADD, "i32.atomic.rmw.add", ATOMIC, 0x1e, MEMARG, ai_i, 2, THREADS)                                \
    X(I64_ATOMIC_RMW_ADD, "i64.atomic.rmw.add", ATOMIC, 0x1f, MEMARG, aI_I, 3, THREADS)                                \
    X(I32_ATOMIC_RMW8_ADD_U, "i32.atomic.rmw8.add_u", ATOMIC, 0x20, MEMARG, ai_i, 0, THREADS)                          \
    X(I32_ATOMIC_RMW16_ADD_U, "i32.atomic.rmw16.add_u", ATOMIC, 0x21, MEMARG, ai_i, 1, THREADS)                        \
    X(I64_ATOMIC_RMW8_ADD_U, "i64.atomic.rmw8.add_u", ATOMIC, 0x22, MEMARG, aI_I, 0, THREADS)                          \
    X(I64_ATOMIC_RMW16_ADD_U, "i64.atomic.rmw16.add_u", ATOMIC, 0x23, MEMARG, aI_I, 1, THREADS)                        \
    X(I64_ATOMIC_RMW32_ADD_U, "i64.atomic.rmw32.add_u", ATOMIC, 0x24, MEMARG, aI_I, 2, THREADS)                        \
    X(I32_ATOMIC_RMW_SUB, "i32.atomic.rmw.sub", ATOMIC, 0x25, MEMARG, ai_i, 2, THREADS)                                \
    X(I64_ATOMIC_RMW_SUB, "i64.atomic.rmw.sub", ATOMIC, 0x26, MEMARG, aI_I, 3, THREADS)                                \
    X(I32_ATOMIC_RMW8_SUB_U, "i32.atomic.rmw8.sub_u", ATOMIC, 0x27, MEMARG, ai_i, 0, THREADS)                          \
    X(I32_ATOMIC_RMW16_SUB_U, "i32.atomic.rmw16.sub_u", ATOMIC, 0x28, MEMARG, ai_i, 1, THREADS)                        \
    X(I64_ATOMIC_RMW8_SUB_U, "i64.atomic.rmw8.sub_u", ATOMIC, 0x29, MEMARG, aI_I, 0, THREADS)                          \
    X(I64_ATOMIC_RMW16_SUB_U, "i64.atomic.rmw16.sub_u", ATOMIC, 0x2a, MEMARG, aI_I, 1, THREADS)                        \
    X(I64_ATOMIC_RMW32_SUB_U, "i64.atomic.rmw32.sub_u", ATOMIC, 0x2b, MEMARG, aI_I, 2, THREADS)                        \
    X(I32_ATOMIC_RMW_AND, "i32.atomic.rmw.and", ATOMIC, 0x2c, MEMARG, ai_i, 2, THREADS)                                \
    X(I64_ATOMIC_RMW_AND, "i64.atomic.rmw.and", ATOMIC, 0x2d, MEMARG, aI_I, 3, THREADS)                                \
    X(I32_ATOMIC_RMW8_AND_U, "i32.atomic.rmw8.and_u", ATOMIC, 0x2e, MEMARG, ai_i, 0, THREADS)                          \
    X(I32_ATOMIC_RMW16_AND_U, "i32.atomic.rmw16.and_u", ATOMIC, 0x2f, MEMARG, ai_i, 1, THREADS)                        \
    X(I64_ATOMIC_RMW8_AND_U, "i64.atomic.rmw8.and_u", ATOMIC, 0x30, MEMARG, aI_I, 0, THREADS)                          \
    X(I64_ATOMIC_RMW16_AND_U, "i64.atomic.rmw16.and_u", ATOMIC, 0x31, MEMARG, aI_I, 1, THREADS)                        \
    X(I64_ATOMIC_RMW32_AND_U, "i64.atomic.rmw32.and_u", ATOMIC, 0x32, MEMARG, aI_I, 2, THREADS)                        \
    X(I32_ATOMIC_RMW_OR, "i32.atomic.rmw.or", ATOMIC, 0x33, MEMARG, ai_i, 2, THREADS)                                  \
    X(I64_ATOMIC_RMW_OR, "i64.atomic.rmw.or", ATOMIC, 0x34, MEMARG, aI_I, 3, THREADS)                                  \
    X(I32_ATOMIC_RMW8_OR_U, "i32.atomic.rmw8.or_u", ATOMIC, 0x35, MEMARG, ai_i, 0, THREADS)                            \
    X(I32_ATOMIC_RMW16_OR_U, "i32.atomic.rmw16.or_u", ATOMIC, 0x36, MEMARG, ai_i, 1, THREADS)                          \
    X(I64_ATOMIC_RMW8_OR_U, "i64.atomic.rmw8.or_u", ATOMIC, 0x37, MEMARG, aI_I, 0, THREADS)                            \
    X(I64_ATOMIC_RMW16_OR_U, "i64.atomic.rmw16.or_u", ATOMIC, 0x38, MEMARG, aI_I, 1, THREADS)                          \
    X(I64_ATOMIC_RMW32_OR_U, "i64.atomic.rmw32.or_u", ATOMIC, 0x39, MEMARG, aI_I, 2, THREADS)                          \
    X(I32_ATOMIC_RMW_XOR, "i32.atomic.rmw.xor", ATOMIC, 0x3a, MEMARG, ai_i, 2, THREADS)                                \
    X(I64_ATOMIC_RMW_XOR, "i64.atomic.rmw.xor", ATOMIC, 0x3b, MEMARG, aI_I, 3, THREADS)                                \
    X(I32_ATOMIC_RMW8_XOR_U, "i32.atomic.rmw8.xor_u", ATOMIC, 0x3c, MEMARG, ai_i, 0, THREADS)                          \
    X(I32_ATOMIC_RMW16_XOR_U, "i32.atomic.rmw16.xor_u", ATOMIC, 0x3d, MEMARG, ai_i, 1, THREADS)                        \
    X(I64_ATOMIC_RMW8_XOR_U, "i64.atomic.rmw8.xor_u", ATOMIC, 0x3e, MEMARG, aI_I, 0, THREADS)                          \
    X(I64_ATOMIC_RMW16_XOR_U, "i64.atomic.rmw16.xor_u", ATOMIC, 0x3f, MEMARG, aI_I, 1, THREADS)                        \
    X(I64_ATOMIC_RMW32_XOR_U, "i64.atomic.rmw32.xor_u", ATOMIC, 0x40, MEMARG, aI_I, 2, THREADS)                        \
    X(I32_ATOMIC_RMW_XCHG, "i32.atomic.rmw.xchg", ATOMIC, 0x41, MEMARG, ai_i, 2, THREADS)                              \
    X(I64_ATOMIC_RMW_XCHG, "i64.atomic.rmw.xchg", ATOMIC, 0x42, MEMARG, aI_I, 3, THREADS)                              \
    X(I32_ATOMIC_RMW8_XCHG_U, "i32.atomic.rmw8.xchg_u", ATOMIC, 0x43, MEMARG, ai_i, 0, THREADS)                        \
    X(I32_ATOMIC_RMW16_XCHG_U, "i32.atomic.rmw16.xchg_u", ATOMIC, 0x44, MEMARG, ai_i, 1, THREADS)                      \
    X(I64_ATOMIC_RMW8_XCHG_U, "i64.atomic.rmw8.xchg_u", ATOMIC, 0x45, MEMARG, aI_I, 0, THREADS)                        \
    X(I64_ATOMIC_RMW16_XCHG_U, "i64.atomic.rmw16.xchg_u", ATOMIC, 0x46, MEMARG, aI_I, 1, THREADS)                      \
    X(I64_ATOMIC_RMW32_XCHG_U, "i64.atomic.rmw32.xchg_u", ATOMIC, 0x47, MEMARG, aI_I, 2, THREADS)                      \
    X(I32_ATOMIC_RMW_CMPXCHG, "i32.atomic.rmw.cmpxchg", ATOMIC, 0x48, MEMARG, aii_i, 2, THREADS)                       \
    X(I64_ATOMIC_RMW_CMPXCHG, "i64.atomic.rmw.cmpxchg", ATOMIC, 0x49, MEMARG, aII_I, 3, THREADS)                       \
    X(I32_ATOMIC_RMW8_CMPXCHG_U, "i32.atomic.rmw8.cmpxchg_u", ATOMIC, 0x4a, MEMARG, aii_i, 0, THREADS)                 \
    X(I32_ATOMIC_RMW16_CMPXCHG_U, "i32.atomic.rmw16.cmpxchg_u", ATOMIC, 0x4b, MEMARG, aii_i, 1, THREADS)               \
    X(I64_ATOMIC_RMW8_CMPXCHG_U, "i64.atomic.rmw8.cmpxchg_u", ATOMIC, 0x4c, MEMARG, aII_I, 0, THREADS)                 \
    X(I64_ATOMIC_RMW16_CMPXCHG_U, "i64.atomic.rmw16.cmpxchg_u", ATOMIC, 0x4d, MEMARG, aII_I, 1, THREADS)               \
    X(I64_ATOMIC_RMW32_CMPXCHG_U, "i64.atomic.rmw32.cmpxchg_u", ATOMIC, 0x4e, MEMARG, aII_I, 2, THREADS)

#define OPCODES(X) OPCODES_PLAIN(X) OPCODES_GC(X) OPCODES_MISC(X) OPCODES_VECTOR(X) OPCODES_ATOMIC(X)

/* Where each space begins in enum opcode, and the bound of the codes in it. */
enum opcode_space {
    OPCODE_SPACE_PLAIN = 0x000,
    OPCODE_SPACE_GC = 0x100,
    OPCODE_SPACE_MISC = 0x120,
    OPCODE_SPACE_VECTOR = 0x140,
    OPCODE_SPACE_ATOMIC = 0x260,
    OPCODE_COUNT = 0x2b0,
};

enum opcode {
#define X(id, text, space, code, immediate, signature, width, feature) OP_##id = OPCODE_SPACE_##space + code,
    OPCODES(X)
#undef X
        OP_ILLEGAL = OPCODE_COUNT /* no instruction has it */
};

enum immediate {
    IMMEDIATE_ILLEGAL, /* not an instruction */
    IMMEDIATE_NONE,
    IMMEDIATE_BLOCK, /* block type */
    IMMEDIATE_LABEL,
    IMMEDIATE_LABELS,    /* br_table: vector of labels, default label */
    IMMEDIATE_TRY_TABLE, /* block type, vector of catch clauses */
    IMMEDIATE_FUNC,
    IMMEDIATE_TYPE_TABLE,
    IMMEDIATE_LOCAL,
    IMMEDIATE_GLOBAL,
    IMMEDIATE_TABLE,
    IMMEDIATE_TABLE_TABLE, /* destination, source */
    IMMEDIATE_ELEM,
    IMMEDIATE_ELEM_TABLE,
    IMMEDIATE_DATA,
    IMMEDIATE_DATA_MEMORY,
    IMMEDIATE_MEMORY,
    IMMEDIATE_MEMORY_MEMORY, /* destination, source */
    IMMEDIATE_TAG,
    IMMEDIATE_MEMARG,
    IMMEDIATE_MEMARG_LANE, /* memarg, lane */
    IMMEDIATE_LANE,
    IMMEDIATE_SHUFFLE, /* 16 lanes */
    IMMEDIATE_FENCE,   /* one zero byte */
    IMMEDIATE_I32,
    IMMEDIATE_I64,
    IMMEDIATE_F32,
    IMMEDIATE_F64,
    IMMEDIATE_V128,
    IMMEDIATE_VALTYPES, /* vector of value types */
    IMMEDIATE_HEAP,     /* heap type */
    IMMEDIATE_TYPE,
    IMMEDIATE_TYPE_FIELD,
    IMMEDIATE_TYPE_COUNT,
    IMMEDIATE_TYPE_DATA,
    IMMEDIATE_TYPE_ELEM,
    IMMEDIATE_TYPE_TYPE,   /* destination, source */
    IMMEDIATE_CAST_BRANCH, /* flags, label, two heap types */
};

/* S(signature, parameter count, parameters, result count, results), one for every shape that the table above uses. */
#define SIGNATURES(S)                                                                                                  \
    S(_, 0, (0), 0, (0))                                                                                               \
    S(_F, 0, (0), 1, (VT_F64))                                                                                         \
    S(_I, 0, (0), 1, (VT_I64))                                                                                         \
    S(_f, 0, (0), 1, (VT_F32))                                                                                         \
    S(_i, 0, (0), 1, (VT_I32))                                                                                         \
    S(_v, 0, (0), 1, (VT_V128))                                                                                        \
    S(F_F, 1, (VT_F64), 1, (VT_F64))                                                                                   \
    S(F_I, 1, (VT_F64), 1, (VT_I64))                                                                                   \
    S(F_f, 1, (VT_F64), 1, (VT_F32))                                                                                   \
    S(F_i, 1, (VT_F64), 1, (VT_I32))                                                                                   \
    S(F_v, 1, (VT_F64), 1, (VT_V128))                                                                                  \
    S(I_F, 1, (VT_I64), 1, (VT_F64))                                                                                   \
    S(I_I, 1, (VT_I64), 1, (VT_I64))                                                                                   \
    S(I_f, 1, (VT_I64), 1, (VT_F32))                                                                                   \
    S(I_i, 1, (VT_I64), 1, (VT_I32))                                                                                   \
    S(I_v, 1, (VT_I64), 1, (VT_V128))                                                                                  \
    S(aF_, 2, (SIGNATURE_ADDRESS, VT_F64), 0, (0))                                                                     \
    S(aI_, 2, (SIGNATURE_ADDRESS, VT_I64), 0, (0))                                                                     \
    S(a_F, 1, (SIGNATURE_ADDRESS), 1, (VT_F64))                                                                        \
    S(a_I, 1, (SIGNATURE_ADDRESS), 1, (VT_I64))                                                                        \
    S(a_f, 1, (SIGNATURE_ADDRESS), 1, (VT_F32))                                                                        \
    S(a_i, 1, (SIGNATURE_ADDRESS), 1, (VT_I32))                                                                        \
    S(a_v, 1, (SIGNATURE_ADDRESS), 1, (VT_V128))                                                                       \
    S(af_, 2, (SIGNATURE_ADDRESS, VT_F32), 0, (0))                                                                     \
    S(ai_, 2, (SIGNATURE_ADDRESS, VT_I32), 0, (0))                                                                     \
    S(av_, 2, (SIGNATURE_ADDRESS, VT_V128), 0, (0))                                                                    \
    S(f_F, 1, (VT_F32), 1, (VT_F64))                                                                                   \
    S(f_I, 1, (VT_F32), 1, (VT_I64))                                                                                   \
    S(f_f, 1, (VT_F32), 1, (VT_F32))                                                                                   \
    S(f_i, 1, (VT_F32), 1, (VT_I32))                                                                                   \
    S(f_v, 1, (VT_F32), 1, (VT_V128))                                                                                  \
    S(i_F, 1, (VT_I32), 1, (VT_F64))                                                                                   \
    S(i_I, 1, (VT_I32), 1, (VT_I64))                                                                                   \
    S(i_f, 1, (VT_I32), 1, (VT_F32))                                                                                   \
    S(i_i, 1, (VT_I32), 1, (VT_I32))                                                                                   \
    S(i_v, 1, (VT_I32), 1, (VT_V128))                                                                                  \
    S(v_F, 1, (VT_V128), 1, (VT_F64))                                                                                  \
    S(v_I, 1, (VT_V128), 1, (VT_I64))                                                                                  \
    S(v_f, 1, (VT_V128), 1, (VT_F32))                                                                                  \
    S(v_i, 1, (VT_V128), 1, (VT_I32))                                                                                  \
    S(v_v, 1, (VT_V128), 1, (VT_V128))                                                                                 \
    S(FF_F, 2, (VT_F64, VT_F64), 1, (VT_F64))                                                                          \
    S(FF_i, 2, (VT_F64, VT_F64), 1, (VT_I32))                                                                          \
    S(II_I, 2, (VT_I64, VT_I64), 1, (VT_I64))                                                                          \
    S(II_i, 2, (VT_I64, VT_I64), 1, (VT_I32))                                                                          \
    S(aI_I, 2, (SIGNATURE_ADDRESS, VT_I64), 1, (VT_I64))                                                               \
    S(ai_i, 2, (SIGNATURE_ADDRESS, VT_I32), 1, (VT_I32))                                                               \
    S(av_v, 2, (SIGNATURE_ADDRESS, VT_V128), 1, (VT_V128))                                                             \
    S(ff_f, 2, (VT_F32, VT_F32), 1, (VT_F32))                                                                          \
    S(ff_i, 2, (VT_F32, VT_F32), 1, (VT_I32))                                                                          \
    S(ii_i, 2, (VT_I32, VT_I32), 1, (VT_I32))                                                                          \
    S(vF_v, 2, (VT_V128, VT_F64), 1, (VT_V128))                                                                        \
    S(vI_v, 2, (VT_V128, VT_I64), 1, (VT_V128))                                                                        \
    S(vf_v, 2, (VT_V128, VT_F32), 1, (VT_V128))                                                                        \
    S(vi_v, 2, (VT_V128, VT_I32), 1, (VT_V128))                                                                        \
    S(vv_v, 2, (VT_V128, VT_V128), 1, (VT_V128))                                                                       \
    S(II_II, 2, (VT_I64, VT_I64), 2, (VT_I64, VT_I64))                                                                 \
    S(aII_I, 3, (SIGNATURE_ADDRESS, VT_I64, VT_I64), 1, (VT_I64))                                                      \
    S(aII_i, 3, (SIGNATURE_ADDRESS, VT_I64, VT_I64), 1, (VT_I32))                                                      \
    S(aiI_i, 3, (SIGNATURE_ADDRESS, VT_I32, VT_I64), 1, (VT_I32))                                                      \
    S(aii_i, 3, (SIGNATURE_ADDRESS, VT_I32, VT_I32), 1, (VT_I32))                                                      \
    S(vvv_v, 3, (VT_V128, VT_V128, VT_V128), 1, (VT_V128))                                                             \
    S(IIII_II, 4, (VT_I64, VT_I64, VT_I64, VT_I64), 2, (VT_I64, VT_I64))

enum signature_id {
    SIGNATURE_special,
#define S(name, param_count, params, result_count, results) SIGNATURE_##name,
    SIGNATURES(S)
#undef S
        SIGNATURE_COUNT
};

enum { SIGNATURE_ADDRESS = 1 }; /* in place of a type: the address type of the memory */

/* Types as the low byte of a valtype: no fixed signature holds a reference. */
struct signature {
    uint8_t param_count, result_count;
    uint8_t params[4], results[2];
};

struct opcode_info {
    uint8_t immediate;  /* enum immediate */
    uint8_t signature;  /* enum signature_id */
    uint8_t width_log2; /* memory access or lane */
    uint16_t feature;   /* enum engine_feature bit, or 0 */
};

extern const struct opcode_info opcode_infos[OPCODE_COUNT];
extern const struct signature signatures[SIGNATURE_COUNT];

/* The instruction's name in the text format; a static string. OP must be an instruction. */
const char *opcode_name(enum opcode op);

#endif
