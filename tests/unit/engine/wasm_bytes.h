/* Hand-written modules for tests: the header and sections as byte lists. */
#ifndef WHERRY_TESTS_WASM_BYTES_H
#define WHERRY_TESTS_WASM_BYTES_H

#include "engine/feature.h"
#include "engine/module.h"

#define WASM_HEADER 0x00, 'a', 's', 'm', 0x01, 0x00, 0x00, 0x00
#define MODULE_BYTES(...)                                                                                              \
    (const uint8_t[]){WASM_HEADER, __VA_ARGS__}, sizeof((const uint8_t[]){WASM_HEADER, __VA_ARGS__})

#endif
