"""wasmtime's side of smith.c (PyPI's wasmtime): as smith.mjs, which says what travels."""
import math
import struct
import sys
import zlib

import wasmtime
from wasmtime import TrapCode

I32, I64, F32, F64 = 0x7f, 0x7e, 0x7d, 0x7c
EXHAUSTED = 7
CLASSES = {TrapCode.UNREACHABLE: 1, TrapCode.MEMORY_OUT_OF_BOUNDS: 2, TrapCode.HEAP_MISALIGNED: 2, TrapCode.INTEGER_DIVISION_BY_ZERO: 3,
           TrapCode.INTEGER_OVERFLOW: 4, TrapCode.BAD_CONVERSION_TO_INTEGER: 4, TrapCode.TABLE_OUT_OF_BOUNDS: 5,
           TrapCode.INDIRECT_CALL_TO_NULL: 6, TrapCode.BAD_SIGNATURE: 6, TrapCode.UNCAUGHT_EXCEPTION: 8, TrapCode.NULL_REFERENCE: 9,
           TrapCode.CAST_FAILURE: 10, TrapCode.ARRAY_OUT_OF_BOUNDS: 11}

config = wasmtime.Config()
for feature in ("gc", "function_references", "exceptions", "memory64", "multi_memory", "tail_call", "threads", "wide_arithmetic", "custom_page_sizes",
                "relaxed_simd", "simd"):
    setattr(config, "wasm_" + feature, True)
engine = wasmtime.Engine(config)
taken, given = sys.stdin.buffer, sys.stdout.buffer


def read(size):
    data = taken.read(size)
    if len(data) != size:
        sys.exit()
    return data


def word():
    return struct.unpack("<I", read(4))[0]


def read_value():
    kind, data = word(), read(8)
    if kind == I32:
        return struct.unpack("<i", data[:4])[0]
    if kind == I64:
        return struct.unpack("<q", data)[0]
    if kind == F32:  # as bits, since Python has doubles only
        return struct.unpack("<f", data[:4])[0]
    return struct.unpack("<d", data)[0] if kind == F64 else None


def read_call():
    index, params, results = word(), word(), word()
    return index, [read_value() for _ in range(params)], [word() for _ in range(results)]


def words_of(kind, value):
    if kind == I32:
        return struct.unpack("<I", struct.pack("<i", value))[0], 0
    if kind == I64:
        return struct.unpack("<II", struct.pack("<q", value))
    if kind == F32:
        return (0x7fc00000 if math.isnan(value) else struct.unpack("<I", struct.pack("<f", value))[0]), 0
    if kind == F64:
        return (0, 0x7ff80000) if math.isnan(value) else struct.unpack("<II", struct.pack("<d", value))
    return (1 if value is None else 2), 0


def mix(number, words):
    for one in words:
        number = ((number ^ one) * 0x01000193) & 0xffffffff
    return number


def class_of(error):
    if isinstance(error, wasmtime.Trap):
        return CLASSES.get(error.trap_code, EXHAUSTED)
    text = str(error)
    return 8 if "exception" in text else EXHAUSTED


def outcome(store, function, values, types):
    try:
        result = function(store, *values)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        kind = class_of(error)
        return EXHAUSTED if kind == EXHAUSTED else mix(kind + 1, ())
    results = [result] if len(types) == 1 else result or []
    number = 1
    for kind, value in zip(types, results):
        number = mix(number, words_of(kind, value))
    return number


def run(data, calls, out):
    try:
        module = wasmtime.Module(engine, data)
    except wasmtime.WasmtimeError as error:
        print("wasmtime:", error, file=sys.stderr)
        return
    out[0] = 1
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=64 << 20)
    try:
        instance = wasmtime.Instance(store, module, [])
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        out[1] = class_of(error)
        return
    exports = list(module.exports)
    objects = instance.exports(store)
    for i, (index, values, types) in enumerate(calls):
        out[3 + i] = outcome(store, objects[exports[index].name], values, types)
        if out[3 + i] == EXHAUSTED:
            return
    for export in exports:
        if isinstance(export.type, wasmtime.MemoryType):
            memory = objects[export.name]
            out[2] = zlib.crc32(memory.get_buffer_ptr(store), out[2])


def is_module(data):
    try:
        wasmtime.Module.validate(engine, data)
        return 1
    except wasmtime.WasmtimeError:
        return 0


while True:
    data = read(word())
    calls = [read_call() for _ in range(word())]
    mutants = [is_module(read(word())) for _ in range(word())]
    out = [0] * (3 + len(calls))
    run(data, calls, out)
    given.write(struct.pack("<%dI" % (len(out) + len(mutants)), *out, *mutants))
    given.flush()
